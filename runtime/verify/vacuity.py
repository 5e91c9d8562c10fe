"""What cannot fail, whatever the agent does: asked of every item before a method is, so that none calls it proved.

No trace of the declared types may violate the formula (an unsafe set that is empty, a premise that cannot hold), or no
state may satisfy the constraint of the initial set. Both are decided on the automata of
:mod:`agentc.compiler.sanity`, with the arithmetic of :mod:`agentc.compiler.arithmetic` where the solver is installed;
what they cannot decide is not called vacuous. Kupferman, Vardi, "Vacuity detection in temporal model checking", STTT 4,
2003, ask more: whether each part of a formula matters, which ``agentc check`` does.
"""

from __future__ import annotations

from agentc.compiler.agent import ComponentIR, SystemIR
from agentc.compiler.arithmetic import Arithmetic
from agentc.compiler.logic.alphabet import deciding
from agentc.compiler.logic.ir import Formula, and_, compare, const, postorder, show, signal
from agentc.compiler.sanity import is_safety_violable, satisfiable, valid
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.problem import Problem

OWN = frozenset(("network", "automaton"))
"""Methods that read a formula as being about something else than the traces of an environment."""
SECONDS = 3.0


def vacuity(problem: Problem) -> str | None:
    """Why the item cannot fail, as a sentence; None if it can, or if that was not decided."""
    item, agent = problem.item, problem.agent
    if item.method in OWN or (item.bound is not None and item.bound[0] in ("<", "<=")):
        return None
    try:
        with deciding(Arithmetic(seconds=min(SECONDS, problem.left()))):
            if agent.system is not None and _empty(agent.system, problem):
                return "no state satisfies what `init` asks for: there is no run"
            if problem.role == "safe" and is_safety_violable(item.formula, agent.declared) is not None:
                return None
            if problem.role != "safe" and not valid(item.formula, agent.declared):
                return None
            premise = _premise(item.formula, problem)
    except (AgentcError, ValueError):  # over the budget, or with an operator that has no automaton
        return None
    if premise is not None:
        return f"its premise `{show(premise)}` cannot hold, whatever the system does"
    return "no run can violate it, whatever the system does: nothing is unsafe"


def _premise(formula: Formula, problem: Problem) -> Formula | None:
    """The left side of an implication that no trace satisfies."""
    for node in postorder(formula):
        if isinstance(node, Formula) and node.op == "implies":
            left = node.args[0]
            if isinstance(left, Formula) and satisfiable(left, problem.agent.declared) is None:
                return left
    return None


def _empty(system: SystemIR, problem: Problem) -> bool:
    """Whether no component of the initial distribution has a state that satisfies its constraint."""
    return bool(system.initial.components) and all(_hopeless(c, problem) for c in system.initial.components)


def _hopeless(component: ComponentIR, problem: Problem) -> bool:
    if component.constraint is None:
        return False
    asked = [component.constraint]
    for start in component.starts:
        values = [v for v in start.values if isinstance(v, int | float) and not isinstance(v, bool)]
        if start.kind != "normal" and values and len(values) == len(start.values):
            asked.append(compare(">=", signal(start.variable), const(min(values))))
            asked.append(compare("<=", signal(start.variable), const(max(values))))
    return satisfiable(and_(*asked), problem.agent.declared) is None
