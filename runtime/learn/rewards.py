"""M2 monitor, learner's side: the rewards that learning sees, from those that the spec pays.

The spec's reward (``runtime/reward.py``) arrives in the trajectory. Here it is scaled and a bonus is added; what is
reported stays the reward itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.configuration import CollectingConfig, TrainingConfig
from agentc.runtime.learn.normalize import RewardScale
from agentc.runtime.learn.novelty import Novelty
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array


class LearningReward:
    """Scaled by the running deviation of the return, then the bonus for what is new; each where it is asked for."""

    def __init__(self, config: TrainingConfig, num_envs: int) -> None:
        collecting = config if isinstance(config, CollectingConfig) else None
        novelty = 0.0 if collecting is None else collecting.novelty
        self._scales = collecting is not None and collecting.normalize_rewards
        self._scale = RewardScale(num_envs, config.discount)
        self._explores, self._novelty = novelty > 0.0, Novelty(novelty)

    def rewards(self, trajectory: Trajectory, rewards: NDArray[np.float32]) -> NDArray[np.float32]:
        """The rewards ``(T, N)`` that learning sees."""
        if self._scales:
            rewards = self._scale.scale(rewards, trajectory.ended)
        if self._explores:
            rewards = rewards + self._novelty.bonus(trajectory)
        return rewards

    def state(self) -> dict[str, Array]:
        """The statistics and the counts."""
        scale = {f"rewards/{k}": a for k, a in self._scale.state().items()}
        return scale | {f"novelty/{k}": a for k, a in self._novelty.state().items()}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        self._scale.restore({k[8:]: a for k, a in state.items() if k.startswith("rewards/")})
        self._novelty.restore({k[8:]: a for k, a in state.items() if k.startswith("novelty/")})
