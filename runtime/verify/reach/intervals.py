"""Intervals over a batch, rounded outward: every operation encloses the real result.

Results of numpy's correctly rounded operations are moved one float outward; of its elementary functions, by a slack
of :data:`LIBM`, far above their errors of a few units in the last place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LIBM = 1e-14


def down(x: Any) -> Any:
    """The next float below."""
    return np.nextafter(x, -np.inf)


def up(x: Any) -> Any:
    """The next float above."""
    return np.nextafter(x, np.inf)


@dataclass(frozen=True)
class Interval:
    """``[lo, hi]``, arrays ``(batch,)`` or scalars; where an operation is undefined, both are infinite."""

    lo: Any
    hi: Any

    @property
    def middle(self) -> Any:
        """A point inside."""
        return 0.5 * (self.lo + self.hi)

    @property
    def size(self) -> Any:
        """The greatest absolute value."""
        return np.maximum(np.abs(self.lo), np.abs(self.hi))

    @property
    def radius(self) -> Any:
        """The greatest distance from the middle, rounded up."""
        middle = self.middle
        return up(np.maximum(up(self.hi - middle), up(middle - self.lo)))

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Interval) -> Interval:
        return Interval(down(self.lo + other.lo), up(self.hi + other.hi))

    def __sub__(self, other: Interval) -> Interval:
        return Interval(down(self.lo - other.hi), up(self.hi - other.lo))

    def __mul__(self, other: Interval) -> Interval:
        with np.errstate(invalid="ignore"):
            products = np.stack(np.broadcast_arrays(
                self.lo * other.lo, self.lo * other.hi, self.hi * other.lo, self.hi * other.hi
            ))  # fmt: skip
        products = np.where(np.isnan(products), 0.0, products)  # 0 * inf: the other products are infinite
        return Interval(down(products.min(axis=0)), up(products.max(axis=0)))

    def inverse(self) -> Interval:
        """``1 / x``; everything where it may be zero."""
        zero = (self.lo <= 0) & (self.hi >= 0)
        with np.errstate(divide="ignore"):
            lo, hi = down(1.0 / np.where(zero, 1.0, self.hi)), up(1.0 / np.where(zero, 1.0, self.lo))
        return Interval(np.where(zero, -np.inf, lo), np.where(zero, np.inf, hi))

    def scaled(self, factor: float) -> Interval:
        """The product with a number that may itself be off by one rounding."""
        a, b = self.lo * factor, self.hi * factor
        return Interval(down(down(np.minimum(a, b))), up(up(np.maximum(a, b))))

    def hull(self, other: Interval) -> Interval:
        """The least interval around both."""
        return Interval(np.minimum(self.lo, other.lo), np.maximum(self.hi, other.hi))

    def within(self, other: Interval) -> Any:
        """Whether it lies in another, element by element."""
        return (self.lo >= other.lo) & (self.hi <= other.hi)

    def sin(self) -> Interval:
        """The sine."""
        return self._wave(np.sin, 0.5 * np.pi)

    def cos(self) -> Interval:
        """The cosine."""
        return self._wave(np.cos, 0.0)

    def _wave(self, function: Any, peak: float) -> Interval:
        """A sine with its greatest value at ``peak``; turning points are looked for with a margin."""
        turn, margin = 2 * np.pi, 1e-9 * (1 + self.size)
        a, b = function(self.lo), function(self.hi)
        high = np.floor((self.hi + margin - peak) / turn) > np.floor((self.lo - margin - peak) / turn)
        low = np.floor((self.hi + margin - peak - np.pi) / turn) > np.floor((self.lo - margin - peak - np.pi) / turn)
        far = self.size > 1e8  # numpy reduces such arguments well, but the margin is then a turn
        lo = np.where(low | far, -1.0, np.maximum(np.minimum(a, b) - LIBM, -1.0))
        hi = np.where(high | far, 1.0, np.minimum(np.maximum(a, b) + LIBM, 1.0))
        return Interval(lo, hi)

    def exp(self) -> Interval:
        """The exponential."""
        with np.errstate(over="ignore"):
            return Interval(np.exp(self.lo) * (1 - LIBM), np.exp(self.hi) * (1 + LIBM))

    def sqrt(self) -> Interval:
        """The square root; everything where the argument may be negative."""
        bad = self.lo < 0
        lo = np.where(bad, -np.inf, np.maximum(down(np.sqrt(np.maximum(self.lo, 0.0))), 0.0))
        return Interval(lo, np.where(bad, np.inf, up(np.sqrt(np.maximum(self.hi, 0.0)))))

    def log(self) -> Interval:
        """The natural logarithm; everything where the argument may not be positive."""
        bad = self.lo <= 0
        a, b = np.log(np.where(bad, 1.0, self.lo)), np.log(np.where(bad, 1.0, self.hi))
        lo, hi = a - LIBM * (1 + np.abs(a)), b + LIBM * (1 + np.abs(b))
        return Interval(np.where(bad, -np.inf, lo), np.where(bad, np.inf, hi))

    def square(self) -> Interval:
        """``x * x``, never negative."""
        a, b = self.lo * self.lo, self.hi * self.hi
        zero = (self.lo <= 0) & (self.hi >= 0)
        return Interval(np.where(zero, 0.0, np.maximum(down(np.minimum(a, b)), 0.0)), up(np.maximum(a, b)))
