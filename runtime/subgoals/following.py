"""A trained policy with plans: many are scored, the best are tried in the declared system, and one is followed.

Source: Meng, Chen, Fan, *TGPO*, arXiv 2510.00225, section 4 (at run time several allocations are sampled and the most
promising one is rolled out). Deviation: the most promising is the one whose rollout in the declared system, without
disturbances, keeps what it requires by the widest margin; the critic chooses which are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.compiler.signals.robustness import compile_robustness
from agentc.runtime.learn.policy import Policy
from agentc.runtime.planning.problem import Problem
from agentc.runtime.subgoals import telling
from agentc.runtime.subgoals.judging import JudgedEnv
from agentc.runtime.subgoals.proposals import Pool, Proposal
from agentc.runtime.subgoals.propositions import FAR
from agentc.runtime.subgoals.requirements import Schedule
from agentc.runtime.subgoals.vector import Told

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

ROWS = 1 << 15
"""How many plans are looked at at once."""


@dataclass(frozen=True)
class Followed:
    """What came of following plans: the traces ``(batch, last + 1, states + inputs)``, and by the exact semantics
    whether each satisfies the formulas; ``met`` says whether its plan was met, ``plans`` which it was."""

    traces: Floats
    satisfied: Truths
    met: Truths
    plans: tuple[Proposal, ...]


class Follower:
    """Chooses plans for states and follows them with the likeliest actions.

    Args:
        policy: what ``train tgpo`` made.
        told: the problem, its plans, and what they look like.
        scored: how many plans of the pool the critic scores for each state.
        rolled: how many of them are tried.
    """

    def __init__(self, policy: Policy, told: Told, scored: int = 256, rolled: int = 16) -> None:
        self.policy, self.told = policy, told
        self.problem: Problem = told.problem
        self.pool: Pool = told.pool
        self.scored, self.rolled = min(scored, len(told.pool)), rolled

    def choose(self, state: Floats) -> list[Proposal]:
        """A plan for each of the states ``(batch, n)`` in which an episode begins."""
        drawn = self.pool.drawn[: self.scored]
        if len(drawn) == 1:
            return [drawn[0]] * len(state)
        best = np.argsort(-self._scores(state), axis=1)[:, : self.rolled]
        if best.shape[1] == 1:
            return [drawn[k] for k in best[:, 0].tolist()]
        merit = np.empty(best.shape)
        step = max(1, ROWS // best.shape[1])
        for a in range(0, len(state), step):
            rows = best[a : a + step]
            plans = [drawn[k] for k in rows.ravel().tolist()]
            found = self._rollout(np.repeat(state[a : a + step], best.shape[1], axis=0), plans, None)
            merit[a : a + step] = found[1].reshape(rows.shape)
        chosen = best[np.arange(len(state)), merit.argmax(axis=1)]
        return [drawn[k] for k in chosen.tolist()]

    def follow(self, state: Floats, seed: int, plans: Sequence[Proposal] | None = None) -> Followed:
        """One run from each of the states, with disturbances drawn from ``seed``."""
        chosen = list(self.choose(state) if plans is None else plans)
        traces, merit = self._rollout(state, chosen, np.random.default_rng([seed, 11]))
        formula = compile_robustness(self.problem.formula, self.problem.signals)
        satisfied: Truths = np.asarray(formula.satisfaction_at(np.nan_to_num(traces)), np.bool_)
        return Followed(traces, satisfied, merit >= 0.0, tuple(chosen))

    def starts(self, number: int, seed: int) -> Floats:
        """Initial states for an evaluation, ``(number, n)``."""
        state, _ = self.problem.simulator.start(np.random.default_rng([seed, 12]), number)
        return state

    # ------------------------------------------------------------ parts

    def _scores(self, state: Floats) -> Floats:
        """What the critic thinks of every plan from every state, ``(batch, scored)``."""
        start, end = (a[: self.scored, :, :2] for a in (self.pool.schedule.start, self.pool.schedule.end))
        scores = np.empty((len(state), self.scored))
        step = max(1, ROWS // self.scored)
        for a in range(0, len(state), step):
            part = state[a : a + step]
            many = Schedule(np.tile(start, (len(part), 1, 1)), np.tile(end, (len(part), 1, 1)))
            seen = self.told.at_start(np.repeat(part, self.scored, axis=0), many)
            scores[a : a + step] = self.policy.value(seen).reshape(len(part), self.scored)
        return scores

    def _rollout(
        self, state: Floats, plans: Sequence[Proposal], randomness: np.random.Generator | None
    ) -> tuple[Floats, Floats]:
        """Traces of the plans, and the least margin of what each requires: negative where something is missed."""
        told, simulator, last, n = self.told, self.problem.simulator, self.pool.last, len(state)
        plan = Schedule(np.stack([p.schedule.start for p in plans]), np.stack([p.schedule.end for p in plans]))
        mode = np.zeros(n, np.int64)
        traces = np.empty((n, last + 1, state.shape[1] + len(self.problem.system.inputs)))
        merit = np.full(n, FAR)
        before: Floats | None = None
        now = told.columns(state, None)
        for t in range(last + 1):
            traces[:, t] = now
            margins, holds = told.propositions.read(now, before)
            asked = plan.start[:, :, t] == t
            # what is true with margin 0 is kept; what is false is not, whatever its margin
            kept = np.where(holds, np.maximum(margins, 0.0), np.minimum(margins, -1e-12))
            merit = np.minimum(merit, np.where(asked, kept, FAR).min(axis=1))
            if t == last:
                break
            steps = np.full(n, t, np.int32)
            seen = told.observed(state, telling.told(plan, steps, margins, told.scale, last))
            action = self.policy.act(seen, None, None).astype(float)
            noise = self.problem.disturbance[None].repeat(n, axis=0) if randomness is None else None
            drawn = simulator.noise(randomness, n) if noise is None and randomness is not None else noise
            assert drawn is not None
            state, mode = simulator.step(state, mode, action, drawn)
            before, now = now, told.columns(state, action)
        return traces, merit


class Following:
    """A follower as an actor of evaluations: it chooses a plan at every reset and takes the likeliest actions."""

    def __init__(self, follower: Follower) -> None:
        self.follower = follower

    def within(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with the plan in what is observed, and with verdicts at the end."""
        return FollowingEnv(env, self.follower)

    def check_spaces(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> None:
        """Raises AS0844 for a policy of other spaces."""
        self.follower.policy.check_spaces(observation_space, action_space)

    def export(self, path: Path | str, plan: Proposal | None = None) -> Path:
        """Write the policy with one plan inside (:func:`agentc.runtime.subgoals.planned.export_planned`)."""
        from agentc.runtime.subgoals.planned import export_planned

        return export_planned(self.follower, Path(path), plan)

    def act(self, observation: Any, mask: Any, randomness: np.random.Generator | None) -> Any:
        """The likeliest action of each row: what was tried before the plan was chosen."""
        return self.follower.policy.act(observation, mask, None)


class FollowingEnv(JudgedEnv):
    """A declared environment, as a policy that follows plans sees it: a plan is chosen at every reset."""

    def __init__(self, env: gymnasium.Env[Any, Any], follower: Follower) -> None:
        super().__init__(env, follower.problem)
        self._follower = follower
        self._plan: Proposal | None = None
        self.observation_space = spaces.Box(-np.inf, np.inf, (follower.told.size,), np.float32)

    def begun(self, info: dict[str, Any]) -> dict[str, Any]:
        """Choose a plan; ``info["plan"]`` has its lines."""
        (self._plan,) = self._follower.choose(self.inner.batch.state)
        return {**info, "plan": self._plan.plan.lines()}

    def seen(self) -> NDArray[np.float32]:
        """The state, and what is told of the plan."""
        told, t = self._follower.told, len(self.trace) - 1
        before = self.trace[-2][None] if t else None
        margins, _ = told.propositions.read(self.trace[-1][None], before)
        assert self._plan is not None
        plan = self._plan.schedule
        one = Schedule(plan.start[None], plan.end[None])
        said = telling.told(one, np.array([t], np.int32), margins, told.scale, told.pool.last)
        found: NDArray[np.float32] = told.observed(self.inner.batch.state, said)[0]
        return found
