"""The binding of the letter world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import gymnasium

from agentc.runtime.envs.letter_world import ACTIONS, LetterBatch, LetterWorld
from agentc.runtime.envs.readings import TableReader
from agentc.runtime.envs.registry import EngineArgument, SignalReader

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish
    from agentc.compiler.logic.ir import Value

_SIGNALS: dict[str, Callable[[LetterWorld], Value]] = {"letter": lambda world: world.letter}


class LettersBinding:
    """``engine letters(max_steps = ...)``."""

    engine = "letters"
    arguments = (EngineArgument("max_steps", "int", 75, low=1),)
    signals = (*_SIGNALS, "action")

    def ids(self) -> tuple[str, ...]:
        """None: the maps are drawn."""
        return ()

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new letter world."""
        return LetterWorld(_steps(arguments), render_mode)

    def batch(self, arguments: Mapping[str, Literalish], num_envs: int) -> LetterBatch:
        """N letter worlds."""
        return LetterBatch(num_envs, _steps(arguments))

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is a letter world."""
        return isinstance(env.unwrapped, LetterWorld)

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return _steps(arguments)

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads what the agent stands on."""
        return TableReader(env.unwrapped, _SIGNALS, names, ACTIONS.__getitem__)


def _steps(arguments: Mapping[str, Literalish]) -> int:
    return int(cast(int, arguments["max_steps"]))


BINDING = LettersBinding()
