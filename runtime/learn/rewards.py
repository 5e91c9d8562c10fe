"""M2 monitor, learner's side: the rewards that learning sees, from those that the spec pays.

The spec's reward (``runtime/reward.py``) arrives in the trajectory. Here it is scaled and a bonus is added; what is
reported stays the reward itself. Costs are followed beside it (:mod:`agentc.runtime.learn.budgets`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.budgets import Budgets, gains_of
from agentc.runtime.learn.configuration import CollectingConfig, TrainingConfig
from agentc.runtime.learn.normalize import RewardScale
from agentc.runtime.learn.novelty import Novelty
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.trajectory import Budget, Trajectory
from agentc.runtime.learn.vector import Array


class LearningReward:
    """Scaled by the running deviation of the return, the bonus for what is new, costs; each where it is asked for."""

    def __init__(
        self, config: TrainingConfig, num_envs: int, budgets: Mapping[str, float] | None = None
    ) -> None:
        """``budgets`` are the limits of the costs, by name; they are kept where the settings have gains for them."""
        collecting = config if isinstance(config, CollectingConfig) else None
        novelty = 0.0 if collecting is None else collecting.novelty
        self._scales = collecting is not None and collecting.normalize_rewards
        self._scale = RewardScale(num_envs, config.discount)
        self._explores, self._novelty = novelty > 0.0, Novelty(novelty)
        gains = gains_of(config)
        self._budgets = Budgets(budgets, gains, num_envs, config.rollout) if budgets and gains is not None else None

    def rewards(self, trajectory: Trajectory, rewards: NDArray[np.float32]) -> NDArray[np.float32]:
        """The rewards ``(T, N)`` that learning sees."""
        if self._scales:
            rewards = self._scale.scale(rewards, trajectory.ended)
        if self._explores:
            rewards = rewards + self._novelty.bonus(trajectory)
        return rewards

    def budgets(self, trajectory: Trajectory) -> dict[str, Budget]:
        """How the budgets stand after a trajectory."""
        if self._budgets is None:
            return {}
        self._budgets.observe(trajectory)
        return self._budgets.standing()

    def figures(self) -> dict[str, float]:
        """The multipliers, and what the last episodes cost, for the log."""
        return {} if self._budgets is None else self._budgets.figures()

    def anew(self) -> None:
        """The episodes under way have been left, and new ones begun."""
        if self._budgets is not None:
            self._budgets.anew()

    def state(self) -> dict[str, Array]:
        """The statistics and the counts."""
        scale = {f"rewards/{k}": a for k, a in self._scale.state().items()}
        budgets = {} if self._budgets is None else self._budgets.state()
        novelty = {f"novelty/{k}": a for k, a in self._novelty.state().items()}
        return scale | novelty | {f"budgets/{k}": a for k, a in budgets.items()}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        self._scale.restore({k[8:]: a for k, a in state.items() if k.startswith("rewards/")})
        self._novelty.restore({k[8:]: a for k, a in state.items() if k.startswith("novelty/")})
        if self._budgets is not None:
            self._budgets.restore({k[8:]: a for k, a in state.items() if k.startswith("budgets/")})
