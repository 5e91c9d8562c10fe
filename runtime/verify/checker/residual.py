"""What an affine fit leaves over of a Lipschitz function, for the checker: bounded by every recorded step.

At a recorded point the residual is known up to the noise; elsewhere it differs from that by at most its slope (that of
the function plus that of the fit) times the distance. A box is covered by cells; in a cell the least of the bounds that
all points give holds. Floats, with room for their rounding.
"""

from __future__ import annotations

from itertools import pairwise, product
from math import isqrt
from typing import Any

import numpy as np

from agentc.runtime.verify.checker.fixed import BITS, ONE, Form

ROOM = 1 + 1e-9
CELLS = 256


class Residual:
    """``phi`` are ``(1, states, inputs)`` of each step, ``after`` where it led, all numbers in units."""

    def __init__(self, phi: Any, after: Any, fit: Any, noise: list[int], constant: int) -> None:
        n = len(fit)
        left = [
            [y * ONE - sum(a * x for a, x in zip(fit[i], row, strict=True)) for i, y in enumerate(target)]
            for row, target in zip(phi, after, strict=True)
        ]  # fmt: skip
        low = [[_down((v >> BITS) - w) for v, w in zip(row, noise, strict=True)] for row in left]
        high = [[_up((v >> BITS) + 1 + w) for v, w in zip(row, noise, strict=True)] for row in left]
        self.low, self.high = np.array(low).reshape(-1, n), np.array(high).reshape(-1, n)
        self.points = np.array([[x / ONE for x in row[1:]] for row in phi])
        self.slope = np.array([_up(constant + isqrt(sum(a * a for a in row)) + 1) for row in fit])

    def added(self, after: list[Form], before: list[Form]) -> list[Form]:
        """The next states with the residual over the box of states and inputs."""
        lo, hi = [_down(f.lo) for f in before], [_up(f.hi) for f in before]
        wide = sum(b > a for a, b in zip(lo, hi, strict=True))
        cut = max(1, int(CELLS ** (1 / max(wide, 1))))
        sides = []
        for a, b in zip(lo, hi, strict=True):
            edges = [a + (b - a) * k / cut for k in range(cut)] + [b]
            sides.append(list(pairwise(edges)))
        least, most = np.full(len(after), np.inf), np.full(len(after), -np.inf)
        for cell in product(*sides):
            box = np.array(cell)
            far = np.maximum(np.abs(self.points - box[:, 0]), np.abs(self.points - box[:, 1]))
            reach = np.sqrt((far * far).sum(axis=1))[:, None] * self.slope * ROOM
            most = np.maximum(most, (self.high + reach + 1e-12 * np.abs(self.high)).min(axis=0))
            least = np.minimum(least, (self.low - reach - 1e-12 * np.abs(self.low)).max(axis=0))
        made = []
        for form, a, b in zip(after, least.tolist(), most.tolist(), strict=True):
            down, up = int(np.floor(min(a, b) * ONE)), int(np.ceil(max(a, b) * ONE))
            made.append(Form(form.c + (down + up) // 2, form.g, form.r + (up - down) // 2 + 2))
        return made


def _down(x: int) -> float:
    """A float that is not above a number in units."""
    return float(np.nextafter(x / ONE, -np.inf))


def _up(x: int) -> float:
    """A float that is not below a number in units."""
    return float(np.nextafter(x / ONE, np.inf))
