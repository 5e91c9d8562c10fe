"""Deep Q-learning.

Mnih et al., "Human-Level Control Through Deep Reinforcement Learning" (2015); the double estimate is van Hasselt,
Guez and Silver, "Deep Reinforcement Learning with Double Q-learning" (2016), equation 4. Huber loss, as the clipped
error of the paper. Illegal actions are neither taken nor maximised over. ``tau`` 1 with ``target_every`` copies the
target now and then, as the paper does; the default follows slowly.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from agentc.runtime.learn.architecture import ActionHead, Architecture
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.objectives.base import column, named, part, tensor
from agentc.runtime.learn.off_policy_config import DQNConfig
from agentc.runtime.learn.optimizer import FlatAdam, Target, restore_weights, weights_of
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class EpsilonGreedy:
    """The best action, or with a probability that falls linearly a legal one at random."""

    def __init__(self, network: ActorCritic, config: DQNConfig) -> None:
        self._network, self._config = network, config
        self.head: ActionHead = network.architecture.action

    def epsilon(self, taken: int) -> float:
        """The probability of a random action after ``taken`` steps."""
        c = self._config
        if taken < c.warmup:
            return 1.0
        share = min(1.0, taken / max(1.0, c.exploration * c.steps))
        return c.epsilon_start + share * (c.epsilon_end - c.epsilon_start)

    def noise(self, steps: int, num_envs: int, taken: int, randomness: np.random.Generator) -> Array:
        """Whether to explore (1 or 0), and a uniform number that chooses the action: ``(steps, num_envs, 2)``."""
        drawn = randomness.random((steps, num_envs, 2), np.float32)
        drawn[..., 0] = drawn[..., 0] < self.epsilon(taken)
        return drawn

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """Greedy where the noise does not explore."""
        explores = noise[:, 0] > 0.5
        if explores.all():
            return self._random(mask, noise)
        network = self._network
        best: Array = network.policy(network.inputs(observation), tensor(mask)).mode().numpy()
        return np.where(explores, self._random(mask, noise), best)

    def _random(self, mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        legal = np.ones((len(noise), self.head.size), np.bool_) if mask is None else mask
        cumulative = legal.cumsum(1)
        chosen: Array = (cumulative <= (noise[:, 1:].astype(np.float64) * cumulative[:, -1:])).sum(1)
        return chosen


class DQN:
    """The action values, their target, and one gradient step on a batch."""

    def __init__(self, architecture: Architecture, config: DQNConfig, generator: torch.Generator) -> None:
        self._config = config
        self.network = ActorCritic(architecture, generator)
        self._optimizer = FlatAdam(self.network)
        self._target = Target(ActorCritic(architecture), self._optimizer.weights)
        self.actor = EpsilonGreedy(self.network, config)
        self._count = 0

    def step(
        self, batch: Transitions, learning_rate: float, randomness: np.random.Generator, at: tuple[int, int]
    ) -> Mapping[str, float]:
        """One gradient step, then the target follows."""
        c, network = self._config, self.network
        inputs = network.normalized(network.inputs(batch.observations))
        following = network.normalized(network.inputs(batch.next_observations))
        with torch.no_grad():
            later = self._target.network.output(self._target.network.features(following))
            choosing = network.output(network.features(following)) if c.double else later
            next_mask = tensor(batch.next_masks)
            if next_mask is not None:
                choosing = choosing.masked_fill(~next_mask, -torch.inf)
            best = choosing.argmax(-1, keepdim=True)
            targets = column(batch.rewards) + column(batch.discounts) * later.gather(-1, best).squeeze(-1)
        values = network.output(network.features(inputs)).gather(-1, column(batch.actions).unsqueeze(-1)).squeeze(-1)
        errors = torch.nn.functional.smooth_l1_loss(values, targets, reduction="none")
        if batch.weights is not None:
            errors = errors * column(batch.weights)
        loss = errors.mean()
        norm = self._optimizer.descend(loss, learning_rate, c.max_grad_norm, at, epsilon=1e-8)
        self._count += 1
        if self._count % c.target_every == 0:
            self._target.follow(c.tau)
        return {"loss": loss.item(), "value": values.mean().item(), "grad_norm": norm}

    def state(self) -> dict[str, Array]:
        """Values, target and optimiser."""
        return {
            **named("network", weights_of(self.network)),
            **named("target", weights_of(self._target.network)),
            **named("optimizer", self._optimizer.state()),
            "count": np.array([self._count]),
        }

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self.network, part(state, "network"))
        restore_weights(self._target.network, part(state, "target"))
        self._optimizer.restore(part(state, "optimizer"))
        self._count = int(state["count"][0])
