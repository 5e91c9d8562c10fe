"""Rewards by degree: ``robustness(f)`` and ``progress(f)``.

``progress(f)`` is a function of the automaton's state alone. With ``d(u)`` the least effort from state ``u`` to one in
which ``f`` holds (:func:`agentc.compiler.backends.potentials.efforts`) and ``D`` the greatest of them,

    p(u) = 1 - d(u) / D,  1 where D is 0, and 0 where there is no way any more,

and a step from ``u`` to ``v`` pays ``amount * (p(v) - p(u))``. The sum over an episode telescopes to what was reached
at its end, less what step 0 came with; discounted it is ``(1 - gamma)`` times the discounted ``p`` of all steps, less
the same: going back and forth never pays more than going and staying. It is a payment, not shaping: it is kept at the
end of an episode. A formula that is watched in parts has the sum of their efforts, of a disjunction the least.

``robustness(f)`` is a number that no automaton knows. Of a proposition it is paid at every step but step 0, the value
there; of a temporal formula once, where the episode ends, the value of the whole trace at step 0. It comes in from
outside (``measure``): :mod:`agentc.runtime.reward_robustness` computes it for N environments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agentc.compiler.logic import semantics
from agentc.compiler.logic.ir import Formula, from_data, to_data
from agentc.compiler.logic.trace import Trace


@dataclass(frozen=True)
class Progress:
    """``amount`` times the progress that a step makes; ``distances[part][state]`` are efforts, ``inf`` for no way."""

    name: str
    amount: float
    program: int
    distances: tuple[tuple[float, ...], ...]
    join: Literal["and", "or"] = "and"

    @property
    def farthest(self) -> float:
        """``D``."""
        parts = [max((d for d in row if math.isfinite(d)), default=0.0) for row in self.distances]
        return sum(parts) if self.join == "and" else max(parts)

    def made(self, states: Sequence[int]) -> float:
        """``p`` of the parts' states, in [0, 1]."""
        found = [row[u] for row, u in zip(self.distances, states, strict=True)]
        distance = sum(found) if self.join == "and" else min(found)
        if math.isinf(distance):
            return 0.0
        return 1.0 - distance / self.farthest if self.farthest else 1.0

    def to_data(self) -> dict[str, Any]:
        """As plain data for JSON, which has no infinity: None."""
        rows = [[d if math.isfinite(d) else None for d in row] for row in self.distances]
        return {
            "name": self.name, "amount": self.amount, "program": self.program, "distances": rows, "join": self.join,
        }  # fmt: skip

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Progress:
        """The inverse of :meth:`to_data`. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
        rows = tuple(tuple(math.inf if d is None else float(d) for d in row) for row in data["distances"])
        if data["join"] not in ("and", "or"):
            raise ValueError(f"not a reward machine: parts joined by {data['join']!r}")
        return Progress(str(data["name"]), float(data["amount"]), int(data["program"]), rows, data["join"])


@dataclass(frozen=True)
class Robust:
    """``amount`` times the robustness of ``formula``, cut off at ``clip``.

    ``whole``: of the trace of an episode, paid where it ends; else of each step. ``program`` is the monitor of the
    formula where the agent has one, -1 where not: its state belongs into the observation, though it does not say all.
    """

    name: str
    amount: float
    formula: Formula
    clip: tuple[float, float] | None
    whole: bool
    program: int = -1

    def paid(self, robustness: float) -> float:
        """What a robustness is worth."""
        lo, hi = self.clip or (-math.inf, math.inf)
        return self.amount * min(max(robustness, lo), hi)

    def value(self, trace: Trace) -> float:
        """The robustness that is paid at the last step of a trace, by the reference semantics."""
        return semantics.robustness(self.formula, trace, 0 if self.whole else len(trace) - 1)

    def to_data(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "name": self.name, "amount": self.amount, "formula": to_data(self.formula),
            "clip": None if self.clip is None else list(self.clip), "whole": self.whole, "program": self.program,
        }  # fmt: skip

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> Robust:
        """The inverse of :meth:`to_data`. Raises ``KeyError``, ``TypeError`` or ``ValueError``."""
        (formula,) = from_data(data["formula"])
        if not isinstance(formula, Formula):
            raise ValueError("not a reward machine: a robustness of no formula")
        clip = None if data["clip"] is None else (float(data["clip"][0]), float(data["clip"][1]))
        return Robust(
            str(data["name"]), float(data["amount"]), formula, clip, bool(data["whole"]), int(data["program"])
        )  # fmt: skip
