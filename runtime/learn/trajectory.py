"""The record: what was seen, done and paid during ``T`` steps of ``N`` environments.

Every learner reads its experience from a :class:`Trajectory` and from nothing else. Arrays are time-major,
``(T, N, ...)``. Row ``t`` holds the observation that was acted on, the action, and what the action led to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.vector import Array, Observation


@dataclass(frozen=True, slots=True)
class Finals:
    """The true last observations of truncated episodes: ``observation[k]`` belongs to ``step[k], env[k]``."""

    step: NDArray[np.int64]
    env: NDArray[np.int64]
    observation: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Trajectory:
    """``T`` steps of ``N`` environments.

    ``observations``: one array ``(T, N, ...)`` per part of the observation; a plain observation is the part
    ``""``. ``actions`` int64 ``(T, N)`` or float32 ``(T, N, d)``, as the policy drew them (not clipped).
    ``masks`` bool ``(T, N, n)``: the legal actions when it chose, or None. ``rewards`` float32,
    ``terminated`` and ``truncated`` bool, ``(T, N)``. ``finals``: last observations of the episodes that
    were truncated and did not terminate. ``last_observation`` ``(N, ...)``: where it would have gone on.
    """

    observations: Mapping[str, Array]
    actions: Array
    masks: NDArray[np.bool_] | None
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    finals: Finals
    last_observation: Mapping[str, Array]

    @property
    def steps(self) -> int:
        """``T``."""
        return int(self.rewards.shape[0])

    @property
    def num_envs(self) -> int:
        """``N``."""
        return int(self.rewards.shape[1])


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the acting policy and its value function said of a trajectory, ``(T, N)`` but for the last.

    ``bootstrap`` is the value of the true last observation where an episode was truncated, 0 elsewhere;
    ``last_value`` ``(N,)`` that of ``last_observation``.
    """

    log_probs: NDArray[np.float32]
    values: NDArray[np.float32]
    bootstrap: NDArray[np.float32]
    last_value: NDArray[np.float32]


def parts(observation: Observation) -> dict[str, Array]:
    """An observation as named parts; a plain array is the part ``""``."""
    return observation if isinstance(observation, dict) else {"": observation}


class Recorder:
    """Preallocated buffers that a rollout is written into, over and over."""

    def __init__(self, observation: Observation, action: Array, mask: Array | None, steps: int) -> None:
        """Take shapes and types from one batch of observations, actions and masks."""
        n = len(action)
        self._observations = {k: np.zeros((steps, *a.shape), a.dtype) for k, a in parts(observation).items()}
        self._actions = np.zeros((steps, *action.shape), action.dtype)
        self._masks = None if mask is None else np.ones((steps, *mask.shape), np.bool_)
        self._rewards = np.zeros((steps, n), np.float32)
        self._terminated = np.zeros((steps, n), np.bool_)
        self._truncated = np.zeros((steps, n), np.bool_)
        self._finals: list[tuple[int, NDArray[np.int64], dict[str, Array]]] = []

    def before(self, t: int, observation: Mapping[str, Array], mask: Array | None) -> None:
        """Write what is acted on at ``t``; copied, as the environment reuses its arrays."""
        for key, array in self._observations.items():
            array[t] = observation[key]
        if self._masks is not None and mask is not None:
            self._masks[t] = mask

    def after(
        self,
        t: int,
        action: Array,
        reward: NDArray[np.float32],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        final_observation: Mapping[str, Array],
    ) -> None:
        """Write the action at ``t`` and what it led to."""
        self._actions[t] = action
        self._rewards[t] = reward
        self._terminated[t] = terminated
        self._truncated[t] = truncated
        if truncated.any():
            rows = np.flatnonzero(truncated & ~terminated)
            if len(rows):
                self._finals.append((t, rows, {k: a[rows] for k, a in final_observation.items()}))

    def take(self, last_observation: Mapping[str, Array], steps: int) -> Trajectory:
        """The trajectory of the first ``steps`` steps; its arrays are overwritten by the next one."""
        finals = Finals(
            np.concatenate([np.full(len(rows), t) for t, rows, _ in self._finals] or [np.zeros(0, np.int64)]),
            np.concatenate([rows for _, rows, _ in self._finals] or [np.zeros(0, np.int64)]),
            {
                k: np.concatenate([o[k] for _, _, o in self._finals] or [np.zeros((0, *a.shape[2:]), a.dtype)])
                for k, a in self._observations.items()
            },
        )
        self._finals = []
        return Trajectory(
            {k: a[:steps] for k, a in self._observations.items()},
            self._actions[:steps],
            None if self._masks is None else self._masks[:steps],
            self._rewards[:steps],
            self._terminated[:steps],
            self._truncated[:steps],
            finals,
            last_observation,
        )
