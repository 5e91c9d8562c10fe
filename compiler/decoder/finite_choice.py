"""Finite choices inside of a language: which texts lead from a state to where all of its words come together again.

The words that go on from a state come together at its post-dominators: the states that every way to an accepted end
goes through. If few texts lead to one, and what follows it is forced, they are a choice (the members of an enum, the
numbers of a short range) that can be drawn as a whole, instead of token by token. Where nothing is forced the word goes
on, as behind the first letter of a name: to choose that would be to spell.

Source: Lengauer, Tarjan, *A fast algorithm for finding dominators in a flowgraph*, TOPLAS 1979, for the notion. Here a
state is tested by leaving it out, along one shortest word.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton

MAX_REGION = 2_000
"""The most states between a state and where its words come together."""


def finite_choice(automaton: ByteAutomaton, state: int, most: int) -> tuple[bytes, ...]:
    """The texts from a state to where its words come together, with what is forced before and behind.

    Empty where there is no choice, or more than ``most`` texts.
    """
    before, branching = _forced(automaton, state)
    if automaton.accepting[branching] or len(_edges(automaton, branching)) < 2:
        return ()
    for joined in _shortest(automaton, branching):
        behind, last = _forced(automaton, joined)
        ended = bool(automaton.accepting[last]) and not _edges(automaton, last)
        if (behind or ended) and _encloses(automaton, branching, joined):
            words = _words(automaton, branching, joined, most)
            return tuple(before + word + behind for word in words)
    return ()


def _forced(automaton: ByteAutomaton, state: int) -> tuple[bytes, int]:
    found = bytearray()
    seen = {state}
    while not automaton.accepting[state]:
        onward = np.flatnonzero(automaton.next[state] != DEAD)
        after = int(automaton.next[state, onward[0]]) if len(onward) == 1 else DEAD
        if after in seen or after == DEAD:
            break
        seen.add(after)
        found.append(int(onward[0]))
        state = after
    return bytes(found), state


@lru_cache(maxsize=65_536)
def _edges(automaton: ByteAutomaton, state: int) -> tuple[tuple[int, int], ...]:
    """The bytes that may follow a state, each with the state after it."""
    row = automaton.next[state]
    return tuple((int(byte), int(row[byte])) for byte in np.flatnonzero(row != DEAD))


def _shortest(automaton: ByteAutomaton, state: int) -> list[int]:
    """The states of a shortest word from a state, itself left out; at most ``MAX_REGION`` states are looked at."""
    came = {state: state}
    layer = [state]
    while layer:
        following: list[int] = []
        for s in layer:
            if automaton.accepting[s]:
                found = []
                while s != state:
                    found.append(s)
                    s = came[s]
                return found[::-1]
            for target in dict.fromkeys(t for _, t in _edges(automaton, s)):
                if target not in came:
                    came[target] = s
                    following.append(target)
        if len(came) > MAX_REGION:
            return []
        layer = following
    return []


def _encloses(automaton: ByteAutomaton, state: int, out: int) -> bool:
    """Whether no word from a state ends without going through another one."""
    seen = {state}
    todo = [state]
    for s in todo:
        if automaton.accepting[s] or len(seen) > MAX_REGION:
            return False
        for _, target in _edges(automaton, s):
            if target != out and target not in seen:
                seen.add(target)
                todo.append(target)
    return True


def _words(automaton: ByteAutomaton, state: int, joined: int, most: int) -> tuple[bytes, ...]:
    """All texts that lead from a state to another one for the first time; empty if there are more than ``most``."""
    found: list[bytes] = []
    stack: list[tuple[int, bytes]] = [(state, b"")]
    while stack:
        at, word = stack.pop()
        if len(word) > MAX_REGION or len(found) + len(stack) > most:
            return ()
        for byte, target in reversed(_edges(automaton, at)):
            longer = word + bytes([byte])
            if target == joined:
                found.append(longer)
            else:
                stack.append((target, longer))
    return tuple(sorted(found)) if len(found) <= most else ()
