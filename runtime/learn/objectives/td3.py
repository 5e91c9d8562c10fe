"""Twin delayed deep deterministic policy gradient, and its offline form with behaviour cloning.

Fujimoto, van Hoof and Meger, "Addressing Function Approximation Error in Actor-Critic Methods" (2018), algorithm 1:
the least of two critics, a smoothed target action, a policy that moves every ``policy_delay`` steps. With ``bc_alpha``
above 0 it is TD3+BC: Fujimoto and Gu, "A Minimalist Approach to Offline Reinforcement Learning" (2021), equation 3:
the policy climbs ``alpha / mean |Q|`` times the value minus the squared distance from the recorded action.

With ``box`` actions are kept around those of a suboptimal controller at first, after Lin et al., "CAMEL: Continuous
Action Masking Enabled by Large Language Models" (2025): critics learn of the actions that were taken, targets and the
policy's climb are those of actions in the box.

Deviations: weights begin orthogonal; actions are in [-1, 1] whatever the space's bounds. The policy's range is mapped
onto the box and not clipped to it, so that its gradient passes; the controller is a law of the spec, not a program.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.networks.critics import Critics
from agentc.runtime.learn.objectives.base import column, named, part
from agentc.runtime.learn.objectives.sac import Warming
from agentc.runtime.learn.off_policy_config import TD3BCConfig, TD3Config
from agentc.runtime.learn.optimizer import FlatAdam, Target, refuse, restore_weights, weights_of
from agentc.runtime.learn.shields.box import Box, boxed
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class Noisy(Warming):
    """The policy's action with normal noise of deviation ``scale``, within the bounds."""

    def __init__(self, network: ActorCritic, warmup: int, scale: float) -> None:
        super().__init__(network, warmup)
        self._scale = np.float32(scale)

    def wanted(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """Uniform while the run warms up, then with noise."""
        if self._uniform:
            return noise
        moved: Array = np.clip(super().wanted(observation, mask, noise) + self._scale * noise, -1.0, 1.0)
        return moved


class TD3:
    """The policy, two critics, slow copies of all, and one gradient step on a batch."""

    def __init__(
        self,
        architecture: Architecture,
        config: TD3Config | TD3BCConfig,
        generator: torch.Generator,
        warmup: int = 0,
        exploration_noise: float = 0.0,
    ) -> None:
        """``warmup`` steps are uniform, later ones have normal noise of deviation ``exploration_noise``."""
        self._config = config
        self.network = ActorCritic(architecture, generator)
        self._critics = Critics(architecture, 2, generator)
        self._policy_adam, self._critic_adam = FlatAdam(self.network), FlatAdam(self._critics)
        self._policy_target = Target(ActorCritic(architecture), self._policy_adam.weights)
        self._critic_target = Target(Critics(architecture, 2, None), self._critic_adam.weights)
        self.actor = Noisy(self.network, warmup, exploration_noise)
        self.box: Box | None = None
        self._count = 0
        self._last = 0.0

    def keep_in(self, box: Box) -> None:
        """Keep actions in a box, those of the actor and those that are learned of."""
        self.box = self.actor.box = box

    def _kept(self, actions: Tensor, observations: Mapping[str, Array], taken: int) -> Tensor:
        return actions if self.box is None else boxed(self.box, self.actor.head, actions, observations, taken)

    def step(
        self, batch: Transitions, learning_rate: float, randomness: np.random.Generator, at: tuple[int, int]
    ) -> Mapping[str, float]:
        """One gradient step of the critics; every ``policy_delay`` of them one of the policy and the copies."""
        c, network = self._config, self.network
        inputs = network.normalized(network.inputs(batch.observations))
        following = network.normalized(network.inputs(batch.next_observations))
        actions = column(batch.actions)
        with torch.no_grad():
            noise = column(randomness.standard_normal(batch.actions.shape, np.float32)) * c.target_noise
            noise = noise.clamp(-c.target_clip, c.target_clip)
            goal = self._policy_target.network.policy_of(following).mode()
            goal = self._kept((goal + noise).clamp(-1.0, 1.0), batch.next_observations, at[0])
            later = self._critic_target.network(following, goal).min(0).values
            targets = column(batch.rewards) + column(batch.discounts) * later
        values = self._critics(inputs, actions)
        errors = (values - targets).square()
        if batch.weights is not None:
            errors = errors * column(batch.weights)
        loss = errors.mean(-1).sum()
        self._critic_adam.descend(loss, learning_rate, c.max_grad_norm, at, epsilon=1e-8)
        self._count += 1
        if self._count % c.policy_delay == 0:
            chosen = self._kept(network.policy_of(inputs).mode(), batch.observations, at[0])
            worth = self._critics(inputs, chosen)[0]
            climbed = -worth.mean()
            if c.bc_alpha > 0.0:
                weight = c.bc_alpha / (worth.abs().mean().detach() + 1e-8)
                climbed = weight * climbed + (chosen - actions).square().mean()
            refuse(("loss", float(climbed.detach())), at=at)
            self._policy_adam.descend(climbed, learning_rate, c.max_grad_norm, at, epsilon=1e-8)
            self._policy_target.follow(c.tau)
            self._critic_target.follow(c.tau)
            self._last = climbed.item()
        return {"critic_loss": loss.item(), "actor_loss": self._last, "value": values.mean().item()}

    def state(self) -> dict[str, Array]:
        """Policy, critics, slow copies, optimisers, counter."""
        return {
            **named("network", weights_of(self.network)),
            **named("critics", weights_of(self._critics)),
            **named("policy_target", weights_of(self._policy_target.network)),
            **named("critic_target", weights_of(self._critic_target.network)),
            **named("policy_adam", self._policy_adam.state()),
            **named("critic_adam", self._critic_adam.state()),
            "count": np.array([self._count]),
            "last": np.array([self._last]),
        }

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self.network, part(state, "network"))
        restore_weights(self._critics, part(state, "critics"))
        restore_weights(self._policy_target.network, part(state, "policy_target"))
        restore_weights(self._critic_target.network, part(state, "critic_target"))
        self._policy_adam.restore(part(state, "policy_adam"))
        self._critic_adam.restore(part(state, "critic_adam"))
        self._count, self._last = int(state["count"][0]), float(state["last"][0])
