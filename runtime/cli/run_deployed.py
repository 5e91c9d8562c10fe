"""``agentc run`` of an agent with a ``deploy`` block: the gate, then episodes with every intervention."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentc.runtime.cli.agents import missing_extra
from agentc.runtime.cli.waiting import Waiting

if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR
    from agentc.runtime.deploy.gate import Artifacts


def artifacts_of(agent: AgentIR, options: Mapping[str, Any]) -> Artifacts:
    """The agent's policy and its proofs, where the options say. Raises :class:`AgentcError` (AS0965) for no run."""
    from agentc.runtime.deploy.gate import Artifacts
    from agentc.runtime.runs import find_runs

    policy = options["policy"]
    if policy is None:
        policy = Path() if agent.writer is not None else find_runs(agent.name, options["runs"])[0].folder
    return Artifacts(agent, policy, options["build"] / f"{agent.name}.agent")


def run(agent: AgentIR, options: Mapping[str, Any]) -> int:
    """Enter the gate and run; 0 if no safe formula was violated and nothing was stopped, else 1."""
    try:
        return _run(agent, options)
    except ImportError as error:
        raise missing_extra(error) from error


def _run(agent: AgentIR, options: Mapping[str, Any]) -> int:
    from agentc.lang.diagnostics import AgentcError, report
    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.deploy.gate import enter
    from agentc.runtime.deploy.running import Deployment, Log
    from agentc.runtime.runs import Run, stale
    from agentc.runtime.training import actor_of

    artifacts, text = artifacts_of(agent, options), options["form"] == "text"
    if stale(Run(agent.name, 0, artifacts.policy), agent):
        raise AgentcError([report("AS1381", None, agent=agent.name, folder=str(artifacts.policy))])
    enter(artifacts)
    with Waiting() as waiting:
        waiting(f"{agent.name}: shield")
        compiled = CompiledAgent.from_ir(agent)
        deployment = Deployment(compiled, actor_of(compiled, Run(agent.name, 0, artifacts.policy)))
    folder, rows = options["out"] or Path("runs") / agent.name / "deployed", []
    for seed in range(options["seed"], options["seed"] + options["episodes"]):
        log = Log(folder / f"run-{seed}.jsonl", {"agent": agent.name, **artifacts.data()})

        def listen(event: str, data: Mapping[str, Any], log: Log = log) -> None:
            log(event, data)
            if text and event in ("intervention", "monitor", "stopped"):
                click.echo("  " + _line(event, data))

        if text:
            click.echo(f"{agent.name}: episode {seed}")
        done = deployment.episode(seed, listen)
        log.close()
        rows.append({"seed": seed, "steps": done.steps, "kept": done.kept, "satisfied": dict(done.satisfied),
                     "violated": dict(done.violated), "interventions": done.interventions, "stopped": done.stopped,
                     "log": str(log.path)})  # fmt: skip
        if text:
            stood = ", ".join(f"{n} by {kind}" for kind, n in done.interventions.items()) or "none"
            verdicts = [f"{name} {'violated' if v else 'kept'}" for name, v in done.violated.items()]
            verdicts += [f"{name} {'reached' if v else 'not reached'}" for name, v in done.satisfied.items()]
            click.echo(f"  {done.steps} steps, interventions: {stood}; {', '.join(verdicts)}; log {log.path}")
    if not text:
        import json

        click.echo(json.dumps(rows, indent=2))
    return 0 if all(row["kept"] for row in rows) else 1


def _line(event: str, data: Mapping[str, Any]) -> str:
    if event == "intervention":
        return f"step {data['step']}: {data['kind']}: {data['why']}; {data['wanted']} wanted, {data['done']} done"
    if event == "monitor":
        return f"step {data['step']}: {data['formula']} is {data['verdict']}"
    return f"step {data['step']}: stopped: {data['why']}"
