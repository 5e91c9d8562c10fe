"""Expected-cost budgets (``budget c <= d``): what episodes cost, and multipliers under feedback control.

Stooke, Achiam and Abbeel, "Responsive Safety in Reinforcement Learning by PID Lagrangian Methods" (ICML 2020),
algorithm 2: the multiplier of a cost becomes ``relu(kp * e + ki * I + kd * D)``, where ``e`` is the cost of an episode
less the limit, ``I`` the sum of all ``e`` so far, never below 0, and ``D`` the rise of the cost since the update
before, never below 0. What a learner makes of a multiplier is its own: ``train ppo`` weighs advantages of costs and of
rewards with it (:mod:`agentc.runtime.learn.objectives.costs`), ``train sac`` the critics.

The cost of an episode is the mean, undiscounted sum over the episodes that ended in ``rollout`` steps of each
environment. Deviations: where no episode ended, the multipliers stay until one does; costs under several budgets have
a multiplier each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.trajectory import Budget, Trajectory
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

    def __init__(self, limits: Mapping[str, float], gains: Gains, num_envs: int, every: int = 1) -> None:
        """Multipliers move ``every`` so many steps of each environment, by the episodes that have ended since."""
        self.multipliers = {name: Multiplier(limit, gains) for name, limit in limits.items()}
        self._every = every
        self._running = {name: np.zeros(num_envs) for name in limits}
        self._lengths = np.zeros(num_envs)
        self._ended = {name: 0.0 for name in limits}
        self._steps = self._count = self._since = 0.0
        self._length = 0.0

    def observe(self, trajectory: Trajectory) -> None:
        """Take in the episodes of ``trajectory``, and move the multipliers if it is time.

        Raises ``KeyError`` for a missing cost.
        """
        ended = trajectory.ended
        for t in range(trajectory.steps):
            over = ended[t]
            self._lengths += 1
            for name, running in self._running.items():
                running += trajectory.costs[name][t]
                self._ended[name] += float(running[over].sum())
                running[over] = 0.0
            self._steps += float(self._lengths[over].sum())
            self._count += float(over.sum())
            self._lengths[over] = 0.0
        self._since += trajectory.steps
        if self._since < self._every or not self._count:
            return
        for name, multiplier in self.multipliers.items():
            multiplier.observe(self._ended[name] / self._count)
            self._ended[name] = 0.0
        self._length = self._steps / self._count
        self._steps = self._count = self._since = 0.0

    def standing(self) -> dict[str, Budget]:
        """How each budget stands."""
        return {
            name: Budget(m.value, None if m.cost is None else m.cost - m.limit, self._length)
            for name, m in self.multipliers.items()
        }

    def figures(self) -> dict[str, float]:
        """For the log: ``multiplier/NAME``, and ``cost/NAME``, the latest mean of an episode, once one has ended."""
        found = {f"multiplier/{name}": m.value for name, m in self.multipliers.items()}
        return found | {f"cost/{name}": m.cost for name, m in self.multipliers.items() if m.cost is not None}

    def anew(self) -> None:
        """New episodes have begun everywhere."""
        for running in (*self._running.values(), self._lengths):
            running[:] = 0.0

    def state(self) -> dict[str, Array]:
        """Multipliers, the episodes under way, and those that have ended since the multipliers moved."""
        state = {f"multiplier/{name}": m.state() for name, m in self.multipliers.items()}
        state |= {f"running/{name}": a.copy() for name, a in self._running.items()}
        ended = [self._steps, self._count, self._since, self._length, *self._ended.values()]
        return {**state, "lengths": self._lengths.copy(), "ended": np.array(ended)}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` for that of other budgets."""
        for name, multiplier in self.multipliers.items():
            multiplier.restore(state[f"multiplier/{name}"])
            self._running[name][:] = state[f"running/{name}"]
        self._lengths[:] = state["lengths"]
        self._steps, self._count, self._since, self._length, *ended = state["ended"].tolist()
        self._ended = dict(zip(self._ended, ended, strict=True))
