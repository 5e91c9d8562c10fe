"""Checks a ``model`` certificate: an inductive invariant of a finite transition system and a formula's automaton.

The certificate has the agent's meaning, which item it is about, and a set of pairs of a valuation and a state of the
automaton. Checking establishes that every initial state's pair is in the set, that no transition of the system leaves
it (each evaluated anew from the declaration, for all actions and branches of positive probability), and that no pair of
it has violated the formula. The automaton is the compiler's translation, which the conformance suite compares with the
reference semantics; its verdicts are recomputed here. Arithmetic is on whole numbers.
"""

from __future__ import annotations

import base64
import itertools
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.codec import decode_agent
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.commands import Commands
from agentc.compiler.systems.graph import encode, graph_of
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.checker import RejectedError

MOST = 200_000_000


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    if claim != {"holds": "no reachable state violates it"} or set(subject) != {"agent", "item"}:
        raise RejectedError("it claims something else")
    try:
        agent = decode_agent(subject["agent"])
        if type(subject["item"]) is not int or not 0 <= subject["item"] < len(agent.verifies):
            raise RejectedError("the agent has no such item")
        item, system = agent.verifies[subject["item"]], agent.system
        if system is None or item.bound is not None:
            raise RejectedError("the item is no formula of a declared system")
        automaton = translate_typed(item.formula, agent.declared)
        commands = Commands(system)
        return _Check(commands, automaton, _unpacked(argument, len(system.states) + 1)).run()
    except AgentcError as error:
        raise RejectedError(error.diagnostics[0].message) from error
    except zlib.error as error:
        raise RejectedError("its set of pairs is damaged") from error


def _unpacked(argument: Any, columns: int) -> Any:
    count = argument["count"]
    if set(argument) != {"pairs", "count"} or type(count) is not int or not 0 < count * columns < MOST:
        raise RejectedError("its set of pairs has no such size")
    stream = zlib.decompressobj()
    raw = stream.decompress(base64.b64decode(argument["pairs"], validate=True), 4 * count * columns + 1)
    if len(raw) != 4 * count * columns or not stream.eof or stream.unused_data:
        raise RejectedError("its set of pairs has another size than it says")
    return np.cumsum(np.frombuffer(raw, "<i4").reshape(columns, count).T.astype(np.int64), axis=0)


class _Check:
    """The system, the automaton and the set; ``table`` is ``(pairs, states + 1)``."""

    def __init__(self, commands: Any, automaton: Any, table: Any) -> None:
        self.commands, self.automaton = commands, automaton
        self.states, self.memory = table[:, :-1], table[:, -1]
        self.low = np.array([finite_values(v)[0] for v in commands.states])
        self.sizes = np.array([len(finite_values(v)) for v in commands.states])
        if ((self.states < self.low) | (self.states >= self.low + self.sizes)).any():
            raise RejectedError("a pair has a value that its variable cannot have")
        if ((self.memory < 0) | (self.memory >= automaton.size)).any():
            raise RejectedError("a pair has a state that the automaton has not")
        if float(np.prod(self.sizes.astype(float))) * automaton.size > 2.0**62:
            raise RejectedError("the system has too many valuations")
        self.known = np.unique(self._keys(self.states, self.memory))
        self.atoms = [graph_of([a], commands.states) for a in automaton.atoms]
        self.steps: dict[tuple[int, bytes], int] = {}
        self.violated = hopeless(automaton)

    def run(self) -> Mapping[str, Any]:
        """Start, step, and what is left to say."""
        if np.isin(self.memory, self.violated).any():
            raise RejectedError("a pair of the set violates the formula")
        start = self._initial()
        self._inside(start, np.zeros(len(start), np.int64), "an initial state")
        commands, count = self.commands, 0
        # where no word leads to a violation any more, what the system does is of no matter
        open_ = np.isin(self.memory, _reaching(self.automaton, set(self.violated)))
        self.states, self.memory = self.states[open_], self.memory[open_]
        columns = commands.columns(self.states.astype(float))
        taken = commands.taken(columns, len(self.states))
        for a, row in enumerate(taken):
            given = () if commands.valuations is None else commands.valuations[a]
            held = dict(zip([v.name for v in commands.inputs], given, strict=False))
            for index in np.unique(row[row >= 0]):
                command, rows = commands.commands[index], np.flatnonzero(row == index)
                part = {name: c[rows] for name, c in columns.items()}
                part |= {name: np.full(len(rows), x) for name, x in held.items()}
                for branch in command.branches:
                    if branch.probability <= 0:
                        continue
                    after = self.states[rows].astype(float)
                    for i, value in zip(branch.targets, evaluate(branch.graph, part), strict=True):
                        after[:, i] = value
                    if not (after == np.floor(after)).all():
                        raise RejectedError(f"`{command.name}` leads to no whole number")
                    self._inside(after.astype(np.int64), self.memory[rows], f"`{command.name}`")
                    count += len(rows)
        return {"pairs": len(self.known), "transitions": count}

    def _keys(self, states: Any, memory: Any) -> Any:
        key = np.zeros(len(states), np.int64)
        for i, size in enumerate(self.sizes):
            key = key * size + (states[:, i] - self.low[i])
        return key * self.automaton.size + memory

    def _inside(self, states: Any, memory: Any, what: str) -> None:
        """Reject unless the automaton, reading these states, stays in the set."""
        if ((states < self.low) | (states >= self.low + self.sizes)).any():
            raise RejectedError(f"{what} leads out of the variables' ranges")
        columns = self.commands.columns(states.astype(float))
        letters = np.zeros((len(states), len(self.atoms)), bool)
        for i, graph in enumerate(self.atoms):
            letters[:, i] = evaluate(graph, columns)[0]
        code = np.zeros(len(states), np.int64) + memory
        packed = np.concatenate([code[:, None], np.packbits(letters, axis=1).astype(np.int64)], axis=1)
        distinct, place = np.unique(packed, axis=0, return_inverse=True)
        after = np.array([self._step(int(row[0]), row[1:].astype(np.uint8), letters.shape[1]) for row in distinct])
        keys = self._keys(states, after[place.reshape(-1)])
        found = np.searchsorted(self.known, keys)
        if not (self.known[np.minimum(found, len(self.known) - 1)] == keys).all():
            raise RejectedError(f"{what} leads out of the set")

    def _step(self, state: int, bits: Any, width: int) -> int:
        key = (state, bits.tobytes())
        if key not in self.steps:
            letter = [bool(b) for b in np.unpackbits(bits, count=width)]
            self.steps[key] = self.automaton.step(state, letter)
        if self.steps[key] >= self.automaton.size:
            raise RejectedError("a state has a label that the automaton rules out")
        return self.steps[key]

    def _initial(self) -> Any:
        rows = []
        for component in self.commands.system.initial.components:
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
            rows.append(np.array(list(itertools.product(*domains)), np.int64).reshape(-1, len(domains)))
        return np.concatenate(rows)  # constraints only make the set smaller


def finite_values(variable: Any) -> range:
    """The numbers that a variable can be."""
    if variable.kind in ("bool", "enum"):
        return range(2 if variable.kind == "bool" else len(variable.members))
    if variable.kind != "int" or variable.lo is None or variable.hi is None:
        raise RejectedError(f"`{variable.name}` has infinitely many values")
    return range(int(np.ceil(variable.lo)), int(np.floor(variable.hi)) + 1)


def hopeless(automaton: Any) -> list[int]:
    """The states that a letter can lead to and from which, as they are and ever after, nothing is accepted."""
    alive = _reaching(automaton, {s for s in range(automaton.size) if automaton.accepting[s]})
    return [s for s in range(automaton.size) if s not in alive]


def _reaching(automaton: Any, goal: set[int]) -> list[int]:
    """The states from which a word, the empty one included, leads to the goal."""
    found = set(goal)
    while True:
        more = {s for s in range(automaton.size) if s not in found and automaton.successors(s) & found}
        if not more:
            return sorted(found)
        found |= more
