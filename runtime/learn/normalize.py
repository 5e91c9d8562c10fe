"""Running normalisation of observations and rewards.

Moments are merged batch by batch (Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for
Computing Sample Variances", 1979). Rewards are divided by the running deviation of the discounted return,
not centred: that would change which policy is best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class RunningMoments:
    """Mean and variance of all rows seen, per column, in float64."""

    def __init__(self, size: int) -> None:
        self.count = 0.0
        self.mean = np.zeros(size)
        self.second = np.zeros(size)

    def update(self, rows: NDArray[np.floating]) -> None:
        """Take in ``(batch, size)``."""
        n = len(rows)
        mean = rows.mean(0, dtype=np.float64)
        second = np.square(rows - mean, dtype=np.float64).sum(0)
        total = self.count + n
        gap = mean - self.mean
        self.second += second + gap * gap * (self.count * n / total)
        self.mean += gap * (n / total)
        self.count = total

    @property
    def variance(self) -> NDArray[np.float64]:
        """The population variance; ones before anything was seen."""
        if self.count == 0:
            return np.ones_like(self.mean)
        return np.asarray(self.second / self.count)

    def state(self) -> dict[str, NDArray[np.float64]]:
        """As arrays, for a checkpoint."""
        return {"count": np.array([self.count]), "mean": self.mean, "second": self.second}

    def restore(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        if state["mean"].shape != self.mean.shape or state["second"].shape != self.second.shape:
            raise ValueError("moments of another size")
        self.count = float(state["count"][0])
        self.mean, self.second = state["mean"].copy(), state["second"].copy()


class RewardScale:
    """Divides rewards by the running standard deviation of the discounted return, clipped to ``[-10, 10]``."""

    def __init__(self, num_envs: int, discount: float) -> None:
        self.moments = RunningMoments(1)
        self._discount = discount
        self._returns = np.zeros(num_envs)

    def scale(self, rewards: NDArray[np.float32], ended: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Scaled rewards of a rollout ``(time, envs)``; its returns enter the statistics first."""
        returns = np.empty(rewards.shape)
        running = self._returns
        for t in range(len(rewards)):
            running = running * self._discount + rewards[t]
            returns[t] = running
            running = np.where(ended[t], 0.0, running)
        self._returns = running
        self.moments.update(returns.reshape(-1, 1))
        deviation = np.sqrt(self.moments.variance[0] + 1e-8)
        scaled: NDArray[np.float32] = np.clip(rewards / deviation, -10.0, 10.0).astype(np.float32)
        return scaled

    def state(self) -> dict[str, NDArray[np.float64]]:
        """The moments and the returns under way."""
        return {**self.moments.state(), "returns": self._returns}

    def restore(self, state: dict[str, NDArray[np.float64]]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        self.moments.restore(state)
        if state["returns"].shape != self._returns.shape:
            raise ValueError("returns of another number of environments")
        self._returns = state["returns"].copy()
