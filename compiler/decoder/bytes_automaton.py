"""Byte automata of regular languages of texts, by derivatives.

Every table is dense and complete: ``next[state, byte]`` is a state or ``DEAD``; states from which no word is left are
removed, so that a byte that leads to ``DEAD`` is one that no word of the language goes on with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.decoder import regular
from agentc.compiler.decoder.regular import EMPTY, EPSILON, Language, alt, both, cat, complement, repeat

DEAD = -1
MAX_STATES = 6_000


class TooLargeError(Exception):
    """The automaton has more states than ``limit``."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} states")
        self.limit = limit


@dataclass(frozen=True, eq=False)
class ByteAutomaton:
    """A trimmed deterministic automaton over bytes; state 0 is initial. It is empty if it has no state.

    ``next`` is int32 ``(states, 256)``, ``accepting`` bool ``(states,)``.
    """

    next: NDArray[np.int32]
    accepting: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """The number of states."""
        return len(self.accepting)

    def run(self, data: bytes, state: int = 0) -> int:
        """The state after some bytes, or ``DEAD``."""
        if not self.size:
            return DEAD
        for byte in data:
            if state == DEAD:
                return DEAD
            state = int(self.next[state, byte])
        return state

    def accepts(self, text: str | bytes) -> bool:
        """Whether the whole text is in the language."""
        state = self.run(text.encode() if isinstance(text, str) else text)
        return state != DEAD and bool(self.accepting[state])

    def next_bad(self, text: str) -> int:
        """The index of the first character that cannot follow those before it; the length if all can."""
        state = 0 if self.size else DEAD
        for i, character in enumerate(text):
            state = self.run(character.encode(), state) if state != DEAD else DEAD
            if state == DEAD:
                return i
        return len(text)

    def shortest(self) -> bytes | None:
        """A shortest word, the least among those; None if there is none."""
        if not self.size:
            return None
        came: dict[int, bytes] = {0: b""}
        layer = [0]
        while layer:
            following = []
            for s in layer:
                if self.accepting[s]:
                    return came[s]
                for byte in range(256):
                    t = int(self.next[s, byte])
                    if t != DEAD and t not in came:
                        came[t] = came[s] + bytes([byte])
                        following.append(t)
            layer = following
        return None

    def forced(self) -> bytes:
        """The longest beginning that all words have in common."""
        found = bytearray()
        state = 0
        while self.size and not self.accepting[state]:
            onward = np.flatnonzero(self.next[state] != DEAD)
            if len(onward) != 1:
                break
            found.append(int(onward[0]))
            state = int(self.next[state, onward[0]])
        return bytes(found)

    @cached_property
    def remaining(self) -> NDArray[np.int32]:
        """The fewest bytes to a word's end from each state, int32 ``(states,)``."""
        far = np.iinfo(np.int32).max // 2
        found = np.where(self.accepting, 0, far).astype(np.int32)
        while True:
            after = np.where(self.next == DEAD, far, found[self.next]).min(axis=1, initial=far)
            nearer = np.minimum(found, after + 1).astype(np.int32)
            if (nearer == found).all():
                return found
            found = nearer

    @property
    def prefix_free(self) -> bool:
        """Whether no word of the language is the beginning of another one."""
        return not bool((self.next[self.accepting] != DEAD).any())


@lru_cache(maxsize=512)
def byte_automaton(of: Language, max_states: int = MAX_STATES) -> ByteAutomaton:
    """The automaton of the UTF-8 of the texts of a language. Raises :class:`TooLargeError`."""
    root = _over_bytes(of)
    number = {root: 0}
    order = [root]
    rows: list[NDArray[np.int32]] = []
    for state in order:  # grows as it goes
        row = np.full(256, DEAD, np.int32)
        for mask in _classes(state):
            byte = (mask & -mask).bit_length() - 1
            after = _derivative(state, byte)
            if after is EMPTY:
                continue
            at = number.get(after)
            if at is None:
                at = number[after] = len(order)
                order.append(after)
                if len(order) > max_states:
                    raise TooLargeError(max_states)
            row[_members(mask)] = at
        rows.append(row)
    accepting = np.array([s.nullable for s in order], np.bool_)
    return _trimmed(np.stack(rows), accepting)


@lru_cache(maxsize=512)
def shortest_word(of: Language, max_states: int = MAX_STATES) -> bytes | None:
    """A shortest word of the UTF-8 of the texts of a language, the least among those; None if there is none.

    Only the states that are nearer than its end are made, so that languages whose automaton is too large have one.
    Raises :class:`TooLargeError`.
    """
    root = _over_bytes(of)
    seen = {root}
    layer = [(root, b"")]
    while layer:
        following = []
        for state, word in layer:
            if state.nullable:
                return word
            for byte in sorted((m & -m).bit_length() - 1 for m in _classes(state)):
                after = _derivative(state, byte)
                if after is not EMPTY and after not in seen:
                    seen.add(after)
                    following.append((after, word + bytes([byte])))
                    if len(seen) > max_states:
                        raise TooLargeError(max_states)
        layer = following
    return None


def _trimmed(table: NDArray[np.int32], accepting: NDArray[np.bool_]) -> ByteAutomaton:
    """Without the states from which no accepting one is reached."""
    count = len(accepting)
    sources, _ = np.nonzero(table != DEAD)
    targets = table[table != DEAD]
    live = accepting.copy()
    while True:
        grown = live.copy()
        grown[sources[live[targets]]] = True
        if (grown == live).all():
            break
        live = grown
    if not count or not live[0]:
        return ByteAutomaton(np.zeros((0, 256), np.int32), np.zeros(0, np.bool_))
    renamed = np.full(count + 1, DEAD, np.int32)
    renamed[:count][live] = np.arange(int(live.sum()), dtype=np.int32)
    return ByteAutomaton(renamed[table[live]], accepting[live])


# ---------------------------------------------------------------- from characters to bytes


def _over_bytes(root: Language) -> Language:
    """The language with each class of characters as the sequences of bytes of its UTF-8."""

    def substrings(node: Language) -> Language:
        bytes_of = [c.encode() for c in node.chunks]
        starts = np.cumsum([0, *map(len, bytes_of)])
        flat = tuple(chr(b) for chunk in bytes_of for b in chunk)
        ends = frozenset(int(s) for s in starts)
        return _sub(flat, ends, frozenset(int(starts[i]) for i in node.at))

    return regular.rewritten(root, _utf8, substrings)


def _sub(flat: tuple[str, ...], ends: frozenset[int], at: frozenset[int]) -> Language:
    """Substrings of bytes that begin at one of ``at`` and end at one of ``ends``; kept in the shape of ``sub``."""
    if not at:
        return EMPTY
    marked = ("".join(flat), ",".join(map(str, sorted(ends))))
    return regular._make("sub", bool(at & ends), chunks=marked, at=at)


_ends: dict[str, frozenset[int]] = {}


def _ends_of(text: str) -> frozenset[int]:
    made = _ends.get(text)
    if made is None:
        made = _ends[text] = frozenset(map(int, text.split(",")))
    return made


Sequence = tuple[tuple[int, int], ...]


@lru_cache(maxsize=4096)
def _utf8(ranges: regular.Ranges) -> Language:
    return _factored(tuple(tuple(s) for lo, hi in ranges for s in _sequences(lo, hi)))


@lru_cache(maxsize=65_536)
def _factored(sequences: tuple[Sequence, ...]) -> Language:
    """Sequences of ranges of bytes, by their first byte: as a trie whose equal branches are one object."""
    by_byte: dict[int, list[Sequence]] = {}
    for sequence in sequences:
        for byte in range(sequence[0][0], sequence[0][1] + 1):
            by_byte.setdefault(byte, []).append(sequence[1:])
    by_rest: dict[tuple[Sequence, ...], list[tuple[int, int]]] = {}
    for byte, rests in by_byte.items():
        by_rest.setdefault(tuple(dict.fromkeys(rests)), []).append((byte, byte))
    parts = []
    for tails, first in by_rest.items():
        rest = EPSILON if () in tails else _factored(tails)
        parts.append(cat(regular.chars(first), rest))
    return alt(*parts)


def _sequences(lo: int, hi: int) -> Iterable[list[tuple[int, int]]]:
    """The code points of a range as sequences of ranges of bytes."""
    for a, b in ((0, 0x7F), (0x80, 0x7FF), (0x800, 0xD7FF), (0xE000, 0xFFFF), (0x10000, regular.MAX_CODE)):
        first, last = max(lo, a), min(hi, b)
        if first <= last:
            yield from _split(first, last)


def _split(lo: int, hi: int) -> Iterable[list[tuple[int, int]]]:
    """The same for code points whose UTF-8 is equally long."""
    low, high = chr(lo).encode(), chr(hi).encode()
    n = len(low)
    for i in range(1, n):  # cut where the last i bytes do not run over their whole range
        bits = 6 * i
        mask = (1 << bits) - 1
        if lo & ~mask != hi & ~mask:
            if lo & mask:
                yield from _split(lo, lo | mask)
                yield from _split((lo | mask) + 1, hi)
                return
            if hi & mask != mask:
                yield from _split(lo, (hi & ~mask) - 1)
                yield from _split(hi & ~mask, hi)
                return
    yield list(zip(low, high, strict=True))


# ---------------------------------------------------------------- derivatives over bytes

EVERY = (1 << 256) - 1


def _mask(ranges: regular.Ranges) -> int:
    made = 0
    for lo, hi in ranges:
        made |= (1 << (hi + 1)) - (1 << lo)
    return made


@lru_cache(maxsize=65_536)
def _members(mask: int) -> NDArray[np.intp]:
    return np.array([b for b in range(256) if mask >> b & 1], np.intp)


_class_memo: dict[int, tuple[int, ...]] = {}


def _classes(of: Language) -> tuple[int, ...]:
    """Sets of bytes, as masks, that the language does not tell apart: a partition of all bytes."""
    stack = [of]
    while stack:
        node = stack[-1]
        if node.id in _class_memo:
            stack.pop()
            continue
        needed = _looked_at(node)
        open_ = [p for p in needed if p.id not in _class_memo]
        if open_:
            stack += open_
            continue
        stack.pop()
        match node.op:
            case "chars":
                mask = _mask(node.ranges)
                made = tuple(m for m in (mask, EVERY & ~mask) if m)
            case "sub":
                text = node.chunks[0]
                present = {1 << ord(text[i]) for i in node.at if i < len(text)}
                rest = EVERY
                for m in present:
                    rest &= ~m
                made = (*sorted(present), *((rest,) if rest else ()))
            case _:
                made = (EVERY,)
                for p in needed:
                    made = _refined(made, _class_memo[p.id])
        _class_memo[node.id] = made
    return _class_memo[of.id]


def _refined(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    if a == (EVERY,):
        return b
    if b == (EVERY,):
        return a
    return tuple(m for x in a for y in b if (m := x & y))


def _looked_at(node: Language) -> tuple[Language, ...]:
    """The parts that say which bytes may come first."""
    if node.op == "cat":
        return node.parts if node.parts[0].nullable else node.parts[:1]
    return node.parts


_derivative_memo: dict[tuple[int, int], Language] = {}


def _derivative(of: Language, byte: int) -> Language:
    """What is left of the words that begin with a byte."""
    stack = [of]
    while stack:
        node = stack[-1]
        key = (node.id, byte)
        if key in _derivative_memo:
            stack.pop()
            continue
        needed = _looked_at(node)
        open_ = [p for p in needed if (p.id, byte) not in _derivative_memo]
        if open_:
            stack += open_
            continue
        stack.pop()
        inner = [_derivative_memo[p.id, byte] for p in needed]
        match node.op:
            case "chars":
                made = EPSILON if any(lo <= byte <= hi for lo, hi in node.ranges) else EMPTY
            case "cat":
                made = cat(inner[0], node.parts[1])
                if node.parts[0].nullable:
                    made = alt(made, inner[1])
            case "alt":
                made = alt(*inner)
            case "and":
                made = both(*inner)
            case "not":
                made = complement(inner[0])
            case "rep":
                least, most = node.bounds
                rest = repeat(node.parts[0], max(least - 1, 0), None if most is None else most - 1)
                made = cat(inner[0], rest)
            case "sub":
                text = node.chunks[0]
                at = frozenset(i + 1 for i in node.at if i < len(text) and ord(text[i]) == byte)
                made = _sub(tuple(text), _ends_of(node.chunks[1]), at)
            case _:
                made = EMPTY
        _derivative_memo[key] = made
    return _derivative_memo[of.id, byte]
