"""Multi-terminal decision diagrams over letters: the transition functions of an automaton, one root per state.

Source: Henriksen et al., *Mona: Monadic second-order logic in practice*, TACAS 1995, section 4.

A reference ``>= 0`` is a node ``(level, low, high)``, level ``i`` testing atom ``i``; a reference ``< 0`` is the leaf
``~x``, where ``x`` is the next state. The leaf :data:`OUTSIDE` stands for letters that cannot occur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from agentc.compiler.logic.alphabet import Alphabet, Letter

LEAF_LEVEL = 1 << 60
OUTSIDE = ~(1 << 60)
"""The leaf of the letters that the alphabet rules out, while a diagram is built."""
NO, YES = ~0, ~1
"""Leaves of diagrams that are sets of letters."""

Nodes = Sequence[tuple[int, int, int]]


class Mtbdd:
    """A table of nodes; equal functions are equal references."""

    def __init__(self, nodes: Iterable[tuple[int, int, int]] = ()) -> None:
        self.nodes: list[tuple[int, int, int]] = list(nodes)
        self._unique = {row: at for at, row in enumerate(self.nodes)}

    @classmethod
    def over(cls, nodes: list[tuple[int, int, int]]) -> Mtbdd:
        """A table of these nodes, which are all different; they are known again only if they are asked for."""
        made = cls()
        made.nodes = nodes
        return made

    def node(self, level: int, low: int, high: int) -> int:
        """``high`` if atom ``level`` holds, else ``low``."""
        if low == high:
            return low
        row = (level, low, high)
        made = self._unique.get(row)
        if made is None:
            made = len(self.nodes)
            self._unique[row] = made
            self.nodes.append(row)
        return made

    def level(self, ref: int) -> int:
        """The first atom that is tested."""
        return LEAF_LEVEL if ref < 0 else self.nodes[ref][0]

    def apply(self, operation: Callable[[int, int], int], a: int, b: int, memo: dict[tuple[int, int], int]) -> int:
        """The diagram whose leaves are ``operation`` of the leaves of two; ``memo`` belongs to the operation."""
        if a < 0 and b < 0:
            return operation(a, b)
        key = (a, b)
        made = memo.get(key)
        if made is None:
            la, lb = self.level(a), self.level(b)
            top = min(la, lb)
            a0, a1 = self.nodes[a][1:] if la == top else (a, a)
            b0, b1 = self.nodes[b][1:] if lb == top else (b, b)
            made = self.node(top, self.apply(operation, a0, b0, memo), self.apply(operation, a1, b1, memo))
            memo[key] = made
        return made

    def map(self, operation: Callable[[int], int], a: int, memo: dict[int, int]) -> int:
        """The diagram with every leaf replaced."""
        if a < 0:
            return operation(a)
        made = memo.get(a)
        if made is None:
            level, low, high = self.nodes[a]
            made = memo[a] = self.node(level, self.map(operation, low, memo), self.map(operation, high, memo))
        return made

    def select(self, level: int, low: int, high: int, memo: dict[tuple[int, int, int], int]) -> int:
        """``high`` if atom ``level`` holds, else ``low``, where these may test any atom."""
        top = min(level, self.level(low), self.level(high))
        if low == high or top == level:
            return self.node(level, self._cofactor(low, level, 1), self._cofactor(high, level, 2))
        key = (level, low, high)
        made = memo.get(key)
        if made is None:
            l0, l1 = self.nodes[low][1:] if self.level(low) == top else (low, low)
            h0, h1 = self.nodes[high][1:] if self.level(high) == top else (high, high)
            made = memo[key] = self.node(top, self.select(level, l0, h0, memo), self.select(level, l1, h1, memo))
        return made

    def _cofactor(self, ref: int, level: int, side: int) -> int:
        return self.nodes[ref][side] if self.level(ref) == level else ref

    def mask(self, a: int, care: int, memo: dict[tuple[int, int], int]) -> int:
        """The diagram with the letters outside of ``care`` sent to :data:`OUTSIDE`."""
        return self.apply(lambda x, y: x if y == YES else OUTSIDE, a, care, memo)

    def letters(self, alphabet: Alphabet, *, at_reset: bool) -> int:
        """The set of letters that can occur, at step 0 or later."""
        ref = YES
        below = len(alphabet.atoms)
        for group in reversed(alphabet.groups):
            below -= len(group.atoms)
            allowed = group.first if at_reset else group.later
            if allowed is not None:
                ref = self._set(tuple(sorted(allowed)), below, 0, len(group.atoms), ref, {})
        return ref

    def _set(
        self,
        allowed: tuple[Letter, ...],
        first: int,
        at: int,
        width: int,
        rest: int,
        memo: dict[tuple[Letter, ...], int],
    ) -> int:
        """The letters of one group, as a trie; the columns before ``at`` have been decided and cut off."""
        if not allowed:
            return NO
        if at == width:
            return rest
        made = memo.get(allowed)
        if made is None:
            low = tuple(x[1:] for x in allowed if not x[0])
            high = tuple(x[1:] for x in allowed if x[0])
            made = memo[allowed] = self.node(
                first + at,
                self._set(low, first, at + 1, width, rest, memo),
                self._set(high, first, at + 1, width, rest, memo),
            )
        return made

    def union(self, a: int, b: int) -> int:
        """The letters of either set."""
        return a if a == b else self.apply(lambda x, y: YES if YES in (x, y) else NO, a, b, {})

    def leaves(self, ref: int) -> frozenset[int]:
        """The states that a diagram leads to, :data:`OUTSIDE` left out."""
        found, seen, todo = set(), set(), [ref]
        while todo:
            r = todo.pop()
            if r < 0:
                if r != OUTSIDE:
                    found.add(~r)
            elif r not in seen:
                seen.add(r)
                todo += self.nodes[r][1:]
        return frozenset(found)

    def generalize(self, ref: int, memo: dict[int, int]) -> int:
        """The diagram with the letters that cannot occur sent where a neighbouring letter goes."""
        if ref < 0:
            return ref
        made = memo.get(ref)
        if made is None:
            level, low, high = self.nodes[ref]
            low, high = self.generalize(low, memo), self.generalize(high, memo)
            made = high if low == OUTSIDE else low if high == OUTSIDE else self.node(level, low, high)
            memo[ref] = made
        return made

    def follow(self, ref: int, letter: Sequence[bool] | Mapping[int, bool]) -> int:
        """The leaf that a letter leads to."""
        while ref >= 0:
            level, low, high = self.nodes[ref]
            ref = high if letter[level] else low
        return ref
