"""Valuations of steps at which nothing is written and nothing is said: where those of real steps start from."""

from __future__ import annotations

from agentc.compiler.agent import AgentIR
from agentc.compiler.logic.ir import Value


def unwritten(agent: AgentIR) -> dict[str, Value]:
    """No phase and no tool: their propositions are false, and what they would hold has no value."""
    return {s.name: None if "." in s.name else False for s in agent.signals if s.phase}


def unsaid(agent: AgentIR) -> dict[str, Value]:
    """The environment says nothing: its Boolean signals are false, its others have no value."""
    signals = () if agent.environment is None else agent.environment.signals
    return {s.name: False if s.kind == "bool" else None for s in signals}
