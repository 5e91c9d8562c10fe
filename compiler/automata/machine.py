"""Automata while they are made: explored from a progression, minimised, and multiplied.

Source: Bansal, Li, Tabajara, Vardi, *Hybrid compositional reasoning for reactive synthesis from finite-horizon
specifications*, AAAI 2020, and De Giacomo, Favorito, *Compositional approach to translate LTLf/LDLf into deterministic
finite automata*, ICAPS 2021: every part is made minimal before it is multiplied, the smallest first.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentc.compiler.automata.bdd import Budget
from agentc.compiler.automata.minimize import coarsest
from agentc.compiler.automata.mtbdd import OUTSIDE
from agentc.compiler.automata.progression import Progression


@dataclass(frozen=True)
class Machine:
    """A deterministic automaton; state 0, which has read nothing, is initial and is never come back to.

    Every other state can be reached. ``nodes`` come after those that they lead to; ``roots[s]`` is the diagram of
    state ``s``, its leaves ``~t``. ``reduced``: equal functions are equal nodes, and no two states are equivalent.
    """

    nodes: list[tuple[int, int, int]]
    roots: list[int]
    accepting: list[bool]
    reduced: bool = False

    def minimal(self, budget: Budget) -> Machine:
        """The same with one state for all that are equivalent, the initial state kept apart."""
        if self.reduced:
            return self
        kinds: list[int] = [*map(int, self.accepting)]
        kinds[0] = 2
        block, of_node, classes = coarsest(self.nodes, self.roots, kinds, budget)
        # blocks in order of their first states, so that the initial one stays 0
        number: dict[int, int] = {}
        first = []
        for s, b in enumerate(block):
            if b not in number:
                number[b] = len(number)
                first.append(s)

        def leaf(ref: int) -> int:
            return ref if ref >= 0 or ref == OUTSIDE else ~number[~ref]

        def of(ref: int) -> int:
            return of_node[ref] if ref >= 0 else ref if ref == OUTSIDE else ~block[~ref]

        nodes = [(level, leaf(low), leaf(high)) for level, low, high in classes]
        return Machine(nodes, [leaf(of(self.roots[s])) for s in first], [self.accepting[s] for s in first], True)


# ---------------------------------------------------------------- exploration


def explore(progression: Progression, care: int, budget: Budget) -> Machine:
    """The states that can be reached, breadth first. ``care``: the letters that can occur, a diagram of theirs."""
    if progression.cells:
        return _Lifting(progression, care, budget).run()
    bdd, end = progression.bdd, progression.end
    level, low, high = bdd.level, bdd.low, bdd.high
    outside = bdd.terminal(2) if care != 1 else -1
    nodes: list[tuple[int, int, int]] = []
    residuals, accepting, roots = [progression.start()[0]], [False], []
    moved: dict[int, int] = {outside: OUTSIDE}
    for residual in residuals:  # grows as it goes
        budget.spend(nodes=len(level), states=len(residuals))
        root = progression.progressed(residual)
        if care != 1:
            root = bdd.ite(care, root, outside)
        stack = [root]
        while stack:
            at = stack[-1]
            if at in moved:
                stack.pop()
                continue
            top = level[at]
            if top < end:
                a, b = moved.get(low[at]), moved.get(high[at])
                if a is None or b is None:
                    if b is None:
                        stack.append(high[at])
                    if a is None:
                        stack.append(low[at])
                    continue
                moved[at] = len(nodes)
                nodes.append((top, a, b))
            else:
                moved[at] = ~len(residuals)
                if top == end:
                    residuals.append(low[at])
                    accepting.append(high[at] == 1)
                else:
                    residuals.append(at)
                    accepting.append(at == 1)
            stack.pop()
        roots.append(moved[root])
    return Machine(nodes, roots, accepting)


class _Lifting:
    """Exploration with memory: a step is several functions of the letter at once."""

    def __init__(self, progression: Progression, care: int, budget: Budget) -> None:
        self.progression, self.care, self.budget = progression, care, budget
        self.nodes: list[tuple[int, int, int]] = []
        self._unique: dict[tuple[int, int, int], int] = {}
        self.accepting = [False]
        self.states = [progression.start()]
        self._number: dict[tuple[bool, int, tuple[int, ...]], int] = {}
        self._lifted: dict[tuple[int, ...], int] = {}

    def run(self) -> Machine:
        progression, roots = self.progression, []
        for residual, memory in self.states:  # grows as it goes
            self.budget.spend(nodes=len(self.nodes) + len(progression.bdd.level), states=len(self.states))
            roots.append(self._lift((self.care, *progression.step(residual, memory))))
        return Machine(self.nodes, roots, self.accepting)

    def _intern(self, parts: tuple[int, ...]) -> int:
        key = self.progression.split(parts)
        at = self._number.get(key)
        if at is None:
            at = self._number[key] = len(self.states)
            accepting, residual, memory = key
            self.states.append((residual, memory))
            self.accepting.append(accepting)
        return ~at

    def _lift(self, parts: tuple[int, ...]) -> int:
        """The first part is the letters that can occur; the others lead outside."""
        if parts[0] == 0:
            return OUTSIDE
        made = self._lifted.get(parts)
        if made is None:
            bdd = self.progression.bdd
            level, low, high = bdd.level, bdd.low, bdd.high
            top = min([level[p] for p in parts])
            if top >= self.progression.end:
                made = self._intern(parts[1:])
            else:
                a = self._lift(tuple([low[p] if level[p] == top else p for p in parts]))
                b = self._lift(tuple([high[p] if level[p] == top else p for p in parts]))
                if a == b:
                    made = a
                else:
                    row = (top, a, b)
                    made = self._unique.get(row)
                    if made is None:
                        made = self._unique[row] = len(self.nodes)
                        self.nodes.append(row)
            self._lifted[parts] = made
        return made


# ---------------------------------------------------------------- products


def product(a: Machine, b: Machine, conjunction: bool, budget: Budget) -> Machine:
    """Both, or either. States from which nothing changes any more in one of the two are one state."""
    decided = ~0  # stands for any leaf of the other: a conjunction that fails, a disjunction that holds
    done_a, done_b = _decided(a, not conjunction), _decided(b, not conjunction)
    a_nodes, b_nodes, b_count = a.nodes, b.nodes, len(b.roots)
    nodes: list[tuple[int, int, int]] = []
    unique: dict[tuple[int, int, int], int] = {}
    number: dict[tuple[int, int], int] = {}
    order = [(0, 0)]
    memo: dict[int, int] = {}
    shift = len(b_nodes) + b_count + 2

    def pair(x: int, y: int) -> int:
        if x == OUTSIDE or y == OUTSIDE:
            return OUTSIDE
        key = (-1, -1) if x in done_a or y in done_b else (~x, ~y)
        at = number.get(key)
        if at is None:
            at = number[key] = len(order)
            order.append(key)
        return ~at

    def joined(x: int, y: int) -> int:
        key = x * shift + (y if y != OUTSIDE else -b_count - 1)
        made = memo.get(key)
        if made is not None:
            return made
        if x < 0:
            if y < 0 or x == OUTSIDE or x in done_a:
                made = memo[key] = pair(x, y if y < 0 else decided)
                return made
            top, y0, y1 = b_nodes[y]
            x0 = x1 = x
        elif y < 0:
            if y == OUTSIDE or y in done_b:
                made = memo[key] = pair(decided, y)
                return made
            top, x0, x1 = a_nodes[x]
            y0 = y1 = y
        else:
            top, x0, x1 = a_nodes[x]
            other, y0, y1 = b_nodes[y]
            if other < top:
                x0 = x1 = x
                top = other
            elif top < other:
                y0 = y1 = y
        low, high = joined(x0, y0), joined(x1, y1)
        if low == high:
            made = low
        else:
            row = (top, low, high)
            made = unique.get(row)
            if made is None:
                made = unique[row] = len(nodes)
                nodes.append(row)
        memo[key] = made
        return made

    roots, accepting = [], []
    for s, t in order:  # grows as it goes
        budget.spend(nodes=len(nodes), states=len(order))
        if s < 0:
            roots.append(~number[s, t])
            accepting.append(not conjunction)
        else:
            roots.append(joined(a.roots[s], b.roots[t]))
            holds, other = a.accepting[s], b.accepting[t]
            accepting.append(holds and other if conjunction else holds or other)
    return Machine(nodes, roots, accepting)


def _decided(machine: Machine, accepting: bool) -> set[int]:
    """The leaves of the states that are left by no letter and accept or not as asked for."""
    return {~s for s, root in enumerate(machine.roots) if root == ~s and machine.accepting[s] == accepting}


def combined(machines: list[Machine], conjunction: bool, budget: Budget) -> Machine:
    """The product of all, the two smallest first, each product made minimal."""
    waiting = sorted(machines, key=lambda m: len(m.roots))
    while len(waiting) > 1:
        first, second, *waiting = waiting
        waiting.append(product(first, second, conjunction, budget).minimal(budget))
        waiting.sort(key=lambda m: len(m.roots))
    return waiting[0]
