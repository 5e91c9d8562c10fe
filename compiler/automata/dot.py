"""Automata in the language of Graphviz. https://graphviz.org/doc/info/lang.html"""

from __future__ import annotations

from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.guards import guards
from agentc.compiler.logic.verdict import Verdict

FILL = {
    Verdict.TRUE: "#b7e1c0", Verdict.PRESUMABLY_TRUE: "#e3f4e6", Verdict.PRESUMABLY_FALSE: "#f6f1df",
    Verdict.FALSE: "#f4c7c3",
}  # fmt: skip


def write_dot(dfa: DFA, name: str = "") -> str:
    """The automaton as a digraph: accepting states are double circles, final ones filled by their verdict."""
    lines = [
        "digraph automaton {", "  rankdir=LR;", f"  label={_quoted(name)};",
        '  node [shape=circle, style=filled, fontname="sans-serif"]; edge [fontname="sans-serif"];',
        '  start [shape=point, label=""]; start -> 0;',
    ]  # fmt: skip
    for state in range(dfa.size):
        shape = "doublecircle" if dfa.accepting[state] else "circle"
        verdict = dfa.verdicts[state]
        look = f"shape={shape}, fillcolor={_quoted(FILL[verdict])}, tooltip={_quoted(verdict.sentence)}"
        lines.append(f"  {state} [{look}];")
        for target, guard in guards(dfa, state).items():
            lines.append(f"  {state} -> {target} [label={_quoted(guard)}];")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
