"""Windows of returns to go, observations and actions: what a return-conditioned policy reads (``networks.decision``).

While it acts, the return to go begins with the one that is asked for and falls by what is paid.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.acting import recorded
from agentc.runtime.learn.architecture import ActionHead
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Array

Floats = NDArray[np.float32]


def conditioned_space(
    observation_space: gymnasium.Space[Any], action_space: gymnasium.Space[Any], steps: int
) -> spaces.Box:
    """The space of windows ``(steps, numbers)``.

    Raises :class:`AgentcError` (AS0940) for observations that are no vectors and for actions that are not one choice or
    numbers.
    """
    mend = "a decision transformer reads vectors, and acts in Discrete and in Box of floats"
    read = observation_space.spaces if isinstance(observation_space, spaces.Dict) else {"": observation_space}
    for key, part in read.items():
        if not isinstance(part, spaces.Box) or part.dtype == np.uint8:
            name = f"{key}: {part}" if key else str(part)
            raise AgentcError([report("AS0940", None, role="observation", space=name, mend=mend)])
    if isinstance(action_space, spaces.Discrete):
        actions = int(action_space.n)
    elif isinstance(action_space, spaces.Box):
        actions = int(np.prod(action_space.shape))
    else:
        raise AgentcError([report("AS0940", None, role="action", space=str(action_space), mend=mend)])
    width = 2 + actions + sum(int(np.prod(part.shape or ())) for part in read.values())
    return spaces.Box(-np.inf, np.inf, (steps, width), np.float32)


def flattened(observation: Any, batch: bool = False) -> Floats:
    """The parts of an observation as one vector, by name; with ``batch``, a row for each."""
    found = [np.asarray(array, np.float32) for _, array in sorted(parts(observation).items())]
    if batch:
        return np.concatenate([a.reshape(len(a), -1) for a in found], axis=1)
    return np.concatenate([a.ravel() for a in found])


def encoded(head: ActionHead, actions: Array) -> Floats:
    """Actions as numbers ``(batch, size)``: a choice as a unit vector."""
    if head.discrete:
        return np.eye(head.size, dtype=np.float32)[np.asarray(actions, np.int64)]
    return np.asarray(recorded(head, actions), np.float32).reshape(len(actions), head.size)


class ReturnConditionedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A single environment whose observation is the window; ``target`` is the return that is asked for.

    Returns in the window are divided by ``scale``.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], head: ActionHead, steps: int, target: float, scale: float) -> None:
        super().__init__(env)
        self.observation_space = conditioned_space(env.observation_space, env.action_space, steps)
        self._head, self._target, self._scale = head, target, scale
        self._start = int(env.action_space.start) if isinstance(env.action_space, spaces.Discrete) else 0
        self._window = np.zeros(self.observation_space.shape, np.float32)
        self._left = target

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode with an empty window."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._window[:] = 0.0
        self._left = self._target
        return self._pushed(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act; the action and what it was paid are part of what comes next."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        given = np.array([action - self._start]) if self._head.discrete else np.asarray(action)[None]
        self._window[-1, -1 - self._head.size : -1] = encoded(self._head, given)[0]
        self._left -= float(reward)
        return self._pushed(observation), reward, terminated, truncated, info

    def _pushed(self, observation: Any) -> Floats:
        self._window[:-1] = self._window[1:]
        row = self._window[-1]
        row[:] = 0.0
        row[0], row[-1] = self._left / self._scale, 1.0
        row[1 : -1 - self._head.size] = flattened(observation)
        return self._window.copy()
