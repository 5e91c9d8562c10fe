"""Costs (``cost c = ...``): which of them a step and the one before it decide."""

from __future__ import annotations

from agentc.compiler.agent import AgentIR, CostIR
from agentc.compiler.logic.ir import Formula, postorder
from agentc.lang.diagnostics import Diagnostic, report

_CONNECTIVES = ("true", "false", "not", "and", "or", "implies", "xor", "iff", "atom")
_REMEMBERING = ("count", "sum", "in_seen", "occurs_in_seen")


def of_one_step(cost: CostIR) -> bool:
    """Whether the signals of a step, and numbers of the step before it, say what it costs."""
    return all(
        node.op in _CONNECTIVES if isinstance(node, Formula) else node.op not in _REMEMBERING
        for node in postorder(cost.value)
    )


def beyond_a_step(agent: AgentIR) -> list[Diagnostic]:
    """AS1521 for each cost of an agent that looks further back."""
    return [
        report("AS1521", cost.span, name=cost.name, value=str(cost.value))
        for cost in agent.costs
        if not of_one_step(cost)
    ]
