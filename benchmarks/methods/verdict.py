"""From the figures of two arms to a verdict, by the bootstrap interval of their difference.

Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (2021): interquartile means over
runs, percentile bootstrap. The *gain* is how much better the method's arm is than the control's, positive where the
published direction holds. Unpaired, it is the difference of the two interquartile means and each arm is resampled by
itself; paired, it is the interquartile mean of the differences seed by seed, and seeds are resampled.

With few seeds such an interval is too narrow: three pairs of arms that do not differ agree in sign once in four times,
and are then told apart. :func:`chance` says how often that happens with a number of seeds, and the page prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.aggregate import Aggregate, aggregate, interquartile_mean


class Verdict(Enum):
    """What the figures say of the published direction, with its sentence."""

    REPRODUCED = "direction reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"

    @property
    def sentence(self) -> str:
        """What the verdict means."""
        return {
            Verdict.REPRODUCED: "the method's arm is better, and the whole interval of the gain is above zero",
            Verdict.NOT_REPRODUCED: "no part of the interval of the gain is above zero: no better, or worse",
            Verdict.INCONCLUSIVE: "the interval of the gain has zero inside",
        }[self]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The gain of the method over the control with its interval, and the verdict."""

    gain: Aggregate
    verdict: Verdict


def compare(
    method: Sequence[float], control: Sequence[float], better: Literal["higher", "lower"], *, paired: bool = False
) -> Comparison:
    """Compare two arms by their figures, one a seed (in the order of the seeds where ``paired``).

    Raises ``ValueError`` for none, for figures that are not finite, and for pairs of unequal number.
    """
    sign = 1.0 if better == "higher" else -1.0
    ours, theirs = sign * np.asarray(method, np.float64), sign * np.asarray(control, np.float64)
    if paired:
        if len(ours) != len(theirs):
            raise ValueError(f"{len(ours)} and {len(theirs)} figures are no pairs")
        gain = aggregate((ours - theirs).tolist())
    else:
        gain = _difference(ours, theirs)
    return Comparison(gain, judge(gain.lower, gain.upper))


def judge(lower: float, upper: float) -> Verdict:
    """The verdict of an interval of the gain."""
    if lower > 0.0:
        return Verdict.REPRODUCED
    return Verdict.NOT_REPRODUCED if upper <= 0.0 else Verdict.INCONCLUSIVE


def _difference(
    ours: NDArray[np.float64], theirs: NDArray[np.float64], confidence: float = 0.95, resamples: int = 2000
) -> Aggregate:
    middle = interquartile_mean(ours) - interquartile_mean(theirs)
    randomness = np.random.default_rng([0, 9])
    drawn = _means(_resampled(ours, resamples, randomness)) - _means(_resampled(theirs, resamples, randomness))
    tail = (1.0 - confidence) / 2
    lower, upper = np.quantile(drawn, [tail, 1.0 - tail])
    return Aggregate(middle, float(lower), float(upper), len(ours), confidence)


def _resampled(figures: NDArray[np.float64], resamples: int, randomness: np.random.Generator) -> NDArray[np.float64]:
    drawn: NDArray[np.float64] = figures[randomness.integers(len(figures), size=(resamples, len(figures)))]
    return drawn


def _means(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The interquartile mean of every row ``(n, runs)``, as :func:`interquartile_mean` weighs it."""
    count = rows.shape[1]
    edges = np.arange(count + 1) / count
    weights = np.clip(np.minimum(edges[1:], 0.75) - np.maximum(edges[:-1], 0.25), 0.0, None)
    means: NDArray[np.float64] = np.sort(rows, axis=1) @ (weights / weights.sum())
    return means


@cache
def chance(seeds: int, *, paired: bool, trials: int = 1000) -> float:
    """How often two arms that do not differ are told apart, in either direction: simulated, normal figures."""
    randomness = np.random.default_rng([seeds, 10])
    told = 0
    for ours, theirs in randomness.standard_normal((trials, 2, seeds)):
        if paired:
            drawn = _means(_resampled(ours - theirs, 500, randomness))
        else:
            drawn = _means(_resampled(ours, 500, randomness)) - _means(_resampled(theirs, 500, randomness))
        lower, upper = np.quantile(drawn, [0.025, 0.975])
        told += judge(float(lower), float(upper)) is not Verdict.INCONCLUSIVE
    return told / trials
