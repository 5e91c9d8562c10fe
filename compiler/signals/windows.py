"""Sliding extrema and timed until over time-major arrays, ``O(T log W)``, no matrix of pairs of steps.

Source: idempotent doubling (the sparse table of Bender and Farach-Colton, LATIN 2000) for the extrema of windows, in
place of the three passes of van Herk (1992) and Gil and Werman (1993): doubling has no carried dependency, so each
pass is one vector instruction per cache line. Windows from a step to the end of the trace are one running extremum.
``until`` doubles on the pairs (min of f, max-min of g after f), which are associative:
``(P, Q) . (P', Q') = (min(P, P'), max(Q, min(P, Q')))``.

Deviations: windows are truncated at the end of the array by leaving the tail as it is, so that nothing is padded.

A kernel works on whatever an :class:`Algebra` combines: plain values, values with the place that they come from
(:class:`Tracked`), smooth ones (:mod:`agentc.compiler.signals.smooth`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from agentc.compiler.signals.arrays import Array, Arrays


class Algebra(Protocol):
    """How values are combined. ``greatest`` chooses between max and min; columns are along the first axis.

    ``idempotent``: combining a value with itself changes nothing, so that windows may overlap.
    """

    idempotent: bool

    def combine(self, greatest: bool, x: Any, y: Any) -> Any:
        """The greater (lesser), ``x`` where they are equal."""

    def shifted(self, greatest: bool, x: Any, distance: int) -> Any:
        """Every row with the one ``distance`` later; the last ``distance`` rows as they are."""

    def to_end(self, greatest: bool, x: Any) -> Any:
        """Every row with all later ones."""

    def whole(self, greatest: bool, x: Any) -> Any:
        """All rows, as one."""

    def fill(self, like: Any, rows: int, top: bool) -> Any:
        """Rows of plus (minus) infinity."""

    def join(self, x: Any, y: Any) -> Any:
        """Rows of ``x``, then of ``y``."""

    def flip(self, x: Any) -> Any:
        """Time reversed."""


class Plain:
    """Values alone."""

    idempotent = True

    def __init__(self, arrays: Arrays) -> None:
        self.arrays, self._max, self._min = arrays, arrays.xp.maximum, arrays.xp.minimum

    def combine(self, greatest: bool, x: Array, y: Array) -> Array:
        """See :class:`Algebra`."""
        return (self._max if greatest else self._min)(x, y)

    def shifted(self, greatest: bool, x: Array, distance: int) -> Array:
        """See :class:`Algebra`."""
        y = self.arrays.xp.empty_like(x)
        (self._max if greatest else self._min)(x[:-distance], x[distance:], out=y[:-distance])
        y[-distance:] = x[-distance:]
        return y

    def to_end(self, greatest: bool, x: Array) -> Array:
        """See :class:`Algebra`."""
        return self.arrays.running(greatest, x)

    def whole(self, greatest: bool, x: Array) -> Array:
        """See :class:`Algebra`."""
        return self.arrays.extremum(greatest, x)

    def fill(self, like: Array, rows: int, top: bool) -> Array:
        """See :class:`Algebra`; of truth values, true and false."""
        boolean = "bool" in str(like.dtype)
        return self.arrays.full(like, rows, top if boolean else float("inf" if top else "-inf"))

    def join(self, x: Array, y: Array) -> Array:
        """See :class:`Algebra`."""
        return self.arrays.xp.concatenate((x, y))

    def flip(self, x: Array) -> Array:
        """See :class:`Algebra`."""
        return self.arrays.flip(x)


@dataclass(frozen=True, slots=True)
class Tracked:
    """Values, and for each the place (a number) that it comes from; -1 where it comes from nowhere."""

    value: Array
    place: Array

    def __getitem__(self, rows: Any) -> Tracked:
        return Tracked(self.value[rows], self.place[rows])

    def __len__(self) -> int:
        return len(self.value)


class Tracking:
    """Values with the places that they come from: an index travels along with every comparison."""

    idempotent = True

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays

    def combine(self, greatest: bool, x: Tracked, y: Tracked) -> Tracked:
        """See :class:`Algebra`."""
        where = self.arrays.xp.where
        later = y.value > x.value if greatest else y.value < x.value
        return Tracked(where(later, y.value, x.value), where(later, y.place, x.place))

    def shifted(self, greatest: bool, x: Tracked, distance: int) -> Tracked:
        """See :class:`Algebra`."""
        return self.join(self.combine(greatest, x[:-distance], x[distance:]), x[-distance:])

    def to_end(self, greatest: bool, x: Tracked) -> Tracked:
        """See :class:`Algebra`."""
        distance = 1
        while distance < len(x):
            x, distance = self.shifted(greatest, x, distance), 2 * distance
        return x

    def whole(self, greatest: bool, x: Tracked) -> Tracked:
        """See :class:`Algebra`."""
        row = self.arrays.where_extremum(greatest, x.value)
        columns = self.arrays.arange(row, 0, len(row))
        return Tracked(x.value[row, columns][None], x.place[row, columns][None])

    def fill(self, like: Tracked, rows: int, top: bool) -> Tracked:
        """See :class:`Algebra`."""
        value = self.arrays.full(like.value, rows, float("inf" if top else "-inf"))
        return Tracked(value, self.arrays.full(like.place, rows, -1))

    def join(self, x: Tracked, y: Tracked) -> Tracked:
        """See :class:`Algebra`."""
        concatenate = self.arrays.xp.concatenate
        return Tracked(concatenate((x.value, y.value)), concatenate((x.place, y.place)))

    def flip(self, x: Tracked) -> Tracked:
        """See :class:`Algebra`."""
        return Tracked(self.arrays.flip(x.value), self.arrays.flip(x.place))


def extremum(algebra: Algebra, greatest: bool, x: Any, width: int, rows: int) -> Any:
    """For each of the first ``rows`` steps, the greatest (least) of the ``width`` from it on, as far as they go."""
    width = min(width, len(x))
    if rows == 1:
        return algebra.whole(greatest, x[:width])
    if width == len(x) and width > 1:
        return algebra.to_end(greatest, x)[:rows]
    if not algebra.idempotent:
        return _disjoint(algebra, greatest, x, width)[:rows]
    w = 1
    if len(x) >= rows + width - 1:  # no window is truncated
        while w < width:
            step = min(w, width - w)
            x, w = algebra.combine(greatest, x[:-step], x[step:]), w + step
        return x[:rows]
    while 2 * w <= width:
        x, w = algebra.shifted(greatest, x, w), 2 * w
    if w < width:
        x = algebra.shifted(greatest, x, width - w)
    return x[:rows]


def _disjoint(algebra: Algebra, greatest: bool, x: Any, width: int) -> Any:
    """Windows as disjoint parts whose sizes are powers of two."""
    found, have, w = None, 0, 1
    while True:
        if width & w:
            # the part after `have` steps, as far as there is one
            found = x if found is None else after(algebra, greatest, found, x, have)
            have += w
        if 2 * w > width:
            assert found is not None
            return found
        x, w = after(algebra, greatest, x, x, w), 2 * w


def after(algebra: Algebra, greatest: bool, x: Any, y: Any, distance: int) -> Any:
    """Each row of ``x`` with the row of ``y`` that is ``distance`` later; ``x`` alone where there is none."""
    if distance >= len(x):
        return x
    return algebra.join(algebra.combine(greatest, x[:-distance], y[distance:]), x[-distance:])


def until(algebra: Algebra, greatest: bool, f: Any, g: Any, width: int) -> Any:
    """``max over s in [t, t+width) of min(g[s], min of f[t:s])`` at each step, as far as the arrays go.

    With ``greatest`` false its dual, ``release``. ``f`` and ``g`` are equally long.
    """
    low = not greatest
    p, q, w = f, g, 1
    found: tuple[Any, Any] | None = None
    have = 0

    def append(p0: Any, q0: Any, p1: Any, q1: Any, distance: int) -> tuple[Any, Any]:
        if distance >= len(q0):
            return p0, q0
        head = algebra.combine(greatest, q0[:-distance], algebra.combine(low, p0[:-distance], q1[distance:]))
        return after(algebra, low, p0, p1, distance), algebra.join(head, q0[-distance:])

    if width >= len(g):
        while w < len(g):
            (p, q), w = append(p, q, p, q, w), 2 * w
        return q
    while True:
        if width & w:
            found = (p, q) if found is None else append(*found, p, q, have)
            have += w
        if 2 * w > width:
            assert found is not None
            return found[1]
        (p, q), w = append(p, q, p, q, w), 2 * w


def combinations(width: int, length: int) -> int:
    """How many times :func:`until` combines on the way to one value: what errors of an algebra add up to."""
    if width >= length:
        return max(length - 1, 0).bit_length()
    return width.bit_length() - 1 + bin(width).count("1") - 1
