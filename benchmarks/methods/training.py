"""What experiments share: the agent of a spec, a run of it that can be resumed, its curve."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.train import Finish, TrainResult


@cache
def agent_of(spec: str, name: str | None = None) -> CompiledAgent:
    """An agent of a spec under ``specs/``, the only one if it is not named. Raises :class:`AgentcError`."""
    from agentc.compiler.pipeline import check, read

    result = check(read(str(files("agentc.specs").joinpath(spec))))
    found = [agent for agent in result.agents if name in (None, agent.name)]
    if len(found) != 1:
        raise ValueError(f"{spec} has the agents {[a.name for a in result.agents]}, and {name} is asked for")
    return CompiledAgent.from_ir(found[0])


def trained(agent: CompiledAgent, folder: Path, seed: int, steps: int | None = None, **settings: Any) -> TrainResult:
    """Train as the spec says, with ``settings`` in place of its own, going on from a checkpoint in ``folder``.

    Raises ``KeyboardInterrupt`` where Ctrl-C has ended the run: its checkpoint is kept.
    """
    from agentc.runtime.runs import Run
    from agentc.runtime.training import configuration, train_agent

    config = replace(configuration(agent.agent, seed, steps), **settings)
    result = train_agent(agent, config, Run(agent.agent.name, seed, folder), resume=True)
    if result.finish is not Finish.COMPLETE:
        raise KeyboardInterrupt
    return result


def curve(folder: Path, what: str = "mean_return") -> list[tuple[int, float]]:
    """``(steps, figure)`` of every line of a run's log that has it; ``satisfied/reach`` names a formula's rate."""
    from agentc.runtime.learn.logs import read_metrics

    found = []
    for line in read_metrics(folder):
        value: Any = line.get("episodes", {})
        for part in what.split("/"):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found.append((int(line["steps"]), float(value)))
    return found


def steps_until(found: list[tuple[int, float]], threshold: float, otherwise: int) -> float:
    """The first steps at which a curve has reached ``threshold``; ``otherwise`` where it never does."""
    return float(next((steps for steps, figure in found if figure >= threshold), otherwise))


def success(agent: CompiledAgent, folder: Path, formula: str, episodes: int = 100, seed: int = 0) -> float:
    """The share of fresh episodes in which the trained policy, acting as it was trained, satisfies a formula."""
    from agentc.runtime.evaluate import run_episodes
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.spec_env import SpecEnv

    found = run_episodes(lambda: SpecEnv.make(agent, shaping=False), Policy.load(folder), episodes, seed)
    return sum(episode.satisfied[formula] for episode in found) / episodes
