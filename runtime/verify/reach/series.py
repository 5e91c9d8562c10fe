"""Taylor coefficients in time of a differential equation, over any ring of enclosures: intervals or affine forms.

Ramon Moore, "Interval Analysis", 1966, chapter 11; the recurrences are those of Griewank and Walther, "Evaluating
Derivatives", 2nd edition, table 13.2. Coefficient ``k + 1`` of a state is coefficient ``k`` of its rate over ``k + 1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from agentc.compiler.systems.graph import Graph
from agentc.runtime.verify.reach.forms import Form, constant, of_interval
from agentc.runtime.verify.reach.intervals import Interval

SMOOTH = frozenset(("const", "var", "neg", "add", "sub", "mul", "div", "sin", "cos", "tan", "exp", "sqrt", "pow"))
"""The operators that rates may have; of a power the exponent is a whole constant from 0 to 8."""


class Ring(Protocol):
    """What the recurrences need of an enclosure; a plain number stands for itself."""

    def add(self, a: Any, b: Any) -> Any:
        """The sum."""
        ...

    def mul(self, a: Any, b: Any) -> Any:
        """The product."""
        ...

    def scale(self, a: Any, factor: float) -> Any:
        """The product with a number that may be off by one rounding."""
        ...

    def unary(self, op: str, a: Any) -> Any:
        """``inverse sin cos exp sqrt log``."""
        ...


class IntervalRing:
    """Intervals."""

    def add(self, a: Any, b: Any) -> Any:
        """The sum."""
        return interval_of(a) + interval_of(b)

    def mul(self, a: Any, b: Any) -> Any:
        """The product."""
        return interval_of(a).square() if a is b else interval_of(a) * interval_of(b)

    def scale(self, a: Any, factor: float) -> Any:
        """The product with a number."""
        return interval_of(a).scaled(factor)

    def unary(self, op: str, a: Any) -> Any:
        """``inverse sin cos exp sqrt log``."""
        return getattr(interval_of(a), op)()


def interval_of(value: Any) -> Interval:
    """A number as an interval; an interval as it is."""
    return value if isinstance(value, Interval) else Interval(np.float64(value), np.float64(value))


class FormRing:
    """Affine forms with the generators of ``like``."""

    def __init__(self, like: Form) -> None:
        self._like = like

    def form(self, value: Any) -> Form:
        """A number as a form; a form as it is."""
        return value if isinstance(value, Form) else constant(value, self._like)

    def add(self, a: Any, b: Any) -> Any:
        """The sum."""
        if not isinstance(a, Form):
            a, b = b, a
        if not isinstance(a, Form):
            return self.form(a) + self.form(b)
        return a + b if isinstance(b, Form) else a.plus(b)

    def mul(self, a: Any, b: Any) -> Any:
        """The product."""
        if not isinstance(a, Form):
            a, b = b, a
        if not isinstance(a, Form):
            return self.form(a) * self.form(b)
        return a * b if isinstance(b, Form) else a.scaled(b)

    def scale(self, a: Any, factor: float) -> Any:
        """The product with a number."""
        return self.form(a).scaled(factor)

    def unary(self, op: str, a: Any) -> Any:
        """``inverse sin cos exp sqrt log``."""
        form = self.form(a)
        where = form.range
        if op == "sin":
            return form.smooth(np.sin, np.cos, -where.sin())
        if op == "cos":
            return form.smooth(np.cos, lambda x: -np.sin(x), -where.cos())
        if op == "exp":
            return form.smooth(np.exp, np.exp, where.exp())
        if op == "inverse":
            bend = (where.square() * where).inverse().scaled(2.0)
            return self._bent(form, lambda x: 1.0 / x, lambda x: -1.0 / (x * x), bend, where.inverse())
        if op == "sqrt":
            root = where.sqrt()
            bend = (root * root * root).inverse().scaled(-0.25)
            return self._bent(form, np.sqrt, lambda x: 0.5 / np.sqrt(x), bend, root)
        if op == "log":
            return self._bent(form, np.log, lambda x: 1.0 / x, -where.square().inverse(), where.log())
        raise ValueError(op)

    def _bent(self, form: Form, value: Any, slope: Any, bend: Interval, plain: Interval) -> Form:
        """By the tangent where the second derivative is bounded, else by the range alone."""
        if (np.isfinite(bend.lo) & np.isfinite(bend.hi)).all():
            return form.smooth(value, slope, bend)
        return of_interval(Interval(np.maximum(plain.lo, -VAST), np.minimum(plain.hi, VAST)), self._like)


VAST = 1e30
"""Stands for no bound at all; with it nothing can be shown, and nothing is not a number."""


class Series:
    """The coefficients of all nodes of a graph, order by order."""

    def __init__(self, graph: Graph, ring: Ring, constants: Mapping[str, Any]) -> None:
        self._graph, self._ring, self._constants = graph, ring, constants
        self._nodes: list[list[Any]] = [[] for _ in graph.nodes]
        self._extra: dict[int, list[Any]] = {}  # the cosine of a sine, and the like

    def run(self, states: Mapping[str, Any], order: int) -> dict[str, list[Any]]:
        """The coefficients ``0 .. order`` of the states."""
        found: dict[str, list[Any]] = {name: [value] for name, value in states.items()}
        names = list(states)
        for k in range(order):
            for i, (op, args, value) in enumerate(self._graph.nodes):
                self._nodes[i].append(self._coefficient(i, op, args, value, k, found))
            for name, root in zip(names, self._graph.roots, strict=True):
                coefficient = self._nodes[root][k]
                found[name].append(0.0 if coefficient is None else self._ring.scale(coefficient, 1.0 / (k + 1)))
        return found

    def _coefficient(
        self, i: int, op: str, args: tuple[int, ...], value: Any, k: int, states: Mapping[str, list[Any]]
    ) -> Any:
        ring = self._ring
        a = self._nodes[args[0]] if args else []
        b = self._nodes[args[1]] if len(args) > 1 else []
        if op == "const":
            return float(value) if k == 0 else None
        if op == "var":
            if value in states:
                return states[value][k]
            return self._constants[value] if k == 0 else None
        if op == "neg":
            return None if a[k] is None else ring.scale(a[k], -1.0)
        if op in ("add", "sub"):
            other = b[k] if op == "add" or b[k] is None else ring.scale(b[k], -1.0)
            return other if a[k] is None else a[k] if other is None else ring.add(a[k], other)
        if op == "mul":
            return self._product(a, b, k)
        if op == "pow":
            return self._power(i, a, int(self._graph.nodes[args[1]].value or 0), k)
        if op == "div":  # q = a / b: q_k = (a_k - sum q_j b_{k-j}) / b_0
            if k == 0:
                self._extra[i] = [ring.unary("inverse", b[0])]
            rest = self._sum(a[k], [(-1.0, self._nodes[i][j], b[k - j]) for j in range(k)])
            return None if rest is None else ring.mul(rest, self._extra[i][0])
        if op == "exp":
            return ring.unary("exp", a[0]) if k == 0 else self._chain(a, self._nodes[i], k)
        if op == "sqrt":  # s_k = (a_k - sum s_j s_{k-j}) / (2 s_0)
            if k == 0:
                root = ring.unary("sqrt", a[0])
                self._extra[i] = [ring.scale(ring.unary("inverse", root), 0.5)]
                return root
            own = self._nodes[i]
            rest = self._sum(a[k], [(-1.0, own[j], own[k - j]) for j in range(1, k)])
            return None if rest is None else ring.mul(rest, self._extra[i][0])
        if op in ("sin", "cos", "tan"):
            return self._wave(i, op, a, k)
        raise ValueError(f"the operator {op} has no Taylor recurrence")

    def _wave(self, i: int, op: str, a: list[Any], k: int) -> Any:
        """Sines and cosines together; a tangent is their quotient."""
        ring = self._ring
        both = self._extra.setdefault(i, [[], [], []])
        sine, cosine, inverse = both
        if k == 0:
            sine.append(ring.unary("sin", a[0]))
            cosine.append(ring.unary("cos", a[0]))
        else:
            new_sine = self._chain(a, cosine, k)
            fall = self._chain(a, sine, k)
            sine.append(new_sine)
            cosine.append(None if fall is None else ring.scale(fall, -1.0))
        if op != "tan":
            return (sine if op == "sin" else cosine)[k]
        if k == 0:
            inverse.append(ring.unary("inverse", cosine[0]))
        rest = self._sum(sine[k], [(-1.0, self._nodes[i][j], cosine[k - j]) for j in range(k)])
        return None if rest is None else ring.mul(rest, inverse[0])

    def _power(self, i: int, a: list[Any], exponent: int, k: int) -> Any:
        """A whole power by repeated products of series."""
        if exponent == 0:
            return 1.0 if k == 0 else None
        tower = self._extra.setdefault(i, [[] for _ in range(exponent)])
        tower[0].append(a[k])
        for level in range(1, exponent):
            tower[level].append(self._product(a if level == 1 else tower[level - 1], a, k))
        return tower[exponent - 1][k]

    def _product(self, a: list[Any], b: list[Any], k: int) -> Any:
        if a is b:  # x * x: the pairs twice, the middle squared
            terms = [(2.0, a[j], a[k - j]) for j in range((k + 1) // 2)]
            if k % 2 == 0:
                terms.append((1.0, a[k // 2], a[k // 2]))
            return self._sum(None, terms)
        return self._sum(None, [(1.0, a[j], b[k - j]) for j in range(k + 1)])

    def _chain(self, a: list[Any], outer: list[Any], k: int) -> Any:
        """``sum_{j=1..k} (j / k) a_j outer_{k-j}``: the derivative rule."""
        return self._sum(None, [(j / k, a[j], outer[k - j]) for j in range(1, k + 1)])

    def _sum(self, start: Any, terms: list[tuple[float, Any, Any]]) -> Any:
        """``start`` and the products, absent ones being zero."""
        total = start
        for factor, x, y in terms:
            if x is None or y is None:
                continue
            product = self._ring.mul(x, y)
            if factor != 1.0:
                product = self._ring.scale(product, factor)
            total = product if total is None else self._ring.add(total, product)
        return total

