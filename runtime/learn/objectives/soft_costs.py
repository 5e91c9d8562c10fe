"""Critics of costs for soft actor-critic: what an action will still cost, weighed against what it is worth.

Ray, Achiam and Amodei, "Benchmarking Safe Exploration in Deep Reinforcement Learning" (2019), section 4.2, and Ha et
al., "Learning to Walk in the Real World with Minimal Human Effort" (CoRL 2020), section 3.2: a critic per cost beside
those of the reward, and a policy that climbs ``Q(s, a) - sum(m * C(s, a))``; the multipliers ``m`` are those of
:mod:`agentc.runtime.learn.budgets`. The whole is divided by ``1 + sum(m)`` as for PPO.

Deviations: multipliers move by what episodes have cost while they were collected, undiscounted, under feedback control,
and not by the gradient of a discounted critic; one critic per cost, and no pessimism about it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.distributions import Categorical, SquashedGaussian
from agentc.runtime.learn.networks.actor_critic import Inputs
from agentc.runtime.learn.networks.critics import Critics
from agentc.runtime.learn.objectives.base import column, named, part
from agentc.runtime.learn.optimizer import FlatAdam, Target, restore_weights, weights_of
from agentc.runtime.learn.shields.box import BoxedGaussian
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.trajectory import Budget
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class SoftCosts:
    """One critic per cost, and a slow copy of each."""

    def __init__(self, costs: tuple[str, ...], architecture: Architecture, generator: torch.Generator) -> None:
        self._names = costs
        self._critics = Critics(architecture, len(costs), generator)
        self._adam = FlatAdam(self._critics)
        self._target = Target(Critics(architecture, len(costs), None), self._adam.weights)
        self.budgets: Mapping[str, Budget] = {}
        """How they stand; a missing one weighs nothing."""

    @property
    def total(self) -> float:
        """The sum of the multipliers."""
        return sum(budget.multiplier for budget in self.budgets.values())

    def step(
        self,
        inputs: Inputs,
        following: Inputs,
        policy: Categorical | SquashedGaussian | BoxedGaussian,
        batch: Transitions,
        settings: tuple[float, float, float],
        randomness: np.random.Generator,
        at: tuple[int, int],
    ) -> float:
        """One gradient step; the loss. ``policy`` is that of the next observations.

        ``settings`` are the learning rate, the longest gradient, and how far the slow copies follow.
        """
        assert batch.costs is not None
        rate, max_norm, tau = settings
        with torch.no_grad():
            if isinstance(policy, Categorical):
                later = self._expected(policy, self._target.network(following))
            else:
                noise = column(randomness.standard_normal(policy.mean.shape, np.float32))
                later = self._target.network(following, policy.rsample(noise)[0])
            targets = column(batch.costs).T + column(batch.discounts) * later
        if self._critics.discrete:
            every = self._critics(inputs)
            values = every.gather(-1, column(batch.actions).view(1, -1, 1).expand(len(every), -1, 1)).squeeze(-1)
        else:
            values = self._critics(inputs, column(batch.actions))
        loss = 0.5 * (values - targets).square().mean(-1).sum()
        self._adam.descend(loss, rate, max_norm, at, epsilon=1e-8)
        self._target.follow(tau)
        return float(loss.detach())

    def weighed(self, inputs: Inputs, actions: Tensor | None) -> Tensor:
        """``sum(m * C)`` of actions ``(batch,)``, or of all discrete ones ``(batch, n)`` where that is None."""
        costs = self._critics(inputs) if actions is None else self._critics(inputs, actions)
        found = torch.zeros_like(costs[0])
        for k, name in enumerate(self._names):
            if name in self.budgets:
                found = found + self.budgets[name].multiplier * costs[k]
        return found

    @staticmethod
    def _expected(policy: Categorical, values: Tensor) -> Tensor:
        return (policy.log_probs.exp() * values).sum(-1)

    def state(self) -> dict[str, Array]:
        """Critics, slow copies, optimiser."""
        return {
            **named("critics", weights_of(self._critics)),
            **named("target", weights_of(self._target.network)),
            **named("adam", self._adam.state()),
        }

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self._critics, part(state, "critics"))
        restore_weights(self._target.network, part(state, "target"))
        self._adam.restore(part(state, "adam"))
