"""N environments of a declared system in which a policy is told a plan of timed subgoals, and paid for its stages.

A :class:`~agentc.runtime.learn.vector.VectorEnv`, a value of slot M12. Where an episode begins, its row's plan is
proposed anew, by a Markov chain that asks the critic (:mod:`agentc.runtime.subgoals.proposals`). An episode ends where
its plan is missed, or after its last step: there is nothing to be had behind either, so it terminates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.learn.episodes import generator_state, packed, restore_generator, unpacked
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.learn.slots import Worth
from agentc.runtime.learn.vector import Array, Observation, StepBatch
from agentc.runtime.planning.problem import Problem
from agentc.runtime.spec_declared import DeclaredRows
from agentc.runtime.subgoals import telling
from agentc.runtime.subgoals.outputs import Outputs
from agentc.runtime.subgoals.proposals import Pool, Proposal, accepted
from agentc.runtime.subgoals.propositions import Propositions
from agentc.runtime.subgoals.requirements import Schedule

Floats = NDArray[np.float64]

@dataclass(frozen=True, slots=True)
class Guidance:
    """How plans are proposed: so many steps of the chain before an episode; ``temperature`` in units of reward;
    ``fresh`` is how often a proposal comes from the prior; ``explore`` how often an episode's plan does."""

    chain: int = 8
    temperature: float = 0.3
    fresh: float = 0.5
    explore: float = 0.2


class Told:
    """What plans, states and steps look like to the policy of a problem."""

    def __init__(self, problem: Problem, pool: Pool) -> None:
        self.problem, self.pool = problem, pool
        states, inputs = problem.names
        self.propositions = Propositions(pool.propositions, problem.signals, (*states, *inputs))
        self.outputs = Outputs(problem)
        rng = np.random.default_rng(0)
        starts, _ = problem.simulator.start(rng, 256)
        margins, _ = self.propositions.read(self.columns(starts, None), None)
        self.scale: Floats = np.clip(np.median(np.abs(margins), axis=0), 1e-3, 1e3)
        """How far each proposition typically is where episodes begin."""

    @property
    def size(self) -> int:
        """How many numbers an observation has."""
        return self.outputs.size + telling.width(len(self.propositions))

    def columns(self, state: Floats, input: Floats | None) -> Floats:
        """States and the inputs that led there, as the propositions read them; without any at step 0."""
        given = np.full((len(state), len(self.problem.system.inputs)), np.nan) if input is None else input
        return np.concatenate([state, given], axis=1)

    def observed(self, state: Floats, said: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a policy sees."""
        return np.concatenate([self.outputs.seen(state), said], axis=1)

    def at_start(self, state: Floats, schedule: Schedule) -> NDArray[np.float32]:
        """What it sees at step 0 of plans, ``(batch, size)``."""
        margins, _ = self.propositions.read(self.columns(state, None), None)
        t = np.zeros(len(state), np.int32)
        return self.observed(state, telling.told(schedule, t, margins, self.scale, self.pool.last))


class SubgoalVectorEnv:
    """N rows of a problem's system, each with a plan of its own in every episode.

    ``worth`` is the critic; without one plans come from the prior. In ``StepBatch.info`` an episode's
    ``satisfied/plan`` says whether its plan was met, which implies the formulas.
    """

    def __init__(self, problem: Problem, pool: Pool, num_envs: int, guidance: Guidance, seed: int) -> None:
        self.problem, self.pool, self.num_envs, self.guidance = problem, pool, num_envs, guidance
        self.told = Told(problem, pool)
        self.worth: Worth | None = None
        env = DeclaredEnv(problem.system, problem.last)
        self._rows = DeclaredRows(env, (), num_envs)
        self.action_space: gymnasium.Space[Any] = env.action_space
        self.observation_space: gymnasium.Space[Any] = spaces.Box(-np.inf, np.inf, (self.told.size,), np.float32)
        self.action_mask: NDArray[np.bool_] | None = None
        shape = (num_envs, len(pool.propositions), pool.last + 2)
        self._schedule = Schedule(np.zeros(shape, np.int32), np.zeros(shape, np.int32))
        self._plans: list[Proposal] = [pool.drawn[0]] * num_envs
        self._missed = np.zeros(num_envs, np.bool_)
        self._margins = np.zeros(shape[:2])
        self._before = np.zeros((num_envs, len(problem.system.states) + len(problem.system.inputs)))
        self._potential = np.zeros(num_envs)
        self._returns, self._randomness = np.zeros(num_envs), np.random.default_rng([seed, 9])

    # ------------------------------------------------------------ stepping

    def reset(self, seed: int | None) -> Observation:
        """New episodes everywhere."""
        n = self.num_envs
        if seed is not None:
            self._randomness = np.random.default_rng([seed, 9])
        self._rows.reset([None] * n if seed is None else training_seeds(seed, n))
        self._plans = [self.pool.draw(self._randomness) for _ in range(n)]
        everywhere = np.ones(n, np.bool_)
        self._begin(everywhere)
        return self._observed()

    def step(self, actions: Array) -> StepBatch:
        """Act everywhere; rows whose plan is over begin anew."""
        batch = self._rows.batch
        self._rows.step(actions)
        now, t = self.told.columns(batch.state, batch.action), batch.steps.astype(np.int32)
        self._margins, holds = self.told.propositions.read(now, self._before)
        self._before = now
        paid, missed = telling.judged(self._schedule, t, holds)
        # within a stage: how far off the next one is costs nothing where it begins, nor is it refunded after a miss
        paid += telling.potential(self._schedule, t - 1, self._margins, self.told.scale) - self._potential
        self._potential = telling.potential(self._schedule, t, self._margins, self.told.scale)
        self._returns += paid
        missed |= self._missed
        ended = missed | (batch.steps >= self.pool.last)
        observation = final = self._observed()
        info: dict[str, Array] = {}
        if ended.any():
            info = {"return": self._returns.copy(), "length": batch.steps.copy(), "satisfied/plan": ~missed}
            self._rows.restart(np.flatnonzero(ended))
            self._begin(ended)
            observation = self._observed()
        nothing = np.zeros(self.num_envs, np.bool_)
        return StepBatch(observation, final, paid.astype(np.float32), ended, nothing, None, info)

    def close(self) -> None:
        """Nothing is held."""

    # ------------------------------------------------------------ resuming

    def snapshot(self) -> dict[str, Array] | None:
        """Everything that later steps depend on."""
        state = {f"rows/{k}": a for k, a in self._rows.snapshot().items()}
        state |= {f"plans/{k}": a for k, a in self.pool.pack(self._plans).items()}
        state |= {"missed": self._missed.copy(), "margins": self._margins.copy()}
        state |= {"before": self._before.copy(), "returns": self._returns.copy()}
        return state | {"randomness": packed([generator_state(self._randomness)])}

    def restore(self, state: Mapping[str, Array]) -> Observation:
        """Back from :meth:`snapshot`."""
        self._rows.restore({k[5:]: a for k, a in state.items() if k.startswith("rows/")})
        self._plans = self.pool.unpack(state["plans/number"], state["plans/times"])
        for row, plan in enumerate(self._plans):
            self._schedule.start[row], self._schedule.end[row] = plan.schedule.start, plan.schedule.end
        self._missed = state["missed"].copy()
        self._margins, self._before = state["margins"].copy(), state["before"].copy()
        self._returns = state["returns"].copy()
        t = self._rows.batch.steps.astype(np.int32)
        self._potential = telling.potential(self._schedule, t, self._margins, self.told.scale)
        restore_generator(self._randomness, unpacked(state["randomness"])[0])
        return self._observed()

    # ------------------------------------------------------------ parts

    def _observed(self) -> NDArray[np.float32]:
        batch = self._rows.batch
        t = batch.steps.astype(np.int32)
        said = telling.told(self._schedule, t, self._margins, self.told.scale, self.pool.last)
        return self.told.observed(batch.state, said)

    def _begin(self, where: NDArray[np.bool_]) -> None:
        """Plans for rows that have been reset, and their score at step 0."""
        rows = np.flatnonzero(where)
        now = self.told.columns(self._rows.batch.state[rows], None)
        self._propose(rows)
        self._before[rows] = now
        margins, holds = self.told.propositions.read(now, None)
        self._margins = self._margins.copy()
        self._margins[rows] = margins
        plan = Schedule(self._schedule.start[rows], self._schedule.end[rows])
        self._missed[rows] = telling.judged(plan, np.zeros(len(rows), np.int32), holds)[1]
        self._returns[rows] = 0.0
        t = self._rows.batch.steps.astype(np.int32)
        self._potential = telling.potential(self._schedule, t, self._margins, self.told.scale)

    def _propose(self, rows: NDArray[np.int64]) -> None:
        """A plan for each row: steps of its chain, from its last plan; sometimes one from the prior."""
        g, pool, randomness = self.guidance, self.pool, self._randomness
        state = self._rows.batch.state[rows]
        plans = [self._plans[row] for row in rows]
        if self.worth is None or g.chain == 0:
            plans = [pool.draw(randomness) for _ in rows]
        else:
            free = randomness.random(len(rows)) < g.explore
            plans = [pool.draw(randomness) if f else p for p, f in zip(plans, free, strict=True)]
            value = self._worth(state, plans)
            for _ in range(g.chain):
                others = [pool.proposed(p, g.fresh, randomness) for p in plans]
                there = self._worth(state, others)
                taken = accepted(there - value, g.temperature, randomness) & ~free
                plans = [b if yes else a for a, b, yes in zip(plans, others, taken, strict=True)]
                value = np.where(taken, there, value)
        for row, plan in zip(rows.tolist(), plans, strict=True):
            self._plans[row] = plan
            self._schedule.start[row], self._schedule.end[row] = plan.schedule.start, plan.schedule.end

    def _worth(self, state: Floats, plans: list[Proposal]) -> Floats:
        assert self.worth is not None
        stacked = Schedule(
            np.stack([p.schedule.start[:, :2] for p in plans]), np.stack([p.schedule.end[:, :2] for p in plans])
        )
        return np.asarray(self.worth({"": self.told.at_start(state, stacked)}), np.float64)
