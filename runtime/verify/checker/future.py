"""The future operators over a tube, for the ``reach`` checker: what surely holds of every run in it.

A run of ``N`` periods has ``2 N + 1`` slots: sample 0, the moments up to sample 1, sample 1, and so on. In negation
normal form each part of a formula has a truth value for each slot: that it holds at the sample, or at every moment
between two. ``always`` asks for all slots of a window, ``eventually`` for a sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Formula, postorder
from agentc.runtime.verify.checker import RejectedError


def holds(formula: Formula, truths: Mapping[Any, Any], periods: int, discrete: bool, count: int) -> Any:
    """Where the formula surely holds at the start: ``(count,)``.

    ``truths`` has of each atom an array ``(2, slots, count)``: surely true, surely false. Of a ``discrete`` system
    there is nothing between samples.
    """
    tables: dict[tuple[Formula, bool], Any] = {}
    for f in postorder(formula):
        if isinstance(f, Formula):
            for want in (True, False):
                table = _table(f, want, tables, truths, periods, (2 * periods + 1, count))
                if discrete:
                    table = table.copy()
                    table[1::2] = True
                tables[f, want] = table
    return tables[formula, True][0]


def _table(f: Formula, want: bool, tables: Any, truths: Any, n: int, shape: tuple[int, int]) -> Any:
    def of(child: Any, wanted: bool) -> Any:
        return tables[child, wanted]

    op, args = f.op, f.args
    match op:
        case "atom":
            return truths[f][0 if want else 1]
        case "true" | "false":
            return np.full(shape, (op == "true") == want)
        case "not":
            return of(args[0], not want)
        case "and" | "or":
            return (np.all if (op == "and") == want else np.any)([of(a, want) for a in args], axis=0)
        case "implies":
            return of(args[0], False) | of(args[1], True) if want else of(args[0], True) & of(args[1], False)
        case "xor" | "iff":
            alike = (op == "iff") == want
            return (of(args[0], True) & of(args[1], alike)) | (of(args[0], False) & of(args[1], not alike))
    if op not in ("F", "G", "X", "WX", "U", "R", "W", "M"):
        raise RejectedError(f"the formula has {op!r}")
    a, b = f.interval or (0, None)
    if op in ("F", "G", "X", "WX"):
        if (op in ("G", "WX")) == want:
            return _release(np.zeros(shape, bool), of(args[0], want), a, b, n)
        return _until(np.ones(shape, bool), of(args[0], want), a, b, n)
    left, right = of(args[0], want), of(args[1], want)
    if op == "W":  # g R (f | g)
        left, right = right, left | right if want else left & right
    elif op == "M":  # g U (f & g)
        left, right = right, left & right if want else left | right
    return (_until if (op in ("U", "M")) == want else _release)(left, right, a, b, n)


def _windows(a: int, b: int | None, n: int) -> Any:
    """Of each slot the least and greatest slot of its window; of moments between samples that of all of them."""
    for slot in range(2 * n + 1):
        t, between = divmod(slot, 2)
        end = n if b is None else min(n, t + between + b)
        yield slot, 2 * (t + a) + (1 if between and a == 0 else 0), 2 * end


def _until(through: Any, goal: Any, a: int, b: int | None, n: int) -> Any:
    """The goal at some sample of the window, ``through`` at all slots before it."""
    found = np.zeros_like(goal)
    free = through.all(axis=1)
    for slot, low, high in _windows(a, b, n):
        if slot % 2:  # a window that every moment has
            low, high = 2 * (slot // 2 + 1 + a), 2 * (n if b is None else min(n, slot // 2 + b))
        held = np.ones(goal.shape[1], bool)
        if free[slot:high].all():
            found[slot] = goal[low : high + 1 : 2].any(axis=0)
            continue
        for s in range(slot, high + 1):
            if s % 2 == 0 and s >= low:
                found[slot] |= goal[s] & held
            held = held & through[s]
            if not held.any():
                break
    return found


def _release(free: Any, held: Any, a: int, b: int | None, n: int) -> Any:
    """At every slot of the window ``held``, or ``free`` at some sample before it."""
    found = np.ones_like(held)
    never = not free[::2].any()
    for slot, low, high in _windows(a, b, n):
        if never:
            found[slot] = held[low : high + 1].all(axis=0)
            continue
        freed = np.zeros(held.shape[1], bool)
        for s in range(slot, high + 1):
            if s >= low:
                found[slot] &= held[s] | freed
            if s % 2 == 0:
                freed = freed | free[s]
    return found
