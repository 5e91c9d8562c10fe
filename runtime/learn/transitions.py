"""Transitions: a trajectory flattened into single steps, for learners that replay or read recorded data.

Row ``i`` says: at ``observations[i]`` the action was taken, ``rewards[i]`` was paid, ``next_observations[i]`` came.
``discounts`` is what the value of the next observation is worth: 0 where the episode terminated, the discount (to
the power of the steps bridged) elsewhere, truncated episodes included, whose next observation is the true last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array


@dataclass(frozen=True, slots=True)
class Transitions:
    """A batch of ``B`` steps. ``masks`` and ``next_masks`` are the legal choices ``(B, n)``, where constrained.

    ``weights`` float32 ``(B,)``: what each counts for in a loss, None for 1. ``ended`` bool ``(B,)``: where the
    episode ended with this step. ``costs`` float32 ``(B, K)``: what the costs that have budgets were charged.
    """

    observations: Mapping[str, Array]
    actions: Array
    rewards: NDArray[np.float32]
    discounts: NDArray[np.float32]
    next_observations: Mapping[str, Array]
    constraint: NDArray[np.int64] | None = None
    next_constraint: NDArray[np.int64] | None = None
    masks: NDArray[np.bool_] | None = None
    next_masks: NDArray[np.bool_] | None = None
    weights: NDArray[np.float32] | None = None
    ended: NDArray[np.bool_] | None = None
    costs: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    def take(self, rows: NDArray[np.int64]) -> Transitions:
        """The transitions of these rows."""
        return Transitions.of({name: array[rows] for name, array in self.columns().items()})

    def columns(self) -> dict[str, Array]:
        """Every array by name, ``observations/KEY`` for the parts of an observation."""
        flat: dict[str, Array] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Mapping):
                flat |= {f"{f.name}/{k}": a for k, a in value.items()}
            elif value is not None:
                flat[f.name] = value
        return flat

    @staticmethod
    def of(columns: Mapping[str, Array]) -> Transitions:
        """Back from :meth:`columns`. Raises ``KeyError`` or ``TypeError`` if a column is missing or unknown."""
        nested: dict[str, dict[str, Array]] = {"observations": {}, "next_observations": {}}
        plain: dict[str, Array] = {}
        for name, array in columns.items():
            group, slash, key = name.partition("/")
            if slash:
                nested[group][key] = array
            else:
                plain[name] = array
        return Transitions(nested["observations"], next_observations=nested["next_observations"], **plain)


def joined(batches: Sequence[Transitions]) -> Transitions:
    """Several batches as one; columns that one of them lacks are left out, weights are filled in with 1."""
    if len(batches) == 1:
        return batches[0]
    if any(b.weights is not None for b in batches):
        batches = [b if b.weights is not None else replace(b, weights=np.ones(len(b), np.float32)) for b in batches]
    columns = [b.columns() for b in batches]
    shared = [k for k in columns[0] if all(k in c for c in columns)]
    return Transitions.of({k: np.concatenate([c[k] for c in columns]) for k in shared})


def transitions_of(trajectory: Trajectory, discount: float) -> Transitions:
    """Every step of a trajectory, ``T * N`` rows, step by step. The arrays are new."""
    steps, envs = trajectory.steps, trajectory.num_envs
    finals = trajectory.finals
    following = {}
    for key, array in trajectory.observations.items():
        later = np.empty_like(array)
        later[:-1] = array[1:]
        later[-1] = trajectory.last_observation[key]
        if len(finals.step):
            later[finals.step, finals.env] = finals.observation[key]
        following[key] = later.reshape(steps * envs, *array.shape[2:])
    constraint = next_constraint = None
    if trajectory.constraint is not None and trajectory.last_constraint is not None:
        constraint = trajectory.constraint.reshape(-1).copy()
        later_states = np.concatenate([trajectory.constraint[1:], trajectory.last_constraint[None]])
        if finals.constraint is not None:
            later_states[finals.step, finals.env] = finals.constraint
        next_constraint = later_states.reshape(-1)
    actions = trajectory.actions
    return Transitions(
        {k: a.reshape(steps * envs, *a.shape[2:]).copy() for k, a in trajectory.observations.items()},
        actions.reshape(steps * envs, *actions.shape[2:]).copy(),
        trajectory.rewards.reshape(-1).copy(),
        np.where(trajectory.terminated, np.float32(0), np.float32(discount)).reshape(-1),
        following,
        constraint,
        next_constraint,
        ended=trajectory.ended.reshape(-1).copy(),
        costs=_costs(trajectory),
    )


def _costs(trajectory: Trajectory) -> NDArray[np.float32] | None:
    if not trajectory.budgets:
        return None
    return np.stack([trajectory.costs[name].reshape(-1) for name in trajectory.budgets], axis=1).astype(np.float32)
