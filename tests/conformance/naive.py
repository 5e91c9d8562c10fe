"""A second evaluator, by another road: recursion over formula and step along the expansion laws.

The reference takes minima and maxima over windows; this one peels one step at a time. That both agree is what shows
that the harness, the reference and the expansion laws speak of the same thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace


def holds(f: Formula, trace: Trace) -> bool:
    """Whether the formula holds at step 0."""
    return bool(_Walk(trace, False, True, lambda v: not v, evaluate).value(f, 0))


def margin(f: Formula, trace: Trace) -> float:
    """The robustness at step 0."""
    return float(_Walk(trace, -ir_inf, ir_inf, lambda v: -v, robustness).value(f, 0))


ir_inf = float("inf")


class _Walk:
    def __init__(
        self, trace: Trace, bottom: Any, top: Any, neg: Callable[[Any], Any], atom: Callable[[Formula, Trace, int], Any]
    ) -> None:
        self.trace, self.end, self.bottom, self.top, self.neg, self.atom = trace, trace.last, bottom, top, neg, atom
        self.known: dict[tuple[Formula, int], Any] = {}

    def value(self, f: Formula, t: int) -> Any:
        """What ``f`` is worth at a step of the trace."""
        if (f, t) not in self.known:
            self.known[f, t] = self._value(f, t)
        return self.known[f, t]

    def _value(self, f: Formula, t: int) -> Any:
        op, args = f.op, f.args
        if op == "atom":
            return self.atom(f, self.trace, t)
        if op in ("true", "false"):
            return self.top if op == "true" else self.bottom
        if op in ("first", "last"):
            return self.top if t == (0 if op == "first" else self.end) else self.bottom
        if op == "not":
            return self.neg(self.value(args[0], t))
        if op in ("and", "or"):
            values = [self.value(a, t) for a in args]
            return min([self.top, *values]) if op == "and" else max([self.bottom, *values])
        if op in ("implies", "xor", "iff"):
            x, y = self.value(args[0], t), self.value(args[1], t)
            if op == "implies":
                return max(self.neg(x), y)
            differ = min(max(x, y), max(self.neg(x), self.neg(y)))
            return differ if op == "xor" else self.neg(differ)
        forward = op in ir.FUTURE
        exists = op in ("F", "X", "U", "M", "O", "Y", "S")
        least, greatest = (max, min) if exists else (min, max)
        nothing = self.bottom if exists else self.top
        # what is sought at the end of the stretch, and what each step before it must say
        sought, way = self._goal(f, t, least, greatest), self._way(f, t)
        assert f.interval is not None
        a, b = f.interval
        then = t + 1 if forward else t - 1
        if b == 0:
            rest = nothing
        else:
            nearer = ir.formula(op, args, (max(a - 1, 0), None if b is None else b - 1)) if op not in _STEPS else None
            if nearer is None:
                nearer = ir.formula(_STEPS[op], args, (a - 1, a - 1))
            rest = self.value(nearer, then) if 0 <= then <= self.end else nothing
            if way is not None:
                rest = greatest(way, rest)
        return rest if a > 0 else least(sought, rest)

    def _goal(self, f: Formula, t: int, least: Any, greatest: Any) -> Any:
        if f.op in ("U", "R", "S", "T"):
            return self.value(f.args[1], t)
        x = self.value(f.args[0], t)
        return greatest(x, self.value(f.args[1], t)) if f.op in ("M", "W") else x

    def _way(self, f: Formula, t: int) -> Any:
        if len(f.args) == 1:
            return None
        return self.value(f.args[1] if f.op in ("M", "W") else f.args[0], t)


_STEPS = {"X": "F", "WX": "G", "Y": "O", "WY": "H"}
