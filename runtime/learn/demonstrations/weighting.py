"""Trajectory weighting: which recorded episodes are drawn more often.

Hong et al., "Harnessing Mixed Offline Reinforcement Learning Datasets via Trajectory Weighting" (2023), section 4:
rows are drawn with probabilities in proportion to ``softmax(G / alpha)`` of their episode, ``G`` its return
(``return``) or its return minus what is expected of its first observation (``advantage``), scaled to [0, 1].

Deviation: that expectation is a ridge regression on the first observation, not a network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


@dataclass(frozen=True, slots=True)
class Episodes:
    """Where episodes begin and how long they are, in rows, and their undiscounted returns."""

    begin: NDArray[np.int64]
    length: NDArray[np.int64]
    returns: NDArray[np.float64]

    @staticmethod
    def of(rewards: Array, ended: NDArray[np.bool_]) -> Episodes:
        """From rows in order; a last episode that has not ended counts."""
        stops = np.flatnonzero(ended) + 1
        if len(stops) == 0 or stops[-1] != len(rewards):
            stops = np.append(stops, len(rewards))
        begin = np.concatenate([[0], stops[:-1]])
        returns = np.add.reduceat(rewards.astype(np.float64), begin)
        return Episodes(begin, stops - begin, returns)


def _by_return(episodes: Episodes, transitions: Transitions) -> NDArray[np.float64]:
    return episodes.returns


def _by_advantage(episodes: Episodes, transitions: Transitions) -> NDArray[np.float64]:
    first = [np.asarray(a[episodes.begin], np.float64) for a in transitions.observations.values()]
    x = np.concatenate([a.reshape(len(a), -1) for a in first], axis=1)
    x = x - x.mean(0)
    centred = episodes.returns - episodes.returns.mean()
    weights = np.linalg.solve(x.T @ x + 1e-3 * len(x) * np.eye(x.shape[1]), x.T @ centred)
    advantages: NDArray[np.float64] = centred - x @ weights
    return advantages


WEIGHTINGS: dict[str, Callable[[Episodes, Transitions], NDArray[np.float64]] | None] = {
    "uniform": None,
    "return": _by_return,
    "advantage": _by_advantage,
}
"""By name: the figure of each episode that it is drawn by."""


def weights_of_rows(
    name: str, episodes: Episodes, transitions: Transitions, alpha: float
) -> NDArray[np.float64] | None:
    """The probability of every row; None for all the same."""
    figure = WEIGHTINGS[name]
    if figure is None:
        return None
    values = figure(episodes, transitions)
    spread = float(np.ptp(values))
    scaled = (values - values.min()) / spread if spread > 0.0 else np.zeros_like(values)
    each = np.exp((scaled - 1.0) / alpha)
    rows = np.repeat(each, episodes.length)
    probabilities: NDArray[np.float64] = rows / rows.sum()
    return probabilities
