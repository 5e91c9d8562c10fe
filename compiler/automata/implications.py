"""What obligations imply of each other, and residuals simplified by it.

Where many obligations that are alike are open at once (the windows of one operator; ``q`` beside ``p U q``), residuals
that differ as Boolean functions often mean the same. What the shapes of two formulas show (``g`` implies ``f U g``)
is a care set, and a residual is replaced by a smaller one that agrees with it there.
"""

from __future__ import annotations

from agentc.compiler.automata.aig import AND, ATOM, SINCE, UNTIL, Aig
from agentc.compiler.automata.bdd import Bdd

FAMILIES_LIMIT = 64
"""Implications are looked for between that many temporal subformulas at most: the search is quadratic."""
RELATED_LIMIT = 32
"""A residual that mentions more related obligations than that is left as it is."""
DEPTH_LIMIT = 12
"""How deep the search for one implication goes."""


class Implications:
    """Obligations by level, which of them may be related, and what was found."""

    def __init__(self, aig: Aig, bdd: Bdd, end: int) -> None:
        self.aig, self.bdd, self.end = aig, bdd, end
        self._owner: dict[int, int] = {}  # level to node
        self._family: dict[tuple[int, ...], int] = {}
        self._widest: list[int] = []  # of each family, a node
        self._members: list[int] = []  # of each family, as a bit mask of levels
        self._linked: list[set[int]] = []  # of each family, those that it may be related to
        self._family_of: dict[int, int] = {}  # level to family
        self._support: dict[int, int] = {0: 0, 1: 0}
        self._care: dict[int, int] = {}
        self._tidy: dict[int, int] = {0: 0, 1: 1}
        self._implies: dict[tuple[int, int], bool] = {}

    def add(self, n: int, level: int) -> None:
        """Put the obligation of a node into its family: the same operator and arguments, with any window.

        The members of a family may be related to each other, and to those of another where the first ones are.
        """
        self._owner[level] = n
        key = (self.aig.kind[n], *self.aig.args[n]) if self.aig.kind[n] != ATOM else (ATOM, n)
        family = self._family.get(key)
        if family is None:
            family = self._family[key] = len(self._widest)
            linked = set()
            if family < FAMILIES_LIMIT:
                for other, m in enumerate(self._widest):
                    if self.implies(2 * n, 2 * m, DEPTH_LIMIT) or self.implies(2 * m, 2 * n, DEPTH_LIMIT):
                        linked.add(other)
                        self._linked[other].add(family)
            self._widest.append(n)
            self._members.append(0)
            self._linked.append(linked)
        self._family_of[level] = family
        self._members[family] |= 1 << level - self.end

    # ------------------------------------------------------------ diagrams

    def tidied(self, diagram: int) -> int:
        """The diagram with its residuals simplified by what their obligations imply of each other."""
        made = self._tidy.get(diagram)
        if made is None:
            bdd = self.bdd
            level = bdd.level[diagram]
            if level < self.end:
                made = bdd.node(level, self.tidied(bdd.low[diagram]), self.tidied(bdd.high[diagram]))
            elif level == self.end:
                made = bdd.node(level, self._residual(bdd.low[diagram]), bdd.high[diagram])
            else:
                made = self._residual(diagram)
            self._tidy[diagram] = self._tidy[made] = made
        return made

    def _residual(self, residual: int) -> int:
        made = self._tidy.get(residual)
        if made is None:
            care = self._implications(self.support(residual))
            made = residual if care == 1 else self.bdd.match(residual, care)
            self._tidy[residual] = self._tidy[made] = made
        return made

    def support(self, residual: int) -> int:
        """The obligations of a residual, as a bit mask of their levels below ``end``."""
        made = self._support.get(residual)
        if made is None:
            bdd = self.bdd
            made = 1 << bdd.level[residual] - self.end
            made |= self.support(bdd.low[residual]) | self.support(bdd.high[residual])
            self._support[residual] = made
        return made

    def _implications(self, support: int) -> int:
        """What the obligations of a support imply of each other."""
        related = []
        rest = support
        while rest:
            bit = rest & -rest
            rest ^= bit
            level = bit.bit_length() - 1 + self.end
            family = self._family_of[level]
            akin = self._members[family] & ~bit
            for other in self._linked[family]:
                akin |= self._members[other]
            if akin & support:
                related.append(level)
        if len(related) < 2 or len(related) > RELATED_LIMIT:
            return 1
        key = sum(1 << level - self.end for level in related)
        made = self._care.get(key)
        if made is None:
            bdd, made = self.bdd, 1
            for x in related:
                for y in related:
                    if x != y and self.implies(2 * self._owner[x], 2 * self._owner[y], DEPTH_LIMIT):
                        made = bdd.and_(made, bdd.or_(bdd.not_(bdd.var(x)), bdd.var(y)))
            self._care[key] = made
        return made

    # ------------------------------------------------------------ shapes

    def implies(self, f: int, g: int, depth: int) -> bool:
        """Whether ``g`` holds at every step at which ``f`` does, as far as the shapes of the two references show."""
        if f == g or f == 1 or g == 0:
            return True
        if depth == 0 or f == 0 or g == 1:
            return False
        key = (f, g)
        made = self._implies.get(key)
        if made is None:
            self._implies[key] = False
            made = self._implies[key] = self._shows(f, g, depth - 1)
        return made

    def _shows(self, f: int, g: int, depth: int) -> bool:
        kind, args, window = self.aig.kind, self.aig.args, self.aig.window
        m, n = f >> 1, g >> 1
        if kind[m] == AND and f & 1:
            return all(self.implies(r ^ 1, g, depth) for r in args[m])
        if kind[n] == AND and not g & 1:
            return all(self.implies(f, r, depth) for r in args[n])
        if kind[m] == AND and any(self.implies(r, g, depth) for r in args[m]):
            return True
        if kind[n] == AND and any(self.implies(f, r ^ 1, depth) for r in args[n]):
            return True
        if f & g & 1:
            return self.implies(g ^ 1, f ^ 1, depth)
        if not g & 1 and kind[n] in (UNTIL, SINCE):
            c, d = window[n]
            if c == 0 and self.implies(f, args[n][1], depth):
                return True
            if not f & 1 and kind[m] == kind[n]:
                a, b = window[m]
                inside = c <= a and (d is None or (b is not None and b <= d))
                if inside and all(self.implies(x, y, depth) for x, y in zip(args[m], args[n], strict=True)):
                    return True
        if not f & 1 and kind[m] in (UNTIL, SINCE):
            return self.implies(args[m][0], g, depth) and (window[m][0] > 0 or self.implies(args[m][1], g, depth))
        if f & 1 and kind[m] in (UNTIL, SINCE):
            return self.implies(g ^ 1, f ^ 1, depth)
        return False
