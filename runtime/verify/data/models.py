"""All models that explain recorded transitions under a noise bound, as a set that is multiplied with sets of states.

Every transition says ``y = theta phi + w`` with ``|w| <= noise``. Two enclosures of the matrices ``theta``:

*zonotope*: with a right inverse ``H`` of the features, ``theta = (Y - W) H`` (Alanwar, Koch, Allgöwer, Johansson,
"Data-driven reachability analysis from noisy data", IEEE TAC 2023, theorem 1 and, for polynomials, theorem 2): a matrix
zonotope with one generator for each recorded state. In a product with a set, the generators of one row are parallel;
they are merged into one, which changes nothing of the set.

*tight*: that theorem ignores that one ``theta`` must explain all transitions. Here each direction of each row is
bounded by two linear programs over all explanations; their multipliers ``h`` are the argument: ``sum_t h_t phi_t = d``
gives ``theta d <= sum_t h_t y_t + noise sum_t |h_t|``. (The constrained matrix zonotopes of the paper's section III.C
hold the same information; boxes in fixed directions are looser, and a checker follows them.)

Deviation: ``H`` and ``h`` are floats and no exact inverses; what is left over is bounded and added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.verify.data.features import Features
from agentc.runtime.verify.data.recorded import Transitions

Floats = NDArray[np.float64]

U = 2.0**-53
ROOM = 1 + 1e-12
RANK = 1e-9
"""The least singular value of the scaled features, as a part of the greatest, that counts as rich."""
MOST = 2000
"""The most transitions that the linear programs look at, spread over all: fewer are looser and never wrong."""


@dataclass(frozen=True)
class ModelSet:
    """Models ``theta`` with ``|theta_i phi - centre_i phi| <= sum_j width_ij |rows_j phi|`` for every ``phi``.

    Attributes:
        features: what ``phi`` is.
        centre: ``(n, features)``.
        rows: directions ``(J, features)``.
        width: ``(n, J)``, never negative.
        noise: the bound of each state's noise, ``(n,)``.
        argument: what a checker follows, as plain data.
    """

    features: Features
    centre: Floats
    rows: Floats
    width: Floats
    noise: Floats
    argument: dict[str, Any]


def design(features: Features, data: Transitions) -> Floats:
    """The features ``(T, features)`` of all transitions. Raises AS1350 where they do not determine a model."""
    phi = features.values(np.concatenate([data.before, data.inputs], axis=1))
    size = np.abs(phi).max(axis=0)
    bad = ~np.isfinite(phi).all(axis=0) | (size == 0)
    if bad.any():
        raise _poor(data.path, f"`{features.texts[int(np.argmax(bad))]}` is zero all the time")
    _, values, right = np.linalg.svd(phi / size, full_matrices=len(phi) < len(features))
    values = np.pad(values, (0, len(features) - len(values)))
    if values[-1] <= RANK * values[0]:
        weights = right[-1] / np.abs(right[-1]).max()
        named = [f"`{features.texts[i]}`" for i in np.argsort(-np.abs(weights)) if abs(weights[i]) > 0.05][:4]
        rank = int((values > RANK * values[0]).sum())
        why = f"its {len(phi)} transitions have rank {rank}, and there are {len(features)} features"
        raise _poor(data.path, f"{why}; {', '.join(named)} are not told apart")
    return phi


def zonotope_models(features: Features, data: Transitions, noise: Floats) -> ModelSet:
    """The matrix zonotope of the paper, by the pseudo-inverse. Raises AS1350."""
    phi = design(features, data)
    right: Floats = np.asarray(np.linalg.pinv(phi).T, np.float64)  # (T, features): phi^T right = 1
    return _from_inverse(features, data, noise, phi, right)


def _from_inverse(features: Features, data: Transitions, noise: Floats, phi: Floats, right: Floats) -> ModelSet:
    steps, m = phi.shape
    gamma = (steps + 4) * U
    centre = data.after.T @ right
    off = np.abs(phi.T @ right - np.eye(m)) + gamma * (np.abs(phi).T @ np.abs(right)) + 2 * U
    slack = gamma * (np.abs(data.after).T @ np.abs(right))
    greatest = np.abs(centre) + slack + noise[:, None] * np.abs(right).sum(axis=0) * ROOM
    rho = float(off.sum(axis=0).max()) * ROOM
    if not rho < 0.5:
        raise _poor(data.path, "its features are too near to each other to be told apart in floating point")
    tau = greatest.max(axis=1) / (1 - rho) * ROOM  # no entry of theta is greater
    own = (slack + tau[:, None] * off.sum(axis=0)) * ROOM  # theta off phi, and the rounding of the centre
    rows = np.concatenate([right, np.eye(m)])
    width = np.concatenate([np.repeat(noise[:, None], steps, axis=1), own], axis=1)
    return ModelSet(features, centre, rows, width, noise, {"by": "zonotope", "inverse": right.tolist()})


def tight_models(features: Features, data: Transitions, noise: Floats) -> ModelSet:
    """Bounds of every row in every direction by linear programs. Raises AS1350, and AS1352 if nothing explains it."""
    if (noise <= 0).any():  # the programs have no interior
        return zonotope_models(features, data, noise)
    phi = design(features, data)
    scale = 2.0 ** np.ceil(np.log2(np.abs(phi).max(axis=0)))
    mean = phi.mean(axis=0)
    constant = features.constant
    directions, rows = _directions(scale, mean, constant)
    weights = np.empty((len(noise), len(directions), 2, len(phi)))
    for i, bound in enumerate(noise):
        weights[i] = _multipliers(phi / scale, data.after[:, i], float(bound), directions / scale, data.path)
    centre, half = _bounds(phi, data.after, noise, directions, rows, weights, data.path)
    slack = 8 * (len(rows) + 2) * U * np.abs(centre) @ np.abs(rows)
    argument = {
        "by": "tight",
        "scale": scale.tolist(),
        "mean": [0.0 if constant is None else float(v) for v in mean],
        "weights": [
            [[_sparse(w) for w in pair] for pair in row] for row in weights
        ],
    }  # fmt: skip
    return ModelSet(
        features, centre @ rows, np.concatenate([rows, np.eye(phi.shape[1])]),
        np.concatenate([half, slack], axis=1), noise, argument,
    )  # fmt: skip


def _directions(scale: Floats, mean: Floats, constant: int | None) -> tuple[Floats, Floats]:
    """Directions ``d_j`` (rows of the first) and what each contributes (rows ``s_j`` of the second): exact inverses.

    ``phi = sum_j (s_j phi) d_j``. Where 1 is a feature the others are measured from their means, so that what is not
    known of their slopes does not move the prediction in the middle of the data.
    """
    directions, rows = np.diag(scale), np.diag(1.0 / scale)  # powers of two: no rounding
    if constant is not None:
        middle = np.where(np.arange(len(mean)) == constant, 0.0, mean)
        directions[constant] = middle
        directions[constant, constant] = 1.0
        rows[:, constant] = -middle / scale
        rows[constant] = 0.0
        rows[constant, constant] = 1.0
    return directions, rows


def _multipliers(phi: Floats, target: Floats, noise: float, directions: Floats, path: str) -> Floats:
    """For each direction the weights ``(2, T)`` that bound it from above, and its negative."""
    from scipy.optimize import linprog  # type: ignore[import-untyped]

    kept = np.unique(np.linspace(0, len(phi) - 1, min(len(phi), MOST)).astype(int))
    limits = np.concatenate([target[kept] + noise, noise - target[kept]])
    table = np.concatenate([phi[kept], -phi[kept]])
    made = np.zeros((len(directions), 2, len(phi)))
    for j, direction in enumerate(directions):
        for k, sign in enumerate((1.0, -1.0)):
            found = linprog(-sign * direction, A_ub=table, b_ub=limits, bounds=(None, None), method="highs")
            if found.status == 2:
                raise AgentcError([report("AS1352", None, path=path, noise=f"{noise:g}")])
            if found.status != 0:
                raise _poor(path, f"the linear program of a direction ends with: {found.message}")
            dual = -np.asarray(found.ineqlin.marginals)
            made[j, k, kept] = dual[: len(kept)] - dual[len(kept) :]
    return made


def _bounds(
    phi: Floats, target: Floats, noise: Floats, directions: Floats, rows: Floats, weights: Floats, path: str
) -> tuple[Floats, Floats]:
    """Middles and half widths ``(n, J)`` of ``theta_i d_j``, whatever the weights are."""
    steps = len(phi)
    gamma = (steps + 4) * U
    size = np.abs(weights)
    wanted = np.stack([directions, -directions], axis=1)  # (J, 2, features)
    left = np.abs(wanted - weights @ phi) + gamma * (size @ np.abs(phi) + np.abs(wanted))
    share = (left @ np.abs(rows).T) * ROOM  # of theta's components along the directions
    total = np.einsum("ijkt,ti->ijk", weights, target)
    lost = gamma * np.einsum("ijkt,ti->ijk", size, np.abs(target))
    reach = total + (lost + noise[:, None, None] * size.sum(-1)) * ROOM
    rho = share.sum(-1).max(axis=(1, 2))
    if not (rho < 0.5).all():
        raise _poor(path, "the linear programs of its bounds end without usable multipliers")
    tau = np.abs(reach).max(axis=(1, 2)) / (1 - rho) * ROOM
    reach = reach + tau[:, None, None] * share.sum(-1) * ROOM
    high, low = reach[:, :, 0], -reach[:, :, 1]
    middle = 0.5 * (high + low)
    half = np.maximum(high - middle, middle - low) * ROOM + 4 * U * np.abs(middle)
    return middle, np.maximum(half, 0.0)


def _sparse(weights: Floats) -> list[list[float]]:
    """The weights that are not zero, with their places."""
    kept = np.flatnonzero(weights)
    return [[int(t) for t in kept], [float(weights[t]) for t in kept]]


def _poor(path: str, reason: str) -> AgentcError:
    return AgentcError([report("AS1350", None, path=path, reason=reason)])
