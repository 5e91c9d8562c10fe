"""Affine forms in fixed point, for the checker: integers in units of 2^-120, what an operation loses in the slack."""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import Any

from agentc.runtime.verify.checker import RejectedError

BITS = 120
ONE = 1 << BITS


def exact(value: Any) -> int:
    """A number in units of 2^-120; rejected if it has smaller digits."""
    top, bottom = float(value).as_integer_ratio()
    if bottom > ONE:
        raise RejectedError(f"{value} has digits below 2^-120")
    return top * (ONE // bottom)


def near(value: Any) -> int:
    """A number in units of 2^-120, rounded down: where the argument may be any number, the rounded one is meant."""
    top, bottom = float(value).as_integer_ratio()
    return top * ONE // bottom


class Form:
    """``c + g * [-1, 1] + r * [-1, 1]`` with shared ``g``; all in units."""

    __slots__ = ("c", "g", "r")

    def __init__(self, c: int, g: list[int], r: int = 0) -> None:
        self.c, self.g, self.r = c, g, r

    @property
    def radius(self) -> int:
        """How far it can be from the centre."""
        return sum(map(abs, self.g)) + self.r

    @property
    def lo(self) -> int:
        """The least that it can be."""
        return self.c - self.radius

    @property
    def hi(self) -> int:
        """The most that it can be."""
        return self.c + self.radius

    def plus(self, other: Form, sign: int = 1) -> Form:
        """The sum; with a ``sign`` of -1 the difference."""
        g = [a + sign * b for a, b in zip(self.g, other.g, strict=True)]
        return Form(self.c + sign * other.c, g, self.r + other.r)

    def times(self, other: Form) -> Form:
        """The product."""
        mine, theirs = self.radius, other.radius
        if self is other:  # the square of the deviation is never negative
            half = (mine * mine >> BITS + 1) + 1
            return Form((self.c**2 >> BITS) + half, [2 * a * self.c >> BITS for a in self.g],
                        (2 * abs(self.c) * self.r >> BITS) + half + len(self.g) + 4)  # fmt: skip
        g = [a * other.c + b * self.c >> BITS for a, b in zip(self.g, other.g, strict=True)]
        r = (self.r * abs(other.c) + other.r * abs(self.c) + mine * theirs >> BITS) + len(g) + 3
        return Form(self.c * other.c >> BITS, g, r)

    def wave(self, cosine: bool) -> Form:
        """Sine or cosine by the tangent at the centre."""
        sine, other = _wave(self.c)
        at, slope = (other, -sine) if cosine else (sine, other)
        half = (self.radius**2 >> BITS + 1) + (self.radius >> 58) + (1 << 62)  # and what sine and slope are off by
        return Form(at, [a * slope >> BITS for a in self.g], (self.r * abs(slope) >> BITS) + half + len(self.g) + 2)


def _wave(x: int) -> tuple[int, int]:
    """Sine and cosine by their series, to 2^-60 for arguments up to 8."""
    if abs(x) > 8 * ONE:
        raise RejectedError("an angle is above 8")
    term, sums = ONE, [0, 0]
    for k in range(170):
        sums[k % 2] += term if k % 4 < 2 else -term
        term = term * x // (ONE * (k + 1))
    return sums[1], sums[0]


def walk(graph: Any, values: Mapping[str, Form]) -> list[Any]:
    """The roots of an expression graph: forms, and pairs ``(surely true, surely false)``. Rejects other operators."""
    blank = [0] * len(next(iter(values.values())).g)
    found: list[Any] = []
    for op, args, value in graph.nodes:
        a = [found[i] for i in args]
        match op:
            case "const":
                made: Any = Form(exact(value), blank)
            case "var":
                made = values[str(value)]
            case "neg":
                made = Form(0, blank).plus(a[0], -1)
            case "add":
                made = a[0].plus(a[1])
            case "sub":
                made = a[0].plus(a[1], -1)
            case "mul":
                made = a[0].times(a[1])
            case "sin" | "cos":
                made = a[0].wave(op == "cos")
            case "abs":
                made = a[0] if a[0].lo >= 0 else ranged(-min(a[0].hi, 0), max(-a[0].lo, a[0].hi), blank)
            case "min" | "max":
                pick = min if op == "min" else max
                made = ranged(pick(f.lo for f in a), pick(f.hi for f in a), blank)
            case "norm":
                total = a[0].times(a[0])
                for f in a[1:]:
                    total = total.plus(f.times(f))
                made = ranged(isqrt(max(total.lo, 0) << BITS), isqrt(max(total.hi, 0) << BITS) + 1, blank)
            case "compare":
                made = _compared(str(value), a[0].plus(a[1], -1))
            case "true" | "false":
                made = (op == "true", op == "false")
            case "not":
                made = (a[0][1], a[0][0])
            case "and":
                made = (all(x for x, _ in a), any(y for _, y in a))
            case "or":
                made = (any(x for x, _ in a), all(y for _, y in a))
            case _:
                raise RejectedError(f"`{op}` is not followed")
        found.append(made)
    return [found[root] for root in graph.roots]


def ranged(lo: int, hi: int, blank: list[int]) -> Form:
    """An interval as a form that depends on nothing."""
    return Form((lo + hi) // 2, blank, (hi - lo) // 2 + 1)


def _compared(op: str, d: Form) -> tuple[bool, bool]:
    lo, hi = d.lo, d.hi
    same, other = lo == hi == 0, lo > 0 or hi < 0
    return {
        "<": (hi < 0, lo >= 0), "<=": (hi <= 0, lo > 0), ">": (lo > 0, hi <= 0), ">=": (lo >= 0, hi < 0),
        "==": (same, other), "!=": (other, same),
    }[op]  # fmt: skip
