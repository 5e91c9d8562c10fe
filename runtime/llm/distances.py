"""How many tokens a word still needs at least: a byte automaton times the tokens.

``distance[q]`` is the least number of tokens after which the automaton accepts from ``q``: a breadth-first search
backwards over the states, whose edges are tokens. One state costs one pass over the vocabulary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton
from agentc.runtime.llm.vocabulary import Vocabulary

FAR = np.iinfo(np.int32).max // 4
"""The distance where no sequence of tokens spells an accepted word."""


class Distances:
    """Distances of automata over one vocabulary; each is computed once."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._made: dict[int, tuple[ByteAutomaton, NDArray[np.int32]]] = {}

    def of(self, automaton: ByteAutomaton) -> NDArray[np.int32]:
        """The distance of each state, int32 ``(states,)``; ``FAR`` where there is none."""
        made = self._made.get(id(automaton))
        if made is None:
            made = self._made[id(automaton)] = (automaton, self._compute(automaton))
        return made[1]

    def _compute(self, automaton: ByteAutomaton) -> NDArray[np.int32]:
        before: list[list[int]] = [[] for _ in range(automaton.size)]
        for state in range(automaton.size):
            targets = np.unique(self._vocabulary.advance(automaton, state))
            for target in targets[targets != DEAD]:
                before[int(target)].append(state)
        distance = np.where(automaton.accepting, 0, FAR).astype(np.int32)
        layer = [int(s) for s in np.flatnonzero(automaton.accepting)]
        steps = 0
        while layer:
            steps += 1
            following = []
            for target in layer:
                for source in before[target]:
                    if distance[source] > steps:
                        distance[source] = steps
                        following.append(source)
            layer = following
        return distance
