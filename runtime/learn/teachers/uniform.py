"""Tasks drawn uniformly from a box: domain randomisation, and what a curriculum is compared with."""

from __future__ import annotations

import numpy as np

from agentc.runtime.learn.vector import Array


class Uniform:
    """Parameters between ``low`` and ``high``, whatever became of the others."""

    def __init__(self, low: Array, high: Array) -> None:
        self._low, self._high = np.asarray(low, np.float64), np.asarray(high, np.float64)

    def propose(self, taken: int, randomness: np.random.Generator) -> Array:
        """The next task's parameters ``(d,)``."""
        return randomness.uniform(self._low, self._high)

    def learn(self, task: Array, outcome: float) -> None:
        """Nothing is learned."""
