"""Realizability: can the agent do what its spec asks, with what it controls, against every environment that it allows?

The agent controls its actions and the inputs of its environment; all other signals are the environment's, and nothing
is known of their dynamics beyond their types and what is assumed. An agent that loses may yet learn well where the true
environment is kinder: so this is asked for (`agentc check --realizable`), and says of a spec what no training can.
The objective is: if the assumptions hold of the trace, then so do all tasks and behaviors, and no safe is violated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.automata.bdd import Budget, OverBudgetError
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.games import Ends, Solution, arena, solve
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.logic.alphabet import is_action
from agentc.compiler.logic.fragments import STEPWISE, fragment
from agentc.compiler.logic.ir import TRUE, signals
from agentc.compiler.sanity import not_violated
from agentc.lang.diagnostics import AgentcError, Annotation, Diagnostic, report

MAX_STATES, MAX_SECONDS = 5_000, 20.0


@dataclass(frozen=True)
class Realizability:
    """What was found of an agent: the solution of its game, or why there is none.

    ``core`` are the names of formulas that are unrealizable together, none of which can be left out. ``trivial``
    says that nothing which the agent controls occurs in its formulas.
    """

    agent: AgentIR
    ends: Ends
    solution: Solution | None
    reason: str = ""
    core: tuple[str, ...] = ()
    trivial: bool = False

    @property
    def answer(self) -> bool | None:
        """Whether the spec is realizable; None if that is not known."""
        if self.solution is None:
            return None
        winner = "agent" if self.solution.realizable else "environment"
        return None if winner in self.solution.arena.generous else self.solution.realizable


def controlled(agent: AgentIR) -> tuple[str, ...]:
    """The signals that the agent sets, among those that are declared."""
    declared = set(agent.environment.controls) if agent.environment is not None else set()
    return tuple(s.name for s in agent.declared if s.name in declared or is_action(s.name))


def realizability(agent: AgentIR, ends: Ends = "settles", *, seconds: float = MAX_SECONDS) -> Realizability:
    """Solve the game of an agent's formulas."""
    wanted = [f for f in agent.formulas if f.role != "assume"]
    read = {n for f in agent.formulas for n in signals(f.formula)}
    trivial = not any(name in read for name in controlled(agent))

    def unknown(reason: str) -> Realizability:
        return Realizability(agent, ends, None, reason, trivial=trivial)

    if not wanted:
        return unknown("there is no formula to be realized")
    if any(s.phase for s in agent.signals):
        return unknown("who writes which phase is no game of signals: what an agent can write is its decoder's matter")
    for item in agent.formulas:
        if item.each:
            return unknown(f"`{item.name}` is stated for `each` value")
        beyond = fragment(normal(item.formula)).beyond(STEPWISE)
        if beyond:
            return unknown(f"no automaton decides `{beyond[0]}` in `{item.name}`")
    try:
        budget = Budget(MAX_STATES, seconds)
        solution = solve(arena(objective(agent, wanted, budget), agent.declared, controlled(agent), budget), ends)
        core = () if solution.realizable else _core(agent, wanted, ends, budget)
    except OverBudgetError as error:
        return unknown(f"the budget ran out: {error.limit}")
    except AgentcError as error:
        return unknown(error.diagnostics[0].message)
    return Realizability(agent, ends, solution, "", core, trivial)


def objective(agent: AgentIR, wanted: Sequence[FormulaIR], budget: Budget) -> DFA:
    """The automaton of the traces on which the assumptions fail or all of ``wanted`` hold. May be over budget."""

    def language(item: FormulaIR) -> DFA:
        dfa = translate_typed(item.formula, agent.declared, max_states=budget.states, max_seconds=budget.seconds)
        return not_violated(dfa) if item.role == "safe" else dfa

    joint = translate_typed(TRUE, agent.declared)
    for item in sorted(map(language, wanted), key=lambda d: d.size):
        joint = joint.product(item, lambda a, b: a and b, budget)
    for assumption in agent.of_role("assume"):
        joint = language(assumption).product(joint, lambda a, b: not a or b, budget)
    return joint


def _core(agent: AgentIR, wanted: Sequence[FormulaIR], ends: Ends, budget: Budget) -> tuple[str, ...]:
    """Formulas that are unrealizable together, minimal by deletion."""

    def realizable(items: Sequence[FormulaIR]) -> bool:
        return solve(
            arena(objective(agent, items, budget), agent.declared, controlled(agent), budget), ends
        ).realizable

    core = list(wanted)
    for item in wanted:
        rest = [f for f in core if f is not item]
        if rest and not realizable(rest):
            core = rest
    return tuple(f.name for f in core)


def findings(found: Realizability) -> list[Diagnostic]:
    """What is to be said of an answer: an error where the spec is unrealizable, else a note or a warning."""
    agent = found.agent
    wanted = [f for f in agent.formulas if f.role != "assume"]
    if found.answer is None:
        reason = found.reason or "which values of several numbers can occur together is not decided"
        return [report("AS1632", wanted[0].span if wanted else None, name=agent.name, reason=reason)]
    said: list[Diagnostic] = []
    if found.trivial:
        said.append(report("AS1633", wanted[0].span, name=agent.name))
    if found.answer:
        return [*said, report("AS1631", wanted[0].span, name=agent.name)]
    first, *others = (agent.formula(n) for n in found.core)
    notes = [Annotation(o.span, f"together with `{o.name}`") for o in others if o.span is not None]
    names = ", ".join(f"`{n}`" for n in found.core)
    controls = ", ".join(f"`{n}`" for n in controlled(agent)) or "nothing"
    return [*said, report("AS1630", first.span, annotations=notes, names=names, controls=controls)]
