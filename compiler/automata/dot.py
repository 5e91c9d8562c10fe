"""Automata for Graphviz."""

from __future__ import annotations

from agentc.compiler.automata.covers import guard_text, guards
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.logic.verdict import Verdict

COLORS = {
    Verdict.TRUE: "#1a7f4b",
    Verdict.FALSE: "#b3382c",
    Verdict.PRESUMABLY_TRUE: "#5b6472",
    Verdict.PRESUMABLY_FALSE: "#5b6472",
}
"""What is final is colored; what is presumable is not."""


def to_dot(dfa: DFA, name: str) -> str:
    """The automaton as a DOT digraph; accepting states are double circles, final ones colored."""
    lines = [f"digraph {_quoted(name)} {{", "  rankdir=LR;", "  node [shape=circle];"]
    lines.append("  start [shape=point, label=\"\"];")
    for state in range(dfa.size):
        shape = "doublecircle" if dfa.accepting[state] else "circle"
        lines.append(f'  {state} [shape={shape}, color="{COLORS[dfa.verdicts[state]]}"];')
    lines.append("  start -> 0;")
    for state in range(dfa.size):
        for target, cubes in guards(dfa, state).items():
            lines.append(f"  {state} -> {target} [label={_quoted(guard_text(cubes, dfa))}];")
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
