"""Reading signals by a table of functions of the bare environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentc.compiler.logic.ir import Value


class TableReader:
    """A :class:`~agentc.runtime.envs.registry.SignalReader` for signals that are functions of the present state.

    ``table`` maps names to functions of ``state``; ``action_value`` turns an action into the value of the signal
    ``action``.
    """

    def __init__(
        self,
        state: Any,
        table: Mapping[str, Callable[[Any], Value]],
        names: Sequence[str],
        action_value: Callable[[Any], Value],
    ) -> None:
        self._state = state
        self._functions = [table.get(name, _nothing) for name in names]
        self._action_at = names.index("action") if "action" in names else None
        self._action_value = action_value

    def reset(self) -> list[Value]:
        """The signals at step 0; ``action`` has no value."""
        state = self._state
        return [function(state) for function in self._functions]

    def step(self, action: Any, reward: float) -> list[Value]:
        """The signals after an action."""
        state = self._state
        values = [function(state) for function in self._functions]
        if self._action_at is not None:
            values[self._action_at] = self._action_value(action)
        return values


def _nothing(state: Any) -> Value:
    return None
