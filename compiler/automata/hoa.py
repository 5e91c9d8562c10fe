"""Automata in the Hanoi format.

Source: Babiak et al., *The Hanoi Omega-Automata Format*, CAV 2015. The format has no convention for finite words.
Ours: acceptance is state-based, ``Acceptance: 1 Inf(0)``, and a marked state accepts the finite word read so far; a
comment in the header says so.
"""

from __future__ import annotations

from agentc.compiler.automata.covers import atom_text, guards
from agentc.compiler.automata.dfa import DFA


def to_hoa(dfa: DFA, name: str) -> str:
    """The automaton as text; equal automata give equal text. Raises ``OverBudgetError`` for unspeakable guards.

    Letters that the declared types rule out stand with whatever guard is shortest.
    """
    atoms = " ".join(_quoted(atom_text(a)) for a in dfa.atoms)
    lines = [
        "HOA: v1",
        "/* finite words: a state marked {0} accepts the finite, non-empty word read so far */",
        f"name: {_quoted(name)}",
        'tool: "agentc"',
        f"States: {dfa.size}",
        "Start: 0",
        f"AP: {len(dfa.atoms)}{' ' + atoms if atoms else ''}",
        "acc-name: Buchi",
        "Acceptance: 1 Inf(0)",
        "properties: trans-labels explicit-labels state-acc deterministic complete",
        "--BODY--",
    ]
    for state in range(dfa.size):
        verdict = dfa.verdicts[state].name.lower().replace("_", " ")
        lines.append(f"State: {state} {_quoted(verdict)}{' {0}' if dfa.accepting[state] else ''}")
        for target, cubes in guards(dfa, state).items():
            label = " | ".join("&".join(f"{'' if sign else '!'}{k}" for k, sign in cube) or "t" for cube in cubes)
            lines.append(f"[{label}] {target}")
    lines.append("--END--")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
