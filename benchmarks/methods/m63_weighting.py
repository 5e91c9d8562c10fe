"""Method 63: recorded episodes are drawn by how good they were, before any offline learner.

Hong et al., "Harnessing Mixed Offline Reinforcement Learning Datasets via Trajectory Weighting" (2023, arXiv
2306.13085): sampling weights are the softmax of return or advantage over alpha = 0.1, scaled to [0, 1]. Here: a
pendulum in place of D4RL, one episode in ten of a controller that swings it up, the others of random torques.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.benchmarks.methods.experiment import Arm, Experiment
from agentc.benchmarks.methods.training import agent_of, trained

SPEC = "methods/63_weighting.agentspec"
STEPS = 3_000
EPISODES, GOOD = 40, 4


class Mixed:
    """Swings up in every tenth episode, else moves at random; an episode has 200 steps."""

    def __init__(self) -> None:
        self._steps = 0

    def act(self, observation: Any, mask: Any, randomness: np.random.Generator | None) -> NDArray[np.float32]:
        """A torque ``(1, 1)``."""
        assert randomness is not None
        episode, self._steps = self._steps // 200, self._steps + 1
        if episode % (EPISODES // GOOD):
            return randomness.uniform(-2.0, 2.0, (1, 1)).astype(np.float32)
        cosine, sine, speed = (float(x) for x in np.ravel(observation["observation"])[:3])
        return np.array([[swing(cosine, sine, speed) + 0.3 * randomness.normal()]], np.float32).clip(-2.0, 2.0)


def swing(cosine: float, sine: float, speed: float) -> float:
    """A torque that pumps energy until the pendulum is up, and holds it there (Gymnasium's constants: m = l = 1)."""
    if cosine > 0.9 and abs(speed) < 3.0:
        return -12.0 * sine - 3.0 * speed
    energy = speed * speed / 6.0 + 5.0 * cosine
    return 2.0 * float(np.sign(speed if speed != 0.0 else 1.0)) * float(np.sign(5.0 - energy))


def run(seed: int, folder: Path, **settings: Any) -> Mapping[str, float]:
    """Learn from the recordings of a seed; the mean return of 10 fresh episodes."""
    from agentc.runtime.evaluate import run_episodes
    from agentc.runtime.learn.demonstrations.recording import record
    from agentc.runtime.learn.policy import Policy
    from agentc.runtime.spec_env import SpecEnv

    agent = agent_of(SPEC)
    make = partial(SpecEnv.make, agent)
    data = folder / "mixed.safetensors"
    record(make, Mixed(), EPISODES, 500 + seed, data)
    trained(agent, folder, seed, STEPS, data=str(data), **settings)
    found = run_episodes(make, Policy.load(folder), 10, 0, deterministic=True)
    return {"return": float(np.mean([episode.total_reward for episode in found]))}


EXPERIMENT = Experiment(
    number=63,
    title="Trajectory weighting of mixed data",
    source="Hong et al., 2023 (arXiv 2306.13085)",
    spec=SPEC,
    removed="the weights of episodes (M9): all are drawn alike",
    metric="return",
    better="higher",
    steps=STEPS,
    seeds=(0, 1, 2),
    arms=(
        Arm("IQL", lambda seed, folder: run(seed, folder, weighting="uniform"), "episodes drawn alike"),
        Arm(
            "IQL by advantage",
            lambda seed, folder: run(seed, folder, weighting="advantage"),
            "softmax of the return above what the first observation lets expect",
        ),
        Arm("IQL by return", lambda seed, folder: run(seed, folder), "softmax of the return"),
    ),
    paired=True,
    notes="Steps are gradient steps. The recordings of a seed are the same in every arm: 40 episodes, 4 of them good. "
    "A step with the pendulum up pays 0.01; 200 steps an episode.",
)
