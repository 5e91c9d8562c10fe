"""What a run tells about its recent episodes: return, length, satisfaction, violation."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FiguresByName = Mapping[str, Mapping[str, Any]]
"""Figures of a line of the log, by what they are about and by name."""

WINDOW = 100
"""How many of the last episodes are counted."""


@dataclass(frozen=True, slots=True)
class EpisodeStatistics:
    """Means over the last episodes (100, or as many as there were); None before the first ended.

    ``satisfied`` and ``violated`` are rates per formula, ``costs`` sums per cost, by its name in the spec; ``rewards``
    is what each source paid in an episode: formulas and propositions by name, ``step``, ``machine``, ``shaping``.
    """

    episodes: int
    mean_return: float | None = None
    mean_length: float | None = None
    satisfied: Mapping[str, float] = field(default_factory=dict)
    violated: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    rewards: Mapping[str, float] = field(default_factory=dict)

    @property
    def counted(self) -> int:
        """How many episodes the means are of."""
        return min(self.episodes, WINDOW)

    def intervals(self) -> dict[str, dict[str, tuple[float, float]]]:
        """Wilson's 95 % intervals of the rates, as ``satisfied`` and ``violated`` have them."""
        n = max(1, self.counted)
        rates = {"satisfied": self.satisfied, "violated": self.violated}
        return {key: {k: wilson(rate, n) for k, rate in found.items()} for key, found in rates.items() if found}


def wilson(rate: float, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of a rate seen in ``n`` episodes, at 95 % unless ``z`` says otherwise.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927). Raises ``ValueError`` for
    no episodes.
    """
    if n < 1 or not 0.0 <= rate <= 1.0:
        raise ValueError(f"no interval for a rate of {rate} in {n} episodes")
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


class EpisodeWindow:
    """Collects the ``info`` of environment steps on which episodes ended."""

    def __init__(self, size: int = WINDOW) -> None:
        self.episodes = 0
        self._size = size
        self._columns: dict[str, deque[float]] = {}

    def add(self, ended: NDArray[np.bool_], info: Mapping[str, Array]) -> None:
        """Take in the rows of ``info`` where an episode ended; NaN is what an episode says nothing of."""
        rows = np.flatnonzero(ended)
        self.episodes += len(rows)
        for key, array in info.items():
            self._columns.setdefault(key, deque(maxlen=self._size)).extend(
                value for value in array[rows].tolist() if value == value
            )

    def statistics(self) -> EpisodeStatistics:
        """The means as they are now."""
        means = {key: float(np.mean(list(column))) for key, column in self._columns.items() if column}
        return EpisodeStatistics(
            self.episodes,
            means.get("return"),
            means.get("length"),
            {k.removeprefix("satisfied/"): v for k, v in means.items() if k.startswith("satisfied/")},
            {k.removeprefix("violated/"): v for k, v in means.items() if k.startswith("violated/")},
            {k.removeprefix("cost/"): v for k, v in means.items() if k.startswith("cost/")},
            {k.removeprefix("reward/"): v for k, v in means.items() if k.startswith("reward/")},
        )

    def state(self) -> dict[str, NDArray[np.float64]]:
        """What was collected, by column."""
        return {key: np.array(column, np.float64) for key, column in self._columns.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`."""
        self._columns = {key: deque(column.tolist(), maxlen=self._size) for key, column in state.items()}
