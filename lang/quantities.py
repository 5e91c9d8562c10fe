"""Units of terms that meet: what can be added and compared, and what a number without a unit counts.

A constant without a unit counts in the unit in which the quantity beside it was declared: where ``x`` is in
``km``, ``x > 3`` means three kilometres. Where that is not clear, it is an error.
"""

from __future__ import annotations

from dataclasses import replace

from agentc.lang.context import Context, described, measured
from agentc.lang.source import Span
from agentc.lang.typed import Typed, Value
from agentc.lang.types import Type
from agentc.lang.units import Unit, in_unit, to_si


def is_bare(typed: Typed) -> bool:
    """Whether it is a constant without a unit."""
    return typed.is_constant and typed.type.unit.bare


def coordinate_types(typed: Typed) -> tuple[Type, ...]:
    """The types of a vector's coordinates (of a number: its own)."""
    if typed.op == "tuple":
        return tuple(a.type for a in typed.args)
    if typed.type.kind == "vector":
        one = Type("real", lo=typed.type.lo, hi=typed.type.hi, unit=typed.type.unit)
        return (one,) * (typed.type.size[0] if typed.type.size else 1)
    return (typed.type,)


class Quantities:
    """Checks units where terms meet."""

    def __init__(self, context: Context) -> None:
        self.context = context

    def alike(self, terms: tuple[Typed, ...], op: str, span: Span) -> tuple[tuple[Typed, ...], Unit] | None:
        """The terms in one dimension, with the unit they have in common; None, and a report, if they have none."""
        counted = [t for t in terms if not is_bare(t)]
        if not counted or "error" in {t.type.kind for t in terms}:
            return terms, terms[0].type.unit
        first = counted[0]
        unit = first.type.unit
        for other in counted[1:]:
            if other.type.unit != unit:
                self._mismatch(op, first, other, span)
                return None
            if first.is_constant or not other.is_constant:  # how a constant was written counts last
                unit = other.type.unit if first.is_constant else unit.joined(other.type.unit)
                first = other if first.is_constant else first
        if unit.bare or len(counted) == len(terms):
            return terms, unit
        if all(t.is_constant for t in counted) and not unit.dimensionless:
            self._mismatch(op, first, next(t for t in terms if is_bare(t)), span)
            return None
        converted = tuple(self.counted(t, unit, t.span) if is_bare(t) else t for t in terms)
        return None if any(t.type.kind == "error" for t in converted) else (converted, unit)

    def _mismatch(self, op: str, left: Typed, right: Typed, span: Span) -> None:
        self.context.report("AS0402", span, op=op, left=measured(left.type.unit), right=measured(right.type.unit))

    def counted(self, typed: Typed, unit: Unit, span: Span) -> Typed:
        """A bare constant, counted in ``unit``."""
        if unit.bare:
            return typed
        if unit.scale is None and _scaled(typed.value, unit) != typed.value:
            text = " ".join(span.text.split())
            return self.context.failed("AS0405", span, number=text, unit=unit.si)
        number = Type("real", unit=unit) if typed.type.is_number else replace(typed.type, unit=unit)
        return replace(typed, value=_scaled(typed.value, unit), type=number)

    def in_unit(self, typed: Typed, wanted: Type, span: Span) -> Typed:
        """The quantity where one of type ``wanted`` is needed: the dimension, and for constants the range, agree.

        A type without a unit takes any.
        """
        if is_bare(typed):
            typed = self.counted(typed, wanted.unit, span)
        elif any(c.unit != wanted.unit for c in coordinate_types(typed)) and not wanted.unit.bare:
            return self.context.failed(
                "AS0414", span, found=measured(typed.type.unit), wanted=described(Type("real", unit=wanted.unit))
            )
        if typed.type.kind == "error" or not typed.is_constant:
            return typed
        if wanted.kind == "real" and isinstance(typed.value, int):
            typed = replace(typed, value=float(typed.value), type=replace(typed.type, kind="real"))
        values = typed.value if isinstance(typed.value, tuple) else (typed.value,)
        for value in values:
            assert isinstance(value, int | float)
            if (wanted.lo is not None and value < wanted.lo) or (wanted.hi is not None and value > wanted.hi):
                return self.context.failed(
                    "AS0315", span, value=in_unit(value, typed.type.unit), range=range_text(wanted)
                )
        return typed


def _scaled(value: Value, unit: Unit) -> Value:
    if isinstance(value, tuple):
        return tuple(_scaled(v, unit) for v in value)
    assert isinstance(value, int | float)
    return to_si(value, unit) if unit.scale is not None else value if value == 0 else None


def range_text(of: Type) -> str:
    """The range of a type as it would be written: ``[0, 1] [m]``."""
    unit = of.unit
    lo = "(-inf" if of.lo is None else f"[{of.lo / (unit.scale or 1.0):.10g}"
    hi = "inf)" if of.hi is None else f"{of.hi / (unit.scale or 1.0):.10g}]"
    return f"{lo}, {hi}" + (f" [{unit}]" if str(unit) else "")
