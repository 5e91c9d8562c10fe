"""Environment steps per second of MiniGrid: the vectorised port and the package, interleaved.

Random actions, observations read after every step, ended episodes begun anew; one thread, CPU time. The port steps
1,024 environments at once. ``anew`` draws every beginning as the package does, by the package's own code; ``pool`` lets
episodes begin in one of 256 beginnings that were drawn before the clock starts. ``run`` is called by ``agentc bench
minigrid``; that both do the same is tested in ``tests/runtime/envs/test_minigrid_batch.py``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agentc.benchmarks.rows import Row, interleaved

TASKS = (
    "MiniGrid-DoorKey-6x6-v0",
    "MiniGrid-MultiRoom-N4-S5-v0",
    "MiniGrid-LockedRoom-v0",
    "MiniGrid-ObstructedMaze-2Dlh-v0",
)
ENVS, ROUND, PACKAGE_STEPS, POOL = 1024, 100, 3000, 256
GOAL = 500_000


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows: for every task the port with a pool of beginnings and with beginnings drawn anew."""
    rows = []
    for name in TASKS:
        pooled, anew, package = interleaved([port(name, POOL), port(name, 0), package_steps(name)], rounds)
        for case, ours, goal in ((f"{name}, pool", pooled, GOAL), (f"{name}, anew", anew, None)):
            mine, theirs = statistics.median(ours), statistics.median(package)
            ratio = statistics.median(a / b for a, b in zip(ours, package, strict=True))
            target = "" if goal is None else f"ours >= {goal:,}"
            holds = None if goal is None else mine >= goal
            rows.append(Row(case, mine, theirs, "minigrid", ratio, "steps/s", target, holds))
    return rows


def port(name: str, pool: int) -> Callable[[], float]:
    """Measures the port: environment steps per second of CPU time."""
    from agentc.runtime.envs.minigrid import BINDING
    from agentc.runtime.envs.minigrid_batch import GridWorld

    world = GridWorld(BINDING.make({"id": name, "max_steps": 250, "view": "partial"}), ENVS, pool=pool)
    world.reset(np.ones(ENVS, np.bool_), range(ENVS))
    rng = np.random.default_rng(0)
    # episodes at different ages, as they are in training: otherwise all begin anew on the same step
    for _ in range(250):
        _, terminated, truncated = world.step(rng.integers(7, size=ENVS))
        world.reset(terminated | truncated | (rng.random(ENVS) < 0.004))

    def measure() -> float:
        actions = rng.integers(7, size=(ROUND, ENVS))
        begun = time.process_time()
        for chosen in actions:
            _, terminated, truncated = world.step(chosen)
            world.observation()
            ended = terminated | truncated
            if ended.any():
                world.reset(ended)
        return ROUND * ENVS / (time.process_time() - begun)

    return measure


def package_steps(name: str) -> Callable[[], float]:
    """Measures the package as it comes."""
    import gymnasium

    env = gymnasium.make(name, max_steps=250, disable_env_checker=True)
    env.reset(seed=0)
    rng = np.random.default_rng(0)

    def measure() -> float:
        actions = rng.integers(7, size=PACKAGE_STEPS).tolist()
        begun = time.process_time()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        return PACKAGE_STEPS / (time.process_time() - begun)

    return measure
