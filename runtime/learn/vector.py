"""The environments a learner sees: N copies stepped at once, as arrays.

:class:`VectorEnv` is the protocol; learners are written against it and know nothing of specs, monitors or
Gymnasium's wrappers. Semantics are *same-step autoreset*: when environment ``i`` ends on a step, the
observation in row ``i`` is already the first one of its next episode, and the true last observation is in
``final_observation``. :class:`SyncVector` makes one from a list of ``gymnasium.Env``.

Observations are an array ``(N, *shape)`` for a ``Box`` (or ``(N,)`` for a ``Discrete``), or a dict of
such arrays for a ``Dict``. Arrays that ``reset`` and ``step`` return belong to the environment and are
valid until the next call; who keeps them copies them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.lang.diagnostics import Diagnostic
from agentc.runtime.learn.episodes import EpisodeLog
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.learn.statistics import FiguresByName

Array: TypeAlias = NDArray[Any]
Observation: TypeAlias = Array | dict[str, Array]
"""An array ``(N, *shape)``, or a dict of them, keys as in the ``Dict`` space."""


@dataclass(frozen=True, slots=True)
class StepBatch:
    """What one step of N environments returned.

    ``observation``: after autoreset: rows of environments that ended hold the first observation of their
    next episode. ``final_observation``: the observation the step really led to; it differs from
    ``observation`` only in the rows that ended, and is the same object where no row did.
    ``reward`` float32 ``(N,)``; ``terminated``, ``truncated`` bool ``(N,)`` (both may be set; then
    termination counts and nothing is bootstrapped). ``action_mask`` bool ``(N, n_actions)``: the legal
    actions at ``observation``, or None where all are.

    ``info`` holds statistics of the episodes that ended on this step, as arrays ``(N,)`` which mean
    something only where ``terminated | truncated``: ``return`` (float64, undiscounted) and ``length``
    (int64), and where there is a spec ``satisfied/NAME`` for each task and behavior and ``violated/NAME``
    for each safe (bool), ``cost/NAME``, the sum, for each cost (float64). It may be empty on steps on which no
    episode ended.

    ``final_action_mask``: the legal actions at ``final_observation``, where episodes ended and there are masks.
    ``sources``, ``costs``: what each source of reward paid and what each budget was charged, ``(N,)`` by name;
    ``monitors``: what the monitors said of this step, before autoreset, arrays ``(N, ...)`` by name. An environment
    that has any of these gives it on every step.

    ``lost``: the rows, bool ``(N,)``, whose step is not known, as the process that they were in has died: they are
    truncated at the observation that was acted on, and no episode has ended there. None where there are none.
    """

    observation: Observation
    final_observation: Observation
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    action_mask: NDArray[np.bool_] | None = None
    info: Mapping[str, Array] = field(default_factory=dict)
    final_action_mask: NDArray[np.bool_] | None = None
    sources: Mapping[str, Array] = field(default_factory=dict)
    costs: Mapping[str, Array] = field(default_factory=dict)
    monitors: Mapping[str, Array] = field(default_factory=dict)
    lost: NDArray[np.bool_] | None = None


Options = Callable[[int], dict[str, Any] | None]
"""From an environment's number to the ``options`` of its next reset."""


@runtime_checkable
class VectorEnv(Protocol):
    """N environments of one kind. The spaces are those of a single one."""

    @property
    def num_envs(self) -> int:
        """How many environments, N."""
        ...

    @property
    def observation_space(self) -> gymnasium.Space[Any]:
        """Of a single environment: ``Box``, ``Discrete``, or a ``Dict`` of those."""
        ...

    @property
    def action_space(self) -> gymnasium.Space[Any]:
        """Of a single environment: ``Discrete`` or ``Box``."""
        ...

    @property
    def action_mask(self) -> NDArray[np.bool_] | None:
        """The legal actions ``(N, n_actions)`` at the latest observation (also after ``reset``), or None."""
        ...

    def reset(self, seed: int | None) -> Observation:
        """Start new episodes everywhere. The same seed gives the same episodes, whatever happened before."""
        ...

    def step(self, actions: Array) -> StepBatch:
        """Act: ``actions`` is int64 ``(N,)`` for ``Discrete``, counted from 0 whatever the space's ``start``;
        float32 ``(N, *shape)`` within the bounds for ``Box``.
        """
        ...

    def close(self) -> None:
        """Release what the environments hold."""
        ...


@runtime_checkable
class Restorable(Protocol):
    """A :class:`VectorEnv` that can go on from a state inside its episodes."""

    def snapshot(self) -> dict[str, Array] | None:
        """The state of all environments; None if it cannot be told."""
        ...

    def restore(self, state: Mapping[str, Array]) -> Observation:
        """Go on from :meth:`snapshot`; the observation there. Raises ``ValueError`` where it is not the same."""
        ...


@runtime_checkable
class Controlled(Protocol):
    """A :class:`VectorEnv` that knows feedback laws, such as those of a declared system."""

    def controller(self, name: str) -> Callable[[Mapping[str, Array]], Array] | None:
        """From observations to actions ``(batch, d)`` within the bounds; None if there is none of that name."""
        ...


@runtime_checkable
class Budgeted(Protocol):
    """A :class:`VectorEnv` whose steps have costs, some with a limit of their expected sum over an episode."""

    budgets: dict[str, float]
    """The limits, by the cost's name."""


@runtime_checkable
class Watching(Protocol):
    """A :class:`VectorEnv` that tells more of its episodes than statistics: which monitor states were met, say."""

    def figures(self) -> FiguresByName:
        """Figures since it was last asked, for a line of the log."""
        ...


@runtime_checkable
class Mending(Protocol):
    """A :class:`VectorEnv` that goes on after losses, and tells of them."""

    def found(self) -> tuple[Diagnostic, ...]:
        """What went wrong since the last time."""
        ...


class SyncVector:
    """A :class:`VectorEnv` that steps a list of ``gymnasium.Env`` one after the other in this process.

    An environment whose ``info`` carries ``action_mask`` (on reset and on every step) is a masked one.
    Infos beyond that are not collected: they cost more than the environments do.
    """

    def __init__(self, env_fns: Sequence[Callable[[], gymnasium.Env[Any, Any]]], first: int = 0) -> None:
        """``first`` is the number of the first, where others have those before it: which training seeds are taken."""
        self._offset = first
        self._envs = [make() for make in env_fns]
        self.num_envs = len(self._envs)
        self.observation_space: gymnasium.Space[Any] = self._envs[0].observation_space
        self.action_space: gymnasium.Space[Any] = self._envs[0].action_space
        self.task_space: spaces.Box | None = getattr(self._envs[0].unwrapped, "task_space", None)
        """The box of the parameters that a teacher may choose, None where tasks have none."""
        self.action_mask: NDArray[np.bool_] | None = None
        self.options: Options | None = None
        """Called with an environment's number before its reset; what it returns goes there as ``options``."""
        self._logs = [EpisodeLog(env) for env in self._envs]
        n = self.num_envs
        self._discrete = isinstance(self.action_space, spaces.Discrete)
        self._first_action = int(self.action_space.start) if isinstance(self.action_space, spaces.Discrete) else 0
        # Two sets of buffers in turn: the previous observation stays valid while the next is being written.
        self._buffers = (_allocate(self.observation_space, n), _allocate(self.observation_space, n))
        self._turn = 0
        self._returns = np.zeros(n, np.float64)
        self._lengths = np.zeros(n, np.int64)

    def reset(self, seed: int | None) -> Observation:
        """Start new episodes; environment ``i`` gets the ``i``-th training seed of ``seed``."""
        seeds: Sequence[int | None] = [None] * self.num_envs
        if seed is not None:
            seeds = training_seeds(seed, self._offset + self.num_envs)[self._offset :]
        observation = self._next_buffer()
        masks = []
        for i, log in enumerate(self._logs):
            row, info = log.reset(seeds[i], None if self.options is None else self.options(i))
            _write(observation, i, row)
            masks.append(info.get("action_mask"))
        self.action_mask = None if masks[0] is None else np.array(masks, dtype=np.bool_)
        self._returns[:] = 0.0
        self._lengths[:] = 0
        return observation

    def step(self, actions: Array) -> StepBatch:
        """Act in every environment; those that end are reset at once."""
        n = self.num_envs
        observation = self._next_buffer()
        final: Observation = observation
        reward = np.empty(n, np.float32)
        terminated = np.zeros(n, np.bool_)
        truncated = np.zeros(n, np.bool_)
        info: dict[str, Array] = {}
        masks = None if self.action_mask is None else self.action_mask.copy()
        if self._discrete:
            chosen: Any = (actions + self._first_action).tolist() if self._first_action else actions.tolist()
        else:
            chosen = actions
        plain = isinstance(observation, np.ndarray)
        ended: list[int] = []
        logs, final_masks = self._logs, None
        for i, env in enumerate(self._envs):
            row, paid, stop, cut, said = env.step(chosen[i])
            logs[i].actions.append(chosen[i])
            reward[i] = paid
            if plain:
                observation[i] = row  # type: ignore[index]
            else:
                _write(observation, i, row)
            if masks is not None:
                masks[i] = said["action_mask"]
            if stop or cut:
                terminated[i] = stop
                truncated[i] = cut
                ended.append(i)
        self._returns += reward
        self._lengths += 1
        if ended:
            final = _copy(observation)
            final_masks = None if masks is None else masks.copy()
            info = {"return": self._returns.copy(), "length": self._lengths.copy()}
            for i in ended:
                row, said = logs[i].reset(None, None if self.options is None else self.options(i))
                _write(observation, i, row)
                if masks is not None:
                    masks[i] = said["action_mask"]
            self._returns[ended] = 0.0
            self._lengths[ended] = 0
        self.action_mask = masks
        return StepBatch(observation, final, reward, terminated, truncated, masks, info, final_masks)

    def snapshot(self) -> dict[str, Array] | None:
        """The state of all environments, or how to play their episodes again; None if one cannot be brought back."""
        state: dict[str, Array] = {"returns": self._returns.copy(), "lengths": self._lengths.copy()}
        for i, log in enumerate(self._logs):
            own = log.state()
            if own is None:
                return None
            state |= {f"{i}/{k}": a for k, a in own.items()}
        current = self._buffers[self._turn]
        for key, array in current.items() if isinstance(current, dict) else (("", current),):
            state[f"seen/{key}"] = array.copy()
        return state

    def restore(self, state: Mapping[str, Array]) -> Observation:
        """Go on from :meth:`snapshot`. Raises ``ValueError`` where an environment does not come back to it."""
        observation = self._next_buffer()
        masks = []
        for i, log in enumerate(self._logs):
            row, info = log.restore({k.split("/", 1)[1]: a for k, a in state.items() if k.startswith(f"{i}/")})
            _write(observation, i, row)
            masks.append(info.get("action_mask"))
        for key, array in observation.items() if isinstance(observation, dict) else (("", observation),):
            if array.tobytes() != state[f"seen/{key}"].tobytes():
                raise ValueError("an episode that is played again looks otherwise")
        self.action_mask = None if masks[0] is None else np.array(masks, dtype=np.bool_)
        self._returns[:] = state["returns"]
        self._lengths[:] = state["lengths"]
        return observation

    def close(self) -> None:
        """Close every environment."""
        for env in self._envs:
            env.close()

    def _next_buffer(self) -> Observation:
        self._turn ^= 1
        return self._buffers[self._turn]


def _allocate(space: gymnasium.Space[Any], n: int) -> Observation:
    if isinstance(space, spaces.Dict):
        return {key: np.zeros((n, *(part.shape or ())), part.dtype) for key, part in space.spaces.items()}
    return np.zeros((n, *(space.shape or ())), space.dtype)


def _write(batch: Observation, i: int, row: Any) -> None:
    if isinstance(batch, dict):
        for key, array in batch.items():
            array[i] = row[key]
    else:
        batch[i] = row


def _copy(batch: Observation) -> Observation:
    if isinstance(batch, dict):
        return {key: array.copy() for key, array in batch.items()}
    return batch.copy()
