"""Proposals of plans: alternatives of a formula with an allocation of their times, and moves among them.

Source: Meng, Chen, Fan, *TGPO: Temporal Grounded Policy Optimization for Signal Temporal Logic Tasks*,
arXiv 2510.00225, section 4 (Metropolis-Hastings over time allocations, guided by the critic). Metropolis et al. (1953),
Hastings (1970) for the rule.

The chain's stationary distribution has the density ``exp(value(plan) / temperature)`` with respect to the *prior*: an
alternative drawn from a pool, uniformly, with a uniform allocation of its times. A proposal is one time variable drawn
anew, uniformly in the range that the others leave it (symmetric), or a plan drawn from the prior (an independent one):
both are accepted with probability ``min(1, exp(gain / temperature))``. Infeasible allocations are never proposed.

Deviations: alternatives (the choices at disjunctions) are proposed by the same chain, where the paper enumerates them;
where the system is linear, travel times cut what no trajectory can do.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.signals.allocations import Allocations, allocations_of
from agentc.compiler.signals.alternatives import random_alternative
from agentc.compiler.signals.subgoals import Alternative, Decomposition, GroundedPlan
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.planning.requirements import propositions_of, required
from agentc.runtime.planning.travel import Travel
from agentc.runtime.subgoals.requirements import Schedule, Truths, schedule

TRIES = 20
"""How many alternatives are drawn for one that travel times allow."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """A plan: which alternative of the pool, and the step of each of its variables, in the order of ``space.names``."""

    pool: Pool
    number: int
    times: tuple[int, ...]

    @property
    def alternative(self) -> Alternative:
        """The alternative."""
        return self.pool.alternatives[self.number]

    @cached_property
    def plan(self) -> GroundedPlan:
        """The plan with its times."""
        return self.alternative.ground(dict(zip(self.pool.spaces[self.number].names, self.times, strict=True)))

    @cached_property
    def required(self) -> Truths:
        """What is required when, ``(propositions, last + 1)``."""
        return required(self.plan, self.pool.propositions)

    @cached_property
    def schedule(self) -> Schedule:
        """When each is required next."""
        return schedule(self.required)


class Pool:
    """Alternatives of a formula, drawn once, and the plans that are proposed of them.

    Raises :class:`AgentcError` (AS1540) if the formula has no plan in the time that there is.
    """

    def __init__(self, decomposition: Decomposition, size: int, seed: int, travel: Travel | None = None) -> None:
        self.decomposition = decomposition
        self.last = decomposition.last
        self.propositions = propositions_of(decomposition)
        rng = random.Random(seed)
        self.alternatives: list[Alternative] = []
        self.spaces: list[Allocations] = []
        seen: dict[tuple[int, ...], int | None] = {}
        self._drawn: list[Proposal] = []
        for _ in range(size * TRIES):
            if len(self._drawn) == size:
                break
            found = random_alternative(decomposition, rng)
            if found is None:
                break
            if found.choices not in seen:
                seen[found.choices] = self._kept(found, travel)
            number = seen[found.choices]
            if number is not None:
                self._drawn.append(self._uniform(number, rng))
        if not self._drawn:
            raise AgentcError([report("AS1540", None, last=decomposition.last)])
        self.numbers = np.array([p.number for p in self._drawn])
        """Of every plan of the pool, its alternative."""

    def _kept(self, found: Alternative, travel: Travel | None) -> int | None:
        alternative = found if travel is None else travel.tightened(found)
        space = None if alternative is None else allocations_of(alternative)
        if alternative is None or space is None:
            return None
        self.alternatives.append(alternative)
        self.spaces.append(space)
        return len(self.alternatives) - 1

    def _uniform(self, number: int, rng: random.Random) -> Proposal:
        space = self.spaces[number]
        (times,) = space.sample(1, rng)
        return Proposal(self, number, tuple(times[name] for name in space.names))

    def __len__(self) -> int:
        return len(self._drawn)

    @property
    def drawn(self) -> Sequence[Proposal]:
        """The plans of the pool: draws from the prior."""
        return self._drawn

    @cached_property
    def schedule(self) -> Schedule:
        """The schedules of all plans of the pool, ``(plans, propositions, last + 2)``."""
        return schedule(np.stack([p.required for p in self._drawn]))

    def draw(self, randomness: np.random.Generator) -> Proposal:
        """One of them."""
        return self._drawn[int(randomness.integers(len(self._drawn)))]

    def moved(self, proposal: Proposal, randomness: np.random.Generator) -> Proposal:
        """One time variable drawn anew in the range that the others leave it; the same plan where there is none."""
        times = proposal.times
        if not times:
            return proposal
        value = [0, *times]
        i = 1 + int(randomness.integers(len(times)))
        lo, hi = self.spaces[proposal.number].given(i, value)
        value[i] = int(randomness.integers(lo, hi + 1))
        return Proposal(self, proposal.number, tuple(value[1:]))

    def proposed(self, proposal: Proposal, fresh: float, randomness: np.random.Generator) -> Proposal:
        """A draw from the prior with probability ``fresh``, else a move."""
        if randomness.random() < fresh:
            return self.draw(randomness)
        return self.moved(proposal, randomness)

    # ------------------------------------------------------------ as arrays

    def pack(self, proposals: Sequence[Proposal]) -> dict[str, NDArray[np.int64]]:
        """Plans as arrays, for a checkpoint."""
        width = max((len(p.times) for p in proposals), default=0)
        times = np.full((len(proposals), width), -1, np.int64)
        for row, p in enumerate(proposals):
            times[row, : len(p.times)] = p.times
        return {"number": np.array([p.number for p in proposals], np.int64), "times": times}

    def unpack(self, number: NDArray[np.int64], times: NDArray[np.int64]) -> list[Proposal]:
        """Back from :meth:`pack`. Raises ``IndexError`` for another pool's."""
        sizes = [len(self.spaces[n].names) for n in number.tolist()]
        return [
            Proposal(self, n, tuple(row[:size].tolist()))
            for n, row, size in zip(number.tolist(), times, sizes, strict=True)
        ]


def accepted(gain: NDArray[np.float64], temperature: float, randomness: np.random.Generator) -> Truths:
    """Which proposals are taken, given what each is worth more than the plan it would replace, ``(batch,)``."""
    odds = np.exp(np.minimum(gain / temperature, 0.0))
    return randomness.random(len(gain)) < odds
