"""Affine forms, and one validated Taylor step of a differential equation: the arithmetic of the ``reach`` checker.

A form is ``c + g . e + r * f``: the entries of ``e`` in [-1, 1] are shared by all forms of a row of the batch, ``f`` in
[-1, 1] is its own. An interval is a form without generators. Every operation adds to ``r`` what it neglects and, by
:data:`UNIT`, more than its few dozen roundings can lose. Where there is no value, ``r`` is infinite or no number, and
nothing compares. Taylor coefficients: Moore, "Interval Analysis", 1966, chapter 11.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from agentc.runtime.verify.checker import RejectedError

UNIT, UP, TINY = 2.0**-48, 1 + 1e-12, 1e-200


@dataclass(frozen=True)
class Form:
    """``c`` and ``r`` are ``(batch,)``, ``g`` is ``(batch, generators)``."""

    c: Any
    g: Any
    r: Any

    @property
    def radius(self) -> Any:
        """How far it can be from ``c``."""
        return (np.abs(self.g).sum(axis=1) + self.r) * UP

    @property
    def size(self) -> Any:
        """The greatest absolute value."""
        return np.abs(self.c) + self.radius

    @property
    def bounds(self) -> tuple[Any, Any]:
        """The least and greatest value."""
        slack = self.radius + UNIT * self.size + TINY
        return self.c - slack, self.c + slack

    def plain(self) -> Form:
        """It as an interval."""
        return Form(self.c, np.zeros((len(self.c), 0)), self.radius)


def between(lo: Any, hi: Any, columns: int = 0) -> Form:
    """An interval as a form."""
    c = (lo + hi) / 2
    r = (np.maximum(hi - c, c - lo) + UNIT * (np.abs(lo) + np.abs(hi))) * UP + TINY
    return Form(c, np.zeros((len(c), columns)), r)


def _made(c: Any, g: Any, r: Any, size: Any) -> Form:
    return Form(c, g, (r + UNIT * size) * UP + TINY)


def add(a: Any, b: Any) -> Any:
    """The sum of forms and numbers; None is zero."""
    if a is None or b is None:
        return b if a is None else a
    if not isinstance(a, Form):
        a, b = b, a
    if not isinstance(a, Form):
        return a + b
    if not isinstance(b, Form):
        return _made(a.c + b, a.g, a.r, a.size + np.abs(b))
    return _made(a.c + b.c, a.g + b.g, a.r + b.r, a.size + b.size)


def mul(a: Any, b: Any) -> Any:
    """The product; of a form with itself the square."""
    if a is None or b is None:
        return None
    if not isinstance(a, Form):
        a, b = b, a
    if not isinstance(a, Form):
        return a * b
    if not isinstance(b, Form):
        return _made(a.c * b, a.g * b, a.r * abs(b), a.size * abs(b))
    x, y = a.radius, b.radius
    if a is b:
        half = x * x / 2
        return _made(a.c * a.c + half, 2 * a.g * a.c[:, None], 2 * np.abs(a.c) * a.r + half, a.size**2)
    g = a.g * b.c[:, None] + b.g * a.c[:, None]
    return _made(a.c * b.c, g, a.r * np.abs(b.c) + b.r * np.abs(a.c) + x * y, a.size * b.size)


CURVES: dict[str, tuple[Callable[[Any], Any], ...]] = {
    # the function, its first and its second derivative, which is monotone
    "exp": (np.exp, np.exp, np.exp),
    "log": (np.log, lambda x: 1 / x, lambda x: -1 / x**2),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x), lambda x: -0.25 * x**-1.5),
    "inverse": (lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3),
}


def curve(op: str, a: Any) -> Any:
    """A function by its tangent at the centre and the bounds of its second derivative; of an interval by its ends."""
    if not isinstance(a, Form):
        return 1.0 / a if op == "inverse" else getattr(math, op)(a)
    lo, hi = a.bounds
    if not a.g.shape[1] and op in ("sin", "cos"):
        return between(*_wave(lo, hi, 0.0 if op == "sin" else math.pi / 2))
    if op in ("sin", "cos"):
        at, tilt = (np.sin(a.c), np.cos(a.c)) if op == "sin" else (np.cos(a.c), -np.sin(a.c))
        bend = _wave(lo, hi, math.pi if op == "sin" else -math.pi / 2)
    else:
        value, slope, second = CURVES[op]
        defined = (lo > 0) | ((hi < 0) & (op == "inverse")) | (op == "exp")
        if not a.g.shape[1]:
            a, b = value(lo), value(hi)
            form = between(np.where(defined, np.minimum(a, b), np.nan), np.maximum(a, b))
            return _made(form.c, form.g, form.r, 16 * form.size)
        at, tilt = value(a.c), slope(a.c)
        ends = second(lo), second(hi)
        bend = np.where(defined, np.minimum(*ends), np.nan), np.where(defined, np.maximum(*ends), np.nan)
    half = a.radius**2 / 2 * (1 + 1e-9)
    low, high = np.minimum(bend[0], 0) * half, np.maximum(bend[1], 0) * half
    size = np.abs(at) + np.abs(tilt) * a.radius + np.abs(low) + np.abs(high)
    return _made(at + (low + high) / 2, a.g * tilt[:, None], np.abs(tilt) * a.r + (high - low) / 2, 16 * size)


def _wave(lo: Any, hi: Any, shift: float) -> tuple[Any, Any]:
    """The least and greatest ``sin(x + shift)``; whether a turning point is inside is asked with a margin."""
    lo, hi = lo + shift - 1e-9 * (1 + np.abs(lo)), hi + shift + 1e-9 * (1 + np.abs(hi))
    ends, turn = (np.sin(lo), np.sin(hi)), 2 * math.pi
    top = np.floor(hi / turn - 0.25) > np.floor(lo / turn - 0.25)
    bottom = np.floor(hi / turn + 0.25) > np.floor(lo / turn + 0.25)
    far = ~(np.maximum(np.abs(lo), np.abs(hi)) < 1e6)
    return np.where(bottom | far, -1.0, np.minimum(*ends) - 1e-12), np.where(top | far, 1.0, np.maximum(*ends) + 1e-12)


# ---------------------------------------------------------------- Taylor coefficients


def taylor(graph: Any, names: Sequence[str], states: Sequence[Any], held: Mapping[str, Any], order: int) -> list[Any]:
    """The coefficients ``0 .. order`` of each state in time."""
    found: dict[str, list[Any]] = {name: [state] for name, state in zip(names, states, strict=True)}
    nodes: list[list[Any]] = [[] for _ in graph.nodes]
    extra: dict[int, Any] = {}
    for k in range(order):
        for i, node in enumerate(graph.nodes):
            nodes[i].append(_coefficient(graph, i, node, k, nodes, extra, found, held))
        for name, root in zip(names, graph.roots, strict=True):
            found[name].append(mul(nodes[root][k], 1.0 / (k + 1)))
    return [found[name] for name in names]


def _coefficient(
    graph: Any, i: int, node: Any, k: int, nodes: list[list[Any]], extra: dict[int, Any],
    found: Mapping[str, list[Any]], held: Mapping[str, Any],
) -> Any:
    op, args, value = node
    a, b = (nodes[args[0]] if args else []), (nodes[args[1]] if len(args) > 1 else [])
    match op:
        case "const":
            return float(value) if k == 0 else None
        case "var":
            return found[value][k] if value in found else held[value] if k == 0 else None
        case "neg":
            return mul(a[k], -1.0)
        case "add":
            return add(a[k], b[k])
        case "sub":
            return add(a[k], mul(b[k], -1.0))
        case "mul":
            return _product(a, b, k)
        case "div":
            return _quotient(a, b, k, nodes[i], extra.setdefault(i, []))
        case "exp":
            return curve("exp", a[0]) if k == 0 else _chain(a, nodes[i], k)
        case "sqrt":  # s_k = (a_k - sum of s_j s_(k - j)) / (2 s_0)
            if k == 0:
                extra[i] = curve("sqrt", a[0])
                return extra[i]
            rest = add(a[k], mul(_fold(mul(nodes[i][j], nodes[i][k - j]) for j in range(1, k)), -1.0))
            return mul(rest, mul(curve("inverse", extra[i]), 0.5))
        case "pow":
            exponent = graph.nodes[args[1]].value
            if graph.nodes[args[1]].op != "const" or exponent not in range(9):
                raise RejectedError("a power has no whole exponent")
            if exponent == 0:
                return 1.0 if k == 0 else None
            powers = extra.setdefault(i, [a, *([] for _ in range(1, int(exponent)))])
            for below, power in pairwise(powers):
                power.append(_product(below, a, k))
            return powers[-1][k]
        case "sin" | "cos" | "tan":
            sine, cosine, inverse = extra.setdefault(i, ([], [], []))
            rise = curve("sin", a[0]) if k == 0 else _chain(a, cosine, k)
            cosine.append(curve("cos", a[0]) if k == 0 else mul(_chain(a, sine, k), -1.0))
            sine.append(rise)
            if op == "tan":
                return _quotient(sine, cosine, k, nodes[i], inverse)
            return (sine if op == "sin" else cosine)[k]
    raise RejectedError(f"the equations have {op!r}")


def _fold(parts: Any) -> Any:
    total = None
    for part in parts:
        total = add(total, part)
    return total


def _product(a: list[Any], b: list[Any], k: int) -> Any:
    if a is not b:
        return _fold(mul(a[j], b[k - j]) for j in range(k + 1))
    twice = _fold(mul(a[j], a[k - j]) for j in range((k + 1) // 2))
    return add(mul(twice, 2.0), mul(a[k // 2], a[k // 2]) if k % 2 == 0 else None)


def _quotient(a: list[Any], b: list[Any], k: int, own: list[Any], inverse: list[Any]) -> Any:
    """``q_k = (a_k - sum of q_j b_(k - j)) / b_0``."""
    if k == 0:
        inverse.append(curve("inverse", b[0]))
    return mul(add(a[k], mul(_fold(mul(own[j], b[k - j]) for j in range(k)), -1.0)), inverse[0])


def _chain(a: list[Any], outer: list[Any], k: int) -> Any:
    """``sum of (j / k) a_j outer_(k - j)``."""
    return _fold(mul(mul(a[j], outer[k - j]), j / k) for j in range(1, k + 1))


# ---------------------------------------------------------------- a step


def enclosure(graph: Any, names: Sequence[str], start: Sequence[Form], held: Mapping[str, Any], h: float) -> list[Form]:
    """Intervals that no solution from ``start`` leaves up to ``h``: Picard's operator maps them into themselves."""

    def picard(box: Sequence[Form]) -> list[Form]:
        rates = [rows[1] for rows in taylor(graph, names, box, held, 1)]
        ends = [_bounds(rate, len(start[0].c)) for rate in rates]
        return [between(x.bounds[0] + np.minimum(h * lo * UP, 0), x.bounds[1] + np.maximum(h * hi * UP, 0))
                for x, (lo, hi) in zip(start, ends, strict=True)]  # fmt: skip

    box, inside = picard(start), np.zeros(len(start[0].c), bool)
    for _ in range(40):
        wider = [np.where(inside, b.r, 1.1 * b.r + 1e-9 * (1 + np.abs(b.c))) for b in box]
        box = [Form(b.c, b.g, r) for b, r in zip(box, wider, strict=True)]
        image = picard(box)
        ends = [(a.bounds, b.bounds) for a, b in zip(image, box, strict=True)]
        inside = np.all([(lo >= low) & (hi <= high) for (lo, hi), (low, high) in ends], axis=0)
        if inside.all():
            return picard(image)
        pairs = zip(image, box, strict=True)
        box = [Form(np.where(inside, b.c, a.c), b.g, np.where(inside, b.r, a.r)) for a, b in pairs]
    raise RejectedError("a step has no enclosure")


def _bounds(value: Any, size: int) -> tuple[Any, Any]:
    """Of a form, a number or None for zero."""
    return value.bounds if isinstance(value, Form) else (np.full(size, value or 0.0),) * 2


def magnitude(value: Any, size: int) -> Any:
    """The greatest absolute value of a form or number."""
    return np.maximum(*map(np.abs, _bounds(value, size)))


def strays(by_state: Any, rate: Any, h: float) -> Any:
    """How far solutions of ``|e|' <= |J| |e| + rate`` from 0 can be at ``h``: ``(n, batch)``.

    ``by_state`` is ``(n, n, batch)``. Any ``e`` with ``h (|J| e + rate) <= e`` bounds it; eight rounds of the integral
    inequality make that smaller.
    """

    def times(e: Any) -> Any:
        return np.einsum("ijb,jb->ib", by_state, e) * UP

    most = h * rate
    for _ in range(60):
        most = h * (times(most) + rate) * (1 + 1e-7) + TINY
    if not (h * (times(most) + rate) * UP <= most).all():
        raise RejectedError("what disturbances do in a step has no bound")
    total, term = np.zeros_like(rate), rate
    for k in range(1, 9):
        total, term, most = total + h**k / math.factorial(k) * term, times(term), times(most)
    return (total + h**8 / math.factorial(8) * most) * (1 + 1e-10)


def step(
    graph: Any, names: Sequence[str], states: Sequence[Form], held: Mapping[str, Any], moving: Mapping[str, Any],
    stray: Callable[[Mapping[str, Any]], Any], h: float, order: int,
) -> tuple[list[Form], list[Form]]:
    """The forms at ``h``, and those of all times up to ``h`` with a generator more.

    ``held`` are inputs as forms and the middles of disturbances; ``moving`` are disturbances as intervals; ``stray``
    bounds what they do, given intervals of everything.
    """
    size = len(states[0].c)
    fixed = {name: form.plain() for name, form in held.items()}
    box = enclosure(graph, names, [s.plain() for s in states], {**fixed, **moving}, h)
    rough = [rows[order + 1] for rows in taylor(graph, names, box, fixed, order + 1)]
    fine = taylor(graph, names, states, held, order)
    off = stray({**fixed, **moving, **dict(zip(names, box, strict=True))})
    ends, during = [], []
    for i, rows in enumerate(fine):
        left = np.minimum(_bounds(rough[i], size)[0], 0), np.maximum(_bounds(rough[i], size)[1], 0)
        end = _fold([rows[0], *(mul(rows[k], h**k) for k in range(1, order + 1))])
        middle = between(*_bounds(rough[i], size), states[0].g.shape[1])
        end = add(end, mul(middle, h ** (order + 1)))
        ends.append(Form(end.c, end.g, end.r + off[i]))
        first = rows[1] if isinstance(rows[1], Form) else between(*_bounds(rows[1], size), states[0].g.shape[1])
        span = add(rows[0], mul(first, h / 2))
        slack = first.radius * h / 2 + off[i]
        for k in range(2, order + 1):  # t^k is h^k / 2 give or take as much
            span = add(span, mul(rows[k], h**k / 2))
            slack = slack + magnitude(rows[k], size) * (h**k / 2)
        span = add(span, mul(between(*left, states[0].g.shape[1]), h ** (order + 1)))
        g = np.concatenate([span.g, (first.c * h / 2)[:, None]], axis=1)
        during.append(_made(span.c, g, span.r + slack, span.size + slack + np.abs(first.c) * h))
    return ends, during
