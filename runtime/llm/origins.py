"""Where data came from: `order from reply`, `order from user`, as labels of the values of a call.

A text came from a source if it occurs in what that source has said, a number if it stands there as a number, a Boolean
from nowhere. Sources are the user, the phases, and the tools (their results). This is what can be seen from outside of
an agent: a value that it made up, or rewrote, has no label, so `x from reply` is never true of it; which of two sources
that both hold a value it was copied from cannot be told, and it has both labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from agentc.compiler.agent import AgentIR
from agentc.compiler.logic.ir import Value, signals
from agentc.lang.diagnostics import AgentcError, report

SUFFIX = "@from"
MAX_TEXT = 10_000_000
"""The most characters that are remembered of all sources together."""


def labelled(agent: AgentIR) -> frozenset[str]:
    """The signals (``pay.order@from``) by which an agent's formulas ask for labels."""
    return frozenset(s for f in agent.formulas for s in signals(f.formula) if s.endswith(SUFFIX))


class Origins:
    """What the sources have said. Raises ``AgentcError`` (AS1483) for more than is remembered."""

    def __init__(self, asked: Iterable[str]) -> None:
        self._asked = frozenset(asked)
        self._said: dict[str, dict[str, None]] = {}
        self._size = 0

    def tell(self, source: str | None, text: str) -> None:
        """A source says something."""
        if not self._asked or source is None or text in self._said.get(source, ()):
            return
        self._size += len(text)
        if self._size > MAX_TEXT:
            raise AgentcError([report("AS1483", None, limit=MAX_TEXT)])
        self._said.setdefault(source, {})[text] = None

    def of(self, value: Any) -> tuple[str, ...]:
        """The sources of a value."""
        if value is None or value == "" or isinstance(value, bool):
            return ()
        if isinstance(value, str):
            return tuple(s for s, texts in self._said.items() if any(value in t for t in texts))
        shown = re.escape(f"{value:g}" if isinstance(value, float) else str(value))
        number = re.compile(rf"(?<![\w.]){shown}(?!\w|\.\d)")
        return tuple(s for s, texts in self._said.items() if any(number.search(t) for t in texts))

    def labels(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """For each value that rules ask about, by the name of its signal, the sources of it."""
        return {f"{name}{SUFFIX}": self.of(value) for name, value in values.items() if f"{name}{SUFFIX}" in self._asked}
