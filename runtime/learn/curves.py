"""Learning curves as the papers on reward machines draw them.

Toro Icarte et al. (JAIR 73, 2022, section 6): of every episode the reward per step, divided by what the optimal
policy of its task earns per step; the curve is the mean over the last episodes, read every so many steps. Runs are
summarised by the interquartile mean with a stratified-bootstrap interval (Agarwal et al., NeurIPS 2021).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class EpisodeRates:
    """The mean normalised reward per step of the last ``window`` episodes, for each of N runs."""

    def __init__(self, runs: int, window: int) -> None:
        self._rates = np.full((runs, window), np.nan)
        self._count = np.zeros(runs, np.int64)

    def add(self, ended: NDArray[np.bool_], returns: Floats, lengths: NDArray[np.int64], optimum: Floats) -> None:
        """Episodes that ended in the runs of ``ended``; ``optimum`` ``(N,)`` is what is earned per step at best."""
        rows = np.flatnonzero(ended)
        slots = self._count[rows] % self._rates.shape[1]
        self._rates[rows, slots] = returns[rows] / lengths[rows] / optimum[rows]
        self._count[rows] += 1

    def read(self) -> Floats:
        """The means ``(N,)``, 0 before the first episode has ended."""
        known = np.minimum(self._count, self._rates.shape[1])
        return np.asarray(np.nansum(self._rates, axis=1) / np.maximum(known, 1))


def interquartile_mean(values: Floats) -> float:
    """The mean of the middle half of the runs; a run on the border counts in part."""
    x = np.sort(np.asarray(values, np.float64))
    n = len(x)
    edges = np.linspace(0.0, 1.0, n + 1)
    weight = np.clip(np.minimum(edges[1:], 0.75) - np.maximum(edges[:-1], 0.25), 0.0, None)
    return float((x * weight).sum() / weight.sum())


def bootstrap_interval(
    values: Floats, seed: int = 0, resamples: int = 2000, confidence: float = 0.95
) -> tuple[float, float]:
    """The percentile bootstrap interval of the interquartile mean over runs."""
    x = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).integers(len(x), size=(resamples, len(x)))
    means = [interquartile_mean(x[row]) for row in draws]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
