"""From LTLf with past and intervals to the minimal automaton.

Source: De Giacomo, Vardi, *Linear temporal logic and linear dynamic logic on finite traces*, IJCAI 2013, for the
automaton; by progression into shared decision diagrams (:mod:`agentc.compiler.automata.progression`), where that is
large of the parts at the top, each made minimal (:mod:`agentc.compiler.automata.machine`), then partition refinement
(:mod:`agentc.compiler.automata.minimize`). The result is minimal whatever the way there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from agentc.compiler.agent import SignalIR
from agentc.compiler.automata.aig import AND, TRUE, UNTIL, Aig, EmbeddedError, encoded
from agentc.compiler.automata.bdd import MAX_MEMORY, Budget, OverBudgetError, recursion
from agentc.compiler.automata.dfa import DFA, build, frozen
from agentc.compiler.automata.embedded import translate_embedded
from agentc.compiler.automata.machine import Machine, combined, explore
from agentc.compiler.automata.mtbdd import YES, Mtbdd
from agentc.compiler.automata.progression import Progression
from agentc.compiler.logic.alphabet import Alphabet, Decider, Group, alphabet, domains, free_alphabet, present_decider
from agentc.compiler.logic.ir import Formula, Value
from agentc.compiler.logic.rewrite import desugar, formula_nodes, localize, simplify
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.source import Span

MAX_STATES = 50_000
MAX_SECONDS = 60.0

SMALL_STATES, SMALL_NODES = 64, 2_000
"""An automaton within these is made at once, without looking for parts or for implications."""
PARTS_DEPTH = 8
"""How many changes between conjunction and disjunction the search for parts goes down."""
MAX_DEPTH = 200_000
"""Levels of a diagram: plain Python calls, a few for each."""

_Letters = Callable[[Sequence[Formula]], Alphabet]


def translate(
    formula: Formula,
    alphabet: Alphabet | None = None,
    *,
    max_states: int = MAX_STATES,
    max_seconds: float = MAX_SECONDS,
    max_memory: int = MAX_MEMORY,
    span: Span | None = None,
) -> DFA:
    """The minimal automaton of the non-empty traces that satisfy ``formula``.

    Atoms over the previous step alone become past ones first (:func:`~agentc.compiler.logic.rewrite.localize`).
    Without an ``alphabet`` every combination of truth values is a letter; with one, those that it rules out lead
    outside and do not count. Raises ``AgentcError`` (AS0702) when the budget runs out, naming what grows.
    """
    letters = alphabet.extended if alphabet is not None else free_alphabet
    budget = Budget(max_states, max_seconds, max_memory)
    try:
        return _within(formula, {}, letters, budget, span)
    except EmbeddedError:
        return translate_typed(
            formula, (), max_states=max_states, max_seconds=max_seconds, max_memory=max_memory, span=span
        )


def translate_typed(
    formula: Formula,
    signals: Iterable[SignalIR],
    *,
    max_states: int = MAX_STATES,
    max_seconds: float = MAX_SECONDS,
    max_memory: int = MAX_MEMORY,
    span: Span | None = None,
) -> DFA:
    """:func:`translate` over the letters that the declared signals allow.

    Atoms that mix the present step and the one before are expanded over small domains. The last results are kept.
    """
    declared = tuple(signals)
    key = (formula, declared, max_states, present_decider())
    made = _recent.pop(key, None)
    if made is None:
        budget = Budget(max_states, max_seconds, max_memory)
        try:
            made = _within(formula, domains(declared), lambda found: alphabet(found, declared), budget, span)
        except EmbeddedError:
            made = _joined(formula, declared, budget, span)
    _recent[key] = made
    while len(_recent) > KEPT:
        del _recent[next(iter(_recent))]
    return made


def _joined(formula: Formula, declared: tuple[SignalIR, ...], budget: Budget, span: Span | None) -> DFA:
    """The automaton of a formula that has automata in it."""

    def part(f: Formula) -> DFA:
        return translate_typed(
            f, declared, max_states=budget.states, max_seconds=budget.seconds, max_memory=budget.memory, span=span
        )

    try:
        return translate_embedded(formula, declared, part, budget, span)
    except OverBudgetError as error:
        text = _short(formula)
        raise AgentcError([report("AS0702", span, formula=text, limit=error.limit, part=text)]) from None


KEPT = 64
"""How many results of :func:`translate_typed` are kept: several backends ask for the same ones."""

_recent: dict[tuple[Formula, tuple[SignalIR, ...], int, Decider | None], DFA] = {}


def _within(
    formula: Formula, domains: Mapping[str, Sequence[Value]], letters: _Letters, budget: Budget, span: Span | None
) -> DFA:
    try:
        return _translate(formula, domains, letters, budget)
    except OverBudgetError as error:
        part = growing(formula, domains, letters, budget)
        raise AgentcError(
            [report("AS0702", span, formula=_short(formula), limit=error.limit, part=_short(part))]
        ) from None


def _translate(formula: Formula, domains: Mapping[str, Sequence[Value]], letters: _Letters, budget: Budget) -> DFA:
    aig, root = encoded(formula, domains)
    nodes = aig.letters(root)
    alphabet = letters([aig.atoms[n] for n in nodes])
    at = {a: i for i, a in enumerate(alphabet.atoms)}
    level = {n: at[aig.atoms[n]] for n in nodes}
    with recursion(MAX_DEPTH):
        machine = _construct(aig, root, level, alphabet, budget, PARTS_DEPTH)
        if all(group.free for group in alphabet.groups):
            return frozen(alphabet, machine.minimal(budget))
        return build(alphabet, Mtbdd.over(machine.nodes), machine.roots, machine.accepting, 0, budget)


def normal(formula: Formula, signals: Iterable[SignalIR] = ()) -> Formula:
    """The formula with local atoms, over the core operators, simplified. Keeps the Boolean meaning."""
    return simplify(desugar(simplify(localize(formula, domains(signals)), boolean=True)), boolean=True)


def growing(formula: Formula, domains: Mapping[str, Sequence[Value]], letters: _Letters, budget: Budget) -> Formula:
    """The smallest subformula found whose own automaton takes more than a share of the budget."""
    end = time.monotonic() + min(budget.seconds, 1.0)
    temporal = [f for f in formula_nodes(formula) if f.op not in ("atom", "true", "false", "not", "first", "last")]
    for f in temporal:
        if time.monotonic() > end:
            break
        try:
            small = Budget(max(budget.states // 4, 10), min(budget.seconds, 1.0) / 8, budget.memory // 4)
            _translate(f, domains, letters, small)
        except OverBudgetError:
            return f
    return formula


def _short(f: Formula) -> str:
    text = str(f)
    return text if len(text) <= 120 else f"{text[:80]} ... {text[-30:]}"


def _construct(aig: Aig, root: int, level: dict[int, int], letters: Alphabet, budget: Budget, depth: int) -> Machine:
    """The automaton of a reference: at once if that is small, else of parts, else at once after all.

    ``depth`` is how many changes between conjunction and disjunction parts may still be taken from.
    """
    try:
        return _explored(aig, root, level, letters, budget.part(SMALL_STATES, 1.0, SMALL_NODES), tidy=False)
    except OverBudgetError:
        budget.spend()
    conjunction, parts = _parts(aig, root)
    if len(parts) > 1 and depth:
        share = budget.part(budget.states, 0.5)
        try:
            made = [_construct(aig, r, level, letters, share, depth - 1).minimal(share) for r in parts]
            return combined(made, conjunction, share)
        except OverBudgetError:
            budget.spend()
    return _explored(aig, root, level, letters, budget, tidy=True)


def _explored(aig: Aig, root: int, level: dict[int, int], letters: Alphabet, budget: Budget, *, tidy: bool) -> Machine:
    progression = Progression(aig, root, level, len(letters.atoms), budget, tidy=tidy)
    return explore(progression, _care(progression, letters), budget)


def _care(progression: Progression, letters: Alphabet) -> int:
    """The letters that can occur, as far as they are read: a diagram over the atoms."""
    if all(group.free for group in letters.groups):
        return 1
    read = {progression.aig.atoms[n] for n in progression.base if n in progression.aig.atoms}
    groups = tuple(g if any(a in read for a in g.atoms) else Group(g.atoms, g.signals) for g in letters.groups)
    table = Mtbdd()
    some = Alphabet(letters.atoms, groups)
    ref = table.union(table.letters(some, at_reset=True), table.letters(some, at_reset=False))
    moved: list[int] = []

    def at(ref: int) -> int:
        return moved[ref] if ref >= 0 else int(ref == YES)

    for level, low, high in table.nodes:  # children come first
        moved.append(progression.bdd.node(level, at(low), at(high)))
    return at(ref)


def _parts(aig: Aig, root: int) -> tuple[bool, list[int]]:
    """The arguments of the connective at the top, ``G`` distributed over ``and`` and ``F`` over ``or``."""
    conjunction = not root & 1 if aig.kind[root >> 1] == AND else bool(root & 1)
    found: dict[int, None] = {}
    todo = [root]
    while todo:
        r = todo.pop()
        n = r >> 1
        if aig.kind[n] == AND and bool(r & 1) != conjunction:
            todo.extend(x ^ (r & 1) for x in reversed(aig.args[n]))
        elif aig.kind[n] == UNTIL and bool(r & 1) == conjunction and aig.args[n][0] == TRUE:
            inner = aig.args[n][1]  # F of a disjunction, or the negation of one
            if inner & 1 and aig.kind[inner >> 1] == AND:
                for x in reversed(aig.args[inner >> 1]):
                    todo.append(aig.until(UNTIL, TRUE, x ^ 1, aig.window[n]) ^ (r & 1))
            else:
                found[r] = None
        else:
            found[r] = None
    return conjunction, list(found)
