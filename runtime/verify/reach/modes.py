"""Reachable sets of systems with modes: at each sample a few sets, each with the mode that the system is in.

The language takes transitions at samples: after a step the first one whose guard holds. A guard that is true, or false,
on the whole of a set decides for all of it. Where it is neither, both ways are followed, each with what the guard's
comparisons with constants leave of the set. Of more than :data:`MOST` sets the two of one mode that are nearest are
joined in a box, which forgets their dependence. Alur et al., "The algorithmic analysis of hybrid systems", TCS 138,
1995, with events at samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from agentc.compiler.agent import SystemIR, VariableIR
from agentc.compiler.systems.dynamics import Jump
from agentc.compiler.systems.graph import Graph
from agentc.runtime.verify.reach.forms import Form, of_interval
from agentc.runtime.verify.reach.intervals import Floats, Interval
from agentc.runtime.verify.reach.loop import Loop, advance, settled_alone
from agentc.runtime.verify.reach.truth import Pair, Run, TruthArithmetic, surely

if TYPE_CHECKING:
    from agentc.runtime.verify.reach.prove import Followed, Question

Box = tuple[Floats, Floats]
Sets = list[tuple[int, list[Form]]]
MOST = 6
"""Sets that are followed at a time."""
_FLIPPED = {"<=": ">", "<": ">=", ">=": "<", ">": "<="}
_TURNED = {"<=": ">=", "<": ">", ">=": "<=", ">": "<"}


@dataclass(frozen=True)
class Modes:
    """The loop of each mode, and its transitions in order."""

    loops: tuple[Loop, ...]
    jumps: tuple[tuple[Jump, ...], ...]


def mode_variable(system: SystemIR) -> tuple[VariableIR, ...]:
    """The signal ``mode`` of a system that has modes."""
    if not system.modes or any(v.name == "mode" for v in system.variables):
        return ()
    return (VariableIR("mode", "state", "enum", tuple(m.name for m in system.modes)),)


def follow_modes(question: Question, lo: Floats, hi: Floats, deadline: float) -> Followed | None:
    """As :func:`.prove.follow`, a box after the other; None if the time is over before."""
    from agentc.runtime.verify.reach.prove import Followed, doomed, initial

    n, count = lo.shape[1], len(lo)
    sure, until, blame = np.zeros(count, bool), np.full(count, question.steps), np.array(hi - lo)
    lows = [np.full((count, n), -np.inf) for _ in range(question.steps + 1)]
    highs = [np.full((count, n), np.inf) for _ in range(question.steps + 1)]
    for row in range(count):
        sets: Sets = [(0, initial(lo[row : row + 1], hi[row : row + 1]))]
        run = Run(question.atoms, question.loop.states, question.loop.discrete)
        _note(run.samples, [_named(question, mode, forms) for mode, forms in sets], question)
        lows[0][row], highs[0][row] = lo[row], hi[row]
        for step in range(1, question.steps + 1):
            if monotonic() > deadline:
                return None
            moved = _step(question, sets)
            if moved is None:
                until[row] = step
                break
            sets, tubes = moved
            if tubes:
                _note(run.between, tubes, question)
            else:
                for atom in run.between:
                    run.between[atom].append((np.ones(1, bool), np.ones(1, bool)))
            _note(run.samples, [_named(question, mode, forms) for mode, forms in sets], question)
            boxes = [_box(forms) for _, forms in sets]
            lows[step][row] = np.min([a for a, _ in boxes], axis=0)
            highs[step][row] = np.max([b for _, b in boxes], axis=0)
            if doomed(question.formula, run, question.steps).any():
                until[row] = step
                break
        else:
            sure[row] = bool(surely(question.formula, run)[0])
    return Followed(sure, until, blame, lows, highs, None)


def _step(question: Question, sets: Sets) -> tuple[Sets, list[dict[str, Any]]] | None:
    """The sets after a period, and the tubes with the names of what they are of; None where one is lost."""
    assert question.modes is not None
    arrived: Sets = []
    tubes: list[dict[str, Any]] = []
    for mode, forms in sets:
        period = advance(question.modes.loops[mode], forms)
        if period.lost.any():
            return None
        tubes += [_named(question, mode, part) for part in period.tube]
        rest: list[Form] | None = period.end
        for jump in question.modes.jumps[mode]:
            assert rest is not None
            values = dict(zip(question.loop.states, rest, strict=True))
            guard, *_ = jump.graph.walk(TruthArithmetic(rest[0]), values)
            if guard[1][0]:
                continue
            taken = rest if guard[0][0] else _cut(question, jump.graph, rest, True)
            if taken is not None:
                arrived.append((jump.target, _reset(question, jump.graph, taken)))
            rest = None if guard[0][0] else _cut(question, jump.graph, rest, False)
            if rest is None:
                break
        if rest is not None:
            arrived.append((mode, rest))
    return _fewer(arrived), tubes


def _named(question: Question, mode: int, forms: Sequence[Form]) -> dict[str, Any]:
    return {**dict(zip(question.loop.states, forms, strict=True)), "mode": float(mode)}


def _note(table: Mapping[Any, list[Pair]], parts: Sequence[Mapping[str, Any]], question: Question) -> None:
    """What is sure of an atom is sure of all parts."""
    found: dict[Any, list[Pair]] = {atom: [] for atom in question.atoms}
    for values in parts:
        arithmetic = TruthArithmetic(values[question.loop.states[0]])
        for atom, graph in question.atoms.items():
            found[atom].append(graph.walk(arithmetic, values)[0])
    for atom, pairs in found.items():
        table[atom].append((np.all([p[0] for p in pairs], axis=0), np.all([p[1] for p in pairs], axis=0)))


def _reset(question: Question, graph: Graph, forms: list[Form]) -> list[Form]:
    arithmetic = TruthArithmetic(forms[0])
    _, *values = graph.walk(arithmetic, dict(zip(question.loop.states, forms, strict=True)))
    return settled_alone(question.loop, [arithmetic.number(v) for v in values])


def _box(forms: Sequence[Form]) -> Box:
    ranges = [f.range for f in forms]
    return np.array([r.lo[0] for r in ranges]), np.array([r.hi[0] for r in ranges])


def _fewer(sets: Sets) -> Sets:
    """At most :data:`MOST` sets, but one for each mode at least."""
    from agentc.runtime.verify.reach.prove import initial

    while len(sets) > MOST:
        boxes = [_box(forms) for _, forms in sets]
        width = np.max([b for _, b in boxes], axis=0) - np.min([a for a, _ in boxes], axis=0) + 1e-300
        near = [
            (float((np.abs(boxes[i][0] - boxes[j][0] + boxes[i][1] - boxes[j][1]) / width).sum()), i, j)
            for j in range(len(sets)) for i in range(j) if sets[i][0] == sets[j][0]
        ]  # fmt: skip
        if not near:
            return sets
        _, i, j = min(near)
        (a, b), (c, d) = boxes[i], boxes[j]
        joined = initial(np.minimum(a, c)[None], np.maximum(b, d)[None])
        sets = [*(one for k, one in enumerate(sets) if k not in (i, j)), (sets[i][0], joined)]
    return sets


def _cut(question: Question, graph: Graph, forms: list[Form], want: bool) -> list[Form] | None:
    """What comparisons of states with constants leave of a set where the guard is ``want``; None if nothing is left.

    A state whose range gets narrower is independent of the others from then on.
    """
    lo, hi = _box(forms)
    a, b = lo.copy(), hi.copy()
    _contract(question.loop.states, graph, graph.roots[0], want, a, b)
    if (a > b).any():
        return None
    made = list(forms)
    for i in np.flatnonzero(b - a < (1 - 1e-6) * (hi - lo)):
        made[i] = of_interval(Interval(a[i : i + 1], b[i : i + 1]), forms[0])
    return settled_alone(question.loop, made)


def _contract(names: Sequence[str], graph: Graph, at: int, want: bool, lo: Floats, hi: Floats) -> None:
    """Narrow ``[lo, hi]`` in place to what a condition leaves; closed, which is sound."""
    op, args, value = graph.nodes[at]
    open_ = [arg for arg in args if not _decided(names, graph, arg, not want, lo, hi)]
    if op == "not":
        _contract(names, graph, args[0], not want, lo, hi)
    elif op == ("or" if want else "and") and len(open_) == 1:  # the others cannot be what makes it so
        _contract(names, graph, open_[0], want, lo, hi)
    elif op == ("and" if want else "or"):
        for arg in args:
            _contract(names, graph, arg, want, lo, hi)
    elif op == "compare" and value in _FLIPPED:
        left, right = graph.nodes[args[0]], graph.nodes[args[1]]
        sign = str(value) if want else _FLIPPED[str(value)]
        if left.op == "const":
            left, right, sign = right, left, _TURNED[sign]
        if left.op == "var" and right.op == "const" and left.value in names:
            i, limit = list(names).index(str(left.value)), float(right.value or 0.0)
            if sign in ("<=", "<"):
                hi[i] = min(hi[i], limit)
            else:
                lo[i] = max(lo[i], limit)


def _decided(names: Sequence[str], graph: Graph, at: int, want: bool, lo: Floats, hi: Floats) -> bool:
    """Whether a comparison of a state with a constant is ``want`` on the whole box."""
    a, b = lo.copy(), hi.copy()
    if graph.nodes[at].op == "compare":
        _contract(names, graph, at, not want, a, b)
    return bool((a > b).any())
