"""Automata in the Hanoi Omega-Automata format, version 1, out and in.

Source: Babiak et al., *The Hanoi Omega-Automata Format*, CAV 2015; https://adl.github.io/hoaf/.

The format has no convention for finite words. Ours: state-based, ``Acceptance: 1 Inf(0)``, and a marked state accepts
the finite word read so far; a comment in the header says so. The initial state has read nothing; its mark means
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentc.compiler.automata.bdd import Budget, recursion
from agentc.compiler.automata.dfa import DFA, MAX_SECONDS, MAX_STATES, build
from agentc.compiler.automata.guards import covers, label
from agentc.compiler.automata.mtbdd import NO, OUTSIDE, YES, Mtbdd
from agentc.compiler.logic.alphabet import free_alphabet
from agentc.compiler.logic.ir import Formula, prop
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.hoa import HoaAutomaton, HoaError, Label, parse_hoa

CONVENTION = "finite words: a marked state accepts the finite non-empty word read so far"


def write_hoa(dfa: DFA, name: str = "") -> str:
    """The automaton as text; complete: letters that cannot occur go where a neighbouring letter goes."""
    total = dfa.completed()
    lines = ["HOA: v1"]
    if name:
        lines.append(f"name: {_quoted(name)}")
    lines += [
        'tool: "agentc"',
        f"States: {total.size}",
        "Start: 0",
        " ".join(["AP:", str(len(total.atoms)), *(_quoted(label(a)) for a in total.atoms)]),
        "acc-name: Buchi",
        "Acceptance: 1 Inf(0)",
        "properties: trans-labels explicit-labels state-acc deterministic complete",
        f"/* {CONVENTION} */",
        "--BODY--",
    ]
    for state in range(total.size):
        lines.append(f"State: {state} {{0}}" if total.accepting[state] else f"State: {state}")
        for target, cover in covers(total, state).items():
            products = ["&".join(f"{'' if sign else '!'}{level}" for level, sign in p) or "t" for p in sorted(cover)]
            lines.append(f"  [{' | '.join(products)}] {target}")
    lines.append("--END--")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


# ---------------------------------------------------------------- in


def read_hoa(text: str, atoms: Mapping[str, Formula] | None = None) -> DFA:
    """The minimal automaton of a text with the convention above; what is missing of it goes to a rejecting state.

    ``atoms`` gives the formulas of the propositions, by their text; others are Boolean signals of that name. Raises
    ``AgentcError`` (AS0705), with the line, for what cannot be read or is not deterministic.
    """
    known = atoms or {}
    try:
        said = parse_hoa(text)
        return automaton_of(said, [known.get(n, prop(n)) for n in said.names])
    except HoaError as error:
        mend = "it takes HOA v1: one start state, `Acceptance: 1 Inf(0)`, explicit labels"
        raise AgentcError([report("AS0705", None, line=error.line, reason=error.reason, mend=mend)]) from None


def automaton_of(said: HoaAutomaton, atoms: Sequence[Formula]) -> DFA:
    """The minimal automaton of what a text says, its propositions being the given atoms, each another one.

    Raises :class:`HoaError` if it is not deterministic, ``OverBudgetError`` if it is too large.
    """
    if len(set(atoms)) != len(said.names):
        raise HoaError(1, "two propositions are one and the same")
    table, budget = Mtbdd(), Budget(MAX_STATES, MAX_SECONDS)
    labels = _Labels(table)
    # a state that a marked and an unmarked edge lead to is two: (state, marked by the last edge)
    order = [(said.start, said.marked[said.start])]
    number = {order[0]: 0}

    def at(target: int, marked: bool) -> int:
        key = (target, marked or said.marked[target])
        made = number.get(key)
        if made is None:
            made = number[key] = len(order)
            order.append(key)
        return made

    with recursion(len(said.names)):
        diagrams: list[int] = []
        for state, _ in order:  # grows as it goes
            budget.spend(nodes=len(table.nodes), states=len(order))
            root, covered = OUTSIDE, NO
            for edge in said.edges[state]:
                letters = labels.of(edge.label)
                if labels.both(covered, letters) != NO:
                    raise HoaError(edge.line, f"state {state} is not deterministic: two edges share a letter")
                covered = labels.either(covered, letters)
                target = ~at(edge.target, edge.marked)
                root = table.apply(lambda x, y, t=target: t if y == YES else x, root, letters, {})  # type: ignore[misc]
            diagrams.append(root)
        sink = len(order)
        filled = [table.map(lambda x: ~sink if x == OUTSIDE else x, d, {}) for d in diagrams]
        accepting = [*(marked for _, marked in order), False]
        return build(free_alphabet(atoms), table, [*filled, ~sink], accepting, 0, budget)


class _Labels:
    """Labels as sets of letters in one table."""

    def __init__(self, table: Mtbdd) -> None:
        self.table = table
        self._meets: dict[tuple[int, int], int] = {}
        self._joins: dict[tuple[int, int], int] = {}

    def both(self, a: int, b: int) -> int:
        """The letters in both sets."""
        return self.table.apply(lambda x, y: YES if x == y == YES else NO, a, b, self._meets)

    def either(self, a: int, b: int) -> int:
        """The letters in either set."""
        return self.table.apply(lambda x, y: YES if YES in (x, y) else NO, a, b, self._joins)

    def of(self, label: Label) -> int:
        """The letters that a label allows."""
        stack: list[int] = []
        for part in label:
            if isinstance(part, int):
                stack.append(self.table.node(part, NO, YES))
            elif part in ("t", "f"):
                stack.append(YES if part == "t" else NO)
            elif part == "!":
                stack.append(self.table.map(lambda x: NO if x == YES else YES, stack.pop(), {}))
            else:
                right, left = stack.pop(), stack.pop()
                stack.append(self.both(left, right) if part == "&" else self.either(left, right))
        return stack[0]
