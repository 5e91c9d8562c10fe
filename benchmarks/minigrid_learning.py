"""MiniGrid where plain PPO finds nothing: a spec of a few lines, PPO without it, and Stable-Baselines3 on its reward.

LockedRoom, MultiRoom-N4-S5 and ObstructedMaze-2Dlh: a success of 0.000 after ten million steps in rl-baselines3-zoo.
``specs/multi_room.agentspec``, ``locked_room.agentspec`` and ``obstructed_maze.agentspec`` say what there is to do on
the way; that is more than the tasks say, and the head of each spec tells what. The arms:

- *spec*: ``train ppo`` as the spec says, for every seed;
- *plain*: the same settings without formulas and without the bonus for what is new, paid what the package pays;
- *novelty*: the same with the bonus;
- *SB3*: Stable-Baselines3's PPO on the compiled reward, shaping and automata included, at :data:`SB3_STEPS` steps
  (``minigrid_sb3.py``).

All are trained on the vectorised port and judged on the package's own environments: :data:`EPISODES` fresh episodes, in
which actions are drawn as in training; an episode counts if the package itself pays. Runs are recorded in
``recorded/minigrid.jsonl``; those of another text of their spec are left out. ``agentc bench minigrid-learning`` prints
what is recorded, ``agentc bench minigrid-learning TASK`` runs what is missing of a task, for ``--rounds`` seeds of the
spec, three at most, and one of the others. Ours go on where they were interrupted; Stable-Baselines3 begins again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium

from agentc.benchmarks import recording
from agentc.benchmarks.methods.training import agent_of
from agentc.benchmarks.rows import Row
from agentc.benchmarks.stl_learning import limited, spent
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import Actor, run_episodes
from agentc.runtime.learn.statistics import wilson

RECORDED = Path(__file__).parent / "recorded" / "minigrid.jsonl"
TASKS = ("multi_room", "locked_room", "obstructed_maze")
SPEC, SB3 = "spec", "SB3"
ARMS = (SPEC, "plain", SB3, "novelty")
EPISODES = 200
SB3_STEPS = BARE_STEPS = 1_000_000
"""Steps of Stable-Baselines3 and of the arms without a spec; the spec's own arm has those that the spec says."""
GOAL, GOAL_STEPS, SEEDS = 0.9, 10_000_000, 3


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run: how many of ``episodes`` the package paid for, after so many steps and CPU seconds of training."""

    task: str
    arm: str
    seed: int
    solved: int
    episodes: int
    steps: int
    training: float
    spec: str


def digest(task: str) -> str:
    """What a record's runs are of: the text of the spec without its comments."""
    text = files("agentc.specs").joinpath(f"{task}.agentspec").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(kept).encode()).hexdigest()[:12]


def read(path: Path = RECORDED) -> list[Recorded]:
    """The recorded runs of the specs as they are now."""
    return recording.rows(path, Recorded, lambda r: r.task in TASKS and r.spec == digest(r.task))


@cache
def specified(task: str) -> CompiledAgent:
    """The agent of a task."""
    return agent_of(f"{task}.agentspec")


@cache
def bare(task: str) -> CompiledAgent:
    """The same environment and settings without formulas: what is paid is the package's own reward."""
    return CompiledAgent.from_ir(replace(specified(task).agent, formulas=(), reward=None, expects=()))


class Paid(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment of the package; ``solved`` says whether it has paid in this episode."""

    solved = False

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self.solved = False
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act, and look at what is paid."""
        seen, reward, terminated, truncated, info = super().step(action)
        self.solved |= float(reward) > 0
        return seen, reward, terminated, truncated, info


def solved(agent: CompiledAgent, actor: Actor, seed: int, episodes: int = EPISODES) -> int:
    """In how many fresh episodes the package's own environment pays ``actor``, which sees what ``agent`` says."""
    from agentc.runtime.envs.minigrid import ArrayObservation
    from agentc.runtime.spec_env import SpecEnv

    assert agent.agent.environment is not None
    package = Paid(gymnasium.make(str(agent.agent.environment.arguments["id"]), disable_env_checker=True))
    env = SpecEnv(ArrayObservation(package), agent)
    ran = run_episodes(lambda: env, actor, episodes, seed, verdicts=lambda info: ({"solved": package.solved}, {}))
    return sum(episode.satisfied["solved"] for episode in ran)


def ours(task: str, arm: str, seed: int, folder: Path, steps: int | None) -> tuple[CompiledAgent, Actor, int, float]:
    """Train ours, resuming: the agent, its policy, the steps, the seconds of the processor. Ctrl-C is passed on."""
    from agentc.runtime.cli.waiting import Waiting
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.learn.ppo import PPOConfig
    from agentc.runtime.learn.progress import time_left
    from agentc.runtime.learn.train import Finish, Update, train
    from agentc.runtime.training import configuration, environment

    agent = specified(task) if arm == SPEC else bare(task)
    config = configuration(agent.agent, seed, steps or (None if arm == SPEC else BARE_STEPS))
    assert isinstance(config, PPOConfig)
    if arm == "plain":
        config = replace(config, novelty=0.0)
    folder.mkdir(parents=True, exist_ok=True)
    with Waiting() as waiting:

        def tell(update: Update) -> None:
            if update.number % 50 == 0:
                waiting(f"{task}, {arm}, seed {seed}: {update.steps:,} of {config.steps:,} steps, {time_left(update)}")

        callbacks = [tell, limited(folder, float("inf"))]
        result = train(environment(agent, config), config, folder, resume=True, callbacks=callbacks)
    if result.finish is Finish.INTERRUPTED:
        raise KeyboardInterrupt
    return agent, Policy.load(folder), result.steps, spent(folder)


def run_one(
    task: str, arm: str, seed: int, runs: Path, *, steps: int | None = None, episodes: int = EPISODES
) -> Recorded:
    """Train and judge one run; ``steps`` in place of those of the arm."""
    if arm == SB3:
        from agentc.benchmarks.minigrid_sb3 import trained

        agent, begun = specified(task), time.process_time()
        actor: Actor = trained(agent, seed, steps or SB3_STEPS)
        made, seconds = steps or SB3_STEPS, time.process_time() - begun
    else:
        agent, actor, made, seconds = ours(task, arm, seed, runs / f"{task}_{arm}_{seed}_{digest(task)}", steps)
    count = solved(agent, actor, seed, episodes)
    return Recorded(task, arm, seed, count, episodes, made, round(seconds, 1), digest(task))


def missing(done: Sequence[Recorded], tasks: Sequence[str], seeds: int) -> list[tuple[str, str, int]]:
    """What is to be run: the spec for every seed, then the others once."""
    have = {(r.task, r.arm, r.seed) for r in done}
    wanted = [(t, SPEC, s) for s in range(min(seeds, SEEDS)) for t in tasks]
    wanted += [(t, arm, 0) for arm in ARMS[1:] for t in tasks if arm != SB3 or find_spec("stable_baselines3")]
    return [w for w in wanted if w not in have]


def run(tasks: Sequence[str] = (), seeds: int = 0, runs: Path = Path("runs"), path: Path = RECORDED) -> list[Row]:
    """Run what is missing of some tasks, record it, and return the rows of all."""
    for task, arm, seed in missing(read(path), tasks, seeds):
        found = run_one(task, arm, seed, runs)
        recording.append(path, found)
    return rows(read(path))


def rows(done: Sequence[Recorded]) -> list[Row]:
    """A row for each task and arm: the share of solved episodes over all seeds; the target is judged of every seed."""
    table = []
    for task in TASKS:
        for arm in ARMS:
            mine = sorted((r for r in done if (r.task, r.arm) == (task, arm)), key=lambda r: r.seed)
            number = sum(r.episodes for r in mine)
            share = sum(r.solved for r in mine) / number if mine else None
            target, holds = "", None
            if arm == SPEC:
                target = f">= {GOAL:g}, {SEEDS} seeds"
                low_enough = all(r.solved >= GOAL * r.episodes and r.steps <= GOAL_STEPS for r in mine)
                holds = low_enough if len(mine) == SEEDS or not low_enough else None
            note = _said(mine, share, number)
            table.append(Row(f"{task}: {arm}", share, None, "", None, "share", target, holds, note))
    return table


def _said(mine: Sequence[Recorded], share: float | None, number: int) -> str:
    if share is None:
        return "not run yet"
    low, high = wilson(share, number)
    each = ", ".join(f"{r.solved / r.episodes:.3f}" for r in mine)
    steps, seconds = max(r.steps for r in mine), max(r.training for r in mine)
    return f"[{low:.3f}, {high:.3f}] of {number}; by seed {each}; {steps:,} steps, at most {seconds:.0f} CPU s"
