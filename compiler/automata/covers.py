"""Guards in words: the letters between two states as a short sum of products over the atoms.

Source: Minato, *Fast generation of irredundant sum-of-products forms from binary decision diagrams*, SASIMI 1992
(the procedure ISOP); letters that the alphabet rules out are its don't-cares.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentc.compiler.automata.bdd import Bdd, Budget, recursion
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.logic.ir import Formula, show

Cube = tuple[tuple[int, bool], ...]
"""A conjunction of literals: atom index and sign; the empty one is true."""

_NO, _YES = 0, 1

MAX_NODES, MAX_SECONDS = 1_000_000, 20.0


def guards(dfa: DFA, state: int) -> dict[int, tuple[Cube, ...]]:
    """For each successor of a state an irredundant cover of the letters that lead there, in order of the state.

    Raises ``OverBudgetError`` where the diagrams are too large to be said in words.
    """
    table = Bdd(Budget(MAX_NODES, MAX_SECONDS))
    with recursion(4 * len(dfa.atoms) + 50):
        memo: dict[tuple[int, int], int] = {}

        def leads(ref: int, target: int) -> int:
            """The letters with which the diagram ``ref`` leads to ``target``."""
            if ref < 0:
                return _YES if ~ref == target else _NO
            key = (ref, target)
            if key not in memo:
                level, low, high = dfa.nodes[ref]
                memo[key] = table.ite(table.var(level), leads(high, target), leads(low, target))
            return memo[key]

        root = dfa.roots[state]
        outside = leads(root, dfa.size)
        found: dict[int, tuple[Cube, ...]] = {}
        for target in sorted(dfa.successors(state)):
            on = leads(root, target)
            cubes, _ = _isop(table, on, table.or_(on, outside), {})
            found[target] = tuple(sorted(cubes, key=lambda c: (len(c), c)))
        return found


def _cofactors(table: Bdd, ref: int, level: int) -> tuple[int, int]:
    return (table.low[ref], table.high[ref]) if table.level[ref] == level else (ref, ref)


def _isop(
    table: Bdd, lower: int, upper: int, memo: dict[tuple[int, int], tuple[list[Cube], int]]
) -> tuple[list[Cube], int]:
    """A cover between ``lower`` and ``upper``, and the function that it covers."""
    if lower == _NO:
        return [], _NO
    if upper == _YES:
        return [()], _YES
    key = (lower, upper)
    if key in memo:
        return memo[key]
    top = min(table.level[lower], table.level[upper])
    l0, l1 = _cofactors(table, lower, top)
    u0, u1 = _cofactors(table, upper, top)
    c0, f0 = _isop(table, table.and_(l0, table.not_(u1)), u0, memo)
    c1, f1 = _isop(table, table.and_(l1, table.not_(u0)), u1, memo)
    rest = table.or_(table.and_(l0, table.not_(f0)), table.and_(l1, table.not_(f1)))
    cd, fd = _isop(table, rest, table.and_(u0, u1), memo)
    cubes = [((top, False), *c) for c in c0] + [((top, True), *c) for c in c1] + cd
    covered = table.ite(table.var(top), table.or_(f1, fd), table.or_(f0, fd))
    memo[key] = cubes, covered
    return cubes, covered


def atom_text(atom: Formula) -> str:
    """The atom as the language writes it, without outer parentheses."""
    return show(atom.predicate)


def cube_text(cube: Cube, names: list[str]) -> str:
    """A product in words: ``a & !b``; ``true`` for the empty one."""
    negated = [f"!({name})" if " " in name else f"!{name}" for name in names]
    return " & ".join(names[k] if sign else negated[k] for k, sign in cube) or "true"


def guard_text(cubes: tuple[Cube, ...], dfa: DFA, named: Mapping[Formula, str] | None = None) -> str:
    """A guard in the language's syntax; atoms that are ``named`` propositions go by their names."""
    names = [(named or {}).get(a) or atom_text(a) for a in dfa.atoms]
    parts = [cube_text(c, names) for c in cubes]
    if len(parts) == 1:
        return parts[0]
    return " | ".join(f"({p})" if " & " in p else p for p in parts) or "false"
