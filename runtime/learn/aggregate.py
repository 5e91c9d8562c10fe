"""Several runs as one figure: the interquartile mean and its bootstrap interval.

Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (2021), section 4: the mean of
the middle half of the runs, and a percentile bootstrap over the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Aggregate:
    """The interquartile mean of ``runs`` figures, between ``lower`` and ``upper`` with ``confidence``."""

    mean: float
    lower: float
    upper: float
    runs: int
    confidence: float = 0.95

    def __str__(self) -> str:
        return f"{self.mean:.4g} [{self.lower:.4g}, {self.upper:.4g}]"


def interquartile_mean(figures: Sequence[float] | NDArray[np.float64]) -> float:
    """The mean of the middle half: a quarter of the weight is cut at each end, parts of figures included.

    Raises ``ValueError`` for none, or for figures that are not finite.
    """
    values = np.sort(np.asarray(figures, np.float64))
    n = len(values)
    if n == 0 or not np.isfinite(values).all():
        raise ValueError(f"no interquartile mean of {n} figures")
    # Every figure fills one of n cells; its weight is how much of its cell lies in the middle half.
    edges = np.arange(n + 1) / n
    weights = np.clip(np.minimum(edges[1:], 0.75) - np.maximum(edges[:-1], 0.25), 0.0, None)
    return float(weights @ values / weights.sum())


def aggregate(figures: Sequence[float], confidence: float = 0.95, seed: int = 0, resamples: int = 2000) -> Aggregate:
    """The interquartile mean with its percentile bootstrap interval. Raises as :func:`interquartile_mean`."""
    middle = interquartile_mean(figures)
    values, randomness = np.asarray(figures, np.float64), np.random.default_rng([seed, 6])
    drawn = [interquartile_mean(values[randomness.integers(len(values), size=len(values))]) for _ in range(resamples)]
    tail = (1.0 - confidence) / 2
    lower, upper = np.quantile(drawn, [tail, 1.0 - tail])
    return Aggregate(middle, float(lower), float(upper), len(values), confidence)
