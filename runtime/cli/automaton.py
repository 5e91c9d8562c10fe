"""``agentc automaton``: a formula in, its minimal automaton out."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.dialects import dialect_option, native

if TYPE_CHECKING:
    from agentc.compiler.automata.dfa import DFA

FORMATS = ("hoa", "dot", "svg", "prism", "json")


@click.command(name="automaton")
@click.argument("formula", required=False)
@click.option("--file", "file", type=click.Path(path_type=Path), help="A file with one formula a line.")
@dialect_option
@click.option("--format", "form", type=click.Choice(FORMATS), default="hoa", show_default=True)
@click.option("--max-states", type=click.IntRange(1), default=50_000, show_default=True, help="Budget in states.")
@click.option("--max-seconds", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True)
@click.option("--max-memory", type=click.IntRange(1), default=2048, show_default=True, help="Budget in megabytes.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Write here instead of standard output.")
def command(
    formula: str | None,
    file: Path | None,
    dialect: str | None,
    form: str,
    max_states: int,
    max_seconds: float,
    max_memory: int,
    out: Path | None,
) -> int:
    """Translate a FORMULA to its minimal deterministic automaton over finite traces, sink included.

    Unknown names are Boolean propositions. Traces are finite and not empty: there is no reading over infinite words,
    and `G F a` says that `a` holds at the last step. The budget holds for each formula; where it runs out, the report
    names the part that grows. With `--file`, every line that is neither empty nor a `#`
    comment is a formula, and `--format json` prints a list of `{formula, states, seconds, hoa}`, or
    `{formula, error}` where one has an error or its budget ran out.
    """
    if (formula is None) == (file is None):
        raise click.UsageError("give a formula, or a file of formulas with --file")
    budget = {"max_states": max_states, "max_seconds": max_seconds, "max_memory": max_memory << 20}
    if formula is not None:
        formula = native(formula, dialect)
        dfa, seconds = _translated(formula, budget)
        text = _dump([_row(formula, dfa, seconds)]) if form == "json" else _text(formula, dfa, form)
        _write(text, out)
        return 0
    assert file is not None
    failed = False
    texts, rows = [], list[dict[str, Any]]()
    for line in _counted(_lines(file)):
        try:
            dfa, seconds = _translated(native(line, dialect), budget)
        except AgentcError as error:
            failed = True
            rows.append({"formula": line, "error": str(error)})
            if form != "json":
                from agentc.runtime.cli.output import show

                show(error.diagnostics)
            continue
        rows.append(_row(line, dfa, seconds))
        if form != "json":
            texts.append(_text(line, dfa, form))
    _write(_dump(rows) if form == "json" else "\n".join(texts), out)
    return int(failed)


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise AgentcError([report("AS0142", None, path=str(file), reason=reason)]) from error
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def _counted(lines: list[str]) -> Iterator[str]:
    """The lines; on a terminal it says which one is at work, once that has taken two seconds."""
    shown, since = 0, time.perf_counter()
    for at, line in enumerate(lines, 1):
        yield line
        if sys.stderr.isatty() and (time.perf_counter() - since > 2) and at < len(lines):
            click.echo(f"\r{at} of {len(lines)} formulas", nl=False, err=True)
            shown, since = at, time.perf_counter()
    if shown:
        click.echo("\r" + " " * 40 + "\r", nl=False, err=True)


def _translated(formula: str, budget: dict[str, Any]) -> tuple[DFA, float]:
    from agentc.compiler.automata.ltlf import translate
    from agentc.compiler.pipeline import compile_formula

    start = time.perf_counter()
    dfa = translate(compile_formula(formula), **budget)
    return dfa, time.perf_counter() - start


def _row(formula: str, dfa: DFA, seconds: float) -> dict[str, Any]:
    from agentc.compiler.automata.hoa import write_hoa

    return {"formula": formula, "states": dfa.size, "seconds": seconds, "hoa": write_hoa(dfa, formula)}


def _text(formula: str, dfa: DFA, form: str) -> str:
    if form == "dot":
        from agentc.compiler.automata.dot import write_dot

        return write_dot(dfa, formula)
    if form == "prism":
        from agentc.compiler.automata.prism import write_prism

        return write_prism(dfa, formula)
    if form == "svg":
        from agentc.compiler.automata.svg import MAX_STATES, write_svg

        drawing = write_svg(dfa, formula)
        if drawing is None:
            raise AgentcError([report("AS0970", None, formula=formula, states=dfa.size, most=MAX_STATES)])
        return drawing
    from agentc.compiler.automata.hoa import write_hoa

    return write_hoa(dfa, formula)


def _dump(rows: list[dict[str, Any]]) -> str:
    import json

    return json.dumps(rows, indent=2) + "\n"


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(out), reason=error.strerror or str(error))]) from error
