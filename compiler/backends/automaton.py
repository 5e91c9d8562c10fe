"""Automata as files: HOA and PRISM for programs, DOT and SVG for people."""

from __future__ import annotations

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.dot import write_dot
from agentc.compiler.automata.hoa import write_hoa
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.automata.prism import write_prism, write_prism_machine
from agentc.compiler.automata.svg import write_svg
from agentc.compiler.backends.base import Artifact, Emission, refused
from agentc.compiler.logic.fragments import STEPWISE, Fragment, fragment
from agentc.lang.diagnostics import AgentcError, Diagnostic, Severity, report
from agentc.lang.source import Span

MAX_STATES, MAX_SECONDS = 2_000, 10.0
"""The budget of a drawing; monitors, which may be split into parts, have a larger one."""
TEXT_STATES = 300
"""Larger automata get no files: they are for reading."""


class AutomatonBackend:
    """``automata/NAME.hoa``, ``.prism``, ``.dot`` and ``.svg`` for each formula of an agent; ``.prism`` of machines."""

    name = "automaton"
    does: Fragment = STEPWISE

    def accepts(self, fragment: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
        """One diagnostic per operator that needs more than this step and the one before."""
        return refused(self.name, self.does, fragment, span)

    def emit(self, agent: AgentIR) -> Emission:
        """The files; a formula that is outside of the fragment or too large gets a note instead."""
        named = {p.formula: p.name for p in reversed(agent.propositions) if p.formula.op == "atom"}
        artifacts: list[Artifact] = []
        notes: list[Diagnostic] = []
        for item in agent.formulas:
            used = fragment(normal(item.formula))
            if item.each or not used <= self.does:
                operator = "each" if item.each else used.beyond(self.does)[0]
                notes.append(report("AS0709", item.span, name=item.name, backend=self.name, operator=operator))
                continue
            try:
                dfa = translate_typed(item.formula, agent.declared, max_states=MAX_STATES, max_seconds=MAX_SECONDS)
            except AgentcError as error:
                limit = str(error.diagnostics[0].values.get("limit", ""))
                notes.append(report("AS0715", item.span, name=item.name, limit=limit))
                continue
            if dfa.size > TEXT_STATES:
                notes.append(report("AS0715", item.span, name=item.name, limit=f"{TEXT_STATES} states"))
                continue
            title = f"{agent.name}.{item.name}: {item.source}"
            artifacts += (
                Artifact(f"automata/{item.name}.hoa", write_hoa(dfa, title)),
                Artifact(f"automata/{item.name}.dot", write_dot(dfa, title)),
                Artifact(f"automata/{item.name}.prism", _prism(dfa, title, agent, item)),
            )
            drawing = write_svg(dfa, title, named)
            if drawing is not None:
                artifacts.append(Artifact(f"automata/{item.name}.svg", drawing))
        artifacts += [
            Artifact(f"automata/{machine.name}.prism", write_prism_machine(machine, f"{agent.name}.{machine.name}"))
            for machine in agent.machines
        ]
        assert all(n.severity is Severity.NOTE for n in notes)
        return Emission(tuple(artifacts), tuple(notes))


def _prism(dfa: DFA, title: str, agent: AgentIR, item: FormulaIR) -> str:
    """The model of a formula, with what the reward pays for it."""
    terms = agent.reward.terms if agent.reward is not None else ()
    amount = next((t.amount for t in terms if t.kind == "formula" and t.name == item.name), None)
    return write_prism(dfa, title, amount, on_violation=item.role == "safe")
