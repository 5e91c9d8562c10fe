"""Budgeted against unconstrained PPO on a point that crosses a hazard: the cost of an episode, and the return lost.

Both arms train ``specs/hazards.agentspec`` as it says, with the seeds of :data:`SEEDS`; the unconstrained one has the
same costs without their limits. Each policy acts in :data:`EPISODES` fresh episodes of seeds that no training has seen.
``run`` is called by ``agentc bench budgets``.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import track

import agentc.specs
from agentc.benchmarks.rows import Row
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import run_episodes
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.train import train
from agentc.runtime.spec_env import SpecEnv, compiled_spec
from agentc.runtime.training import configuration, environment

SPEC = Path(next(iter(agentc.specs.__path__))) / "hazards.agentspec"
SEEDS = (0, 1, 2)
EPISODES = 200


def without_budgets(compiled: CompiledAgent) -> CompiledAgent:
    """The same agent, whose costs have no limits."""
    agent = compiled.agent
    return CompiledAgent.from_ir(replace(agent, costs=tuple(replace(c, limit=None) for c in agent.costs)))


def trained(compiled: CompiledAgent, seed: int, folder: Path, steps: int | None = None) -> dict[str, float]:
    """Train once; the means of fresh episodes: ``return``, ``satisfied``, and ``cost`` by the first cost's name."""
    config = configuration(compiled.agent, seed, steps)
    env = environment(compiled, config)
    try:
        train(env, config, folder)
    finally:
        env.close()
    episodes = run_episodes(lambda: SpecEnv.make(compiled, shaping=False), Policy.load(folder), EPISODES, seed)
    name, task = compiled.agent.costs[0].name, compiled.agent.of_role("task")[0].name
    return {
        "return": statistics.fmean(e.total_reward for e in episodes),
        "satisfied": statistics.fmean(e.satisfied[task] for e in episodes),
        "cost": statistics.fmean(e.costs[name] for e in episodes),
    }


def run(rounds: int = 1, data: Path | None = None) -> list[Row]:
    """Costs, with whether they are within the budget for every seed; returns; how often the task is done."""
    budgeted = compiled_spec(SPEC)
    arms = {"budgeted": budgeted, "unconstrained": without_budgets(budgeted)}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in arms}
    runs = [(name, seed) for seed in SEEDS for name in arms]
    with tempfile.TemporaryDirectory() as folder:
        for name, seed in track(runs, description="budgets", console=Console(stderr=True)):
            found[name].append(trained(arms[name], seed, Path(folder) / f"{name}{seed}"))
    (cost,) = budgeted.agent.costs
    assert cost.limit is not None

    def row(case: str, key: str, unit: str, target: str, limit: float | None) -> Row:
        ours, peer = ([seen[key] for seen in found[name]] for name in arms)
        a, b = statistics.fmean(ours), statistics.fmean(peer)
        each = "; ".join(f"{x:.2f} and {y:.2f}" for x, y in zip(ours, peer, strict=True))
        note = f"by seed: {each}"
        holds = None if limit is None else max(ours) <= limit
        return Row(case, a, b, "unconstrained", a / b if b else None, unit, target, holds, note)

    return [
        row(f"cost `{cost.name}` of an episode", "cost", "steps", f"at most {cost.limit:g} for each seed", cost.limit),
        row("return", "return", "per episode", "none: what the budget costs", None),
        row("task satisfied", "satisfied", "share", "none", None),
    ]
