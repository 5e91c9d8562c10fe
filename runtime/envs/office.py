"""The binding of the office world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import gymnasium

from agentc.runtime.envs.cell_world import CellBatch
from agentc.runtime.envs.office_world import ACTIONS, OfficeWorld, office_map
from agentc.runtime.envs.readings import TableReader
from agentc.runtime.envs.registry import EngineArgument, SignalReader

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish
    from agentc.compiler.logic.ir import Value

_SIGNALS: dict[str, Callable[[OfficeWorld], Value]] = {
    "tile": lambda world: world.tile,
    "x": lambda world: world.position[0],
    "y": lambda world: world.position[1],
}


class OfficeBinding:
    """``engine office(max_steps = ..., slip = ..., random_start = ...)``."""

    engine = "office"
    arguments = (
        EngineArgument("max_steps", "int", 1000, low=1),
        EngineArgument("slip", "real", 0.0, low=0, high=1),
        EngineArgument("random_start", "bool", False),
    )
    signals = (*_SIGNALS, "action")

    def ids(self) -> tuple[str, ...]:
        """None: there is one map."""
        return ()

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new office world."""
        return OfficeWorld(**arguments, render_mode=render_mode)  # type: ignore[arg-type]

    def batch(self, arguments: Mapping[str, Literalish], num_envs: int) -> CellBatch:
        """N office worlds."""
        return CellBatch(office_map(), num_envs, **arguments)  # type: ignore[arg-type]

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is an office world."""
        return isinstance(env.unwrapped, OfficeWorld)

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return int(cast(int, arguments["max_steps"]))

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads the cell and what is there."""
        return TableReader(env.unwrapped, _SIGNALS, names, ACTIONS.__getitem__)


BINDING = OfficeBinding()
