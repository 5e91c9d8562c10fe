"""The zone world: a vehicle on a walled plane with coloured discs, new ones in every episode.

After Vaezipoor, Li, Toro Icarte, McIlraith, "LTL2Action", ICML 2021, section 6.1, and Jackermeier, Abate, "DeepLTL",
ICLR 2025, section 5, whose zones lie in Safety Gym. The dynamics are ours and need no physics engine: a unicycle that
is told its speed (reached with a lag) and its turning rate. Two discs of each of four colours, radius 0.4, on a plane
of 5 by 5; discs do not overlap and the vehicle begins outside of them. Observed are speed, heading, position, and
where each disc is as the vehicle sees it, of each colour the nearer one first: 21 numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.envs.batch import Array, Generators, Mask, Seeds

Floats = NDArray[np.float64]

COLOURS = ("blue", "green", "magenta", "yellow")
ZONES = ("none", *COLOURS)
EACH = 2
HALF, RADIUS, GAP = 2.5, 0.4, 0.9
STEP, FASTEST, TURN, LAG = 0.1, 1.5, 3.0, 0.3


def sample_world(generator: np.random.Generator) -> tuple[Floats, Floats]:
    """The centres of the discs ``(8, 2)`` and the vehicle ``(4,)``: x, y, heading, speed."""
    while True:
        points = generator.uniform(-HALF + RADIUS, HALF - RADIUS, (EACH * len(COLOURS) + 1, 2))
        apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=2))
        if (apart + 9.0 * np.eye(len(points)) >= GAP).all():
            return points[1:], np.array([*points[0], generator.uniform(-np.pi, np.pi), 0.0])


def advance(vehicle: Floats, action: Floats) -> Floats:
    """The vehicles ``(..., 4)`` one step later; ``action`` ``(..., 2)`` in [-1, 1]: wanted speed, turning rate."""
    told = np.clip(action, -1.0, 1.0)
    speed = vehicle[..., 3] + LAG * (FASTEST * told[..., 0] - vehicle[..., 3])
    heading = vehicle[..., 2] + STEP * TURN * told[..., 1]
    heading = (heading + np.pi) % (2 * np.pi) - np.pi
    x = np.clip(vehicle[..., 0] + STEP * speed * np.cos(heading), -HALF, HALF)
    y = np.clip(vehicle[..., 1] + STEP * speed * np.sin(heading), -HALF, HALF)
    return np.stack([x, y, heading, speed], axis=-1)


def zone_of(centres: Floats, vehicle: Floats) -> NDArray[np.int64]:
    """The zone that each vehicle is in, an index into :data:`ZONES`."""
    away = ((centres - vehicle[..., None, :2]) ** 2).sum(axis=-1)
    inside = away <= RADIUS * RADIUS
    return np.where(inside.any(axis=-1), 1 + inside.argmax(axis=-1) // EACH, 0)


def relative(centres: Floats, vehicle: Floats) -> tuple[Floats, Floats]:
    """How far ahead of the vehicle and to its left the centres are, each ``(..., 8)``."""
    cos, sin = np.cos(vehicle[..., 2])[..., None], np.sin(vehicle[..., 2])[..., None]
    away = centres - vehicle[..., None, :2]
    return away[..., 0] * cos + away[..., 1] * sin, -away[..., 0] * sin + away[..., 1] * cos


def features(centres: Floats, vehicle: Floats) -> NDArray[np.float32]:
    """What is observed, ``(..., 21)``."""
    cos, sin = np.cos(vehicle[..., 2]), np.sin(vehicle[..., 2])
    ahead, left = relative(centres, vehicle)
    seen = np.stack([ahead, left], axis=-1).reshape(*ahead.shape[:-1], len(COLOURS), EACH, 2)
    order = (seen**2).sum(axis=-1).argsort(axis=-1, kind="stable")
    seen = np.take_along_axis(seen, order[..., None], axis=-2) / HALF
    own = np.stack([vehicle[..., 3] / FASTEST, cos, sin, vehicle[..., 0] / HALF, vehicle[..., 1] / HALF], axis=-1)
    return np.concatenate([own, seen.reshape(*own.shape[:-1], -1)], axis=-1).astype(np.float32)


def _space() -> spaces.Box:
    return spaces.Box(-4.0, 4.0, (5 + 2 * EACH * len(COLOURS),), np.float32)


def _actions() -> spaces.Box:
    return spaces.Box(-1.0, 1.0, (2,), np.float32)


class ZoneWorld(gymnasium.Env[Any, Any]):
    """One zone world. Never pays and never terminates; an episode is truncated after ``max_steps`` steps."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's)

    def __init__(self, max_steps: int = 300) -> None:
        self.observation_space, self.action_space = _space(), _actions()
        self.max_steps, self.steps = max_steps, 0
        self.centres, self.vehicle = np.zeros((EACH * len(COLOURS), 2)), np.zeros(4)

    @property
    def zone(self) -> str:
        """The colour of the disc that the vehicle is in, or ``none``."""
        return ZONES[int(zone_of(self.centres, self.vehicle))]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """New discs."""
        super().reset(seed=seed)
        self.centres, self.vehicle = sample_world(self.np_random)
        self.steps = 0
        return features(self.centres, self.vehicle), {}

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Drive."""
        self.vehicle = advance(self.vehicle, np.asarray(action, np.float64))
        self.steps += 1
        return features(self.centres, self.vehicle), 0.0, False, self.steps >= self.max_steps, {}


class ZoneBatch:
    """N zone worlds, a :class:`~agentc.runtime.envs.batch.BatchWorld`."""

    def __init__(self, num_envs: int, max_steps: int = 300) -> None:
        self.num_envs, self.max_steps = num_envs, max_steps
        self.observation_space: gymnasium.Space[Any] = _space()
        self.action_space: gymnasium.Space[Any] = _actions()
        self.centres = np.zeros((num_envs, EACH * len(COLOURS), 2))
        self.vehicle = np.zeros((num_envs, 4))
        self._steps = np.zeros(num_envs, np.int64)
        self._generators = Generators(num_envs)
        self._paid, self._never = np.zeros(num_envs), np.zeros(num_envs, np.bool_)

    def reset(self, where: Mask, seeds: Seeds | None = None) -> None:
        """New discs."""
        self._generators.seed(where, seeds)
        vehicle = self.vehicle.copy()
        for i in np.flatnonzero(where).tolist():
            self.centres[i], vehicle[i] = sample_world(self._generators[i])
        self.vehicle = vehicle
        self._steps[where] = 0

    def step(self, actions: Array) -> tuple[Floats, Mask, Mask]:
        """Drive everywhere."""
        self.vehicle = advance(self.vehicle, np.asarray(actions, np.float64))
        self._steps += 1
        return self._paid, self._never, self._steps >= self.max_steps

    members: tuple[str, ...] = ZONES

    def member(self) -> NDArray[np.int64]:
        """The zones that the vehicles are in, indices into :data:`ZONES`."""
        return zone_of(self.centres, self.vehicle)

    def marks(self, meant: Mask) -> NDArray[np.float32]:
        """The two nearest discs of a colour in ``meant`` ``(N, 5)``: ahead, to the left, whether there is one."""
        ahead, left = relative(self.centres, self.vehicle)
        away = np.where(np.repeat(meant[:, 1:], EACH, axis=1), ahead**2 + left**2, np.inf)
        nearest = away.argsort(axis=1, kind="stable")[:, :EACH]
        there = np.isfinite(np.take_along_axis(away, nearest, axis=1))
        columns = [np.take_along_axis(a, nearest, axis=1) / HALF * there for a in (ahead, left)]
        return np.stack([*columns, there], axis=2).reshape(self.num_envs, -1).astype(np.float32)

    def own(self) -> NDArray[np.float32]:
        """Speed, heading and position, ``(N, 5)``."""
        return features(self.centres, self.vehicle)[:, :5]

    def observation(self) -> Array:
        """``(N, 21)``."""
        return features(self.centres, self.vehicle)

    def signals(self, names: Iterable[str]) -> dict[str, Array]:
        """``zone`` as a code, ``x``, ``y``, ``heading`` and ``speed``."""
        column = {"x": 0, "y": 1, "heading": 2, "speed": 3}
        return {
            name: zone_of(self.centres, self.vehicle) if name == "zone" else self.vehicle[:, column[name]].copy()
            for name in names
        }
