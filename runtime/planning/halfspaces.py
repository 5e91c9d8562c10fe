"""Propositions as linear inequalities: each atom at a step becomes a combination of ``a . s >= b`` over signals.

What is not linear in the signals is refused by naming the term: it is never approximated. Comparisons of affine terms
with ``abs``, ``min`` and ``max`` are split into their cases; boxes, half-spaces, polytopes, unions, intersections and
complements are, balls and ellipsoids are not, combinations of half-spaces.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentc.compiler.logic.ir import Formula, Node, Term, const, show, term
from agentc.compiler.logic.semantics import apply

Read = tuple[str, bool]
"""A signal that is read, and whether at the step before."""


@dataclass(frozen=True)
class Linear:
    """``sum weights . signals + constant >= 0``, the weights of Euclidean length 1; ``exact`` allows no margin."""

    weights: tuple[tuple[Read, float], ...]
    constant: float
    exact: bool = False


@dataclass(frozen=True)
class Junction:
    """All (``every``) or one of the parts; of none it is true or false."""

    every: bool
    parts: tuple[Condition, ...]


Condition = Linear | Junction
Affine = tuple[dict[tuple[str, Node], float], float]
"""Weights, and a constant."""

TRUE, FALSE = Junction(True, ()), Junction(False, ())


class NotLinearError(Exception):
    """A term that is not linear; ``text`` is that term."""

    def __init__(self, node: Node) -> None:
        self.text = show(node)
        super().__init__(self.text)


def condition(literal: Formula) -> Condition:
    """The condition of an atom or a negated atom, of which every signal has a value.

    Raises :class:`NotLinearError`.
    """
    if literal.op == "not":
        inner = literal.args[0]
        return _negated(_predicate(inner.predicate))
    return _predicate(literal.predicate)


def _every(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else Junction(True, tuple(parts))


def _either(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else Junction(False, tuple(parts))


def _negated(c: Condition) -> Condition:
    if isinstance(c, Junction):
        return Junction(not c.every, tuple(map(_negated, c.parts)))
    if c.exact:  # half of an equality: != is strict
        return Linear(tuple((r, -w) for r, w in c.weights), -c.constant)
    return Linear(tuple((r, -w) for r, w in c.weights), -c.constant)


def _predicate(p: Term) -> Condition:
    match p.op:
        case "compare":
            left, right = p.args
            return _comparison(str(p.value), _term(left), _term(right), p)
        case "in_range":
            x, lo, hi = p.args
            inside = _every([_at_least(_sub(x, lo)), _at_least(_sub(hi, x))])
            return _negated(inside) if p.value is True else inside
        case "in_region":
            point, region = p.args
            inside = _region(_coordinates(point), region)
            return _negated(inside) if p.value is True else inside
    raise NotLinearError(p)


def _comparison(op: str, left: Term, right: Term, p: Term) -> Condition:
    match op:
        case ">=" | ">":
            return _at_least(_sub(left, right))
        case "<=" | "<":
            return _at_least(_sub(right, left))
        case "==":
            return _every([_at_least(_sub(left, right), exact=True), _at_least(_sub(right, left), exact=True)])
        case "!=":
            return _either([_at_least(_sub(left, right)), _at_least(_sub(right, left))])
    raise NotLinearError(p)


def _term(node: Node) -> Term:
    assert isinstance(node, Term)
    return node


def _sub(left: Node, right: Node) -> Term:
    return term("sub", (left, right))


def _at_least(t: Term, exact: bool = False) -> Condition:
    """``t >= 0``, where ``abs``, ``min`` and ``max`` are split into cases."""
    weights, constant = affine(t)
    for (kind, node), weight in weights.items():
        if kind != "case":
            continue
        assert isinstance(node, Term)
        cases = (node.args[0], term("neg", (node.args[0],))) if node.op == "abs" else node.args
        largest = node.op in ("abs", "max")
        parts = [_at_least(_replaced(weights, constant, node, _term(case)), exact) for case in cases]
        return _either(parts) if largest == (weight > 0) else _every(parts)
    reads = tuple(((str(node.value), node.op == "prev"), w) for (_, node), w in weights.items() if w)
    if not reads:
        return TRUE if constant >= 0 else FALSE
    length = math.hypot(*(w for _, w in reads))
    return Linear(tuple((r, w / length) for r, w in reads), constant / length, exact)


def _replaced(weights: Mapping[tuple[str, Node], float], constant: float, node: Term, by: Term) -> Term:
    total: Term = const(constant)
    for (_, n), w in weights.items():
        total = term("add", (total, term("mul", (const(w), by if n is node else n))))
    return total


def affine(t: Term) -> Affine:
    """Weights of signals (``("signal", node)``) and of cases (``("case", node)``), and the constant, of a term.

    Raises :class:`NotLinearError` with the smallest subterm that is not affine.
    """
    op, args = t.op, t.args
    if op == "const":
        if isinstance(t.value, bool) or not isinstance(t.value, int | float):
            raise NotLinearError(t)
        return {}, float(t.value)
    if op in ("signal", "prev"):
        return {("signal", t): 1.0}, 0.0
    if op in ("abs", "min", "max"):
        inner = [affine(_term(a)) for a in args]
        if all(not w for w, _ in inner):
            return {}, _folded(t, [c for _, c in inner])
        return {("case", t): 1.0}, 0.0
    if op == "index" and args[0].op == "tuple" and isinstance(t.value, int):
        return affine(_term(args[0].args[t.value]))
    if op not in ("neg", "add", "sub", "mul", "div") and args:
        inner = [affine(_term(a)) for a in args if isinstance(a, Term) and a.op not in ("tuple",)]
        if len(inner) == len(args) and all(not w for w, _ in inner):
            return {}, _folded(t, [c for _, c in inner])
        raise NotLinearError(t)
    if op not in ("neg", "add", "sub", "mul", "div"):
        raise NotLinearError(t)
    parts = [affine(_term(a)) for a in args]
    if op == "neg":
        return _scaled(parts[0], -1.0)
    if op in ("add", "sub"):
        (w, c), (v, d) = parts[0], _scaled(parts[1], 1.0 if op == "add" else -1.0)
        return {k: w.get(k, 0.0) + v.get(k, 0.0) for k in (*w, *v)}, c + d
    (w, c), (v, d) = parts
    if op == "mul" and not w:
        return _scaled((v, d), c)
    if v or (op == "div" and d == 0):
        raise NotLinearError(t)
    return _scaled((w, c), d if op == "mul" else 1 / d)


def _folded(t: Term, values: list[float]) -> float:
    value = apply(t, list(values))
    if not isinstance(value, int | float):
        raise NotLinearError(t)
    return float(value)


def _scaled(part: Affine, by: float) -> Affine:
    weights, constant = part
    return {k: by * w for k, w in weights.items()}, by * constant


# ---------------------------------------------------------------- regions


def _coordinates(point: Node) -> list[Term]:
    if point.op == "tuple":
        return [_term(a) for a in point.args]
    if point.op == "const" and isinstance(point.value, tuple):
        return [const(v) for v in point.value]
    raise NotLinearError(point)  # a vector signal: systems have none


def _numbers(node: Node) -> list[float]:
    if node.op == "const":
        value = node.value if isinstance(node.value, tuple) else (node.value,)
        if all(isinstance(v, int | float) for v in value):
            return [float(v) for v in value if isinstance(v, int | float)]
    raise NotLinearError(node)


def _region(x: list[Term], region: Node) -> Condition:
    match region.op:
        case "box":
            lo, hi = (_coordinates(a) for a in region.args)
            sides = [_at_least(_sub(v, a)) for v, a in zip(x, lo, strict=True)]
            return _every(sides + [_at_least(_sub(b, v)) for v, b in zip(x, hi, strict=True)])
        case "halfspace":
            normal, offset = _numbers(region.args[0]), region.args[1]
            total: Term = _term(offset)
            for n, v in zip(normal, x, strict=True):
                total = term("sub", (total, term("mul", (const(n), v))))
            return _at_least(total)
        case "polytope" | "intersection":
            return _every([_region(x, a) for a in region.args])
        case "union":
            return _either([_region(x, a) for a in region.args])
        case "complement":
            return _negated(_region(x, region.args[0]))
    raise NotLinearError(region)
