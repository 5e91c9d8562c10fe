"""VNN-LIB properties for the checker of ``network`` certificates: boxes of inputs, each with its ways to violate.

It shares no code with the prover's reader (:mod:`agentc.runtime.verify.network.vnnlib`).
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np

from agentc.runtime.verify.checker import RejectedError


def cases(text: str) -> list[tuple[Any, Any, list[tuple[Any, Any]]]]:
    """The boxes of inputs in order, each with the ways to violate: rows and bounds on the outputs."""
    stack: list[list[Any]] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", re.sub(r";[^\n]*", "", text)):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    (expressions,) = stack
    names = [e[1] for e in expressions if e[0] == "declare-const"]
    count = {kind: 1 + max(int(n[2:]) for n in names if n[0] == kind) for kind in "XY"}
    ways: list[list[Any]] = [[]]
    for e in expressions:
        if e[0] == "assert":
            ways = [a + b for a in ways for b in _normal(e[1])]
        elif e[0] != "declare-const":
            raise RejectedError("the property has something else than declarations and assertions")
    found: dict[Any, list[tuple[Any, Any]]] = {}
    for way in ways:
        case = _case(way, count["X"], count["Y"])
        if case is not None:
            found.setdefault(case[0], []).append(case[1])
    return [(np.array([_down(v) for v in lo]), -np.array([_down(-v) for v in hi]), rows)
            for (lo, hi), rows in found.items()]  # fmt: skip


def _down(value: Fraction) -> float:
    near = float(value)
    return near if Fraction(near) <= value else float(np.nextafter(near, -np.inf))


def _normal(e: Any) -> list[list[Any]]:
    """The disjuncts of an assertion: lists of linear forms that are at most zero."""
    if e[0] == "or":
        return [way for part in e[1:] for way in _normal(part)]
    if e[0] == "and":
        ways: list[list[Any]] = [[]]
        for part in e[1:]:
            ways = [a + b for a in ways for b in _normal(part)]
        return ways
    low, high = (e[1], e[2]) if e[0] == "<=" else (e[2], e[1]) if e[0] == ">=" else (None, None)
    if low is None or high is None or len(e) != 3:
        raise RejectedError(f"the property has the operator {e[0]}")
    left, right = _linear(low), _linear(high)
    return [[{key: left.get(key, Fraction()) - right.get(key, Fraction()) for key in {**left, **right}}]]


def _linear(e: Any) -> dict[str, Fraction]:
    """A sum of products of a number and a variable; the key of the constant is empty."""
    if isinstance(e, str):
        return {e: Fraction(1)} if e[0] in "XY" else {"": Fraction(e)}
    parts = [_linear(p) for p in e[1:]]
    if e[0] == "*":
        (number,) = [p[""] for p in parts if set(p) == {""}][:1]
        (rest,) = [p for p in parts if set(p) != {""}]
        return {key: number * value for key, value in rest.items()}
    if e[0] == "+":
        return {key: sum((p.get(key, Fraction()) for p in parts), Fraction()) for p in parts for key in p}
    raise RejectedError(f"the property has the function {e[0]}")


def _case(way: list[dict[str, Fraction]], inputs: int, outputs: int) -> Any:
    lo: list[Any] = [None] * inputs
    hi: list[Any] = [None] * inputs
    rows, bounds = [], []
    for form in way:
        bound = -form.get("", Fraction())
        terms = {key: value for key, value in form.items() if key and value}
        if not terms:
            if bound < 0:
                return None
        elif all(key[0] == "Y" for key in terms):
            row = [0.0] * outputs
            for key, value in terms.items():
                row[int(key[2:])] = float(value)
                if Fraction(float(value)) != value:
                    raise RejectedError(f"the coefficient {value} is no float64 number")
            rows.append(row)
            bounds.append(-_down(-bound))
        else:
            ((key, value),) = terms.items()
            i, limit = int(key[2:]), bound / value
            if value > 0:
                hi[i] = limit if hi[i] is None else min(hi[i], limit)
            else:
                lo[i] = limit if lo[i] is None else max(lo[i], limit)
    if any(a > b for a, b in zip(lo, hi, strict=True)):
        return None
    if not rows:
        raise RejectedError("a way to violate asks nothing of the outputs")
    return (tuple(lo), tuple(hi)), (np.array(rows), np.array(bounds))
