"""Soft actor-critic's gradients by hand, for vectors and continuous actions; the losses are those of ``sac.py``.

With ``u = mean + std * e`` and ``a = tanh(u)`` the derivative of ``log p(a)`` by ``u`` is ``2 a`` and by ``log std``
is ``-1`` besides; the rest is the chain rule. The policy's step needs the critics' derivative by the action alone, not
by their weights.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.networks.actor_critic import LOG_STD, ActorCritic
from agentc.runtime.learn.networks.critics import Critics
from agentc.runtime.learn.networks.dense import DenseLayers
from agentc.runtime.learn.networks.stack import Scratch, Stack
from agentc.runtime.learn.optimizer import FlatAdam, refuse
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array

Floats = NDArray[np.float32]


class _Sampled(NamedTuple):
    """Actions, their log-densities, deviations, and ``tanh`` of what the deviations are made of."""

    action: Floats
    log_prob: Floats
    spread: Floats
    raw: Floats


def is_dense(architecture: Architecture, critics: Critics) -> bool:
    """Whether the gradients of such networks are derived here."""
    vectors = all(p.kind == "vector" for p in architecture.parts)
    plain = Stack.fits(critics.layers) and architecture.action.kind == "squashed"
    return vectors and plain and not architecture.privileged and not architecture.symmetry


class _Room(NamedTuple):
    """What the critics read, its columns of observations and of actions, and noise for twice as many rows."""

    read: Tensor
    state: Floats
    action: Floats
    noise: Floats


class DenseSoft:
    """The steps of critics and policy, in one pass."""

    def __init__(
        self, network: ActorCritic, critics: Critics, target: Critics, policy: FlatAdam, critic: FlatAdam
    ) -> None:
        """The optimisers have been made: they move the weights."""
        self._network, self._policy_adam, self._critic_adam = network, policy, critic
        scratch = Scratch()
        self._actor, self._critics = Stack(network.actor, scratch), Stack(critics.layers, scratch)
        self._target = Stack(target.layers, scratch, keeps=False)
        self._size = network.architecture.action.size
        self._rooms: _Room | None = None

    def rows(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """The parts of a normalised batch beside each other."""
        return inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=-1)

    def step(
        self,
        x: Tensor,
        following: Tensor,
        batch: Transitions,
        alpha: float,
        randomness: np.random.Generator,
        learning_rate: float,
        max_norm: float,
        at: tuple[int, int],
    ) -> tuple[float, float, float, float]:
        """A step of the critics and one of the policy: the critics' loss and mean value, the policy's and ``log p(a)``.

        ``x`` and ``following`` ``(batch, width)`` are the observations before and after. The policy's outputs at both
        are one product, as its weights do not change in between.
        """
        n, count = x.size(0), self._critics.count
        room = self._room(n, x.size(1))
        randomness.standard_normal(out=room.noise[:n], dtype=np.float32)
        pair = randomness.choice(count, 2, replace=False) if count > 2 else None
        randomness.standard_normal(out=room.noise[n:], dtype=np.float32)
        made = self._sampled(torch.cat([following, x]), room.noise)
        room.state[:], room.action[:] = following.numpy(), made.action[:n]
        values = self._target.forward(room.read).numpy()[..., 0]
        values = values if pair is None else values[pair]
        least = np.minimum(values[0], values[1]) if len(values) == 2 else values[0].copy()
        least -= alpha * made.log_prob[:n]
        least *= batch.discounts
        least += batch.rewards
        room.state[:], room.action[:] = x.numpy(), batch.actions
        loss, value = self._critic_step(room.read, batch, least, learning_rate, max_norm, at)
        room.action[:] = made.action[n:]
        mine = _Sampled(*(part[n:] for part in made))
        climbed, mean = self._policy_step(room.read, alpha, room.noise[n:], mine, learning_rate, max_norm, at)
        return loss, value, climbed, mean

    def _room(self, batch: int, width: int) -> _Room:
        if self._rooms is None or len(self._rooms.action) != batch:
            read, size = torch.empty(batch, width + self._size), self._size
            array = read.numpy()
            self._rooms = _Room(read, array[:, :width], array[:, width:], np.empty((2 * batch, size), np.float32))
        return self._rooms

    def _critic_step(
        self,
        read: Tensor,
        batch: Transitions,
        targets: Floats,
        learning_rate: float,
        max_norm: float,
        at: tuple[int, int],
    ) -> tuple[float, float]:
        """``read`` ``(batch, width + actions)`` are observations and what was done."""
        n, loss, mean = len(targets), 0.0, 0.0
        for k in range(self._critics.count):  # one after the other, forward and back, while it is in the cache
            values = self._critics.forward_of(k, read).numpy()[:, 0]
            errors = values - targets
            slope = errors * np.float32(1.0 / n)
            if batch.weights is not None:
                slope *= batch.weights
            loss += 0.5 * float(slope @ errors)
            mean += float(values.sum()) / n
            self._critics.backward_of(k, torch.from_numpy(slope[:, None]))
        refuse(("loss", loss), at=at)
        self._critic_adam.apply(learning_rate, max_norm, at, epsilon=1e-8)
        return loss, mean / self._critics.count

    def _policy_step(
        self,
        read: Tensor,
        alpha: float,
        noise: Floats,
        sampled: _Sampled,
        learning_rate: float,
        max_norm: float,
        at: tuple[int, int],
    ) -> tuple[float, float]:
        """``read`` ``(batch, width + actions)`` are observations and the actions that were ``sampled``."""
        action, log_prob, spread, raw = sampled
        size, n, count = self._size, len(action), self._critics.count
        values = self._critics.forward(read).numpy()[..., 0]
        second = values[1] < values[0] if count == 2 else None
        climbed = values.mean(0) if second is None else np.minimum(values[0], values[1])
        mean = float(log_prob.sum()) / n
        loss = alpha * mean - float(climbed.sum()) / n
        refuse(("loss", loss), at=at)
        columns = slice(-size, None)
        if second is None:
            by_action = self._critics.by_inputs(columns, -1.0 / (count * n)).numpy()
        else:
            rows = [torch.from_numpy(np.flatnonzero(~second)), torch.from_numpy(np.flatnonzero(second))]
            by_action = self._critics.by_inputs(columns, -1.0 / n, rows).numpy()
        share = alpha / n
        slope = np.empty((n, 2 * size), np.float32)
        by_u = np.multiply(by_action, 1.0 - action * action, out=slope[:, :size])
        by_u += (2.0 * share) * action
        low, high = LOG_STD
        by_log_std = by_u * spread
        by_log_std *= noise
        by_log_std -= share
        np.multiply(by_log_std, (0.5 * (high - low)) * (1.0 - raw * raw), out=slope[:, size:])
        self._actor.backward_of(0, torch.from_numpy(slope))
        self._policy_adam.apply(learning_rate, max_norm, at, epsilon=1e-8)
        return loss, mean

    def _sampled(self, x: Tensor, noise: Floats) -> _Sampled:
        output = self._actor.forward(x).numpy()[0]
        mean, raw = output[:, : self._size], np.tanh(output[:, self._size :])
        low, high = LOG_STD
        log_std = low + 0.5 * (high - low) * (raw + 1.0)
        spread = np.exp(log_std)
        u = mean + spread * noise
        # log(1 - tanh(u)^2) is even in u: 2 (log 2 - |u| - log(1 + exp(-2 |u|))), in which nothing overflows
        far = np.abs(u)
        log_prob = np.log1p(np.exp(-2.0 * far))
        log_prob += far
        log_prob *= 2.0
        log_prob -= log_std
        log_prob -= 0.5 * (noise * noise)
        log_prob -= 0.5 * math.log(2 * math.pi) + 2.0 * math.log(2.0)
        return _Sampled(np.tanh(u), log_prob[:, 0] if self._size == 1 else log_prob.sum(1), spread, raw)


class DenseSampler:
    """Samples from a squashed Gaussian of vectors without torch, on the very weights of the network."""

    def __init__(self, network: ActorCritic) -> None:
        """After the optimiser has been made: it moves the weights."""
        self._network, self._layers = network, DenseLayers(network.actor)

    def __call__(self, observation: Mapping[str, Array], noise: Array) -> NDArray[np.float32]:
        """Actions ``(batch, d)`` from standard normal ``noise`` of the same shape."""
        network = self._network
        parts = network.architecture.parts
        columns = [np.asarray(observation[p.key], np.float32).reshape(len(noise), p.size) for p in parts]
        x = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
        if network.architecture.normalize:
            x = np.clip((x - network.input_mean.numpy()) * network.input_scale.numpy(), -10.0, 10.0)
        output = self._layers.forward(x)[-1]
        size = noise.shape[1]
        low, high = LOG_STD
        spread = np.exp(low + 0.5 * (high - low) * (np.tanh(output[:, size:]) + 1.0))
        sampled: NDArray[np.float32] = np.tanh(output[:, :size] + spread * noise)
        return sampled
