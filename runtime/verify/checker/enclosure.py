"""Expression graphs over forms, for the ``reach`` checker: numbers are enclosed, truth values are sure or not.

A number is a form (or a plain number), a truth value a pair of Boolean arrays: surely true, surely false. Where a
number may have no value neither is sure, for then an atom is false and so is its comparison's opposite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.flow import Form, add, between, curve, mul


class Enclosing:
    """The arithmetic for a batch of that ``size`` with so many generators."""

    def __init__(self, size: int, columns: int) -> None:
        self._size, self._columns = size, columns

    def const(self, value: float) -> Any:
        """A constant."""
        return float(value)

    def truth(self, value: bool) -> Any:
        """A constant truth value."""
        return np.full(self._size, value), np.full(self._size, not value)

    def form(self, value: Any) -> Form:
        """A number as a form."""
        if isinstance(value, Form):
            return value
        return between(np.full(self._size, value), np.full(self._size, value), self._columns)

    def apply(self, op: str, args: Sequence[Any], value: Any) -> Any:
        """Any operator but ``const var true false``; rejects what it does not know."""
        match op:
            case "neg":
                return mul(args[0], -1.0)
            case "add":
                return add(*args)
            case "sub":
                return add(args[0], mul(args[1], -1.0))
            case "mul":
                return mul(*args)
            case "div":
                return mul(args[0], curve("inverse", args[1]))
            case "sin" | "cos" | "exp" | "log" | "sqrt":
                return curve(op, args[0])
            case "tan":
                return mul(curve("sin", args[0]), curve("inverse", curve("cos", args[0])))
            case "pow":
                if isinstance(args[1], Form) or args[1] not in range(9):
                    raise RejectedError("a power has no whole exponent")
                found: Any = 1.0
                for _ in range(int(args[1])):
                    found = args[0] if found == 1.0 and isinstance(found, float) else mul(found, args[0])
                return found
            case "abs" | "min" | "max" | "norm":
                return self._ranged(op, [self.form(a) for a in args])
            case "compare" | "truth":
                return self._compared("!=" if op == "truth" else str(value), args)
            case "not":
                return args[0][1], args[0][0]
            case "and" | "or":
                join, other = (np.all, np.any) if op == "and" else (np.any, np.all)
                return join([a[0] for a in args], axis=0), other([a[1] for a in args], axis=0)
        raise RejectedError(f"the operator {op!r} is not one that is checked")

    def _compared(self, op: str, args: Sequence[Any]) -> Any:
        lo, hi = self.form(add(args[0], mul(args[1], -1.0)) if len(args) > 1 else args[0]).bounds
        known = np.isfinite(lo) & np.isfinite(hi)
        if op in (">", ">="):
            lo, hi = -hi, -lo
        if op in ("<", ">"):
            return (hi < 0) & known, (lo >= 0) & known
        if op in ("<=", ">="):
            return (hi <= 0) & known, (lo > 0) & known
        same, other = (lo >= 0) & (hi <= 0) & known, ((lo > 0) | (hi < 0)) & known
        return (same, other) if op == "==" else (other, same)

    def _ranged(self, op: str, forms: list[Form]) -> Form:
        """By ranges alone; an absolute value of one sign is the number or its opposite."""
        ends = [f.bounds for f in forms]
        lows, highs = [e[0] for e in ends], [e[1] for e in ends]
        if op == "norm":
            total: Any = None
            for form in forms:
                total = add(total, mul(form, form))
            lo, hi = total.bounds
            return between(np.sqrt(np.maximum(lo, 0)) * (1 - 1e-14), np.sqrt(hi) * (1 + 1e-14), self._columns)
        if op == "abs":
            (lo,), (hi,), form = lows, highs, forms[0]
            sign = np.where(lo >= 0, 1.0, -1.0)
            mixed = (lo < 0) & (hi > 0)
            most = between(np.zeros_like(lo), np.maximum(-lo, hi), self._columns)
            return Form(np.where(mixed, most.c, sign * form.c), np.where(mixed[:, None], 0.0, sign[:, None] * form.g),
                        np.where(mixed, most.r, form.r))  # fmt: skip
        pick = np.minimum if op == "min" else np.maximum
        return between(pick.reduce(lows), pick.reduce(highs), self._columns)
