"""The finite model of an environment that was explored, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.logic.ir import Formula, Value
from agentc.runtime.scalar import ScalarLabeller

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EXPLORABLE = ("minigrid", "office", "craft", "letters")
"""The engines whose environments can be explored (:mod:`agentc.runtime.verify.model.worlds`)."""


class BudgetError(Exception):
    """Exploration was given up; the message says what grew."""


@dataclass(frozen=True, eq=False)
class ExtractedModel:
    """A finite model of an environment; the arrays are those of
    :class:`~agentc.compiler.systems.transitions.ExplicitModel`.

    ``codes`` are the numbers of the world's states , each of one
    state of the model unless the formulas read steps. ``valuations`` are what is read in each state, ``before`` what
    was read one step earlier (None at the start, and where no formula asks). ``exhaustive`` says whether the starts
    are all there are, else ``seeds`` led to them.
    """

    name: str
    actions: tuple[str, ...]
    valuations: tuple[dict[str, Value], ...]
    before: tuple[dict[str, Value] | None, ...]
    first: NDArray[np.bool_]
    codes: Ints
    reads_steps: bool
    initial: Ints
    initial_probability: Floats
    start_seeds: tuple[int | None, ...]
    exhaustive: bool
    seeds: int
    choices: Ints
    action: NDArray[np.int32]
    offsets: Ints
    successor: NDArray[np.int32]
    probability: Floats

    def __len__(self) -> int:
        return len(self.valuations)

    def label(self, proposition: Formula) -> NDArray[np.bool_]:
        """Where an atom holds, ``(S,)``."""
        labeller = ScalarLabeller([proposition])
        known: dict[tuple[Any, ...], bool] = {}
        found = np.zeros(len(self), np.bool_)
        for i, (now, before, first) in enumerate(zip(self.valuations, self.before, self.first, strict=True)):
            key = (*now.items(), None, *(() if before is None else before.items()), bool(first))
            if key not in known:
                known[key] = labeller.label(now, before, 0 if first else 1)[0]
            found[i] = known[key]
        return found

    def state(self, index: int) -> dict[str, Value]:
        """What is read in a state."""
        return dict(self.valuations[index])

    def seed_of(self, state: int) -> int | None:
        """A seed whose reset leads to an initial state."""
        return self.start_seeds[int(np.flatnonzero(self.initial == state)[0])]

    @property
    def assumption(self) -> str:
        """What a proof on it takes for granted."""
        said = f"`{self.name}` behaves as when it was explored, state by state, from "
        if self.exhaustive:
            return said + f"its {len(self.initial)} starts" if len(self.initial) > 1 else said + "its start"
        return said + f"the {len(self.initial)} starts that {self.seeds} seeds lead to"
