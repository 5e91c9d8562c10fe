"""Progression: what a formula of LTLf with past says of the next step, as decision diagrams.

Source: Bacchus, Kabanza, *Planning for temporally extended goals*, AMAI 22, 1998 (progression); De Giacomo, Vardi,
*Linear temporal logic and linear dynamic logic on finite traces*, IJCAI 2013 (finite traces); De Giacomo, Favorito,
Fuggitti, *Planning for temporally extended goals in pure-past LTL*, 2022, section 4 (past operators as memory).

One order of levels serves everything: the atoms of the letter, then :attr:`Progression.end` ("the trace ends with
this letter"), then *obligations*. The obligation of ``f`` is the variable "``f`` holds at the next step"; where the
trace ends there is none, so what a formula says of a letter is a function of the atoms, then of ``end``, and below
``end`` either a truth value (it ends) or a function of obligations (it goes on), the *residual*. ``X f`` and ``WX f``
differ in the first only. Residuals are canonical as Boolean functions, and simplified by what obligations imply of
each other (``g`` implies ``f U g``), which keeps them few.

A past operator reads its *memory*: the residual of what it looked at one step before, as seen from now.
"""

from __future__ import annotations

from agentc.compiler.automata.bdd import Bdd, Budget, OverBudgetError
from agentc.compiler.logic.ir import FALSE, TRUE, Formula, Node, formula, not_
from agentc.compiler.logic.rewrite import desugar, formula_nodes

FAMILIES_LIMIT = 64
"""Implications are looked for between that many temporal subformulas at most: the search is quadratic."""
RELATED_LIMIT = 32
"""A residual that mentions more related obligations than that is left as it is."""
DEPTH_LIMIT = 12
"""How deep the search for one implication goes."""


def primitive(f: Formula) -> Formula:
    """The formula over ``true false atom not and or U S``, windows of no step and double negations removed."""
    made: dict[Node, Formula] = {}
    core = desugar(f)
    for node in formula_nodes(core):
        x = [] if node.op == "atom" else [made[a] for a in node.args]
        if node.op == "atom":
            made[node] = node
        elif node.op in ("R", "T"):
            op = "U" if node.op == "R" else "S"
            made[node] = negation(window(op, negation(x[0]), negation(x[1]), node.interval or (0, None)))
        elif node.op in ("U", "S"):
            made[node] = window(node.op, x[0], x[1], node.interval or (0, None))
        elif node.op == "not":
            made[node] = negation(x[0])
        else:
            made[node] = formula(node.op, x)
    return made[core]


def negation(f: Formula) -> Formula:
    """The negation, without a double one."""
    if f.op in ("true", "false"):
        return FALSE if f.op == "true" else TRUE
    return f.args[0] if f.op == "not" else not_(f)


def window(op: str, f: Formula, g: Formula, interval: tuple[int, int | None]) -> Formula:
    """``f U[a,b] g`` or ``f S[a,b] g``; a window of the present step alone is ``g``."""
    return g if interval == (0, 0) else formula(op, (f, g), interval)


def decrement(f: Formula) -> Formula | None:
    """``f U[a,b] g`` seen from one step nearer; None if its window has passed."""
    assert f.interval is not None
    a, b = f.interval
    if b == 0:
        return None
    return window(f.op, f.args[0], f.args[1], (max(a - 1, 0), None if b is None else b - 1))


def windows(f: Formula) -> list[Formula]:
    """The windows that ``f U[a,b] g`` or ``f S[a,b] g`` shrinks to, one step after the other, each once."""
    found: list[Formula] = []
    at = f
    while at.op == f.op and at.args == f.args:
        after = decrement(at)
        if after is None or after in found[-1:]:
            break
        found.append(after)
        at = after
    return found


def _fits(f: Formula, cells: int, budget: Budget) -> None:
    """Raise ``OverBudgetError`` if the memory of a past window takes more cells than there may be states.

    A window that is remembered step by step tells about as many pasts apart, so it would not fit either way; what
    this saves is the memory of finding out.
    """
    assert f.interval is not None
    a, b = f.interval
    if cells + (a if b is None else b) > budget.states:
        raise OverBudgetError(f"{budget.states:,} states")


class Progression:
    """The diagrams of a primitive formula and of everything below it.

    ``level`` gives the atoms their levels ``0 .. k - 1``. A state is a residual and the memory: a tuple of
    residuals, one per cell of :attr:`cells`; :meth:`step` says what they become by the next letter.
    """

    def __init__(self, root: Formula, level: dict[Formula, int], budget: Budget) -> None:
        self.bdd = Bdd(budget)
        self.letter_level = level
        self.end = len(level)
        self._free_level = self.end + 1
        self._obligation: dict[Formula, int] = {}  # formula to level
        self._owner: dict[int, Formula] = {}  # level to formula
        self._family: dict[tuple[str, tuple[Formula, ...]], int] = {}
        self._widest: list[Formula] = []  # of each family
        self._members: list[int] = []  # of each family, as a bit mask of levels
        self._linked: list[set[int]] = []  # of each family, those that it may be related to
        self._family_of: dict[int, int] = {}  # level to family
        self._support: dict[int, int] = {0: 0, 1: 0}
        self._care: dict[int, int] = {}
        self._tidy: dict[int, int] = {0: 0, 1: 1}
        self._implies: dict[tuple[Formula, Formula], bool] = {}
        self.base = formula_nodes(root)
        self.cells: list[Formula] = []
        self._cell: dict[Formula, int] = {}
        self._order: list[Formula] = []  # formulas that depend on the memory, each after those it depends on
        self.needs: dict[Formula, int] = {}  # cells that a formula depends on, as a bit mask
        self._collect(budget)
        self._now: dict[Formula, int] = {}  # diagrams that do not depend on the memory
        self._next: dict[int, int] = {}  # residuals progressed, those that do not depend on the memory
        self._mask: dict[int, int] = {0: 0, 1: 0}
        self._going: dict[int, int] = {0: 0, 1: 1}
        for f in self.base:
            if not self.needs[f]:
                self._diagram(f, self._now, None)

    def _collect(self, budget: Budget) -> None:
        """Find the cells of memory and who depends on which; arguments come before what they are arguments of."""
        for f in self.base:
            mask = 0
            for a in f.args if f.op != "atom" else ():
                mask |= self.needs[a]
            new: set[Formula] = set()
            if f.op == "S":
                _fits(f, len(self.cells), budget)
                chain = windows(f)
                for later in chain:
                    if later not in self._cell:
                        self._cell[later] = len(self.cells)
                        self.cells.append(later)
                        if later not in self.needs:
                            new.add(later)
                for part in reversed(chain):  # each needs the cells of its own later windows, and no others
                    own = 1 << self._cell[part]
                    if part in new:
                        self.needs[part] = mask | own if decrement(part) is part else mask
                        self._order.append(part)
                    mask |= own
            self.needs[f] = mask
            if mask and f not in new:
                self._order.append(f)

    # ------------------------------------------------------------ states

    def start(self, root: Formula) -> tuple[int, tuple[int, ...]]:
        """The state before step 0: the root is to hold there, and nothing past has."""
        return self.obligation(root), (0,) * len(self.cells)

    def step(self, residual: int, memory: tuple[int, ...]) -> list[int]:
        """What the residual and each cell become, as functions of the letter, ``end`` and the obligations."""
        if not self.cells:
            return [self.progressed(residual)]
        now: dict[Formula, int] = {}
        following: dict[int, int] = {}
        relevant = self._needed(residual)
        for f in self._order:
            if self.needs[f] & relevant == self.needs[f]:
                self._diagram(f, now, (memory, following))
        after = [self._compose(residual, now, following)]
        for k, f in enumerate(self.cells):
            if relevant >> k & 1:
                diagram = now[f] if f in now else self._diagram(f, self._now, None)
                after.append(self.going_on(diagram))
            else:
                after.append(0)
        return after

    def split(self, parts: tuple[int, ...]) -> tuple[bool, int, tuple[int, ...]]:
        """Acceptance, residual and memory from what :meth:`step` gives once the letter is known; canonical."""
        head = parts[0]
        if self.bdd.level[head] == self.end:
            accepting, residual = self.bdd.high[head] == 1, self.bdd.low[head]
        else:
            accepting, residual = head == 1, head
        if len(parts) == 1:
            return accepting, residual, ()
        needed = self._needed(residual)
        return accepting, residual, tuple(m if needed >> k & 1 else 0 for k, m in enumerate(parts[1:]))

    def _needed(self, residual: int) -> int:
        """The cells that matter to a residual."""
        made = self._mask.get(residual)
        if made is None:
            bdd = self.bdd
            made = self.needs_of(self._owner[bdd.level[residual]])
            made |= self._needed(bdd.low[residual]) | self._needed(bdd.high[residual])
            self._mask[residual] = made
        return made

    def needs_of(self, f: Formula) -> int:
        """The cells that a formula depends on; a window's later forms depend on those of its arguments."""
        mask = self.needs.get(f)
        if mask is None:
            mask = 0
            for a in f.args:
                mask |= self.needs_of(a)
            self.needs[f] = mask
        return mask

    # ------------------------------------------------------------ diagrams

    def obligation(self, f: Formula) -> int:
        """"``f`` holds at the next step", given that there is one: it distributes over the connectives."""
        match f.op:
            case "true":
                return 1
            case "false":
                return 0
            case "not":
                return self.bdd.not_(self.obligation(f.args[0]))
            case "and" | "or":
                made = 1 if f.op == "and" else 0
                for a in f.args:
                    made = (self.bdd.and_ if f.op == "and" else self.bdd.or_)(made, self.obligation(a))
                return made
        level = self._obligation.get(f)
        if level is None:
            level = self._obligation[f] = self._free_level
            self._free_level += 1
            self._owner[level] = f
            self._relate(f)
        return self.bdd.var(level)

    def _diagram(
        self, f: Formula, now: dict[Formula, int], state: tuple[tuple[int, ...], dict[int, int]] | None
    ) -> int:
        """What ``f`` at this step says, from the diagrams of its arguments in ``now`` (or without memory)."""
        made = now.get(f)
        if made is None:
            made = self._now.get(f)
        if made is not None:
            return made
        bdd = self.bdd
        match f.op:
            case "true" | "false":
                made = 1 if f.op == "true" else 0
            case "atom":
                made = bdd.var(self.letter_level[f])
            case "not":
                made = bdd.not_(self._diagram(f.args[0], now, state))
            case "and" | "or":
                made = 1 if f.op == "and" else 0
                for a in f.args:
                    made = (bdd.and_ if f.op == "and" else bdd.or_)(made, self._diagram(a, now, state))
            case _:
                later = decrement(f)
                if later is None:
                    rest = 0
                elif f.op == "U":  # there is a next step, and it holds there
                    rest = bdd.node(self.end, self.obligation(later), 0)
                else:
                    assert state is not None
                    memory, following = state
                    rest = self._compose(memory[self._cell[later]], now, following)
                rest = bdd.and_(self._diagram(f.args[0], now, state), rest)
                assert f.interval is not None
                made = rest if f.interval[0] > 0 else bdd.or_(self._diagram(f.args[1], now, state), rest)
                made = self.tidied(made)
        now[f] = made
        return made

    def progressed(self, residual: int) -> int:
        """A residual with each obligation replaced by what its formula says now; no memory is involved."""
        return self._compose(residual, self._now, self._next)

    def _compose(self, residual: int, now: dict[Formula, int], following: dict[int, int]) -> int:
        if residual < 2:
            return residual
        if following is not self._next and not self._needed(residual):
            return self._compose(residual, self._now, self._next)
        made = following.get(residual)
        if made is None:
            bdd = self.bdd
            f = self._owner[bdd.level[residual]]
            high = self._compose(bdd.high[residual], now, following)
            low = self._compose(bdd.low[residual], now, following)
            table = now if self.needs_of(f) else self._now
            made = self.tidied(bdd.ite(self._diagram(f, table, None), high, low))
            following[residual] = made
        return made

    def going_on(self, diagram: int) -> int:
        """The diagram if the trace does not end here."""
        made = self._going.get(diagram)
        if made is None:
            bdd = self.bdd
            level = bdd.level[diagram]
            if level >= self.end:
                made = bdd.low[diagram] if level == self.end else diagram
            else:
                made = bdd.node(level, self.going_on(bdd.low[diagram]), self.going_on(bdd.high[diagram]))
            self._going[diagram] = made
        return made

    # ------------------------------------------------------------ implications

    def tidied(self, diagram: int) -> int:
        """The diagram with its residuals simplified by what their obligations imply of each other."""
        made = self._tidy.get(diagram)
        if made is None:
            bdd = self.bdd
            level = bdd.level[diagram]
            if level < self.end:
                made = bdd.node(level, self.tidied(bdd.low[diagram]), self.tidied(bdd.high[diagram]))
            elif level == self.end:
                made = bdd.node(level, self._tidied_residual(bdd.low[diagram]), bdd.high[diagram])
            else:
                made = self._tidied_residual(diagram)
            self._tidy[diagram] = self._tidy[made] = made
        return made

    def _tidied_residual(self, residual: int) -> int:
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
            family = self._family_of[bit.bit_length() - 1 + self.end]
            akin = self._members[family] & ~bit
            for other in self._linked[family]:
                akin |= self._members[other]
            if akin & support:
                related.append(bit.bit_length() - 1 + self.end)
        if len(related) < 2 or len(related) > RELATED_LIMIT:
            return 1
        key = sum(1 << level - self.end for level in related)
        made = self._care.get(key)
        if made is None:
            bdd, made = self.bdd, 1
            for x in related:
                for y in related:
                    if x != y and self.implies(self._owner[x], self._owner[y], DEPTH_LIMIT):
                        made = bdd.and_(made, bdd.or_(bdd.not_(bdd.var(x)), bdd.var(y)))
            self._care[key] = made
        return made

    def _relate(self, f: Formula) -> None:
        """Put ``f`` into its family: the same operator and arguments, with any window.

        The members of a family may be related to each other, and to those of another where the widest are.
        """
        key = (f.op, f.args if f.op != "atom" else (f,))
        family = self._family.get(key)
        if family is None:
            family = self._family[key] = len(self._widest)
            linked = set()
            if family < FAMILIES_LIMIT:
                for other, g in enumerate(self._widest):
                    if self.implies(f, g, DEPTH_LIMIT) or self.implies(g, f, DEPTH_LIMIT):
                        linked.add(other)
                        self._linked[other].add(family)
            self._widest.append(f)
            self._members.append(0)
            self._linked.append(linked)
        self._family_of[self._obligation[f]] = family
        self._members[family] |= 1 << self._obligation[f] - self.end

    def implies(self, f: Formula, g: Formula, depth: int) -> bool:
        """Whether ``g`` holds at every step at which ``f`` does, as far as the shape of the two shows."""
        if f is g or f.op == "false" or g.op == "true":
            return True
        if depth == 0 or (f.op == "true" and g.op == "false"):
            return False
        key = (f, g)
        made = self._implies.get(key)
        if made is None:
            self._implies[key] = False
            made = self._implies[key] = self._shows(f, g, depth - 1)
        return made

    def _shows(self, f: Formula, g: Formula, depth: int) -> bool:
        if f.op == "or":
            return all(self.implies(a, g, depth) for a in f.args)
        if g.op == "and":
            return all(self.implies(f, a, depth) for a in g.args)
        if f.op == "and" and any(self.implies(a, g, depth) for a in f.args):
            return True
        if g.op == "or" and any(self.implies(f, a, depth) for a in g.args):
            return True
        if g.op == "not" and f.op == "not":
            return self.implies(g.args[0], f.args[0], depth)
        if g.op in ("U", "S"):
            c, d = g.interval or (0, None)
            if c == 0 and self.implies(f, g.args[1], depth):
                return True
            if f.op == g.op:
                a, b = f.interval or (0, None)
                inside = c <= a and (d is None or (b is not None and b <= d))
                if inside and all(self.implies(x, y, depth) for x, y in zip(f.args, g.args, strict=True)):
                    return True
        if f.op in ("U", "S"):
            a, _ = f.interval or (0, None)
            return self.implies(f.args[0], g, depth) and (a > 0 or self.implies(f.args[1], g, depth))
        if f.op == "not" and f.args[0].op != "atom":
            return self.implies(negation(g), f.args[0], depth)
        return False
