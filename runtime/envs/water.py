"""The binding of the water world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import gymnasium
import numpy as np

from agentc.runtime.envs.readings import TableReader
from agentc.runtime.envs.registry import EngineArgument, SignalReader
from agentc.runtime.envs.water_world import ACTIONS, COLOURS, MAPS, WaterBatch, WaterWorld

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish
    from agentc.compiler.logic.ir import Value


def _colour(index: int) -> Callable[[WaterWorld], Value]:
    return lambda world: bool(world.touched[index])


_SIGNALS: dict[str, Callable[[WaterWorld], Value]] = {
    **{name: _colour(index) for index, name in enumerate(COLOURS)},
    "x": lambda world: float(world.position[0, 0]),
    "y": lambda world: float(world.position[0, 1]),
}


class WaterBinding:
    """``engine water(map = ..., max_steps = ...)``."""

    engine = "water"
    arguments = (
        EngineArgument("map", "int", 0, low=0, high=MAPS - 1),
        EngineArgument("max_steps", "int", 600, low=1),
    )
    signals = (*_SIGNALS, "action")

    def ids(self) -> tuple[str, ...]:
        """None: the maps have numbers."""
        return ()

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new water world."""
        return WaterWorld(*_read(arguments))

    def batch(self, arguments: Mapping[str, Literalish], num_envs: int) -> WaterBatch:
        """N water worlds."""
        number, steps = _read(arguments)
        return WaterBatch(num_envs, np.full(num_envs, number), steps)

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is a water world."""
        return isinstance(env.unwrapped, WaterWorld)

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return _read(arguments)[1]

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads what has been touched and where the agent is."""
        return TableReader(env.unwrapped, _SIGNALS, names, ACTIONS.__getitem__)


def _read(arguments: Mapping[str, Literalish]) -> tuple[int, int]:
    return int(cast(int, arguments["map"])), int(cast(int, arguments["max_steps"]))


BINDING = WaterBinding()
