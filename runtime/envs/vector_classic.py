"""CartPole and Pendulum of Gymnasium, N at once: step-identical to the package, one array operation for all.

Every row has a random generator of its own, seeded as Gymnasium seeds it, and draws from it what Gymnasium's
environment draws; the equations are those of ``gymnasium.envs.classic_control`` in the same order of operations and in
float64. A test steps both in lockstep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from numpy.typing import NDArray

from agentc.runtime.learn.episodes import generator_state, packed, restore_generator, unpacked
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.learn.vector import Array, StepBatch, SyncVector, VectorEnv

Floats = NDArray[np.float64]


class _Classic(ABC):
    """What the problems share: generators, time limit, statistics, snapshots."""

    dimensions: int
    limit: int
    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.action_mask: NDArray[np.bool_] | None = None
        self._generators: list[np.random.Generator] = []
        self._state = np.zeros((num_envs, self.dimensions))
        self._returns, self._lengths = np.zeros(num_envs), np.zeros(num_envs, np.int64)

    @abstractmethod
    def _start(self, generator: np.random.Generator) -> Floats:
        """The state in which an episode begins."""

    @abstractmethod
    def _advance(self, actions: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Move all states; the rewards, and which rows have ended."""

    def _seen(self) -> NDArray[np.float32]:
        return self._state.astype(np.float32)

    def reset(self, seed: int | None) -> NDArray[np.float32]:
        """Start new episodes; row ``i`` gets the ``i``-th training seed of ``seed``."""
        if seed is not None or not self._generators:
            seeds = [None] * self.num_envs if seed is None else training_seeds(seed, self.num_envs)
            self._generators = [seeding.np_random(s)[0] for s in seeds]
        for i, generator in enumerate(self._generators):
            self._state[i] = self._start(generator)
        self._returns[:], self._lengths[:] = 0.0, 0
        return self._seen()

    def step(self, actions: Array) -> StepBatch:
        """Act in every row; those that end begin anew."""
        reward, terminated = self._advance(actions)
        self._returns += reward
        self._lengths += 1
        truncated = self._lengths >= self.limit
        final = self._seen()
        ended = terminated | truncated
        if not ended.any():
            return StepBatch(final, final, reward, terminated, truncated)
        info = {"return": self._returns.copy(), "length": self._lengths.copy()}
        for i in np.flatnonzero(ended).tolist():
            self._state[i] = self._start(self._generators[i])
        self._returns[ended], self._lengths[ended] = 0.0, 0
        return StepBatch(self._seen(), final, reward, terminated, truncated, None, info)

    def snapshot(self) -> dict[str, Array]:
        """The whole state."""
        return {
            "state": self._state.copy(),
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "generators": packed([generator_state(g) for g in self._generators]),
        }

    def restore(self, state: Mapping[str, Array]) -> NDArray[np.float32]:
        """Back from :meth:`snapshot`."""
        self._generators = []
        for given in unpacked(state["generators"]):
            self._generators.append(seeding.np_random(0)[0])
            restore_generator(self._generators[-1], given)
        self._state[:], self._returns[:], self._lengths[:] = state["state"], state["returns"], state["lengths"]
        return self._seen()

    def close(self) -> None:
        """Forget the generators."""
        self._generators.clear()


class VectorCartPole(_Classic):
    """``CartPole-v1``: Barto, Sutton and Anderson (1983), the equations after Florian (2007)."""

    dimensions, limit = 4, 500

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)
        self._angle = 12 * 2 * np.pi / 360
        high = np.array([4.8, np.inf, self._angle * 2, np.inf], np.float32)
        self.observation_space, self.action_space = spaces.Box(-high, high, dtype=np.float32), spaces.Discrete(2)

    def _start(self, generator: np.random.Generator) -> Floats:
        return generator.uniform(low=-0.05, high=0.05, size=(4,))

    def _advance(self, actions: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        x, x_dot, theta, theta_dot = self._state.T
        force = np.where(actions == 1, 10.0, -10.0)
        cosine, sine = np.cos(theta), np.sin(theta)
        mass, length, pole = 0.1 + 1.0, 0.5, 0.1 * 0.5
        temp = (force + pole * np.square(theta_dot) * sine) / mass
        turn = (9.8 * sine - cosine * temp) / (length * (4.0 / 3.0 - 0.1 * np.square(cosine) / mass))
        push = temp - pole * turn * cosine / mass
        following = np.empty_like(self._state)
        following[:, 0], following[:, 1] = x + 0.02 * x_dot, x_dot + 0.02 * push
        following[:, 2], following[:, 3] = theta + 0.02 * theta_dot, theta_dot + 0.02 * turn
        self._state = following
        fallen = (np.abs(following[:, 0]) > 2.4) | (np.abs(following[:, 2]) > self._angle)
        return np.ones(self.num_envs, np.float32), fallen


class VectorPendulum(_Classic):
    """``Pendulum-v1``."""

    dimensions, limit = 2, 200

    def __init__(self, num_envs: int) -> None:
        super().__init__(num_envs)
        high = np.array([1.0, 1.0, 8.0], np.float32)
        self.observation_space = spaces.Box(-high, high, dtype=np.float32)
        self.action_space = spaces.Box(-2.0, 2.0, (1,), np.float32)

    def _start(self, generator: np.random.Generator) -> Floats:
        high = np.array([np.pi, 1.0])
        return generator.uniform(low=-high, high=high)

    def _seen(self) -> NDArray[np.float32]:
        theta, speed = self._state.T
        return np.stack([np.cos(theta), np.sin(theta), speed], axis=1).astype(np.float32)

    def _advance(self, actions: Array) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        theta, speed = self._state.T
        u = np.clip(actions[:, 0], -2.0, 2.0)  # float32, as Gymnasium computes with it
        angle = ((theta + np.pi) % (2 * np.pi)) - np.pi
        costs = angle**2 + 0.1 * speed**2 + 0.001 * (u**2)
        faster = speed + (3 * 10.0 / (2 * 1.0) * np.sin(theta) + 3.0 / (1.0 * 1.0**2) * u) * 0.05
        faster = np.clip(faster, -8.0, 8.0)
        self._state = np.stack([theta + faster * 0.05, faster], axis=1)
        return (-costs).astype(np.float32), np.zeros(self.num_envs, np.bool_)


NATIVE: dict[str, type[_Classic]] = {"CartPole-v1": VectorCartPole, "Pendulum-v1": VectorPendulum}


def vector_env(env_id: str, num_envs: int) -> VectorEnv:
    """``num_envs`` copies of a Gymnasium environment: at once where that is built here, else one after the other."""
    if env_id in NATIVE:
        return NATIVE[env_id](num_envs)
    return SyncVector([lambda: gymnasium.make(env_id, disable_env_checker=True)] * num_envs)
