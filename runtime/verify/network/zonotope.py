"""Zonotopes through a network, many boxes at a time, with what each input contributes to what was lost.

Gagandeep Singh, Timon Gehr, Matthew Mirman, Markus Püschel, Martin Vechev: "Fast and Effective Robustness
Certification", NeurIPS 2018 (the relaxations that keep the old generators and add one a neuron). Deviations: tanh and
sigmoid are followed along their chord, which in a narrow interval loses a quarter of what the least slope does; inputs
are split where the *relaxation error* of the output comes from (:attr:`Bounds.blame`), and not where the output's
linear part is largest: of the two halves of a box the worse one keeps the linear part's bound, and only the error
shrinks. Nothing here is trusted: the checker does its own arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agentc.runtime.verify.network.mlp import Floats, Layer, Network, activate


@dataclass(frozen=True)
class Bounds:
    """What is known of ``rows @ f(x) - bounds`` over a batch of boxes.

    Attributes:
        least: lower bound of each row, ``(rows, batch)``.
        blame: how much of the error of each row a split of each input could save, ``(rows, batch, inputs)``.
    """

    least: Floats
    blame: Floats


U32 = 2.0**-24


def bound(
    network: Network, lo: Floats, hi: Floats, rows: Floats, bounds: Floats, single: bool = False
) -> Bounds:
    """Bounds over boxes ``lo <= x <= hi`` (both ``(batch, inputs)``) of rows ``(rows, outputs)`` minus ``bounds``.

    ``single`` covers every float32 evaluation: each computed value may be off by what a sum in any order can lose.
    """
    size, inputs = lo.shape
    c = ((lo + hi) / 2).T
    g = np.zeros((inputs, size, inputs))
    g[range(inputs), :, range(inputs)] = (hi - lo).T / 2
    shares: list[Floats] = []
    for layer in network.layers:
        own = _lost(layer, c, g) if single else None
        c = layer.weight @ c + layer.bias[:, None]
        g = (layer.weight @ g.reshape(len(g), -1)).reshape(len(c), size, -1)
        if layer.activation != "identity" or own is not None:
            c, g, share = _activated(layer, c, g, inputs, own)
            shares.append(share)
    middle = rows @ c - bounds[:, None]
    spread = np.abs((rows @ g.reshape(len(g), -1)).reshape(len(rows), size, -1))
    blame = 0.5 * spread[:, :, :inputs]
    if shares:
        blame = blame + np.einsum("rbm,bmi->rbi", spread[:, :, inputs:], np.concatenate(shares, axis=1))
    return Bounds(middle - spread.sum(axis=2), blame)


def weakest(network: Network, lo: Floats, hi: Floats, row: Floats) -> tuple[int, int, float] | None:
    """Where a box ``(inputs,)`` loses most of a row's bound: layer and neuron, from 1 on, and its share of the loss.

    None if no neuron of it loses anything.
    """
    c, g = ((lo + hi) / 2)[:, None], np.diag((hi - lo) / 2)[:, None, :]
    whose: list[tuple[int, int]] = []
    for at, layer in enumerate(network.layers, start=1):
        c = layer.weight @ c + layer.bias[:, None]
        g = (layer.weight @ g.reshape(len(g), -1)).reshape(len(c), 1, -1)
        if layer.activation != "identity":
            radius = np.abs(g).sum(axis=2)
            _, low, high = relaxation(layer.activation, c - radius, c + radius)
            whose += [(at, int(k) + 1) for k in np.flatnonzero(high[:, 0] > low[:, 0])]
            c, g, _ = _activated(layer, c, g, len(lo), None)
    lost = np.abs(row @ g[:, 0, len(lo) :])
    if not whose or not lost.sum() > 0:
        return None
    most = int(lost.argmax())
    return (*whose[most], float(lost[most] / lost.sum()))


def _lost(layer: Layer, c: Floats, g: Floats) -> Floats:
    """How far the computed values before the activation can be off in float32, ``(neurons, batch)``."""
    terms = (layer.weight != 0).sum(axis=1) + 6  # the products and a bias, which may be an operator of its own
    reach = np.abs(layer.weight) @ (np.abs(c) + np.abs(g).sum(axis=2)) + np.abs(layer.bias)[:, None]
    lost: Floats = terms[:, None] * U32 * reach * (1 + 1e-6) + 4e-37
    return lost


def _activated(
    layer: Layer, c: Floats, g: Floats, inputs: int, own: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """Centre and generators after an activation; and of each new generator the share that each input has in it."""
    size = np.abs(g)
    radius = size.sum(axis=2) if own is None else size.sum(axis=2) + own
    if layer.activation == "identity":
        slope, low, high = np.ones_like(c), np.zeros_like(c), np.zeros_like(c)
    else:
        slope, low, high = relaxation(layer.activation, c - radius, c + radius)
    loss = (high - low) / 2
    error = loss
    if own is not None:
        error = loss + slope * own + (0.0 if layer.activation in ("relu", "identity") else 8 * U32)
    kept = error > 0
    new = int(kept.sum(axis=0).max()) if kept.any() else 0
    wider = np.zeros((*c.shape, g.shape[2] + new))
    np.multiply(g, slope[:, :, None], out=wider[:, :, : g.shape[2]])
    neuron, box = np.nonzero(kept)
    slot = (np.cumsum(kept, axis=0) - 1)[neuron, box]
    wider[neuron, box, g.shape[2] + slot] = error[neuron, box]
    share = np.zeros((c.shape[1], new, inputs))
    part = loss[neuron, box] / error[neuron, box] / np.maximum(radius[neuron, box], 1e-300)  # of rounding: none
    share[box, slot] = size[neuron, box, :inputs] * part[:, None]
    return slope * c + (low + high) / 2, wider, share


def relaxation(activation: str, lo: Floats, hi: Floats) -> tuple[Floats, Floats, Floats]:
    """``(slope, low, high)`` with ``slope * z + low <= activation(z) <= slope * z + high`` for ``lo <= z <= hi``."""
    if activation == "relu":
        both = (lo < 0) & (hi > 0)
        slope = np.where(both, hi / np.where(both, hi - lo, 1.0), (lo >= 0).astype(np.float64))
        return slope, np.zeros_like(lo), np.where(both, -slope * lo, 0.0)
    below, above = activate(activation, lo), activate(activation, hi)
    steepest = 1.0 if activation == "tanh" else 0.25
    chord = (above - below) / np.maximum(hi - lo, 1e-300)
    flat = np.minimum(1 - below**2, 1 - above**2) if activation == "tanh" else _least(below, above)
    # by the chord: the difference to it is greatest where the slope is the chord's, or at an end. In a narrow interval
    # the chord is not well known; there the least slope does, which is one at an end
    slope = np.clip(np.where(hi - lo > 1e-4, chord, flat), 0.0, steepest)
    slope = np.where(slope < 1e-9, 0.0, slope)  # its turning points would not be known
    root = np.sqrt(1 - slope / steepest)
    turn = np.arctanh(np.minimum(root, 1 - 1e-12)) * (1.0 if activation == "tanh" else 2.0)
    ends = [below - slope * lo, above - slope * hi]
    for x in (np.clip(turn, lo, hi), np.clip(-turn, lo, hi)):
        ends.append(activate(activation, x) - slope * x)
    low, high = np.minimum.reduce(ends), np.maximum.reduce(ends)
    return slope, low, high


def _least(below: Floats, above: Floats) -> Floats:
    """The least slope of the logistic function between two values of it."""
    return np.minimum(below * (1 - below), above * (1 - above))
