"""The last steps as the observation: what a policy with memory reads.

Every part of the observation that is a vector becomes a matrix of the last ``history`` steps, oldest first, with a
column that is 1 for steps of this episode and 0 for those before it began. A recurrent or attending encoder
(:mod:`agentc.runtime.learn.networks.sequences`) reads it. The policy itself stays without a state, so that replay,
masks, checkpoints and resumption know nothing of it; what lies further back than ``history`` steps is forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Array, Observation, Options, Restorable, StepBatch, VectorEnv


def windowed_space(space: gymnasium.Space[Any], history: int) -> gymnasium.Space[Any]:
    """The space of windows; parts that are no vectors of floats stay as they are."""
    if isinstance(space, spaces.Dict):
        return spaces.Dict({key: windowed_space(part, history) for key, part in space.spaces.items()})
    if not _is_vector(space):
        return space
    return spaces.Box(-np.inf, np.inf, (history, int(np.prod(space.shape or ())) + 1), np.float32)


class HistoryVector:
    """A :class:`VectorEnv` whose observations are windows of another's."""

    def __init__(self, env: VectorEnv, history: int) -> None:
        self._env, self._history = env, history
        self.num_envs = env.num_envs
        self.observation_space = windowed_space(env.observation_space, history)
        self.action_space = env.action_space
        base = env.observation_space
        read = base.spaces if isinstance(base, spaces.Dict) else {"": base}
        self._windowed = {key for key, part in read.items() if _is_vector(part)}
        self._windows: dict[str, Array] = {}

    @property
    def action_mask(self) -> NDArray[np.bool_] | None:
        """The legal actions at the latest observation."""
        return self._env.action_mask

    @property
    def options(self) -> Options | None:
        """As of the environment inside."""
        found: Options | None = getattr(self._env, "options", None)
        return found

    @options.setter
    def options(self, value: Options | None) -> None:
        self._env.options = value  # type: ignore[attr-defined]

    @property
    def task_space(self) -> spaces.Box | None:
        """The parameters of tasks, as of the environment inside."""
        found: spaces.Box | None = getattr(self._env, "task_space", None)
        return found

    @property
    def budgets(self) -> dict[str, float]:
        """The limits of costs, as of the environment inside."""
        found: dict[str, float] = getattr(self._env, "budgets", {})
        return found

    def reset(self, seed: int | None) -> Observation:
        """Start new episodes."""
        return self._begun(self._env.reset(seed), np.ones(self.num_envs, np.bool_))

    def step(self, actions: Array) -> StepBatch:
        """Act; windows of episodes that ended begin anew."""
        batch = self._env.step(actions)
        ended = batch.terminated | batch.truncated
        final = self._pushed(batch.final_observation)
        if not ended.any():
            return replace(batch, observation=final, final_observation=final)
        kept = {key: array.copy() for key, array in parts(final).items()}
        whole: Observation = kept if isinstance(final, dict) else kept[""]
        return replace(batch, observation=self._begun(batch.observation, ended), final_observation=whole)

    def snapshot(self) -> dict[str, Array] | None:
        """The windows, and the state of the environment inside."""
        inner = self._env.snapshot() if isinstance(self._env, Restorable) else None
        if inner is None:
            return None
        windows = {f"window/{key}": array.copy() for key, array in self._windows.items()}
        return windows | {f"inner/{key}": array for key, array in inner.items()}

    def restore(self, state: Mapping[str, Array]) -> Observation:
        """Back from :meth:`snapshot`. Raises ``ValueError`` where the environment does not come back."""
        assert isinstance(self._env, Restorable)
        observation = self._env.restore({k[6:]: a for k, a in state.items() if k.startswith("inner/")})
        self._windows = {k[7:]: a.copy() for k, a in state.items() if k.startswith("window/")}
        return self._shown(observation)

    def close(self) -> None:
        """Close the environment inside."""
        self._env.close()

    def _begun(self, observation: Observation, where: NDArray[np.bool_]) -> Observation:
        for key, array in parts(observation).items():
            if key in self._windowed:
                rows = array.reshape(self.num_envs, -1)
                if key not in self._windows:
                    self._windows[key] = np.zeros((self.num_envs, self._history, rows.shape[1] + 1), np.float32)
                window = self._windows[key]
                window[where] = 0.0
                window[where, -1, :-1], window[where, -1, -1] = rows[where], 1.0
        return self._shown(observation)

    def _pushed(self, observation: Observation) -> Observation:
        for key, array in parts(observation).items():
            if key in self._windowed:
                window = np.roll(self._windows[key], -1, axis=1)
                window[:, -1, :-1], window[:, -1, -1] = array.reshape(self.num_envs, -1), 1.0
                self._windows[key] = window
        return self._shown(observation)

    def _shown(self, observation: Observation) -> Observation:
        if not isinstance(observation, dict):
            return self._windows[""] if "" in self._windowed else observation
        return {key: self._windows.get(key, array) for key, array in observation.items()}


class HistoryEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """The same for a single Gymnasium environment: what a trained policy with memory is evaluated in."""

    def __init__(self, env: gymnasium.Env[Any, Any], history: int) -> None:
        super().__init__(env)
        self._history = history
        self.observation_space = windowed_space(env.observation_space, history)
        base = env.observation_space
        read = base.spaces if isinstance(base, spaces.Dict) else {"": base}
        self._windows = {
            key: np.zeros((history, int(np.prod(part.shape or ())) + 1), np.float32)
            for key, part in read.items()
            if _is_vector(part)
        }

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode with an empty window."""
        observation, info = self.env.reset(seed=seed, options=options)
        for window in self._windows.values():
            window[:] = 0.0
        return self._pushed(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act; the window moves on."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._pushed(observation), reward, terminated, truncated, info

    def _pushed(self, observation: Any) -> Any:
        shown = {}
        for key, array in parts(observation).items():
            window = self._windows.get(key)
            if window is not None:
                window[:-1] = window[1:]
                window[-1, :-1], window[-1, -1] = np.ravel(array), 1.0
            shown[key] = array if window is None else window.copy()
        return shown if isinstance(observation, dict) else shown[""]


def _is_vector(space: gymnasium.Space[Any]) -> bool:
    return isinstance(space, spaces.Box) and space.dtype != np.uint8
