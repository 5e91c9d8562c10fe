"""Learning from replay as a composition: acting, replay, an objective on batches.

Every cycle takes ``train_every`` steps in each environment, stores them, and after ``warmup`` steps makes
``updates`` gradient steps on drawn batches. Which objective it is, and how it explores, is the algorithm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.constraints import Constraint
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.networks.encoders import check_codes
from agentc.runtime.learn.objectives.base import BatchObjective, named, part
from agentc.runtime.learn.off_policy_config import OffPolicyConfig
from agentc.runtime.learn.replay.nstep import NStep
from agentc.runtime.learn.replay.uniform import UniformReplay, with_masks
from agentc.runtime.learn.slots import Replay, State, Stateful
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.transitions import transitions_of
from agentc.runtime.learn.vector import Array


class OffPolicyLearner:
    """Replay and an objective."""

    def __init__(
        self, architecture: Architecture, config: OffPolicyConfig, objective: BatchObjective, replay: Replay
    ) -> None:
        self.architecture = architecture
        self.config = config
        self.objective = objective
        self.replay = replay
        self.network, self.actor = objective.network, objective.actor
        self.cycle = config.train_every
        self._n_step = NStep(config.n_step, config.envs)
        self._legal: Constraint | None = None

    def learn(self, trajectory: Trajectory | None, randomness: np.random.Generator, at: Moment) -> Mapping[str, float]:
        """Store a trajectory, then the gradient steps of one cycle."""
        assert trajectory is not None
        c = self.config
        check_codes(self.architecture, trajectory.observations)
        self._legal = trajectory.legal
        self._store(trajectory)
        if at.steps < c.warmup or len(self.replay) == 0:
            return {}
        rate = c.rate(min(at.steps, c.steps))
        sums: dict[str, float] = {}
        for _ in range(c.updates):
            batch = with_masks(self.replay.sample(c.batch, randomness), self._legal)
            for key, value in self.objective.step(batch, rate, randomness, (at.steps, at.updates)).items():
                sums[key] = sums.get(key, 0.0) + value
        return {key: value / c.updates for key, value in sums.items()}

    def _store(self, trajectory: Trajectory) -> None:
        every = transitions_of(trajectory, self.config.discount)
        if self.config.n_step == 1:
            self.replay.add(every)
            return
        n = trajectory.num_envs
        for t in range(trajectory.steps):
            complete = self._n_step(every.take(np.arange(t * n, (t + 1) * n)), trajectory.ended[t])
            if complete is not None:
                self.replay.add(complete)

    def state(self) -> dict[str, Array]:
        """The objective, the replay and the steps that wait for their return."""
        state = self.objective.state() | named("n_step", self._n_step.state())
        return state | (named("replay", self.replay.state()) if isinstance(self.replay, Stateful) else {})

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        self.objective.restore(state)
        self._n_step.restore(part(state, "n_step"))
        if isinstance(self.replay, Stateful):
            self.replay.restore(part(state, "replay"))


def dqn(architecture: Architecture, config: Any, generator: torch.Generator) -> OffPolicyLearner:
    """The learner of ``train dqn``."""
    from agentc.runtime.learn.objectives.dqn import DQN

    objective = DQN(architecture, config, generator)
    return OffPolicyLearner(architecture, config, objective, UniformReplay(config.replay_size))
