"""Steps of differential equations: explicit Runge-Kutta methods, and the exact step of linear ones.

Steps are of fixed size, so that a batch is stepped as each of its trajectories alone and gradients go through. Every
method makes one of them, but ``rk45`` eight: it is the fifth-order method of Dormand and Prince without step control
(J. R. Dormand, P. J. Prince, "A family of embedded Runge-Kutta formulae", J. Comput. Appl. Math. 6, 1980), for steps
that are long beside the motion. The numbers may be of any kind that can be added and scaled: arrays of numpy, tensors
of torch. Inputs and disturbances are held over the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
X = TypeVar("X")

Tableau = tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]
"""The rows below the first of the matrix of a Runge-Kutta method, and its weights."""

TABLEAUS: dict[str, Tableau] = {
    "euler": ((), (1.0,)),
    "midpoint": (((1 / 2,),), (0.0, 1.0)),
    "heun": (((1.0,),), (1 / 2, 1 / 2)),
    "rk4": (((1 / 2,), (0.0, 1 / 2), (0.0, 0.0, 1.0)), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
    "rk45": (
        (
            (1 / 5,),
            (3 / 40, 9 / 40),
            (44 / 45, -56 / 15, 32 / 9),
            (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
            (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        ),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
}
"""The methods by the names that ``step ... by`` takes; their orders are 1, 2, 2, 4, 5."""


SUBSTEPS = {"rk45": 8}
"""Into how many steps a method divides a step, where it is more than one."""


def runge_kutta(method: str, rate: Callable[[X], X], x: X, h: float) -> X:
    """``x`` after a step of ``h`` seconds of ``x' = rate(x)``. Raises ``KeyError`` for an unknown method."""
    rows, weights = TABLEAUS[method]
    count = SUBSTEPS.get(method, 1)
    for _ in range(count):
        stages: list[Any] = [rate(x)]
        for row in rows:
            stages.append(rate(_moved(x, row, stages, h / count)))
        x = _moved(x, weights, stages, h / count)
    return x


def _moved(x: Any, weights: tuple[float, ...], stages: list[Any], h: float) -> Any:
    for weight, stage in zip(weights, stages, strict=False):
        if weight:
            x = x + (h * weight) * stage
    return x


def exact_step(matrix: Floats, forcing: Floats, h: float) -> tuple[Floats, Floats]:
    """``(P, Q)`` so that ``x(h) = P x + Q u`` of ``x' = matrix x + forcing u`` with ``u`` held over the step."""
    n, m = forcing.shape
    block = np.zeros((n + m, n + m))
    block[:n, :n], block[:n, n:] = matrix * h, forcing * h
    whole = matrix_exponential(block)
    still = ~block.any(axis=1)  # what does not move keeps its value to the last bit
    whole[still] = np.eye(n + m)[still]
    return whole[:n, :n], whole[:n, n:]


_PADE = (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
         10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0)
_PADE_NORM = 5.371920351148152


def matrix_exponential(a: Floats) -> Floats:
    """``exp(a)`` of a square matrix by scaling and squaring with a Padé approximant of order 13.

    N. J. Higham, "The scaling and squaring method for the matrix exponential revisited", SIAM J. Matrix Anal.
    Appl. 26(4), 2005, algorithm 2.3 with the highest order always.
    """
    norm = float(np.abs(a).sum(axis=0).max(initial=0.0))
    squarings = max(0, int(np.ceil(np.log2(norm / _PADE_NORM)))) if norm > 0 else 0
    a = np.asarray(a / 2.0**squarings, np.float64)
    b, eye = _PADE, np.eye(len(a))
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    u = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * eye)
    v = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * eye
    found = np.asarray(np.linalg.solve(v - u, v + u), np.float64)
    for _ in range(squarings):
        found = found @ found
    return found
