"""Cover the initial set by boxes, follow each through the loop, and split those for which the formula is not sure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Formula
from agentc.compiler.systems.graph import Graph
from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.intervals import Floats, up
from agentc.runtime.verify.reach.loop import Loop, advance
from agentc.runtime.verify.reach.modes import Modes, follow_modes
from agentc.runtime.verify.reach.truth import Run, surely
from agentc.runtime.verify.reach.tube import MOST, Recorder, Tube

BATCH = 32


@dataclass(frozen=True)
class Question:
    """What is to be shown of a loop: ``formula`` over ``steps`` periods from the box ``[lo, hi]``, both ``(n,)``."""

    loop: Loop
    formula: Formula
    atoms: dict[Formula, Graph]
    steps: int
    lo: Floats
    hi: Floats
    modes: Modes | None = None


@dataclass
class Proof:
    """How far it came.

    Attributes:
        closed: whether the whole box is proved.
        share: of the box's volume that is proved.
        parts: the boxes that are proved, each ``(lo, hi)``.
        tried: how many boxes were followed.
        open: some boxes that are not proved, each with the first step at which it was lost (or the horizon).
        hull: per sample the interval hull of all proved parts: lists of ``(lo, hi)`` of shape ``(n,)``.
        tubes: the sets of each proved part; none if they are too many to keep.
        lo, hi, substeps, order: of the question.
    """

    closed: bool = False
    share: float = 0.0
    parts: list[tuple[Floats, Floats]] = field(default_factory=list)
    tried: int = 0
    open: list[tuple[Floats, Floats, int]] = field(default_factory=list)
    hull: list[tuple[Floats, Floats]] = field(default_factory=list)
    tubes: list[Tube] = field(default_factory=list)
    lo: Floats = field(default_factory=lambda: np.zeros(0))
    hi: Floats = field(default_factory=lambda: np.zeros(0))
    substeps: int = 1
    order: int = 4
    kept: int = 0


def initial(lo: Floats, hi: Floats) -> list[Form]:
    """Boxes ``(batch, n)`` as forms, one generator for each side."""
    size, n = lo.shape
    forms = []
    for i in range(n):
        middle = 0.5 * (lo[:, i] + hi[:, i])
        g = np.zeros((size, n))
        g[:, i] = up(np.maximum(up(hi[:, i] - middle), up(middle - lo[:, i])))
        forms.append(Form(middle, g, np.zeros(size)))
    return forms


def prove(
    question: Question, deadline: float, split: int, progress: Callable[[int, float], None], most: int = 100_000
) -> Proof:
    """Follow boxes, the widest doubts split first, until all are proved or the time is over.

    ``split`` cuts each side that has a width into so many parts to begin with; ``progress`` is told the boxes followed
    and the share proved.
    """
    question = _tuned(question)
    lo, hi = _cut(question.lo, question.hi, split)
    share = np.full(len(lo), 1.0 / len(lo))
    proof = Proof(lo=question.lo, hi=question.hi, substeps=question.loop.substeps, order=question.loop.order)
    batch = BATCH
    while len(lo):
        a, b, s = lo[-batch:], hi[-batch:], share[-batch:]
        lo, hi, share = lo[:-batch], hi[:-batch], share[:-batch]
        begun = monotonic()
        followed = (follow if question.modes is None else follow_modes)(question, a, b, deadline)
        if followed is None or proof.tried > most:
            proof.open += [(x, y, 0) for x, y in zip(a[:5], b[:5], strict=True)]
            return proof
        proof.tried += len(a)
        for k in np.flatnonzero(followed.sure):
            proof.parts.append((a[k], b[k]))
            proof.share += float(s[k])
            if proof.kept <= MOST and followed.recorder is not None:
                proof.tubes.append(followed.recorder.tube(int(k), a[k], b[k]))
                proof.kept += proof.tubes[-1].bytes
        _merge(proof, followed)
        left = np.flatnonzero(~followed.sure)
        if len(left):
            proof.open = [(a[k], b[k], int(followed.until[k])) for k in left[:5]]
            below, above, ok = _halves(a[left], b[left], followed.blame[left])
            if not ok:
                return proof
            lo = np.concatenate([lo, above[0], below[0]])
            hi = np.concatenate([hi, above[1], below[1]])
            share = np.concatenate([share, s[left] / 2, s[left] / 2])
        progress(proof.tried, proof.share)
        # a batch that takes long leaves the deadline unseen
        batch = int(np.clip(batch * 2 if monotonic() - begun < 2.0 else batch // 2, 16, 256))
    proof.closed = True
    proof.open = []
    if proof.kept > MOST:
        proof.tubes = []
    return proof


def _tuned(question: Question) -> Question:
    """The question with as many substeps as its loop needs, in all modes."""
    loop = tuned(question.loop, question.lo, question.hi)
    if question.modes is None:
        return replace(question, loop=loop)
    loops = tuple(replace(one, substeps=loop.substeps) for one in question.modes.loops)
    return replace(question, loop=loop, modes=replace(question.modes, loops=loops))


def tuned(loop: Loop, lo: Floats, hi: Floats, most: int = 16) -> Loop:
    """The loop with as few substeps a period that twice as many would not make the first tube 5 % narrower."""
    if loop.discrete:
        return loop
    width = _tube(loop, lo, hi)
    while loop.substeps < most:
        finer = replace(loop, substeps=2 * loop.substeps)
        narrower = _tube(finer, lo, hi)
        if width <= 1.05 * narrower:
            return loop
        loop, width = finer, narrower
    return loop


def _tube(loop: Loop, lo: Floats, hi: Floats) -> float:
    """The sides of the first period's tube, relative to each other state by state, summed; infinite if it is lost."""
    period = advance(loop, initial(lo[None], hi[None]))
    if period.lost.any() or not period.tube:
        return float("inf")
    total = 0.0
    for i in range(len(lo)):
        ranges = [part[i].range for part in period.tube]
        total += float(np.log(1e-12 + max(r.hi[0] for r in ranges) - min(r.lo[0] for r in ranges)))
    return float(np.exp(total / len(lo)))


@dataclass(frozen=True)
class Followed:
    """A batch of boxes at the end: where the formula is sure, the first step of doubt, whom to blame, hulls, sets."""

    sure: Any
    until: Any
    blame: Floats
    lo: list[Floats]
    hi: list[Floats]
    recorder: Recorder | None


def follow(question: Question, lo: Floats, hi: Floats, deadline: float) -> Followed | None:
    """Boxes ``(batch, n)`` through all periods; None if the time is over before."""
    loop, n = question.loop, lo.shape[1]
    alive = np.arange(len(lo))
    states = initial(lo, hi)
    run = Run(question.atoms, loop.states, loop.discrete)
    blame = np.zeros((len(lo), n))
    until = np.full(len(lo), question.steps)
    run.sample(states)
    lows, highs = [lo], [hi]
    recorder = Recorder(loop.limit)
    for step in range(1, question.steps + 1):
        if monotonic() > deadline:
            return None
        period = advance(loop, states)
        states = period.end
        recorder.note(alive, states, period.kept)
        blame[alive] += period.blame[:, :n] / (period.blame[:, :n].sum(axis=1, keepdims=True) + 1e-300)
        run.span(period.tube)
        run.sample(states)
        low, high = np.full((len(lo), n), -np.inf), np.full((len(lo), n), np.inf)
        for i, form in enumerate(states):
            low[alive, i], high[alive, i] = form.range.lo, form.range.hi
        lows.append(low)
        highs.append(high)
        gone = period.lost | doomed(question.formula, run, question.steps)
        if gone.any():
            until[alive[gone]] = step
            keep = np.flatnonzero(~gone)
            alive = alive[keep]
            states = [Form(f.c[keep], f.g[keep], f.r[keep]) for f in states]
            for table in (run.samples, run.between):
                for atom, pairs in table.items():
                    table[atom] = [(p[0][keep], p[1][keep]) for p in pairs]
            if not len(keep):
                break
    sure = np.zeros(len(lo), bool)
    if len(alive):
        sure[alive] = surely(question.formula, run)
    spread = np.zeros((len(lo), n))
    spread[alive] = sum(np.abs(f.g[:, :n]) / np.maximum(f.radius, 1e-300)[:, None] for f in states)
    return Followed(sure, until, blame + 1e-3 * spread + 1e-6 * (hi > lo), lows, highs, recorder)


def doomed(formula: Formula, run: Run, steps: int) -> Any:
    """Where the formula can no longer be shown, whatever comes: an ``always`` of a proposition that is in doubt."""
    shape = next(iter(run.samples.values()))[0][0].shape
    gone = np.zeros(shape, bool)
    now = len(next(iter(run.samples.values()))) - 1
    for part in formula.args if formula.op == "and" else (formula,):
        if part.op == "G" and _propositional(part.args[0]):
            a, b = part.interval or (0, None)
            last = steps if b is None else min(steps, b)
            if a <= now <= last:
                gone |= ~_now(part.args[0], True, run, -1, run.samples)
            if a < now <= last and next(iter(run.between.values())):
                gone |= ~_now(part.args[0], True, run, -1, run.between)
    return gone


def _propositional(f: Formula) -> bool:
    return f.op in ("atom", "true", "false") or (
        f.op in ("not", "and", "or", "implies") and all(map(_propositional, f.args))
    )


def _now(f: Formula, want: bool, run: Run, t: int, table: dict[Formula, Any]) -> Any:
    """Sure truth of a proposition at the last sample or span."""
    if f.op == "atom":
        return table[f][t][0 if want else 1]
    if f.op in ("true", "false"):
        shape = next(iter(run.samples.values()))[0][0].shape
        return np.full(shape, (f.op == "true") == want)
    if f.op == "not":
        return _now(f.args[0], not want, run, t, table)
    if f.op == "implies":
        parts = [_now(f.args[0], not want, run, t, table), _now(f.args[1], want, run, t, table)]
        return np.any(parts, axis=0) if want else np.all(parts, axis=0)
    parts = [_now(a, want, run, t, table) for a in f.args]
    return np.all(parts, axis=0) if (f.op == "and") == want else np.any(parts, axis=0)


def _cut(lo: Floats, hi: Floats, split: int) -> tuple[Floats, Floats]:
    """A box in ``split`` parts on each side that has a width, both ``(parts, n)``."""
    los, his = lo[None], hi[None]
    for i in range(len(lo)):
        if hi[i] > lo[i] and split > 1:
            edges = np.linspace(lo[i], hi[i], split + 1)
            edges[0], edges[-1] = lo[i], hi[i]
            a, b = np.repeat(los, split, axis=0), np.repeat(his, split, axis=0)
            a[:, i], b[:, i] = np.tile(edges[:-1], len(los)), np.tile(edges[1:], len(los))
            los, his = a, b
    return los, his


def _halves(lo: Floats, hi: Floats, blame: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats], bool]:
    """The halves of boxes along the side that is most to blame; not ok if a side is too thin."""
    each = np.arange(len(lo))
    side = np.where(hi > lo, blame, -1.0).argmax(axis=1)
    middle = 0.5 * (lo[each, side] + hi[each, side])
    ok = bool(((middle > lo[each, side]) & (middle < hi[each, side])).all())
    below, above = hi.copy(), lo.copy()
    below[each, side] = above[each, side] = middle
    return (lo, below), (above, hi), ok


def _merge(proof: Proof, followed: Followed) -> None:
    """The hulls of the proved parts into those of the proof."""
    sure = followed.sure
    if not sure.any():
        return
    for t, (low, high) in enumerate(zip(followed.lo, followed.hi, strict=True)):
        lo, hi = low[sure].min(axis=0), high[sure].max(axis=0)
        if t < len(proof.hull):
            a, b = proof.hull[t]
            proof.hull[t] = (np.minimum(a, lo), np.maximum(b, hi))
        else:
            proof.hull.append((lo, hi))
