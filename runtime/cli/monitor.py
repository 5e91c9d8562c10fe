"""``agentc monitor``: a recorded trace against the formulas of a spec, or against one that is given."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError, Severity, report
from agentc.runtime.cli.application import worst
from agentc.runtime.cli.dialects import dialect_option, native
from agentc.runtime.cli.output import show
from agentc.runtime.cli.specs import parameters

if TYPE_CHECKING:
    from agentc.compiler.agent import FormulaIR, SignalIR
    from agentc.runtime.recordings import Sample
    from agentc.runtime.trace_monitor import Finding, TraceMonitor

PATIENCE = 2.0
"""Seconds after which a long recording says how far it is."""

SAID = {
    "holds": ("holds", "not violated"),
    "fails": ("does not hold", "violated"),
    "open": ("open: the trace goes on", "not violated so far"),
    "unknown": ("unknown", "unknown"),
}
"""The outcome in words, of a task and of a safe."""


@click.command(name="monitor")
@click.argument("spec", required=False)
@click.option("--trace", "trace", required=True, metavar="FILE", help="The recording; `-` is standard input.")
@click.option("--formula", metavar="TEXT", help="Monitor this formula (over the spec's signals if there is a spec).")
@dialect_option
@click.option("--agent", metavar="NAME", help="The agent of the spec, where it has several.")
@click.option("--only", multiple=True, metavar="NAME", help="Monitor this formula of the spec only; may be repeated.")
@click.option("--input", "form", type=click.Choice(("csv", "jsonl", "parquet")), help="What the recording is.")
@click.option("--map", "maps", multiple=True, metavar="SIGNAL=COLUMN", help="The column of a signal.")
@click.option("--time", "column", metavar="COLUMN", help="The column of timestamps, in seconds.")
@click.option("--step", metavar="SECONDS", help="How long a step is, where neither spec nor timestamps say.")
@click.option("--resample", metavar="SECONDS", help="Sample anew at this step; each sample holds the last value seen.")
@click.option("--missing", type=click.Choice(("error", "hold", "none")), default="error", show_default=True,
              help="What an empty cell is: an error, the value before, or no value (its atoms are false).")  # fmt: skip
@click.option("--open", "open_", is_flag=True, help="The trace goes on: verdicts that are not final are open.")
@click.option("--format", "output", type=click.Choice(("text", "json")), default="text", show_default=True)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a `param`.")
@click.option("--allow-extern", multiple=True, metavar="MODULE", help="Allow labelling functions of this module.")
def command(
    spec: str | None, trace: str, formula: str | None, dialect: str | None, agent: str | None,
    only: tuple[str, ...], form: str | None, maps: tuple[str, ...], column: str | None, step: str | None,
    resample: str | None, missing: Any, open_: bool, output: str, params: tuple[str, ...],
    allow_extern: tuple[str, ...],
) -> int:  # fmt: skip
    """Monitor a recorded trace: verdict, robustness, and for what fails the subformula and the step that decide.

    SPEC is a spec file; all tasks, safes and behaviors of its agent are monitored. Numbers are read in the units that
    the signals declare. Exit code 0 if everything holds, 1 if something does not, 3 if something is open or unknown.
    """
    from agentc.runtime.recorded_values import Reader
    from agentc.runtime.recordings import format_of, read_rows, regular, resampled, timed
    from agentc.runtime.trace_monitor import EXIT, TraceMonitor

    if spec is None and formula is None:
        raise click.UsageError("give a spec, or a formula with --formula")
    if dialect is not None and formula is None:
        raise click.UsageError("--dialect says how the formula of --formula is written")
    formula = None if formula is None else native(formula, dialect)
    columns = _pairs(maps)
    rows = read_rows(trace, format_of(trace, form), sys.stdin if trace == "-" else None)
    samples: Iterator[Sample] = timed(rows, column)
    every = _seconds(resample, "--resample")
    given = _seconds(step, "--step")
    if every is not None:
        if column is None:
            raise click.UsageError("--resample needs the column of timestamps: --time COLUMN")
        samples = resampled(samples, every)
        show([report("AS1017", None, step=f"{every:g}")])
    known = every if every is not None else given
    if spec is not None:
        items, declared, duration = _of_spec(spec, agent, only, formula, params, allow_extern, known)
    else:
        assert formula is not None
        if known is None and column is not None:
            samples, known = _step_of(samples)
        items, declared, samples = _of_formula(formula, samples, columns, known)
        duration = known
    if every is None:
        samples = regular(samples, given if given is not None else duration)
    elif duration is not None and abs(every - duration) > 1e-9 * duration:
        raise AgentcError([report("AS1018", None, given=f"{every:g}", declared=f"{duration:g}")])
    monitor = TraceMonitor(items, declared)
    reader = Reader(monitor.needed, columns, missing)
    times = _read(monitor, reader, samples, say=trace == "-" and output == "text")
    if not monitor.valuations:
        raise AgentcError([report("AS1013", None, path=trace)])
    found = monitor.findings(ended=not open_)
    show(d for f in found for d in f.notes if d.severity is not Severity.ERROR or f.outcome == "unknown")
    if output == "json":
        import json

        click.echo(json.dumps([_data(f, times, monitor.valuations) for f in found], indent=2))
    else:
        for f in found:
            click.echo(_text(f, times, monitor.valuations))
    return worst(EXIT[f.outcome] for f in found if f.item.role != "assume")


def _read(monitor: TraceMonitor, reader: Any, samples: Iterator[Sample], *, say: bool) -> list[float | None]:
    """Step the monitor through the samples; with ``say`` every change of a verdict is printed as it comes."""
    import time

    times: list[float | None] = []
    said = time.monotonic()
    for sample in samples:
        if not say and len(times) % 1000 == 0 and time.monotonic() - said > PATIENCE:
            said = time.monotonic()
            click.echo(f"{len(times):,} steps read", err=True)
        changed = monitor.step(reader.read(sample))
        times.append(sample.time)
        if say:
            for name, verdict in changed:
                click.echo(f"{_when(len(times) - 1, times)}: {name} is {verdict.sentence}")
                sys.stdout.flush()
    return times


def _pairs(maps: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in maps:
        name, equals, column = text.partition("=")
        if not equals or not name.strip() or not column.strip():
            raise click.UsageError(f"--map {text} maps nothing: write SIGNAL=COLUMN")
        found[name.strip()] = column.strip()
    return found


def _seconds(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        value = float(text.strip().removesuffix("s"))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise click.UsageError(f"{option} {text} is no duration: write seconds, as in 0.1 or 0.1s")
    return value


def _step_of(samples: Iterator[Sample]) -> tuple[Iterator[Sample], float | None]:
    """The duration between the first two samples, which are still to come."""
    import itertools

    first = list(itertools.islice(samples, 2))
    step = None
    if len(first) == 2:
        assert first[0].time is not None and first[1].time is not None
        step = first[1].time - first[0].time
    return itertools.chain(first, samples), step


def _of_spec(
    spec: str, name: str | None, only: Sequence[str], formula: str | None, params: Sequence[str],
    allow_extern: Sequence[str], step: float | None,
) -> tuple[list[FormulaIR], tuple[SignalIR, ...], float | None]:  # fmt: skip
    """The formulas of an agent, the signals, and how long a step is."""
    from agentc.compiler.agent import FormulaIR
    from agentc.compiler.pipeline import compile_formula
    from agentc.lang.spelling import nearest
    from agentc.runtime.cli.check import checked

    result = checked((spec,), parameters(params), allow_extern)
    if not result.ok:
        raise AgentcError(result.diagnostics)
    known = [a.name for a in result.agents]
    if name is not None and name not in known:
        raise AgentcError([report("AS0203", None, kind="agent", name=name, suggestion=nearest(name, known))])
    if name is None and len(known) != 1:
        raise click.UsageError(f"the spec has the agents {', '.join(known) or '(none)'}: choose one with --agent")
    agent = next(a for a in result.agents if name is None or a.name == name)
    duration = step
    if agent.environment is not None and agent.environment.step is not None:
        duration = agent.environment.step
    if formula is not None:
        declared = agent.declared
        made = compile_formula(formula, declared, step=duration)
        return [FormulaIR("formula", "task", made, formula)], declared, duration
    items = [f for f in agent.formulas if not only or f.name in only]
    for wanted in only:
        names = [f.name for f in agent.formulas]
        if wanted not in names:
            raise AgentcError([report("AS0203", None, kind="formula", name=wanted, suggestion=nearest(wanted, names))])
    if not items:
        raise AgentcError([report("AS1016", None, agent=agent.name)])
    return items, agent.declared, duration


def _of_formula(
    text: str, samples: Iterator[Sample], columns: Mapping[str, str], step: float | None
) -> tuple[list[FormulaIR], tuple[SignalIR, ...], Iterator[Sample]]:
    """A formula without a spec: its signals have the types that their columns show."""
    from agentc.compiler.agent import FormulaIR
    from agentc.compiler.free_names import free_names
    from agentc.compiler.pipeline import compile_formula
    from agentc.lang.parser import parse_formula
    from agentc.lang.source import Source
    from agentc.runtime.recorded_values import inferred

    expr, wrong = parse_formula(Source("<formula>", text))
    if expr is None:
        raise AgentcError(wrong)
    every = list(samples)
    there = every[0].values if every else {}
    names = free_names(expr)
    words = {str(v) for s in every[:1000] for v in s.values.values()}
    lacking = [n for n in names if columns.get(n, n) not in there and n not in words]
    if every and lacking:
        raise AgentcError([report("AS1001", None, name=lacking[0], known=", ".join(there))])
    declared = tuple(inferred(every, {n: v for n, v in names.items() if columns.get(n, n) in there}, columns))
    made = compile_formula(text, declared if every else None, step=step)
    return [FormulaIR("formula", "task", made, text)], declared, iter(every)


# ---------------------------------------------------------------- what is said


def _when(step: int, times: Sequence[float | None]) -> str:
    time = times[step]
    return f"step {step}" if time is None else f"step {step} ({time:g} s)"


def _text(f: Finding, times: Sequence[float | None], valuations: Sequence[Mapping[str, Any]]) -> str:
    said = SAID[f.outcome][f.item.role == "safe"]
    if f.outcome in ("holds", "fails"):
        if f.decided is not None:
            at = _when(f.decided, times)
            said += f" from {at} on" if f.outcome == "fails" else f", decided at {at}"
        elif not (f.item.role == "safe" and f.outcome == "holds"):
            said += f" at the end, {_when(len(times) - 1, times)}"
    robust = "" if f.robustness is None else f"; robustness {_number(f.robustness)}"
    lines = [f"{f.item.role} {f.item.name}: {said}{robust}"]
    if f.outcome in ("fails", "open"):
        for depth, link in enumerate(f.witness):
            source = " ".join(f.item.source.split()) if depth == 0 and f.item.source else link.text
            beyond = "; its window lies beyond the trace" if link.beyond else ""
            lines.append(f"  {'  ' * depth}{source}  at {_when(link.step, times)}: {_number(link.value)}{beyond}")
        if f.witness:
            seen = _seen(f, valuations)
            if seen:
                lines.append(f"  {'  ' * len(f.witness)}{', '.join(f'{k} = {_number(v)}' for k, v in seen.items())}")
    return "\n".join(lines)


def _seen(f: Finding, valuations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The values that the deciding atom reads."""
    from agentc.compiler.logic.ir import signals

    last = f.witness[-1]
    return {} if last.beyond else {n: valuations[last.step].get(n) for n in signals(last.formula)}


def _number(value: Any) -> str:
    if value is None:
        return "no value"
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _data(f: Finding, times: Sequence[float | None], valuations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    def number(value: float | None) -> float | str | None:
        return value if value is None or math.isfinite(value) else ("inf" if value > 0 else "-inf")

    return {
        "name": f.item.name,
        "role": f.item.role,
        "formula": f.item.source,
        "outcome": f.outcome,
        "decided": f.decided,
        "steps": len(valuations),
        "robustness": number(f.robustness),
        "witness": [
            {"formula": link.text, "step": link.step, "time": times[link.step], "robustness": number(link.value),
             "beyond": link.beyond}
            for link in f.witness
        ],
        "values": _seen(f, valuations) if f.witness else {},
        "notes": [d.message for d in f.notes],
    }  # fmt: skip
