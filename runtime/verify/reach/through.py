"""Affine forms through a network: the dependence of its outputs on the state is kept, what is lost is a slack.

The relaxations are those of :mod:`agentc.runtime.verify.network.zonotope`; here every rounding is bounded, too, and
that of a float32 evaluation of the network where it is asked for: each layer's computed values are off by at most
``(k + 6) * 2**-24`` of the sum of magnitudes of ``k`` products, some of it
to spare (Higham, "Accuracy and Stability of Numerical
Algorithms", section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentc.runtime.verify.network.mlp import Floats, Network
from agentc.runtime.verify.network.zonotope import relaxation
from agentc.runtime.verify.reach.forms import Form

U64, U32 = 2.0**-53, 2.0**-24
ROOM, LIBM = 1 + 1e-12, 1e-14


@dataclass(frozen=True)
class Through:
    """The outputs as forms, and for each input generator how much of the relaxation error it is to blame for."""

    outputs: tuple[Form, ...]
    blame: Floats


def through(network: Network, inputs: list[Form], single: bool = True) -> Through:
    """The outputs of a network for inputs as forms; ``single`` covers a float32 evaluation as well as the exact one."""
    c = np.stack([f.c for f in inputs])
    g = np.stack([f.g for f in inputs])
    e = np.stack([f.r for f in inputs])
    generators = g.shape[2]
    blame = np.zeros((c.shape[1], generators))
    for layer in network.layers:
        positive = np.abs(layer.weight)
        size = np.abs(c) + np.abs(g).sum(axis=2) + e
        width = layer.weight.shape[1]  # of a float32 sum of so many products and a bias, and its inputs rounded before
        unit = 2 * (width + 4) * U64 + ((width + 6) * U32 if single else 0.0)
        c = layer.weight @ c + layer.bias[:, None]
        g = (layer.weight @ g.reshape(len(g), -1)).reshape(len(c), c.shape[1], -1)
        rounding = unit * (positive @ size + np.abs(layer.bias)[:, None])
        if single and generators:  # as generators of their own, so that later layers add them with their signs
            e = positive @ e * ROOM + 1e-300
            g = _with_own(g, rounding * ROOM)
        else:
            e = (positive @ e + rounding) * ROOM + 1e-300
        if layer.activation != "identity":
            magnitude = np.abs(g)
            radius = (magnitude.sum(axis=2) + e) * ROOM + 4 * U64 * np.abs(c)
            lo, hi = c - radius, c + radius
            slope, low, high = relaxation(layer.activation, lo, hi)
            if layer.activation == "relu":  # any slope in [0, 1] is sound with the bound at an end
                slope = np.clip(slope, 0.0, 1.0)
                both = (lo < 0) & (hi > 0)
                high = np.where(both, np.maximum(-slope * lo, (1 - slope) * hi) * ROOM, 0.0)
            else:  # room for the function's own error, and for that of the place where it is farthest from the line
                pad = LIBM * (1 + np.abs(lo) + np.abs(hi)) + (8 * U32 if single else 0.0)
                low, high = low - pad, high + pad
            error = 0.5 * (high - low) * ROOM
            share = magnitude[:, :, :generators] / np.maximum(radius, 1e-300)[:, :, None]
            blame += np.einsum("nb,nbg->bg", error, share)
            c = slope * c + 0.5 * (low + high)
            g = g * slope[:, :, None]
            e = (slope * e + 8 * U64 * (slope * (np.abs(c) + radius) + np.abs(low) + np.abs(high))) * ROOM + 1e-300
            g = _with_own(g, error)
    outputs = []
    for i in range(len(c)):
        lost = np.abs(g[i, :, generators:]).sum(axis=1) + e[i]
        outputs.append(Form(c[i], np.ascontiguousarray(g[i, :, :generators]), lost * ROOM))
    return Through(tuple(outputs), blame)


def _with_own(g: Floats, error: Floats) -> Floats:
    """The generators with one more for each neuron that has an error."""
    kept = np.flatnonzero((error > 0).any(axis=1))
    wider = np.zeros((*g.shape[:2], g.shape[2] + len(kept)))
    wider[:, :, : g.shape[2]] = g
    wider[kept, :, g.shape[2] + np.arange(len(kept))] = error[kept]
    return wider
