"""Equivalence and minimality of automata, by algorithms that share no code with their construction.

Equivalence: Hopcroft, Karp, *A linear algorithm for testing equivalence of finite automata*, 1971 (union-find), with
the automaton of the reference's residuals (disjunctive forms, one letter at a time). Minimality: Myhill, Nerode: a
word that leads to each state, and for every two states a word after which one accepts and the other does not; both
answers are asked of the reference semantics.
"""

import itertools

from agentc.compiler.logic import finality
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace


class Residuals:
    """The automaton of the reference's residuals, over the letters of some Boolean signals."""

    def __init__(self, f, names, most=2_000):
        root = finality._primitive(f)
        self.names, self.most = names, most
        self.start = (frozenset([frozenset([(root, True)])]), frozenset(finality._initial_memory(root).items()))
        self._moves = {}

    def step(self, state, letter):
        key = (state, letter)
        if key not in self._moves:
            if len(self._moves) > self.most:
                raise OverflowError
            held = dict(zip(self.names, letter, strict=True))
            residual, memory = finality._step(state[0], dict(state[1]), lambda a: held[a.predicate.value])
            self._moves[key] = (residual, frozenset(memory.items()))
        return self._moves[key]

    @staticmethod
    def accepts(state):
        return finality._at_end(state[0])


def told_apart(f, dfa, names):
    """A word on which an automaton and the reference's residuals differ, None if they accept the same words."""
    other = Residuals(f, names)
    columns = [names.index(str(a.predicate.value)) for a in dfa.atoms]
    letters = list(itertools.product((False, True), repeat=len(names)))
    leader = {}

    def find(x):
        while leader.setdefault(x, x) != x:
            x = leader[x]
        return x

    todo = [(0, other.start, ())]
    leader[("ours", 0)] = ("theirs", other.start)
    while todo:
        s, t, word = todo.pop()
        for letter in letters:
            u, v = dfa.step(s, [letter[c] for c in columns]), other.step(t, letter)
            if dfa.accepting[u] != other.accepts(v):
                return (*word, letter)
            a, b = find(("ours", u)), find(("theirs", v))
            if a != b:
                leader[a] = b
                todo.append((u, v, (*word, letter)))
    return None


def not_minimal(f, dfa, names):
    """Two states that the reference gives no reason to tell apart, or one that no word leads to; None if minimal."""
    letters = list(itertools.product((False, True), repeat=len(dfa.atoms)))
    moves = [[dfa.step(s, letter) for letter in letters] for s in range(dfa.size)]
    reach = {0: ()}
    order = [0]
    for s in order:
        for letter, t in zip(letters, moves[s], strict=True):
            if t not in reach:
                reach[t] = (*reach[s], letter)
                order.append(t)
    if len(reach) < dfa.size:
        return next(s for s in range(dfa.size) if s not in reach), None
    again = {t for row in moves for t in row}  # a state that is come back to is also led to by a non-empty word
    access = dict(reach)
    if 0 in again:
        s, letter = next((s, x) for s in range(dfa.size) for x, t in zip(letters, moves[s], strict=True) if t == 0)
        access[0] = (*reach[s], letter)

    def holds(word):
        steps = []
        for letter in word:
            held = {str(a.predicate.value): v for a, v in zip(dfa.atoms, letter, strict=True)}
            steps.append({n: held.get(n, False) for n in names})
        return evaluate(f, Trace(steps))

    # a shortest word for every two states, backwards from the pairs that differ at once
    apart = {}
    for s, t in itertools.combinations(range(dfa.size), 2):
        if dfa.accepting[s] != dfa.accepting[t] and (0 in again or 0 not in (s, t)):
            apart[s, t] = ()
    while True:
        more = {}
        for s, t in itertools.combinations(range(dfa.size), 2):
            if (s, t) in apart:
                continue
            for letter, u, v in zip(letters, moves[s], moves[t], strict=True):
                pair = (min(u, v), max(u, v))
                if pair in apart:
                    more[s, t] = (letter, *apart[pair])
                    break
        if not more:
            break
        apart.update(more)
    for pair in itertools.combinations(range(dfa.size), 2):
        if pair not in apart:
            return pair
        one, other = (access[s] + apart[pair] for s in pair)
        if holds(one) == holds(other):
            return pair
    return None
