"""The office world, a grid of twelve rooms, as a Gymnasium environment.

Source: Toro Icarte, Klassen, Valenzano, McIlraith, "Using Reward Machines for High-Level Task Specification and
Decomposition in Reinforcement Learning", ICML 2018, figure 1, and the JAIR article of 2022, section 6.1. The map
(places, walls, doors, the start at (2, 1)) is that of their published experiments. The world itself pays nothing
and never ends: tasks come from a spec. Two options are ours: ``slip``, the probability that the action taken is a
random one instead, and ``random_start``.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.envs.cell_world import CellMap

WIDTH, HEIGHT = 12, 9
ROOM = 3
START = (2, 1)
ACTIONS = ("up", "right", "down", "left")
MOVES = ((0, 1), (1, 0), (0, -1), (-1, 0))
ID = "agentc/OfficeWorld-v0"

PLACES: dict[tuple[int, int], str] = {
    (1, 1): "a", (1, 7): "b", (10, 7): "c", (10, 1): "d",
    (7, 4): "mail", (8, 2): "coffee", (3, 6): "coffee", (4, 4): "office",
    (4, 1): "plant", (7, 1): "plant", (4, 7): "plant", (7, 7): "plant", (1, 4): "plant", (10, 4): "plant",
}  # fmt: skip
"""What is where; ``x`` to the right, ``y`` upwards, both from 0."""

TILES = ("empty", "a", "b", "c", "d", "mail", "coffee", "office", "plant")

# Doors through the walls between rooms, as the lower or left of the two cells that they join.
_DOORS_RIGHT = frozenset((x, y) for x in (2, 5, 8) for y in (1, 7))
_DOORS_UP = frozenset((x, 5) for x in (1, 4, 7, 10)) | frozenset((x, 2) for x in (1, 10))


def passable(x: int, y: int, action: int) -> bool:
    """Whether no wall stops the move ``ACTIONS[action]`` from the cell ``(x, y)``."""
    dx, dy = MOVES[action]
    if not (0 <= x + dx < WIDTH and 0 <= y + dy < HEIGHT):
        return False
    low = (min(x, x + dx), min(y, y + dy))
    if dx and low[0] % ROOM == ROOM - 1:
        return low in _DOORS_RIGHT
    if dy and low[1] % ROOM == ROOM - 1:
        return low in _DOORS_UP
    return True


def transitions() -> NDArray[np.int64]:
    """The deterministic model: ``(108, 4)``, the cell that each action leads to; a cell is ``x + 12 y``."""
    table = np.empty((WIDTH * HEIGHT, len(ACTIONS)), np.int64)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            for a, (dx, dy) in enumerate(MOVES):
                table[x + WIDTH * y, a] = x + dx + WIDTH * (y + dy) if passable(x, y, a) else x + WIDTH * y
    return table


@cache
def office_map() -> CellMap:
    """The world as data, for stepping many at once."""
    tiles = np.zeros(WIDTH * HEIGHT, np.int64)
    for (x, y), name in PLACES.items():
        tiles[x + WIDTH * y] = TILES.index(name)
    return CellMap(WIDTH, HEIGHT, START[0] + WIDTH * START[1], TILES, tiles, transitions())


class Snapshot(NamedTuple):
    """All that the world's future depends on."""

    cell: int
    steps: int
    generator: dict[str, Any]


class OfficeWorld(gymnasium.Env[Any, Any]):
    """The office world. Observations are the cell ``x + 12 y`` in ``Discrete(108)``; actions up, right, down, left.

    Never pays and never terminates; an episode is truncated after ``max_steps`` steps.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi", "rgb_array"], "render_fps": 10}  # noqa: RUF012 (Gymnasium's)

    def __init__(
        self,
        max_steps: int = 1000,
        slip: float = 0.0,
        random_start: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.observation_space = spaces.Discrete(WIDTH * HEIGHT)
        self.action_space = spaces.Discrete(len(ACTIONS))
        self.render_mode = render_mode
        self.max_steps, self.slip, self.random_start = max_steps, slip, random_start
        self.steps = 0
        self.cell = START[0] + WIDTH * START[1]
        self.moves: list[list[int]] = transitions().tolist()
        """Where the actions lead from each cell, without chance."""

    @property
    def position(self) -> tuple[int, int]:
        """Where the agent is, ``(x, y)``."""
        return self.cell % WIDTH, self.cell // WIDTH

    @property
    def tile(self) -> str:
        """What is where the agent is, one of :data:`TILES`."""
        return PLACES.get(self.position, "empty")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Start at (2, 1), or anywhere with ``random_start``."""
        super().reset(seed=seed)
        self.steps = 0
        self.cell = START[0] + WIDTH * START[1]
        if self.random_start:
            self.cell = int(self.np_random.integers(WIDTH * HEIGHT))
        return np.int64(self.cell), {}

    def step(self, action: int) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Move; a wall in the way means to stay. With probability ``slip`` a random action is taken instead."""
        if self.slip and self.np_random.random() < self.slip:
            action = int(self.np_random.integers(len(ACTIONS)))
        self.cell = self.moves[self.cell][action]
        self.steps += 1
        return np.int64(self.cell), 0.0, False, self.steps >= self.max_steps, {}

    def snapshot(self) -> Snapshot:
        """The state of the world, its generator of random numbers included."""
        return Snapshot(self.cell, self.steps, deepcopy(dict(self.np_random.bit_generator.state)))

    def restore(self, snapshot: Snapshot) -> np.int64:
        """Go back to a snapshot; returns the observation there."""
        self.cell, self.steps = snapshot.cell, snapshot.steps
        self.np_random.bit_generator.state = deepcopy(snapshot.generator)
        return np.int64(self.cell)

    def render(self) -> Any:
        """Text (``ansi``) or an RGB array ``(height, width, 3)`` of 24 pixels a cell (``rgb_array``)."""
        if self.render_mode == "ansi":
            return self._text()
        if self.render_mode == "rgb_array":
            return self._image()
        return None

    def _text(self) -> str:
        """Walls as lines, doors as gaps, the agent as ``@``."""
        signs = {"mail": "m", "coffee": "f", "office": "g", "plant": "*"}
        lines = ["+" + "".join("-+" for _ in range(WIDTH))]
        for y in reversed(range(HEIGHT)):
            row, below = "|", "+"
            for x in range(WIDTH):
                tile = PLACES.get((x, y), " ")
                row += "@" if (x, y) == self.position else signs.get(tile, tile)
                row += " " if passable(x, y, 1) else "|"
                below += " +" if passable(x, y, 2) else "-+"
            lines += [row, below]
        return "\n".join(lines)

    def _image(self) -> NDArray[np.uint8]:
        size = 24
        image = np.full((HEIGHT * size, WIDTH * size, 3), 250, np.uint8)
        for (x, y), tile in PLACES.items():
            _stamp(image, x, y, size, _GLYPHS[tile], _COLOURS[tile])
        _stamp(image, *self.position, size, _GLYPHS["agent"], _COLOURS["agent"])
        for y in range(HEIGHT):
            for x in range(WIDTH):
                top, left = (HEIGHT - 1 - y) * size, x * size
                cell = image[top : top + size, left : left + size]
                for action, edge in enumerate((cell[:2], cell[:, -2:], cell[-2:], cell[:, :2])):
                    if not passable(x, y, action):
                        edge[:] = 40
        return image


# Seven rows of seven bits each, from the left.
_GLYPHS = {
    "a": (0, 0x38, 0x04, 0x3C, 0x44, 0x3C, 0),
    "b": (0x40, 0x40, 0x78, 0x44, 0x44, 0x78, 0),
    "c": (0, 0x3C, 0x40, 0x40, 0x40, 0x3C, 0),
    "d": (0x04, 0x04, 0x3C, 0x44, 0x44, 0x3C, 0),
    "mail": (0x7F, 0x63, 0x55, 0x49, 0x41, 0x7F, 0),
    "coffee": (0x14, 0x28, 0x7C, 0x7E, 0x7E, 0x7C, 0x38),
    "office": (0x1C, 0x3E, 0x7F, 0x5D, 0x55, 0x77, 0x77),
    "plant": (0x2A, 0x1C, 0x3E, 0x08, 0x3E, 0x1C, 0x1C),
    "agent": (0x1C, 0x3E, 0x7F, 0x7F, 0x7F, 0x3E, 0x1C),
}
_COLOURS = {
    "a": (60, 60, 60), "b": (60, 60, 60), "c": (60, 60, 60), "d": (60, 60, 60),
    "mail": (40, 90, 190), "coffee": (120, 75, 30), "office": (150, 40, 140), "plant": (40, 140, 60),
    "agent": (220, 60, 40),
}  # fmt: skip


def _stamp(
    image: NDArray[np.uint8], x: int, y: int, size: int, glyph: tuple[int, ...], colour: tuple[int, int, int]
) -> None:
    bits = np.array([[row >> (6 - i) & 1 for i in range(7)] for row in glyph], np.bool_)
    large = bits.repeat(2, 0).repeat(2, 1)
    top, left = (HEIGHT - 1 - y) * size + 5, x * size + 5
    image[top : top + 14, left : left + 14][large] = colour


def register() -> None:
    """Make :data:`ID` known to ``gymnasium.make``; does nothing the second time."""
    if ID not in gymnasium.registry:
        gymnasium.register(ID, entry_point="agentc.runtime.envs.office_world:OfficeWorld")
