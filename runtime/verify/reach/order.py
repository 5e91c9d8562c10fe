"""Zonotopes of few generators: slack as generators, and the shortest ones boxed.

Antoine Girard, "Reachability of uncertain linear systems using zonotopes", HSCC 2005.
"""

from __future__ import annotations

import numpy as np

from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.intervals import up


def generated(states: list[Form], others: list[Form]) -> tuple[list[Form], list[Form]]:
    """The forms with the slack of each that has one as a generator of its own."""
    forms = [*states, *others]
    own = [i for i, form in enumerate(forms) if (form.r > 0).any()]
    made = []
    for i, form in enumerate(forms):
        g = np.zeros((len(form.c), form.g.shape[1] + len(own)))
        g[:, : form.g.shape[1]] = form.g
        if i in own:
            g[:, form.g.shape[1] + own.index(i)] = form.r
        made.append(Form(form.c, g, np.zeros_like(form.r)))
    return made[: len(states)], made[len(states) :]


def settled(states: list[Form], limit: int, initial: int) -> list[Form]:
    """At most ``limit`` generators, the slack among them; the first ``initial`` ones stay as they are."""
    states, _ = generated(states, [])
    g = np.stack([f.g for f in states])
    if g.shape[2] <= limit:
        return states
    size = np.abs(g)
    width = np.maximum(size.sum(axis=2, keepdims=True), 1e-300)
    score = (size / width).sum(axis=0) - (size / width).max(axis=0)
    score[:, :initial] = np.inf
    order = np.argsort(-score, axis=1, kind="stable")
    kept = limit - len(states)
    chosen = np.take_along_axis(g, order[None, :, :kept], axis=2)
    rest = up(np.abs(np.take_along_axis(g, order[None, :, kept:], axis=2)).sum(axis=2) * (1 + 1e-13))
    made = []
    for i, form in enumerate(states):
        own = np.zeros((len(form.c), len(states)))
        own[:, i] = rest[i]
        made.append(Form(form.c, np.concatenate([chosen[i], own], axis=1), np.zeros_like(form.c)))
    return made
