"""Deterministic automata over letters: complete, minimal, with symbolic guards and the verdict of every state.

A word is a non-empty finite sequence of letters, one per step of the trace; the initial state has read nothing, so
step 0 is the first letter. Whether the empty word is accepted is a don't-care: the smaller automaton is chosen.
Everything is frozen, in breadth-first order from state 0, and the same for the same formula and alphabet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agentc.compiler.automata.bdd import Budget, recursion
from agentc.compiler.automata.minimize import coarsest
from agentc.compiler.automata.mtbdd import OUTSIDE, YES, Mtbdd
from agentc.compiler.logic.alphabet import Alphabet
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict

Letter = tuple[bool, ...]
"""Truth values of the automaton's atoms, in their order."""

MAX_STATES, MAX_SECONDS = 100_000, 60.0


@dataclass(frozen=True)
class DFA:
    """A complete deterministic automaton; state 0 is initial.

    ``roots[s]`` is the diagram of state ``s`` in ``nodes`` (see :mod:`agentc.compiler.automata.mtbdd`): its leaf
    ``~t`` is the next state. The leaf ``~size`` (*outside*) stands for letters that the alphabet rules out.
    ``verdicts[s]`` is what is known of the formula once the automaton is in ``s``: exact over the alphabet's letters.
    """

    alphabet: Alphabet
    nodes: tuple[tuple[int, int, int], ...]
    roots: tuple[int, ...]
    accepting: tuple[bool, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def atoms(self) -> tuple[Formula, ...]:
        """The atoms that the letters give values to."""
        return self.alphabet.atoms

    @property
    def size(self) -> int:
        """The number of states."""
        return len(self.roots)

    @property
    def partial(self) -> bool:
        """Whether the alphabet rules letters out."""
        outside = ~self.size
        return any(outside in row[1:] for row in self.nodes) or outside in self.roots

    def step(self, state: int, letter: Sequence[bool]) -> int:
        """The next state; ``size`` for a letter that cannot occur. Raises ``ValueError`` on a wrong length."""
        if len(letter) != len(self.atoms):
            raise ValueError(f"a letter has {len(self.atoms)} truth values, not {len(letter)}")
        ref = self.roots[state]
        nodes = self.nodes
        while ref >= 0:
            level, low, high = nodes[ref]
            ref = high if letter[level] else low
        return ~ref

    def run(self, letters: Iterable[Sequence[bool]], state: int = 0) -> int:
        """The state after a word; ``size`` if a letter in it cannot occur."""
        for letter in letters:
            if state == self.size:
                return state
            state = self.step(state, letter)
        return state

    def letters(self, trace: Trace) -> list[Letter]:
        """The word of a trace, by the reference semantics of the atoms."""
        return [tuple(evaluate(a, trace, t) for a in self.atoms) for t in range(len(trace))]

    def accepts(self, trace: Trace) -> bool:
        """Whether the trace is accepted. Raises ``ValueError`` if a letter in it cannot occur."""
        state = self.run(self.letters(trace))
        if state == self.size:
            raise ValueError("the trace has values that the declared types rule out")
        return self.accepting[state]

    def judge(self, trace: Trace) -> list[Verdict]:
        """The verdict after each step of a trace. Raises ``ValueError`` if a letter in it cannot occur."""
        state, found = 0, []
        for letter in self.letters(trace):
            state = self.step(state, letter)
            if state == self.size:
                raise ValueError("the trace has values that the declared types rule out")
            found.append(self.verdicts[state])
        return found

    def successors(self, state: int) -> frozenset[int]:
        """The states that one letter leads to."""
        return Mtbdd(self.nodes).leaves(self.roots[state]) - {self.size}

    # ------------------------------------------------------------ algebra

    def complement(self) -> DFA:
        """The automaton of the negation."""
        table, roots = _thawed(self)
        return build(self.alphabet, table, roots, [not a for a in self.accepting], 0)

    def product(self, other: DFA, operation: Callable[[bool, bool], bool], budget: Budget | None = None) -> DFA:
        """The minimal automaton of the words for which ``operation`` of the two acceptances holds.

        Raises ``OverBudgetError``.
        """
        together = self.alphabet.extended(other.atoms)
        budget = budget or Budget(MAX_STATES, MAX_SECONDS)
        with recursion(len(together.atoms)):
            left, right = self.over(together), other.over(together)
            table = Mtbdd()
            a_roots, b_roots = _copied(left, table), _copied(right, table)
            pairs = {(0, 0): 0}
            order = [(0, 0)]

            def pair(x: int, y: int) -> int:
                if OUTSIDE in (x, y):
                    return OUTSIDE
                key = (~x, ~y)
                at = pairs.get(key)
                if at is None:
                    at = pairs[key] = len(order)
                    order.append(key)
                return ~at

            memo: dict[tuple[int, int], int] = {}
            joint = []
            for s, t in order:  # grows as it goes
                budget.spend(nodes=len(table.nodes), states=len(order))
                joint.append(table.apply(pair, a_roots[s], b_roots[t], memo))
            accepting = [operation(left.accepting[s], right.accepting[t]) for s, t in order]
            return build(together, table, joint, accepting, 0, budget)

    def intersection(self, other: DFA) -> DFA:
        """Both."""
        return self.product(other, lambda a, b: a and b)

    def union(self, other: DFA) -> DFA:
        """Either."""
        return self.product(other, lambda a, b: a or b)

    def over(self, alphabet: Alphabet) -> DFA:
        """The same automaton with the letters of a larger alphabet. Raises ``ValueError`` if atoms are missing."""
        if alphabet == self.alphabet:
            return self
        position = {a: i for i, a in enumerate(alphabet.atoms)}
        if any(a not in position for a in self.atoms):
            raise ValueError("the alphabet lacks atoms of the automaton")
        with recursion(len(alphabet.atoms)):
            table = Mtbdd()
            memo: dict[tuple[int, int, int], int] = {}
            moved: list[int] = []

            def at(ref: int) -> int:
                return moved[ref] if ref >= 0 else OUTSIDE if ~ref == self.size else ref

            for level, low, high in self.nodes:  # children come first
                moved.append(table.select(position[self.atoms[level]], at(low), at(high), memo))
            return build(alphabet, table, [at(r) for r in self.roots], self.accepting, 0, minimal=False)

    def minimized(self) -> DFA:
        """The minimal automaton of the same language."""
        table, roots = _thawed(self)
        return build(self.alphabet, table, roots, self.accepting, 0)

    def completed(self) -> DFA:
        """The same automaton with the letters that cannot occur sent where a neighbouring letter goes."""
        if not self.partial:
            return self
        with recursion(len(self.atoms)):
            table, roots = _thawed(self)
            memo: dict[int, int] = {}
            total = [table.generalize(r, memo) for r in roots]
            return _frozen(self.alphabet, table.nodes, total, self.accepting, self.verdicts, range(self.size))

    # ------------------------------------------------------------ words

    def shortest(self, wanted: Callable[[int], bool]) -> tuple[Letter, ...] | None:
        """A shortest non-empty word after which the state is ``wanted``; None if there is none. Deterministic."""
        with recursion(len(self.atoms)):
            table, roots = _thawed(self)
            came: dict[int, tuple[int, Letter]] = {}
            layer, first = [0], True
            while layer:
                allowed = table.letters(self.alphabet, at_reset=first)
                following = []
                for s in layer:
                    for t, letter in sorted(_moves(table, roots[s], allowed, len(self.atoms)).items()):
                        if t not in came:
                            came[t] = (-1 if first else s, letter)
                            following.append(t)
                for t in following:
                    if wanted(t):
                        word = []
                        while t >= 0:
                            t, letter = came[t]
                            word.append(letter)
                        return tuple(reversed(word))
                layer, first = following, False
            return None

    def shortest_accepted(self) -> tuple[Letter, ...] | None:
        """A shortest word that is accepted; None if there is none."""
        return self.shortest(self.accepting.__getitem__)

    def shortest_rejected(self) -> tuple[Letter, ...] | None:
        """A shortest word that is not accepted; None if there is none."""
        return self.shortest(lambda s: not self.accepting[s])

    def trace(self, word: Sequence[Letter]) -> list[dict[str, object]]:
        """Valuations that have the letters of a word, as far as the alphabet knows such."""
        return [dict(self.alphabet.witness(letter)) for letter in word]


def equivalent(a: DFA, b: DFA) -> tuple[Letter, ...] | None:
    """None if two automata accept the same words, else a shortest word that tells them apart.

    Its letters are over ``a.alphabet.extended(b.atoms)``.
    """
    return a.product(b, lambda x, y: x != y).shortest_accepted()


# ---------------------------------------------------------------- construction


def build(
    alphabet: Alphabet,
    table: Mtbdd,
    roots: Sequence[int],
    accepting: Sequence[bool],
    initial: int,
    budget: Budget | None = None,
    *,
    minimal: bool = True,
) -> DFA:
    """The automaton with these diagrams, made minimal over the alphabet's letters and put in breadth-first order.

    Letters that cannot occur are sent outside. Raises ``OverBudgetError``.
    """
    budget = budget or Budget(MAX_STATES, MAX_SECONDS)
    with recursion(len(alphabet.atoms)):
        later = table.letters(alphabet, at_reset=False)
        care = table.union(table.letters(alphabet, at_reset=True), later)
        if care != YES:
            memo: dict[tuple[int, int], int] = {}
            roots = [table.mask(r, care, memo) for r in roots]
        # the initial state once more, as the state before the first letter: nothing leads there
        every = [*roots, roots[initial]]
        kinds = [*map(int, accepting), 2] if minimal else list(range(len(every)))
        block, of_node = coarsest(table.nodes, every, kinds, budget)

        def of(ref: int) -> int:
            return of_node[ref] if ref >= 0 else OUTSIDE if ref == OUTSIDE else ~block[~ref]

        representative: dict[int, int] = {}
        for s in range(len(roots)):
            representative.setdefault(block[s], s)
        start, copy = of(every[-1]), len(roots)
        representative[block[copy]] = copy
        order = _breadth_first(table.nodes, every, copy, lambda s: representative[block[s]])
        if minimal:  # the empty word is a don't-care: any reachable state that goes on alike will do
            alike = sorted(((accepting[s], s) for s in order[1:] if of(roots[s]) == start), key=lambda k: k)
            first = alike[0][1] if alike else copy
        else:
            first = initial
        if first != copy:
            order = _breadth_first(table.nodes, every, first, lambda s: representative[block[s]])
        number = {s: i for i, s in enumerate(order)}
        ends = [*accepting, False]
        kept_roots = [every[s] for s in order]
        kept = [ends[s] for s in order]
        target = [number.get(representative.get(b, -1), -1) for b in block]

        def successors(root: int) -> Iterable[int]:
            if later != care:
                root = table.mask(root, later, masked)
            return (target[t] for t in table.leaves(root))

        masked: dict[tuple[int, int], int] = {}
        verdicts = _verdicts([list(successors(r)) for r in kept_roots], kept)
        return _frozen(alphabet, table.nodes, kept_roots, kept, verdicts, target)


def _breadth_first(
    nodes: Sequence[tuple[int, int, int]], roots: Sequence[int], first: int, canonical: Callable[[int], int]
) -> list[int]:
    order, known = [first], {first}
    for s in order:  # grows as it goes
        seen: set[int] = set()
        todo = [roots[s]]
        while todo:
            ref = todo.pop()
            if ref >= 0:
                if ref not in seen:
                    seen.add(ref)
                    _, low, high = nodes[ref]
                    todo += (high, low)
            elif ref != OUTSIDE:
                t = canonical(~ref)
                if t not in known:
                    known.add(t)
                    order.append(t)
    return order


def _verdicts(successors: Sequence[Sequence[int]], accepting: Sequence[bool]) -> list[Verdict]:
    """Final is what no continuation changes: neither the state itself nor one that can be reached differs."""
    before: list[list[int]] = [[] for _ in accepting]
    for s, targets in enumerate(successors):
        for t in targets:
            before[t].append(s)

    def can_reach(value: bool) -> set[int]:
        found = {s for s, a in enumerate(accepting) if a == value}
        todo = list(found)
        while todo:
            for s in before[todo.pop()]:
                if s not in found:
                    found.add(s)
                    todo.append(s)
        return found

    may_hold, may_fail = can_reach(True), can_reach(False)
    verdicts = []
    for s, holds in enumerate(accepting):
        if holds:
            verdicts.append(Verdict.PRESUMABLY_TRUE if s in may_fail else Verdict.TRUE)
        else:
            verdicts.append(Verdict.PRESUMABLY_FALSE if s in may_hold else Verdict.FALSE)
    return verdicts


def _frozen(
    alphabet: Alphabet,
    nodes: Sequence[tuple[int, int, int]],
    roots: Sequence[int],
    accepting: Sequence[bool],
    verdicts: Sequence[Verdict],
    target: Sequence[int],
) -> DFA:
    """Diagrams copied in a canonical order, leaf ``~s`` becoming ``~target[s]``."""
    kept = Mtbdd()
    moved: dict[int, int] = {}
    size = len(roots)
    for root in roots:
        stack = [root]
        while stack:
            ref = stack[-1]
            if ref in moved:
                stack.pop()
            elif ref < 0:
                moved[ref] = ~size if ref == OUTSIDE else ~target[~ref]
            else:
                level, low, high = nodes[ref]
                missing = [c for c in (high, low) if c not in moved]
                if missing:
                    stack += missing
                else:
                    moved[ref] = kept.node(level, moved[low], moved[high])
    return DFA(alphabet, tuple(kept.nodes), tuple(moved[r] for r in roots), tuple(accepting), tuple(verdicts))


def _copied(dfa: DFA, table: Mtbdd) -> list[int]:
    """The roots of an automaton's diagrams in another table."""
    moved: list[int] = []

    def at(ref: int) -> int:
        return moved[ref] if ref >= 0 else OUTSIDE if ~ref == dfa.size else ref

    for level, low, high in dfa.nodes:
        moved.append(table.node(level, at(low), at(high)))
    return [at(r) for r in dfa.roots]


def _thawed(dfa: DFA) -> tuple[Mtbdd, list[int]]:
    table = Mtbdd()
    return table, _copied(dfa, table)


def _moves(table: Mtbdd, root: int, allowed: int, width: int) -> dict[int, Letter]:
    """For each state that a letter leads to, the least such letter (false before true, first atom first)."""
    memo: dict[tuple[int, int], dict[int, tuple[int, ...]]] = {}

    def walk(ref: int, care: int) -> dict[int, tuple[int, ...]]:
        """Targets with the atoms that are true on the way."""
        if care == ~0 or ref == OUTSIDE:
            return {}
        if ref < 0 and care < 0:
            return {~ref: ()}
        key = (ref, care)
        made = memo.get(key)
        if made is None:
            lr, lc = table.level(ref), table.level(care)
            top = min(lr, lc)
            r0, r1 = table.nodes[ref][1:] if lr == top else (ref, ref)
            c0, c1 = table.nodes[care][1:] if lc == top else (care, care)
            made = {t: (top, *on) for t, on in walk(r1, c1).items()}
            made.update(walk(r0, c0))
            memo[key] = made
        return made

    found = {}
    for t, on in walk(root, allowed).items():
        held = set(on)
        found[t] = tuple(i in held for i in range(width))
    return found
