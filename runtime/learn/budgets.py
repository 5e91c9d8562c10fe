"""Expected-cost budgets (``budget c <= d``): multipliers under feedback control, and the reward that they make.

Stooke, Achiam and Abbeel, "Responsive Safety in Reinforcement Learning by PID Lagrangian Methods" (ICML 2020),
algorithms 1 and 2: before each update the multiplier of a cost becomes ``relu(kp * e + ki * I + kd * D)``, where ``e``
is the cost of an episode less the limit, ``I`` the sum of all ``e`` so far, never below 0, and ``D`` the rise of the
cost since the update before, never below 0. Learning then sees ``(r - sum(m * c)) / (1 + sum(m))``: their
rescaling, which keeps the size of the objective whatever the multipliers are.

The cost of an episode is the mean, undiscounted sum over the episodes that ended in the rollout. Deviations: one critic
values the charged reward, where the paper has one for rewards and one for costs; a rollout in which no episode ended
leaves the multipliers as they are; costs under several budgets are charged side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array


@dataclass(frozen=True, slots=True)
class Gains:
    """How a multiplier answers: to the present excess, to the sum of excesses, to the rise of the cost."""

    kp: float
    ki: float
    kd: float


def gains_of(config: TrainingConfig) -> Gains | None:
    """The gains among the settings, None where an algorithm has none."""
    if not hasattr(config, "budget_kp"):
        return None
    return Gains(config.budget_kp, config.budget_ki, config.budget_kd)  # type: ignore[attr-defined]


class Multiplier:
    """The multiplier of one cost whose ``limit`` is per episode."""

    def __init__(self, limit: float, gains: Gains) -> None:
        self.limit, self._gains = limit, gains
        self.value = self._integral = 0.0
        self.cost: float | None = None
        """The latest cost of an episode."""

    def observe(self, cost: float) -> None:
        """Episodes have cost ``cost`` on average."""
        excess = cost - self.limit
        rise = 0.0 if self.cost is None else max(0.0, cost - self.cost)
        self._integral = max(0.0, self._integral + excess)
        self.cost = cost
        g = self._gains
        self.value = max(0.0, g.kp * excess + g.ki * self._integral + g.kd * rise)

    def state(self) -> Array:
        """Multiplier, sum of excesses and latest cost, float64 ``(3,)``."""
        return np.array([self.value, self._integral, np.nan if self.cost is None else self.cost])

    def restore(self, state: Array) -> None:
        """Back from :meth:`state`."""
        self.value, self._integral, cost = state.tolist()
        self.cost = None if np.isnan(cost) else cost


class Budgets:
    """The multipliers of all budgets, and the costs of the episodes under way in N environments."""

    def __init__(self, limits: Mapping[str, float], gains: Gains, num_envs: int) -> None:
        self.multipliers = {name: Multiplier(limit, gains) for name, limit in limits.items()}
        self._running = {name: np.zeros(num_envs) for name in limits}

    def observe(self, trajectory: Trajectory) -> None:
        """Move the multipliers by the episodes that ended in ``trajectory``. Raises ``KeyError`` for a missing cost."""
        ended = trajectory.ended
        for name, multiplier in self.multipliers.items():
            running, done = self._running[name], []
            for t, charged in enumerate(trajectory.costs[name]):
                running += charged
                done += running[ended[t]].tolist()
                running[ended[t]] = 0.0
            if done:
                multiplier.observe(float(np.mean(done)))

    def charged(self, rewards: NDArray[np.float32], trajectory: Trajectory) -> NDArray[np.float32]:
        """The rewards ``(T, N)`` with costs charged."""
        total = sum(m.value for m in self.multipliers.values())
        paid = rewards.astype(np.float64)
        for name, multiplier in self.multipliers.items():
            paid -= multiplier.value * trajectory.costs[name]
        return (paid / (1.0 + total)).astype(np.float32)

    def figures(self) -> dict[str, float]:
        """For the log: ``multiplier/NAME``, and ``cost/NAME``, the latest mean of an episode, once one has ended."""
        found = {f"multiplier/{name}": m.value for name, m in self.multipliers.items()}
        return found | {f"cost/{name}": m.cost for name, m in self.multipliers.items() if m.cost is not None}

    def anew(self) -> None:
        """New episodes have begun everywhere."""
        for running in self._running.values():
            running[:] = 0.0

    def state(self) -> dict[str, Array]:
        """Multipliers and running costs by name."""
        state = {f"multiplier/{name}": m.state() for name, m in self.multipliers.items()}
        return state | {f"running/{name}": a.copy() for name, a in self._running.items()}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` for that of other budgets."""
        for name, multiplier in self.multipliers.items():
            multiplier.restore(state[f"multiplier/{name}"])
            self._running[name][:] = state[f"running/{name}"]
