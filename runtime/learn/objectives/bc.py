"""Behaviour cloning: the likeliest policy of what was recorded.

Pomerleau, "Efficient Training of Artificial Neural Networks for Autonomous Navigation" (1991). Of continuous actions
the squared distance from the recorded one, of discrete ones the log-probability among the legal actions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.distributions import Distribution, Point
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.objectives.base import column, named, part, tensor
from agentc.runtime.learn.optimizer import FlatAdam, restore_weights, weights_of
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class BC:
    """A policy and one gradient step on a batch."""

    def __init__(self, architecture: Architecture, config: TrainingConfig, generator: torch.Generator) -> None:
        self._config = config
        self.network = ActorCritic(architecture, generator)
        self._adam = FlatAdam(self.network)
        self.actor = StochasticActor(self.network)

    def step(
        self, batch: Transitions, learning_rate: float, randomness: np.random.Generator, at: tuple[int, int]
    ) -> Mapping[str, float]:
        """One step towards the recorded actions."""
        network = self.network
        policy = network.policy(network.inputs(batch.observations), tensor(batch.masks))
        losses = imitation(policy, column(batch.actions))
        loss = losses.mean() if batch.weights is None else (losses * column(batch.weights)).mean()
        norm = self._adam.descend(loss, learning_rate, self._config.max_grad_norm, at, epsilon=1e-8)
        return {"loss": loss.item(), "grad_norm": norm}

    def state(self) -> dict[str, Array]:
        """Weights and optimiser."""
        return {**named("network", weights_of(self.network)), **named("adam", self._adam.state())}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self.network, part(state, "network"))
        self._adam.restore(part(state, "adam"))


def imitation(policy: Distribution, actions: Tensor) -> Tensor:
    """What it costs not to do what was recorded, ``(batch,)``."""
    if isinstance(policy, Point):
        return (policy.action - actions).square().sum(-1)
    return -policy.log_prob(actions)
