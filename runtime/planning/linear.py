"""Linear systems step by step: ``x(t+1) = A x(t) + B u(t) + c``, and boxes that contain every reachable state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SystemIR
from agentc.compiler.logic.ir import Node, Term
from agentc.compiler.systems.dynamics import Dynamics
from agentc.compiler.systems.integrators import exact_step, runge_kutta
from agentc.runtime.planning.halfspaces import NotLinearError, affine

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LinearSteps:
    """The step map of a linear system at nominal disturbances: arrays ``(n, n)``, ``(n, m)``, ``(n,)``."""

    state: Floats
    input: Floats
    constant: Floats


def linear_steps(system: SystemIR, disturbance: Floats, step: float) -> LinearSteps:
    """The step map under a constant disturbance ``(k,)``; the declared integrator's, exactly.

    Raises :class:`NotLinearError` with the term that is not linear.
    """
    dynamics = Dynamics(system)
    found = dynamics.affine()
    if found is None:
        raise NotLinearError(_culprit(dynamics))
    a, b, c = found.state, found.input, found.constant + found.disturbance @ disturbance
    if system.integrator == "difference":
        return LinearSteps(a, b, c)
    if system.integrator == "exact":
        p, q = exact_step(a, np.hstack([b, c[:, None]]), step)
        return LinearSteps(p, q[:, :-1], q[:, -1])
    n, m = b.shape
    # columns: the origin, every unit state, every unit input
    x = np.hstack([np.zeros((n, 1)), np.eye(n), np.zeros((n, m))])
    force = np.hstack([np.zeros((n, 1 + n)), b]) + c[:, None]
    after = runge_kutta(system.integrator, lambda y: a @ y + force, x, step)
    origin = after[:, 0]
    moved = after - origin[:, None]
    return LinearSteps(moved[:, 1 : 1 + n], moved[:, 1 + n :], origin)


def _culprit(dynamics: Dynamics) -> Node:
    """The first term of an equation that is not affine in the variables."""
    for node in dynamics.terms():
        if not isinstance(node, Term):
            return node
        try:
            weights, _ = affine(node)
        except NotLinearError as error:
            raise error
        for (kind, part), _ in weights.items():
            if kind == "case":
                return part
    return dynamics.terms()[0]


def reachable_boxes(
    steps: LinearSteps, start: tuple[Floats, Floats], inputs: tuple[Floats, Floats], states: tuple[Floats, Floats],
    last: int,
) -> tuple[Floats, Floats]:
    """Boxes ``(last + 1, n)`` (lower and upper ends) that contain the states that are reachable within ``states``.

    Interval arithmetic along the step map, cut with the declared ranges behind the start: sound, not tight. Where a
    box is empty no trajectory stays within the ranges; its ends are then crossed.
    """
    lo, hi = np.empty((last + 1, len(start[0]))), np.empty((last + 1, len(start[0])))
    lo[0], hi[0] = start
    for t in range(last):
        a, b = _image(steps.state, lo[t], hi[t])
        d, e = _image(steps.input, *inputs)
        lo[t + 1] = np.maximum(a + d + steps.constant, states[0])
        hi[t + 1] = np.minimum(b + e + steps.constant, states[1])
    return lo, hi


def _image(matrix: Floats, lo: Floats, hi: Floats) -> tuple[Floats, Floats]:
    """The interval hull of a linear map over a box; 0 times an infinite end is 0."""
    least = np.where(matrix > 0, matrix, 0), np.where(matrix < 0, matrix, 0)

    def total(weights: Floats, ends: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            products = weights * ends[None, :]
        found: Floats = np.where(weights == 0, 0.0, products).sum(axis=1)
        return found

    return total(least[0], lo) + total(least[1], hi), total(least[0], hi) + total(least[1], lo)
