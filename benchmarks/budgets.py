"""Ways to keep to a budget, beside none: a point that crosses a field of hazards; what its episodes cost and earn.

Arms: PPO as ``specs/hazards.agentspec`` says without the budget's limit, with multipliers, with a projection after each
update, and SAC with multipliers. The seeds are those of :data:`SEEDS`; no setting was tuned for an arm, but that there
is no entropy bonus was settled on the first seed of the projection. Each policy acts in :data:`EPISODES` fresh episodes
of seeds that no training has seen. Runs are recorded in
``recorded/budgets.jsonl`` beside this file under a digest of what they depend on, the spec and an arm's settings; those
that are there are not run again. ``run`` is called by ``agentc bench budgets``.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

import agentc.specs
from agentc.benchmarks import recording
from agentc.benchmarks.rows import Row
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import run_episodes
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.off_policy_config import SACConfig
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.train import train
from agentc.runtime.spec_env import SpecEnv, compiled_spec
from agentc.runtime.training import configuration, environment

SPEC = Path(next(iter(agentc.specs.__path__))) / "hazards.agentspec"
RECORDED = Path(__file__).parent / "recorded" / "budgets.jsonl"
SEEDS = (0, 1, 2)
EPISODES = 100
ARMS = ("unconstrained", "lagrangian", "projection", "sac")
SAC = {
    "steps": 20_000, "envs": 4, "rollout": 125, "hidden": 64, "batch": 128, "learning_rate": 1e-3,
    "normalize_observations": True,
}  # fmt: skip


def without_budgets(compiled: CompiledAgent) -> CompiledAgent:
    """The same agent, whose costs have no limits."""
    agent = compiled.agent
    return CompiledAgent.from_ir(replace(agent, costs=tuple(replace(c, limit=None) for c in agent.costs)))


def arm(name: str, seed: int, steps: int | None = None) -> tuple[CompiledAgent, TrainingConfig]:
    """What an arm trains, and how; ``steps`` in place of its own."""
    compiled = compiled_spec(SPEC)
    config = configuration(compiled.agent, seed, steps)
    if name == "unconstrained":
        return without_budgets(compiled), config
    if name == "sac":
        config = SACConfig(**{**SAC, "seed": seed}, discount=config.discount)  # type: ignore[arg-type]
        return compiled, config if steps is None else replace(config, steps=steps)
    return compiled, replace(config, budget_method=name)  # type: ignore[call-arg]


def trained(name: str, seed: int, folder: Path, steps: int | None = None) -> dict[str, float]:
    """Train once; the means of fresh episodes: ``return``, ``satisfied``, and ``cost`` by the first cost's name."""
    compiled, config = arm(name, seed, steps)
    env = environment(compiled, config)
    try:
        train(env, config, folder)
    finally:
        env.close()
    episodes = run_episodes(lambda: SpecEnv.make(compiled, shaping=False), Policy.load(folder), EPISODES, seed)
    cost, task = compiled.agent.costs[0].name, compiled.agent.of_role("task")[0].name
    return {
        "return": statistics.fmean(e.total_reward for e in episodes),
        "satisfied": statistics.fmean(e.satisfied[task] for e in episodes),
        "cost": statistics.fmean(e.costs[cost] for e in episodes),
    }


def digest(name: str, seed: int) -> str:
    """What the figures of a run depend on, shortened: the spec, the settings that are no defaults, the episodes."""
    _, config = arm(name, seed)
    defaults = type(config)().to_data()
    settings = {k: v for k, v in config.to_data().items() if v != defaults[k]}
    told = json.dumps([SPEC.read_text(), name, seed, settings, EPISODES], sort_keys=True)
    return sha256(told.encode()).hexdigest()[:12]


def recorded() -> dict[tuple[str, int], dict[str, float]]:
    """The runs that are recorded; those of another spec or of other settings are left out."""
    found = {}
    for row in recording.lines(RECORDED):
        if row["name"] in ARMS and row["of"] == digest(row["name"], row["seed"]):
            found[row["name"], int(row["seed"])] = {k: row[k] for k in ("cost", "return", "satisfied")}
    return found


def missing(found: dict[tuple[str, int], dict[str, float]]) -> Iterator[tuple[str, int]]:
    """The runs that are not recorded; those of SAC, which take longest, come last."""
    every = [(name, seed) for seed in SEEDS for name in ARMS]
    yield from (run for run in sorted(every, key=lambda run: run[0] == "sac") if run not in found)


def run(rounds: int = 1, data: Path | None = None) -> list[Row]:
    """Costs, with whether they are within the budget for every seed; returns; how often the task is done."""
    found = recorded()
    with Progress(console=Console(stderr=True)) as progress:
        bar = progress.add_task("budgets", total=len(ARMS) * len(SEEDS), completed=len(found))
        for name, seed in list(missing(found)):
            with tempfile.TemporaryDirectory() as folder:
                figures = trained(name, seed, Path(folder))
            found[name, seed] = figures
            row = {"name": name, "seed": seed, **{k: round(v, 4) for k, v in figures.items()}}
            recording.append(RECORDED, {**row, "of": digest(name, seed)})
            progress.advance(bar)
    cost = compiled_spec(SPEC).agent.costs[0]
    assert cost.limit is not None
    return [
        row
        for name in ARMS[1:]
        for row in (
            compared(found, name, f"cost `{cost.name}` of an episode", "cost", "steps", cost.limit),
            compared(found, name, "return", "return", "per episode", None),
            compared(found, name, "task satisfied", "satisfied", "share", None),
        )
    ]


def compared(
    found: dict[tuple[str, int], dict[str, float]], name: str, case: str, key: str, unit: str, limit: float | None
) -> Row:
    """An arm beside the unconstrained one."""
    ours, peer = ([found[arm, seed][key] for seed in SEEDS] for arm in (name, "unconstrained"))
    a, b = statistics.fmean(ours), statistics.fmean(peer)
    each = "; ".join(f"{x:.2f} and {y:.2f}" for x, y in zip(ours, peer, strict=True))
    target = "none" if limit is None else f"at most {limit:g} for each seed"
    holds = None if limit is None else max(ours) <= limit
    return Row(f"{name}: {case}", a, b, "unconstrained", a / b if b else None, unit, target, holds, f"by seed: {each}")
