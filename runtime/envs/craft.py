"""The craft world of the reward-machine literature: places for raw materials and tools on a large open grid.

Source: Andreas, Klein, Levine, "Modular Multitask Reinforcement Learning with Policy Sketches", ICML 2017 (what is
made where); Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR 73, 2022, section 6.2 (this version:
to stand on a tile is to use it). The maps are those of the published experiments. ``slip`` is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import gymnasium
import numpy as np

from agentc.runtime.envs.cell_world import ACTIONS, CellBatch, CellMap, CellWorld, open_grid
from agentc.runtime.envs.craft_maps import MAPS
from agentc.runtime.envs.readings import TableReader
from agentc.runtime.envs.registry import EngineArgument, SignalReader

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish
    from agentc.compiler.logic.ir import Value

SIZE = 39
START = SIZE * SIZE // 2
TILES = ("empty", "wood", "toolshed", "workbench", "grass", "factory", "iron", "gold", "gem")

_SIGNALS: dict[str, Callable[[CellWorld], Value]] = {
    "tile": lambda world: world.tile,
    "x": lambda world: world.position[0],
    "y": lambda world: world.position[1],
}


@cache
def craft_map(number: int) -> CellMap:
    """The published map of that number, 0 to 10."""
    tiles = np.zeros(SIZE * SIZE, np.int64)
    for name, cells in MAPS[number].items():
        for x, y in cells:
            tiles[x + SIZE * y] = TILES.index(name)
    return CellMap(SIZE, SIZE, START, TILES, tiles, open_grid(SIZE, SIZE))


class CraftBinding:
    """``engine craft(map = ..., max_steps = ..., slip = ...)``."""

    engine = "craft"
    arguments = (
        EngineArgument("map", "int", 0, low=0, high=len(MAPS) - 1),
        EngineArgument("max_steps", "int", 1000, low=1),
        EngineArgument("slip", "real", 0.0, low=0, high=1),
    )
    signals = (*_SIGNALS, "action")

    def ids(self) -> tuple[str, ...]:
        """None: the maps have numbers."""
        return ()

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new craft world."""
        world, steps, slip = _read(arguments)
        return CellWorld(world, steps, slip, render_mode)

    def batch(self, arguments: Mapping[str, Literalish], num_envs: int) -> CellBatch:
        """N craft worlds."""
        world, steps, slip = _read(arguments)
        return CellBatch(world, num_envs, steps, slip)

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is a craft world."""
        bare = env.unwrapped
        return isinstance(bare, CellWorld) and bare.world.names == TILES

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return _read(arguments)[1]

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads the cell and what is there."""
        return TableReader(env.unwrapped, _SIGNALS, names, ACTIONS.__getitem__)


def _read(arguments: Mapping[str, Literalish]) -> tuple[CellMap, int, float]:
    number, steps = int(cast(int, arguments["map"])), int(cast(int, arguments["max_steps"]))
    return craft_map(number), steps, float(cast(float, arguments["slip"]))


BINDING = CraftBinding()
