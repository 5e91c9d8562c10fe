"""Physical units: exponents over the SI base units and a factor.

Every number of a spec is kept in SI base units; a :class:`Unit` remembers how the author counted (``km/h``), so
that a bare number beside a quantity can be read in the same way. The radian is the number 1, as in SI: `rad` and
`deg` differ from a pure number by their factor alone, and what wants an angle takes a pure number as well.
"""

from __future__ import annotations

import re
from dataclasses import field
from math import isclose, pi

from agentc.lang.records import dataclass

BASE = ("m", "s", "kg", "A", "K", "mol", "cd")
"""The base units, in the order of the exponents."""

Exponents = tuple[float, ...]

_NONE: Exponents = (0.0,) * len(BASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measurement; two units are equal if they measure the same thing (``km == mm``).

    ``scale`` is the factor to SI base units (1000 for ``km``), None where quantities that were counted
    differently have been combined; ``text`` is the unit as it was written, empty if it was computed.
    """

    exponents: Exponents = _NONE
    scale: float | None = field(default=1.0, compare=False)
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text or self.si

    @property
    def si(self) -> str:
        """The unit in SI base units: ``m/s^2``, empty for a pure number."""
        up = [_power(b, e) for b, e in zip(BASE, self.exponents, strict=True) if e > 0]
        down = [_power(b, -e) for b, e in zip(BASE, self.exponents, strict=True) if e < 0]
        return "/".join(["*".join(up) or "1", *down]) if up or down else ""

    @property
    def dimensionless(self) -> bool:
        """Whether it is a pure number (or an angle)."""
        return self.exponents == _NONE

    @property
    def bare(self) -> bool:
        """Whether it is a pure number, counted in ones."""
        return self.exponents == _NONE and self.scale == 1.0 and not self.text

    def __mul__(self, other: Unit) -> Unit:
        return _combined(self, other, 1)

    def __truediv__(self, other: Unit) -> Unit:
        return _combined(self, other, -1)

    def __pow__(self, power: float) -> Unit:
        exponents = tuple(e * power for e in self.exponents)
        return Unit(exponents, None if self.scale is None else self.scale**power)

    def joined(self, other: Unit) -> Unit:
        """The unit of a sum or a choice of two quantities of one dimension: they may be counted differently."""
        if self.scale is not None and other.scale is not None and isclose(self.scale, other.scale, rel_tol=1e-12):
            return self if self.text else other
        return Unit(self.exponents, None)


def _combined(one: Unit, other: Unit, sign: int) -> Unit:
    if other.bare:
        return one
    if one.bare and sign > 0:
        return other
    exponents = tuple(a + sign * b for a, b in zip(one.exponents, other.exponents, strict=True))
    scale = None if one.scale is None or other.scale is None else one.scale * other.scale**sign
    text = f"{one or 1}{'*' if sign > 0 else '/'}{other}" if "/" not in other.text and "*" not in other.text else ""
    return Unit(exponents, scale, text if scale is not None and exponents != _NONE else "")


def _power(base: str, exponent: float) -> str:
    return base if exponent == 1 else f"{base}^{exponent:g}"


DIMENSIONLESS = Unit()


def _unit(scale: float, **exponents: int) -> tuple[float, Exponents]:
    return scale, tuple(float(exponents.get(b, 0)) for b in BASE)


_PREFIXES = {
    "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "c": 1e-2, "d": 1e-1,
    "h": 1e2, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
}  # fmt: skip

_PREFIXED = {
    "m": _unit(1, m=1), "s": _unit(1, s=1), "g": _unit(1e-3, kg=1), "A": _unit(1, A=1), "K": _unit(1, K=1),
    "mol": _unit(1, mol=1), "cd": _unit(1, cd=1), "rad": _unit(1), "Hz": _unit(1, s=-1),
    "N": _unit(1, kg=1, m=1, s=-2), "Pa": _unit(1, kg=1, m=-1, s=-2), "J": _unit(1, kg=1, m=2, s=-2),
    "W": _unit(1, kg=1, m=2, s=-3), "C": _unit(1, A=1, s=1), "V": _unit(1, kg=1, m=2, s=-3, A=-1),
    "F": _unit(1, kg=-1, m=-2, s=4, A=2), "Ohm": _unit(1, kg=1, m=2, s=-3, A=-2),
    "T": _unit(1, kg=1, s=-2, A=-1), "Wb": _unit(1, kg=1, m=2, s=-2, A=-1), "L": _unit(1e-3, m=3),
}  # fmt: skip
"""Units that take a prefix."""

_FIXED = {
    "min": _unit(60, s=1), "h": _unit(3600, s=1), "day": _unit(86400, s=1), "deg": _unit(pi / 180),
    "rev": _unit(2 * pi), "rpm": _unit(2 * pi / 60, s=-1), "percent": _unit(0.01), "t": _unit(1000, kg=1),
    "bar": _unit(1e5, kg=1, m=-1, s=-2),
}  # fmt: skip
"""Units that take none; they win over a prefix and a unit (``min`` is no milli-inch)."""


def symbols() -> list[str]:
    """All symbols of units, the usual prefixed ones included, for 'did you mean'."""
    usual = ["km", "cm", "mm", "ms", "us", "kg", "kHz", "MHz", "kN", "kJ", "kW", "mA", "mV", "kPa"]
    return [*_FIXED, *_PREFIXED, *usual]


class UnknownUnit(ValueError):
    """A symbol that is no unit; ``symbol`` is it, ``offset`` where in the text it stands."""

    def __init__(self, symbol: str, offset: int) -> None:
        super().__init__(f"no unit is named {symbol!r}")
        self.symbol, self.offset = symbol, offset


_FACTOR = re.compile(r"\s*([*/]?)\s*(?:([A-Za-z]+)\s*(?:\^\s*(-?\s*[0-9]+))?|1(?=\s*/))\s*")


def parse_unit(text: str) -> Unit:
    """The unit that ``text`` denotes (``m``, ``km/h``, ``kg*m/s^2``, ``1/s``).

    Raises:
        UnknownUnit: a symbol is not known, or the text is not a product of powers.
    """
    exponents, scale, at = list(_NONE), 1.0, 0
    while at < len(text):
        match = _FACTOR.match(text, at)
        if match is None or (at > 0) != bool(match[1]):
            raise UnknownUnit(text[at:].strip() or text, at)
        if match[2]:
            factor, powers = _symbol(match[2], match.start(2))
            power = int(match[3].replace(" ", "")) if match[3] else 1
            power = -power if match[1] == "/" else power
            if abs(power) > 100:
                raise UnknownUnit(match[0].strip(), at)
            scale *= factor**power
            exponents = [e + power * p for e, p in zip(exponents, powers, strict=True)]
        at = match.end()
    if not text.strip():
        raise UnknownUnit(text, 0)
    return Unit(tuple(exponents), scale, "".join(text.split()))


def _symbol(symbol: str, offset: int) -> tuple[float, Exponents]:
    found = _FIXED.get(symbol) or _PREFIXED.get(symbol)
    if found is None and symbol[0] in _PREFIXES and symbol[1:] in _PREFIXED:
        scale, exponents = _PREFIXED[symbol[1:]]
        found = _PREFIXES[symbol[0]] * scale, exponents
    if found is None:
        raise UnknownUnit(symbol, offset)
    return found


SECOND = parse_unit("s")


def in_unit(value: float, unit: Unit) -> str:
    """A value in SI base units, written in ``unit``: ``in_unit(0.3, ms)`` is ``300ms``."""
    return f"{value / (unit.scale or 1.0):.10g}{unit if unit.text and unit.scale else unit.si}"


def to_si(value: float, unit: Unit) -> float:
    """A value that was counted in ``unit``, in SI base units; ``35cm`` is 0.35 and not its neighbour."""
    scale = unit.scale or 1.0
    inverse = round(1 / scale) if scale < 1 else 0
    return value / inverse if inverse and 1 / inverse == scale else value * scale
