"""The letter world: letters on a small grid without edges, new ones in every episode.

Source: Vaezipoor, Li, Toro Icarte, McIlraith, "LTL2Action", ICML 2021, section 6.1: 7 by 7 cells, twelve letters, each
twice, an agent that begins in a corner; whoever leaves over an edge comes in at the opposite one; every letter can be
reached without stepping on another. What is observed is centred on the agent: which letter is where, one-hot, as
``(7 * 7 * 12,)`` numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.envs.batch import Array, Generators, Mask, Seeds

SIZE = 7
CELLS = SIZE * SIZE
LETTERS = tuple("abcdefghijkl")
TILES = ("none", *LETTERS)
ACTIONS = ("up", "right", "down", "left")
_MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))
COPIES = 2

_y, _x = np.divmod(np.arange(CELLS), SIZE)
NEXT = np.stack([(_x + dx) % SIZE + SIZE * ((_y + dy) % SIZE) for dx, dy in _MOVES], axis=1)
"""Where the moves lead, ``(49, 4)``; the cell of ``(x, y)`` is ``x + 7 y``."""
_CENTRE = SIZE // 2
_SEEN = (_x[None, :] + _x[:, None] - _CENTRE) % SIZE + SIZE * ((_y[None, :] + _y[:, None] - _CENTRE) % SIZE)
_ONE_HOT = np.eye(len(TILES), dtype=np.float32)[:, 1:]


def sample_map(generator: np.random.Generator) -> NDArray[np.int64]:
    """What lies in each cell, ``(49,)``, 0 for nothing; cell 0 is free and no letter is walled in by others."""
    while True:
        tiles = np.zeros(CELLS, np.int64)
        cells = 1 + generator.permutation(CELLS - 1)[: COPIES * len(LETTERS)]
        tiles[cells] = 1 + np.arange(len(cells)) % len(LETTERS)
        if _open(tiles):
            return tiles


def _open(tiles: NDArray[np.int64]) -> bool:
    """Whether every cell is reached from cell 0 over free cells."""
    reached = np.zeros(CELLS, np.bool_)
    reached[0] = True
    while True:
        more = reached.copy()
        more[NEXT[reached & (tiles == 0)].reshape(-1)] = True
        if more.sum() == reached.sum():
            return bool(reached.all())
        reached = more


def seen(tiles: NDArray[np.int64], cell: NDArray[np.int64]) -> NDArray[np.float32]:
    """What is observed, ``(..., 588)``, of maps ``(..., 49)`` from cells ``(...)``."""
    around = np.take_along_axis(tiles, _SEEN[cell], axis=-1)
    return _ONE_HOT[around].reshape(*around.shape[:-1], -1)


def _space() -> spaces.Box:
    return spaces.Box(0.0, 1.0, (CELLS * len(LETTERS),), np.float32)


class LetterWorld(gymnasium.Env[Any, Any]):
    """One letter world. Never pays and never terminates; an episode is truncated after ``max_steps`` steps."""

    metadata: dict[str, Any] = {"render_modes": ["ansi"]}  # noqa: RUF012 (Gymnasium's)

    def __init__(self, max_steps: int = 75, render_mode: str | None = None) -> None:
        self.observation_space = _space()
        self.action_space = spaces.Discrete(len(ACTIONS))
        self.max_steps, self.render_mode, self.steps, self.cell = max_steps, render_mode, 0, 0
        self.tiles = np.zeros(CELLS, np.int64)

    @property
    def letter(self) -> str:
        """What the agent stands on."""
        return TILES[int(self.tiles[self.cell])]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """New letters."""
        super().reset(seed=seed)
        self.tiles = sample_map(self.np_random)
        self.cell = self.steps = 0
        return seen(self.tiles, np.asarray(self.cell)), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Move."""
        self.cell = int(NEXT[self.cell, action])
        self.steps += 1
        return seen(self.tiles, np.asarray(self.cell)), 0.0, False, self.steps >= self.max_steps, {}

    def render(self) -> Any:
        """The letters as text, the agent as ``@``."""
        if self.render_mode != "ansi":
            return None
        signs = ["@" if c == self.cell else ("." if t == 0 else TILES[t]) for c, t in enumerate(self.tiles)]
        return "\n".join("".join(signs[SIZE * y : SIZE * (y + 1)]) for y in reversed(range(SIZE)))


class LetterBatch:
    """N letter worlds, a :class:`~agentc.runtime.envs.batch.BatchWorld`."""

    def __init__(self, num_envs: int, max_steps: int = 75) -> None:
        self.num_envs, self.max_steps = num_envs, max_steps
        self.observation_space: gymnasium.Space[Any] = _space()
        self.action_space: gymnasium.Space[Any] = spaces.Discrete(len(ACTIONS))
        self.tiles = np.zeros((num_envs, CELLS), np.int64)
        self.cell, self._steps = np.zeros(num_envs, np.int64), np.zeros(num_envs, np.int64)
        self._action = np.full(num_envs, -1, np.int64)
        self._generators = Generators(num_envs)
        self._paid, self._never = np.zeros(num_envs), np.zeros(num_envs, np.bool_)

    def reset(self, where: Mask, seeds: Seeds | None = None) -> None:
        """New letters."""
        self._generators.seed(where, seeds)
        for i in np.flatnonzero(where).tolist():
            self.tiles[i] = sample_map(self._generators[i])
        self.cell = np.where(where, 0, self.cell)
        self._steps[where] = 0
        self._action = np.where(where, -1, self._action)

    def step(self, actions: Array) -> tuple[NDArray[np.float64], Mask, Mask]:
        """Move everywhere."""
        self._action = actions.astype(np.int64)
        self.cell = NEXT[self.cell, self._action]
        self._steps += 1
        return self._paid, self._never, self._steps >= self.max_steps

    members: tuple[str, ...] = TILES

    def member(self) -> NDArray[np.int64]:
        """What the agents stand on, indices into :data:`TILES`."""
        return self.tiles[np.arange(self.num_envs), self.cell]

    def marks(self, meant: Mask) -> NDArray[np.float32]:
        """Which cells around the agents hold one of the letters in ``meant`` ``(N, 13)``, ``(N, 49)``."""
        around = np.take_along_axis(self.tiles, _SEEN[self.cell], axis=1)
        return np.take_along_axis(meant, around, axis=1).astype(np.float32) * (around > 0)

    def own(self) -> NDArray[np.float32]:
        """Nothing: all that matters is where things are."""
        return np.zeros((self.num_envs, 0), np.float32)

    def observation(self) -> Array:
        """``(N, 588)``."""
        return seen(self.tiles, self.cell)

    def signals(self, names: Iterable[str]) -> dict[str, Array]:
        """``letter`` and ``action`` as codes."""
        rows = np.arange(self.num_envs)
        return {name: self._action if name == "action" else self.tiles[rows, self.cell] for name in names}
