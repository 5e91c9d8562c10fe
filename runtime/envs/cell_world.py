"""Grids of cells with something in them: one environment, and N of them stepped as arrays.

What the office and craft worlds share: a cell is the state, four moves lead to other cells, walls mean to stay, and the
only signal beside the position is what is in the cell. The world pays nothing and never ends: tasks come from a spec.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.envs.batch import Array, Generators, Mask, Seeds

ACTIONS = ("up", "right", "down", "left")
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))


@dataclass(frozen=True, eq=False)
class CellMap:
    """A grid: ``tiles[cell]`` is an index into ``names``, ``next[cell, action]`` where an action leads.

    The cell of ``(x, y)`` is ``x + width * y``; ``x`` to the right, ``y`` upwards, both from 0.
    """

    width: int
    height: int
    start: int
    names: tuple[str, ...]
    tiles: NDArray[np.int64]
    next: NDArray[np.int64]

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return self.width * self.height

    @cached_property
    def following(self) -> list[list[int]]:
        """``next`` as lists, which one environment indexes faster."""
        rows: list[list[int]] = self.next.tolist()
        return rows


def open_grid(width: int, height: int) -> NDArray[np.int64]:
    """The moves on a grid without inner walls, ``(cells, 4)``: over the edge means to stay."""
    y, x = np.divmod(np.arange(width * height), width)
    table = np.empty((width * height, len(MOVES)), np.int64)
    for a, (dx, dy) in enumerate(MOVES):
        table[:, a] = np.clip(x + dx, 0, width - 1) + width * np.clip(y + dy, 0, height - 1)
    return table


def atlas(maps: Sequence[CellMap]) -> CellMap:
    """Several maps of one size as one, with no way between them; it starts where the first does."""
    size = maps[0].cells
    tiles = np.concatenate([m.tiles for m in maps])
    moves = np.concatenate([m.next + k * size for k, m in enumerate(maps)])
    return CellMap(maps[0].width, maps[0].height * len(maps), maps[0].start, maps[0].names, tiles, moves)


class CellWorld(gymnasium.Env[Any, Any]):
    """One agent on a :class:`CellMap`. Observations are the cell; actions up, right, down, left.

    Never pays and never terminates; an episode is truncated after ``max_steps`` steps. ``slip`` is the probability that
    a random action is taken instead of the agent's.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"]}  # noqa: RUF012 (Gymnasium's)

    def __init__(self, world: CellMap, max_steps: int, slip: float = 0.0, render_mode: str | None = None) -> None:
        self.observation_space = spaces.Discrete(world.cells)
        self.action_space = spaces.Discrete(len(ACTIONS))
        self.world, self.max_steps, self.slip, self.render_mode = world, max_steps, slip, render_mode
        self.cell, self.steps = world.start, 0

    @property
    def position(self) -> tuple[int, int]:
        """Where the agent is, ``(x, y)``."""
        return self.cell % self.world.width, self.cell // self.world.width

    @property
    def tile(self) -> str:
        """What is where the agent is."""
        return self.world.names[int(self.world.tiles[self.cell])]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Go back to the start."""
        super().reset(seed=seed)
        self.cell, self.steps = self.world.start, 0
        return np.int64(self.cell), {}

    def step(self, action: int) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Move, or stay where a wall is in the way."""
        if self.slip and self.np_random.random() < self.slip:
            action = int(self.np_random.integers(len(ACTIONS)))
        self.cell = self.world.following[self.cell][action]
        self.steps += 1
        return np.int64(self.cell), 0.0, False, self.steps >= self.max_steps, {}

    def render(self) -> Any:
        """The map as text, the agent as ``@``; each tile by its first letter, of two alike the later in capitals."""
        if self.render_mode != "ansi":
            return None
        signs = signs_of(self.world.names)
        rows = []
        for y in reversed(range(self.world.height)):
            cells = range(self.world.width * y, self.world.width * (y + 1))
            rows.append("".join("@" if c == self.cell else signs[self.world.tiles[c]] for c in cells))
        return "\n".join(rows)


def signs_of(names: Iterable[str]) -> list[str]:
    """A character for each tile; the first tile is the empty one."""
    signs: list[str] = []
    for at, name in enumerate(names):
        choices = ["."] if at == 0 else [*name, *name.upper()]
        signs.append(next((s for s in choices if s not in signs), "?"))
    return signs


class CellBatch:
    """N agents on a :class:`CellMap`, a :class:`~agentc.runtime.envs.batch.BatchWorld`.

    ``starts`` ``(N,)`` are cells to start from in place of the map's one: with an :func:`atlas` every row may be on a
    map of its own.
    """

    of_observation = frozenset({"tile", "x", "y"})
    """The signals that are functions of the observation."""

    def __init__(
        self,
        world: CellMap,
        num_envs: int,
        max_steps: int,
        slip: float = 0.0,
        random_start: bool = False,
        starts: NDArray[np.int64] | None = None,
    ) -> None:
        self.num_envs = num_envs
        self.observation_space: gymnasium.Space[Any] = spaces.Discrete(world.cells)
        self.action_space: gymnasium.Space[Any] = spaces.Discrete(len(ACTIONS))
        self.world, self.max_steps, self.slip, self.random_start = world, max_steps, slip, random_start
        self._starts = np.full(num_envs, world.start, np.int64) if starts is None else starts
        self.cell = self._starts.copy()
        self.steps = np.zeros(num_envs, np.int64)
        self.action = np.full(num_envs, -1, np.int64)
        self._generators = Generators(num_envs)
        self._paid = np.zeros(num_envs)
        self._never = np.zeros(num_envs, np.bool_)

    @property
    def remembered(self) -> tuple[str, ...]:
        """Cells, steps and actions; nothing where chance has a part."""
        return () if self.slip or self.random_start else ("cell", "steps", "action")

    def reset(self, where: Mask, seeds: Seeds | None = None) -> None:
        """Go back to the start, or anywhere with ``random_start``."""
        self._generators.seed(where, seeds)
        self.cell = np.where(where, self._starts, self.cell)
        self.steps[where] = 0
        self.action = np.where(where, -1, self.action)
        if self.random_start:
            for i in np.flatnonzero(where).tolist():
                self.cell[i] = self._generators[i].integers(self.world.cells)

    def step(self, actions: Array) -> tuple[NDArray[np.float64], Mask, Mask]:
        """Move everywhere."""
        self.action = actions.astype(np.int64)  # what the agent chose is the signal; what was done may differ
        done = self.action
        if self.slip:
            done = done.copy()
            for i in range(self.num_envs):
                if self._generators[i].random() < self.slip:
                    done[i] = self._generators[i].integers(len(ACTIONS))
        self.cell = self.world.next[self.cell, done]
        self.steps += 1
        return self._paid, self._never, self.steps >= self.max_steps

    def observation(self) -> Array:
        """The cells ``(N,)``."""
        return self.cell

    def signals(self, names: Iterable[str]) -> dict[str, Array]:
        """``tile`` and ``action`` as codes, ``x`` and ``y``."""
        wanted = tuple(names)
        found = self.signals_of(self.cell, (name for name in wanted if name != "action"))
        return found if "action" not in wanted else {**found, "action": self.action}

    def signals_of(self, cells: NDArray[np.int64], names: Iterable[str]) -> dict[str, Array]:
        """What is read in these cells, of the signals :attr:`of_observation`."""
        found: dict[str, Array] = {}
        for name in names:
            if name == "tile":
                found[name] = self.world.tiles[cells]
            else:
                y, x = np.divmod(cells, self.world.width)
                found[name] = (x if name == "x" else y).astype(np.float64)
        return found
