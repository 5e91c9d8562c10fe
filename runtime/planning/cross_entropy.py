"""Planning by the cross-entropy method: inputs held over stretches, drawn, judged, drawn nearer to the best.

Source: Rubinstein, "The cross-entropy method for combinatorial and continuous optimization", Methodology and
Computing in Applied Probability 1, 1999, sections 3 and 4; as a planner over sequences of inputs: Kobilarov,
"Cross-entropy motion planning", IJRR 31, 2012. Gaussians with independent entries, moved by a share towards mean and
deviation of the best. Deviation: the search ends where one sample satisfies. A baseline: ``agentc bench stl-learning``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.signals.robustness import compile_robustness
from agentc.runtime.planning.problem import Problem

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Samples of a round, how many of them are the best, rounds at most, stretches of held inputs, share of a move."""

    samples: int = 256
    best: int = 24
    rounds: int = 40
    stretches: int = 24
    move: float = 0.7
    seed: int = 0


def cross_entropy(
    problem: Problem, start: Floats, budget: CrossEntropy, worth: Callable[[Floats], Floats] | None = None
) -> tuple[Floats, float]:
    """Inputs ``(last, m)`` from a start ``(n,)`` at nominal disturbances, and what they are worth there.

    ``worth`` gives of traces ``(batch, last + 1, n + m)`` numbers ``(batch,)``, positive where nothing is left to be
    done; the robustness of the formulas if there is none.
    """
    rng = np.random.default_rng(budget.seed)
    lo, hi = problem.input_range
    value_of = worth or compile_robustness(problem.formula, problem.signals).robustness_at
    stretches = min(budget.stretches, problem.last)
    held = np.arange(problem.last) * stretches // problem.last

    def judged(inputs: Floats) -> Floats:
        return np.nan_to_num(value_of(rolled(problem, start, inputs)), nan=-np.inf)

    return nearer_to_the_best(judged, lo, hi, held, budget, rng, spread=0.7, enough=lambda value: value > 0.0)


def nearer_to_the_best(
    worth: Callable[[Floats], Floats], lo: Floats, hi: Floats, held: NDArray[np.int64], budget: CrossEntropy,
    rng: np.random.Generator, *, spread: float, enough: Callable[[float], bool],
) -> tuple[Floats, float]:  # fmt: skip
    """The best inputs ``(steps, m)`` that were drawn, and what they are worth.

    ``worth`` judges inputs ``(batch, steps, m)``, ``held`` says of each step which stretch it belongs to, ``spread`` is
    the deviation at first, in halves of a range; the search ends where a worth is ``enough``. Of the budget, samples,
    best, rounds and move count.
    """
    shape = (int(held[-1]) + 1, len(lo))
    mean, deviation = np.zeros(shape), np.full(shape, spread)
    best, value = np.zeros((len(held), len(lo))), -np.inf
    for _ in range(budget.rounds):
        drawn = np.clip(mean + deviation * rng.standard_normal((budget.samples, *shape)), -1.0, 1.0)
        inputs = (lo + (drawn + 1.0) / 2.0 * (hi - lo))[:, held]
        found = worth(inputs)
        order = np.argsort(-found, kind="stable")[: budget.best]
        if found[order[0]] > value:
            best, value = inputs[order[0]], float(found[order[0]])
        if enough(value):
            break
        chosen = drawn[order]
        mean = mean + budget.move * (chosen.mean(axis=0) - mean)
        deviation = deviation + budget.move * (chosen.std(axis=0) - deviation)
    return best, value


def rolled(problem: Problem, start: Floats, inputs: Floats, randomness: np.random.Generator | None = None) -> Floats:
    """Traces ``(batch, last + 1, n + m)`` of inputs ``(batch, last, m)``; disturbances are drawn, or nominal."""
    batch, simulator = len(inputs), problem.simulator
    state, mode = np.repeat(start[None], batch, axis=0), np.zeros(batch, np.int64)
    traces = np.zeros((batch, problem.last + 1, len(start) + inputs.shape[2]))
    traces[:, 0, : len(start)] = state
    nominal = np.repeat(problem.disturbance[None], batch, axis=0)
    for t in range(problem.last):
        noise = nominal if randomness is None else simulator.noise(randomness, batch)
        state, mode = simulator.step(state, mode, inputs[:, t], noise)
        traces[:, t + 1] = np.concatenate([state, inputs[:, t]], axis=1)
    return traces
