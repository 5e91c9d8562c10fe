"""``agentc run --planner``: plan, replay, judge, draw."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.cli.agents import missing_extra
from agentc.runtime.cli.application import worst
from agentc.runtime.cli.check import checked
from agentc.runtime.cli.output import show
from agentc.runtime.cli.specs import parameters
from agentc.runtime.cli.waiting import Waiting

if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR
    from agentc.runtime.planning.planner import Outcome
    from agentc.runtime.planning.problem import Problem


def run(options: Mapping[str, Any]) -> int:
    """Plan for the agents of some specs; the options are those of ``agentc run``."""
    try:
        return _run(options)
    except ImportError as error:
        raise missing_extra(error) from error


def _run(options: Mapping[str, Any]) -> int:
    from agentc.runtime.planning.planner import EXIT, plan
    from agentc.runtime.planning.problem import problem_of

    start = _start(options["start"])
    agents = _agents(options)
    problems = [
        problem_of(agent, formulas=options["formulas"], last=options["horizon"], start=start) for agent in agents
    ]
    codes, data = [], []
    for problem in problems:
        with Waiting() as waiting:
            outcome = plan(
                problem, options["planner"], seconds=options["seconds"], seed=options["seed"],
                tick=partial(_tell, waiting, problem.agent.name),
            )  # fmt: skip
        paths = _write(problem, outcome, options["out"] or Path("plans"))
        codes.append(EXIT[outcome.status])
        data.append(_data(problem, outcome, paths))
        if options["form"] == "text":
            _say(problem, outcome, paths)
    if options["form"] == "json":
        import json

        click.echo(json.dumps(data, indent=2))
    return worst(codes)


def _tell(waiting: Waiting, agent: str, what: str) -> None:
    waiting(f"{agent}: {what}")


def _agents(options: Mapping[str, Any]) -> list[AgentIR]:
    """The agents of the files that have a declared system, or those that are named."""
    from agentc.lang.diagnostics import Severity
    from agentc.lang.spelling import nearest

    result = checked(options["files"], parameters(options["params"]), options["allow_extern"])
    if not result.ok:
        raise AgentcError(result.diagnostics)
    show(d for d in result.diagnostics if d.severity is Severity.WARNING)
    names, known = options["names"], [a.name for a in result.agents]
    for name in names:
        if name not in known:
            raise AgentcError([report("AS0203", None, kind="agent", name=name, suggestion=nearest(name, known))])
    chosen = [a for a in result.agents if a.name in names] if names else list(result.agents)
    declared = [a for a in chosen if a.system is not None]
    return chosen if names or not declared else declared


def _start(texts: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as error:
            why = "it is no number"
            shown = value.strip() or "nothing"
            raise AgentcError([report("AS1208", None, name=name.strip(), value=shown, why=why)]) from error
    return found


def _write(problem: Problem, outcome: Outcome, out: Path) -> dict[str, Path]:
    """The plan as a drawing and as a recorded trace. Raises :class:`AgentcError` (AS0808)."""
    from agentc.runtime.planning.drawing import plan_csv, plan_svg

    if outcome.judgement is None:
        return {}
    name = problem.agent.name
    paths = {"drawing": out / f"{name}.svg", "trace": out / f"{name}.csv"}
    try:
        out.mkdir(parents=True, exist_ok=True)
        paths["drawing"].write_text(plan_svg(problem, outcome.judgement), encoding="utf-8")
        paths["trace"].write_text(plan_csv(problem, outcome.judgement), encoding="utf-8")
    except OSError as error:
        raise AgentcError([report("AS0808", None, path=str(out), reason=error.strerror or str(error))]) from error
    return paths


def _data(problem: Problem, outcome: Outcome, paths: Mapping[str, Path]) -> dict[str, Any]:
    judgement = outcome.judgement
    finite = judgement is not None and abs(judgement.robustness) != float("inf")
    return {
        "agent": problem.agent.name,
        "status": outcome.status,
        "method": outcome.method,
        "seconds": outcome.seconds,
        "horizon": problem.last,
        "start": {v.name: float(x) for v, x in zip(problem.system.states, problem.start, strict=True)},
        "robustness": judgement.robustness if judgement is not None and finite else None,
        "formulas": [
            {"name": name, "satisfied": truth, "robustness": value if abs(value) != float("inf") else None}
            for name, truth, value in (judgement.verdicts if judgement is not None else ())
        ],
        "plan": outcome.plan.lines() if outcome.plan is not None else None,
        "note": outcome.note,
        "files": {kind: str(path) for kind, path in paths.items()},
    }


def _say(problem: Problem, outcome: Outcome, paths: Mapping[str, Path]) -> None:
    from agentc.runtime.planning.planner import SENTENCES

    click.echo(f"{problem.agent.name}: {outcome.status} ({outcome.method}, {outcome.seconds:.2f} s)")
    click.echo(f"  {SENTENCES[outcome.status]}" + (f" ({outcome.note})" if outcome.note else ""))
    judgement = outcome.judgement
    for name, truth, value in judgement.verdicts if judgement is not None else ():
        click.echo(f"  {'true ' if truth else 'FALSE'}  {name}  robustness {value:.4g}")
    for line in outcome.plan.lines() if outcome.plan is not None else ():
        click.echo(f"    {line}")
    for path in paths.values():
        click.echo(f"  wrote {path}")
