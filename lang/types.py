"""The types of expressions: what a value can be, in which range, measured in what."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from agentc.lang.records import dataclass
from agentc.lang.units import DIMENSIONLESS, Unit

Kind = Literal["bool", "int", "real", "enum", "text", "vector", "region", "formula", "set", "error"]


@dataclass(frozen=True, slots=True)
class Type:
    """The type of an expression.

    ``bool`` is a proposition and ``formula`` a temporal formula; ``set`` is only the type of what stands behind
    ``in``; ``error`` is the type of what has been reported already, and every check is silent about it.
    ``lo`` and ``hi`` bound a number (in SI base units; None is unbounded), ``unit`` says what it measures,
    ``members`` are an enum's, ``size`` the least and greatest length of a text, or twice the length of a vector.
    """

    kind: Kind
    members: tuple[str, ...] = ()
    lo: float | None = None
    hi: float | None = None
    unit: Unit = DIMENSIONLESS
    size: tuple[int, int] | None = None

    @property
    def is_number(self) -> bool:
        """Whether it is an ``int`` or a ``real``."""
        return self.kind in ("int", "real")

    @property
    def is_formula(self) -> bool:
        """Whether it can be judged: a proposition or a temporal formula."""
        return self.kind in ("bool", "formula")

    def __str__(self) -> str:
        unit = str(self.unit)
        match self.kind:
            case "enum":
                return f"enum {{{', '.join(self.members)}}}"
            case "vector":
                return f"vec[{self.size[0] if self.size else '?'}]" + (f" [{unit}]" if unit else "")
            case "int" | "real":
                return self.kind + (f" [{unit}]" if unit else "")
            case "formula":
                return "temporal formula"
            case _:
                return self.kind


BOOL = Type("bool")
INT = Type("int")
REAL = Type("real")
TEXT = Type("text")
FORMULA = Type("formula")
REGION = Type("region")
SET = Type("set")
ERROR = Type("error")


def real(unit: Unit = DIMENSIONLESS) -> Type:
    """The type of real quantities of a unit."""
    return REAL if unit is DIMENSIONLESS else Type("real", unit=unit)


def vector(length: int, unit: Unit = DIMENSIONLESS) -> Type:
    """The type of vectors whose coordinates have one unit."""
    return Type("vector", unit=unit, size=(length, length))


def unbounded(of: Type) -> Type:
    """The type without its range: what a computation with such a value yields."""
    return of if of.lo is None and of.hi is None else replace(of, lo=None, hi=None)
