"""One period of a closed loop as sets: the control at its start, then validated Taylor steps in continuous time.

Enclosures of a step: Nedialkov, Jackson, Corliss, "Validated solutions of initial value problems for ordinary
differential equations", 1999 (a-priori enclosure by Picard iteration, Taylor expansion with the remainder over it).
Sets are zonotopes whose generators states and controls share, so that the loop's feedback is kept; orders are reduced
by boxing the shortest generators (Girard, "Reachability of uncertain linear systems using zonotopes", HSCC 2005), never
those of the initial set. A disturbance may vary in time: its effect is bounded by the variational inequality
``|e|' <= |J| |e| + |B| w`` over the enclosure.

What is lost in a period is made a little wider than need be (:data:`SPARE`), and sets are rounded to float32, so that a
checker with other arithmetic finds each set to contain the image of the one before. Generators have fixed places for
the same reason: those before the period, one for each input, one for each state of every substep but the last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agentc.compiler.systems.graph import Graph
from agentc.runtime.verify.reach.forms import Form, constant
from agentc.runtime.verify.reach.intervals import Floats, Interval, up
from agentc.runtime.verify.reach.series import VAST, FormRing, IntervalRing, Series, interval_of

SPARE, CONTROL, REMAINDER = 1e-3, 0.02, 4.0
"""How much wider slack is than need be: by this part of it and of what the control lost, remainders by this factor."""

STRAYS = 8
"""Terms of the series that bounds what disturbances do."""

Control = Callable[[list[Form]], tuple[Sequence[Form], Floats]]
"""From the states to the inputs, with the blame of each generator."""


@dataclass(frozen=True)
class Loop:
    """A closed loop.

    Attributes:
        states: their names, in the order of the roots of ``rates``.
        inputs: their names, in the order of what ``control`` gives.
        rates: the graph of the equations.
        slopes: graphs of the Jacobians of the rates by states and by disturbances, row by row; only where there are
            disturbances.
        disturbances: each with its bounds.
        control: what sets the inputs; None where there are none.
        period: seconds between two readings of the state.
        discrete: whether ``rates`` are next values.
        substeps: integration steps of a period.
        order: of the Taylor expansion.
        limit: the most generators that are kept.
    """

    states: tuple[str, ...]
    inputs: tuple[str, ...]
    rates: Graph
    control: Control | None
    period: float
    disturbances: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    slopes: tuple[Graph, Graph] | None = None
    discrete: bool = False
    substeps: int = 1
    order: int = 4
    limit: int = 60


@dataclass(frozen=True)
class Period:
    """One period: the forms at its end, over each substep (the tube), where the enclosure was lost, and the blame.

    The first generators of the end are those of the period at the places ``kept``, ``(batch, count)``; then comes one
    for each state.
    """

    end: list[Form]
    tube: list[list[Form]]
    lost: Any
    blame: Floats
    kept: Any


def advance(loop: Loop, states: list[Form]) -> Period:
    """The sets after and during one period, for states without slack."""
    size, n, before = len(states[0].c), len(states), states[0].g.shape[1]
    lost = np.zeros(size, bool)
    blame = np.zeros((size, states[0].g.shape[1]))
    held: dict[str, Form] = {}
    if loop.control is not None:
        given, blame = loop.control(states)
        forms = _owned([*states, *given], n)
        states, held = forms[:n], dict(zip(loop.inputs, forms[n:], strict=True))
    if loop.discrete:
        states, lost = _next(loop, states, held)
        end, kept = _settled(loop, states, slice(before, before + len(held)))
        return Period(end, [], lost, blame, kept)
    tube: list[list[Form]] = []
    for substep in range(loop.substeps):
        if substep:
            states = _owned(states, 0)
            held = {name: _wider(form, n) for name, form in held.items()}
        states, during, bad = _flow(loop, states, held, loop.period / loop.substeps)
        tube.append(during)
        lost |= bad
    end, kept = _settled(loop, states, slice(before, before + len(held)))
    return Period(end, tube, lost, blame, kept)


def _owned(forms: list[Form], first: int) -> list[Form]:
    """The forms with the slack of each from the ``first`` one on as a generator of its own."""
    wider = [_wider(form, len(forms) - first) for form in forms]
    before = forms[0].g.shape[1]
    for i, form in enumerate(forms[first:]):
        wider[first + i].g[:, before + i] = form.r
    return [Form(f.c, f.g, np.zeros_like(f.r) if i >= first else f.r) for i, f in enumerate(wider)]


def _wider(form: Form, columns: int) -> Form:
    return Form(form.c, np.pad(form.g, ((0, 0), (0, columns))), form.r)


def _settled(loop: Loop, states: list[Form], control: slice) -> tuple[list[Form], Any]:
    """At most ``limit`` generators, the last of each state for its slack, and which are kept; the first ones always.

    ``control`` are the generators of what the control lost, in which two bounds of one network differ a little.
    """
    n = len(states)
    g = np.stack([f.g for f in states])
    size = np.abs(g)
    width = np.maximum(size.sum(axis=2, keepdims=True), 1e-300)
    score = (size / width).sum(axis=0) - (size / width).max(axis=0)
    score[:, :n] = np.inf
    order = np.argsort(-score, axis=1, kind="stable")
    count = min(g.shape[2], loop.limit - n)
    kept, rest = order[:, :count], order[:, count:]
    lost = np.abs(np.take_along_axis(g, rest[None], axis=2)).sum(axis=2)
    made = []
    for i, form in enumerate(states):
        c, columns = _single(form.c), np.take_along_axis(form.g, kept, axis=1)
        chosen = _single(columns)
        rounding = np.abs(columns - chosen).sum(axis=1) + np.abs(form.c - c)
        own = np.zeros((len(c), n))
        slack = (form.r + lost[i] + rounding) * (1 + SPARE) + 1e-9 * (np.abs(form.c) + size[i].sum(axis=1) + form.r)
        slack += CONTROL * size[i, :, control].sum(axis=1)
        own[:, i] = _single(slack * (1 + 2.0**-23)) + 1e-40
        made.append(Form(c, np.concatenate([chosen, own], axis=1), np.zeros_like(c)))
    return made, kept


def settled_alone(loop: Loop, states: list[Form]) -> list[Form]:
    """Sets without slack, at most ``limit`` generators, between two periods."""
    return _settled(loop, states, slice(0, 0))[0]


def _single(x: Floats) -> Floats:
    """The nearest float32 numbers, none of them too large for one."""
    return np.clip(x, -1e38, 1e38).astype(np.float32).astype(np.float64)


def _next(loop: Loop, states: list[Form], held: Mapping[str, Form]) -> tuple[list[Form], Any]:
    """The next values of a difference equation; disturbances are slacks of their own."""
    ring = FormRing(states[0])
    constants: dict[str, Any] = dict(held)
    for name, (lo, hi) in loop.disturbances.items():
        constants[name] = constant(0.0, states[0]).widened(Interval(np.float64(lo), np.float64(hi)))
    found = Series(loop.rates, ring, constants).run(dict(zip(loop.states, states, strict=True)), 1)
    end = [ring.form(found[name][1]) for name in loop.states]
    return _finite(end)


def _flow(
    loop: Loop, states: list[Form], held: Mapping[str, Form], h: float
) -> tuple[list[Form], list[Form], Any]:
    """Sets at and up to ``h``, and where nothing is known."""
    start = {name: form.range for name, form in zip(loop.states, states, strict=True)}
    fixed: dict[str, Any] = {name: form.range for name, form in held.items()}
    disturbed = {name: Interval(np.float64(lo), np.float64(hi)) for name, (lo, hi) in loop.disturbances.items()}
    middle = {name: 0.5 * (lo + hi) for name, (lo, hi) in loop.disturbances.items()}
    enclosure, lost = _enclosure(loop, start, {**fixed, **disturbed}, h)
    rough = Series(loop.rates, IntervalRing(), {**fixed, **middle}).run(enclosure, loop.order + 1)
    ring = FormRing(states[0])
    fine = Series(loop.rates, ring, {**held, **middle}).run(dict(zip(loop.states, states, strict=True)), loop.order)
    strays = _strays(loop, enclosure, {**fixed, **disturbed}, h)
    end, during = [], []
    for i, name in enumerate(loop.states):
        terms = [ring.form(v) for v in fine[name]]
        last = interval_of(rough[name][loop.order + 1])
        power, total = Interval(np.float64(1.0), np.float64(1.0)), terms[0]
        span = terms[0]
        along = constant(0.0, states[0])
        for k in range(1, loop.order + 1):
            power = power * interval_of(h)
            total = total + terms[k].scaled(h**k).widened(_unit(terms[k], h**k))
            half = 0.5 * h**k
            if k == 1:  # t = h / 2 + h / 2 * e with a generator of its own
                span = span + terms[1].scaled(half)
                along = Form(terms[1].c * half, along.g, terms[1].radius * half)
            else:
                reach = terms[k].range.scaled(half)
                wide = np.maximum(np.abs(reach.lo), np.abs(reach.hi))
                span = (span + terms[k].scaled(half)).widened(Interval(-wide, wide))
            span = span.widened(_unit(terms[k], h**k))
        power = power * interval_of(h)
        remainder = _spread(last * power)
        total = total.widened(_bounded(remainder))
        past = _spread(last * Interval(np.float64(0.0), power.hi))
        span = span.widened(_bounded(past))
        stray = Interval(-strays[i], strays[i])
        end.append(total.widened(stray))
        g = np.concatenate([span.g, along.c[:, None]], axis=1)
        r = up(up(span.r + along.r) + strays[i]) * (1 + 1e-13) + 4 * 2.0**-53 * np.abs(along.c)
        during.append(Form(span.c, g, r))
    end, bad = _finite(end)
    during, worse = _finite(during)
    return end, during, lost | bad | worse


def _spread(interval: Interval) -> Interval:
    wide = REMAINDER * interval.radius + 1e-3 * interval.size
    return Interval(interval.middle - wide, interval.middle + wide)


def _unit(form: Form, factor: float) -> Interval:
    """Room for what rounding a power of the step can change."""
    wide = 8 * 2.0**-53 * factor * (np.abs(form.c) + form.radius)
    return Interval(-wide, wide)


def _bounded(interval: Interval) -> Interval:
    return Interval(np.clip(interval.lo, -VAST, VAST), np.clip(interval.hi, -VAST, VAST))


def _finite(forms: list[Form]) -> tuple[list[Form], Any]:
    """The forms with those of the batch that have grown beyond all use replaced by zero, and which they are."""
    bad = np.zeros(len(forms[0].c), bool)
    for form in forms:
        size = np.abs(form.c) + form.radius
        bad |= ~(size < 1e12)
    if not bad.any():
        return forms, bad
    keep = ~bad
    return [
        Form(np.where(keep, f.c, 0.0), np.where(keep[:, None], f.g, 0.0), np.where(keep, f.r, 0.0)) for f in forms
    ], bad


def _enclosure(
    loop: Loop, start: dict[str, Interval], fixed: dict[str, Any], h: float
) -> tuple[dict[str, Interval], Any]:
    """Intervals that the states do not leave up to ``h``, and where none was found."""
    time = Interval(np.float64(0.0), np.float64(h))

    def picard(box: dict[str, Interval]) -> dict[str, Interval]:
        rates = Series(loop.rates, IntervalRing(), fixed).run(box, 1)
        return {name: start[name] + _bounded(interval_of(rates[name][1])) * time for name in loop.states}

    box = picard(start)
    inside = np.zeros_like(box[loop.states[0]].lo, bool)
    for _ in range(20):  # what is found is inflated, not what was tried: that would grow faster than what depends on it
        box = {name: _where(inside, box[name], _inflated(box[name])) for name in box}
        found = picard(box)
        inside = np.all([found[name].within(box[name]) for name in box], axis=0)
        if inside.all():
            tighter = picard(found)
            return tighter, np.zeros_like(inside)
        box = {name: _where(inside, box[name], found[name]) for name in box}
    vast = {name: Interval(np.where(inside, box[name].lo, -VAST), np.where(inside, box[name].hi, VAST)) for name in box}
    return vast, ~inside


def _where(choice: Any, one: Interval, other: Interval) -> Interval:
    return Interval(np.where(choice, one.lo, other.lo), np.where(choice, one.hi, other.hi))


def _inflated(interval: Interval) -> Interval:
    extra = 0.05 * (interval.hi - interval.lo) + 1e-9 * (1 + interval.size)
    return Interval(interval.lo - extra, interval.hi + extra)


def _strays(loop: Loop, box: dict[str, Interval], fixed: dict[str, Any], h: float) -> list[Any]:
    """How far disturbances can carry each state from where their middle would, up to ``h``."""
    n, size = len(loop.states), len(box[loop.states[0]].lo)
    if loop.slopes is None or not loop.disturbances:
        return [np.zeros(size) for _ in range(n)]
    values = {**fixed, **box}
    by_state = np.stack([_size(v, size) for v in _evaluated(loop.slopes[0], values)]).reshape(n, n, size)
    half = np.array([up(0.5 * (hi - lo)) for lo, hi in loop.disturbances.values()])
    by_other = np.stack([_size(v, size) for v in _evaluated(loop.slopes[1], values)]).reshape(n, len(half), size)
    rate = np.einsum("ikb,k->ib", by_other, half) * (1 + 1e-12)

    def after(e: Floats) -> Any:
        return h * (np.einsum("ijb,jb->ib", by_state, e) + rate) * (1 + 1e-12)

    most = after(np.zeros_like(rate))
    for _ in range(60):
        most = np.minimum(after(most) * (1 + 1e-6) + 1e-100, VAST)
    bounded = (after(most) <= most).all(axis=0)  # then no stray passes it, by the comparison theorem
    total, term = np.zeros_like(rate), rate
    for k in range(1, STRAYS + 1):  # sum of h^k / k! |J|^(k - 1) |B| w, and what is left of it
        total = total + h**k / math.factorial(k) * term
        term = np.einsum("ijb,jb->ib", by_state, term)
    for _ in range(STRAYS):
        most = np.einsum("ijb,jb->ib", by_state, most)
    total = (total + h**STRAYS / math.factorial(STRAYS) * most) * (1 + 1e-9)
    return [up(np.where(bounded, np.minimum(t, VAST), VAST)) for t in total]


def _size(value: Any, size: int) -> Any:
    return np.minimum(interval_of(value).size + np.zeros(size), VAST)


def _evaluated(graph: Graph, values: Mapping[str, Any]) -> list[Any]:
    """The roots of a graph over intervals."""
    names = tuple(f"root{i}" for i in range(len(graph.roots)))
    found = Series(graph, IntervalRing(), values).run(dict.fromkeys(names, 0.0), 1)
    return [found[name][1] for name in names]
