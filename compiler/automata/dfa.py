"""Deterministic automata over letters: complete, minimal, with symbolic guards and the verdict of every state.

A word is a non-empty finite sequence of letters, one per step of the trace; the initial state has read nothing, so
step 0 is the first letter. Whether the empty word is accepted is a don't-care: the smaller automaton is chosen.
Everything is frozen, in breadth-first order from state 0, and the same for the same formula and alphabet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agentc.compiler.automata.bdd import Budget, recursion
from agentc.compiler.automata.machine import Machine
from agentc.compiler.automata.minimize import coarsest
from agentc.compiler.automata.mtbdd import NO, OUTSIDE, YES, Mtbdd
from agentc.compiler.logic.alphabet import Alphabet
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import course
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
        columns = [course(a, trace) for a in self.atoms]
        return [tuple([column[t] for column in columns]) for t in range(len(trace))]

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
        nodes, later, care = table.nodes, YES, YES
        if any(group.later is not None for group in alphabet.groups):
            later = table.letters(alphabet, at_reset=False)
            care = table.union(table.letters(alphabet, at_reset=True), later)
        if care != YES:
            memo: dict[tuple[int, int], int] = {}
            roots = [table.mask(r, care, memo) for r in roots]
        # the initial state once more, as the state before the first letter: nothing leads there
        every = [*roots, roots[initial]]
        kinds = [*map(int, accepting), 2] if minimal else list(range(len(every)))
        block, of_node, classes = coarsest(nodes, every, kinds, budget)

        def of(ref: int) -> int:
            return of_node[ref] if ref >= 0 else OUTSIDE if ref == OUTSIDE else ~block[~ref]

        # the automaton of the blocks; diagrams of it are the classes
        first: list[int] = [-1] * (max(block) + 1)
        for s in range(len(every) - 1, -1, -1):
            first[block[s]] = s
        block_roots = [of(every[s]) for s in first]
        ends = [*accepting, False]
        block_accepts = [ends[s] for s in first]
        start = block[-1]
        if not minimal:
            start = block[initial]
        else:  # the empty word is a don't-care: any reachable state that goes on alike will do
            root = block_roots[start]
            alike = {b for b, r in enumerate(block_roots) if r == root and b != start}
            if alike:
                reached = [b for b in _reached(classes, block_roots, start) if b in alike]
                start = min(reached, key=lambda b: block_accepts[b], default=start)
        made = _numbered(classes, block_roots, start)
        kept = [block_accepts[b] for b in made.order]
        if later == care:
            verdicts = _verdicts(made.nodes, made.roots, kept)
        else:
            masked = Mtbdd(made.nodes)
            only = _copied_set(table, later, masked)
            marks: dict[tuple[int, int], int] = {}
            verdicts = _verdicts(masked.nodes, [masked.mask(r, only, marks) for r in made.roots], kept)
        return DFA(alphabet, tuple(made.nodes), tuple(made.roots), tuple(kept), tuple(verdicts))


def frozen(alphabet: Alphabet, machine: Machine) -> DFA:
    """The automaton of a machine that is minimal but for its initial state, over an alphabet with all letters."""
    roots, accepting = machine.roots, machine.accepting
    alike = [s for s, root in enumerate(roots) if root == roots[0] and s]
    made = _numbered(machine.nodes, roots, min(alike, key=accepting.__getitem__, default=0))
    kept = [accepting[s] and s > 0 for s in made.order]
    verdicts = _verdicts(made.nodes, made.roots, kept)
    return DFA(alphabet, tuple(made.nodes), tuple(made.roots), tuple(kept), tuple(verdicts))


@dataclass(frozen=True)
class _Numbered:
    """States in breadth-first order, with their diagrams in a canonical order."""

    order: list[int]
    nodes: list[tuple[int, int, int]]
    roots: list[int]


def _reached(nodes: Sequence[tuple[int, int, int]], roots: Sequence[int], start: int) -> list[int]:
    """The states that a non-empty word leads to, breadth first."""
    order: list[int] = []
    known: set[int] = set()
    seen: set[int] = set()
    todo = [start]
    while True:
        stack = [roots[s] for s in reversed(todo)]
        todo = []
        while stack:
            ref = stack.pop()
            if ref >= 0:
                if ref not in seen:
                    seen.add(ref)
                    _, low, high = nodes[ref]
                    stack += (high, low)
            elif ref != OUTSIDE and ~ref not in known:
                known.add(~ref)
                todo.append(~ref)
        if not todo:
            return order
        order += todo


def _numbered(nodes: Sequence[tuple[int, int, int]], roots: Sequence[int], start: int) -> _Numbered:
    """The states that can be reached from ``start``, renumbered; leaves that are outside become ``~size``."""
    order = [start]
    number = {start: 0}
    moved: dict[int, int] = {OUTSIDE: OUTSIDE}
    unique: dict[tuple[int, int, int], int] = {}
    made_roots: list[int] = []
    outside = False
    for s in order:  # grows as it goes
        stack = [roots[s]]
        while stack:
            ref = stack[-1]
            if ref in moved:
                stack.pop()
            elif ref < 0:
                at = number.get(~ref)
                if at is None:
                    at = number[~ref] = len(order)
                    order.append(~ref)
                moved[ref] = ~at
                stack.pop()
            else:
                level, low, high = nodes[ref]
                a, b = moved.get(low), moved.get(high)
                if a is None or b is None:
                    if b is None:
                        stack.append(high)
                    if a is None:
                        stack.append(low)
                else:
                    if a == OUTSIDE or b == OUTSIDE:
                        outside = True
                    moved[ref] = unique.setdefault((level, a, b), len(unique))
                    stack.pop()
        made_roots.append(moved[roots[s]])
    made = list(unique)
    if outside or OUTSIDE in made_roots:
        leaf = ~len(order)
        made = [(x, leaf if a == OUTSIDE else a, leaf if b == OUTSIDE else b) for x, a, b in made]
        made_roots = [leaf if r == OUTSIDE else r for r in made_roots]
    return _Numbered(order, made, made_roots)


def _verdicts(nodes: Sequence[tuple[int, int, int]], roots: Sequence[int], accepting: Sequence[bool]) -> list[Verdict]:
    """Final is what no continuation changes: neither the state itself nor one that can be reached differs.

    Leaves that are no states (outside) lead nowhere.
    """
    size, count = len(roots), len(nodes)
    above: list[list[int]] = [[] for _ in range(count + size)]  # of nodes, then states: what leads there at once
    for at, (_, low, high) in enumerate(nodes):
        if low >= -size:
            above[low if low >= 0 else count + ~low].append(at)
        if high >= -size:
            above[high if high >= 0 else count + ~high].append(at)
    for s, root in enumerate(roots):
        if root >= -size:
            above[root if root >= 0 else count + ~root].append(count + s)

    def can_reach(value: bool) -> bytearray:
        found = bytearray(count + size)
        todo = [count + s for s, a in enumerate(accepting) if a == value]
        for at in todo:
            found[at] = 1
        while todo:
            for at in above[todo.pop()]:
                if not found[at]:
                    found[at] = 1
                    todo.append(at)
        return found

    may_hold, may_fail = can_reach(True), can_reach(False)
    return [
        (Verdict.PRESUMABLY_TRUE if may_fail[count + s] else Verdict.TRUE)
        if holds
        else (Verdict.PRESUMABLY_FALSE if may_hold[count + s] else Verdict.FALSE)
        for s, holds in enumerate(accepting)
    ]


def _copied_set(table: Mtbdd, ref: int, other: Mtbdd) -> int:
    """A set of letters in another table."""
    moved: dict[int, int] = {YES: YES, NO: NO}
    stack = [ref]
    while stack:
        at = stack[-1]
        if at in moved:
            stack.pop()
            continue
        level, low, high = table.nodes[at]
        missing = [c for c in (high, low) if c not in moved]
        if missing:
            stack += missing
        else:
            moved[at] = other.node(level, moved[low], moved[high])
    return moved[ref]


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
