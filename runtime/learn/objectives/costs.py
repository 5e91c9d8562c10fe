"""Critics of costs beside the critic of rewards: what the steps of a rollout did to the costs that have a budget.

Of rewards and costs each has a value function of its own (Ray, Achiam and Amodei, "Benchmarking Safe Exploration in
Deep Reinforcement Learning", 2019, section 4.2; Stooke et al., "Responsive Safety in Reinforcement Learning by PID
Lagrangian Methods", 2020, algorithm 2), so that none has to be learned anew when a multiplier moves. Advantages of
costs are generalised as those of rewards are, with the same discount.

Deviation: all costs share the layers of one network with an output each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.credit.advantages import generalized_advantages
from agentc.runtime.learn.networks.actor_critic import ActorCritic, Inputs, mlp
from agentc.runtime.learn.networks.encoders import draw_weights, encoder_of
from agentc.runtime.learn.objectives.base import named, part
from agentc.runtime.learn.optimizer import FlatAdam, refuse, restore_weights, weights_of
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.trajectory import Budget, Trajectory
from agentc.runtime.learn.vector import Array

Floats = NDArray[np.float32]


class CostSettings(Protocol):
    """What is read of a configuration."""

    @property
    def discount(self) -> float: ...  # noqa: D102
    @property
    def gae_lambda(self) -> float: ...  # noqa: D102
    @property
    def epochs(self) -> int: ...  # noqa: D102
    @property
    def minibatches(self) -> int: ...  # noqa: D102
    @property
    def max_grad_norm(self) -> float: ...  # noqa: D102


class CostValues(nn.Module):
    """What each of ``count`` costs will still sum up to, ``(batch, count)``, of all parts of an observation."""

    def __init__(self, architecture: Architecture, count: int, generator: torch.Generator) -> None:
        super().__init__()
        encoders, width = [], 0
        for each in architecture.parts:
            encoder, size = encoder_of(each, architecture)
            encoders.append(encoder)
            width += size
        self.encoders = nn.ModuleList(encoders)
        self.layers = mlp(width, architecture.hidden, architecture.layers, architecture.activation, count)
        draw_weights(self, generator)

    def forward(self, inputs: Inputs) -> Tensor:
        """``inputs`` are normalised already (:meth:`ActorCritic.normalized`)."""
        encoded = [encoder(x) for encoder, x in zip(self.encoders, inputs, strict=True)]
        values: Tensor = self.layers(torch.cat(encoded, dim=-1))
        return values


class CostCritic:
    """The value functions of costs, and the advantages of a rollout under them."""

    def __init__(
        self,
        costs: tuple[str, ...],
        architecture: Architecture,
        settings: CostSettings,
        generator: torch.Generator,
    ) -> None:
        self.names, self._settings = costs, settings
        self._values = CostValues(architecture, len(costs), generator)
        self._adam = FlatAdam(self._values)
        self._inputs: Inputs = ()
        self._targets = torch.zeros(0)

    def advantages(self, network: ActorCritic, trajectory: Trajectory) -> dict[str, Floats]:
        """By cost, ``(T, N)``: how much more it will cost than was to be expected."""
        c, shape = self._settings, (trajectory.steps, trajectory.num_envs)
        flat = {k: a.reshape(-1, *a.shape[2:]) for k, a in trajectory.observations.items()}
        finals = trajectory.finals
        with torch.no_grad():
            self._inputs = network.normalized(network.inputs(flat))
            values = self._values(self._inputs).numpy()
            last = self._read(network, trajectory.last_observation)
            cut = self._read(network, finals.observation) if len(finals.step) else last[:0]
        found, targets = {}, []
        for k, name in enumerate(self.names):
            expected = values[:, k].reshape(shape)
            bootstrap = np.zeros(shape, np.float32)
            bootstrap[finals.step, finals.env] = cut[:, k]
            charged = trajectory.costs[name]
            found[name] = generalized_advantages(
                charged, expected, trajectory.terminated, trajectory.truncated, bootstrap, last[:, k], c.discount,
                c.gae_lambda,
            )  # fmt: skip
            targets.append(torch.from_numpy((found[name] + expected).reshape(-1)))
        self._targets = torch.stack(targets, dim=-1)
        return found

    def learn(self, learning_rate: float, randomness: np.random.Generator, at: tuple[int, int]) -> float:
        """Fit the values to the rollout of the last :meth:`advantages`; the mean squared error on the way."""
        c, total = self._settings, len(self._targets)
        size, errors = -(-total // min(c.minibatches, total)), []
        for _ in range(c.epochs):
            order = randomness.permutation(total)
            for start in range(0, total, size):
                rows = torch.from_numpy(order[start : start + size])
                loss = (self._values(tuple(x[rows] for x in self._inputs)) - self._targets[rows]).square().mean()
                refuse(("loss", float(loss.detach())), at=at)
                self._adam.descend(loss, learning_rate, c.max_grad_norm, at)
                errors.append(float(loss.detach()))
        return float(np.mean(errors))

    def _read(self, network: ActorCritic, observation: Mapping[str, Array]) -> Floats:
        found: Floats = self._values(network.normalized(network.inputs(observation))).numpy()
        return found

    def state(self) -> dict[str, Array]:
        """Weights and optimiser."""
        return named("values", weights_of(self._values)) | named("adam", self._adam.state())

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_weights(self._values, part(state, "values"))
        self._adam.restore(part(state, "adam"))


def charged(rewards: Floats, costs: Mapping[str, Floats], budgets: Mapping[str, Budget]) -> Floats:
    """Advantages of rewards and costs as one, ``(r - sum(m * c)) / (1 + sum(m))`` with the multipliers ``m``.

    The division keeps their size whatever the multipliers are (Stooke et al., 2020, section 6.3).
    """
    total = sum(budget.multiplier for budget in budgets.values())
    paid = rewards.astype(np.float64)
    for name, budget in budgets.items():
        paid -= budget.multiplier * costs[name]
    return (paid / (1.0 + total)).astype(np.float32)
