"""``agentc plan OLD NEW``: what a change to a spec changes, by what the formulas mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.cli.check import checked
from agentc.runtime.cli.specs import parameters
from agentc.runtime.cli.waiting import Waiting

if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR, SignalIR
    from agentc.compiler.comparison import FormulaChange, Plan


@click.command(name="plan")
@click.argument("old")
@click.argument("new")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="Set a `param`, in both versions.")
@click.option("--allow-extern", multiple=True, metavar="MODULE", help="Allow labelling functions of this module.")
@click.option("--max-states", type=click.IntRange(1), default=50_000, show_default=True, help="Budget in states.")
@click.option("--max-seconds", type=click.FloatRange(0, min_open=True), default=20.0, show_default=True)
@click.option("--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True)
def command(
    old: str, new: str, params: tuple[str, ...], allow_extern: tuple[str, ...], max_states: int, max_seconds: float,
    form: str,
) -> int:  # fmt: skip
    """Compare two versions of a spec: each formula is equal, stronger, weaker or incomparable.

    A difference comes with a shortest trace that shows it, as an `example` for the new version. OLD and NEW are files,
    or folders of specs. Exit code 0: nothing differs; 1: something does; 3: something could not be decided and
    nothing else differs.
    """
    from agentc.compiler.arithmetic import Arithmetic
    from agentc.compiler.comparison import Limits, plan
    from agentc.compiler.logic.alphabet import deciding

    before, after = _agents(old, params, allow_extern), _agents(new, params, allow_extern)
    with deciding(Arithmetic()), Waiting() as waiting:
        found = plan(before, after, Limits(max_states, max_seconds), waiting)
    if form == "json":
        import json

        click.echo(json.dumps(_data(found), indent=2))
    else:
        click.echo(_text(found))
    return 1 if found.changed else 3 if found.unknown else 0


def _agents(path: str, params: tuple[str, ...], allow_extern: tuple[str, ...]) -> tuple[AgentIR, ...]:
    result = checked([path], parameters(params), allow_extern, examples=False)
    if not result.ok:
        raise AgentcError(result.diagnostics)
    return result.agents


def examples(change: FormulaChange, declared: tuple[SignalIR, ...]) -> list[str]:
    """The witnesses of a change as `example` blocks for the new version."""
    found = []
    if change.lost is not None:
        found.append(change.lost.example("held before, does not any more", change.name, False, declared))
    if change.gained is not None:
        found.append(change.gained.example("did not hold before, does now", change.name, True, declared))
    return found


def _text(found: Plan) -> str:
    from agentc.compiler.comparison import Relation

    lines: list[str] = []
    for c in found.formulas:
        name = f"{c.before} -> {c.name}" if c.before else c.name
        lines.append(f"{c.agent}.{name} ({_role(c)}): {c.relation.value}" + (f": {c.reason}" if c.reason else ""))
        if c.relation is not Relation.UNKNOWN:
            lines += [f"    {example}" for example in examples(c, found.declared[c.agent])]
    lines += [f"{agent}: {line}" for agent, line in found.others]
    counts: dict[str, int] = {}
    for c in found.formulas:
        word = c.relation.name.lower()
        counts[word] = counts.get(word, 0) + 1
    summary = [f"{n} {word}" for word, n in counts.items()]
    summary.append(f"{len(found.others)} other difference{'s' if len(found.others) != 1 else ''}")
    return "\n".join([*lines, ", ".join(summary)])


def _role(change: FormulaChange) -> str:
    old = change.old.role if change.old is not None else change.role
    return change.role if old == change.role else f"{change.role}, was {old}"


def _data(found: Plan) -> dict[str, Any]:
    def witness(c: FormulaChange, which: str) -> Any:
        seen = getattr(c, which)
        if seen is None:
            return None
        trace = None if seen.trace is None else [dict(v) for v in seen.trace]
        return {"steps": list(seen.steps(found.declared[c.agent])), "trace": trace}

    return {
        "formulas": [
            {
                "agent": c.agent,
                "name": c.name,
                "before": c.before or c.name if c.old is not None else None,
                "role": c.role,
                "relation": c.relation.name.lower(),
                "reason": c.reason,
                "lost": witness(c, "lost"),
                "gained": witness(c, "gained"),
                "examples": examples(c, found.declared[c.agent]),
            }
            for c in found.formulas
        ],
        "others": [{"agent": agent, "difference": line} for agent, line in found.others],
    }
