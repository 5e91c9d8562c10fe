"""Whether a whole run keeps a promise: a ``behavior`` is judged like a task, a ``safe`` by what breaks it for good."""

from __future__ import annotations

from collections.abc import Mapping

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.judgement import judge
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError


def keeps(agent: AgentIR, item: FormulaIR, trace: Trace) -> bool:
    """Whether a run that has ended keeps a promise.

    What holds at the end was never violated. A ``safe`` that does not hold there is kept all the same if it is not
    violated for good: obligations that are still open at the end do not violate it. Where no automaton
    can tell (it is too large, or values are not of their types), it counts as broken.
    """
    if evaluate(item.formula, trace):
        return True
    if item.role != "safe":
        return False
    try:
        return judge(item.formula, trace, item.role, agent.signals).holds
    except (AgentcError, ValueError):
        return False


def kept(agent: AgentIR, trace: Trace) -> Mapping[str, bool]:
    """For each ``behavior`` and ``safe`` by its name, whether a run keeps it; not those for each value."""
    return {f.name: keeps(agent, f, trace) for f in agent.of_role("behavior", "safe") if not f.each}
