"""What a proposition is over a set of states: surely true, surely false, or neither; and temporal formulas on top.

A graph of :mod:`agentc.compiler.systems.graph` is walked with affine forms as numbers and pairs ``(true, false)`` of
sure truth as truth values. Temporal operators are evaluated over a bounded run in continuous time: ``always`` asks for
every sample and for the tube between samples, ``eventually`` for some sample. What is shown so holds of the samples,
which the language's semantics reads, and of the differential equation between them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from agentc.compiler.agent import VariableIR
from agentc.compiler.logic.ir import Formula, postorder
from agentc.compiler.systems.graph import Graph, graph_of
from agentc.runtime.verify.reach.forms import Form, of_interval
from agentc.runtime.verify.reach.intervals import Interval
from agentc.runtime.verify.reach.series import VAST, FormRing

Pair = tuple[Any, Any]

OPERATORS = frozenset(("true", "false", "atom", "not", "and", "or", "implies", "xor", "iff",
                       "F", "G", "U", "R", "W", "M", "X", "WX"))  # fmt: skip
"""The temporal fragment: the future, with intervals; the last sample ends it."""

_COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
                "!=": operator.ne}  # fmt: skip

NUMBERS = frozenset(("const", "var", "neg", "abs", "sqrt", "sin", "cos", "exp", "log", "add", "sub", "mul", "div",
                     "pow", "min", "max", "norm", "compare", "truth", "true", "false", "not", "and", "or"))  # fmt: skip
"""What propositions may compute."""


class TruthArithmetic:
    """Numbers are affine forms or plain numbers; truth values pairs of Boolean arrays ``(batch,)``."""

    def __init__(self, like: Form) -> None:
        self._ring, self._like = FormRing(like), like

    def const(self, value: float) -> Any:
        """A constant."""
        return value

    def number(self, value: Any) -> Form:
        """A number as a form."""
        return self._ring.form(value)

    def truth(self, value: bool) -> Pair:
        """A constant truth value."""
        shape = self._like.c.shape
        return np.full(shape, value), np.full(shape, not value)

    def apply(self, op: str, args: Sequence[Any], value: float | str | None) -> Any:
        """Any operator but ``const var true false``. Raises ``ValueError`` for one that is not in the fragment."""
        ring = self._ring
        match op:
            case "neg":
                return ring.scale(args[0], -1.0)
            case "add":
                return ring.add(*args)
            case "sub":
                return ring.add(args[0], ring.scale(args[1], -1.0))
            case "mul":
                return ring.mul(*args)
            case "div":
                return ring.mul(args[0], ring.unary("inverse", args[1]))
            case "sin" | "cos" | "exp" | "sqrt" | "log":
                return ring.unary(op, args[0])
            case "abs" | "min" | "max" | "norm" | "pow":
                return self._ranged(op, args)
            case "compare" if not any(isinstance(a, Form) for a in args):
                return self.truth(bool(_COMPARISONS[str(value)](*args)))
            case "compare":
                return self._compared(str(value), ring.add(args[0], ring.scale(args[1], -1.0)))
            case "truth":
                return self._compared("!=", ring.form(args[0]))
            case "not":
                return args[0][1], args[0][0]
            case "and":
                return _all([a[0] for a in args]), _any([a[1] for a in args])
            case "or":
                return _any([a[0] for a in args]), _all([a[1] for a in args])
        raise ValueError(f"`{op}` is not enclosed")

    def _compared(self, op: str, difference: Form) -> Pair:
        found = difference.range
        known = (found.lo > -VAST) & (found.hi < VAST)  # without a value an atom is false, and so is its negation's
        match op:
            case "<":
                yes, no = found.hi < 0, found.lo >= 0
            case "<=":
                yes, no = found.hi <= 0, found.lo > 0
            case ">":
                yes, no = found.lo > 0, found.hi <= 0
            case ">=":
                yes, no = found.lo >= 0, found.hi < 0
            case "==":
                yes, no = (found.lo >= 0) & (found.hi <= 0), (found.lo > 0) | (found.hi < 0)
            case _:
                yes, no = (found.lo > 0) | (found.hi < 0), (found.lo >= 0) & (found.hi <= 0)
        return yes & known, no & known

    def _ranged(self, op: str, args: Sequence[Any]) -> Form:
        """By ranges alone; exact where the ranges decide which piece it is."""
        forms = [self._ring.form(a) for a in args]
        if op == "pow":
            return self._power(forms[0], args[1])
        if op == "norm":
            total = forms[0].square()
            for form in forms[1:]:
                total = total + form.square()
            return of_interval(_clipped(Interval(np.maximum(total.range.lo, 0.0), total.range.hi).sqrt()), self._like)
        ranges = [f.range for f in forms]
        if op == "abs":
            (a,) = ranges
            if (a.lo >= 0).all():
                return forms[0]
            if (a.hi <= 0).all():
                return -forms[0]
            least = np.where((a.lo <= 0) & (a.hi >= 0), 0.0, np.minimum(np.abs(a.lo), np.abs(a.hi)))
            return of_interval(Interval(least, a.size), self._like)
        pick = np.minimum if op == "min" else np.maximum
        lo, hi = ranges[0].lo, ranges[0].hi
        for r in ranges[1:]:
            lo, hi = pick(lo, r.lo), pick(hi, r.hi)
        return of_interval(Interval(lo, hi), self._like)

    def _power(self, base: Form, exponent: Any) -> Form:
        if isinstance(exponent, Form) or exponent != int(exponent) or not 0 <= exponent <= 8:
            raise ValueError("a power whose exponent is no whole constant is not enclosed")
        if exponent == 0:
            return self._ring.form(1.0)
        found = base
        for _ in range(int(exponent) - 1):
            found = found * base
        return found


def _clipped(interval: Interval) -> Interval:
    return Interval(np.maximum(interval.lo, -VAST), np.minimum(interval.hi, VAST))


def _all(parts: Sequence[Any]) -> Any:
    return np.all(parts, axis=0)


def _any(parts: Sequence[Any]) -> Any:
    return np.any(parts, axis=0)


def propositions(formula: Formula, variables: Sequence[VariableIR]) -> dict[Formula, Graph]:
    """The graphs of a formula's atoms. Raises ``ValueError`` for one that is not about the present states."""
    found = {}
    for node in postorder(formula):
        if isinstance(node, Formula) and node.op == "atom":
            found[node] = graph_of([node], variables)
    return found


class Run:
    """What is sure of a formula's atoms along a run: at the samples ``0 .. N`` and between them.

    Of a ``discrete`` system there is nothing between the samples: spans ask for nothing.
    """

    def __init__(self, atoms: Mapping[Formula, Graph], names: Sequence[str], discrete: bool = False) -> None:
        self._atoms, self._names, self.discrete = atoms, tuple(names), discrete
        self.samples: dict[Formula, list[Pair]] = {atom: [] for atom in atoms}
        self.between: dict[Formula, list[Pair]] = {atom: [] for atom in atoms}

    def sample(self, states: Sequence[Form]) -> None:
        """Note a sample."""
        for atom, pair in self._judged(states).items():
            self.samples[atom].append(pair)

    def span(self, tube: Sequence[Sequence[Form]]) -> None:
        """Note what lies between the sample before and the next: all parts of the tube; none of a discrete system."""
        parts = [self._judged(states) for states in tube]
        for atom in self._atoms:
            shape = self.samples[atom][-1][0].shape
            pairs = [p[atom] for p in parts]
            yes = _all([p[0] for p in pairs]) if pairs else np.ones(shape, bool)
            no = _all([p[1] for p in pairs]) if pairs else np.ones(shape, bool)
            self.between[atom].append((yes, no))

    def _judged(self, states: Sequence[Form]) -> dict[Formula, Pair]:
        values = dict(zip(self._names, states, strict=True))
        arithmetic = TruthArithmetic(states[0])
        return {atom: graph.walk(arithmetic, values)[0] for atom, graph in self._atoms.items()}


def surely(formula: Formula, run: Run) -> Any:
    """Whether the formula surely holds at the start: Boolean array ``(batch,)``.

    The formula is read in negation normal form; each part has a table of samples and one of the open spans between
    them, where the last sample is the end of the run.
    """
    tables: dict[tuple[Formula, bool], tuple[list[Any], list[Any]]] = {}
    order = [node for node in postorder(formula) if isinstance(node, Formula)]
    for node in order:
        for want in (True, False):
            samples, spans = _table(node, want, tables, run)
            tables[node, want] = samples, [np.ones_like(s) for s in spans] if run.discrete else spans
    return tables[formula, True][0][0]


def _table(
    node: Formula, want: bool, tables: dict[tuple[Formula, bool], tuple[list[Any], list[Any]]], run: Run
) -> tuple[list[Any], list[Any]]:
    """Sure truth of ``node`` (or of its negation, where ``want`` is false) at samples and on spans."""
    any_atom = next(iter(run.samples.values()))
    n, shape = len(any_atom) - 1, any_atom[0][0].shape
    yes, no = np.ones(shape, bool), np.zeros(shape, bool)
    op = node.op

    def of(child: Formula, wanted: bool) -> tuple[list[Any], list[Any]]:
        return tables[child, wanted]

    def same(parts: Sequence[tuple[list[Any], list[Any]]], join: Callable[[Sequence[Any]], Any]) -> Any:
        return tuple([join([p[k][t] for p in parts]) for t in range(len(parts[0][k]))] for k in (0, 1))

    if op in ("true", "false"):
        value = yes if (op == "true") == want else no
        return [value] * (n + 1), [value] * n
    if op == "atom":
        side = 0 if want else 1
        return [p[side] for p in run.samples[node]], [p[side] for p in run.between[node]]
    args = node.args
    if op == "not":
        return of(args[0], not want)
    if op in ("and", "or"):
        return same([of(a, want) for a in args], _all if (op == "and") == want else _any)  # type: ignore[no-any-return]
    if op == "implies":
        return same([of(args[0], not want), of(args[1], want)], _any if want else _all)  # type: ignore[no-any-return]
    if op in ("xor", "iff"):
        alike = (op == "iff") == want
        ways = [same([of(args[0], a), of(args[1], a == alike)], _all) for a in (True, False)]
        return same(ways, _any)  # type: ignore[no-any-return]
    a, b = node.interval or (0, None)
    if op in ("F", "G", "X", "WX"):
        universal = (op in ("G", "WX")) == want
        child = of(args[0], want)
        if universal:
            return _always(child, a, b, n, yes)
        return _eventually(child, None, a, b, n, no)
    f, g = args
    if op == "W":  # g R (f | g)
        f, g, op = g, f, "R"
        both: Any = same([of(g, want), of(f, want)], _any if want else _all)
        left = of(f, want)
        return _release(left, both, a, b, n, yes) if want else _eventually(both, left, a, b, n, no)
    if op == "M":  # g U (f & g)
        both = same([of(f, want), of(g, want)], _all if want else _any)
        left = of(g, want)
        return _eventually(both, left, a, b, n, no) if want else _release(left, both, a, b, n, yes)
    left, right = of(f, want), of(g, want)
    if (op == "U") == want:
        return _eventually(right, left, a, b, n, no)
    return _release(left, right, a, b, n, yes)


def _last(t: int, b: int | None, n: int) -> int:
    return n if b is None else min(n, t + b)


def _always(child: tuple[list[Any], list[Any]], a: int, b: int | None, n: int, yes: Any) -> tuple[list[Any], list[Any]]:
    """Every sample and every span of the window."""
    at, on = child
    samples, spans = [], []
    for t in range(n + 1):
        end = _last(t, b, n)
        samples.append(_all([yes, *at[t + a : end + 1], *on[t + a : end]]))
    for t in range(n):  # of every moment between t and t + 1
        end = _last(t + 1, b, n)
        spans.append(_all([yes, *at[t + a : end + 1], *on[t + a : end]]))
    return samples, spans


def _eventually(
    goal: tuple[list[Any], list[Any]], through: tuple[list[Any], list[Any]] | None, a: int, b: int | None, n: int,
    no: Any,
) -> tuple[list[Any], list[Any]]:
    """Some sample of the window, with ``through`` at all moments before it."""
    samples, spans = [], []
    for t in range(n + 1):
        ways = []
        held = ~no
        for s in range(t, _last(t, b, n) + 1):
            if s >= t + a:
                ways.append(goal[0][s] & held)
            if through is not None and s < n:
                held = held & through[0][s] & through[1][s]
        samples.append(_any([no, *ways]))
    for t in range(n):  # a window that every moment between t and t + 1 has
        ways = []
        held = ~no if through is None else through[1][t]
        for s in range(t + 1, _last(t, b, n) + 1):
            if s >= t + 1 + a:
                ways.append(goal[0][s] & held)
            if through is not None and s < n:
                held = held & through[0][s] & through[1][s]
        spans.append(_any([no, *ways]))
    return samples, spans


def _release(
    free: tuple[list[Any], list[Any]], held: tuple[list[Any], list[Any]], a: int, b: int | None, n: int, yes: Any
) -> tuple[list[Any], list[Any]]:
    """At every moment of the window ``held``, or ``free`` at some sample before it."""
    samples, spans = [], []
    for t in range(n + 1):
        need, freed = yes, ~yes
        end = _last(t, b, n)
        for s in range(t, end + 1):
            if s >= t + a:
                need = need & (held[0][s] | freed)
            freed = freed | free[0][s]
            if s >= t + a and s < end:
                need = need & (held[1][s] | freed)
        samples.append(need)
    for t in range(n):
        need, freed = yes, ~yes
        end = _last(t + 1, b, n)
        for s in range(t, end + 1):
            if s >= t + a and s > t:
                need = need & (held[0][s] | freed)
            if s > t:
                freed = freed | free[0][s]
            if s >= t + a and s < end:
                need = need & (held[1][s] | freed)
        spans.append(need)
    return samples, spans
