"""Soft actor-critic's gradients by hand, for vectors and continuous actions; the losses are those of ``sac.py``.

With ``u = mean + std * e`` and ``a = tanh(u)`` the derivative of ``log p(a)`` by ``u`` is ``2 a`` and by ``log std``
is ``-1`` besides; the rest is the chain rule. The policy's step needs the critics' derivative by the action alone, not
by their weights.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.networks.actor_critic import LOG_STD, ActorCritic
from agentc.runtime.learn.networks.critics import Critics
from agentc.runtime.learn.networks.stack import Stack
from agentc.runtime.learn.objectives.base import column
from agentc.runtime.learn.optimizer import FlatAdam, refuse
from agentc.runtime.learn.transitions import Transitions


def is_dense(architecture: Architecture, critics: Critics) -> bool:
    """Whether the gradients of such networks are derived here."""
    vectors = all(p.kind == "vector" for p in architecture.parts)
    plain = Stack.fits(critics.layers) and architecture.action.kind == "squashed"
    return vectors and plain and not architecture.privileged and not architecture.symmetry


class DenseSoft:
    """The steps of critics and policy."""

    def __init__(
        self, network: ActorCritic, critics: Critics, target: Critics, policy: FlatAdam, critic: FlatAdam
    ) -> None:
        """The optimisers have been made: they move the weights."""
        self._network, self._policy_adam, self._critic_adam = network, policy, critic
        self._actor, self._critics, self._target = Stack(network.actor), Stack(critics.layers), Stack(target.layers)
        self._size = network.architecture.action.size

    def rows(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """The parts of a normalised batch beside each other."""
        return inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=-1)

    def later(self, following: Tensor, alpha: float, noise: Tensor, randomness: np.random.Generator) -> Tensor:
        """The soft value of the next observations, by the slow critics."""
        action, log_prob, _, _ = self._sampled(following, noise)
        values = self._target.forward(torch.cat([following, action], dim=-1)).squeeze(-1)
        if len(values) > 2:
            values = values[torch.from_numpy(randomness.choice(len(values), 2, replace=False))]
        return values.min(0).values - alpha * log_prob

    def critic_step(
        self,
        x: Tensor,
        batch: Transitions,
        targets: Tensor,
        learning_rate: float,
        max_norm: float,
        at: tuple[int, int],
    ) -> tuple[float, float]:
        """One step of the critics: their loss and mean value."""
        values = self._critics.forward(torch.cat([x, column(batch.actions)], dim=-1)).squeeze(-1)
        errors = values - targets
        slope = errors / len(x)
        squares = errors.square()
        if batch.weights is not None:
            weights = column(batch.weights)
            slope, squares = slope * weights, squares * weights
        loss = 0.5 * float(squares.mean(-1).sum())
        refuse(("loss", loss), at=at)
        self._critics.backward(slope.unsqueeze(-1))
        mean = float(values.mean())
        self._critic_adam.apply(learning_rate, max_norm, at, epsilon=1e-8)
        return loss, mean

    def policy_step(
        self, x: Tensor, alpha: float, noise: Tensor, learning_rate: float, max_norm: float, at: tuple[int, int]
    ) -> tuple[float, float]:
        """One step of the policy: its loss and the mean log-probability."""
        action, log_prob, spread, raw = self._sampled(x, noise)
        values = self._critics.forward(torch.cat([x, action], dim=-1)).squeeze(-1)
        count = len(values)
        if count == 2:
            first = values[0] <= values[1]
            climbed = torch.where(first, values[0], values[1])
            slope = torch.stack([first, ~first]).float().mul_(-1.0 / len(x))
        else:
            climbed = values.mean(0)
            slope = torch.full_like(values, -1.0 / (count * len(x)))
        loss = float((alpha * log_prob - climbed).mean())
        refuse(("loss", loss), at=at)
        by_input = self._critics.backward(slope.unsqueeze(-1), weights=False, inputs=True)
        assert by_input is not None
        share = alpha / len(x)
        by_u = by_input[:, -self._size :] * (1.0 - action.square()) + 2.0 * share * action
        low, high = LOG_STD
        by_raw = (by_u * spread * noise - share) * (0.5 * (high - low) * (1.0 - raw.square()))
        self._actor.backward(torch.cat([by_u, by_raw], dim=-1).unsqueeze(0))
        self._policy_adam.apply(learning_rate, max_norm, at, epsilon=1e-8)
        return loss, float(log_prob.mean())

    def _sampled(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Actions, their log-densities, deviations, and ``tanh`` of what the deviations are made of."""
        output = self._actor.forward(x)[0]
        mean, raw = output[:, : self._size], torch.tanh(output[:, self._size :])
        low, high = LOG_STD
        log_std = low + 0.5 * (high - low) * (raw + 1.0)
        spread = torch.exp(log_std)
        u = mean + spread * noise
        normal = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
        correction = 2.0 * (math.log(2.0) - u - nn.functional.softplus(-2.0 * u))
        return torch.tanh(u), (normal - correction).sum(-1), spread, raw
