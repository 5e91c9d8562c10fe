"""Learning from replay as a composition: acting, replay, an objective on batches.

Every cycle takes ``train_every`` steps in each environment, stores them, and after ``warmup`` steps makes
``updates`` gradient steps on drawn batches. Which objective it is, and how it explores, is the algorithm's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.constraints import Constraint
from agentc.runtime.learn.demonstrations.recorded import Recorded
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.machine_config import table_of
from agentc.runtime.learn.networks.encoders import check_codes
from agentc.runtime.learn.objectives.base import BatchObjective, named, part
from agentc.runtime.learn.objectives.dqn import DQN
from agentc.runtime.learn.objectives.sac import SAC
from agentc.runtime.learn.objectives.td3 import TD3
from agentc.runtime.learn.off_policy_config import DQNConfig, OffPolicyConfig, RLPDConfig, SACConfig, TD3Config
from agentc.runtime.learn.replay.counterfactual import Counterfactual
from agentc.runtime.learn.replay.nstep import NStep
from agentc.runtime.learn.replay.outcome import OutcomeReplay
from agentc.runtime.learn.replay.prior import PriorReplay
from agentc.runtime.learn.replay.uniform import UniformReplay, with_masks
from agentc.runtime.learn.shields.box import box_of
from agentc.runtime.learn.slots import Relabel, Replay, State, Stateful
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.transitions import transitions_of
from agentc.runtime.learn.vector import Array, Budgeted, VectorEnv


class OffPolicyLearner:
    """Replay and an objective."""

    def __init__(
        self, architecture: Architecture, config: OffPolicyConfig, objective: BatchObjective, replay: Replay
    ) -> None:
        self.architecture = architecture
        self.config = config
        self.objective = objective
        self.replay = replay
        self.relabel: Relabel | None = None
        """M9: what is stored in place of what happened."""
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
        if isinstance(self.objective, SAC) and self.objective.costs is not None:
            self.objective.costs.budgets = trajectory.budgets
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
        if self.relabel is not None:
            every = self.relabel(trajectory, every)
        known = trajectory.decided
        if self.config.n_step == 1:
            self.replay.add(every if known is None else every.take(np.flatnonzero(known.reshape(-1))))
            return
        n = trajectory.num_envs
        for t in range(trajectory.steps):
            lost = None if known is None else ~known[t]
            complete = self._n_step(every.take(np.arange(t * n, (t + 1) * n)), trajectory.ended[t], lost)
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


def replay_of(config: OffPolicyConfig) -> Replay:
    """The replay that the configuration names."""
    return REPLAYS[config.replay](config)


REPLAYS: dict[str, Callable[[OffPolicyConfig], Replay]] = {
    "uniform": lambda c: UniformReplay(c.replay_size),
    "failure": lambda c: OutcomeReplay(c.replay_size, c.envs, c.outcome_share, failures=True),
    "success": lambda c: OutcomeReplay(c.replay_size, c.envs, c.outcome_share, failures=False),
}
"""M10 by name. Recorded data beside what is collected is a setting of ``rlpd``."""


def dqn(architecture: Architecture, config: DQNConfig, generator: torch.Generator, env: VectorEnv) -> OffPolicyLearner:
    """The learner of ``train dqn``."""
    return _composed(config, DQN(architecture, config, generator), replay_of(config), env)


def sac(architecture: Architecture, config: SACConfig, generator: torch.Generator, env: VectorEnv) -> OffPolicyLearner:
    """The learner of ``train sac``. Raises AS1508 for a box around a controller that the environment lacks."""
    costs = tuple(env.budgets) if isinstance(env, Budgeted) else ()
    box = box_of(env, config.box, config.box_width, round(config.box_share * config.steps))
    return _composed(config, SAC(architecture, config, generator, costs=costs, box=box), replay_of(config), env)


def rlpd(
    architecture: Architecture, config: RLPDConfig, generator: torch.Generator, env: VectorEnv
) -> OffPolicyLearner:
    """The learner of ``train rlpd``. Raises :class:`AgentcError` (AS1532 to AS1534) for data that cannot be used."""
    prior = Recorded.load(Path(config.data), architecture, config.discount)
    replay = PriorReplay(replay_of(config), prior, config.prior_share)
    return _composed(config, SAC(architecture, config, generator), replay, env)


def td3(architecture: Architecture, config: TD3Config, generator: torch.Generator, env: VectorEnv) -> OffPolicyLearner:
    """The learner of ``train td3``. Raises AS1508 for a box around a controller that the environment lacks."""
    objective = TD3(architecture, config, generator, config.warmup, config.exploration_noise)
    box = box_of(env, config.box, config.box_width, round(config.box_share * config.steps))
    if box is not None:
        objective.keep_in(box)
    return _composed(config, objective, replay_of(config), env)


def _composed(config: OffPolicyConfig, objective: BatchObjective, replay: Replay, env: VectorEnv) -> OffPolicyLearner:
    learner = OffPolicyLearner(objective.network.architecture, config, objective, replay)
    if config.counterfactual:
        learner.relabel = Counterfactual(table_of(env, config.algorithm), config.discount)
    return learner
