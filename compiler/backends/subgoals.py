"""Timed subgoals as files: ``subgoals/NAME.json`` for each formula of an agent whose traces have a known length.

The length is the environment's horizon; without one, the horizon of the formula itself, if that is bounded.
"""

from __future__ import annotations

import json

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.backends.base import Artifact, Emission, refused
from agentc.compiler.logic.fragments import TIMED_SUBGOALS, Fragment, fragment
from agentc.compiler.logic.rewrite import horizon
from agentc.compiler.signals.decompose import decompose
from agentc.compiler.signals.subgoals import to_json
from agentc.lang.diagnostics import AgentcError, Diagnostic, Severity, report
from agentc.lang.source import Span

FILE_NODES = 5_000
"""Larger trees get no file; planners build them when they need them."""


class SubgoalsBackend:
    """The decomposition of each formula."""

    name = "subgoals"
    does: Fragment = TIMED_SUBGOALS

    def accepts(self, fragment: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
        """One diagnostic per operator of the past or over it."""
        return refused(self.name, self.does, fragment, span)

    def emit(self, agent: AgentIR) -> Emission:
        """The files; a formula that has none gets a note that says why, where plans are made of it.

        Without a declared horizon a formula without a bounded one gets neither.
        """
        artifacts: list[Artifact] = []
        notes: list[Diagnostic] = []
        for item in agent.formulas:
            last = last_step(agent, item)
            if last is None or item.role == "assume":
                continue
            used = fragment(item.formula)
            if item.each or not used <= self.does:
                operator = "each" if item.each else used.beyond(self.does)[0]
                notes.append(report("AS0709", item.span, name=item.name, backend=self.name, operator=operator))
                continue
            try:
                plan = decompose(item.formula, last, max_nodes=FILE_NODES, span=item.span)
            except AgentcError as error:
                limit = str(error.diagnostics[0].values.get("limit", ""))
                notes.append(report("AS1202", item.span, name=item.name, limit=limit))
                continue
            text = json.dumps(to_json(plan), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
            artifacts.append(Artifact(f"subgoals/{item.name}.json", text))
        assert all(n.severity is Severity.NOTE for n in notes)
        planned = agent.system is not None or agent.judged_on_traces
        return Emission(tuple(artifacts), tuple(notes) if planned else ())


def last_step(agent: AgentIR, item: FormulaIR) -> int | None:
    """The last step of the traces that a formula's plans are about, None if nothing says it."""
    if agent.environment is not None and agent.environment.horizon is not None:
        return agent.environment.horizon
    return horizon(item.formula)
