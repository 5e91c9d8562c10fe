"""The product of an explicit model with the automaton of a formula, breadth first, reachable pairs only.

Christel Baier, Joost-Pieter Katoen: "Principles of Model Checking", 2008, section 10.3 (here with automata on finite
traces, which read the label of the initial state first). A pair whose verdict is final has no successors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.automata.dfa import DFA
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.systems.transitions import ExplicitModel
from agentc.runtime.verify.model.extracted import ExtractedModel

Ints = NDArray[np.int64]
Bits = NDArray[np.bool_]
Floats = NDArray[np.float64]


Model = ExplicitModel | ExtractedModel
"""What a product is made of."""


class Watcher(Protocol):
    """What a product reads of an automaton; a :class:`~agentc.compiler.automata.dfa.DFA` is one."""

    @property
    def atoms(self) -> Sequence[Formula]:
        """What a letter has the truth of."""
        ...

    @property
    def size(self) -> int:
        """How many states it has; the first is the initial one."""
        ...

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """The verdict of each state."""
        ...

    def step(self, state: int, letter: Sequence[bool]) -> int:
        """The state after a letter."""
        ...


class Joined:
    """Several automata side by side: a violation of one is a violation of all, and all must hold."""

    def __init__(self, parts: Sequence[DFA]) -> None:
        self.parts = tuple(parts)
        self.atoms: tuple[Formula, ...] = tuple(dict.fromkeys(a for p in parts for a in p.atoms))
        self._letters = [[self.atoms.index(a) for a in p.atoms] for p in parts]
        self._sizes = [p.size for p in parts]
        self.size = int(np.prod(self._sizes, dtype=object))
        self.verdicts = [min(p.verdicts[q] for p, q in zip(parts, self._split(s), strict=True))
                         for s in range(self.size)]  # fmt: skip

    def _split(self, state: int) -> list[int]:
        found = []
        for size in reversed(self._sizes):
            state, part = divmod(state, size)
            found.append(part)
        return found[::-1]

    def step(self, state: int, letter: Sequence[bool]) -> int:
        """The state after a letter."""
        joined = 0
        rows = zip(self.parts, self._split(state), self._letters, self._sizes, strict=True)
        for part, at, places, size in rows:
            joined = joined * size + part.step(at, [letter[i] for i in places])
        return joined


class Lasting:
    """An automaton whose runs go on after a violation: sums do not end there."""

    def __init__(self, automaton: DFA) -> None:
        self.atoms, self.size, self.step = automaton.atoms, automaton.size, automaton.step
        self.verdicts = tuple(max(v, Verdict.PRESUMABLY_FALSE) for v in automaton.verdicts)


@dataclass(frozen=True)
class Product:
    """Pairs of a model's state and an automaton's; the arrays of choices are those of the model.

    ``verdict`` has the code of each pair's verdict, ``depth`` its distance from the start, ``parent`` the pair that it
    was first reached from (-1 at the start), ``via`` the choice of the model that led there.
    """

    model: Model
    automaton: Watcher
    state: Ints
    memory: Ints
    verdict: Ints
    initial: Ints
    weight: Floats
    choices: Ints
    choice: Ints
    offsets: Ints
    successor: Ints
    probability: Floats
    depth: Ints
    parent: Ints
    via: Ints

    def __len__(self) -> int:
        return len(self.state)

    @property
    def dead(self) -> Bits:
        """Pairs in which a run ends though nothing is final: the model has no choice there."""
        ends: Bits = (np.diff(self.choices) == 0) & (self.verdict != Verdict.FALSE) & (self.verdict != Verdict.TRUE)
        return ends

    @property
    def holds(self) -> Bits:
        """Whether the formula is true if the run ends in the pair."""
        found: Bits = self.verdict >= Verdict.PRESUMABLY_TRUE
        return found


def letters_of(model: Model, automaton: Watcher) -> tuple[Ints, Ints]:
    """The letter of each state, and the next automaton state ``(states, letters)``.

    Raises ``KeyError`` if an atom reads anything but the model's states.
    """
    labels = np.zeros((len(model), len(automaton.atoms)), np.bool_)
    for i, atom in enumerate(automaton.atoms):
        labels[:, i] = model.label(atom)
    packed = np.packbits(labels, axis=1)
    rows, letter = np.unique(packed, axis=0, return_inverse=True) if labels.shape[1] else (
        np.zeros((1, 0), np.uint8), np.zeros(len(model), np.int64))  # fmt: skip
    words = np.unpackbits(rows, axis=1, count=labels.shape[1]).astype(bool)
    table = np.array([[automaton.step(q, [bool(b) for b in word]) for word in words] for q in range(automaton.size)])
    return letter.reshape(-1).astype(np.int64), table.astype(np.int64)


def product(model: Model, automaton: Watcher, most: int) -> Product:
    """The product. Raises ``ValueError`` for more than ``most`` pairs, and ``KeyError`` as :func:`letters_of`."""
    letter, table = letters_of(model, automaton)
    verdicts = np.array([int(v) for v in automaton.verdicts], np.int64)
    size = automaton.size
    index = np.full(len(model) * size, -1, np.int64)
    keys = model.initial * size + table[0, letter[model.initial]]
    index[keys] = np.arange(len(keys))
    frontier, total = keys, len(keys)
    parts: dict[str, list[Ints]] = {k: [] for k in ("key", "parent", "via", "count", "choice", "fan", "successor")}
    chances: list[Floats] = []
    parts["parent"].append(np.full(len(keys), -1, np.int64))
    parts["via"].append(np.full(len(keys), -1, np.int64))
    first = 0
    while len(frontier):
        parts["key"].append(frontier)
        s, q = frontier // size, frontier % size
        final = (verdicts[q] == Verdict.FALSE) | (verdicts[q] == Verdict.TRUE)
        count = np.where(final, 0, model.choices[s + 1] - model.choices[s])
        choice = _ranges(model.choices[s], count)
        fan = model.offsets[choice + 1] - model.offsets[choice]
        branch = _ranges(model.offsets[choice], fan)
        after = model.successor[branch].astype(np.int64)
        source = np.repeat(np.arange(len(frontier)), count)
        source_of_branch = np.repeat(source, fan)
        key = after * size + table[q[source_of_branch], letter[after]]
        fresh, at = np.unique(key[index[key] < 0], return_index=True)
        where = np.flatnonzero(index[key] < 0)[at]
        index[fresh] = total + np.arange(len(fresh))
        parts["parent"].append(first + source_of_branch[where])
        parts["via"].append(np.repeat(choice, fan)[where])
        parts["count"].append(count)
        parts["choice"].append(choice)
        parts["fan"].append(fan)
        parts["successor"].append(index[key])
        chances.append(model.probability[branch])
        first += len(frontier)
        total += len(fresh)
        if total > most:
            raise ValueError(f"the model times the automaton has more than {most} states")
        frontier = fresh
    joined = {name: np.concatenate(value) if value else np.zeros(0, np.int64) for name, value in parts.items()}
    parent = joined["parent"]
    depth = np.zeros(total, np.int64)
    for level in range(1, len(parts["key"])):  # breadth first: a level's pairs follow those of the one before
        a = sum(len(k) for k in parts["key"][:level])
        b = a + len(parts["key"][level])
        depth[a:b] = level
    memory = joined["key"] % size
    return Product(
        model, automaton, joined["key"] // size, memory, verdicts[memory], np.arange(len(keys)),
        model.initial_probability.astype(np.float64), _offsets(joined["count"]), joined["choice"],
        _offsets(joined["fan"]), joined["successor"], np.concatenate(chances), depth, parent, joined["via"],
    )  # fmt: skip


def _ranges(start: Ints, count: Ints) -> Ints:
    """The numbers ``start[i] .. start[i] + count[i] - 1`` one after the other."""
    ends = np.cumsum(count)
    found: Ints = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(start - (ends - count), count)
    return found


def _offsets(counts: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
