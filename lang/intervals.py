"""Intervals of temporal operators and aggregates: from bounds in steps, turns or time to bounds in steps."""

from __future__ import annotations

from math import ceil, floor, isinf
from typing import NamedTuple

from agentc.lang import ast
from agentc.lang.context import Context, measured
from agentc.lang.scope import Scope
from agentc.lang.typed import Typed
from agentc.lang.units import SECOND, in_unit

NEXT = ("X", "WX", "Y", "WY")
"""The operators that take a count instead of an interval."""

MOST_TURNS = 10_000
"""An interval of turns is written out turn by turn."""

_TOLERANCE = 1e-9  # durations are decimal fractions, which binary floats only approximate


class Window(NamedTuple):
    """An interval ``[lo, hi]`` in steps (or in turns); ``hi`` None is infinity."""

    lo: int
    hi: int | None
    turns: bool = False


class Intervals:
    """Elaborates intervals."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def window(self, interval: ast.Interval | None, op: str, scope: Scope) -> Window | None:
        """The interval of ``op``, its default if none is written; None, and a report, if it is none."""
        counts = op in NEXT
        if interval is None:
            return Window(1, 1) if counts else Window(0, None)
        if counts != (interval.form == "count"):
            return None  # the parser has reported it
        turns = [b.count == "turns" for b in (interval.lo, interval.hi) if b is not None]
        # `[2, 8 turns]` counts both in turns; `[2 turns, 8]` does not say
        unclear = turns[:1] == [True] or (interval.lo is not None and interval.lo.count is not None)
        if len(turns) == 2 and turns[0] != turns[1] and unclear:
            self.context.report("AS0413", interval.span)
            return None
        if any(turns) and scope.trace_kind != "phases":
            if self.context.generic:
                return None
            self.context.report("AS0408", interval.span)
            return None
        lo = self._steps(interval.lo, any(turns), scope) if interval.lo is not None else 0
        same = interval.hi is interval.lo
        hi = lo if same else self._steps(interval.hi, any(turns), scope) if interval.hi is not None else None
        if lo is None or (hi is None and interval.hi is not None):
            return None
        if interval.form == "count":
            hi = lo = hi if hi is not None and interval.lo is None else lo
        if lo < 0 or (hi is not None and hi < lo):
            self.context.report("AS0409", interval.span, lo=lo, hi="inf" if hi is None else hi)
            return None
        if any(turns) and hi is not None and hi > MOST_TURNS:
            self.context.report("AS0315", interval.span, value=f"{hi} turns", range=f"[0, {MOST_TURNS}] turns")
            return None
        return Window(lo, hi, any(turns))

    def _steps(self, bound: ast.Bound, turns: bool, scope: Scope) -> int | None:
        term = self.context.term(bound.value, scope, None)
        if term.type.kind == "error":
            return None
        if term.op == "parameter":  # a definition that is checked by itself
            return 0 if term.type.is_number else None
        if not term.is_constant:
            self.context.report("AS0308", bound.value.span, name=" ".join(bound.value.span.text.split()))
            return None
        return self.steps(term, bound.value, scope, turns)

    def steps(self, term: Typed, expr: ast.Expr, scope: Scope, turns: bool = False) -> int | None:
        """A constant number or duration in steps; None, and a report, if it is none."""
        value, text = term.value, " ".join(expr.span.text.split())
        if not term.type.is_number or isinstance(value, bool) or not isinstance(value, int | float):
            self.context.report("AS0412", expr.span, value=text)
            return None
        if term.type.unit == SECOND and not turns:
            return self._duration(term, float(value), expr, scope)
        if not term.type.unit.bare:
            self.context.report("AS0412", expr.span, value=f"{text} ({measured(term.type.unit)})")
            return None
        if value != int(value):
            self.context.report("AS0410", expr.span, value=text, below=floor(value), above=ceil(value))
            return None
        return int(value)

    def _duration(self, term: Typed, seconds: float, expr: ast.Expr, scope: Scope) -> int | None:
        step, unit = scope.step_duration, term.type.unit
        if step is None:
            if self.context.generic or scope.incomplete:  # the environment was not understood
                return None
            if self.context.is_first(" step", scope):  # what lacks is one thing, however often it is needed
                self.context.report("AS0407", expr.span, duration=in_unit(seconds, unit))
            return None
        ratio = seconds / step
        if isinf(ratio):
            self.context.report("AS0316", expr.span, reason=f"it has too many steps of {in_unit(step, unit)}")
            return None
        count = round(ratio)
        if abs(ratio - count) <= _TOLERANCE * max(1.0, abs(ratio)):
            return count
        self.context.report(
            "AS0406", expr.span, duration=in_unit(seconds, unit), step=in_unit(step, unit),
            below=in_unit(floor(ratio) * step, unit), above=in_unit(ceil(ratio) * step, unit),
        )  # fmt: skip
        return None
