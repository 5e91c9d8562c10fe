"""Affine forms through a network: the dependence of its outputs on the state is kept, what is lost is a slack.

The relaxations are those of :mod:`agentc.runtime.verify.network.zonotope`; here every rounding is bounded, too, and
that of an evaluation of the network in float32 or float64 where it is asked for (Higham, "Accuracy and Stability of
Numerical Algorithms", section 4.2: what a sum loses is at most a unit roundoff of its partial sums, in any order). A
partial sum lies between the sums of the negative and of the positive terms, and terms that are zero on the whole set,
as those of inactive neurons are, lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentc.runtime.verify.network.mlp import Floats, Layer, Network
from agentc.runtime.verify.network.zonotope import relaxation
from agentc.runtime.verify.reach.forms import Form

U64, U32 = 2.0**-53, 2.0**-24
ROOM, LIBM = 1 + 1e-12, 1e-14


@dataclass(frozen=True)
class Through:
    """The outputs as forms, and for each input generator how much of the relaxation error it is to blame for."""

    outputs: tuple[Form, ...]
    blame: Floats


def through(network: Network, inputs: list[Form], unit: float = U32) -> Through:
    """The outputs of a network for inputs as forms.

    ``unit`` is the roundoff of an evaluation that is covered besides the exact one; 0 covers that alone.
    """
    c = np.stack([f.c for f in inputs])
    g = np.stack([f.g for f in inputs])
    e = np.stack([f.r for f in inputs])
    generators = g.shape[2]
    d = np.zeros_like(c)  # a generator of each neuron's own: relaxation and rounding of one neuron are parallel
    blame = np.zeros((c.shape[1], generators))
    for layer in network.layers:
        positive = np.abs(layer.weight)
        size = np.abs(c) + np.abs(g).sum(axis=2) + d + e
        reach = positive @ size + np.abs(layer.bias)[:, None]
        e = (positive @ e + 2 * (layer.weight.shape[1] + 4) * U64 * reach) * ROOM + 1e-300
        lost = (_summed(layer, c, size, unit) + 6 * unit * reach) * ROOM if unit else np.zeros_like(reach)
        c = layer.weight @ c + layer.bias[:, None]
        g = (layer.weight @ g.reshape(len(g), -1)).reshape(len(c), c.shape[1], -1)
        g, d = np.concatenate([g, _owned(layer.weight, d)], axis=2), lost
        if layer.activation != "identity":
            magnitude = np.abs(g)
            radius = (magnitude.sum(axis=2) + d + e) * ROOM + 4 * U64 * np.abs(c)
            lo, hi = c - radius, c + radius
            slope, low, high = relaxation(layer.activation, lo, hi)
            if layer.activation == "relu":  # any slope in [0, 1] is sound with the bound at an end
                slope = np.clip(slope, 0.0, 1.0)
                both = (lo < 0) & (hi > 0)
                high = np.where(both, np.maximum(-slope * lo, (1 - slope) * hi) * ROOM, 0.0)
            else:  # room for the function's own error, and for that of the place where it is farthest from the line
                pad = LIBM * (1 + np.abs(lo) + np.abs(hi)) + 8 * unit
                low, high = low - pad, high + pad
            error = 0.5 * (high - low) * ROOM
            share = magnitude[:, :, :generators] / np.maximum(radius, 1e-300)[:, :, None]
            blame += np.einsum("nb,nbg->bg", error, share)
            c = slope * c + 0.5 * (low + high)
            g = g * slope[:, :, None]
            d = (slope * d + error) * ROOM
            e = (slope * e + 8 * U64 * (slope * (np.abs(c) + radius) + np.abs(low) + np.abs(high))) * ROOM + 1e-300
    outputs = []
    for i in range(len(c)):
        rest = np.abs(g[i, :, generators:]).sum(axis=1) + d[i] + e[i]
        outputs.append(Form(c[i], np.ascontiguousarray(g[i, :, :generators]), rest * ROOM))
    return Through(tuple(outputs), blame)


def _summed(layer: Layer, c: Floats, size: Floats, unit: float) -> Floats:
    """What additions may lose: half a unit of a partial sum each, but those of zeros nothing."""
    terms = (layer.weight != 0).astype(np.float64) @ (size > 1e-200) + 4
    radius = size - np.abs(c)
    most, least = np.maximum(c + radius, 0.0), np.maximum(radius - c, 0.0)
    rising, falling, bias = np.maximum(layer.weight, 0.0), np.maximum(-layer.weight, 0.0), layer.bias[:, None]
    plus = rising @ most + falling @ least + np.maximum(bias, 0.0)
    minus = rising @ least + falling @ most + np.maximum(-bias, 0.0)
    lost: Floats = unit * 1.001 * terms * np.maximum(plus, minus)
    return lost


def _owned(weight: Floats, d: Floats) -> Floats:
    """The neurons' own generators after a product, ``(out, batch, count)``: of each box those that are not zero."""
    kept = d > 0
    count = int(kept.sum(axis=0).max(initial=0))
    which = np.argsort(~kept, axis=0, kind="stable")[:count].T  # (batch, count)
    made: Floats = weight[:, which] * np.take_along_axis(d.T, which, axis=1)
    return made
