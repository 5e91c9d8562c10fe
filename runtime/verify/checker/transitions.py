"""A finite transition system, evaluated anew from its declaration on a set of states, and an automaton that reads it.

What a certificate on a finite model says is about pairs of a valuation and a state of the automaton. Here the
valuations are put through every command for every action, all branches of positive probability, as arrays; a branch
that leads out of the set is found. Arithmetic is on whole numbers.
"""

from __future__ import annotations

import base64
import itertools
import zlib
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from agentc.compiler.agent import SystemIR
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.commands import Commands
from agentc.compiler.systems.graph import encode, graph_of
from agentc.runtime.verify.checker import RejectedError

MOST = 200_000_000
TABLE = 1 << 28
"""The largest number of valuations that are looked up in a table."""


class Block(NamedTuple):
    """What an action does where it takes one command: of each branch the successors of all states, ``(S,)`` int32.

    A successor is -1 where it is outside the set, and ``S`` where the action does something else.
    """

    action: int
    probabilities: tuple[float, ...]
    after: tuple[Any, ...]


class Space:
    """Pairs ``(P,)`` of a state and the automaton's, sorted, of distinct states ``(S, n)``.

    ``table`` is ``(P, n + 1)``: encoded values, then the automaton's state. Raises :class:`RejectedError` where it is
    not sorted (by value after value, then automaton state), or has values that there are not.
    """

    def __init__(self, system: SystemIR, automaton: Any, table: Any) -> None:
        self.commands, self.automaton = Commands(system), automaton
        values, self.memory = table[:, :-1], table[:, -1]
        domains = [finite_values(v) for v in self.commands.states]
        self.low = np.array([d.start for d in domains])
        self.sizes = np.array([len(d) for d in domains])
        if ((values < self.low) | (values >= self.low + self.sizes)).any():
            raise RejectedError("a pair has a value that its variable cannot have")
        if ((self.memory < 0) | (self.memory >= automaton.size)).any():
            raise RejectedError("a pair has a state that the automaton has not")
        if float(np.prod(self.sizes.astype(float))) * automaton.size > 2.0**62:
            raise RejectedError("the system has too many valuations")
        codes = self._codes(values)
        keys = codes * automaton.size + self.memory
        if (np.diff(keys) <= 0).any():
            raise RejectedError("its pairs are not sorted")
        fresh = np.concatenate([[True], np.diff(codes) > 0])
        self.state = np.cumsum(fresh) - 1
        """The state of each pair."""
        self.states, self.codes = values[fresh], codes[fresh]
        self._place: Any = None
        if int(np.prod(self.sizes)) <= TABLE:
            self._place = np.full(int(np.prod(self.sizes)), -1, np.int32)
            self._place[self.codes] = np.arange(len(self.codes), dtype=np.int32)
        self.state = self.state.astype(np.int32)
        self.memory = self.memory.astype(np.int32)
        width, size = automaton.size + 1, len(self.states) * (automaton.size + 1)
        self.pair = np.full(size + width, -1, np.int32)
        """The pair of each state and automaton state (one is for labels that are ruled out), -1 where there is none."""
        self.pair[self.state.astype(np.int64) * width + self.memory] = np.arange(len(self.memory))
        self.pair[size:] = 0  # beyond the states: an action that does something else

    def rebuild(self) -> None:
        """Evaluate labels, commands and starts."""
        columns = self.commands.columns(self.states.astype(float))
        self.letter, self.step = self._read(columns)
        self.blocks = self._blocks(columns)
        self.start, self.weight = self._initial()

    def entered(self, memory: Any, states: Any) -> Any:
        """The pairs ``(batch,)`` in which the automaton is when it reads states after ``memory``.

        Raises :class:`RejectedError` for a pair that is not in the set.
        """
        if not len(states):
            return states
        if states.min() < 0:
            raise RejectedError("a transition leads out of the set")
        after = self.step.take(memory * self._letters + self.letter[states])
        found = self.pair[states.astype(np.int64) * self._size + after]
        if found.min() < 0:
            raise RejectedError("a transition leads out of the set")
        return found

    def taken(self, block: Block, pairs: Any) -> Any:
        """Those of ``pairs`` in which a block is taken."""
        return pairs[block.after[0][self.state[pairs]] != len(self.states)]

    def _codes(self, values: Any) -> Any:
        code = np.zeros(len(values), np.int64)
        for i, size in enumerate(self.sizes):
            code = code * size + (values[:, i] - self.low[i])
        return code

    def _located(self, values: Any) -> Any:
        """The states that valuations are, -1 for those outside the set."""
        outside = ((values < self.low) | (values >= self.low + self.sizes)).any(axis=1)
        codes = self._codes(values)
        if outside.any():
            codes = np.where(outside, self.codes[0], codes)
        if self._place is not None:
            at = self._place[codes]
        else:
            at = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
            at = np.where(self.codes[at] == codes, at, -1)
        return np.where(outside, -1, at) if outside.any() else at

    def _read(self, columns: Any) -> tuple[Any, Any]:
        """The letter of each state, and the automaton's step ``(Q, letters)``."""
        atoms = [graph_of([a], self.commands.states) for a in self.automaton.atoms]
        labels = np.zeros((len(self.states), len(atoms)), np.bool_)
        for i, graph in enumerate(atoms):
            labels[:, i] = evaluate(graph, columns)[0]
        code = np.zeros(len(self.states), np.int64)
        if len(atoms) > 60:
            raise RejectedError("the formula has too many propositions")
        for i in range(len(atoms)):
            code |= labels[:, i].astype(np.int64) << i
        found, letter = np.unique(code, return_inverse=True)
        words = [[bool(int(c) >> i & 1) for i in range(len(atoms))] for c in found]
        # a label that the automaton rules out leads to its state `size`, of which there is no pair
        rows = [[self.automaton.step(q, word) for word in words] for q in range(self.automaton.size)]
        self._size, self._letters = np.int32(self.automaton.size + 1), np.int32(len(words))
        whole = np.concatenate([letter.reshape(-1), [0]]).astype(np.int32)  # one more, beyond the states
        return whole, np.array(rows, np.int32).reshape(-1)

    def _blocks(self, columns: Any) -> list[Block]:
        commands, found = self.commands, []
        for a, row in enumerate(commands.taken(columns, len(self.states))):
            given = () if commands.valuations is None else commands.valuations[a]
            held = dict(zip([v.name for v in commands.inputs], given, strict=False))
            for index in np.unique(row[row >= 0]):
                command, rows = commands.commands[index], np.flatnonzero(row == index)
                part = {name: c[rows] for name, c in columns.items()}
                part |= {name: np.full(len(rows), x) for name, x in held.items()}
                after: list[Any] = []
                for branch in command.branches:
                    values = self.states[rows].copy()
                    for i, value in zip(branch.targets, evaluate(branch.graph, part), strict=True):
                        if not (np.asarray(value) == np.floor(value)).all():
                            raise RejectedError(f"`{command.name}` leads to no whole number")
                        values[:, i] = value
                    whole = np.full(len(self.states), len(self.states), np.int32)
                    whole[rows] = self._located(values)
                    after.append(whole)
                found.append(Block(a, tuple(b.probability for b in command.branches), tuple(after)))
        return found

    def _initial(self) -> tuple[Any, list[Fraction]]:
        """The pairs at the start with their probabilities."""
        codes: dict[int, Fraction] = {}
        components = self.commands.system.initial.components
        whole = sum(Fraction(c.weight) for c in components)
        for component in components:
            starts = {s.variable: s for s in component.starts}
            domains = []
            for variable in self.commands.states:
                start = starts[variable.name]
                values = [int(encode(v, variable)) for v in start.values]
                if start.kind in ("range", "uniform"):
                    values = list(range(values[0], values[1] + 1))
                elif start.kind not in ("point", "set"):
                    raise RejectedError("the initial set is not finite")
                domains.append(values)
            grid = np.array(list(itertools.product(*domains)), np.int64).reshape(-1, len(domains))
            if component.constraint is not None:
                (holds,) = evaluate(
                    graph_of([component.constraint], self.commands.states), self.commands.columns(grid.astype(float))
                )
                grid = grid[np.broadcast_to(np.asarray(holds, bool), len(grid))]
            for state in self._located(grid).tolist():
                codes[state] = codes.get(state, Fraction(0)) + Fraction(component.weight) / whole / len(grid)
        states = np.array(list(codes), np.int64)
        return self.entered(np.zeros(len(states), np.int32), states), list(codes.values())


def unpacked(text: Any, rows: int, columns: int) -> Any:
    """The whole numbers ``(rows, columns)`` of a text. Raises :class:`RejectedError` for another size."""
    if type(rows) is not int or not 0 < rows * columns < MOST:
        raise RejectedError("its set of pairs has no such size")
    raw = _inflated(text, 4 * rows * columns)
    return np.cumsum(np.frombuffer(raw, "<i4").reshape(columns, rows).T.astype(np.int64), axis=0)


def numbers(text: Any, rows: int) -> Any:
    """The float64 numbers ``(rows,)`` of a text."""
    return np.frombuffer(_inflated(text, 8 * rows), "<f8")


def _inflated(text: Any, size: int) -> bytes:
    try:
        stream = zlib.decompressobj()
        raw = stream.decompress(base64.b64decode(text, validate=True), size + 1)
    except zlib.error as error:
        raise RejectedError("what it packs is damaged") from error
    if len(raw) != size or not stream.eof or stream.unused_data:
        raise RejectedError("what it packs has another size than it says")
    return raw


def finite_values(variable: Any) -> range:
    """The encoded values of a variable. Raises :class:`RejectedError` if there are infinitely many."""
    if variable.kind in ("bool", "enum"):
        return range(2 if variable.kind == "bool" else len(variable.members))
    if variable.kind != "int" or variable.lo is None or variable.hi is None:
        raise RejectedError(f"`{variable.name}` has infinitely many values")
    return range(int(np.ceil(variable.lo)), int(np.floor(variable.hi)) + 1)


def reaching(automaton: Any, goal: set[int]) -> list[int]:
    """The states of an automaton from which a word, the empty one included, leads to the goal."""
    found = set(goal)
    while True:
        more = {s for s in range(automaton.size) if s not in found and automaton.successors(s) & found}
        if not more:
            return sorted(found)
        found |= more


def final(automaton: Any) -> tuple[Any, Any]:
    """Of each automaton state: whether nothing is accepted there and ever after, and whether everything is."""
    accepting = {s for s in range(automaton.size) if automaton.accepting[s]}
    alive = reaching(automaton, accepting)
    doubtful = reaching(automaton, set(range(automaton.size)) - accepting)
    every = np.arange(automaton.size)
    return ~np.isin(every, alive), ~np.isin(every, doubtful)


def hopeless(automaton: Any) -> list[int]:
    """The states at which, as they are and ever after, nothing is accepted."""
    found: list[int] = np.flatnonzero(final(automaton)[0]).tolist()
    return found
