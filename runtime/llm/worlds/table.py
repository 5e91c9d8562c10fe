"""The worlds by the name of their engine."""

from __future__ import annotations

from agentc.compiler.agent import AgentIR
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.spelling import nearest
from agentc.runtime.llm.world import World
from agentc.runtime.llm.worlds.corpus_qa import CorpusQA

WORLDS = {"corpus_qa": CorpusQA}
"""Engine to the class that makes a world of its arguments."""


def world_of(agent: AgentIR) -> World:
    """The world that an agent declares. Raises ``AgentcError`` (AS1434) if there is none for its environment."""
    environment = agent.environment
    known = ", ".join(f"`{name}`" for name in WORLDS)
    if environment is None or environment.engine not in WORLDS:
        name = "none" if environment is None else environment.engine
        raise AgentcError([report("AS1434", None, name=name, known=known, suggestion=nearest(name, WORLDS))])
    return WORLDS[environment.engine](**{k: str(v) for k, v in environment.arguments.items()})
