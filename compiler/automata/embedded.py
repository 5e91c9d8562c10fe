"""Automata as formulas: of another tool (`hoa("file.hoa")`), or of an explicit machine.

As a formula an automaton is a predicate over the steps from the present one on. Its translation is its own table with
the formulas of its propositions put in; a Boolean combination of such formulas and others is a product. Below a
temporal operator there is no translation.

The states are pairs: that of the automaton, and those of the automata of the propositions that look back. What does
not look back is decided by the letter alone and put into the diagrams.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from agentc.compiler.agent import MachineIR, SignalIR
from agentc.compiler.automata.bdd import Budget, recursion
from agentc.compiler.automata.dfa import DFA, build
from agentc.compiler.automata.mtbdd import NO, OUTSIDE, YES, Mtbdd
from agentc.compiler.logic.alphabet import alphabet, free_alphabet
from agentc.compiler.logic.ir import AUTOMATON, LAST, Formula, Term, and_, atom, formula, postorder, prop, term
from agentc.compiler.logic.rewrite import formula_nodes
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.source import Span

_BOOLEAN: dict[str, Callable[[bool, bool], bool]] = {
    "and": lambda a, b: a and b, "or": lambda a, b: a or b, "implies": lambda a, b: not a or b,
    "xor": lambda a, b: a != b, "iff": lambda a, b: a == b,
}  # fmt: skip

Translate = Callable[[Formula], DFA]


def automaton_atom(title: str, names: Sequence[str], dfa: DFA, propositions: Sequence[Formula]) -> Formula:
    """The formula that an automaton accepts; ``propositions`` are what its atoms mean, in the order of ``names``.

    The atoms of ``dfa`` are the Boolean signals ``names``.
    """
    level = [names.index(str(a.predicate.value)) for a in dfa.atoms]
    rows = tuple((level[at], low, high) for at, low, high in dfa.completed().nodes)
    value = (title, tuple(names), rows, dfa.completed().roots, dfa.accepting)
    return atom(term(AUTOMATON, propositions, value))


def has_automaton(f: Formula) -> bool:
    """Whether a formula has an automaton in it."""
    return any(node.op == AUTOMATON for node in postorder(f))


def below_operator(f: Formula) -> str | None:
    """The temporal operator that an automaton stands below, if one does."""
    for node in formula_nodes(f):
        if node.op not in ("atom", "not", *_BOOLEAN) and has_automaton(node):
            return node.op
    return None


def translate_embedded(
    f: Formula, declared: tuple[SignalIR, ...], translate: Translate, budget: Budget, span: Span | None = None
) -> DFA:
    """The minimal automaton of a Boolean combination of automata and formulas without.

    ``translate`` makes the automata of the latter. Raises ``AgentcError`` (AS1622) if an automaton stands below a
    temporal operator, ``OverBudgetError``.
    """
    made: dict[Formula, DFA] = {}
    for node in formula_nodes(f):
        if not has_automaton(node):
            continue
        if node.op == "atom":
            if node.predicate.op != AUTOMATON:
                raise AgentcError([report("AS1622", span, op=node.predicate.op)])
            made[node] = _composed(node.predicate, declared, translate, budget)
        elif node.op == "not":
            made[node] = made[node.args[0]].complement()
        elif node.op in _BOOLEAN:
            parts = [made[a] if a in made else translate(a) for a in node.args]
            joint = parts[0]
            for part in parts[1:]:
                joint = joint.product(part, _BOOLEAN[node.op], budget)
            made[node] = joint
        else:
            raise AgentcError([report("AS1622", span, op=node.op)])
    return made[f]


# ---------------------------------------------------------------- one automaton


def _composed(predicate: Term, declared: tuple[SignalIR, ...], translate: Translate, budget: Budget) -> DFA:
    """The automaton with the formulas of its propositions put in."""
    from agentc.compiler.automata.ltlf import normal  # which translates these formulas too

    nodes, roots, accepting = _table(predicate)
    read = [normal(a, declared) for a in predicate.args if isinstance(a, Formula)]
    here = [all(n.op in ("true", "false", "atom", "not", "and", "or") for n in formula_nodes(f)) for f in read]
    past = {
        i: translate(formula("F", (and_(LAST, f),))) for i, f in enumerate(read) if not here[i]
    }  # holds just when the proposition holds at the last step read
    names = [a for i, f in enumerate(read) for a in (_atoms(f) if here[i] else past[i].atoms)]
    letters = alphabet(list(dict.fromkeys(names)), declared)
    with recursion(len(letters.atoms) + 8):
        table = Mtbdd()
        now = {i: _set(table, f, {a: n for n, a in enumerate(letters.atoms)}) for i, f in enumerate(read) if here[i]}
        extended = {i: dfa.over(letters) for i, dfa in past.items()}
        copies = {i: _roots(dfa, table) for i, dfa in extended.items()}
        order: list[tuple[int, tuple[int, ...]]] = [(0, (0,) * len(past))]
        number = {order[0]: 0}
        diagrams: list[int] = []
        bound: dict[tuple[int, tuple[bool, ...]], int] = {}

        def at(state: int, rest: tuple[int, ...]) -> int:
            made = number.get((state, rest))
            if made is None:
                made = number[state, rest] = len(order)
                order.append((state, rest))
            return ~made

        def bind(ref: int, bits: tuple[bool, ...]) -> int:
            """The diagram of the automaton over letters; ``bits`` are the propositions that look back."""
            if ref < 0:
                return ref
            key = (ref, bits)
            made = bound.get(key)
            if made is None:
                level, low, high = nodes[ref]
                if level in now:
                    yes = table.apply(lambda x, y: y if x == YES else OUTSIDE, now[level], bind(high, bits), {})
                    made = table.apply(lambda x, y: y if x == OUTSIDE else x, yes, bind(low, bits), {})
                else:
                    made = bind(high if bits[list(past).index(level)] else low, bits)
                bound[key] = made
            return made

        for state, rest in order:  # grows as it goes
            budget.spend(nodes=len(table.nodes), states=len(order))
            joint, ends = ~0, list[tuple[int, ...]]([()])
            for i, s in zip(past, rest, strict=True):
                joint, ends = _paired(table, joint, ends, copies[i][s])
            memo: dict[int, int] = {}

            def onward(leaf: int, state: int = state, ends: list[tuple[int, ...]] = ends) -> int:
                if leaf == OUTSIDE:
                    return OUTSIDE
                after = ends[~leaf]
                bits = tuple(extended[i].accepting[s] for i, s in zip(past, after, strict=True))
                return table.map(lambda x: at(~x, after), bind(roots[state], bits), {})

            diagrams.append(_grafted(table, joint, onward, memo))
        accepts = [accepting[state] for state, _ in order]
        return build(letters, table, diagrams, accepts, 0, budget)


def _table(predicate: Term) -> tuple[list[tuple[int, int, int]], list[int], list[bool]]:
    """The diagrams of an automaton, the root of each state, and which states accept."""
    value: Any = predicate.value
    _, _, nodes, roots, accepting = value
    return [(int(a), int(b), int(c)) for a, b, c in nodes], [int(r) for r in roots], [bool(a) for a in accepting]


def _paired(
    table: Mtbdd, joint: int, ends: list[tuple[int, ...]], root: int
) -> tuple[int, list[tuple[int, ...]]]:
    """The diagram whose leaves are tuples of states one longer, with these tuples."""
    longer: dict[tuple[int, ...], int] = {}

    def pair(a: int, b: int) -> int:
        if OUTSIDE in (a, b):
            return OUTSIDE
        return ~longer.setdefault((*ends[~a], ~b), len(longer))

    made = table.apply(pair, joint, root, {})
    return made, list(longer)


def _grafted(table: Mtbdd, ref: int, onward: Callable[[int], int], memo: dict[int, int]) -> int:
    """The diagram with another one in place of each leaf."""
    made = memo.get(ref)
    if made is None:
        if ref < 0:
            made = onward(ref)
        else:
            level, low, high = table.nodes[ref]
            low, high = _grafted(table, low, onward, memo), _grafted(table, high, onward, memo)
            made = table.select(level, low, high, {})
        memo[ref] = made
    return made


def _atoms(f: Formula) -> list[Formula]:
    return [n for n in formula_nodes(f) if n.op == "atom"]


def _roots(dfa: DFA, table: Mtbdd) -> list[int]:
    """The roots of an automaton's diagrams in another table."""
    moved: list[int] = []

    def at(ref: int) -> int:
        return moved[ref] if ref >= 0 else OUTSIDE if ~ref == dfa.size else ref

    for level, low, high in dfa.nodes:
        moved.append(table.node(level, at(low), at(high)))
    return [at(r) for r in dfa.roots]


def _set(table: Mtbdd, f: Formula, level: dict[Formula, int]) -> int:
    """The letters on which a formula of one step holds, in its normal form: with `& | !` alone."""
    made: dict[Formula, int] = {}

    def both(a: int, b: int) -> int:
        return table.apply(lambda x, y: YES if x == y == YES else NO, a, b, {})

    def negated(a: int) -> int:
        return table.map(lambda x: NO if x == YES else YES, a, {})

    for node in formula_nodes(f):
        x = [made[a] for a in node.args] if node.op != "atom" else []
        if node.op == "atom":
            made[node] = table.node(level[node], NO, YES)
        elif node.op in ("true", "false"):
            made[node] = YES if node.op == "true" else NO
        elif node.op == "not":
            made[node] = negated(x[0])
        elif node.op == "and":
            made[node] = functools.reduce(both, x, YES)
        else:
            made[node] = negated(functools.reduce(both, map(negated, x), YES))
    return made[f]


# ---------------------------------------------------------------- machines


def machine_atom(machine: MachineIR) -> Formula:
    """The formula that an explicit machine has been in an accepting state by now: guards in order, else it stays."""
    guards: list[Formula] = list(dict.fromkeys(e.guard for s in machine.states for e in s.edges))
    names = [f"g{i}" for i in range(len(guards))]
    number = {s.name: i for i, s in enumerate(machine.states)}
    table = Mtbdd()
    with recursion(len(guards)):
        roots = []
        for i, state in enumerate(machine.states):
            root = ~i
            for edge in () if state.accepting else reversed(state.edges):
                taken = table.node(guards.index(edge.guard), NO, YES)
                goal = ~number[edge.target]
                root = table.apply(lambda x, y, t=goal: t if y == YES else x, root, taken, {})  # type: ignore[misc]
            roots.append(root)
        accepting = [s.accepting for s in machine.states]
        dfa = build(free_alphabet([prop(n) for n in names]), table, roots, accepting, 0, Budget(100_000, 10.0))
    return automaton_atom(f"machine {machine.name or ''}".strip(), names, dfa, guards)

