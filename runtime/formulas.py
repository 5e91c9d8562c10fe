"""Formulas to train and to test a policy on: samplers as data.

Vaezipoor, Li, Toro Icarte, McIlraith, "LTL2Action", ICML 2021, section 6.1 (avoidance and partially ordered tasks);
Jackermeier, Abate, "DeepLTL", ICLR 2025, section 4.3 (reach-avoid sequences, short ones for training). The
propositions are the members of one enum signal, so that exactly one holds on every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Stages = tuple[tuple[frozenset[int], frozenset[int]], ...]
"""A reach-avoid sequence: of every stage what is to be reached, and what is to be avoided until then."""


class FormulaSampler(Protocol):
    """Draws formulas over the members of an enum signal."""

    def formula(self, signal: str, members: Sequence[str], randomness: np.random.Generator) -> str:
        """A formula in the language."""
        ...


@dataclass(frozen=True, slots=True)
class ReachAvoid:
    """``!(avoid | reach) U (reach & (!avoid' U reach'))`` and so on; of each stage, how much is reached and avoided.

    Nothing is avoided that was just reached.
    """

    stages: tuple[int, int] = (1, 2)
    reached: tuple[int, int] = (1, 1)
    avoided: tuple[int, int] = (0, 2)

    def sequence(self, members: int, randomness: np.random.Generator) -> Stages:
        """The stages, by the numbers of the members."""
        found: list[tuple[frozenset[int], frozenset[int]]] = []
        before: frozenset[int] = frozenset()
        for _ in range(int(randomness.integers(self.stages[0], self.stages[1] + 1))):
            order = [int(m) for m in randomness.permutation(members) if m not in before]
            k = int(randomness.integers(self.reached[0], self.reached[1] + 1))
            n = int(randomness.integers(self.avoided[0], self.avoided[1] + 1))
            before = frozenset(order[:k])
            found.append((before, frozenset(order[k : k + n])))
        return tuple(found)

    def formula(self, signal: str, members: Sequence[str], randomness: np.random.Generator) -> str:
        """Nested ``U``."""
        return written(self.sequence(len(members), randomness), signal, members)


@dataclass(frozen=True, slots=True)
class PartiallyOrdered:
    """``F (a & F (b & F c)) & F (d & F e)``: several sequences, in whatever order between them."""

    sequences: tuple[int, int] = (2, 3)
    length: tuple[int, int] = (2, 3)

    def formula(self, signal: str, members: Sequence[str], randomness: np.random.Generator) -> str:
        """A conjunction of nested ``F``."""
        parts = []
        for _ in range(int(randomness.integers(self.sequences[0], self.sequences[1] + 1))):
            drawn = randomness.permutation(len(members))[: int(randomness.integers(self.length[0], self.length[1] + 1))]
            text = ""
            for member in reversed(drawn.tolist()):
                atom = f"{signal} == {members[member]}"
                text = f"F ({atom} & {text})" if text else f"F {atom}"
            parts.append(text)
        return " & ".join(parts)


def written(stages: Stages, signal: str, members: Sequence[str]) -> str:
    """The formula of a reach-avoid sequence.

    Every stage begins where the one before it is reached for the first time: with `!avoid U (reach & ...)` alone, who
    has spoilt a later stage could come back to the reach of an earlier one.
    """
    text = ""
    for reach, avoid in reversed(stages):
        goal = " | ".join(f"{signal} == {members[m]}" for m in sorted(reach))
        goal = f"({goal})" if len(reach) > 1 else goal
        goal = f"({goal} & {text})" if text else f"({goal})"
        until = " | ".join(f"{signal} == {members[m]}" for m in sorted(avoid | reach if text else avoid))
        text = f"(!({until}) U {goal})" if until else f"(true U {goal})"
    return text
