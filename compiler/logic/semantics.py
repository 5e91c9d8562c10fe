"""The reference semantics: what every formula means. Short, direct, slow; the oracle of everything else.

It follows the language's definition line by line and covers all surface operators, so that even the removal of
sugar is tested against it. Tables hold one value per step: ``table[node][t]``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from agentc.compiler.logic.ir import Formula, Interval, Node, Term, postorder
from agentc.compiler.logic.trace import Trace, Valuation, finite

INF = math.inf


def evaluate(f: Formula, trace: Trace, t: int = 0) -> bool:
    """Whether ``f`` holds at step ``t``. Raises ``KeyError`` if the trace lacks a signal that it needs."""
    return bool(_tables(f, trace, False, True, lambda x: not x, _holds)[f][t])


def course(f: Formula, trace: Trace) -> list[bool]:
    """Whether ``f`` holds, at each step of the trace."""
    return [bool(value) for value in _tables(f, trace, False, True, lambda x: not x, _holds)[f]]


def values(of: Term, trace: Trace) -> list[Any]:
    """The value of a term at each step; None where it has none."""
    return _tables(of, trace, False, True, lambda x: not x, _holds)[of]


def robustness(f: Formula, trace: Trace, t: int = 0) -> float:
    """How robustly ``f`` holds at step ``t``: positive implies true, negative false, zero decides nothing."""
    counts = any(node.op in ("count", "sum", "automaton") for node in postorder(f))
    truth = _tables(f, trace, False, True, lambda x: not x, _holds) if counts else None
    return float(_tables(f, trace, -INF, INF, lambda x: -x, _margin, truth)[f][t])


# ---------------------------------------------------------------- formulas


@lru_cache(maxsize=16)
def _order(root: Node) -> tuple[Node, ...]:
    """The nodes below a formula, arguments first; kept, since a formula is asked about many traces."""
    return tuple(postorder(root))


def _tables(
    root: Node, trace: Trace, bottom: Any, top: Any, neg: Callable[[Any], Any], atom: Callable[[Term, Any], Any],
    truth: dict[Node, list[Any]] | None = None,
) -> dict[Node, list[Any]]:
    """Tables of all nodes below ``root``: Boolean and quantitative meaning are min and max over the same sets.

    ``truth`` has the Boolean tables, by which aggregates count, where they are not the ones that are made.
    """
    steps, end = range(len(trace)), trace.last
    table: dict[Node, list[Any]] = {}

    def least(values: Iterable[Any]) -> Any:
        return min(values, default=top)

    def greatest(values: Iterable[Any]) -> Any:
        return max(values, default=bottom)

    def ahead(t: int, interval: Interval) -> range:  # [t+a, t+b], at most N
        a, b = interval
        return range(t + a, (end if b is None else min(end, t + b)) + 1)

    def behind(t: int, interval: Interval) -> range:  # [t-b, t-a], at least 0
        a, b = interval
        return range(0 if b is None else max(0, t - b), t - a + 1)

    for node in _order(root):
        if isinstance(node, Term):
            table[node] = _term_table(node, trace, table, table if truth is None else truth)
            continue
        x = [table[a] for a in node.args]
        i = node.interval or (0, None)
        value: Callable[[int], Any]
        match node.op:
            case "true":
                value = lambda t: top
            case "false":
                value = lambda t: bottom
            case "first":
                value = lambda t: top if t == 0 else bottom
            case "last":
                value = lambda t: top if t == end else bottom
            case "atom":
                predicate = node.args[0]
                assert isinstance(predicate, Term)
                value = lambda t: atom(predicate, table[predicate][t])
            case "not":
                value = lambda t: neg(x[0][t])
            case "and":
                value = lambda t: least(a[t] for a in x)
            case "or":
                value = lambda t: greatest(a[t] for a in x)
            case "implies":
                value = lambda t: max(neg(x[0][t]), x[1][t])
            case "xor":
                value = lambda t: max(min(x[0][t], neg(x[1][t])), min(neg(x[0][t]), x[1][t]))
            case "iff":
                value = lambda t: neg(max(min(x[0][t], neg(x[1][t])), min(neg(x[0][t]), x[1][t])))
            case "F" | "X":
                value = lambda t: greatest(x[0][s] for s in ahead(t, i))
            case "G" | "WX":
                value = lambda t: least(x[0][s] for s in ahead(t, i))
            case "U":
                value = lambda t: greatest(min(x[1][s], least(x[0][t:s])) for s in ahead(t, i))
            case "R":
                value = lambda t: least(max(x[1][s], greatest(x[0][t:s])) for s in ahead(t, i))
            case "M":  # g U (f & g)
                value = lambda t: greatest(min(x[0][s], x[1][s], least(x[1][t:s])) for s in ahead(t, i))
            case "W":  # g R (f | g)
                value = lambda t: least(max(x[0][s], x[1][s], greatest(x[1][t:s])) for s in ahead(t, i))
            case "O" | "Y":
                value = lambda t: greatest(x[0][s] for s in behind(t, i))
            case "H" | "WY":
                value = lambda t: least(x[0][s] for s in behind(t, i))
            case "S":
                value = lambda t: greatest(min(x[1][s], least(x[0][s + 1 : t + 1])) for s in behind(t, i))
            case "T":
                value = lambda t: least(max(x[1][s], greatest(x[0][s + 1 : t + 1])) for s in behind(t, i))
            case op:
                raise ValueError(f"no operator is named {op!r}")
        table[node] = [value(t) for t in steps]
    return table


# ---------------------------------------------------------------- terms


def _term_table(
    node: Term, trace: Trace, table: dict[Node, list[Any]], truth: dict[Node, list[Any]]
) -> list[Any]:
    """Values of a term at every step; None where it has none."""
    steps, x = range(len(trace)), [table[a] for a in node.args]
    match node.op:
        case "const":
            return [node.value for _ in steps]
        case "signal":
            return [_signal(trace[t], str(node.value), t) for t in steps]
        case "prev":
            return [_signal(trace[t - 1], str(node.value), t - 1) if t else None for t in steps]
        case "count" | "sum":
            a, b = node.interval or (0, None)
            past = [range(0 if b is None else max(0, t - b), t - a + 1) for t in steps]
            held = truth[node.args[-1]]
            if node.op == "count":
                return [sum(1 for s in past[t] if held[s]) for t in steps]
            return [sum(x[0][s] for s in past[t] if held[s] and x[0][s] is not None) for t in steps]
        case "automaton":
            rows = [[truth[a][t] for a in node.args] for t in steps]
            return [("automaton", _accepts(node.value, rows[t:])) for t in steps]
        case "in_seen" | "occurs_in_seen":
            seen = [[v for v in x[1][: t + 1] if v is not None] for t in steps]
            return [None if x[0][t] is None else (node.op, x[0][t], seen[t]) for t in steps]
        case _:
            return [apply(node, [column[t] for column in x]) for t in steps]


def _accepts(automaton: Any, rows: Sequence[Sequence[bool]]) -> bool:
    """Whether an automaton accepts a word: each row has the truth of its propositions at one step."""
    _, _, nodes, roots, accepting = automaton
    state = 0
    for row in rows:
        ref = roots[state]
        while ref >= 0:
            level, low, high = nodes[ref]
            ref = high if row[level] else low
        state = ~ref
    return bool(accepting[state])


def _signal(valuation: Valuation, name: str, t: int) -> Any:
    # only what the last action led to may be missing, and only at the reset
    if t == 0 and name.split(".")[0] == "action":
        return valuation.get(name)
    return valuation[name]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "neg": lambda x: -x, "abs": abs, "min": min, "max": max, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos,
    "tan": math.tan, "exp": math.exp, "log": math.log, "atan2": math.atan2, "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
    "pow": lambda x, y: float(x) ** float(y), "norm": lambda x: math.hypot(*x), "dist": math.dist, "length": len,
}  # fmt: skip


def apply(node: Term, x: list[Any]) -> Any:
    """A function of present values, None if it has no value there (NaN, division by zero, a missing argument)."""
    if any(v is None for v in x):
        return None
    if node.op == "tuple":
        return tuple(x)
    if node.op == "index":
        assert isinstance(node.value, int)
        return x[0][node.value] if 0 <= node.value < len(x[0]) else None
    if node.op not in _FUNCTIONS:
        return (node.op, *x)  # a region with its parameters, or the arguments of a predicate
    try:
        value = _FUNCTIONS[node.op](*x)
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
    return value if not isinstance(value, complex) and finite(value) else None


def _is_number(*xs: Any) -> bool:
    return all(isinstance(x, int | float) and not isinstance(x, bool) for x in xs)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def _holds(predicate: Term, value: Any) -> bool:
    """Truth of an atom; one without a value is false, also the negated ones (``!=``, ``not in``)."""
    if value is None:
        return False
    if predicate.op == "signal":
        return bool(value)
    x, negated = value[1:], predicate.value is True
    match predicate.op:
        case "compare":
            return bool(_COMPARE[str(predicate.value)](*x))
        case "in_range":
            return bool(x[1] <= x[0] <= x[2]) != negated
        case "in_set":
            return (x[0] in x[1:]) != negated
        case "automaton":
            return bool(x[0])
        case "in_region":
            return contains(x[1], x[0]) != negated
        case "in_seen":
            return (x[0] in x[1]) != negated
        case "occurs_in_seen":
            return any(x[0] in text for text in x[1]) != negated
        case "from":
            return (x[1] in x[0]) != negated
        case "contains":
            return (x[1] in x[0]) != negated
        case "starts_with":
            return str(x[0]).startswith(x[1]) != negated
        case "ends_with":
            return str(x[0]).endswith(x[1]) != negated
        case "matches":
            return (re.fullmatch(x[1], x[0]) is not None) != negated
        case op:
            raise ValueError(f"no predicate is named {op!r}")


def _margin(predicate: Term, value: Any) -> float:
    """Robustness of an atom: a signed distance where numbers are compared, else infinite."""
    if value is None:
        return -INF
    x: tuple[Any, ...] = value[1:] if predicate.op != "signal" else ()
    sign = -1.0 if predicate.value is True else 1.0
    match predicate.op:
        case "compare" if _is_number(*x):
            d = float(x[0]) - float(x[1])
            return {">": d, ">=": d, "<": -d, "<=": -d, "==": -abs(d), "!=": abs(d)}[str(predicate.value)]
        case "in_range":
            return sign * float(min(x[0] - x[1], x[2] - x[0]))
        case "in_set" if _is_number(*x):
            return sign * max(-abs(float(x[0] - m)) for m in x[1:])
        case "in_region":
            return sign * signed_distance(x[1], x[0])
        case _:
            return INF if _holds(predicate, value) else -INF


# ---------------------------------------------------------------- regions


def contains(region: Sequence[Any], point: Sequence[float]) -> bool:
    """Whether a point is in a region ``(kind, parameters)``; regions are closed, a complement excludes its boundary."""
    match region:
        case ["union", *parts]:
            return any(contains(p, point) for p in parts)
        case ["intersection", *parts]:
            return all(contains(p, point) for p in parts)
        case ["complement", inner]:
            return not contains(inner, point)
        case _:
            return signed_distance(region, point) >= 0


def signed_distance(region: Sequence[Any], x: Sequence[float]) -> float:
    """Positive inside: exact for box, ball and halfspace; else right in sign, never larger than the distance."""
    match region:
        case ["box", lo, hi]:
            inside = float(min(min(v - a, b - v) for v, a, b in zip(x, lo, hi, strict=True)))
            outside = math.hypot(*(max(a - v, v - b, 0) for v, a, b in zip(x, lo, hi, strict=True)))
            return inside if inside >= 0 else -outside
        case ["ball", center, radius]:
            return float(radius) - math.dist(x, center)
        case ["halfspace", normal, offset]:
            return float(offset - sum(n * v for n, v in zip(normal, x, strict=True))) / math.hypot(*normal)
        case ["polytope", *halfspaces]:
            return min(signed_distance(h, x) for h in halfspaces)
        case ["ellipsoid", center, axes]:
            return float(min(axes)) * (1 - math.hypot(*((v - c) / a for v, c, a in zip(x, center, axes, strict=True))))
        case ["union", *parts]:
            return max(signed_distance(p, x) for p in parts)
        case ["intersection", *parts]:
            return min(signed_distance(p, x) for p in parts)
        case ["complement", inner]:
            return -signed_distance(inner, x)
    raise ValueError(f"no region is named {region[0]!r}")
