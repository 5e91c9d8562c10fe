"""Formulas as and-inverter graphs with two temporal operators: what the translation works on.

Source: Kuehlmann, Krohm, *Equivalence checking using cuts and heaps*, DAC 1997 (and-inverter graphs); the reductions
are the definitions of LANGUAGE, "Temporal operators and what they mean".

A function is a *reference* ``2 * node + sign``, sign 1 for the negation, so that negating costs nothing and a formula
and its negation share everything. Nodes are ``true``, atoms, n-ary conjunctions, and the windows ``f U[a,b] g`` and
``f S[a,b] g``. Equal nodes are the same number, arguments have smaller numbers than what they are arguments of, and
the constructors simplify by rules that keep the Boolean meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from agentc.compiler.logic.ir import AUTOMATON, Formula, Value, postorder
from agentc.compiler.logic.rewrite import formula_nodes, localize, reads_previous

TRUE, FALSE = 0, 1

AND, UNTIL, SINCE, ATOM, CONSTANT = range(5)

FLATTENED = 64
"""Conjunctions with more arguments than that stay one argument of a larger one: flattening long chains is quadratic."""

Window = tuple[int, int | None]


class Aig:
    """A table of nodes. ``kind``, ``args`` and ``window`` are by node; an atom's formula is in ``atoms``."""

    def __init__(self) -> None:
        self.kind = [CONSTANT]
        self.args: list[tuple[int, ...]] = [()]
        self.window: list[Window] = [(0, 0)]
        self.atoms: dict[int, Formula] = {}
        self._unique: dict[tuple[object, ...], int] = {}

    def _node(self, kind: int, args: tuple[int, ...], window: Window) -> int:
        key = (kind, args, window)
        made = self._unique.get(key)
        if made is None:
            made = self._unique[key] = len(self.kind)
            self.kind.append(kind)
            self.args.append(args)
            self.window.append(window)
        return 2 * made

    def atom(self, f: Formula) -> int:
        """The reference of an atom."""
        key = (ATOM, f)
        made = self._unique.get(key)
        if made is None:
            made = self._unique[key] = len(self.kind)
            self.kind.append(ATOM)
            self.args.append(())
            self.window.append((0, 0))
            self.atoms[made] = f
        return 2 * made

    def conjunction(self, refs: Iterable[int]) -> int:
        """All of them: flat, without repetition, ``f & !f`` and what another argument absorbs."""
        kind, args = self.kind, self.args
        parts: dict[int, None] = {}
        for r in refs:
            if r < 2:
                if r == FALSE:
                    return FALSE
            elif not r & 1 and kind[r >> 1] == AND and len(args[r >> 1]) <= FLATTENED:
                parts.update(dict.fromkeys(args[r >> 1]))
            else:
                parts[r] = None
        for r in parts:
            if r ^ 1 in parts:
                return FALSE
        absorbed = []
        for r in parts:
            if kind[r >> 1] == AND:
                if r & 1:  # a disjunction of the negated arguments
                    if any(x ^ 1 in parts for x in args[r >> 1]):
                        absorbed.append(r)
                    elif all(x in parts for x in args[r >> 1]):
                        return FALSE
                elif any(x ^ 1 in parts for x in args[r >> 1]):
                    return FALSE
        for r in absorbed:
            del parts[r]
        if len(parts) < 2:
            return next(iter(parts), TRUE)
        return self._node(AND, tuple(sorted(parts)), (0, 0))

    def disjunction(self, refs: Iterable[int]) -> int:
        """Any of them."""
        return self.conjunction([r ^ 1 for r in refs]) ^ 1

    def until(self, kind: int, f: int, g: int, window: Window) -> int:
        """``f U[a,b] g`` or ``f S[a,b] g``."""
        a, b = window
        if g == FALSE:
            return FALSE
        if a == 0:
            if g == TRUE or f in (FALSE, g) or b == 0:
                return g
        elif f == FALSE:
            return FALSE
        if not g & 1 and self.kind[g >> 1] == kind:
            inner, innermost = self.args[g >> 1]
            if inner == f:
                c, d = self.window[g >> 1]
                if f == TRUE:  # F[a,b] F[c,d] g is F[a+c,b+d] g
                    return self._node(kind, (f, innermost), (a + c, None if b is None or d is None else b + d))
                if window == (c, d) == (0, None):  # f U (f U g)
                    return g
        return self._node(kind, (f, g), window)

    def later(self, node: int) -> int | None:
        """A window seen from one step nearer; None if it has passed."""
        a, b = self.window[node]
        if b == 0:
            return None
        f, g = self.args[node]
        return self.until(self.kind[node], f, g, (a - 1 if a else 0, None if b is None else b - 1))

    def below(self, root: int) -> list[int]:
        """The nodes that a reference depends on, itself included, arguments first."""
        seen = {root >> 1}
        todo = [root >> 1]
        while todo:
            for r in self.args[todo.pop()]:
                n = r >> 1
                if n not in seen:
                    seen.add(n)
                    todo.append(n)
        return sorted(seen)

    def letters(self, root: int) -> list[int]:
        """The atoms below a reference, in order of first occurrence."""
        found = []
        seen = set()
        todo = [root >> 1]
        while todo:
            n = todo.pop()
            if n in seen:
                continue
            seen.add(n)
            if self.kind[n] == ATOM:
                found.append(n)
            else:
                todo.extend(r >> 1 for r in reversed(self.args[n]))
        return found


class EmbeddedError(Exception):
    """A formula has automata in it: see :mod:`agentc.compiler.automata.embedded`."""


def encoded(f: Formula, domains: Mapping[str, Sequence[Value]] | None = None) -> tuple[Aig, int]:
    """The graph of a formula, and its reference in it.

    Atoms over the previous step become past ones, over small ``domains`` also those that mix it with the present.
    Raises ``EmbeddedError``.
    """
    order = formula_nodes(f)
    others = [n for n in order if n.op == "atom" and n.predicate.op != "signal"]
    if any(m.op == AUTOMATON for n in others for m in postorder(n)):
        raise EmbeddedError
    if any(map(reads_previous, others)):
        f = localize(f, domains)
        order = formula_nodes(f)
    aig = Aig()
    made: dict[Formula, int] = {}
    for node in order:
        op = node.op
        x = [made[a] for a in node.args] if op != "atom" else []
        w = node.interval or (0, None)
        match op:
            case "atom":
                r = aig.atom(node)
            case "true" | "false":
                r = TRUE if op == "true" else FALSE
            case "not":
                r = x[0] ^ 1
            case "and":
                r = aig.conjunction(x)
            case "or":
                r = aig.disjunction(x)
            case "implies":
                r = aig.conjunction((x[0], x[1] ^ 1)) ^ 1
            case "xor" | "iff":
                both, neither = aig.conjunction(x), aig.conjunction((x[0] ^ 1, x[1] ^ 1))
                r = aig.conjunction((both ^ 1, neither ^ 1)) ^ (op == "iff")
            case "F" | "X":
                r = aig.until(UNTIL, TRUE, x[0], w)
            case "G" | "WX":
                r = aig.until(UNTIL, TRUE, x[0] ^ 1, w) ^ 1
            case "O" | "Y":
                r = aig.until(SINCE, TRUE, x[0], w)
            case "H" | "WY":
                r = aig.until(SINCE, TRUE, x[0] ^ 1, w) ^ 1
            case "U":
                r = aig.until(UNTIL, x[0], x[1], w)
            case "R":
                r = aig.until(UNTIL, x[0] ^ 1, x[1] ^ 1, w) ^ 1
            case "M":  # g U (f & g)
                r = aig.until(UNTIL, x[1], aig.conjunction(x), w)
            case "W":  # g R (f | g)
                r = aig.until(UNTIL, x[1] ^ 1, aig.conjunction((x[0] ^ 1, x[1] ^ 1)), w) ^ 1
            case "S":
                r = aig.until(SINCE, x[0], x[1], w)
            case "T":
                r = aig.until(SINCE, x[0] ^ 1, x[1] ^ 1, w) ^ 1
            case "first":  # no step before this one
                r = aig.until(SINCE, TRUE, TRUE, (1, 1)) ^ 1
            case "last":
                r = aig.until(UNTIL, TRUE, TRUE, (1, 1)) ^ 1
            case _:
                raise ValueError(f"no operator is named {op!r}")
        made[node] = r
    return aig, made[f]
