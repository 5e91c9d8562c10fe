"""Affine forms over a batch: ``centre + generators * [-1, 1] + slack * [-1, 1]``, with generators shared by all forms.

Luiz Henrique de Figueiredo, Jorge Stolfi: "Affine arithmetic: concepts and applications", Numerical Algorithms 37,
2004; forms with one independent slack each are the paper's section 4 remark on condensed forms (AF1 in Messine,
"Extensions of affine arithmetic", 2002). What an operation loses, its rounding included, goes into the slack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentc.runtime.verify.reach.intervals import Floats, Interval, down, up

U = 2.0**-53
ROOM = 1 + 1e-13  # what computing a sum of a few hundred magnitudes can lose


@dataclass(frozen=True)
class Form:
    """``c`` and ``r`` are ``(batch,)``, ``g`` is ``(batch, generators)``; ``r`` is never negative."""

    c: Floats
    g: Floats
    r: Floats

    @property
    def radius(self) -> Floats:
        """How far it can be from the centre, rounded up."""
        radius: Floats = (np.abs(self.g).sum(axis=1) + self.r) * ROOM
        return radius

    @property
    def range(self) -> Interval:
        """The interval that it can be in."""
        radius = self.radius
        return Interval(down(self.c - radius), up(self.c + radius))

    def __neg__(self) -> Form:
        return Form(-self.c, -self.g, self.r)

    def __add__(self, other: Form) -> Form:
        return _rounded(self.c + other.c, self.g + other.g, self.r + other.r)

    def __sub__(self, other: Form) -> Form:
        return _rounded(self.c - other.c, self.g - other.g, self.r + other.r)

    def plus(self, number: Any) -> Form:
        """The sum with a number, or one for each of the batch."""
        return _rounded(self.c + number, self.g, self.r)

    def scaled(self, number: Any) -> Form:
        """The product with a number, or one for each of the batch."""
        factor = np.asarray(number, np.float64)
        return _rounded(self.c * factor, self.g * factor[..., None], self.r * np.abs(factor))

    def __mul__(self, other: Form) -> Form:
        if self is other:
            return self.square()
        mine, theirs = self.radius, other.radius
        g = self.g * other.c[:, None] + other.g * self.c[:, None]
        r = self.r * np.abs(other.c) + other.r * np.abs(self.c) + mine * theirs
        size = (np.abs(self.c) + mine) * (np.abs(other.c) + theirs)
        return Form(self.c * other.c, g, (r + 8 * U * size) * ROOM)

    def square(self) -> Form:
        """The square: what the deviation contributes is never negative."""
        radius = self.radius
        half = 0.5 * radius * radius
        size = (np.abs(self.c) + radius) ** 2
        r = 2 * np.abs(self.c) * self.r + half + 8 * U * size
        return Form(self.c * self.c + half, 2 * self.g * self.c[:, None], r * ROOM)

    def widened(self, interval: Interval) -> Form:
        """The sum with an interval that is independent of everything."""
        middle = interval.middle
        radius = interval.radius
        return _rounded(self.c + middle, self.g, self.r + radius)

    def smooth(self, value: Callable[[Floats], Floats], slope: Callable[[Floats], Floats], bend: Interval) -> Form:
        """A function of one argument by its tangent at the centre, its second derivative being in ``bend``."""
        radius = self.radius
        with np.errstate(invalid="ignore", over="ignore"):
            half = 0.5 * radius * radius * ROOM
            low, high = np.minimum(bend.lo, 0.0) * half, np.maximum(bend.hi, 0.0) * half
            at, tilt = value(self.c), slope(self.c)
            c = at + 0.5 * (low + high)
            size = np.abs(at) + np.abs(tilt) * radius + np.abs(low) + np.abs(high)
            r = np.abs(tilt) * self.r + 0.5 * (high - low) + 64 * U * size + 1e-300
            return Form(c, self.g * tilt[:, None], r * ROOM)

    def line(self, tilt: Floats, low: Floats, high: Floats) -> Form:
        """``tilt * x + [low, high]``, all arrays ``(batch,)``."""
        middle = 0.5 * (low + high)
        half = up(np.maximum(up(high - middle), up(middle - low)))
        return _rounded(self.c * tilt + middle, self.g * tilt[:, None], self.r * np.abs(tilt) + half, self.c * tilt)


def _rounded(c: Floats, g: Floats, r: Floats, *parts: Floats) -> Form:
    """A form whose centre and generators were each rounded at most twice."""
    size = np.abs(c) + np.abs(g).sum(axis=1)
    for part in parts:
        size = size + np.abs(part)
    return Form(c, g, (r + 4 * U * size) * ROOM)


def constant(value: Any, like: Form) -> Form:
    """A number as a form."""
    return Form(np.full_like(like.c, value), np.zeros_like(like.g), np.zeros_like(like.r))


def of_interval(interval: Interval, like: Form) -> Form:
    """An interval as a form that depends on nothing."""
    middle = interval.middle + np.zeros_like(like.c)
    return Form(middle, np.zeros_like(like.g), interval.radius + np.zeros_like(like.r))
