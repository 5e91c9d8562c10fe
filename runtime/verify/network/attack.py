"""Search for an input that violates a property: many random inputs, then projected gradient steps from the best.

Aleksander Madry, Aleksandar Makelov, Ludwig Schmidt, Dimitris Tsipras, Adrian Vladu: "Towards Deep Learning Models
Resistant to Adversarial Attacks", ICLR 2018, section 2.1. Deviations: starts are the best of a sample (flat regions
have no gradient to follow), the loss is the worst row's excess of a case, and the step shrinks by a constant factor.
"""

from __future__ import annotations

import numpy as np

from agentc.runtime.verify.network.mlp import Floats, Network
from agentc.runtime.verify.network.vnnlib import Case

SAMPLE, STARTS, STEPS, SHRINK = 16_384, 256, 40, 0.93


def attack(network: Network, case: Case, randomness: np.random.Generator) -> Floats:
    """The inputs ``(found, inputs)`` that seem to violate a case in float64, the clearest first."""
    lo, hi = case.box()
    rows, bounds = case.linear()
    x = randomness.uniform(lo, hi, (SAMPLE, len(lo)))
    if not len(rows):
        return x[:STARTS]
    x = x[np.argsort((network(x) @ rows.T - bounds).max(axis=1))[:STARTS]]
    step = (hi - lo) / 4
    best, least = x.copy(), np.full(STARTS, np.inf)
    for _ in range(STEPS):
        excess = network(x) @ rows.T - bounds
        worst = excess.argmax(axis=1)
        value = excess.max(axis=1)
        better = value < least
        best[better], least[better] = x[better], value[better]
        x = np.clip(x - step * np.sign(network.gradient(x, rows[worst])), lo, hi)
        step = step * SHRINK
    order = np.argsort(least)
    return best[order[least[order] <= 0]]


def as_float32(x: Floats, lo: Floats, hi: Floats) -> Floats | None:
    """The float32 point nearest to ``x`` in a box, as float64; None if the box holds none near it."""
    near = x.astype(np.float32)
    up = np.nextafter(near, np.float32(np.inf))
    down = np.nextafter(near, np.float32(-np.inf))
    point = np.where(near < lo, up, np.where(near > hi, down, near)).astype(np.float64)
    return point if ((point >= lo) & (point <= hi)).all() else None
