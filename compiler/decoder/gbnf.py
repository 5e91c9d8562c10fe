"""A byte automaton as a grammar in GBNF: the form in which servers take a constraint on what they write.

GBNF is the notation of llama.cpp (``grammars/README.md`` there); vLLM (``structured_outputs.grammar``) and SGLang
(``ebnf``) take it too. Each state that stands between two characters is a rule, each class of characters that leads to
one state an alternative, so the grammar is right-linear, deterministic, and exactly the language of the automaton; only
NUL is left out, which no server writes. Characters outside of ASCII stand for themselves: readers of the notation do
not agree on long escapes.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from agentc.compiler.decoder.bytes_automaton import DEAD, ByteAutomaton

Edge = tuple[int, int, int]
"""First and last code point, and the state behind."""

_PLAIN = frozenset(map(ord, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"))
_LITERAL = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


def gbnf(automaton: ByteAutomaton, state: int = 0, may_stop: bool = False, shortest: bool = False) -> str:
    """The grammar of the words that the automaton accepts from a state between two characters; its root is ``root``.

    Args:
        automaton: whose words they are.
        state: what was written already leads here.
        may_stop: whether the empty word is one, too.
        shortest: of every beginning only the shortest completions (in bytes), so that no word is longer than needed.
    """
    return _Grammar(_shortest(automaton) if shortest else automaton).write(state, may_stop)


def _shortest(automaton: ByteAutomaton) -> ByteAutomaton:
    """Only the bytes after which one byte less is missing."""
    left = automaton.remaining
    after = np.where(automaton.next == DEAD, np.iinfo(np.int32).max, left[automaton.next])
    nearer = after == (left - 1)[:, None]
    return ByteAutomaton(np.where(nearer, automaton.next, DEAD).astype(np.int32), automaton.accepting)


class _Grammar:
    def __init__(self, automaton: ByteAutomaton) -> None:
        self._automaton = automaton
        self._tails: dict[tuple[int, int], list[Edge]] = {}
        self._edges: dict[int, list[Edge]] = {}
        self._entered: dict[int, int] = {}

    def write(self, start: int, may_stop: bool) -> str:
        for state in self._reached(start):
            for _, _, target in self._edges[state]:
                self._entered[target] = self._entered.get(target, 0) + 1
        lines = []
        named = {start}
        todo = [start]
        for state in todo:  # grows as it goes
            alternatives = ['""'] if self._automaton.accepting[state] else []
            for target, edges in self._by_target(state).items():
                head, follower = self._chain(edges, target)
                if follower is None:
                    alternatives.append(head)
                    continue
                alternatives.append(f"{head} s{follower}")
                if follower not in named:
                    named.add(follower)
                    todo.append(follower)
            lines.append(f"s{state} ::= {' | '.join(alternatives)}")
        root = f"root ::= s{start} | \"\"" if may_stop else f"root ::= s{start}"
        return "\n".join([root, *lines]) + "\n"

    def _reached(self, start: int) -> Iterable[int]:
        todo = [start]
        for state in todo:  # grows as it goes
            self._edges[state] = self._characters(state)
            for _, _, target in self._edges[state]:
                if target not in self._edges:
                    self._edges[target] = []
                    todo.append(target)
        return todo

    def _by_target(self, state: int) -> dict[int, list[Edge]]:
        found: dict[int, list[Edge]] = {}
        for edge in self._edges[state]:
            found.setdefault(edge[2], []).append(edge)
        return found

    def _chain(self, edges: list[Edge], target: int) -> tuple[str, int | None]:
        """What leads to a state, and on to the next where there is a choice; None if nothing follows there."""
        literal = chr(edges[0][0]) if _single(edges) else None
        parts = [] if literal is not None else [_class(edges)]
        while not self._automaton.accepting[target] and self._entered[target] == 1:
            onward = self._edges[target]
            if not _single(onward):
                break
            literal = (literal or "") + chr(onward[0][0])
            target = onward[0][2]
        if literal:
            parts.append(_quoted(literal))
        ends = bool(self._automaton.accepting[target]) and not self._edges[target]
        return " ".join(parts), None if ends else target

    def _characters(self, state: int) -> list[Edge]:
        """The characters that may follow, in order, with the states behind them."""
        row = self._automaton.next[state]
        found: list[Edge] = []
        for byte in map(int, np.flatnonzero(row[:0x80] != DEAD)):
            if byte:
                _append(found, byte, byte, int(row[byte]))
        for byte in map(int, np.flatnonzero(row != DEAD)):
            if byte >= 0xC2:
                more = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
                base = (byte & (0x3F >> more)) << (6 * more)
                for lo, hi, target in self._tail(int(row[byte]), more):
                    _append(found, base + lo, base + hi, target)
        return found

    def _tail(self, state: int, more: int) -> list[Edge]:
        """The same inside of a character of which ``more`` bytes are missing."""
        if more == 0:
            return [(0, 0, state)]
        made = self._tails.get((state, more))
        if made is None:
            made = []
            row = self._automaton.next[state]
            for byte in map(int, np.flatnonzero(row[0x80:0xC0] != DEAD)):
                for lo, hi, target in self._tail(int(row[0x80 + byte]), more - 1):
                    base = byte << (6 * (more - 1))
                    _append(made, base + lo, base + hi, target)
            self._tails[state, more] = made
        return made


def _append(found: list[Edge], lo: int, hi: int, target: int) -> None:
    if found and found[-1][1] + 1 == lo and found[-1][2] == target:
        found[-1] = (found[-1][0], hi, target)
    else:
        found.append((lo, hi, target))


def _single(edges: list[Edge]) -> bool:
    """Whether one character alone is meant, and one that can stand in a literal."""
    if len(edges) != 1 or edges[0][0] != edges[0][1]:
        return False
    return edges[0][0] >= 32 or edges[0][0] in _LITERAL


def _quoted(text: str) -> str:
    return '"' + "".join(_LITERAL.get(ord(c), c) for c in text) + '"'


def _class(edges: list[Edge]) -> str:
    plain, escaped = [], []  # escapes last: some readers take a letter behind one for a digit of it
    for lo, hi, _ in edges:
        if lo in _PLAIN and (hi in _PLAIN or hi > 0x7F):
            plain.append(chr(lo) if lo == hi else f"{chr(lo)}-{chr(hi)}")
        else:
            escaped.append(_escape(lo) if lo == hi else f"{_escape(lo)}-{_escape(hi)}")
    return f"[{''.join([*plain, *escaped])}]"


def _escape(code: int) -> str:
    return chr(code) if code > 0x7F else f"\\x{code:02x}"
