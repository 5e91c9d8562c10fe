"""Guards: the letters that lead from one state to another, as short formulas of literals.

Source: Minato, *Fast generation of prime-irredundant covers from binary decision diagrams*, IEICE 1993: every product
is a prime implicant and none can be left out. Letters that cannot occur are don't-cares, so ``color == red`` need not
say that it is not ``color == blue``.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentc.compiler.automata.bdd import recursion
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.mtbdd import NO, YES, Mtbdd
from agentc.compiler.logic.ir import Formula

Product = tuple[tuple[int, bool], ...]
"""A conjunction of literals: atom index and sign."""
Cover = tuple[Product, ...]
"""A disjunction of products; empty is false, the empty product true."""


def covers(dfa: DFA, state: int) -> dict[int, Cover]:
    """For each state that ``state`` leads to, an irredundant prime cover of the letters that do."""
    with recursion(4 * len(dfa.atoms)):
        table = _Sets(dfa)
        return {t: table.cover(dfa.roots[state], t) for t in sorted(dfa.successors(state))}


class _Sets:
    """Sets of letters taken from an automaton's diagrams."""

    def __init__(self, dfa: DFA) -> None:
        self.table = Mtbdd()
        self._nodes, self._outside = dfa.nodes, ~dfa.size
        self._memo: dict[tuple[int, int], tuple[Cover, int]] = {}
        self._meets: dict[tuple[int, int], int] = {}
        self._joins: dict[tuple[int, int], int] = {}
        self._nots: dict[int, int] = {}

    def cover(self, root: int, target: int) -> Cover:
        """The cover of the letters that lead to ``target``."""
        lower = self._where(root, (~target,), {})
        upper = self._where(root, (~target, self._outside), {})
        return self._isop(lower, upper)[0]

    def _where(self, ref: int, leaves: tuple[int, ...], memo: dict[int, int]) -> int:
        if ref < 0:
            return YES if ref in leaves else NO
        made = memo.get(ref)
        if made is None:
            level, low, high = self._nodes[ref]
            made = self.table.node(level, self._where(low, leaves, memo), self._where(high, leaves, memo))
            memo[ref] = made
        return made

    def _and(self, a: int, b: int) -> int:
        return self.table.apply(lambda x, y: YES if x == y == YES else NO, a, b, self._meets)

    def _or(self, a: int, b: int) -> int:
        return self.table.apply(lambda x, y: YES if YES in (x, y) else NO, a, b, self._joins)

    def _not(self, a: int) -> int:
        return self.table.map(lambda x: NO if x == YES else YES, a, self._nots)

    def _isop(self, lower: int, upper: int) -> tuple[Cover, int]:
        """A cover of a set between the two, and that set."""
        if lower == NO:
            return (), NO
        if upper == YES:
            return ((),), YES
        key = (lower, upper)
        made = self._memo.get(key)
        if made is None:
            table = self.table
            top = min(table.level(lower), table.level(upper))
            l0, l1 = table.nodes[lower][1:] if table.level(lower) == top else (lower, lower)
            u0, u1 = table.nodes[upper][1:] if table.level(upper) == top else (upper, upper)
            without, f0 = self._isop(self._and(l0, self._not(u1)), u0)
            with_, f1 = self._isop(self._and(l1, self._not(u0)), u1)
            rest = self._or(self._and(l0, self._not(f0)), self._and(l1, self._not(f1)))
            free, f = self._isop(rest, self._and(u0, u1))
            products = (
                *(((top, True), *p) for p in with_),
                *(((top, False), *p) for p in without),
                *free,
            )
            made = products, self._or(table.node(top, f0, f1), f)
            self._memo[key] = made
        return made


def label(atom: Formula) -> str:
    """The text of an atom, without the parentheses around it."""
    text = str(atom)
    return text[1:-1] if text.startswith("(") and text.endswith(")") else text


def text(cover: Cover, atoms: Sequence[Formula]) -> str:
    """A cover in the language's syntax, short products first."""
    if not cover:
        return "false"
    products = []
    for product in sorted(cover, key=lambda p: (len(p), p)):
        literals = []
        for level, sign in product:
            name = str(atoms[level])
            literals.append(name if sign else f"!{name}")
        products.append(" & ".join(literals) if literals else "true")
    if len(products) == 1:
        only = products[0]
        single = len(cover[0]) == 1 and only.startswith("(")
        return only[1:-1] if single else only
    return " | ".join(products)


def guards(dfa: DFA, state: int) -> dict[int, str]:
    """For each state that ``state`` leads to, its guard as text."""
    return {t: text(c, dfa.atoms) for t, c in covers(dfa, state).items()}


