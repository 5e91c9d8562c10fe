"""The water world: a ball that is steered among bouncing balls of six colours.

Source: Karpathy, "REINFORCEjs: WaterWorld", 2015; Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR
73, 2022, section 6.3: two balls of each colour on a field of 400 by 400, radius 15, speed 30, the agent's at most 90
in each direction, changed by 30 by each of its actions; 0.1 s a step; balls go through each other and bounce off the
walls. The eleven maps are made as the published ones were: by Python's generator with the map's number as its seed.
Observed are the agent's position and velocity and those of the balls relative to it, scaled to about [-1, 1], 52
numbers.

Deviation: what is touched is told of the state that is observed; in the released code it comes one step late.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from functools import cache
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.envs.batch import Array, Mask, Seeds

Floats = NDArray[np.float64]

COLOURS = ("red", "green", "blue", "yellow", "cyan", "magenta")
ACTIONS = ("none", "up", "right", "down", "left")
MAPS = 11
SIZE, RADIUS, SPEED, FASTEST, STEP = 400.0, 15.0, 30.0, 90.0, 0.1
PER_COLOUR = 2
BALLS = PER_COLOUR * len(COLOURS)
_PUSH = np.array([(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)], np.float64) * SPEED


@cache
def water_map(number: int) -> tuple[Floats, Floats]:
    """Positions and velocities ``(13, 2)`` at the start of a map; row 0 is the agent, then two balls of each colour."""
    source = random.Random(number)

    def anywhere() -> tuple[float, float]:
        x = 2 * RADIUS + source.random() * (SIZE - 2 * RADIUS)
        return x, 2 * RADIUS + source.random() * (SIZE - 2 * RADIUS)

    agent = anywhere()
    positions, velocities = [agent], [(0.0, 0.0)]
    for _ in range(BALLS):
        angle = source.random() * 2 * math.pi
        velocities.append((SPEED * math.sin(angle), SPEED * math.cos(angle)))
        while True:
            here = anywhere()
            apart = all(math.dist(here, other) >= 2 * RADIUS for other in positions)
            if apart and math.dist(here, agent) > 4 * RADIUS:
                break
        positions.append(here)
    return np.array(positions), np.array(velocities)


def advance(position: Floats, velocity: Floats, action: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Positions and velocities ``(..., 13, 2)`` one step later, of the actions ``(...)``."""
    velocity = velocity.copy()
    velocity[..., 0, :] = np.clip(velocity[..., 0, :] + _PUSH[action], -FASTEST, FASTEST)
    position = position + STEP * velocity
    outside = (position < RADIUS) | (position > SIZE - RADIUS)
    return np.clip(position, RADIUS, SIZE - RADIUS), np.where(outside, -velocity, velocity)


def touching(position: Floats) -> NDArray[np.bool_]:
    """Which balls the agent touches, ``(..., 12)``."""
    apart = position[..., 1:, :] - position[..., :1, :]
    return np.asarray(np.sqrt((apart * apart).sum(axis=-1)) <= 2 * RADIUS)


def _colours(balls: Mask) -> Mask:
    """By colour, ``(..., 6)``, whether any of its balls is among ``balls``, ``(..., 12)``."""
    return np.asarray(balls.reshape(*balls.shape[:-1], len(COLOURS), PER_COLOUR).any(axis=-1))


def features(position: Floats, velocity: Floats) -> NDArray[np.float32]:
    """What is observed, ``(..., 52)``."""
    agent = np.concatenate([position[..., 0, :] / SIZE, velocity[..., 0, :] / FASTEST], axis=-1)
    where = (position[..., 1:, :] - position[..., :1, :]) / SIZE
    how = (velocity[..., 1:, :] - velocity[..., :1, :]) / (SPEED + FASTEST)
    balls = np.concatenate([where, how], axis=-1)
    return np.concatenate([agent, balls.reshape(*balls.shape[:-2], -1)], axis=-1).astype(np.float32)


def _space() -> spaces.Box:
    return spaces.Box(-2.0, 2.0, (4 + 4 * BALLS,), np.float32)


class WaterWorld(gymnasium.Env[Any, Any]):
    """One water world. Never pays and never terminates; an episode is truncated after ``max_steps`` steps."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's)

    def __init__(self, number: int = 0, max_steps: int = 600) -> None:
        self.observation_space = _space()
        self.action_space = spaces.Discrete(len(ACTIONS))
        self.number, self.max_steps, self.steps = number, max_steps, 0
        self.position, self.velocity = water_map(number)
        self._near = touching(self.position)
        self.touched: Mask = _colours(self._near)
        """By colour, whether a ball of it is touched that was not touched a step ago."""

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Back to the start of the map."""
        super().reset(seed=seed)
        self.position, self.velocity = water_map(self.number)
        self._near = touching(self.position)
        self.touched = _colours(self._near)
        self.steps = 0
        return features(self.position, self.velocity), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Push, and let everything move."""
        self.position, self.velocity = advance(self.position, self.velocity, np.asarray(action))
        near = touching(self.position)
        self.touched = _colours(near & ~self._near)
        self._near = near
        self.steps += 1
        return features(self.position, self.velocity), 0.0, False, self.steps >= self.max_steps, {}


class WaterBatch:
    """N water worlds, a :class:`~agentc.runtime.envs.batch.BatchWorld`; ``numbers`` ``(N,)`` are their maps."""

    def __init__(self, num_envs: int, numbers: NDArray[np.int64], max_steps: int = 600) -> None:
        self.num_envs, self.max_steps = num_envs, max_steps
        self.observation_space: gymnasium.Space[Any] = _space()
        self.action_space: gymnasium.Space[Any] = spaces.Discrete(len(ACTIONS))
        begins = [water_map(int(number)) for number in numbers]
        self._begin = np.stack([b[0] for b in begins]), np.stack([b[1] for b in begins])
        self.position, self.velocity = self._begin[0].copy(), self._begin[1].copy()
        self._near = touching(self.position)
        self._touched = np.zeros((num_envs, len(COLOURS)), np.bool_)
        self._steps = np.zeros(num_envs, np.int64)
        self._action = np.full(num_envs, -1, np.int64)
        self._paid, self._never = np.zeros(num_envs), np.zeros(num_envs, np.bool_)

    remembered = ("position", "velocity", "_near", "_touched", "_steps", "_action")

    def reset(self, where: Mask, seeds: Seeds | None = None) -> None:
        """Back to the start of the maps; there is nothing random."""
        here = where[:, None, None]
        self.position = np.where(here, self._begin[0], self.position)
        self.velocity = np.where(here, self._begin[1], self.velocity)
        near = touching(self.position)
        self._near = np.where(where[:, None], near, self._near)
        first = _colours(near)
        self._touched = np.where(where[:, None], first, self._touched)
        self._steps[where] = 0
        self._action = np.where(where, -1, self._action)

    def step(self, actions: Array) -> tuple[Floats, Mask, Mask]:
        """Push, and let everything move."""
        self._action = actions.astype(np.int64)
        self.position, self.velocity = advance(self.position, self.velocity, self._action)
        near = touching(self.position)
        self._touched = _colours(near & ~self._near)
        self._near = near
        self._steps += 1
        return self._paid, self._never, self._steps >= self.max_steps

    def observation(self) -> Array:
        """``(N, 52)``."""
        return features(self.position, self.velocity)

    def signals(self, names: Iterable[str]) -> dict[str, Array]:
        """The colours as truth values, ``x``, ``y`` and ``action``."""
        found: dict[str, Array] = {}
        for name in names:
            if name in COLOURS:
                found[name] = self._touched[:, COLOURS.index(name)]
            elif name == "action":
                found[name] = self._action
            else:
                found[name] = self.position[:, 0, "xy".index(name)].copy()
        return found
