"""Implicit Q-learning from recorded data.

Kostrikov, Nair and Levine, "Offline Reinforcement Learning with Implicit Q-Learning" (2022): the value function is an
expectile of the critics (equation 5), the critics bootstrap from it (equation 6), and the policy is cloned with the
weight ``exp(beta * advantage)``, at most 100 (equation 7). Continuous and discrete actions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.networks.critics import Critics
from agentc.runtime.learn.objectives.base import column, named, part, tensor
from agentc.runtime.learn.objectives.bc import imitation
from agentc.runtime.learn.off_policy_config import IQLConfig
from agentc.runtime.learn.optimizer import FlatAdam, Target, restore_weights, weights_of
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


def expectile(errors: torch.Tensor, share: float) -> torch.Tensor:
    """The asymmetric squared loss of errors ``target - value``: ``|share - 1(error < 0)| * error^2``."""
    return torch.where(errors < 0, 1.0 - share, share) * errors.square()


class IQL:
    """Policy and value function (one network), two critics and their slow copies."""

    def __init__(self, architecture: Architecture, config: IQLConfig, generator: torch.Generator) -> None:
        self._config = config
        self._discrete = architecture.action.discrete
        self.network = ActorCritic(architecture, generator)
        self._critics = Critics(architecture, 2, generator)
        self._adam, self._critic_adam = FlatAdam(self.network), FlatAdam(self._critics)
        self._target = Target(Critics(architecture, 2, None), self._critic_adam.weights)
        self.actor = StochasticActor(self.network)

    def step(
        self, batch: Transitions, learning_rate: float, randomness: np.random.Generator, at: tuple[int, int]
    ) -> Mapping[str, float]:
        """One step of value function and policy, one of the critics."""
        c, network = self._config, self.network
        raw = network.inputs(batch.observations)
        inputs = network.normalized(raw)
        actions = column(batch.actions)
        with torch.no_grad():
            best = self._of(self._target.network, inputs, actions).min(0).values
            later = network.value(network.inputs(batch.next_observations))
            targets = column(batch.rewards) + column(batch.discounts) * later
        policy, values = network.both(raw, tensor(batch.masks))
        advantages = best - values.detach()
        weights = (c.beta * advantages).exp().clamp(max=100.0)
        cloned = imitation(policy, actions) * weights
        value_errors = expectile(best - values, c.expectile)
        critic_errors = (self._of(self._critics, inputs, actions) - targets).square().sum(0)
        if batch.weights is not None:
            drawn = column(batch.weights)
            cloned, value_errors, critic_errors = cloned * drawn, value_errors * drawn, critic_errors * drawn
        actor_loss, value_loss, critic_loss = cloned.mean(), value_errors.mean(), critic_errors.mean()
        self._adam.descend(actor_loss + value_loss, learning_rate, c.max_grad_norm, at, epsilon=1e-8)
        self._critic_adam.descend(critic_loss, learning_rate, c.max_grad_norm, at, epsilon=1e-8)
        self._target.follow(c.tau)
        return {
            "actor_loss": actor_loss.item(),
            "value_loss": value_loss.item(),
            "critic_loss": critic_loss.item(),
            "advantage": advantages.mean().item(),
        }

    def _of(self, critics: Critics, inputs: tuple[torch.Tensor, ...], actions: torch.Tensor) -> torch.Tensor:
        if not self._discrete:
            values: torch.Tensor = critics(inputs, actions)
            return values
        every = critics(inputs)
        chosen: torch.Tensor = every.gather(-1, actions.view(1, -1, 1).expand(len(every), -1, 1)).squeeze(-1)
        return chosen

    def state(self) -> dict[str, Array]:
        """Networks, slow copies, optimisers."""
        return {
            **named("network", weights_of(self.network)),
            **named("critics", weights_of(self._critics)),
            **named("target", weights_of(self._target.network)),
            **named("adam", self._adam.state()),
            **named("critic_adam", self._critic_adam.state()),
        }

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self.network, part(state, "network"))
        restore_weights(self._critics, part(state, "critics"))
        restore_weights(self._target.network, part(state, "target"))
        self._adam.restore(part(state, "adam"))
        self._critic_adam.restore(part(state, "critic_adam"))
