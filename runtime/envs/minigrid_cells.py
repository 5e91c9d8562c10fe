"""The cells of a MiniGrid world as single bytes, and tables over the bytes.

MiniGrid encodes a cell by three numbers: object, colour, state. There are few of them, so a cell is one byte here,
chosen so that what blocks the view is what has the highest bit. An object that a task asks for is told apart from
others of its look (MiniGrid compares identities): it has a byte of its own with the same three numbers.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.core.world_object import Box, Door, WorldObj
from numpy.typing import NDArray

from agentc.runtime.envs.minigrid_view import spread

UNSEEN, EMPTY = 0, 1
OPAQUE = 0x80
"""The bit of the cells that nobody sees behind."""

COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
CARRIED = ("key", "ball", "box")
OPEN, CLOSED, LOCKED = 0, 1, 2

_LOOKS: list[tuple[int, int, int]] = [(0, 0, 0)] * 256
_CODES: dict[tuple[str, str, int], int] = {}
_MARKED: dict[tuple[str, str], int] = {}


def _fill() -> None:
    _LOOKS[EMPTY] = (OBJECT_TO_IDX["empty"], 0, 0)
    clear = EMPTY + 1
    for kind, state in (
        *((k, 0) for k in ("floor", "goal", "lava", *CARRIED)), ("door", OPEN),
    ):  # fmt: skip
        for colour in COLOURS:
            _CODES[kind, colour, state] = clear
            _LOOKS[clear] = (OBJECT_TO_IDX[kind], COLOR_TO_IDX[colour], state)
            clear += 1
    for kind in CARRIED:
        for colour in COLOURS:
            _MARKED[kind, colour] = clear
            _LOOKS[clear] = (OBJECT_TO_IDX[kind], COLOR_TO_IDX[colour], 0)
            clear += 1
    opaque = OPAQUE
    for kind, state in (("wall", 0), ("door", CLOSED), ("door", LOCKED)):
        for colour in COLOURS:
            _CODES[kind, colour, state] = opaque
            _LOOKS[opaque] = (OBJECT_TO_IDX[kind], COLOR_TO_IDX[colour], state)
            opaque += 1


_fill()

LOOKS: NDArray[np.uint8] = np.array(_LOOKS, np.uint8)
"""Object, colour and state of every byte, ``(256, 3)``; zeros for bytes that no cell has."""

OUTSIDE = _CODES["wall", "grey", 0]
"""What is seen beyond the grid."""

CODES = frozenset({EMPTY, *_CODES.values(), *_MARKED.values()})
"""The bytes that cells may have."""


def code_of(cell: WorldObj | None, marked: bool = False) -> int:
    """The byte of a cell. Raises ``KeyError`` for an object that MiniGrid itself does not have."""
    if cell is None:
        return EMPTY
    if marked:
        return _MARKED[cell.type, cell.color]
    state = 0
    if isinstance(cell, Door):
        state = OPEN if cell.is_open else LOCKED if cell.is_locked else CLOSED
    return _CODES[cell.type, cell.color, state]


def contents_of(cell: WorldObj | None, wanted: WorldObj | None) -> int:
    """The byte of what a box hides, :data:`EMPTY` for an empty one and for anything else.

    Raises ``ValueError`` for a box in a box, which no task of MiniGrid has.
    """
    if not isinstance(cell, Box) or cell.contains is None:
        return EMPTY
    if isinstance(cell.contains, Box):
        raise ValueError("a box in a box")
    return code_of(cell.contains, cell.contains is wanted)


def _where(kind: str, state: int | None = None) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = LOOKS[:, 0] == OBJECT_TO_IDX[kind]
    return found if state is None else found & (LOOKS[:, 2] == state)


GOAL, LAVA, BOX, DOOR = (_where(kind) for kind in ("goal", "lava", "box", "door"))
OPEN_DOOR, LOCKED_DOOR = _where("door", OPEN), _where("door", LOCKED)
PORTABLE: NDArray[np.bool_] = np.logical_or.reduce([_where(kind) for kind in CARRIED])
"""What can be picked up."""
WALKABLE: NDArray[np.bool_] = np.logical_or.reduce([_where(k) for k in ("empty", "floor", "goal", "lava")]) | OPEN_DOOR
"""What the agent can stand on."""
ENDS: NDArray[np.bool_] = GOAL | LAVA
"""What ends the episode of who walks onto it."""
MARKED: NDArray[np.bool_] = np.isin(np.arange(256), list(_MARKED.values()))
"""The very object that a task asks for."""

TOGGLED: NDArray[np.uint8] = np.arange(256, dtype=np.uint8)
"""What a cell is after ``toggle``, but for boxes and for locked doors, which take a key."""
UNLOCKED: NDArray[np.uint8] = np.arange(256, dtype=np.uint8)
"""The same of a locked door and its key."""
KEY_FOR: NDArray[np.int64] = np.full(256, -1, np.int64)
"""The colour of the key that a locked door needs; -1 of every other cell."""
for _colour in COLOURS:
    TOGGLED[_CODES["door", _colour, OPEN]] = _CODES["door", _colour, CLOSED]
    TOGGLED[_CODES["door", _colour, CLOSED]] = _CODES["door", _colour, OPEN]
    UNLOCKED[_CODES["door", _colour, LOCKED]] = _CODES["door", _colour, OPEN]
    KEY_FOR[_CODES["door", _colour, LOCKED]] = COLOR_TO_IDX[_colour]
KEY_COLOUR: NDArray[np.int64] = np.where(_where("key"), LOOKS[:, 1].astype(np.int64), -2)
"""The colour of a key; -2 of what is none."""


HELD: NDArray[np.int64] = np.zeros(256, np.int64)
"""What is observed of something that is carried: ``1 + 6 * kind + colour``; 0 of what cannot be."""
for _code in np.flatnonzero(PORTABLE).tolist():
    _kind, _number = (int(n) for n in LOOKS[_code, :2])
    HELD[_code] = 1 + 6 * [OBJECT_TO_IDX[k] for k in CARRIED].index(_kind) + _number


@cache
def sight(size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """How sight spreads over a row of ``size`` cells, as tables over ``reached << size | clear`` (bits).

    The first says which cells of the row are seen, the second which of the row ahead are reached from them.
    """
    pairs = [spread(size, reached, clear) for reached in range(1 << size) for clear in range(1 << size)]
    seen, ahead = np.array(pairs, np.uint8).T
    return np.ascontiguousarray(seen), np.ascontiguousarray(ahead)
