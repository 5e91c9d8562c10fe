"""Soft actor-critic, for continuous and for discrete actions.

Haarnoja et al., "Soft Actor-Critic Algorithms and Applications" (2018): two critics and their slow copies (equation
5), the policy by the reparametrised gradient (equation 7), the temperature learned for a target entropy of minus the
number of action dimensions (section 5). Discrete: Christodoulou, "Soft Actor-Critic for Discrete Action Settings"
(2019), expectations over actions in place of samples; the target entropy is ``target_entropy`` of the logarithm of the
number of legal actions. Illegal actions have probability 0 and are in no expectation.

With ``critics`` above 2, ``layer_norm``, several ``updates`` a step and recorded data in half of each batch it is
RLPD: Ball et al., "Efficient Online Reinforcement Learning with Offline Data" (2023); the target is then the least of
2 random critics, the policy climbs the mean of all (section 4.3).

With ``box`` continuous actions are kept in a box that may depend on the state
(:class:`~agentc.runtime.learn.shields.box.BoxedGaussian`). Costs that have budgets have critics of their own
(:mod:`agentc.runtime.learn.objectives.soft_costs`).

Deviations: the log-deviation is squeezed into [-5, 2] by ``tanh``; weights begin orthogonal.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.distributions import Categorical, SquashedGaussian
from agentc.runtime.learn.networks.actor_critic import ActorCritic, Inputs
from agentc.runtime.learn.networks.critics import Critics
from agentc.runtime.learn.objectives.base import column, named, part, tensor
from agentc.runtime.learn.objectives.sac_dense import DenseSampler, DenseSoft, is_dense
from agentc.runtime.learn.objectives.soft_costs import SoftCosts
from agentc.runtime.learn.off_policy_config import SoftConfig
from agentc.runtime.learn.optimizer import FlatAdam, Target, refuse, restore_weights, weights_of
from agentc.runtime.learn.shields.box import Box, BoxedGaussian, boxed, inner_bounds
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class Warming(StochasticActor):
    """Uniform actions for the first steps, then the policy's own; mapped onto a box, where there is one."""

    def __init__(self, network: ActorCritic, warmup: int, sampler: DenseSampler | None = None) -> None:
        """``sampler`` draws the policy's actions in place of the torch network."""
        super().__init__(network)
        self._warmup, self._uniform, self._sampler = warmup, True, sampler
        self.box: Box | None = None
        self._taken = 0

    def noise(self, steps: int, num_envs: int, taken: int, randomness: np.random.Generator) -> Array:
        """Actions themselves while the run warms up, noise of the policy afterwards; the box is that of these steps."""
        self._taken, self._uniform = taken, taken < self._warmup
        if self._uniform and not self.head.discrete:
            return randomness.uniform(-1.0, 1.0, (steps, num_envs, self.head.size)).astype(np.float32)
        return super().noise(steps, num_envs, taken, randomness)

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """What is wanted, in the box."""
        wanted = self.wanted(observation, mask, noise)
        if self.box is None:
            return wanted
        kept: Array = boxed(self.box, self.head, torch.from_numpy(wanted), observation, self._taken).numpy()
        return kept

    def wanted(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """Uniform over the range or the legal actions, or sampled."""
        if not self._uniform:
            return super().act(observation, mask, noise) if self._sampler is None else self._sampler(observation, noise)
        if not self.head.discrete:
            return noise
        legal = np.ones((len(noise), self.head.size), np.bool_) if mask is None else mask
        cumulative = legal.cumsum(1)
        chosen: Array = (cumulative <= noise[:, None].astype(np.float64) * cumulative[:, -1:]).sum(1)
        return chosen


class Temperature:
    """The weight of the entropy, learned by Adam on its logarithm; or fixed."""

    def __init__(self, config: SoftConfig) -> None:
        self._fixed = config.entropy_weight if config.entropy_weight > 0.0 else None
        self._log, self._first, self._second, self._count = math.log(config.initial_temperature), 0.0, 0.0, 0

    @property
    def value(self) -> float:
        """What it is now."""
        return self._fixed if self._fixed is not None else math.exp(self._log)

    def step(self, excess: float, learning_rate: float) -> None:
        """One step; ``excess`` is how far the entropy lies above its target (below: negative)."""
        if self._fixed is not None:
            return
        self._count += 1
        self._first += 0.1 * (excess - self._first)
        self._second += 0.001 * (excess * excess - self._second)
        first = self._first / (1 - 0.9**self._count)
        self._log -= learning_rate * first / (math.sqrt(self._second / (1 - 0.999**self._count)) + 1e-8)

    def state(self) -> dict[str, Array]:
        """The logarithm and its moments."""
        return {"adam": np.array([self._log, self._first, self._second, self._count])}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        self._log, self._first, self._second, count = state["adam"].tolist()
        self._count = int(count)


class SAC:
    """The policy, its critics and temperature, and one gradient step of each on a batch."""

    def __init__(
        self,
        architecture: Architecture,
        config: SoftConfig,
        generator: torch.Generator,
        *,
        by_hand: bool = True,
        costs: tuple[str, ...] = (),
        box: Box | None = None,
    ) -> None:
        """``by_hand`` derives the gradients of dense networks without autograd (``sac_dense.py``).

        ``costs`` are those that have a budget; their critics are computed with autograd, and so is the policy then.
        Continuous actions are kept in ``box``.
        """
        self._config = config
        self._head = architecture.action
        self.network = ActorCritic(architecture, generator)
        self._critics = Critics(architecture, config.critics, generator, config.layer_norm)
        self._policy_adam = FlatAdam(self.network)
        self._critic_adam = FlatAdam(self._critics)
        self._target = Target(Critics(architecture, config.critics, None, config.layer_norm), self._critic_adam.weights)
        self._temperature = Temperature(config)
        self._by_hand: DenseSoft | None = None
        self.costs = SoftCosts(costs, architecture, generator) if costs else None
        sampler: DenseSampler | None = None
        if is_dense(architecture, self._critics) and by_hand:
            sampler = DenseSampler(self.network)
            if not costs and box is None:
                nets = (self.network, self._critics, self._target.network)
                self._by_hand = DenseSoft(*nets, self._policy_adam, self._critic_adam)
        self.actor = Warming(self.network, config.warmup, sampler)
        self.actor.box = self._box = box

    def step(
        self, batch: Transitions, learning_rate: float, randomness: np.random.Generator, at: tuple[int, int]
    ) -> Mapping[str, float]:
        """One gradient step of the critics, of the policy and of the temperature."""
        network = self.network
        inputs = network.normalized(network.inputs(batch.observations))
        following = network.normalized(network.inputs(batch.next_observations))
        if self._by_hand is not None:
            with torch.inference_mode():
                return self._step_by_hand(self._by_hand, inputs, following, batch, learning_rate, randomness, at)
        with torch.no_grad():
            later = self._next_value(following, batch, randomness, at[0])
            targets = column(batch.rewards) + column(batch.discounts) * later
        critic_loss, value = self._critic_step(inputs, batch, targets, learning_rate, at)
        figures = {}
        if self.costs is not None:
            with torch.no_grad():
                policy = self._policy(following, batch.next_masks, batch.next_observations, at[0])
            settings = (learning_rate, self._config.max_grad_norm, self._config.tau)
            loss = self.costs.step(inputs, following, policy, batch, settings, randomness, at)
            figures["cost_value_loss"] = loss
        actor_loss, entropy = self._policy_step(inputs, batch, learning_rate, randomness, at)
        self._target.follow(self._config.tau)
        return {
            "critic_loss": critic_loss,
            "actor_loss": actor_loss,
            "value": value,
            "entropy": entropy,
            "temperature": self._temperature.value,
            **figures,
        }

    def _step_by_hand(
        self,
        by_hand: DenseSoft,
        inputs: Inputs,
        following: Inputs,
        batch: Transitions,
        learning_rate: float,
        randomness: np.random.Generator,
        at: tuple[int, int],
    ) -> Mapping[str, float]:
        c, alpha = self._config, self._temperature.value
        critic_loss, value, actor_loss, log_prob = by_hand.step(
            by_hand.rows(inputs), by_hand.rows(following), batch, alpha, randomness, learning_rate, c.max_grad_norm, at
        )
        self._temperature.step(self._head.size - log_prob, learning_rate)
        self._target.follow(c.tau)
        return {
            "critic_loss": critic_loss,
            "actor_loss": actor_loss,
            "value": value,
            "entropy": -log_prob,
            "temperature": self._temperature.value,
        }

    # ------------------------------------------------------------ critics

    def _next_value(
        self, following: Inputs, batch: Transitions, randomness: np.random.Generator, taken: int
    ) -> Tensor:
        alpha = self._temperature.value
        policy = self._policy(following, batch.next_masks, batch.next_observations, taken)
        if isinstance(policy, Categorical):
            values = self._least(self._target.network(following), randomness)
            entropies = policy.log_probs.masked_fill(policy.log_probs == -math.inf, 0.0)
            return (policy.log_probs.exp() * (values - alpha * entropies)).sum(-1)
        noise = column(randomness.standard_normal(policy.mean.shape, np.float32))
        actions, log_probs = policy.rsample(noise)
        return self._least(self._target.network(following, actions), randomness) - alpha * log_probs

    def _least(self, values: Tensor, randomness: np.random.Generator) -> Tensor:
        if len(values) == 2:
            return torch.minimum(values[0], values[1])
        if len(values) > 2:
            pair = randomness.choice(len(values), 2, replace=False)
            return torch.minimum(values[pair[0]], values[pair[1]])
        return values[0]

    def _critic_step(
        self, inputs: Inputs, batch: Transitions, targets: Tensor, learning_rate: float, at: tuple[int, int]
    ) -> tuple[float, float]:
        if self._head.discrete:
            every = self._critics(inputs)
            chosen = column(batch.actions).view(1, -1, 1).expand(len(every), -1, 1)
            values = every.gather(-1, chosen).squeeze(-1)
        else:
            values = self._critics(inputs, column(batch.actions))
        errors = (values - targets).square()
        if batch.weights is not None:
            errors = errors * column(batch.weights)
        loss = 0.5 * errors.mean(-1).sum()
        self._critic_adam.descend(loss, learning_rate, self._config.max_grad_norm, at, epsilon=1e-8)
        return loss.item(), values.mean().item()

    # ------------------------------------------------------------ policy

    def _policy(
        self, normalized: Inputs, masks: NDArray[np.bool_] | None, observations: Mapping[str, Array], taken: int
    ) -> Categorical | SquashedGaussian | BoxedGaussian:
        """The distribution that acts after ``taken`` steps: in the box, where there is one."""
        made = self.network.policy_of(normalized, tensor(masks))
        assert isinstance(made, Categorical | SquashedGaussian)
        if self._box is None or isinstance(made, Categorical):
            return made
        bounds = inner_bounds(self._box, self._head, observations, taken)
        return BoxedGaussian(made.mean, made.log_std, *bounds)

    def _policy_step(
        self,
        inputs: Inputs,
        batch: Transitions,
        learning_rate: float,
        randomness: np.random.Generator,
        at: tuple[int, int],
    ) -> tuple[float, float]:
        alpha, c = self._temperature.value, self._config
        policy = self._policy(inputs, batch.masks, batch.observations, at[0])
        if isinstance(policy, Categorical):
            with torch.no_grad():
                values = self._pessimistic(self._critics(inputs)) - self._weighed(inputs, None)
            logs = policy.log_probs.masked_fill(policy.log_probs == -math.inf, 0.0)
            loss = (policy.log_probs.exp() * (alpha * logs - values)).sum(-1).mean()
            entropies = policy.entropy().detach()
            size = self._head.size
            legal = np.full(len(batch), size) if batch.masks is None else batch.masks.sum(-1)
            goal = c.target_entropy * column(np.log(legal).astype(np.float32))
            excess = float((entropies - goal).mean())
        else:
            noise = column(randomness.standard_normal(policy.mean.shape, np.float32))
            actions, log_probs = policy.rsample(noise)
            values = self._pessimistic(self._critics(inputs, actions)) - self._weighed(inputs, actions)
            loss = (alpha * log_probs - values).mean()
            entropies = -log_probs.detach()
            # The entropy aimed at is one of the whole range: that of a smaller box is less by as much as the box is.
            volume = float(policy.log_volume.mean()) if isinstance(policy, BoxedGaussian) else 0.0
            excess = float(entropies.mean()) - volume + self._head.size
        if self.costs is not None:
            loss = loss / (1.0 + self.costs.total)
        refuse(("loss", float(loss.detach())), at=at)
        self._policy_adam.descend(loss, learning_rate, c.max_grad_norm, at, epsilon=1e-8)
        self._temperature.step(excess, learning_rate)
        return loss.item(), float(entropies.mean())

    def _pessimistic(self, values: Tensor) -> Tensor:
        return torch.minimum(values[0], values[1]) if len(values) == 2 else values.mean(0)

    def _weighed(self, inputs: Inputs, actions: Tensor | None) -> Tensor | float:
        return 0.0 if self.costs is None else self.costs.weighed(inputs, actions)

    # ------------------------------------------------------------ state

    def state(self) -> dict[str, Array]:
        """Policy, critics, their slow copies, optimisers, temperature."""
        return {
            **named("network", weights_of(self.network)),
            **named("critics", weights_of(self._critics)),
            **named("target", weights_of(self._target.network)),
            **named("policy_adam", self._policy_adam.state()),
            **named("critic_adam", self._critic_adam.state()),
            **named("temperature", self._temperature.state()),
            **({} if self.costs is None else named("costs", self.costs.state())),
        }

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self.network, part(state, "network"))
        restore_weights(self._critics, part(state, "critics"))
        restore_weights(self._target.network, part(state, "target"))
        self._policy_adam.restore(part(state, "policy_adam"))
        self._critic_adam.restore(part(state, "critic_adam"))
        self._temperature.restore(part(state, "temperature"))
        if self.costs is not None:
            self.costs.restore(part(state, "costs"))
