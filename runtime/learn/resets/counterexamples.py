"""Starts in which a proof has failed: initial states of violations, and corners of parts that stayed in doubt.

Adaptation after Chang, Roohi, Gao, "Neural Lyapunov Control", NeurIPS 2019, section 3: counterexamples of the verifier
join what is learned from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agentc.runtime.learn.vector import Array

MOST = 512
"""The states that are kept, the latest of them."""


class Counterexamples:
    """States ``(count, n)`` in the order of ``names``; a reset that begins in one of them half of the time."""

    option = "state"
    """The name of the environment's option."""

    def __init__(self, names: Sequence[str], share: float = 0.5) -> None:
        self.names, self.share = tuple(names), share
        self.states: Array = np.zeros((0, len(self.names)))
        self.pressure = 1.0
        """By how much the margin that is trained for has grown."""

    def add(self, states: Array) -> None:
        """More of them, ``(count, n)``."""
        self.states = np.concatenate([self.states, np.asarray(states, np.float64)])[-MOST:]

    def choose(self, taken: int, randomness: np.random.Generator) -> Mapping[str, Any] | None:
        """A state by its names; None is the system's own start."""
        if not len(self.states) or randomness.random() >= self.share:
            return None
        row = self.states[int(randomness.integers(len(self.states)))]
        return dict(zip(self.names, row.tolist(), strict=True))
