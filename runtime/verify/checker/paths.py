"""Paths of a program over whole numbers, for the checker of ``induction`` certificates: decisions, ranges, refutations.

The values of a path are linear forms over whole-number variables with ranges, coefficients exact. A comparison that the
ranges do not decide is followed both ways; after each such step an oracle, which is the certificate, says whether the
path goes on (``0``), which multiples of its constraints add up to a contradiction (``["r", i, m, ...]``), or which
variable to split where (``["s", v, c]``). A refutation is Farkas' lemma with the ranges left implicit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from agentc.runtime.verify.checker import RejectedError

MOST = 500_000
"""The most paths that are walked."""

Form = dict[int, Fraction]
"""A linear form: coefficients by variable, the constant under ``-1``."""

Oracle = Callable[["Way"], Any]
"""The next token for a path."""


class ClosedError(Exception):
    """A path that cannot be taken, or that ends."""


class Way:
    """One path: its decisions, its variables' ranges, its constraints ``form <= 0`` with whole coefficients."""

    def __init__(self, decided: tuple[Any, ...], pending: list[tuple[Any, ...]], oracle: Oracle) -> None:
        self.decided, self.pending, self.oracle = list(decided), pending, oracle
        self.at = 0
        self.lo: list[int] = []
        self.hi: list[int] = []
        self.rows: list[Form] = []
        self.products: list[tuple[int, Form, Form]] = []

    def variable(self, lo: int, hi: int) -> Form:
        """A new number in a range."""
        self.lo.append(lo)
        self.hi.append(hi)
        return {len(self.lo) - 1: Fraction(1)}

    def choose(self, count: int) -> int:
        """One of so many ways; all are followed."""
        if self.at == len(self.decided):
            if not count:
                raise ClosedError
            front = tuple(self.decided)
            self.pending += [(*front, k) for k in range(count - 1, 0, -1)]
            if len(self.pending) > MOST:
                raise RejectedError(f"it has more than {MOST} paths")
            self.decided.append(0)
        self.at += 1
        return int(self.decided[self.at - 1])

    def holds(self, form: Form) -> bool:
        """Whether ``form <= 0``, on this path."""
        form = _whole(form)
        least, most = self.bounds(form)
        if most <= 0 or least > 0:
            return most <= 0
        below = self.choose(2) == 0
        self._assume(form if below else {**scaled(form, -1), -1: 1 - form.get(-1, Fraction())})
        self._ask()
        return below

    def product(self, a: Form, b: Form) -> Form:
        """The product: linear where one factor is a number, else a variable of its own in the factors' ranges."""
        for one, other in ((a, b), (b, a)):
            least, most = self.bounds(one)
            if least == most:
                return scaled(other, least)
        scale = Fraction(1, _denominator(a) * _denominator(b))
        a, b = _whole(a), _whole(b)
        known = [p for p, x, y in self.products if (x, y) in ((a, b), (b, a))]
        if known:
            return {known[0]: scale}
        corners = self._corners(a, b)
        made = self.variable(math.ceil(min(corners)), math.floor(max(corners)))
        self.products.append((len(self.lo) - 1, a, b))
        return scaled(made, scale)

    def _corners(self, a: Form, b: Form) -> list[Fraction]:
        return [x * y for x in self.bounds(a) for y in self.bounds(b)]

    def impossible(self, reason: str) -> None:
        """Reject unless the path is closed here."""
        while True:
            self._ask(reason)

    def _ask(self, reason: str = "") -> None:
        """Take the certificate's token; while decisions are replayed there was none but a split."""
        replayed = self.at < len(self.decided)
        if replayed and not isinstance(self.decided[self.at], tuple):
            return  # here it went on
        token = self.decided[self.at] if replayed else self.oracle(self)
        if token == 0 and type(token) is int:
            if reason:
                raise RejectedError(reason)
            return
        if not isinstance(token, list | tuple) or not token:
            raise RejectedError(f"{token!r} is no token")
        if token[0] == "r":
            self._refute(token[1:])
            raise ClosedError
        if token[0] != "s" or len(token) != 3 or type(token[1]) is not int or type(token[2]) is not int:
            raise RejectedError(f"{token!r} is no token")
        if not 0 <= token[1] < len(self.lo) or not self.lo[token[1]] <= token[2] < self.hi[token[1]]:
            raise RejectedError(f"variable {token[1]} cannot be split at {token[2]}")
        if not replayed:
            self.decided.append(tuple(token))
        self.at += 1
        below = self.choose(2) == 0
        self._tighten(token[1], self.lo[token[1]] if below else token[2] + 1, token[2] if below else self.hi[token[1]])
        self._ask(reason)

    def _assume(self, form: Form) -> None:
        self.rows.append(form)
        terms = [(v, c) for v, c in form.items() if v >= 0]
        if len(terms) == 1:  # a bound, to the next whole number
            ((v, c),) = terms
            limit = -form.get(-1, Fraction()) / c
            lo, hi = (self.lo[v], math.floor(limit)) if c > 0 else (math.ceil(limit), self.hi[v])
            self._tighten(v, max(lo, self.lo[v]), min(hi, self.hi[v]))

    def _tighten(self, v: int, lo: int, hi: int) -> None:
        self.lo[v], self.hi[v] = lo, hi
        if lo > hi:
            raise ClosedError
        for p, a, b in self.products:
            corners = self._corners(a, b)
            self.lo[p], self.hi[p] = max(self.lo[p], math.ceil(min(corners))), min(self.hi[p], math.floor(max(corners)))
            if self.lo[p] > self.hi[p]:
                raise ClosedError

    def bounds(self, form: Form) -> tuple[Fraction, Fraction]:
        """The least and the greatest value that the ranges allow."""
        least = most = form.get(-1, Fraction())
        for v, c in form.items():
            if v >= 0:
                ends = c * self.lo[v], c * self.hi[v]
                least, most = least + min(ends), most + max(ends)
        return least, most

    def _refute(self, parts: Sequence[Any]) -> None:
        """Reject unless the sum of multiples of constraints ``<= 0`` is above 0 in all of the ranges."""
        total: Form = {}
        if len(parts) % 2:
            raise RejectedError("a multiplier is missing")
        for i, m in zip(parts[::2], parts[1::2], strict=True):
            if type(i) is not int or type(m) is not int or not 0 <= i < len(self.rows) or m < 0:
                raise RejectedError(f"{m!r} times constraint {i!r} is no term of a refutation")
            total = added(total, scaled(self.rows[i], m))
        if not self.bounds(total)[0] > 0:
            raise RejectedError("a refutation's sum is no contradiction")


def walked(run: Callable[[Way], None], oracle: Oracle) -> int:
    """Run a function for every path, depth first; how many there are."""
    pending: list[tuple[Any, ...]] = [()]
    count = 0
    while pending:
        count += 1
        try:
            run(Way(pending.pop(), pending, oracle))
        except ClosedError:
            continue
    return count


# ---------------------------------------------------------------- forms


def added(a: Form, b: Form, sign: int = 1) -> Form:
    """The sum, or the difference for ``sign`` -1."""
    made = dict(a)
    for v, c in b.items():
        made[v] = made.get(v, Fraction()) + sign * c
    return {v: c for v, c in made.items() if c}


def scaled(a: Form, by: Fraction | int) -> Form:
    """A multiple."""
    return {v: c * by for v, c in a.items() if c * by}


def _whole(a: Form) -> Form:
    """A positive multiple with whole coefficients."""
    return scaled(a, _denominator(a))


def _denominator(a: Form) -> int:
    return math.lcm(*(c.denominator for c in a.values()))
