"""From LTLf with past and intervals to the minimal automaton.

Source: De Giacomo, Vardi, *Linear temporal logic and linear dynamic logic on finite traces*, IJCAI 2013, for the
automaton; by progression into shared decision diagrams (:mod:`agentc.compiler.automata.progression`), then partition
refinement on them (:mod:`agentc.compiler.automata.minimize`). The result is minimal whatever the way there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from agentc.compiler.agent import SignalIR
from agentc.compiler.automata.bdd import Budget, OverBudgetError, recursion
from agentc.compiler.automata.dfa import DFA, build
from agentc.compiler.automata.embedded import has_automaton, translate_embedded
from agentc.compiler.automata.mtbdd import NO, OUTSIDE, YES, Mtbdd
from agentc.compiler.automata.progression import Progression, primitive
from agentc.compiler.logic.alphabet import Alphabet, Decider, alphabet, domains, free_alphabet, present_decider
from agentc.compiler.logic.ir import Formula, atoms
from agentc.compiler.logic.rewrite import formula_nodes, localize, simplify
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.source import Span

MAX_STATES = 50_000
MAX_SECONDS = 60.0


def translate(
    formula: Formula,
    alphabet: Alphabet | None = None,
    *,
    max_states: int = MAX_STATES,
    max_seconds: float = MAX_SECONDS,
    span: Span | None = None,
) -> DFA:
    """The minimal automaton of the non-empty traces that satisfy ``formula``.

    Atoms over the previous step alone become past ones first (:func:`~agentc.compiler.logic.rewrite.localize`).
    Without an ``alphabet`` every combination of truth values is a letter; with one, those that it rules out lead
    outside and do not count. Raises ``AgentcError`` (AS0702) when the budget runs out, naming what grows.
    """
    if has_automaton(formula):
        return translate_typed(formula, (), max_states=max_states, max_seconds=max_seconds, span=span)
    core = normal(formula)
    letters = alphabet.extended(atoms(core)) if alphabet is not None else free_alphabet(atoms(core))
    return _within(formula, core, letters, max_states, max_seconds, span)


def translate_typed(
    formula: Formula,
    signals: Iterable[SignalIR],
    *,
    max_states: int = MAX_STATES,
    max_seconds: float = MAX_SECONDS,
    span: Span | None = None,
) -> DFA:
    """:func:`translate` over the letters that the declared signals allow.

    Atoms that mix the present step and the one before are expanded over small domains. The last results are kept.
    """
    declared = tuple(signals)
    key = (formula, declared, max_states, present_decider())
    made = _recent.pop(key, None)
    if made is None:
        if has_automaton(formula):
            made = _joined(formula, declared, max_states, max_seconds, span)
        else:
            core = normal(formula, declared)
            made = _within(formula, core, alphabet(atoms(core), declared), max_states, max_seconds, span)
    _recent[key] = made
    while len(_recent) > KEPT:
        del _recent[next(iter(_recent))]
    return made


def _joined(
    formula: Formula, declared: tuple[SignalIR, ...], max_states: int, max_seconds: float, span: Span | None
) -> DFA:
    """The automaton of a formula that has automata in it."""

    def part(f: Formula) -> DFA:
        return translate_typed(f, declared, max_states=max_states, max_seconds=max_seconds, span=span)

    try:
        return translate_embedded(formula, declared, part, Budget(max_states, max_seconds), span)
    except OverBudgetError as error:
        text = _short(formula)
        raise AgentcError([report("AS0702", span, formula=text, limit=error.limit, part=text)]) from None


KEPT = 64
"""How many results of :func:`translate_typed` are kept: several backends ask for the same ones."""

_recent: dict[tuple[Formula, tuple[SignalIR, ...], int, Decider | None], DFA] = {}


def _within(
    formula: Formula, core: Formula, letters: Alphabet, max_states: int, max_seconds: float, span: Span | None
) -> DFA:
    try:
        return _translate(core, letters, Budget(max_states, max_seconds))
    except OverBudgetError as error:
        part = growing(core, letters, max_states, min(max_seconds, 1.0))
        raise AgentcError(
            [report("AS0702", span, formula=_short(formula), limit=error.limit, part=_short(part))]
        ) from None


def normal(formula: Formula, signals: Iterable[SignalIR] = ()) -> Formula:
    """The formula that is translated: local atoms, the primitive operators, simplified. Keeps the Boolean meaning."""
    return simplify(primitive(simplify(localize(formula, domains(signals)), boolean=True)), boolean=True)


def growing(core: Formula, letters: Alphabet, max_states: int, max_seconds: float) -> Formula:
    """The smallest subformula found whose own automaton takes more than a share of the budget."""
    deadline = time.monotonic() + max_seconds
    temporal = [f for f in formula_nodes(core) if f.op in ("U", "S", "and", "or")]
    for f in temporal:
        if time.monotonic() > deadline:
            break
        try:
            _translate(f, letters.extended(()), Budget(max(max_states // 4, 10), max_seconds / 8))
        except OverBudgetError:
            return f
    return core


def _short(f: Formula) -> str:
    text = str(f)
    return text if len(text) <= 120 else f"{text[:80]} ... {text[-30:]}"


def _translate(core: Formula, letters: Alphabet, budget: Budget) -> DFA:
    level = {a: i for i, a in enumerate(letters.atoms)}
    with recursion(len(level) + 2 * len(formula_nodes(core)) + 1000):
        progression = Progression(core, level, budget)
        explore = _Exploration(progression, letters, budget)
        explore.run(core)
        return build(letters, explore.table, explore.roots, explore.accepting, 0, budget)


class _Exploration:
    """The states that can be reached, breadth first, and their diagrams."""

    def __init__(self, progression: Progression, letters: Alphabet, budget: Budget) -> None:
        self.progression, self.budget = progression, budget
        self.table = Mtbdd()
        self.care = self.table.union(
            self.table.letters(letters, at_reset=True), self.table.letters(letters, at_reset=False)
        )
        self.roots: list[int] = []
        self.accepting: list[bool] = []
        self._states: list[tuple[int, tuple[int, ...]]] = []
        self._number: dict[tuple[bool, int, tuple[int, ...]], int] = {}
        self._lifted: dict[tuple[tuple[int, ...], int], int] = {}
        self._single: dict[int, int] = {}

    def run(self, root: Formula) -> None:
        """Explore from the state before step 0, which is number 0 and is never come back to."""
        residual, memory = self.progression.start(root)
        self._states.append((residual, memory))
        self.accepting.append(False)
        single = not self.progression.cells and self.care == YES
        for residual, memory in self._states:  # grows as it goes
            self.budget.spend(nodes=len(self.table.nodes), states=len(self._states))
            parts = tuple(self.progression.step(residual, memory))
            self.roots.append(self._lift_single(parts[0]) if single else self._lift(parts, self.care))

    def _intern(self, parts: tuple[int, ...]) -> int:
        accepting, residual, memory = self.progression.split(parts)
        key = (accepting, residual, memory)
        at = self._number.get(key)
        if at is None:
            at = self._number[key] = len(self._states)
            self._states.append((residual, memory))
            self.accepting.append(accepting)
        return ~at

    def _lift_single(self, diagram: int) -> int:
        """The letters of one function as a diagram whose leaves are states; all letters can occur."""
        made = self._single.get(diagram)
        if made is None:
            bdd = self.progression.bdd
            level = bdd.level[diagram]
            if level >= self.progression.end:
                made = self._intern((diagram,))
            else:
                made = self.table.node(
                    level, self._lift_single(bdd.low[diagram]), self._lift_single(bdd.high[diagram])
                )
            self._single[diagram] = made
        return made

    def _lift(self, parts: tuple[int, ...], care: int) -> int:
        """The letters of several functions at once; those outside of ``care`` lead outside."""
        if care == NO:
            return OUTSIDE
        key = (parts, care)
        made = self._lifted.get(key)
        if made is None:
            bdd, table = self.progression.bdd, self.table
            level = bdd.level
            top = min(min(level[p] for p in parts), table.level(care))
            if top >= self.progression.end:
                made = self._intern(parts)
            else:
                care0, care1 = table.nodes[care][1:] if table.level(care) == top else (care, care)
                low = tuple(bdd.low[p] if level[p] == top else p for p in parts)
                high = tuple(bdd.high[p] if level[p] == top else p for p in parts)
                made = table.node(top, self._lift(low, care0), self._lift(high, care1))
            self._lifted[key] = made
        return made
