"""Checks a ``relation`` certificate: an invariant of recorded transitions of an environment and a formula's automaton.

The certificate is about an environment that was explored: its subject has the agent's meaning, which item it is about,
and the whole relation: what is read in each state (and, where the formula asks, one step before), the states in which
runs begin, and which states follow which, under all actions or under a policy's. Checking establishes that

1. the relation's digest is the one that the claim names;
2. every start's pair with the automaton is in the set, no recorded transition leaves the set, and no pair of it has
   violated the formula; or, of runs that end after so many steps or where nothing follows, that all satisfy it. The
   truth of propositions is worked out here from what is read, by the reference semantics.

What it does not establish is that the environment does what is recorded: no environment is made here. That is an
assumption of the proof, which the claim says. The automaton is the compiler's, as for the kind ``model``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.codec import decode_agent
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.transitions import final, unpacked

SAFE, ENDING = "no run of the recorded transitions violates it", "every run of {} recorded transitions satisfies it"
PARTS = {"read", "states", "count", "starts", "start count", "edges", "edge count"}
WORK = 4_000_000_000
"""Transitions times steps that are taken at most."""


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    if set(subject) != {"agent", "item", "relation"} or set(subject["relation"]) != PARTS:
        raise RejectedError("it is about something else")
    try:
        agent = decode_agent(subject["agent"])
        if type(subject["item"]) is not int or not 0 <= subject["item"] < len(agent.verifies):
            raise RejectedError("the agent has no such item")
        item = agent.verifies[subject["item"]]
        if item.bound is not None or item.total is not None:
            raise RejectedError("the item is no formula")
        safe = any(f.name == item.name and f.role == "safe" for f in agent.formulas)
        horizon = claim.get("steps")
        if horizon is None:
            said, known = SAFE, safe
        else:
            declared = agent.environment.horizon if agent.environment is not None else None
            known = type(horizon) is int and horizon > 0 and declared in (None, horizon)
            said = ENDING.format(horizon)
        if not known or claim != {"holds": said, "steps": horizon, "relation": _digest(subject["relation"])}:
            raise RejectedError("it claims something else, or of another relation")
        if set(argument) != {"pairs", "count"}:
            raise RejectedError("it has other parts than a set of pairs")
        pairs = _Pairs(subject["relation"], translate_typed(item.formula, agent.declared), argument)
        pairs.closed(None if horizon is None else int(horizon), safe)
    except AgentcError as error:
        raise RejectedError(error.diagnostics[0].message) from error
    return {"pairs": len(pairs.memory), "transitions": pairs.looked, "recorded": len(pairs.target)}


def _digest(relation: Any) -> str:
    text = json.dumps(relation, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value of a signal as it was before it was written."""
    return tuple(_plain(v) for v in value) if isinstance(value, list) else value


class _Pairs:
    """The relation, and pairs of a state and the automaton's, sorted."""

    def __init__(self, relation: Any, automaton: Any, argument: Any) -> None:
        self.automaton = automaton
        states = unpacked(relation["states"], relation["count"], 3)  # what is read, one step before or -1, at the start
        self.count = len(states)
        edges: Any = np.zeros((0, 2), np.int64)
        if relation["edge count"] != 0:
            edges = unpacked(relation["edges"], relation["edge count"], 2)
        self.source, self.target = edges.T
        self.starts = unpacked(relation["starts"], relation["start count"], 1)[:, 0]
        for numbers in (self.source, self.target, self.starts):
            if len(numbers) and not (numbers.min() >= 0 and numbers.max() < self.count):
                raise RejectedError("a transition is of a state that there is not")
        if (np.diff(self.source) < 0).any():
            raise RejectedError("its transitions are not sorted")
        self._letters(states, [{k: _plain(v) for k, v in row.items()} for row in relation["read"]])
        state, memory = unpacked(argument["pairs"], argument["count"], 2).T
        if not (state.min() >= 0 and state.max() < self.count and memory.min() >= 0 and memory.max() < automaton.size):
            raise RejectedError("a pair is of a state that there is not")
        keys = state * automaton.size + memory
        if (np.diff(keys) <= 0).any():
            raise RejectedError("its pairs are not sorted")
        self.state, self.memory, self.keys, self.looked = state, memory, keys, 0

    def _letters(self, states: Any, read: list[dict[str, Any]]) -> None:
        """The letter of each state, and the automaton's steps: ``size`` where a label is ruled out."""
        kinds, which = np.unique(states, axis=0, return_inverse=True)
        words: dict[tuple[bool, ...], int] = {}
        letter = []
        for now, before, first in kinds.tolist():
            if not (0 <= now < len(read) and -1 <= before < len(read) and first in (0, 1)):
                raise RejectedError("a state reads something that is not there")
            rows = [read[now]] if first else [read[before if before >= 0 else now], read[now]]
            word = tuple(evaluate(atom, Trace(rows), len(rows) - 1) for atom in self.automaton.atoms)
            letter.append(words.setdefault(word, len(words)))
        self.letter = np.array(letter, np.int64)[which.reshape(-1)]
        steps = [[self.automaton.step(q, list(word)) for word in words] for q in range(self.automaton.size)]
        self.steps = np.array(steps, np.int64)

    def _entered(self, memory: Any, states: Any) -> Any:
        """The pairs in which the automaton is when it reads states after ``memory``; all must be in the set."""
        after = self.steps[memory, self.letter[states]]
        if (after >= self.automaton.size).any():
            raise RejectedError("a state reads what the formula's types rule out")
        keys = states * self.automaton.size + after
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        if (self.keys[at] != keys).any():
            raise RejectedError("a transition leads out of the set")
        return at

    def closed(self, horizon: int | None, safe: bool) -> None:
        """Reject unless the set holds the starts, is closed, and shows the formula."""
        bad, good = (kind[self.memory] for kind in final(self.automaton))
        start = self._entered(np.zeros(len(self.starts), np.int64), self.starts)
        if horizon is None and bad.any():
            raise RejectedError("a pair of the set violates the formula")
        first = np.searchsorted(self.source, np.arange(self.count + 1))
        pairs = np.flatnonzero(~(bad | good))  # what is final stays so
        fan = first[self.state[pairs] + 1] - first[self.state[pairs]]
        taken = np.repeat(pairs, fan)
        ends = np.cumsum(fan)
        edge = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(first[self.state[pairs]] - (ends - fan), fan)
        after = self._entered(self.memory[taken], self.target[edge]) if len(edge) else edge
        self.looked = len(edge)
        if horizon is None:
            return
        if horizon * self.looked > WORK:
            raise RejectedError("it is about too many steps")
        failing = bad if safe else bad | (~good & ~np.array(self.automaton.accepting)[self.memory])
        ended = failing.copy()
        ended[pairs[fan > 0]] = False
        for _ in range(horizon):
            before, failing = failing, ended.copy()
            failing[taken[before[after]]] = True
        if failing[start].any():
            raise RejectedError("a run of so many steps does not satisfy it")
