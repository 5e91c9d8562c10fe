"""VNN-LIB properties: what must not happen, as boxes of inputs with linear constraints on the outputs.

The language is the one of VNN-COMP (VNN-LIB 1.0): ``declare-const`` of ``X_i`` and ``Y_j``, and assertions of ``<=``
and ``>=`` between linear terms, joined by ``and`` and ``or``; ``(+ a b ...)`` and ``(* number a)`` are accepted beyond
it. Their conjunction is the set of counterexamples; the property holds if it is empty. Numbers are exact decimals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.verify.network.mlp import Floats

MOST_CASES = 10_000
"""The most disjuncts that a property may come to."""

Exact = tuple[tuple[int, Fraction], ...]
Atom = tuple[str, Exact, Fraction]
"""``sum of coefficient * variable <= bound`` over the inputs (``X``) or the outputs (``Y``)."""


@dataclass(frozen=True)
class Case:
    """One way to violate: inputs in a box, outputs with ``rows @ y <= bounds``. All numbers exact."""

    lo: tuple[Fraction, ...]
    hi: tuple[Fraction, ...]
    rows: tuple[tuple[Fraction, ...], ...]
    bounds: tuple[Fraction, ...]

    def box(self) -> tuple[Floats, Floats]:
        """The box in float64, rounded outward."""
        return np.array([below(v) for v in self.lo]), np.array([0.0 - below(-v) for v in self.hi])  # no -0.0

    def linear(self) -> tuple[Floats, Floats]:
        """Rows and bounds in float64, the bounds rounded up; rows as they are nearest."""
        rows = np.array([[float(v) for v in row] for row in self.rows] or np.zeros((0, 1)))
        return rows, np.array([-below(-v) for v in self.bounds])

    def violated_by(self, x: Floats, y: Floats) -> bool:
        """Whether input ``x`` with output ``y`` is a counterexample, decided exactly."""
        xs, ys = [Fraction(float(v)) for v in x], [Fraction(float(v)) for v in y]
        inside = all(a <= v <= b for a, v, b in zip(self.lo, xs, self.hi, strict=True))
        return inside and all(
            sum((c * v for c, v in zip(row, ys, strict=True)), Fraction()) <= bound
            for row, bound in zip(self.rows, self.bounds, strict=True)
        )


def below(value: Fraction) -> float:
    """The greatest float64 that is not above a number."""
    near = float(value)
    return near if Fraction(near) <= value else float(np.nextafter(near, -np.inf))


@dataclass(frozen=True)
class Property:
    """The cases of a property that can occur at all; without any it is vacuous. ``empty`` counts those left out."""

    inputs: int
    outputs: int
    cases: tuple[Case, ...]
    empty: int = 0
    source: str = ""


def read_vnnlib(path: Path) -> tuple[Property, str]:
    """A property and its text. Raises :class:`AgentcError` (AS1315)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(path.name, str(error)) from error
    return parse_vnnlib(text, path.name), text


def parse_vnnlib(text: str, name: str = "property") -> Property:
    """The property of a text. Raises :class:`AgentcError` (AS1315) that says what was not understood."""
    try:
        return _property(list(_expressions(text)), name)
    except (ValueError, IndexError, ZeroDivisionError, RecursionError) as error:
        raise _bad(name, str(error) or type(error).__name__) from error


def _bad(name: str, reason: str) -> AgentcError:
    return AgentcError([report("AS1315", None, path=name, reason=reason)])


def _expressions(text: str) -> Iterator[Any]:
    """The S-expressions of a text as nested lists."""
    stack: list[list[Any]] = [[]]
    for line in text.splitlines():
        for token in re.findall(r"[()]|[^\s()]+", line.split(";", 1)[0]):
            if token == "(":
                stack.append([])
            elif token == ")":
                if len(stack) == 1:
                    raise ValueError("a bracket closes nothing")
                done = stack.pop()
                stack[-1].append(done)
            else:
                stack[-1].append(token)
    if len(stack) != 1:
        raise ValueError("a bracket is not closed")
    yield from stack[0]


def _property(expressions: list[Any], name: str) -> Property:
    widths = {"X": 0, "Y": 0}
    ways: list[tuple[Atom, ...]] = [()]
    for e in expressions:
        match e:
            case ["declare-const", str(variable), "Real"]:
                kind, index = _variable(variable)
                widths[kind] = max(widths[kind], index + 1)
            case ["assert", body]:
                more = _disjuncts(body)
                if len(ways) * len(more) > MOST_CASES:
                    raise ValueError(f"it comes to more than {MOST_CASES} cases")
                ways = [a + b for a in ways for b in more]
            case _:
                raise ValueError(f"`{_shown(e)}` is no declaration and no assertion")
    if not widths["X"] or not widths["Y"]:
        raise ValueError("it declares no inputs or no outputs")
    cases = [_case(way, widths["X"], widths["Y"]) for way in ways]
    kept = tuple(case for case in cases if case is not None)
    return Property(widths["X"], widths["Y"], kept, len(cases) - len(kept), name)


def _shown(e: Any) -> str:
    return e if isinstance(e, str) else "(" + " ".join(map(_shown, e[:4])) + (" ...)" if len(e) > 4 else ")")


def _variable(token: str) -> tuple[str, int]:
    found = re.fullmatch(r"([XY])_(\d{1,6})", token)
    if found is None:
        raise ValueError(f"`{token}` is no variable X_i or Y_j")
    return found[1], int(found[2])


def _disjuncts(e: Any) -> list[tuple[Atom, ...]]:
    match e:
        case ["or", *parts] if parts:
            return [way for part in parts for way in _disjuncts(part)]
        case ["and", *parts] if parts:
            ways: list[tuple[Atom, ...]] = [()]
            for part in parts:
                more = _disjuncts(part)
                if len(ways) * len(more) > MOST_CASES:
                    raise ValueError(f"it comes to more than {MOST_CASES} cases")
                ways = [a + b for a in ways for b in more]
            return ways
        case ["<=", left, right]:
            return [(_atom(left, right),)]
        case [">=", left, right]:
            return [(_atom(right, left),)]
    raise ValueError(f"`{_shown(e)}` is no <=, >=, and, or")


def _atom(left: Any, right: Any) -> Atom:
    """``left <= right``."""
    sums: dict[tuple[str, int], Fraction] = {}
    constant = Fraction()
    for sign, side in ((1, left), (-1, right)):
        terms, number = _linear(side)
        constant += sign * number
        for variable, coefficient in terms.items():
            sums[variable] = sums.get(variable, Fraction()) + sign * coefficient
    kinds = {kind for kind, _ in sums} or {"X"}
    if len(kinds) != 1:
        raise ValueError("a comparison reads inputs and outputs")
    for coefficient in sums.values():
        if Fraction(float(coefficient)) != coefficient:
            raise ValueError(f"the coefficient {float(coefficient)!r} is no float64 number as it is written")
    return kinds.pop(), tuple((i, c) for (_, i), c in sums.items() if c), -constant


def _linear(e: Any) -> tuple[dict[tuple[str, int], Fraction], Fraction]:
    """A linear term: its coefficients and its constant."""
    match e:
        case str():
            if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", e):
                return {}, Fraction(e)
            return {_variable(e): Fraction(1)}, Fraction()
        case ["+", *parts] if parts:
            sums: dict[tuple[str, int], Fraction] = {}
            constant = Fraction()
            for terms, number in map(_linear, parts):
                constant += number
                for variable, coefficient in terms.items():
                    sums[variable] = sums.get(variable, Fraction()) + coefficient
            return sums, constant
        case ["*", str(factor), term]:
            (none, by), (terms, number) = _linear(factor), _linear(term)
            if not none:
                return {variable: by * c for variable, c in terms.items()}, by * number
    raise ValueError(f"`{_shown(e)}` is no linear term: (+ a b), (* number a)")


def _case(way: tuple[Atom, ...], inputs: int, outputs: int) -> Case | None:
    """The conjunction of atoms; None if it is empty already by its bounds."""
    lo: list[Fraction | None] = [None] * inputs
    hi: list[Fraction | None] = [None] * inputs
    rows: list[tuple[Fraction, ...]] = []
    bounds: list[Fraction] = []
    for kind, terms, bound in way:
        if any(i >= (inputs if kind == "X" else outputs) for i, _ in terms):
            raise ValueError("a variable is not declared")
        if not terms:
            if bound < 0:
                return None
        elif kind == "Y":
            row = [Fraction()] * outputs
            for i, c in terms:
                row[i] = c
            rows.append(tuple(row))
            bounds.append(bound)
        elif len(terms) > 1:
            raise ValueError("a comparison of two inputs: inputs must lie in a box")
        else:
            i, c = terms[0]
            limit = bound / c
            if c > 0:
                hi[i] = limit if hi[i] is None else min(hi[i], limit)  # type: ignore[type-var]
            else:
                lo[i] = limit if lo[i] is None else max(lo[i], limit)  # type: ignore[type-var]
    if None in lo or None in hi:
        raise ValueError(f"input X_{[a is None or b is None for a, b in zip(lo, hi, strict=True)].index(True)} "
                         "has no bounds")  # fmt: skip
    if any(a > b for a, b in zip(lo, hi, strict=True)):  # type: ignore[operator]
        return None
    return Case(tuple(lo), tuple(hi), tuple(rows), tuple(bounds))  # type: ignore[arg-type]
