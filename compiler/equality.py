"""``expect a == b``: whether two named machines or formulas hold of the same traces, and a trace that tells.

A task, behavior or assumption holds of the traces that satisfy it, a safe of those that do not violate it, a machine of
those on which it has come to an accepting state (in which it stays).
"""

from __future__ import annotations

from agentc.compiler.agent import AgentIR, EqualityIR, FormulaIR, MachineIR
from agentc.compiler.automata.bdd import Budget, OverBudgetError
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.embedded import machine_atom
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.judgement import judge
from agentc.compiler.logic.fragments import STEPWISE, fragment
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.trace import Trace
from agentc.compiler.sanity import MAX_SECONDS, MAX_STATES, not_violated
from agentc.compiler.witness import witness
from agentc.lang.diagnostics import AgentcError, Diagnostic, report


def check_equalities(agent: AgentIR) -> list[Diagnostic]:
    """What is found of an agent's equalities: nothing where they hold."""
    return [d for item in agent.equalities for d in _check(agent, item)]


def _check(agent: AgentIR, item: EqualityIR) -> list[Diagnostic]:
    def undecided(reason: str) -> list[Diagnostic]:
        return [report("AS1627", item.span, source=item.source, reason=reason)]

    left, right = _named(agent, item.left), _named(agent, item.right)
    for side in (left, right):
        if isinstance(side, FormulaIR) and side.each:
            return undecided(f"`{side.name}` is stated for `each` value")
        beyond = fragment(normal(_formula(side))).beyond(STEPWISE)
        if beyond:
            return undecided(f"no automaton decides `{beyond[0]}`")
    budget = Budget(MAX_STATES, MAX_SECONDS)
    try:
        one, two = _language(agent, left), _language(agent, right)
        apart = one.product(two, lambda a, b: a != b, budget)
    except OverBudgetError as error:
        return undecided(f"the budget ran out: {error.limit}")
    except AgentcError as error:
        return undecided(error.diagnostics[0].message)
    word = apart.shortest_accepted()
    if word is None:
        return []

    def holds(side: FormulaIR | MachineIR, trace: Trace) -> bool:
        role = side.role if isinstance(side, FormulaIR) else "task"
        return judge(_formula(side), trace, role, agent.declared).holds

    seen = witness(
        apart, word, (_formula(left), _formula(right)), lambda trace: holds(left, trace) != holds(right, trace)
    )
    if seen.trace is None:
        return undecided("no values are known of a trace that would tell them apart; `agentc compile` asks the solver")
    first = one.accepting[one.run(_projected(apart, one, word))]
    # an example is about a formula: the one of the two, the right one of two
    about, satisfied = (item.left, first) if isinstance(right, MachineIR) else (item.right, not first)
    title = f"tells {item.left} and {item.right} apart"
    text = seen.example(title, about, satisfied, agent.declared)
    if isinstance(left, MachineIR) and isinstance(right, MachineIR):
        text = "; ".join(seen.steps(agent.declared))
    which = f"`{item.left}` {'holds' if first else 'does not hold'} and `{item.right}` does{' not' if first else ''}"
    length = f"{len(word)} step{'s' if len(word) != 1 else ''}"
    return [
        report("AS1626", item.span, left=item.left, right=item.right, which=which, length=length, example=text)
    ]


def _projected(joint: DFA, one: DFA, word: tuple[tuple[bool, ...], ...]) -> list[tuple[bool, ...]]:
    """A word over the atoms of one of the automata that a joint one was made of."""
    columns = [joint.atoms.index(a) for a in one.atoms]
    return [tuple(letter[c] for c in columns) for letter in word]


def _named(agent: AgentIR, name: str) -> FormulaIR | MachineIR:
    return next((m for m in agent.machines if m.name == name), None) or agent.formula(name)


def _formula(side: FormulaIR | MachineIR) -> Formula:
    return machine_atom(side) if isinstance(side, MachineIR) else side.formula


def _language(agent: AgentIR, side: FormulaIR | MachineIR) -> DFA:
    dfa = translate_typed(_formula(side), agent.declared, max_states=MAX_STATES, max_seconds=MAX_SECONDS)
    return not_violated(dfa) if isinstance(side, FormulaIR) and side.role == "safe" else dfa
