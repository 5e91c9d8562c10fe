"""Progression: what a formula of LTLf with past says of the next step, as decision diagrams.

Source: Bacchus, Kabanza, *Planning for temporally extended goals*, AMAI 22, 1998 (progression); De Giacomo, Vardi,
*Linear temporal logic and linear dynamic logic on finite traces*, IJCAI 2013 (finite traces); De Giacomo, Favorito,
Fuggitti, *Planning for temporally extended goals in pure-past LTL*, 2022, section 4 (past operators as memory);
Duret-Lutz, Zhu, Piterman, De Giacomo, Vardi, *Engineering an LTLf synthesis tool*, CIAA 2025 (states as leaves of one
shared diagram, residuals up to propositional equivalence). Deviations: residuals are diagrams themselves; windows of
the past over what is known at once are counted.

One order of levels serves everything: the atoms of the letter, then :attr:`Progression.end` ("the trace ends with
this letter"), then *obligations*. The obligation of ``f`` is the variable "``f`` holds at the next step"; where the
trace ends there is none, so what a formula says of a letter is a function of the atoms, then of ``end``, and below
``end`` either a truth value (it ends) or a function of obligations (it goes on), the *residual*. ``X f`` and ``WX f``
differ in the first only. Residuals are canonical as Boolean functions; where that leaves too many, they are
simplified by what obligations imply of each other (``g`` implies ``f U g``).

A past operator reads its *memory*, a cell for each: a counter where its arguments look at no future (how long ago its
right side last held, or first, with the left side true since), else the residual of what it looked at one step before,
as seen from now.
"""

from __future__ import annotations

from agentc.compiler.automata.aig import AND, ATOM, SINCE, UNTIL, Aig
from agentc.compiler.automata.bdd import Bdd, Budget, OverBudgetError
from agentc.compiler.automata.implications import Implications

YOUNGEST, OLDEST, RESIDUAL = range(3)
"""Kinds of cells: one more than the steps since the youngest or oldest start that still counts, or what was left."""


class Progression:
    """The diagrams of everything below ``root``.

    ``level`` gives the atoms (nodes of the graph) their levels, of the ``width`` that a letter has: an alphabet may
    have atoms that the formula does not read. A state is a residual and the memory: a tuple with a constant or residual
    per cell of :attr:`cells`; :meth:`step` says what they become by the next letter. With ``tidy``, residuals are
    simplified by implications.
    """

    def __init__(self, aig: Aig, root: int, level: dict[int, int], width: int, budget: Budget, *, tidy: bool) -> None:
        self.aig = aig
        self.bdd = Bdd(budget)
        self.root = root
        self.letter_level = level
        self.end = width
        self._obligation: dict[int, int] = {0: 1, 1: 0}  # of references
        self._owner: list[int] = []  # of the levels below the end, the node
        self._mask: dict[int, int] = {0: 0, 1: 0}
        self._going: dict[int, int] = {0: 0, 1: 1}
        self.implications = Implications(aig, self.bdd, self.end) if tidy else None
        self.base = aig.below(root)
        self.cells: list[tuple[int, int]] = []
        """Of each cell its kind, and the node that it counts for or the reference whose residual it keeps."""
        self._cell: dict[tuple[int, int], int] = {}
        self._order: list[int] = []  # nodes that depend on the memory, each after those it depends on
        self.needs: dict[int, int] = {}  # cells that a node depends on, as a bit mask
        self._ahead: set[int] = set()  # nodes that look at the future
        self._now: dict[int, int] = {}  # diagrams that do not depend on the memory
        self._next: dict[int, int] = {}  # residuals progressed, those that do not depend on the memory
        self._collect(budget)
        for n in self.base:
            if not self.needs[n]:
                self._diagram(n, self._now, None)

    # ------------------------------------------------------------ memory

    def _collect(self, budget: Budget) -> None:
        """Find the cells of memory and who depends on which; arguments come before what they are arguments of."""
        kind, args = self.aig.kind, self.aig.args
        for n in self.base:
            if n in self.needs:
                continue
            mask = 0
            for r in args[n]:
                mask |= self.needs[r >> 1]
                if r >> 1 in self._ahead:
                    self._ahead.add(n)
            if kind[n] == UNTIL:
                self._ahead.add(n)
            if kind[n] == SINCE:
                self._remember(n, mask, budget)
            else:
                self.needs[n] = mask
                if mask:
                    self._order.append(n)

    def _remember(self, n: int, mask: int, budget: Budget) -> None:
        """The cells of a window of the past: it and the later windows of which it reads the residual."""
        chain = []
        while n not in self.needs:
            chain.append(n)
            a, b = self.aig.window[n]
            if chain[0] in self._ahead:
                self._ahead.add(n)
                cell = RESIDUAL
            else:
                cell = YOUNGEST if a == 0 else OLDEST if b is None else RESIDUAL
            if cell != RESIDUAL:
                own = self._new_cell((cell, n))
                break
            if b is not None and len(self.cells) + (b if n in self._ahead else a) > budget.states:
                # a window that is remembered step by step tells about as many pasts apart: it would not fit either way
                raise OverBudgetError(f"{budget.states:,} states")
            if a > budget.states:
                raise OverBudgetError(f"{budget.states:,} states")
            later = self.aig.later(n)
            assert later is not None
            own = self._new_cell((RESIDUAL, later))
            if later >> 1 == n or self.aig.kind[later >> 1] != SINCE:
                break
            n = later >> 1
        else:
            own = 0
        # each needs the cells of its own later windows, and no others
        below = mask
        last = chain[-1]
        if own:
            below |= own
            kind, what = self.cells[own.bit_length() - 1]
            if kind == RESIDUAL and what >> 1 != last:
                below |= self.needs[what >> 1]
        else:
            below |= self._own(last) | self.needs[n]
        self.needs[last] = below
        for part in reversed(chain[:-1]):
            below |= self._own(part)
            self.needs[part] = below
        self._order += reversed(chain)

    def _new_cell(self, cell: tuple[int, int]) -> int:
        at = self._cell.get(cell)
        if at is None:
            at = self._cell[cell] = len(self.cells)
            self.cells.append(cell)
        return 1 << at

    def _own(self, n: int) -> int:
        """The cell that a window of the past reads, as a bit mask."""
        later = self.aig.later(n)
        assert later is not None
        return 1 << self._cell[RESIDUAL, later]

    # ------------------------------------------------------------ states

    def start(self) -> tuple[int, tuple[int, ...]]:
        """The state before step 0: the root is to hold there, and nothing past has."""
        return self.obligation(self.root), (0,) * len(self.cells)

    def step(self, residual: int, memory: tuple[int, ...]) -> tuple[int, ...]:
        """What the residual and each cell become, as functions of the letter, ``end`` and the obligations."""
        if not self.cells:
            return (self.progressed(residual),)
        now: dict[int, int] = {}
        following: dict[int, int] = {}
        relevant = self.needed(residual)
        state = memory, following
        for n in self._order:
            if self.needs[n] & relevant == self.needs[n]:
                self._diagram(n, now, state)
        after = [self._compose(residual, now, following)]
        for k, (kind, what) in enumerate(self.cells):
            if not relevant >> k & 1:
                after.append(0)
            elif kind == RESIDUAL:
                after.append(self.going_on(self._at(what, now)))
            else:
                after.append(self._counted(kind, what, memory[k], now))
        return tuple(after)

    def _counted(self, kind: int, n: int, stored: int, now: dict[int, int]) -> int:
        """What a counter becomes: a function of the letter whose values are constants."""
        bdd = self.bdd
        a, b = self.aig.window[n]
        f, g = (self._at(r, now) for r in self.aig.args[n])
        value = bdd.values[stored]
        if kind == YOUNGEST:  # one more than the age, as long as it is of use at the next step
            older = 1 if value and b is None else value + 1 if value and b is not None and value < b else 0
            return bdd.ite(g, 1, bdd.ite(f, bdd.terminal(older), 0))
        return bdd.ite(f, bdd.terminal(min(value + 1, a)), g) if value else g

    def split(self, parts: tuple[int, ...]) -> tuple[bool, int, tuple[int, ...]]:
        """Acceptance, residual and memory from what :meth:`step` gives once the letter is known; canonical."""
        head = parts[0]
        if self.bdd.level[head] == self.end:
            accepting, residual = self.bdd.high[head] == 1, self.bdd.low[head]
        else:
            accepting, residual = head == 1, head
        if len(parts) == 1:
            return accepting, residual, ()
        needed = self.needed(residual)
        return accepting, residual, tuple(m if needed >> k & 1 else 0 for k, m in enumerate(parts[1:]))

    def needed(self, residual: int) -> int:
        """The cells that matter to a residual, as a bit mask."""
        made = self._mask.get(residual)
        if made is None:
            bdd = self.bdd
            made = self.needs_of(self._owner[bdd.level[residual] - self.end - 1])
            made |= self.needed(bdd.low[residual]) | self.needed(bdd.high[residual])
            self._mask[residual] = made
        return made

    def needs_of(self, n: int) -> int:
        """The cells that a node depends on; a window's later forms depend on those of its arguments."""
        mask = self.needs.get(n)
        if mask is None:
            mask = 0
            for r in self.aig.args[n]:
                mask |= self.needs_of(r >> 1)
            self.needs[n] = mask
        return mask

    # ------------------------------------------------------------ diagrams

    def obligation(self, ref: int) -> int:
        """What ``ref`` says of the next step, given that there is one: it distributes over the connectives."""
        memo = self._obligation
        made = memo.get(ref)
        if made is None:
            bdd, kind, args = self.bdd, self.aig.kind, self.aig.args
            todo = [ref & ~1]
            while todo:
                at = todo[-1]
                if at in memo:
                    todo.pop()
                    continue
                n = at >> 1
                if kind[n] == AND:
                    missing = [r & ~1 for r in args[n] if r & ~1 not in memo]
                    if missing:
                        todo += missing
                        continue
                    made = 1
                    for r in args[n]:
                        made = bdd.and_(made, bdd.not_(memo[r & ~1]) if r & 1 else memo[r])
                else:
                    level = self.end + 1 + len(self._owner)
                    self._owner.append(n)
                    if self.implications is not None:
                        self.implications.add(n, level)
                    made = bdd.var(level)
                memo[at] = made
                todo.pop()
            made = memo[ref & ~1]
            if ref & 1:
                made = memo[ref] = bdd.not_(made)
        return made

    def _at(self, ref: int, now: dict[int, int]) -> int:
        """The diagram of a reference whose node has one."""
        n = ref >> 1
        made = now.get(n)
        if made is None:
            made = self._now.get(n)
            if made is None:
                made = self._diagram(n, self._now if not self.needs_of(n) else now, None)
        return self.bdd.not_(made) if ref & 1 else made

    def _diagram(self, n: int, now: dict[int, int], state: tuple[tuple[int, ...], dict[int, int]] | None) -> int:
        """What a node says of this step, from the diagrams of its arguments in ``now`` (or without memory)."""
        made = now.get(n)
        if made is not None:
            return made
        bdd, aig = self.bdd, self.aig
        kind = aig.kind[n]
        if kind == AND:
            made = 1
            for r in aig.args[n]:
                made = bdd.and_(made, self._at(r, now))
            if self.implications is not None:
                made = self.implications.tidied(made)
        elif kind == ATOM:
            made = bdd.var(self.letter_level[n])
        elif kind in (UNTIL, SINCE):
            f, g = aig.args[n]
            a, _ = aig.window[n]
            if kind == UNTIL:
                later = aig.later(n)  # there is a next step, and it holds there
                rest = 0 if later is None else bdd.node(self.end, self.obligation(later), 0)
            else:
                assert state is not None
                rest = self._past(n, now, state)
            if f:
                rest = bdd.and_(self._at(f, now), rest)
            made = rest if a > 0 else bdd.or_(self._at(g, now), rest)
            if self.implications is not None:
                made = self.implications.tidied(made)
        else:
            made = 1
        now[n] = made
        return made

    def _past(self, n: int, now: dict[int, int], state: tuple[tuple[int, ...], dict[int, int]]) -> int:
        """What the memory says of a window of the past, before its left side is asked for at this step."""
        memory, following = state
        a, b = self.aig.window[n]
        at = self._cell.get((YOUNGEST, n))
        if at is not None:
            value = self.bdd.values[memory[at]]
            return int(value > 0 and (b is None or value <= b))
        at = self._cell.get((OLDEST, n))
        if at is not None:
            return int(self.bdd.values[memory[at]] >= a)
        later = self.aig.later(n)
        assert later is not None
        return self._compose(memory[self._cell[RESIDUAL, later]], now, following)

    def progressed(self, residual: int) -> int:
        """A residual with each obligation replaced by what its formula says now; no memory is involved."""
        return self._compose(residual, self._now, self._next)

    def _compose(self, residual: int, now: dict[int, int], following: dict[int, int]) -> int:
        if residual < 2:
            return residual
        if following is not self._next and not self.needed(residual):
            return self._compose(residual, self._now, self._next)
        made = following.get(residual)
        if made is None:
            bdd = self.bdd
            n = self._owner[bdd.level[residual] - self.end - 1]
            high = self._compose(bdd.high[residual], now, following)
            low = self._compose(bdd.low[residual], now, following)
            made = bdd.ite(self._at(2 * n, now), high, low)
            if self.implications is not None:
                made = self.implications.tidied(made)
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
