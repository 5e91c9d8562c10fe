"""Return-conditioned cloning: the action of every step of a window, from what came before it.

Chen et al., 2021 (arXiv 2106.01345), section 3; the network and its deviations are in
:mod:`agentc.runtime.learn.networks.decision`. ``agentc train`` with ``train dt`` runs it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.networks.decision import DecisionTransformer
from agentc.runtime.learn.objectives.base import named, part
from agentc.runtime.learn.objectives.bc import imitation
from agentc.runtime.learn.optimizer import FlatAdam, restore_weights, weights_of
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class DecisionObjective:
    """A decision transformer and one gradient step on a batch of windows."""

    def __init__(self, architecture: Architecture, config: TrainingConfig, generator: torch.Generator) -> None:
        self._config = config
        self.network = ActorCritic(architecture, generator)
        self._adam = FlatAdam(self.network)
        self.actor = StochasticActor(self.network)

    def losses(self, batch: Transitions) -> Tensor:
        """What it costs not to do what was done, ``(n,)``, of the steps that are there."""
        network = self.network
        transformer = network.encoders[0]
        assert isinstance(transformer, DecisionTransformer) and batch.weights is not None
        there = torch.from_numpy(batch.weights) > 0.5
        made = transformer.every(torch.from_numpy(np.ascontiguousarray(batch.observations[""])))
        policy = network.distribution(network.actor(made[there]))
        return imitation(policy, torch.from_numpy(batch.actions)[there])

    def step(
        self, batch: Transitions, learning_rate: float, randomness: np.random.Generator, at: tuple[int, int]
    ) -> Mapping[str, float]:
        """One step towards the recorded actions, each step of a window counting alike."""
        loss = self.losses(batch).mean()
        norm = self._adam.descend(loss, learning_rate, self._config.max_grad_norm, at, epsilon=1e-8)
        return {"loss": loss.item(), "grad_norm": norm}

    def state(self) -> dict[str, Array]:
        """Weights and optimiser."""
        return {**named("network", weights_of(self.network)), **named("adam", self._adam.state())}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self.network, part(state, "network"))
        self._adam.restore(part(state, "adam"))
