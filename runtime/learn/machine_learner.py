"""``train crm``: deep Q-learning on counterfactual experience as a composition for the loop."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from agentc.runtime.learn.acting import Actor
from agentc.runtime.learn.architecture import ActionHead, Architecture
from agentc.runtime.learn.counterfactual import CounterfactualConfig, CounterfactualQ
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.machine_config import CRMConfig, table_of
from agentc.runtime.learn.networks.encoders import check_codes
from agentc.runtime.learn.networks.machine_values import OBSERVATION, MachineNetwork
from agentc.runtime.learn.objectives.base import named, part
from agentc.runtime.learn.optimizer import restore_weights, weights_of
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.tabular import Step, epsilon_greedy
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array, VectorEnv
from agentc.runtime.machine_table import MachineTable


class MachineActor:
    """Epsilon-greedy on the values of the machines' present states."""

    def __init__(self, network: MachineNetwork, config: CRMConfig) -> None:
        self._network, self._config = network, config
        self.head: ActionHead = network.architecture.action
        self._epsilon = 1.0

    def epsilon(self, taken: int) -> float:
        """The probability of a random action after ``taken`` steps."""
        c = self._config
        share = min(1.0, taken / max(1.0, c.exploration * c.steps))
        return 1.0 + share * (c.epsilon_end - 1.0)

    def noise(self, steps: int, num_envs: int, taken: int, randomness: np.random.Generator) -> Array:
        """Uniform numbers for the choices; the last decides whether to explore."""
        drawn = randomness.random((steps, num_envs, self.head.size + 1))
        drawn[..., -1] = drawn[..., -1] >= self.epsilon(taken)
        return drawn

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """The best action, or any."""
        network = self._network
        return epsilon_greedy(network.values(network.inputs(observation)).numpy(), 0.5, noise)


class MachineLearner:
    """Replay, relabelling and the values of all states."""

    cycle = 1

    def __init__(
        self, architecture: Architecture, config: CRMConfig, generator: torch.Generator, machine: MachineTable
    ) -> None:
        self.architecture, self.config = architecture, config
        rates = CounterfactualConfig(
            config.learning_rate, config.discount, config.hidden, config.layers, config.batch, config.replay_size,
            config.tau, config.counterfactual, bool(np.any(machine.shaping)), config.max_grad_norm,
        )  # fmt: skip
        (size,) = (p.size for p in architecture.parts if p.key == OBSERVATION)
        self.learner = CounterfactualQ(machine, size, architecture.action.size, rates, generator)
        self._network = MachineNetwork(architecture, self.learner.network)
        self.actor: Actor = MachineActor(self._network, config)

    @property
    def network(self) -> MachineNetwork:
        """The values of the machines' present states."""
        return self._network

    def learn(self, trajectory: Trajectory | None, randomness: np.random.Generator, at: Moment) -> Mapping[str, float]:
        """Store a step of every environment, then one gradient step."""
        assert trajectory is not None
        check_codes(self.architecture, trajectory.observations)
        read, before = trajectory.monitors, trajectory.observations[OBSERVATION][0]
        after = trajectory.last_observation[OBSERVATION].copy()
        after[trajectory.finals.env] = trajectory.finals.observation[OBSERVATION]
        nothing = np.zeros(0, np.int64)
        step = Step(
            nothing, read["state"][0], trajectory.actions[0], nothing, read["letter"][0], read["earlier"][0],
            read["over"][0],
        )  # fmt: skip
        self.learner.replay.add(step, self._network.rows(before), self._network.rows(after))
        if at.steps < self.config.warmup:
            return {}
        return self.learner.improve(randomness, self.config.rate(min(at.steps, self.config.steps)))

    def state(self) -> dict[str, Array]:
        """Networks, optimiser and replay."""
        learner = self.learner
        state = named("network", weights_of(self._network)) | named("target", weights_of(learner.target))
        return state | named("learner", learner.state())

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self._network, part(state, "network"))
        restore_weights(self.learner.target, part(state, "target"))
        self.learner.restore(part(state, "learner"))


def crm(architecture: Architecture, config: CRMConfig, generator: torch.Generator, env: VectorEnv) -> MachineLearner:
    """The learner of ``train crm``."""
    return MachineLearner(architecture, config, generator, table_of(env, config.algorithm))
