"""The binding of the zone world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import gymnasium

from agentc.runtime.envs.readings import TableReader
from agentc.runtime.envs.registry import EngineArgument, SignalReader
from agentc.runtime.envs.zone_world import ZoneBatch, ZoneWorld

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish
    from agentc.compiler.logic.ir import Value


def _vehicle(index: int) -> Callable[[ZoneWorld], Value]:
    return lambda world: float(world.vehicle[index])


_SIGNALS: dict[str, Callable[[ZoneWorld], Value]] = {
    "zone": lambda world: world.zone,
    "x": _vehicle(0),
    "y": _vehicle(1),
    "heading": _vehicle(2),
    "speed": _vehicle(3),
}


class ZonesBinding:
    """``engine zones(max_steps = ...)``."""

    engine = "zones"
    arguments = (EngineArgument("max_steps", "int", 300, low=1),)
    signals = tuple(_SIGNALS)

    def ids(self) -> tuple[str, ...]:
        """None: the worlds are drawn."""
        return ()

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new zone world."""
        return ZoneWorld(_steps(arguments))

    def batch(self, arguments: Mapping[str, Literalish], num_envs: int) -> ZoneBatch:
        """N zone worlds."""
        return ZoneBatch(num_envs, _steps(arguments))

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is a zone world."""
        return isinstance(env.unwrapped, ZoneWorld)

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return _steps(arguments)

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads the vehicle and the disc that it is in."""
        return TableReader(env.unwrapped, _SIGNALS, names, lambda action: None)


def _steps(arguments: Mapping[str, Literalish]) -> int:
    return int(cast(int, arguments["max_steps"]))


BINDING = ZonesBinding()
