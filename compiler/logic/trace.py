"""Traces: finite non-empty sequences of valuations, one per step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from agentc.compiler.logic.ir import Value

Valuation = Mapping[str, Value]
"""What every signal is at one step. A signal that has no value at the step (``action`` at 0) is absent."""


def finite(value: Value) -> bool:
    """Whether no number in the value is NaN or infinite."""
    if isinstance(value, tuple):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@dataclass(frozen=True)
class Trace:
    """A trace ``0 .. N``: step 0 is the reset observation, step t what is seen after the t-th action.

    Raises ``ValueError`` if it is empty or a signal is NaN or infinite, naming step and signal.
    """

    valuations: tuple[Valuation, ...]

    def __init__(self, valuations: Iterable[Valuation]) -> None:
        object.__setattr__(self, "valuations", tuple(valuations))
        if not self.valuations:
            raise ValueError("a trace has at least one step")
        for t, valuation in enumerate(self.valuations):
            for name, value in valuation.items():
                if not finite(value):
                    raise ValueError(f"signal {name!r} is {value!r} at step {t}; signals are finite")

    def __len__(self) -> int:
        return len(self.valuations)

    def __getitem__(self, t: int) -> Valuation:
        return self.valuations[t]

    def __iter__(self) -> Iterator[Valuation]:
        return iter(self.valuations)

    @property
    def last(self) -> int:
        """The last step ``N``."""
        return len(self.valuations) - 1
