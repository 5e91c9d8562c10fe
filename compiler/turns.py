"""Intervals of turns, reduced to plain operators: an exact definition, not an approximation.

A turn of a language-model agent is a maximal run of phases that the agent writes, with the results that answer
it. So a turn begins where an agent-written phase follows a result, and ``F[<= k turns] f`` at ``t`` asks for
some ``t' >= t`` with ``f`` and fewer than ``k`` beginnings in ``(t, t']``. The others follow as in steps.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentc.compiler.logic.ir import FALSE, TRUE, Formula, and_, formula, not_, or_, prop


def beginning(written: Iterable[str], results: Iterable[str]) -> Formula:
    """True at the steps at which a turn begins, the first step of the trace left out."""
    answers = or_(*(prop(p) for p in results))
    return and_(or_(*(prop(p) for p in written)), formula("Y", (answers,)))


def within(op: str, args: tuple[Formula, ...], turns: int, start: Formula) -> Formula:
    """``op[<= turns turns]`` of the arguments, where ``start`` marks the beginnings of turns.

    The size is linear in ``turns``. Raises ``ValueError`` for an operator that takes no interval.
    """
    match op:
        case "F" | "O":
            return _until(TRUE, args[0], turns, start, past=op == "O")
        case "G" | "H":
            return not_(_until(TRUE, not_(args[0]), turns, start, past=op == "H"))
        case "U" | "S":
            return _until(args[0], args[1], turns, start, past=op == "S")
        case "R" | "T":
            return not_(_until(not_(args[0]), not_(args[1]), turns, start, past=op == "T"))
        case "M":  # g U (f & g)
            return _until(args[1], and_(*args), turns, start, past=False)
        case "W":  # g R (f | g)
            return not_(_until(not_(args[1]), not_(or_(*args)), turns, start, past=False))
    raise ValueError(f"{op} takes no interval")


def _until(f: Formula, g: Formula, turns: int, start: Formula, *, past: bool) -> Formula:
    """Some step with ``g``, fewer than ``turns`` beginnings away, and ``f`` on the way to it.

    Walk while no turn begins, then end at ``g``, or cross a beginning with one turn less. Forwards the beginning
    is crossed by the step into it, backwards by the step out of it.
    """
    reached = FALSE
    for _ in range(turns):
        if past:
            stay, cross = not_(start), and_(start, formula("Y", (reached,)))
        else:
            stay, cross = formula("X", (not_(start),)), formula("X", (and_(start, reached),))
        on = () if f is TRUE else (f,)
        goal = g if reached is FALSE else or_(g, and_(*on, cross))
        reached = formula("S" if past else "U", (and_(*on, stay), goal))
    return reached
