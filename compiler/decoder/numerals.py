"""Numbers as they are written: the languages of whole numbers and of decimals in a range."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from agentc.compiler.decoder.regular import EMPTY, EPSILON, Language, alt, cat, chars, literal, repeat

DECIMALS = 6
"""Reals are written with at most that many digits behind the point."""
INTEGER_DIGITS = 15
"""Whole numbers without a bound are written with at most that many digits."""
REAL_DIGITS = 9
"""Reals have at most that many digits before the point: all that can be written are then told apart as doubles."""


def integers(lo: int | None, hi: int | None) -> Language:
    """Whole numbers in a range, in decimal, without leading zeros or a plus sign; ``-0`` is not one."""
    least = -(10**INTEGER_DIGITS - 1) if lo is None else lo
    most = 10**INTEGER_DIGITS - 1 if hi is None else hi
    if least > most:
        return EMPTY
    parts = []
    if most >= 0:
        parts.append(_naturals(max(least, 0), most))
    if least < 0:
        parts.append(cat(literal("-"), _naturals(max(1, -most), -least)))
    return alt(*parts)


def _naturals(lo: int, hi: int) -> Language:
    if lo > hi:
        return EMPTY
    found = []
    for digits in range(len(str(lo)), len(str(hi)) + 1):
        a = max(lo, 0 if digits == 1 else 10 ** (digits - 1))
        b = min(hi, 10**digits - 1)
        found.append(_digits(str(a), str(b)))
    return alt(*found)


def _digit(a: int, b: int) -> Language:
    return chars([(48 + a, 48 + b)])


def _digits(a: str, b: str) -> Language:
    """Strings of digits of one length from ``a`` to ``b``."""
    if a > b:
        return EMPTY
    if not a:
        return EPSILON
    rest = len(a) - 1
    if a == "0" * len(a) and b == "9" * len(b):
        return repeat(_digit(0, 9), len(a), len(a))
    first, last = int(a[0]), int(b[0])
    if first == last:
        return cat(_digit(first, first), _digits(a[1:], b[1:]))
    parts = [cat(_digit(first, first), _digits(a[1:], "9" * rest)), cat(_digit(last, last), _digits("0" * rest, b[1:]))]
    if first + 1 < last:
        parts.append(cat(_digit(first + 1, last - 1), repeat(_digit(0, 9), rest, rest)))
    return alt(*parts)


def reals(lo: Decimal | None, hi: Decimal | None) -> Language:
    """Numbers in a closed range as an integer part and up to ``DECIMALS`` digits behind a point."""
    limit = Decimal(10**REAL_DIGITS) - Decimal(1)
    unit = Decimal(1).scaleb(-DECIMALS)
    least = (-limit if lo is None else max(lo, -limit)).quantize(unit, ROUND_CEILING)
    most = (limit if hi is None else min(hi, limit)).quantize(unit, ROUND_FLOOR)
    if least > most:
        return EMPTY
    parts = []
    if most >= 0:
        parts.append(_positives(max(least, Decimal(0)), most))
    if least < 0:
        parts.append(cat(literal("-"), _positives(max(unit, -most), -least)))
    return alt(*parts)


def _positives(lo: Decimal, hi: Decimal) -> Language:
    """Numbers of at least zero; the fraction may be left out where it is zero."""
    scale = 10**DECIMALS
    a, b = int(lo.scaleb(DECIMALS)), int(hi.scaleb(DECIMALS))
    (first, low), (last, high) = divmod(a, scale), divmod(b, scale)
    if first == last:
        return cat(literal(str(first)), _fractions(low, high))
    parts = [
        cat(literal(str(first)), _fractions(low, scale - 1)),
        cat(literal(str(last)), _fractions(0, high)),
    ]
    if first + 1 < last:
        parts.append(cat(_naturals(first + 1, last - 1), _fractions(0, scale - 1)))
    return alt(*parts)


def _fractions(low: int, high: int) -> Language:
    """``.d`` to ``.dddddd`` between two fractions in units of the last digit; nothing is zero."""
    found = [EPSILON] if low == 0 else []
    for n in range(1, DECIMALS + 1):
        step = 10 ** (DECIMALS - n)
        a, b = -(-low // step), high // step
        if a <= b:
            found.append(cat(literal("."), _digits(str(a).zfill(n), str(b).zfill(n))))
    return alt(*found)


def between(lo: Decimal | None, hi: Decimal | None, whole: bool) -> Language:
    """Numbers in a closed range, ``whole`` ones or decimals."""
    if whole:
        return integers(None if lo is None else math.ceil(lo), None if hi is None else math.floor(hi))
    return reals(lo, hi)


def above(c: Decimal, whole: bool) -> Decimal:
    """The least number that can be written above ``c``."""
    if whole:
        return Decimal(math.floor(c) + 1)
    unit = Decimal(1).scaleb(-DECIMALS)
    return c.quantize(unit, ROUND_FLOOR) + unit


def below(c: Decimal, whole: bool) -> Decimal:
    """The greatest number that can be written below ``c``."""
    return -above(-c, whole)


def bounded(c: Decimal, from_above: bool, strict: bool, whole: bool) -> Language:
    """Numbers with one bound, which is theirs unless it is ``strict``."""
    if from_above:
        return between(None, below(c, whole) if strict else c, whole)
    return between(above(c, whole) if strict else c, None, whole)
