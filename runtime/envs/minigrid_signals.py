"""The signals of MiniGrid worlds as arrays, for N rows at once.

They are those that :class:`agentc.runtime.envs.minigrid.MiniGridReader` reads off one environment of the package;
enum signals are indices into :data:`MEMBERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from minigrid.core.constants import IDX_TO_OBJECT
from numpy.typing import NDArray

from agentc.runtime.envs import minigrid_cells as cell
from agentc.runtime.envs.minigrid_words import COLOURS

if TYPE_CHECKING:
    from agentc.runtime.envs.minigrid_batch import GridWorld

MEMBERS: dict[str, tuple[str, ...]] = {
    "carrying": ("none", "key", "ball", "box"),
    "carrying_color": COLOURS,
    "door": ("none", "locked", "closed", "open"),
    "tile": ("empty", "floor", "door", "goal", "lava"),
    "front": ("empty", "wall", "floor", "door", "key", "ball", "box", "goal", "lava"),
    "front_color": COLOURS,
    "direction": ("right", "down", "left", "up"),
    "action": ("left", "right", "forward", "pickup", "drop", "toggle", "done"),
}
"""The members of the enum signals, as ``stdlib/env/minigrid.agentspec`` declares them; a test holds both together."""


def _by_object(name: str) -> NDArray[np.int64]:
    """From bytes to the members of an enum of objects; nothing is the first member."""
    members = MEMBERS[name]
    kinds = [IDX_TO_OBJECT[int(look[0])] for look in cell.LOOKS]
    return np.array([members.index(kind) if kind in members else 0 for kind in kinds])


def _coloured() -> NDArray[np.int64]:
    real = np.isin(np.arange(256), [c for c in cell.CODES if c != cell.EMPTY])
    return np.where(real, cell.LOOKS[:, 1].astype(np.int64) + 1, 0)


_CARRYING, _TILE, _FRONT, _COLOUR = _by_object("carrying"), _by_object("tile"), _by_object("front"), _coloured()
_DOOR = np.where(cell.OPEN_DOOR, 3, np.where(cell.LOCKED_DOOR, 1, np.where(cell.DOOR, 2, 0)))
_FAR = np.iinfo(np.int64).max


class GridSignals:
    """Reads the rows of a world."""

    def __init__(self, world: GridWorld) -> None:
        self._world = world
        self._functions: dict[str, Callable[[], Any]] = {
            name: getattr(self, f"_{name}")
            for name in (
                "carrying", "carrying_color", "door", "doors", "open_doors", "locked_doors", "tile", "front",
                "front_color", "front_named", "x", "y", "direction", "mission", "steps", "solved", "action",
            )
        }  # fmt: skip

    def read(self, names: Iterable[str]) -> dict[str, NDArray[Any]]:
        """The signals by name; the arrays stay as they are."""
        return {name: self._functions[name]() for name in names}

    def _carrying(self) -> NDArray[Any]:
        return _CARRYING[self._world.carrying]

    def _carrying_color(self) -> NDArray[Any]:
        return _COLOUR[self._world.carrying]

    def _door_cells(self) -> NDArray[np.uint8]:
        """The cells of the doors ``(N, k)``, 0 where there are no more."""
        world = self._world
        return np.where(world.doors < 0, np.uint8(0), world.look(np.maximum(world.doors, 0)))

    def _door(self) -> NDArray[Any]:
        world = self._world
        if world.doors.shape[1] == 1:
            return _DOOR[self._door_cells()[:, 0]]
        x, y = world.position()
        door_x, door_y = world.position(world.doors)
        far = np.abs(door_x - x[:, None]) + np.abs(door_y - y[:, None])
        nearest = np.where(world.doors < 0, _FAR, far).argmin(axis=1)  # the first in reading order among equals
        found: NDArray[np.int64] = _DOOR[self._door_cells()[np.arange(world.num_envs), nearest]]
        return found

    def _doors(self) -> Any:
        return (self._world.doors >= 0).sum(axis=1).astype(np.float64)

    def _open_doors(self) -> Any:
        return cell.OPEN_DOOR[self._door_cells()].sum(axis=1).astype(np.float64)

    def _locked_doors(self) -> Any:
        return cell.LOCKED_DOOR[self._door_cells()].sum(axis=1).astype(np.float64)

    def _tile(self) -> NDArray[Any]:
        return _TILE[self._world.look(self._world.at)]

    def _front(self) -> NDArray[Any]:
        return _FRONT[self._world.look(self._world.front())]

    def _front_color(self) -> NDArray[Any]:
        return _COLOUR[self._world.look(self._world.front())]

    def _front_named(self) -> NDArray[Any]:
        world = self._world
        found: NDArray[np.bool_] = world.named[np.arange(world.num_envs), self._front_color()]
        return found

    def _x(self) -> NDArray[Any]:
        return self._world.position()[0].astype(np.float64)

    def _y(self) -> NDArray[Any]:
        return self._world.position()[1].astype(np.float64)

    def _direction(self) -> NDArray[Any]:
        return self._world.direction.copy()

    def _mission(self) -> NDArray[Any]:
        found = np.empty(self._world.num_envs, object)
        found[:] = self._world.missions
        return found

    def _steps(self) -> NDArray[Any]:
        return self._world.steps.astype(np.float64)

    def _solved(self) -> NDArray[Any]:
        return self._world.paid.copy()

    def _action(self) -> NDArray[Any]:
        return self._world.action.copy()
