"""One step of every model at once: sets of states and inputs through their features and the set of models.

States, inputs and features share generators (:mod:`agentc.runtime.verify.reach.forms`), so the dependence of the next
state on the present one is kept; what the models and the noise add to each state is a generator of its own. Alanwar et
al. (see :mod:`.models`), algorithms 1 and 2; they bound polynomials by intervals, which loses the dependence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.verify.data.models import ModelSet
from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.order import generated, settled
from agentc.runtime.verify.reach.series import FormRing

Floats = NDArray[np.float64]

U = 2.0**-53
ROOM = 1 + 1e-12
LIMIT = 12
"""Generators that are kept, for each state."""


def box(low: Floats, high: Floats) -> list[Form]:
    """Forms ``n`` of boxes ``(batch, n)``, each side that has a width with a generator of its own."""
    middle = 0.5 * (low + high)
    half = np.maximum(np.nextafter(high - middle, np.inf), np.nextafter(middle - low, np.inf))
    half = np.where(high > low, half, np.where(middle == low, 0.0, half))
    n = low.shape[1]
    forms = []
    for i in range(n):
        g = np.zeros((len(low), n))
        g[:, i] = half[:, i]
        forms.append(Form(middle[:, i].copy(), g, np.zeros(len(low))))
    return forms


def featured(models: ModelSet, values: Mapping[str, Form]) -> list[Form]:
    """The features of states and inputs as forms."""
    like = next(iter(values.values()))
    ring = FormRing(like)
    found: list[object] = []
    for op, args, value in models.features.graph.nodes:
        if op == "const":
            found.append(float(value or 0.0))
        elif op == "var":
            found.append(values[str(value)])
        elif op == "mul":
            found.append(ring.mul(found[args[0]], found[args[1]]))
        else:
            found.append(ring.unary(op, found[args[0]]))
    return [ring.form(found[root]) for root in models.features.graph.roots]


def step(models: ModelSet, states: Sequence[Form], inputs: Sequence[Form]) -> list[Form]:
    """The states one step later, for every model of the set and every noise; forms share their generators."""
    values = dict(zip(models.features.names, (*states, *inputs), strict=True))
    phi = featured(models, values)
    c = np.stack([f.c for f in phi])
    g = np.stack([f.g for f in phi])
    r = np.stack([f.r for f in phi])
    size = np.abs(c) + np.abs(g).sum(axis=2) + r
    m = len(phi)
    gamma = (m + 6) * U
    shaped = g.reshape(m, -1)
    spread = (
        np.abs(models.rows @ c)
        + np.abs((models.rows @ shaped).reshape(len(models.rows), *g.shape[1:])).sum(axis=2)
        + np.abs(models.rows) @ r
        + 4 * gamma * (np.abs(models.rows) @ size)
    )
    weight = np.abs(models.centre)
    slack = weight @ r + models.width @ spread + 4 * gamma * (weight @ size) + models.noise[:, None]
    after_c = models.centre @ c
    after_g = (models.centre @ shaped).reshape(len(after_c), *g.shape[1:])
    slack = (slack + 4 * U * np.abs(after_c)) * ROOM
    made = [Form(after_c[i], after_g[i], slack[i]) for i in range(len(after_c))]
    return settled(made, LIMIT * len(made), min(len(made), g.shape[2]))


def with_inputs(states: Sequence[Form], low: Floats, high: Floats) -> tuple[list[Form], list[Form]]:
    """States and inputs ``(batch, m)`` over the same generators; an input with a width has one of its own."""
    plain = []
    for i in range(low.shape[1]):
        middle = 0.5 * (low[:, i] + high[:, i])
        half = np.maximum(high[:, i] - middle, middle - low[:, i])
        half = np.where(half > 0, half * ROOM + 4 * U * np.abs(middle), 0.0)
        plain.append(Form(middle, np.zeros_like(states[0].g), half))
    return generated(list(states), plain)


def hull(states: Sequence[Form]) -> tuple[Floats, Floats]:
    """The box ``(batch, n)`` around forms."""
    ranges = [f.range for f in states]
    return np.stack([r.lo for r in ranges], axis=1), np.stack([r.hi for r in ranges], axis=1)


def linear(gain: Floats, states: Sequence[Form], offset: Floats) -> list[Form]:
    """``gain x + offset`` as forms, ``gain (m, n)``."""
    made = []
    for row, number in zip(gain, offset, strict=True):
        total = Form(np.full_like(states[0].c, number), np.zeros_like(states[0].g), np.zeros_like(states[0].r))
        for factor, form in zip(row, states, strict=True):
            if factor:
                total = total + form.scaled(factor)
        made.append(total)
    return made
