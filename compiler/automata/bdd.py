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
from collections.abc import Callable, Iterator
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
    """A table of nodes and the operations on them: ``node var terminal and_ or_ not_ ite match``."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.level = [CONSTANT_LEVEL, CONSTANT_LEVEL]
        self.low = [0, 1]
        self.high = [0, 1]
        self.values = {0: 0, 1: 1}
        """The numbers that constants stand for, by node."""
        self._unique: dict[tuple[int, int, int], int] = {}
        self._match: dict[tuple[int, int], int] = {}
        self.node = _node(self, self._unique)
        self.not_ = _not(self)
        self.and_ = _lattice(self, zero=0)
        self.or_ = _lattice(self, zero=1)
        self.ite = _ite(self)

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


# The operations are functions over the tables, and not methods: looking up attributes would be a third of their time.


def _node(bdd: Bdd, unique: dict[tuple[int, int, int], int]) -> Callable[[int, int, int], int]:
    level, low, high, budget = bdd.level, bdd.low, bdd.high, bdd.budget

    def node(top: int, a: int, b: int) -> int:
        """``b`` if the variable of level ``top`` is true, else ``a``; both must lie below that level."""
        if a == b:
            return a
        key = (top, a, b)
        made = unique.get(key)
        if made is None:
            made = unique[key] = len(level)
            level.append(top)
            low.append(a)
            high.append(b)
            if not made & 511:
                budget.spend(nodes=made)
        return made

    return node


def _not(bdd: Bdd) -> Callable[[int], int]:
    level, low, high, node = bdd.level, bdd.low, bdd.high, bdd.node
    memo = {0: 1, 1: 0}

    def not_(a: int) -> int:
        """Negation."""
        made = memo.get(a)
        if made is None:
            made = memo[a] = node(level[a], not_(low[a]), not_(high[a]))
            memo[made] = a
        return made

    return not_


def _lattice(bdd: Bdd, zero: int) -> Callable[[int, int], int]:
    """Conjunction (``zero`` is false) or disjunction (it is true)."""
    level, low, high, node = bdd.level, bdd.low, bdd.high, bdd.node
    memo: dict[tuple[int, int], int] = {}

    def meet(a: int, b: int) -> int:
        """Both, or either."""
        if a == b:
            return a
        if a > b:
            a, b = b, a
        if a < 2:
            return zero if a == zero else b
        if b < 2:
            return zero if b == zero else a
        key = (a, b)
        made = memo.get(key)
        if made is None:
            la, lb = level[a], level[b]
            if la == lb:
                made = node(la, meet(low[a], low[b]), meet(high[a], high[b]))
            elif la < lb:
                made = node(la, meet(low[a], b), meet(high[a], b))
            else:
                made = node(lb, meet(a, low[b]), meet(a, high[b]))
            memo[key] = made
        return made

    return meet


def _ite(bdd: Bdd) -> Callable[[int, int, int], int]:
    level, low, high, node = bdd.level, bdd.low, bdd.high, bdd.node
    and_, or_, not_ = bdd.and_, bdd.or_, bdd.not_
    memo: dict[tuple[int, int, int], int] = {}

    def ite(a: int, b: int, c: int) -> int:
        """``b`` where ``a`` holds, ``c`` elsewhere."""
        if a < 2:
            return b if a else c
        if b == c:
            return b
        if b < 2:
            if b:
                return a if c == 0 else or_(a, c)
            return not_(a) if c == 1 else and_(not_(a), c)
        if c < 2:
            return or_(not_(a), b) if c else and_(a, b)
        key = (a, b, c)
        made = memo.get(key)
        if made is None:
            la, lb, lc = level[a], level[b], level[c]
            top = la if la < lb else lb
            if lc < top:
                top = lc
            a0, a1 = (low[a], high[a]) if la == top else (a, a)
            b0, b1 = (low[b], high[b]) if lb == top else (b, b)
            c0, c1 = (low[c], high[c]) if lc == top else (c, c)
            made = memo[key] = node(top, ite(a0, b0, c0), ite(a1, b1, c1))
        return made

    return ite
