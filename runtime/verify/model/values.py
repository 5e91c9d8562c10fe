"""Least and greatest probabilities and expected sums on a product, with sound bounds on both sides.

From below: value iteration from zero, each value being the probability within so many steps. From above: a vector that
one more iteration does not raise bounds the least fixed point (Park's induction; Arnd Hartmanns, Benjamin Kaminski:
"Optimistic Value Iteration", CAV 2020). Rounding is bounded: a sum of ``k`` products of numbers that are not
negative is off by at most ``(k + 2) 2**-53`` of itself, which is taken off, or added, at every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

import numpy as np

from agentc.compiler.logic.verdict import Verdict
from agentc.runtime.verify.model.extracted import ExtractedModel
from agentc.runtime.verify.model.product import Bits, Floats, Product

U = 2.0**-53


@dataclass(frozen=True)
class Value:
    """``low <= P <= high``; ``steps`` were iterated."""

    low: float
    high: float
    steps: int


def complement(value: Value) -> Value:
    """The bounds of one minus a probability, rounded outward."""
    low, high = 1.0 - value.high, 1.0 - value.low
    exact = (0.0, 0.5, 1.0)
    return Value(
        low if value.high in exact else max(0.0, float(np.nextafter(low, 0.0))),
        high if value.low in exact else min(1.0, float(np.nextafter(high, 2.0))),
        value.steps,
    )


class Iteration:
    """One step of the optimal values of all pairs. ``least`` picks the action of least value, else greatest.

    ``cost`` (of each pair) is paid by every step that begins there; without it values are probabilities.
    """

    def __init__(self, p: Product, least: bool, cost: Floats | None = None) -> None:
        self._p, self._least = p, least
        self._pick = np.minimum if least else np.maximum
        fans = np.diff(p.offsets)
        sure = (fans == 1) & (p.probability[p.offsets[:-1]] == 1.0) if len(fans) else np.zeros(0, bool)
        # what happens for sure is copied, without rounding
        self._slack = np.where(sure & (cost is None), 0.0, (6 * fans + 20) * U)
        self._cost = None if cost is None else np.repeat(cost, np.diff(p.choices))
        self._most = 1.0 if cost is None else np.inf
        self._moving = np.flatnonzero(np.diff(p.choices) > 0)
        self._starts = p.choices[:-1][self._moving]

    def once(self, value: Floats, fixed: Floats, up: bool) -> Floats:
        """The values after one step more, rounded up or down; pairs without a choice keep ``fixed``."""
        p = self._p
        made = fixed.copy()
        if len(self._moving):
            weighted = p.probability * value[p.successor]
            sums = np.add.reduceat(weighted, p.offsets[:-1])
            if self._cost is not None:
                sums = sums + self._cost
            sums = sums * (1 + self._slack) if up else sums * (1 - self._slack)
            if up and self._cost is None:  # no mean is greater than the greatest: where runs go round, rounding adds up
                sums = np.minimum(sums, np.maximum.reduceat(value[p.successor], p.offsets[:-1]))
            made[self._moving] = np.clip(self._pick.reduceat(sums, self._starts), 0.0, self._most)
        return made


def within(p: Product, least: bool, steps: int, stop: float = 0.0) -> tuple[Value, Floats, Floats]:
    """The probability that runs of at most ``steps`` steps satisfy the formula when they end, with each pair's bounds.

    With ``stop`` the iteration ends when the least of it is gained: then the value is a lower bound for any number of
    steps, where being true is final.
    """
    iteration = Iteration(p, least)
    low = p.holds.astype(np.float64)
    high = low.copy()
    ended = np.where(p.verdict == Verdict.FALSE, 0.0, p.holds.astype(np.float64))
    made = 0
    for _ in range(steps):
        before = low
        low, high = iteration.once(low, ended, up=False), iteration.once(high, ended, up=True)
        made += 1
        if stop and float(np.abs(low - before).max(initial=0.0)) <= stop:
            break
    return Value(_start(p, low, up=False), _start(p, high, up=True), made), low, high


def ever(
    p: Product, target: Bits, least: bool, tolerance: float, most: int = 1_000_000
) -> tuple[Value, Floats, Floats] | None:
    """Bounds of the probability of ever reaching ``target``, at the start and of each pair; None if none were found."""
    iteration = Iteration(p, least)
    fixed = target.astype(np.float64)

    def forward(value: Floats, up: bool) -> Floats:
        return np.maximum(iteration.once(value, fixed, up), fixed)

    low, made, goal = fixed.copy(), 0, tolerance
    while made < most:
        before = low
        low = forward(low, up=False)
        made += 1
        if float(np.abs(low - before).max(initial=0.0)) > goal:
            continue
        guess = np.where(low > 0, np.minimum(low + tolerance, 1.0), low)
        for _ in range(max(made, 100)):
            raised = forward(guess, up=True)
            made += 1
            if (raised <= guess).all():
                return Value(_start(p, low, up=False), _start(p, guess, up=True), made), low, guess
            guess = raised
        goal /= 10
        if goal < 1e-14:
            return None
    return None


def total(
    p: Product, cost: Floats, least: bool, horizon: int | None, tolerance: float, until: float
) -> tuple[Value, Floats | None, Floats | None] | None:
    """Bounds of the expected sum of ``cost`` over the steps of runs, at the start and (without horizon) of each pair.

    ``cost`` is of each pair, not negative. None if no upper bound was found before the clock passes ``until``: the sum
    may be infinite.
    """
    iteration = Iteration(p, least, cost)
    nothing = np.zeros(len(p))
    low = high = nothing
    if horizon is not None:
        for _ in range(horizon):
            low, high = iteration.once(low, nothing, up=False), iteration.once(high, nothing, up=True)
        return Value(_start(p, low, up=False), _start(p, high, up=True), horizon), None, None
    made, goal = 0, tolerance
    while monotonic() < until and goal >= 1e-13:
        before = low
        low = iteration.once(low, nothing, up=False)
        made += 1
        if float((np.abs(low - before) / np.maximum(low, 1.0)).max(initial=0.0)) > goal:
            continue
        guess = np.where(low > 0, low + tolerance * np.maximum(low, 1.0), 0.0)
        for _ in range(max(made, 100)):
            raised = iteration.once(guess, nothing, up=True)
            made += 1
            if (raised <= guess).all():
                return Value(_start(p, low, up=False), _start(p, guess, up=True), made), low, guess
            guess = raised
        goal /= 10
    return None


def _start(p: Product, value: Floats, up: bool) -> float:
    """At the start: by the weights of the starts, or where these are not known over all of them."""
    if isinstance(p.model, ExtractedModel) and not p.model.exhaustive:
        return float(value[p.initial].max() if up else value[p.initial].min())
    sum_ = float((p.weight * value[p.initial]).sum())
    slack = (len(p.initial) + 2) * U * max(1.0, sum_)
    top = 1.0 if float(value.max(initial=0.0)) <= 1.0 else np.inf
    return min(top, sum_ + slack) if up else max(0.0, sum_ - slack)
