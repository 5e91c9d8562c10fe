"""MiniGrid's egocentric view, computed from indices.

MiniGrid builds it by copying and rotating grids of objects, which takes most of the time of a step. Here the cells
in view are looked up by indices that depend only on position and direction, and what hides behind walls is found a
row at a time. The result is MiniGrid's own, bit for bit (``MiniGridEnv.gen_obs``): the tests compare them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from minigrid.core.constants import OBJECT_TO_IDX
from minigrid.core.world_object import Wall
from minigrid.minigrid_env import MiniGridEnv
from numpy.typing import NDArray

Code = tuple[int, int, int]

_UNSEEN: Code = (OBJECT_TO_IDX["unseen"], 0, 0)
_EMPTY: Code = (OBJECT_TO_IDX["empty"], 0, 0)
_OUTSIDE = Wall()
_WALL: Code = _OUTSIDE.encode()


def can_replace(kind: type[MiniGridEnv]) -> bool:
    """Whether environments of a class observe in MiniGrid's standard way, so that :func:`egocentric` is the same."""
    return kind.gen_obs is MiniGridEnv.gen_obs and kind.gen_obs_grid is MiniGridEnv.gen_obs_grid


def egocentric(env: MiniGridEnv) -> NDArray[np.uint8]:
    """The image ``(view, view, 3)`` that the agent sees: object, colour, state of each cell."""
    size, grid = env.agent_view_size, env.grid
    x, y = env.agent_pos
    cells: list[Any] = grid.grid
    # indices run from the row farthest ahead to the agent's own, each from left to right; None is outside
    indices = _in_view(size, grid.width, grid.height, int(x), int(y), int(env.agent_dir))
    seen = [_OUTSIDE if i is None else cells[i] for i in indices]
    codes: list[Code] = [_UNSEEN] * (size * size)
    if env.see_through_walls:
        visible = [(1 << size) - 1] * size
    else:
        visible = _visible(seen, size)
    at = 0
    for row in visible:
        for i in range(size):
            if row >> i & 1:
                cell = seen[at + i]
                codes[at + i] = _EMPTY if cell is None else _WALL if cell is _OUTSIDE else cell.encode()
        at += size
    codes[at - size + size // 2] = _EMPTY if env.carrying is None else env.carrying.encode()
    image = np.array(codes, np.uint8).reshape(size, size, 3)
    return np.ascontiguousarray(image.transpose(1, 0, 2))


@cache
def _in_view(size: int, width: int, height: int, x: int, y: int, direction: int) -> tuple[int | None, ...]:
    """Indices into the grid of the cells in view, row by row from the farthest; None is outside the grid."""
    ahead = ((1, 0), (0, 1), (-1, 0), (0, -1))[direction]
    right = (-ahead[1], ahead[0])
    found: list[int | None] = []
    for forward in reversed(range(size)):
        for side in range(-(size // 2), size - size // 2):
            u, v = x + forward * ahead[0] + side * right[0], y + forward * ahead[1] + side * right[1]
            found.append(v * width + u if 0 <= u < width and 0 <= v < height else None)
    return tuple(found)


def _visible(seen: list[Any], size: int) -> list[int]:
    """What the agent sees of each row, as bits; sight spreads sideways and ahead through what is transparent."""
    rows = [0] * size
    reached = 1 << size // 2
    for j in reversed(range(size)):
        clear = 0
        for i in range(size):
            cell = seen[j * size + i]
            if cell is None or cell.see_behind():
                clear |= 1 << i
        rows[j], reached = spread(size, reached, clear)
    return rows


@cache
def spread(size: int, reached: int, clear: int) -> tuple[int, int]:
    """The cells of a row that are seen, and those of the next row ahead that are reached from it."""
    ahead = 0
    for i in range(size - 1):
        if reached & clear & 1 << i:
            reached |= 1 << i + 1
            ahead |= 0b11 << i
    for i in reversed(range(1, size)):
        if reached & clear & 1 << i:
            reached |= 1 << i - 1
            ahead |= 0b11 << i - 1
    return reached, ahead
