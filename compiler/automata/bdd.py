"""Reduced ordered binary decision diagrams in plain Python: the residuals of the translation live here.

Source: Bryant, *Graph-based algorithms for Boolean function manipulation*, IEEE Trans. Computers 35(8), 1986;
``match``: Shiple, Hojati, Sangiovanni-Vincentelli, Brayton, *Heuristic minimization of BDDs using don't cares*, DAC
1994, the two-sided criterion.

A function is an ``int``: 0 is false, 1 is true, others are nodes; equal functions are equal integers. Variables are
levels: smaller ones are tested first. Recursion is bounded by the number of levels, see :func:`recursion`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

CONSTANT_LEVEL = 1 << 60
"""The level of the constants: below all variables."""


class OverBudgetError(Exception):
    """More nodes, states or time than allowed; ``limit`` says which in words."""

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit


BYTES_A_NODE = 600
"""What a node of a diagram takes with its share of the tables of operations: measured, rounded up."""
MAX_MEMORY = 2 << 30
"""Bytes that one construction may use unless it is told otherwise."""


class Budget:
    """What a construction may use. :meth:`spend` raises :class:`OverBudgetError` when it is used up.

    ``memory`` is in bytes, counted as nodes of diagrams (:data:`BYTES_A_NODE` each).
    """

    def __init__(self, states: int, seconds: float, memory: int = MAX_MEMORY) -> None:
        self.states, self.seconds, self.memory = states, seconds, memory
        self.nodes = max(memory // BYTES_A_NODE, 2)
        self.deadline = time.monotonic() + seconds

    def spend(self, nodes: int = 0, states: int = 0) -> None:
        """Check the number of nodes and states in use, and the clock."""
        if states > self.states:
            raise OverBudgetError(f"{self.states:,} states")
        if nodes > self.nodes:
            raise OverBudgetError(f"{self.memory / (1 << 20):,.0f} MB")
        if time.monotonic() > self.deadline:
            raise OverBudgetError(f"{self.seconds:g} seconds")

    def part(self, states: int, share: float, nodes: int | None = None) -> Budget:
        """A smaller one, that ends after ``share`` of the time that is left."""
        left = max(self.deadline - time.monotonic(), 0.0) * share
        made = Budget(min(states, self.states), self.seconds, self.memory)
        made.deadline = min(self.deadline, time.monotonic() + left)
        if nodes is not None:
            made.nodes = min(nodes, self.nodes)
        return made


@contextmanager
def recursion(levels: int) -> Iterator[None]:
    """Room for diagrams of that many levels: they recurse a bounded number of frames for each level."""
    before = sys.getrecursionlimit()
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    sys.setrecursionlimit(max(before, depth + 4 * levels + 500))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


class Bdd:
    """A table of nodes and the operations on them."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.level = [CONSTANT_LEVEL, CONSTANT_LEVEL]
        self.low = [0, 1]
        self.high = [0, 1]
        self.values = {0: 0, 1: 1}
        """The numbers that constants stand for, by node."""
        self._unique: dict[tuple[int, int, int], int] = {}
        self._and: dict[tuple[int, int], int] = {}
        self._or: dict[tuple[int, int], int] = {}
        self._not: dict[int, int] = {0: 1, 1: 0}
        self._ite: dict[tuple[int, int, int], int] = {}
        self._match: dict[tuple[int, int], int] = {}

    def node(self, level: int, low: int, high: int) -> int:
        """``high`` if the variable of ``level`` is true, else ``low``; both must lie below that level."""
        if low == high:
            return low
        key = (level, low, high)
        made = self._unique.get(key)
        if made is None:
            made = len(self.level)
            self._unique[key] = made
            self.level.append(level)
            self.low.append(low)
            self.high.append(high)
            if not made & 511:
                self.budget.spend(nodes=made)
        return made

    def terminal(self, value: int) -> int:
        """The constant that stands for a number; those of 0 and 1 are false and true."""
        if value < 2:
            return value
        key = (CONSTANT_LEVEL, value, value)
        made = self._unique.get(key)
        if made is None:
            made = len(self.level)
            self._unique[key] = made
            self.level.append(CONSTANT_LEVEL)
            self.low.append(made)
            self.high.append(made)
            self.values[made] = value
        return made

    def var(self, level: int) -> int:
        """The variable of a level."""
        return self.node(level, 0, 1)

    def not_(self, a: int) -> int:
        """Negation."""
        made = self._not.get(a)
        if made is None:
            made = self.node(self.level[a], self.not_(self.low[a]), self.not_(self.high[a]))
            self._not[a], self._not[made] = made, a
        return made

    def and_(self, a: int, b: int) -> int:
        """Conjunction."""
        if a == b:
            return a
        if a > b:
            a, b = b, a
        if a < 2:
            return b if a else 0
        key = (a, b)
        made = self._and.get(key)
        if made is None:
            la, lb = self.level[a], self.level[b]
            if la == lb:
                made = self.node(la, self.and_(self.low[a], self.low[b]), self.and_(self.high[a], self.high[b]))
            elif la < lb:
                made = self.node(la, self.and_(self.low[a], b), self.and_(self.high[a], b))
            else:
                made = self.node(lb, self.and_(a, self.low[b]), self.and_(a, self.high[b]))
            self._and[key] = made
        return made

    def or_(self, a: int, b: int) -> int:
        """Disjunction."""
        if a == b:
            return a
        if a > b:
            a, b = b, a
        if a < 2:
            return 1 if a else b
        key = (a, b)
        made = self._or.get(key)
        if made is None:
            la, lb = self.level[a], self.level[b]
            if la == lb:
                made = self.node(la, self.or_(self.low[a], self.low[b]), self.or_(self.high[a], self.high[b]))
            elif la < lb:
                made = self.node(la, self.or_(self.low[a], b), self.or_(self.high[a], b))
            else:
                made = self.node(lb, self.or_(a, self.low[b]), self.or_(a, self.high[b]))
            self._or[key] = made
        return made

    def ite(self, a: int, b: int, c: int) -> int:
        """``b`` where ``a`` holds, ``c`` elsewhere."""
        if a < 2:
            return b if a else c
        if b == c:
            return b
        if b == 1 or a == b:
            return self.or_(a, c)
        if c == 0 or a == c:
            return self.and_(a, b)
        if b == 0:
            return self.and_(self.not_(a), c)
        if c == 1:
            return self.or_(self.not_(a), b)
        key = (a, b, c)
        made = self._ite.get(key)
        if made is None:
            level, low, high = self.level, self.low, self.high
            top = min(level[a], level[b], level[c])
            a0, a1 = (low[a], high[a]) if level[a] == top else (a, a)
            b0, b1 = (low[b], high[b]) if level[b] == top else (b, b)
            c0, c1 = (low[c], high[c]) if level[c] == top else (c, c)
            made = self.node(top, self.ite(a0, b0, c0), self.ite(a1, b1, c1))
            self._ite[key] = made
        return made

    def match(self, a: int, care: int) -> int:
        """A function that agrees with ``a`` where ``care`` holds, often smaller; ``care`` is not false.

        A variable is dropped where the two functions beside it agree on what is cared for in both.
        """
        if care == 1 or a < 2:
            return a
        key = (a, care)
        made = self._match.get(key)
        if made is None:
            la, lc = self.level[a], self.level[care]
            if lc < la:
                made = self.match(a, self.or_(self.low[care], self.high[care]))
            else:
                a0, a1 = self.low[a], self.high[a]
                c0, c1 = (self.low[care], self.high[care]) if lc == la else (care, care)
                if c0 == 0:
                    made = self.match(a1, c1)
                elif c1 == 0:
                    made = self.match(a0, c0)
                elif self.and_(self.and_(c0, c1), self.ite(a0, self.not_(a1), a1)) == 0:
                    made = self.match(self.ite(c1, a1, a0), self.or_(c0, c1))
                else:
                    made = self.node(la, self.match(a0, c0), self.match(a1, c1))
            self._match[key] = made
        return made
