"""Automata and reward machines in the language of PRISM. https://www.prismmodelchecker.org/manual/ThePRISMLanguage

The module ``automaton`` reads at each ``[step]`` what holds in the present state of the model, and moves. Each
proposition is a Boolean variable in a module of its own that is set anew, in any way, at each step: so the file is a
whole model of all words, to be checked as it stands or with these modules replaced by those of a real model.

State ``q`` has read as many letters as there were steps; the labels say what is known of the word then.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from agentc.compiler.agent import MachineIR
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.guards import Cover, covers, label
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.rewrite import formula_nodes
from agentc.compiler.logic.verdict import Verdict

KEYWORDS = frozenset("""
A bool clock const ctmc C double dtmc E endinit endinvariant endmodule endobservables endrewards endsystem false formula
filter func F global G init invariant I int label max mdp min module X nondeterministic observable observables of
Pmax Pmin P pomdp popta probabilistic prob pta rate rewards Rmax Rmin R S smg stochastic system true U W automaton q
""".split())
"""Words that no variable can have for a name, and the names that the file uses itself."""


def write_prism(dfa: DFA, name: str = "", payment: float | None = None, *, on_violation: bool = False) -> str:
    """The automaton as a model.

    With a ``payment`` the file has a reward structure that pays it once: on the step on which the verdict becomes
    finally true, or finally false if ``on_violation``.
    """
    total = dfa.completed()
    names = proposition_names(total.atoms)
    commands, rewards = [], []
    paid = Verdict.FALSE if on_violation else Verdict.TRUE
    for state in range(total.size):
        for target, cover in covers(total, state).items():
            guard = f"q={state} & {_cover(cover, names)}"
            commands.append(f"  [step] {guard} -> (q'={target});")
            if payment is not None and total.verdicts[target] is paid and total.verdicts[state] is not paid:
                rewards.append(f"  [step] {guard} : {payment!r};")
    labels = {
        "accepting": [s for s in range(total.size) if total.accepting[s]],
        "finally_true": [s for s in range(total.size) if total.verdicts[s] is Verdict.TRUE],
        "finally_false": [s for s in range(total.size) if total.verdicts[s] is Verdict.FALSE],
    }
    return _model(name, total.atoms, names, total.size, commands, labels, rewards if payment is not None else None)


def write_prism_machine(machine: MachineIR, name: str = "") -> str:
    """An explicit reward machine as a model, with its payments as rewards; edges are tried in their order."""
    atoms = list(dict.fromkeys(
        n for s in machine.states for e in s.edges for n in formula_nodes(e.guard) if n.op == "atom"
    ))  # fmt: skip
    names = proposition_names(atoms)
    known = dict(zip(atoms, names, strict=True))
    number = {s.name: i for i, s in enumerate(machine.states)}
    commands, rewards = [], []
    for i, state in enumerate(machine.states):
        refused: list[str] = []
        for edge in () if state.accepting else state.edges:
            guard = " & ".join([f"q={i}", *refused, _expression(edge.guard, known)])
            commands.append(f"  [step] {guard} -> (q'={number[edge.target]});")
            if edge.reward:
                rewards.append(f"  [step] {guard} : {edge.reward!r};")
            refused.append(f"!{_expression(edge.guard, known)}")
        commands.append(f"  [step] {' & '.join([f'q={i}', *refused])} -> (q'={i});")
    labels = {"accepting": [i for i, s in enumerate(machine.states) if s.accepting]}
    comments = [f"// q={i}: {s.name}" for i, s in enumerate(machine.states)]
    return _model(name, atoms, names, len(machine.states), commands, labels, rewards, comments)


def proposition_names(atoms: Iterable[Formula]) -> list[str]:
    """A name for each atom: that of a Boolean signal where it can be one, else ``p0 p1 ...``."""
    found: list[str] = []
    atoms = list(atoms)
    plain = {label(a) for a in atoms}
    for i, atom in enumerate(atoms):
        text = label(atom)
        if re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII) and text not in KEYWORDS:
            found.append(text)
        else:
            made = f"p{i}"
            while made in plain or made in found:
                made += "_"
            found.append(made)
    return found


def _model(
    title: str, atoms: Sequence[Formula], names: Sequence[str], size: int, commands: Iterable[str],
    labels: Mapping[str, Sequence[int]], rewards: Iterable[str] | None, comments: Iterable[str] = (),
) -> str:  # fmt: skip
    lines = [f"// {line}" for line in title.splitlines()]
    lines += ["// made by agentc; the modules `of_...` are to be replaced by those of a model", "mdp", ""]
    for atom, name in zip(atoms, names, strict=True):
        lines += [
            f"// {name}: {' '.join(label(atom).split())}",
            f"module of_{name}",
            f"  {name} : bool;",
            f"  [step] true -> ({name}'=true);",
            f"  [step] true -> ({name}'=false);",
            "endmodule",
            "",
        ]
    lines += [*comments, "module automaton", f"  q : [0..{max(size - 1, 1)}];", *commands, "endmodule", ""]
    lines += ["init", "  q=0", "endinit", ""]
    for name, states in labels.items():
        lines.append(f'label "{name}" = {" | ".join(f"q={s}" for s in states) or "false"};')
    if rewards is not None:
        lines += ["", 'rewards "payment"', *rewards, "endrewards"]
    return "\n".join(lines) + "\n"


def _cover(cover: Cover, names: Sequence[str]) -> str:
    products = ["&".join(f"{'' if sign else '!'}{names[level]}" for level, sign in p) or "true" for p in sorted(cover)]
    return f"({' | '.join(products)})"


def _expression(f: Formula, names: Mapping[Formula, str]) -> str:
    """A formula of one step in PRISM's syntax."""
    made: dict[Formula, str] = {}
    for node in formula_nodes(f):
        x = [made[a] for a in node.args] if node.op != "atom" else []
        match node.op:
            case "atom":
                made[node] = names[node]
            case "true" | "false":
                made[node] = node.op
            case "not":
                made[node] = f"(!{x[0]})"
            case "xor":
                made[node] = f"(({x[0]} & !{x[1]}) | (!{x[0]} & {x[1]}))"
            case "iff":  # not every reader knows `<=>`
                made[node] = f"(({x[0]} & {x[1]}) | (!{x[0]} & !{x[1]}))"
            case "implies":
                made[node] = f"(!{x[0]} | {x[1]})"
            case op:
                made[node] = f"({(' & ' if op == 'and' else ' | ').join(x)})"
    return made[f]
