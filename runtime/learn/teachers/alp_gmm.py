"""Tasks where the learner's return is changing: absolute learning progress and Gaussian mixtures.

Portelas et al., "Teacher Algorithms for Curriculum Learning of Deep RL in Continuously Parameterized Environments"
(2019), algorithm 1: the progress of a task is the distance of its return from that of the nearest earlier task;
every ``fit_every`` episodes Gaussian mixtures of several sizes are fitted to the last of (task, progress), the best by
Akaike's criterion is kept, a component is drawn in proportion to its mean progress and a task from it; a share
``random`` of tasks is uniform.

Deviations: expectation-maximisation with 20 iterations from seeded rows; 2 to 6 components.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.clustering import distant_rows
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.vector import Array

Floats = NDArray[np.float64]
SIZES = (2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class Mixture:
    """A Gaussian mixture: ``weights`` ``(k,)``, ``means`` ``(k, d)``, ``covariances`` ``(k, d, d)``."""

    weights: Floats
    means: Floats
    covariances: Floats

    def log_densities(self, rows: Floats) -> Floats:
        """Of every row under every weighted component, ``(n, k)``."""
        found = []
        for weight, mean, covariance in zip(self.weights, self.means, self.covariances, strict=True):
            factor = np.linalg.cholesky(covariance)
            scaled = np.linalg.solve(factor, (rows - mean).T)
            size = 0.5 * (scaled**2).sum(0) + np.log(np.diag(factor)).sum()
            found.append(math.log(max(float(weight), 1e-300)) - size - 0.5 * len(mean) * math.log(2 * math.pi))
        return np.stack(found, axis=1)


def fit(rows: Floats, size: int, randomness: np.random.Generator, iterations: int = 20) -> tuple[Mixture, float]:
    """A mixture of ``size`` components by expectation-maximisation, and Akaike's criterion (less is better)."""
    d = rows.shape[1]
    ridge = 1e-6 * np.eye(d)
    spread = np.cov(rows.T).reshape(d, d) + ridge
    means = distant_rows(rows, size, randomness)
    mixture = Mixture(np.full(size, 1.0 / size), means, np.repeat(spread[None] / size**2, size, axis=0))
    for _ in range(iterations):
        logs = mixture.log_densities(rows)
        top = logs.max(axis=1, keepdims=True)
        share = np.exp(logs - top)
        share /= share.sum(axis=1, keepdims=True)
        counts = share.sum(axis=0) + 1e-10
        means = (share.T @ rows) / counts[:, None]
        covariances = np.empty((size, d, d))
        for k in range(size):
            gap = rows - means[k]
            covariances[k] = (share[:, k, None] * gap).T @ gap / counts[k] + ridge
        mixture = Mixture(counts / counts.sum(), means, covariances)
    logs = mixture.log_densities(rows)
    top = logs.max(axis=1)
    likelihood = float((top + np.log(np.exp(logs - top[:, None]).sum(axis=1))).sum())
    free = size * (d + d * (d + 1) / 2) + size - 1
    return mixture, 2 * free - 2 * likelihood


class ALPGMM:
    """The teacher; tasks are scaled to [0, 1] for distances and fits."""

    def __init__(self, low: Array, high: Array, fit_every: int = 250, random: float = 0.2) -> None:
        self._low, self._high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        self._fit_every, self._random = fit_every, random
        self._tasks: list[Floats] = []
        self._returns: list[float] = []
        self._progress: list[float] = []
        self._mixture: Mixture | None = None
        self._fitted = 0

    def propose(self, taken: int, randomness: np.random.Generator) -> Array:
        """Uniform for the first ``fit_every`` episodes and a share of the rest, else where there is progress."""
        waiting = len(self._tasks) - self._fitted
        if waiting >= self._fit_every:
            recent = slice(-self._fit_every, None)
            rows = np.column_stack([np.array(self._tasks[recent]), np.array(self._progress[recent])])
            fits = [fit(rows, size, randomness) for size in SIZES]
            self._mixture = min(fits, key=lambda found: found[1])[0]
            self._fitted = len(self._tasks)
        if self._mixture is None or randomness.random() < self._random:
            return randomness.uniform(self._low, self._high)
        progress = np.maximum(self._mixture.means[:, -1], 0.0)
        chance = progress / progress.sum() if progress.sum() > 0.0 else np.full(len(progress), 1.0 / len(progress))
        k = int(randomness.choice(len(chance), p=chance))
        drawn = randomness.multivariate_normal(self._mixture.means[k], self._mixture.covariances[k], method="cholesky")
        scaled: Array = self._low + np.clip(drawn[:-1], 0.0, 1.0) * (self._high - self._low)
        return scaled

    def learn(self, task: Array, outcome: float) -> None:
        """Note a task with its return and progress."""
        scaled = (np.asarray(task, np.float64) - self._low) / (self._high - self._low)
        progress = 0.0
        if self._tasks:
            gaps = np.square(np.array(self._tasks) - scaled).sum(axis=1)
            progress = abs(outcome - self._returns[int(np.argmin(gaps))])
        self._tasks.append(scaled)
        self._returns.append(outcome)
        self._progress.append(progress)

    def state(self) -> dict[str, Array]:
        """Tasks, returns, progress, and the mixture."""
        state: dict[str, Array] = {
            "tasks": np.array(self._tasks).reshape(len(self._tasks), len(self._low)),
            "returns": np.array(self._returns),
            "progress": np.array(self._progress),
            "fitted": np.array([self._fitted]),
        }
        if self._mixture is not None:
            m = self._mixture
            state |= {"weights": m.weights, "means": m.means, "covariances": m.covariances}
        return state

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        self._tasks = list(state["tasks"])
        self._returns, self._progress = state["returns"].tolist(), state["progress"].tolist()
        self._fitted = int(state["fitted"][0])
        if "weights" in state:
            self._mixture = Mixture(state["weights"], state["means"], state["covariances"])
