"""Planning by gradients: restarts in one batch, each towards a grounded plan, Adam through the simulator.

Source: Leung, Arechiga, Pavone, *Backpropagation through signal temporal logic specifications*, IJRR 42 (2023)
(gradients of robustness through a simulator); Meng, Chen, Fan, *TGPO*, arXiv 2510.00225 (allocations of time
variables, proposed at random and kept where they do better). Deviations: the loss of a restart is not the robustness of
the formula, which has a gradient at one step and one signal only, but the sum over all subgoals and invariants of its
plan of how far each falls short of a margin: every part of the plan pulls at once. Between rounds each restart may
exchange its plan for one that its trajectory is nearer to; the worst restarts begin anew. By the contract of timed
subgoals a loss of zero satisfies the formula; whether it does is always asked of the formula itself.

Reproduce: ``agentc bench planning``.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.logic.ir import Formula
from agentc.compiler.signals.allocations import Allocations, allocations_of
from agentc.compiler.signals.alternatives import random_alternative
from agentc.compiler.signals.robustness import compile_robustness
from agentc.compiler.signals.subgoals import Alternative, GroundedPlan
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.planning.problem import Judgement, Problem
from agentc.runtime.planning.requirements import required_steps
from agentc.runtime.planning.travel import Travel

if TYPE_CHECKING:
    import torch

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Search:
    """The budget: restarts in a batch, Adam steps a round, seconds in all, by a clock."""

    restarts: int = 24
    steps: int = 40
    seconds: float = 30.0
    rate: float = 0.08
    proposals: int = 12
    seed: int = 0
    clock: Callable[[], float] = time.perf_counter


@dataclass(frozen=True)
class Found:
    """What came of a search: the best trajectory, and whether it satisfies; ``rounds`` of Adam steps were made."""

    judgement: Judgement | None
    plan: GroundedPlan | None
    rounds: int
    seconds: float


def search(problem: Problem, budget: Search, tick: Callable[[int, float], None] | None = None) -> Found:
    """Search for inputs whose trajectory satisfies the problem's formulas.

    ``tick`` hears after each round how many were made, and the least loss. Deterministic for a seed, up to the round in
    which the time runs out.
    """
    import torch

    from agentc.compiler.signals.torch_robustness import robustness as margin_of
    from agentc.runtime.planning.rollout import Rollout

    clock = budget.clock
    begun = clock()
    rng = random.Random(budget.seed)
    generator = torch.Generator().manual_seed(budget.seed)
    travel = _travel(problem)
    plans = _drawn(problem, budget.restarts, rng, travel)
    if not plans:
        return Found(None, None, 0, clock() - begun)
    rollout = Rollout(problem)
    whole = compile_robustness(problem.formula, problem.signals)
    table = _Table(problem, travel)
    margin = table.margin
    raw = rollout.random_inputs(len(plans), generator).requires_grad_(True)
    adam = _Adam(raw, budget.rate)
    best: tuple[float, Judgement | None, GroundedPlan | None] = (-np.inf, None, None)
    rounds = 0
    while True:
        weights = table.weights(plans)
        for _ in range(budget.steps):
            inputs = rollout.squash(raw)
            traces = rollout.traces(inputs)
            losses = _losses(table, traces, weights, margin, margin_of) + rollout.leaving(traces, margin)
            if float(losses.detach().min()) == 0.0:  # some restart meets its plan
                break
            (gradient,) = torch.autograd.grad(losses.sum(), raw)
            adam.step(gradient)
            if clock() - begun > budget.seconds:
                break
        rounds += 1
        with torch.no_grad():
            inputs = rollout.squash(raw)
            traces = rollout.traces(inputs)
            losses = _losses(table, traces, weights, margin, margin_of) + rollout.leaving(traces, margin)
        values = whole.robustness_at(traces.numpy())
        within = rollout.within(traces)
        order = np.argsort(-np.where(within, values, -np.inf))
        for row in order[:3]:
            value = float(values[row]) if within[row] else -np.inf
            if best[1] is None or value > best[0]:
                best = (value, problem.judge(inputs[row].numpy().astype(float)), plans[row].plan)
        if tick is not None:
            tick(rounds, float(losses.min()))
        if (best[1] is not None and best[1].satisfied) or clock() - begun > budget.seconds:
            return Found(best[1], best[2], rounds, clock() - begun)
        plans = table.exchanged(problem, plans, traces, rng, budget.proposals)
        worst = losses.argsort(descending=True)[: len(losses) // 2]
        adam.renew(worst, rollout.random_inputs(len(worst), generator))


def _losses(
    table: _Table, traces: torch.Tensor, weights: Mapping[Formula, torch.Tensor], margin: float, margin_of: Any
) -> torch.Tensor:
    """How far each restart falls short of its plan, ``(batch,)``."""
    import torch

    total = torch.zeros(len(traces), dtype=traces.dtype)
    for prop, weight in weights.items():
        short = torch.relu(margin - margin_of(table.compiled[prop], traces))
        total = total + (weight * (short + 0.5 * short.square())).sum(dim=1)
    return total


class _Adam:
    """Adam (Kingma, Ba, ICLR 2015, algorithm 1), each restart with its own count of steps, so that one can begin anew.

    Not torch's, whose first step loads its compiler, which takes longer than most searches.
    """

    def __init__(self, raw: torch.Tensor, rate: float) -> None:
        import torch

        self.raw, self.rate = raw, rate
        self.mean, self.square = torch.zeros_like(raw), torch.zeros_like(raw)
        self.count = torch.zeros(len(raw), 1, 1, dtype=raw.dtype)

    def step(self, gradient: torch.Tensor) -> None:
        """One step down; an entry that is not finite stands still."""
        import torch

        with torch.no_grad():
            gradient = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
            self.count += 1
            self.mean.mul_(0.9).add_(gradient, alpha=0.1)
            self.square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            mean = self.mean / (1 - 0.9**self.count)
            square = self.square / (1 - 0.999**self.count)
            self.raw -= self.rate * mean / (square.sqrt() + 1e-8)

    def renew(self, rows: torch.Tensor, values: torch.Tensor) -> None:
        """Some restarts begin anew with other values."""
        import torch

        with torch.no_grad():
            self.raw[rows] = values
            for state in (self.mean, self.square, self.count):
                state[rows] = 0.0


class _Table:
    """The propositions of a problem's plans, compiled, and plans as weights of propositions at steps."""

    def __init__(self, problem: Problem, travel: Travel | None) -> None:
        self.problem, self.travel = problem, travel
        self.compiled: dict[Formula, Any] = {}
        lo, hi = problem.state_range
        widths = (hi - lo)[np.isfinite(hi - lo)]
        self.margin = float(np.clip(0.01 * widths.min(initial=5.0), 1e-3, 0.05))

    def _compile(self, prop: Formula) -> Any:
        if prop not in self.compiled:
            self.compiled[prop] = compile_robustness(prop, self.problem.signals)
        return self.compiled[prop]

    def weights(self, plans: Sequence[_Choice]) -> dict[Formula, torch.Tensor]:
        """For each proposition the steps at which each plan needs it, ``(batch, time)``; 1 at the steps of each one."""
        import torch

        needs = [required_steps(choice.plan) for choice in plans]
        found: dict[Formula, torch.Tensor] = {}
        for prop in dict.fromkeys(p for need in needs for p in need):
            self._compile(prop)
            rows = [need.get(prop, np.zeros(plans[0].plan.last + 1, bool)) for need in needs]
            found[prop] = torch.tensor(np.array(rows), dtype=torch.float64)
        return found

    def exchanged(
        self, problem: Problem, plans: Sequence[_Choice], traces: torch.Tensor, rng: random.Random, number: int
    ) -> list[_Choice]:
        """For each restart, of its plan and some random ones, that of which its trajectory falls short least.

        Each is first moved in time to where the trajectory is nearest to it.
        """
        proposals = _drawn(problem, number * 2, rng, self.travel)
        short: dict[Formula, Floats] = {}

        def shortfall(prop: Formula) -> Floats:
            if prop not in short:
                values = self._compile(prop).robustness(traces.numpy())
                short[prop] = np.minimum(np.maximum(self.margin - values, 0.0), 1e6)
            return short[prop]

        def cost(plan: GroundedPlan, row: int) -> float:
            needs = required_steps(plan).items()
            return sum(float(shortfall(prop)[row][steps].sum()) for prop, steps in needs)

        def nearest(row: int, choice: _Choice) -> _Choice:
            chosen = [choice, *rng.sample(proposals, min(number, len(proposals)))]
            moved = [c.moved(lambda prop: shortfall(prop)[row], rng) for c in chosen]
            return min(moved, key=lambda c: cost(c.plan, row))

        return [nearest(row, choice) for row, choice in enumerate(plans)]


TRIES = 20
"""How many alternatives are drawn for one that travel times allow."""
MOST_VARIABLES = 40
"""Plans with more time variables are not moved in time."""


@dataclass(frozen=True)
class _Choice:
    """A grounded plan with the alternative that it is of."""

    alternative: Alternative
    space: Allocations
    plan: GroundedPlan

    def moved(self, shortfall: Callable[[Formula], Floats], rng: random.Random) -> _Choice:
        """The plan with each time variable in turn where a trajectory falls short least, given the others.

        ``shortfall`` has for a proposition how far short the trajectory falls of it at each step, ``(time,)``.
        """
        names = self.space.names
        if not names or len(names) > MOST_VARIABLES:
            return self
        value = [0, *(self.plan.allocation[name] for name in names)]
        order = list(range(1, len(value)))
        for _ in range(2):
            rng.shuffle(order)
            for i in order:
                lo, hi = self.space.given(i, value)
                if lo < hi:
                    costs = self._costs(names[i - 1], dict(zip(names, value[1:], strict=True)), lo, hi, shortfall)
                    value[i] = lo + int(np.argmin(costs))
        return _Choice(self.alternative, self.space, self.alternative.ground(dict(zip(names, value[1:], strict=True))))

    def _costs(
        self, name: int, values: dict[int, int], lo: int, hi: int, shortfall: Callable[[Formula], Floats]
    ) -> Floats:
        """What the leaves that speak of a variable cost for each of its values."""
        total = np.zeros(hi - lo + 1)
        last = self.alternative.last
        for s in self.alternative.subgoals:
            if s.at.variable == name:
                total += shortfall(s.prop)[np.arange(lo, hi + 1) + s.at.offset]
        for i in self.alternative.invariants:
            if name in (i.since.variable, i.until.variable):
                running = np.concatenate([[0.0], np.cumsum(shortfall(i.prop))])
                for k, v in enumerate(range(lo, hi + 1)):
                    here = {**values, name: v}
                    a, b = max(0, i.since.value(here)), min(last, i.until.value(here))
                    if a <= b:
                        total[k] += running[b + 1] - running[a]
        return total


def _travel(problem: Problem) -> Travel | None:
    """Travel times, where the system is linear."""
    from agentc.runtime.planning.planner import program_of

    try:
        return Travel(program_of(problem))
    except AgentcError:
        return None


def _drawn(problem: Problem, number: int, rng: random.Random, travel: Travel | None) -> list[_Choice]:
    """Random alternatives that travel times allow, each with a uniform allocation; none if none was found."""
    found: list[_Choice] = []
    for _ in range(number * TRIES):
        if len(found) == number:
            break
        drawn = random_alternative(problem.subgoals, rng)
        if drawn is None:
            break
        alternative = drawn if travel is None else travel.tightened(drawn)
        if alternative is None:
            continue
        space = allocations_of(alternative)
        assert space is not None
        found += [_Choice(alternative, space, alternative.ground(a)) for a in space.sample(1, rng)]
    return found
