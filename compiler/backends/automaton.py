"""The automata of an agent's formulas, for other tools and for people: HOA, DOT and SVG."""

from __future__ import annotations

from agentc.compiler.agent import AgentIR
from agentc.compiler.automata.bdd import OverBudgetError
from agentc.compiler.automata.dot import to_dot
from agentc.compiler.automata.hoa import to_hoa
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.automata.svg import to_svg
from agentc.compiler.backends.base import Artifact, Emission, refused
from agentc.compiler.logic.fragments import STEPWISE, Fragment, fragment
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.source import Span

MAX_WRITTEN = 5_000
"""States of the largest automaton that is written out; a monitor may be larger, or in parts."""


class AutomatonBackend:
    """The minimal automaton of each formula as ``automata/<name>.hoa``, ``.dot`` and, if it can be drawn, ``.svg``."""

    name = "automaton"
    does: Fragment = STEPWISE

    def accepts(self, fragment: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
        """One diagnostic per operator that needs more than this step and the one before."""
        return refused(self.name, self.does, fragment, span)

    def emit(self, agent: AgentIR) -> Emission:
        """The automata of all formulas; those outside of the fragment or too large are reported and left out."""
        named = {p.formula: p.name for p in reversed(agent.propositions) if p.formula.op == "atom"}
        artifacts: list[Artifact] = []
        diagnostics: list[Diagnostic] = []
        for item in agent.formulas:
            found = self.accepts(fragment(normal(item.formula)), item.span)
            if item.each:
                found = (
                    report("AS0701", item.span, operator="each", backend=self.name, able="no backend does it yet"),
                )
            if found:
                diagnostics += found
                continue
            try:
                dfa = translate_typed(item.formula, agent.declared, max_states=MAX_WRITTEN, span=item.span)
                artifacts.append(Artifact(f"automata/{item.name}.hoa", to_hoa(dfa, item.source)))
                artifacts.append(Artifact(f"automata/{item.name}.dot", to_dot(dfa, item.source)))
                drawing = to_svg(dfa, item.source, named)
                if drawing is not None:
                    artifacts.append(Artifact(f"automata/{item.name}.svg", drawing))
            except (AgentcError, OverBudgetError):
                diagnostics.append(report("AS0721", item.span, name=item.name, most=MAX_WRITTEN))
        return Emission(tuple(artifacts), tuple(diagnostics))
