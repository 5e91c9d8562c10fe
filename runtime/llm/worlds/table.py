"""The worlds by the name of their engine: how each is made, what it takes, and the signals that it offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.spelling import nearest
from agentc.runtime.envs.registry import ENGINES, EngineArgument, complete_arguments
from agentc.runtime.llm.world import TaskWorld, World

if TYPE_CHECKING:
    from agentc.compiler.agent import AgentIR, Literalish

SPLIT = EngineArgument("split", "text", "train", choices=("train", "test"))
DESK_SIGNALS = ("agreed", "approved", "handed_over", "solved", "breaches", "changes")


@dataclass(frozen=True)
class WorldFamily:
    """A family of worlds.

    ``place`` is the class, as ``module:name``; it is imported when a world is made. ``arguments`` are the class's own;
    every family takes ``max_steps`` beside them, which limits an episode of the Gymnasium environment.
    """

    engine: str
    place: str
    arguments: tuple[EngineArgument, ...]
    signals: tuple[str, ...]
    max_steps: int

    @property
    def taken(self) -> tuple[EngineArgument, ...]:
        """All that the engine takes."""
        return (*self.arguments, EngineArgument("max_steps", "int", self.max_steps, low=1))

    def make(self, given: Mapping[str, Literalish]) -> TaskWorld:
        """A world. Raises ``AgentcError``: AS1490 where a package is missing, AS0904 and AS0905 for its arguments."""
        complete = complete_arguments(self.engine, self.taken, given)
        module, _, name = self.place.partition(":")
        try:
            maker: Callable[..., TaskWorld] = getattr(import_module(f"agentc.runtime.llm.worlds.{module}"), name)
            own: dict[str, Any] = {a.name: complete[a.name] for a in self.arguments}
            return maker(**own)
        except ImportError as error:
            missing = (error.name or "").partition(".")[0]
            if not missing or missing == "agentc":
                raise
            raise ENGINES[self.engine].missing(missing) from error


WORLDS = {
    family.engine: family
    for family in (
        WorldFamily("corpus_qa", "corpus_qa:CorpusQA", (SPLIT,), ("correct", "title"), 20),
        WorldFamily("retail", "retail:RetailDesk", (SPLIT,), (*DESK_SIGNALS, "status", "total", "repaid"), 30),
        WorldFamily(
            "airline", "airline:AirlineDesk", (SPLIT,),
            (*DESK_SIGNALS, "cabin", "hours", "insured", "delayed", "flown", "cancelled", "cancellable"), 30,
        ),
        WorldFamily(
            "form", "form_page:FormPage", (SPLIT,), ("missing", "wrong", "stray", "attempts", "accepted", "solved"), 30
        ),
        WorldFamily(
            "textworld", "text_adventure:TextAdventure",
            (
                SPLIT, EngineArgument("rooms", "int", 3, low=1, high=20),
                EngineArgument("things", "int", 4, low=1, high=40), EngineArgument("length", "int", 4, low=1, high=20),
            ),
            ("room", "facts", "carried", "commands", "refused", "onward", "to_go", "lost", "solved"), 40,
        ),
    )
}  # fmt: skip
"""Engine to family."""


def world_of(agent: AgentIR) -> World:
    """The world that an agent declares. Raises ``AgentcError`` (AS1434) if there is none for its environment."""
    environment = agent.environment
    known = ", ".join(f"`{name}`" for name in WORLDS)
    if environment is None or environment.engine not in WORLDS:
        name = "none" if environment is None else environment.engine
        raise AgentcError([report("AS1434", None, name=name, known=known, suggestion=nearest(name, WORLDS))])
    return WORLDS[environment.engine].make(environment.arguments)
