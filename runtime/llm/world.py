"""What an agent that writes talks to: an episode with a first message, tools, and signals.

A world is the language-model counterpart of an environment: :meth:`World.reset` begins an episode and returns what the
user says, tools are called by name, and :meth:`World.signals` gives the declared signals after each step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from agentc.compiler.logic.ir import Value
from agentc.runtime.llm.decoder import Step
from agentc.runtime.llm.tools import Function


class World(Protocol):
    """An episode of a task for a language-model agent."""

    def reset(self, seed: int) -> str:
        """Begin an episode; what the user says first. The same seed gives the same episode."""
        ...

    @property
    def tools(self) -> Mapping[str, Function]:
        """What the agent can call."""
        ...

    def signals(self, step: Step) -> Mapping[str, Value]:
        """The signals that the environment declares, after a step."""
        ...


class Silent:
    """A world of given functions and one message, without signals."""

    def __init__(self, message: str, tools: Mapping[str, Function] | None = None) -> None:
        self._message, self._tools = message, dict(tools or {})

    def reset(self, seed: int) -> str:
        """The message."""
        return self._message

    @property
    def tools(self) -> Mapping[str, Any]:
        """The functions."""
        return self._tools

    def signals(self, step: Step) -> Mapping[str, Value]:
        """None."""
        return {}


class WithTools:
    """A world with functions added to its tools; those of the world come first."""

    def __init__(self, world: World, tools: Mapping[str, Function]) -> None:
        self._world, self._added = world, dict(tools)

    def reset(self, seed: int) -> str:
        """See :class:`World`."""
        return self._world.reset(seed)

    @property
    def tools(self) -> Mapping[str, Function]:
        """See :class:`World`."""
        return {**self._added, **self._world.tools}

    def signals(self, step: Step) -> Mapping[str, Value]:
        """See :class:`World`."""
        return self._world.signals(step)


class TaskWorld(World, Protocol):
    """A world whose episodes are tasks: it knows when one is over, whether it was solved, and can be put back.

    It is what a Gymnasium environment of a world is made of (:mod:`agentc.runtime.envs.language`).
    """

    @property
    def ended(self) -> bool:
        """Whether the agent has ended the episode."""
        ...

    @property
    def solved(self) -> bool:
        """Whether the task is solved as things stand."""
        ...

    def snapshot(self) -> object:
        """All that the rest of the episode depends on."""
        ...

    def restore(self, snapshot: Any) -> None:
        """Go back to a snapshot of this world; the same snapshot may be gone back to again."""
        ...
