"""Training speed at equal settings: ours and Stable-Baselines3 interleaved, learning included; and what a spec costs.

PPO with 8 environments, 128 steps a rollout, 4 epochs of 8 minibatches, two hidden layers of 64: on CartPole-v1, and on
the package's MiniGrid-DoorKey-6x6-v0 with the flattened image, where ours reads the image that our binding draws (the
same, tested). SAC on Pendulum-v1 with two hidden layers of 256, batches of 256, one update a step. One thread each.
Figures are of CPU time, which other work on the machine disturbs least. The last rows are the share that signals,
monitors and reward machines take of training as a spec says (:mod:`agentc.benchmarks.monitor_cost`). ``run`` is called
by ``agentc bench train``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentc.benchmarks.monitor_cost import share
from agentc.benchmarks.rows import Row, compared, interleaved
from agentc.runtime.cli.waiting import Waiting

if TYPE_CHECKING:
    import gymnasium

PPO_STEPS, SAC_UPDATES, GRID_STEPS = 8192, 600, 4096
GRID = "MiniGrid-DoorKey-6x6-v0"
MONITORED = (
    ("doorkey.agentspec", 8192, True, "on the package's environments"),
    ("doorkey.agentspec", 16384, False, "stepped at once"),
    ("cartpole.agentspec", 16384, True, "on Gymnasium's environments"),
)
"""Specs, for how many steps they are trained, whether on copies of the package's environments."""


def run(rounds: int = 7, data: Path | None = None) -> list[Row]:
    """All rows; without Stable-Baselines3 ours alone."""
    import torch

    torch.set_num_threads(1)
    peer = find_spec("stable_baselines3") is not None
    rows = []
    cases: list[tuple[str, Callable[[], float], Callable[[], float], str, float | None]] = [
        ("PPO on CartPole-v1, vector environment", ppo(native=True), sb3_ppo, "steps/s", 3.0),
        ("PPO on CartPole-v1, Gymnasium's environments", ppo(native=False), sb3_ppo, "steps/s", None),
        ("SAC on Pendulum-v1", sac, sb3_sac, "updates/s", 2.0),
    ]
    grids = find_spec("minigrid") is not None
    if grids:
        cases.insert(2, (f"PPO on the package's {GRID}", grid_ppo, sb3_grid_ppo, "steps/s", 2.0))
    with Waiting() as waiting:
        for number, (case, ours, theirs, unit, goal) in enumerate(cases):
            waiting(f"{case} ({number + 1} of {len(cases) + 1})")
            measured = interleaved([ours, theirs] if peer else [ours], rounds)
            rows.append(_row(case, measured, unit, goal))
        for spec, steps, copies, where in MONITORED if grids else MONITORED[2:]:
            waiting(f"what the spec costs in {spec} {where} ({len(cases) + 1} of {len(cases) + 1})")
            found = statistics.median(share(spec, steps, copies=copies) for _ in range(min(rounds, 3)))
            case = f"signals, monitors, reward of {spec} {where}"
            rows.append(Row(case, found, None, "", None, "of a run", "< 0.05", found < 0.05))
    return rows


def _row(case: str, measured: list[list[float]], unit: str, goal: float | None) -> Row:
    def holds(ratio: float) -> bool:
        return goal is None or ratio >= goal

    return compared(
        case,
        measured[0],
        measured[1] if len(measured) > 1 else None,
        peer_name="Stable-Baselines3",
        unit=unit,
        target="" if goal is None else f"ratio >= {goal:g}",
        holds=None if goal is None else holds,
        note="" if len(measured) > 1 else "stable_baselines3 is not installed",
    )


def ppo(*, native: bool) -> Callable[[], float]:
    """Environment steps per second of ours, learning included."""

    def measure() -> float:
        import gymnasium

        from agentc.runtime.envs.vector_classic import vector_env
        from agentc.runtime.learn.ppo import PPOConfig
        from agentc.runtime.learn.train import train
        from agentc.runtime.learn.vector import SyncVector

        make = lambda: gymnasium.make("CartPole-v1", disable_env_checker=True)
        env = vector_env("CartPole-v1", 8) if native else SyncVector([make] * 8)
        with tempfile.TemporaryDirectory() as folder:
            begun = time.process_time()
            train(env, PPOConfig(steps=PPO_STEPS, envs=8, checkpoint=1e9), Path(folder))
            return PPO_STEPS / (time.process_time() - begun)

    return measure


def sb3_ppo() -> float:
    """The same of Stable-Baselines3."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    model = PPO(
        "MlpPolicy", make_vec_env("CartPole-v1", 8), n_steps=128, batch_size=128, n_epochs=4, learning_rate=1e-3,
        ent_coef=0.01, device="cpu",
    )  # fmt: skip
    begun = time.process_time()
    model.learn(PPO_STEPS)
    return PPO_STEPS / (time.process_time() - begun)


def grid_ppo() -> float:
    """Environment steps per second of ours on MiniGrid, learning included."""
    from agentc.runtime.learn.ppo import PPOConfig
    from agentc.runtime.learn.train import train
    from agentc.runtime.learn.vector import SyncVector

    with tempfile.TemporaryDirectory() as folder:
        env = SyncVector([lambda: _flat(bound=True)] * 8)
        begun = time.process_time()
        train(env, PPOConfig(steps=GRID_STEPS, envs=8, checkpoint=1e9), Path(folder))
        return GRID_STEPS / (time.process_time() - begun)


def sb3_grid_ppo() -> float:
    """The same of Stable-Baselines3, on the package's own observations."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    model = PPO(
        "MlpPolicy", DummyVecEnv([lambda: _flat(bound=False)] * 8), n_steps=128, batch_size=128, n_epochs=4,
        learning_rate=1e-3, ent_coef=0.01, device="cpu",
    )  # fmt: skip
    begun = time.process_time()
    model.learn(GRID_STEPS)
    return GRID_STEPS / (time.process_time() - begun)


def _flat(*, bound: bool) -> gymnasium.Env[Any, Any]:
    """MiniGrid's image as 147 numbers; ``bound``: as our binding draws it."""
    import gymnasium
    import minigrid  # noqa: F401 - registers the environments
    import numpy as np
    from gymnasium.wrappers import TransformObservation

    from agentc.runtime.envs.minigrid import BINDING

    made = BINDING.make({"id": GRID, "max_steps": 360, "view": "partial"}) if bound else gymnasium.make(GRID)
    space = gymnasium.spaces.Box(0.0, 255.0, (147,), np.float32)
    return TransformObservation(made, lambda seen: seen["image"].reshape(-1).astype(np.float32), space)


def sac() -> float:
    """Gradient updates per second of ours, acting included."""
    from agentc.runtime.envs.vector_classic import vector_env
    from agentc.runtime.learn.off_policy_config import SACConfig
    from agentc.runtime.learn.train import train

    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        config = SACConfig(steps=SAC_UPDATES + 299, warmup=300, replay_size=10_000, checkpoint=1e9)
        train(vector_env("Pendulum-v1", 1), config, Path(folder))
        return SAC_UPDATES / (time.process_time() - begun)


def sb3_sac() -> float:
    """The same of Stable-Baselines3."""
    import gymnasium
    from stable_baselines3 import SAC

    model = SAC(
        "MlpPolicy",
        gymnasium.make("Pendulum-v1"),
        learning_starts=300,
        buffer_size=10_000,
        batch_size=256,
        device="cpu",
    )
    begun = time.process_time()
    model.learn(SAC_UPDATES + 300)
    return SAC_UPDATES / (time.process_time() - begun)
