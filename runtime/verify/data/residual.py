"""Lipschitz dynamics: an affine fit, and what is left over bounded everywhere from what it is at the data.

Alanwar et al. (see :mod:`.models`), algorithm 6 of the section on Lipschitz systems: least squares, the residuals at
the data, and the Lipschitz constant times the distance to the data. Deviations: the residual's own constant is used,
that of the dynamics plus the slope of the fit; the distance is that to the data points, over cells that cover the set
in question, and each cell takes the least of the bounds that all points give (Milanese, Novara, "Set membership
identification of nonlinear systems", Automatica 2004), where the paper assumes a covering radius of the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.verify.data.features import Features
from agentc.runtime.verify.data.models import ROOM, ModelSet, design
from agentc.runtime.verify.data.recorded import Transitions
from agentc.runtime.verify.data.tube import hull, step
from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.intervals import Interval

Floats = NDArray[np.float64]

CELLS = 256
"""About how many cells cover a set."""


@dataclass(frozen=True)
class Residual:
    """What an affine fit leaves over: ``low`` to ``high`` ``(T, n)`` at ``points`` ``(T, m)``, with its ``slope``."""

    points: Floats
    low: Floats
    high: Floats
    slope: Floats
    constant: float

    def bounds(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """The least and the greatest residual ``(n,)`` over a box of states and inputs."""
        wide = high > low
        cut = max(1, int(CELLS ** (1 / max(int(wide.sum()), 1))))
        edges = [np.linspace(a, b, cut + 1) if w else np.array([a, b]) for a, b, w in zip(low, high, wide, strict=True)]
        cells = np.array([
            [(e[k], e[k + 1]) for e, k in zip(edges, cell, strict=True)]
            for cell in product(*(range(len(e) - 1) for e in edges))
        ])  # fmt: skip
        far = np.maximum(cells[:, None, :, 1] - self.points[None], self.points[None] - cells[:, None, :, 0])
        distance = np.sqrt((far**2).sum(axis=2)) * ROOM  # (cells, T), to the farthest corner
        most = (self.high[None] + self.slope * distance[:, :, None] * ROOM).min(axis=1).max(axis=0)
        least = (self.low[None] - self.slope * distance[:, :, None] * ROOM).max(axis=1).min(axis=0)
        pad = 1e-15 * (1 + np.abs(most) + np.abs(least))
        return least - pad, np.maximum(most, least) + pad

    def step(self, models: ModelSet, states: Sequence[Form], inputs: Sequence[Form]) -> list[Form]:
        """The states one step later."""
        lo, hi = hull([*states, *inputs])
        found = [self.bounds(a, b) for a, b in zip(lo, hi, strict=True)]
        least, most = np.stack([f[0] for f in found]), np.stack([f[1] for f in found])
        after = step(models, states, inputs)
        return [f.widened(Interval(least[:, i], most[:, i])) for i, f in enumerate(after)]


def lipschitz_models(
    features: Features, data: Transitions, noise: Floats, constant: float
) -> tuple[ModelSet, Residual]:
    """The fit as a set of one model, and its residual. Raises AS1350."""
    phi = design(features, data)
    fit: Floats = np.asarray(np.linalg.lstsq(phi, data.after, rcond=None)[0].T, np.float64)
    points = np.concatenate([data.before, data.inputs], axis=1)
    left = data.after - phi @ fit.T
    error = noise + (len(features) + 6) * 2.0**-52 * (np.abs(phi) @ np.abs(fit.T) + np.abs(data.after))
    slope = (constant + np.sqrt((fit**2).sum(axis=1))) * ROOM  # of the constant feature, too: never less
    m = len(features)
    argument = {"by": "lipschitz", "fit": fit.tolist()}
    models = ModelSet(features, fit, np.eye(m), np.zeros((len(fit), m)), noise, argument)
    return models, Residual(points, left - error, left + error, slope, constant)
