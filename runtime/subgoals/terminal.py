"""The baseline of learning from STL: who acts is told the time, and paid the robustness of the whole trace at its end.

As in Aksaray et al., "Q-learning for robust satisfaction of signal temporal logic specifications" (CDC 2016), the
quantity is robustness; there is nothing on the way. A :class:`~agentc.runtime.learn.vector.VectorEnv`.

Two kinds of memory make the state of the process sufficient again. The last steps as a window (tau-MDP, Aksaray et al.)
are settings of any learner: ``history`` with ``memory = flat``. Flags (F-MDP, Venkataraman, Aksaray, Seiler,
"Tractable reinforcement learning of signal temporal logic objectives", L4DC 2020) are here: of each proposition of the
formulas for how long it has held, and for how long it has not. Deviations: flags are of propositions, where the paper
has them of the subformulas in the outermost window, and count steps of the whole episode; the reward is robustness at
the end, where both papers pay an approximation of it at each step, which needs one outermost operator.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.compiler.signals.robustness import compile_robustness
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.learn.vector import Array, Observation, StepBatch
from agentc.runtime.planning.problem import Problem
from agentc.runtime.planning.requirements import propositions_of
from agentc.runtime.spec_declared import DeclaredRows
from agentc.runtime.subgoals.outputs import Outputs
from agentc.runtime.subgoals.propositions import Propositions

CUT = 5.0
"""Robustness is cut to ``[-CUT, CUT]``."""


class TerminalVectorEnv:
    """N rows of a problem's system; ``satisfied/plan`` says whether the formulas hold, as beside it.

    ``flags`` shows of each proposition, behind the time, for what share of the episode it has held without a break up
    to now, and how long ago it last held.
    """

    def __init__(self, problem: Problem, num_envs: int, *, flags: bool = False) -> None:
        self.problem, self.num_envs = problem, num_envs
        env = DeclaredEnv(problem.system, problem.last)
        self._rows = DeclaredRows(env, (), num_envs)
        self._outputs = Outputs(problem)
        self._formula = compile_robustness(problem.formula, problem.signals)
        self.action_space: gymnasium.Space[Any] = env.action_space
        self._propositions: Propositions | None = None
        if flags:
            states, inputs = problem.names
            columns = (*states, *inputs)
            self._propositions = Propositions(propositions_of(problem.subgoals), problem.signals, columns)
        number = 0 if self._propositions is None else len(self._propositions)
        self._held, self._ago = np.zeros((num_envs, number)), np.full((num_envs, number), float(problem.last))
        self.observation_space: gymnasium.Space[Any] = spaces.Box(
            -np.inf, np.inf, (self._outputs.size + 1 + 2 * number,), np.float32
        )
        self.action_mask: NDArray[np.bool_] | None = None
        self._traces = np.zeros((num_envs, problem.last + 1, len(problem.system.states) + len(problem.system.inputs)))
        self.traces = self._traces
        """The whole traces of the episodes that ended last, ``(num_envs, last + 1, states + inputs)``."""

    def reset(self, seed: int | None) -> Observation:
        """New episodes everywhere."""
        n = self.num_envs
        self._rows.reset([None] * n if seed is None else training_seeds(seed, n))
        return self._begun()

    def step(self, actions: Array) -> StepBatch:
        """Act everywhere; all rows end together."""
        self._rows.step(actions)
        batch, n = self._rows.batch, self.num_envs
        t = int(batch.steps[0])
        self._traces[:, t] = np.concatenate([batch.state, batch.action], axis=1)
        self._flag(t)
        over = t >= self.problem.last
        reward, info = np.zeros(n, np.float32), {}
        observation = final = self._observed()
        if over:
            value = self._formula.robustness_at(self._traces)
            reward = np.clip(value, -CUT, CUT).astype(np.float32)
            met = np.asarray(self._formula.satisfaction_at(self._traces), np.bool_)
            info = {"return": reward.astype(float), "length": batch.steps.copy(), "satisfied/plan": met}
            self.traces = self._traces.copy()
            self._rows.restart(range(n))
            observation = self._begun()
        ended = np.full(n, over)
        return StepBatch(observation, final, reward, ended, np.zeros(n, np.bool_), None, info)

    def close(self) -> None:
        """Nothing is held."""

    def observed(self, state: NDArray[np.float64], t: int) -> NDArray[np.float32]:
        """What is seen of states ``(batch, n)`` at a step."""
        passed = np.full((len(state), 1), t / max(self.problem.last, 1))
        return np.concatenate([self._outputs.seen(state), passed], axis=1).astype(np.float32)

    def _observed(self) -> NDArray[np.float32]:
        seen = self.observed(self._rows.batch.state, int(self._rows.batch.steps[0]))
        if self._propositions is None:
            return seen
        said = np.concatenate([self._held, self._ago], axis=1) / max(self.problem.last, 1)
        return np.concatenate([seen, np.minimum(said, 1.0).astype(np.float32)], axis=1)

    def _flag(self, t: int) -> None:
        """Count on from what holds at step ``t``; there was no input before step 0."""
        if self._propositions is None:
            return
        now = self._traces[:, t].copy()
        if t == 0:
            now[:, len(self.problem.system.states) :] = np.nan
        _, holds = self._propositions.read(now, self._traces[:, t - 1] if t else None)
        self._held = np.where(holds, self._held + 1.0, 0.0)
        self._ago = np.where(holds, 0.0, self._ago + 1.0)

    def _begun(self) -> NDArray[np.float32]:
        self._traces[:] = 0.0
        self._traces[:, 0, : len(self.problem.system.states)] = self._rows.batch.state
        self._held[:], self._ago[:] = 0.0, self.problem.last
        self._flag(0)
        return self._observed()
