"""Exploration: a bonus for observations that were seen seldom.

Tang et al., "#Exploration: A Study of Count-Based Exploration for Deep Reinforcement Learning" (2017),
equation 1: ``novelty / sqrt(n(phi(s)))`` with ``n`` the visits of a hash of the observation; after Strehl
and Littman, "An Analysis of Model-Based Interval Estimation for Markov Decision Processes" (2008). The hash
here is a checksum of the observation's bytes, the states of a spec's automata included, so that every
stage of a task is explored anew. It serves where observations recur, as in grids; of continuous
observations none ever does. The bonus is for learning only: what is reported are the rewards themselves.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array

TABLE = 1 << 18


class Novelty:
    """Counts of hashed observations."""

    def __init__(self, weight: float) -> None:
        """``weight`` is the bonus of an observation at its first visit; 0 counts nothing."""
        self._weight = weight
        self._counts = np.zeros(TABLE if weight > 0.0 else 0, np.int64)

    def bonus(self, trajectory: Trajectory) -> NDArray[np.float32]:
        """The bonus of every step ``(T, N)``, for the observation it led to, which is counted first.

        Steps that ended an episode have none: what they led to is not looked at again.
        """
        steps, n = trajectory.steps, trajectory.num_envs
        if self._weight == 0.0:
            return np.zeros((steps, n), np.float32)
        last = {key: array[None] for key, array in trajectory.last_observation.items()}
        later = {key: array[1:] for key, array in trajectory.observations.items()}
        hashed = np.concatenate([_hashes(later, n), _hashes(last, n)])
        np.add.at(self._counts, hashed, 1)
        bonus = self._weight / np.sqrt(self._counts[hashed])
        bonus[trajectory.terminated | trajectory.truncated] = 0.0
        scaled: NDArray[np.float32] = bonus.astype(np.float32)
        return scaled

    def state(self) -> dict[str, NDArray[np.int64]]:
        """The counts that are not 0, for a checkpoint."""
        slots = np.flatnonzero(self._counts)
        return {"slots": slots, "counts": self._counts[slots]}

    def restore(self, state: Mapping[str, NDArray[np.int64]]) -> None:
        """Back from :meth:`state`. Raises ``KeyError``, ``ValueError`` or ``IndexError`` for another's."""
        slots, counts = state["slots"], state["counts"]
        if slots.shape != counts.shape or slots.ndim != 1 or slots.dtype.kind != "i":
            raise ValueError("counts that belong to no slots")
        self._counts[:] = 0
        self._counts[slots] = counts


def _hashes(observations: Mapping[str, Array], n: int) -> NDArray[np.int64]:
    """Slots ``(time, envs)`` of observations ``(time, envs, ...)``."""
    parts = [np.ascontiguousarray(observations[key]) for key in sorted(observations)]
    steps = len(parts[0])
    rows = [part.reshape(steps * n, -1).view(np.uint8).reshape(steps * n, -1) for part in parts]
    joined = np.ascontiguousarray(np.concatenate(rows, axis=1)) if len(rows) > 1 else rows[0]
    width, data = joined.shape[1], joined.tobytes()
    sums = (zlib.crc32(data[at : at + width]) for at in range(0, steps * n * width, width))
    return np.fromiter(sums, np.int64, steps * n).reshape(steps, n) % TABLE
