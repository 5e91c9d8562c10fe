"""Searches of the unit cube for a point of least value, by batches.

The cross-entropy of Rubinstein and Kroese ("The Cross-Entropy Method", 2004), and CMA-ES (Hansen, "The CMA Evolution
Strategy: A Tutorial", 2016, by the package ``cmaes``) where there are at most :data:`CMA` numbers to choose.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CMA = 40


class Optimizer(Protocol):
    """Proposes points and is told their values."""

    def ask(self, rng: np.random.Generator, best: Floats | None) -> Floats:
        """Points ``(batch, size)``; ``best`` is the best so far."""
        ...

    def tell(self, points: Floats, values: Floats) -> None:
        """The values ``(batch,)`` of points, these or others."""
        ...


class CrossEntropy:
    """A normal distribution that moves to the best tenth."""

    def __init__(self, size: int, batch: int) -> None:
        self._mean, self._spread, self._batch = np.full(size, 0.5), np.full(size, 0.3), batch

    def ask(self, rng: np.random.Generator, best: Floats | None) -> Floats:
        """Points of the distribution, a quarter of them near the best."""
        points = np.clip(rng.normal(self._mean, self._spread, (self._batch, len(self._mean))), 0, 1)
        if best is not None:
            near = self._batch // 4
            points[:near] = np.clip(rng.normal(best, 0.5 * self._spread, (near, len(best))), 0, 1)
        return points

    def tell(self, points: Floats, values: Floats) -> None:
        """Move to the best."""
        elite = points[np.argsort(values)[: max(4, len(points) // 10)]]
        self._mean = 0.3 * self._mean + 0.7 * elite.mean(axis=0)
        self._spread = np.maximum(0.3 * self._spread + 0.7 * elite.std(axis=0), 0.01)


class Cma:
    """CMA-ES over the unit cube."""

    def __init__(self, size: int, seed: int, batch: int) -> None:
        from cmaes import CMA as Made  # type: ignore[import-untyped]

        self._size, self._class, self._count = size, Made, max(4, batch // 2)
        self._seed = seed
        self._inner = self._fresh()

    def _fresh(self, mean: Floats | None = None) -> object:
        bounds = np.tile([0.0, 1.0], (self._size, 1))
        start = np.full(self._size, 0.5) if mean is None else mean
        self._seed += 1
        return self._class(mean=start, sigma=0.3, bounds=bounds, seed=self._seed % 2**31, population_size=self._count)

    def ask(self, rng: np.random.Generator, best: Floats | None) -> Floats:
        """A generation; after convergence a fresh one around the best."""
        inner = self._inner
        if inner.should_stop():  # type: ignore[attr-defined]
            self._inner = inner = self._fresh(best)
        return np.stack([inner.ask() for _ in range(self._count)])  # type: ignore[attr-defined]

    def tell(self, points: Floats, values: Floats) -> None:
        """Learn from a generation; points of another number are not its own."""
        if len(points) == self._count:
            self._inner.tell([(p, float(v)) for p, v in zip(points, values, strict=True)])  # type: ignore[attr-defined]


def optimizer_of(size: int, seed: int, batch: int, search: str = "auto") -> Optimizer:
    """The one of that name; ``auto`` is CMA-ES where it is installed and numbers are few, else the cross-entropy."""
    if search == "bayesian":
        from agentc.runtime.verify.bayesian import Bayesian

        return Bayesian(size)
    if 2 <= size <= CMA:
        try:
            return Cma(size, seed, batch)
        except ImportError:
            pass
    return CrossEntropy(size, batch)
