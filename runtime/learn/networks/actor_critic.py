"""The networks of an actor-critic: encoders of the observation's parts, a policy head, a value head.

Where there is a convolution, actor and critic share it; everything after it, and everything of purely vectorial
observations, is separate. Parts that are ``privileged`` are for the critic alone (Pinto et al., "Asymmetric Actor
Critic for Image-Based Robot Learning", 2018). Weights begin orthogonal, the policy's last layer small (Andrychowicz
et al., "What Matters in On-Policy Reinforcement Learning", 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from agentc.runtime.learn.architecture import Architecture, Part
from agentc.runtime.learn.distributions import (
    Categorical,
    DiagonalGaussian,
    Distribution,
    MultiCategorical,
    Point,
    SquashedGaussian,
)
from agentc.runtime.learn.networks.encoders import draw_weights, encoder_of
from agentc.runtime.learn.networks.symmetry import Group
from agentc.runtime.learn.vector import Array

Inputs = tuple[Tensor, ...]
"""One tensor ``(batch, ...)`` per part, in the order of the architecture: float32, or uint8 for images."""

LOG_STD = (-5.0, 2.0)
"""The range of the log-deviation of a squashed Gaussian."""


class ActorCritic(nn.Module):
    """A policy and, if the architecture has a critic, a value function; both read :data:`Inputs`."""

    def __init__(self, architecture: Architecture, generator: torch.Generator | None = None) -> None:
        """Build with weights drawn from ``generator``."""
        super().__init__()
        self.architecture = architecture
        encoders = []
        width = public = 0
        self._public = [p.key not in architecture.privileged for p in architecture.parts]
        for part, shown in zip(architecture.parts, self._public, strict=True):
            encoder, size = encoder_of(part, architecture)
            encoders.append(encoder)
            width += size
            public += size if shown else 0
        self.encoders = nn.ModuleList(encoders)
        # A decision transformer has its layers inside, and one linear layer behind them.
        layers = 0 if architecture.memory == "decision" else architecture.layers
        shape = (architecture.hidden, layers, architecture.activation)
        self.actor = mlp(public, *shape, _outputs(architecture))
        self.critic: nn.Sequential | None = None
        if architecture.critic:
            self.critic = mlp(width, *shape, 1)
        if architecture.action.kind == "gaussian":
            self.log_std = nn.Parameter(torch.zeros(architecture.action.size))
        self.group = Group(architecture) if architecture.symmetry else None
        size = sum(p.size for p in architecture.parts if p.kind == "vector")
        self.input_mean: Tensor
        self.input_scale: Tensor
        if architecture.normalize:
            self.register_buffer("input_mean", torch.zeros(size))
            self.register_buffer("input_scale", torch.ones(size))
        self._initialise(generator)

    def inputs(self, observation: Mapping[str, Array]) -> Inputs:
        """Tensors of a batch of observations ``(batch, ...)``; shares memory where the types allow it."""
        return self._inputs_of(self.architecture.parts, observation)

    @staticmethod
    def _inputs_of(read: tuple[Part, ...], observation: Mapping[str, Array]) -> Inputs:
        made = []
        for part in read:
            array = observation[part.key]
            if part.kind in ("grid", "pixels"):
                made.append(torch.from_numpy(np.ascontiguousarray(array)))
            elif part.kind == "onehot":
                made.append(torch.from_numpy(array.astype(np.int64) - part.start))
            else:
                flat = np.ascontiguousarray(array, dtype=np.float32).reshape(len(array), *part.read)
                made.append(torch.from_numpy(flat))
        return tuple(made)

    def policy(self, inputs: Inputs, mask: Tensor | None = None) -> Distribution:
        """The distributions over actions, one per row."""
        return self.distribution(self.output(self._joined(self._encode(inputs), critic=False)), mask)

    def policy_of(self, normalized: Inputs, mask: Tensor | None = None) -> Distribution:
        """As :meth:`policy`, from inputs that are :meth:`normalized` already."""
        return self.distribution(self.output(self.features(normalized)), mask)

    def value(self, inputs: Inputs) -> Tensor:
        """The values ``(batch,)``."""
        return self._worth(self._joined(self._encode(inputs), critic=True))

    def both(self, inputs: Inputs, mask: Tensor | None = None) -> tuple[Distribution, Tensor]:
        """Distributions and values with one pass through the encoders."""
        encoded = self._encode(inputs)
        policy = self.distribution(self.output(self._joined(encoded, critic=False)), mask)
        return policy, self._worth(self._joined(encoded, critic=True))

    def output(self, features: Tensor) -> Tensor:
        """The actor's outputs ``(batch, n)`` of :meth:`features`."""
        made: Tensor = self.actor(features) if self.group is None else self.group.equivariant(self.actor, features)
        return made

    def _worth(self, features: Tensor) -> Tensor:
        assert self.critic is not None
        made = self.critic(features) if self.group is None else self.group.invariant(self.critic, features)
        worth: Tensor = made.squeeze(-1)
        return worth

    def features(self, normalized: Inputs) -> Tensor:
        """What the actor's layers read, ``(batch, width)``, from inputs that are :meth:`normalized` already."""
        return self._joined([encoder(x) for encoder, x in zip(self.encoders, normalized, strict=True)], critic=False)

    def distribution(self, output: Tensor, mask: Tensor | None = None) -> Distribution:
        """The distributions that the actor's outputs ``(batch, n)`` say."""
        head = self.architecture.action
        match head.kind:
            case "categorical":
                return Categorical.of(output, mask)
            case "multi":
                return MultiCategorical.of(output, head.choices)
            case "gaussian":
                log_std = self.log_std if self.group is None else self.group.tied(self.log_std)
                return DiagonalGaussian(output, log_std)
            case "squashed":
                mean, log_std = output.chunk(2, dim=-1)
                low, high = LOG_STD
                return SquashedGaussian(mean, low + 0.5 * (high - low) * (torch.tanh(log_std) + 1.0))
            case "deterministic":
                return Point(torch.tanh(output))
            case _:
                return Point(output if mask is None else output.masked_fill(~mask, -math.inf)).greedy()

    def normalized(self, inputs: Inputs) -> Inputs:
        """The inputs with vectors scaled by their running mean and deviation, where the architecture says so."""
        if not self.architecture.normalize:
            return inputs
        scaled = []
        at = 0
        for part, tensor in zip(self.architecture.parts, inputs, strict=True):
            if part.kind == "vector":
                mean, scale = self.input_mean[at : at + part.size], self.input_scale[at : at + part.size]
                tensor = ((tensor - mean) * scale).clamp(-10.0, 10.0)
                at += part.size
            scaled.append(tensor)
        return tuple(scaled)

    def _encode(self, inputs: Inputs) -> list[Tensor]:
        read = zip(self.encoders, self.normalized(inputs), strict=True)
        return [encoder(tensor) for encoder, tensor in read]

    def _joined(self, encoded: list[Tensor], *, critic: bool) -> Tensor:
        read = [e for e, shown in zip(encoded, self._public, strict=True) if critic or shown]
        return read[0] if len(read) == 1 else torch.cat(read, dim=-1)

    def _initialise(self, generator: torch.Generator | None) -> None:
        draw_weights(self, generator)
        for head, scale in ((self.actor, 0.01), (self.critic, 1.0)):
            if head is None:
                continue
            last = head[-1]
            assert isinstance(last, nn.Linear)
            nn.init.orthogonal_(last.weight, scale, generator)


def _outputs(architecture: Architecture) -> int:
    head = architecture.action
    return {"multi": sum(head.choices), "squashed": 2 * head.size}.get(head.kind, head.size)


def mlp(width: int, hidden: int, layers: int, activation: str, outputs: int) -> nn.Sequential:
    """A multi-layer perceptron with ``layers`` hidden layers, from ``width`` numbers to ``outputs``."""
    made: list[nn.Module] = []
    for _ in range(layers):
        made += [nn.Linear(width, hidden), nn.Tanh() if activation == "tanh" else nn.ReLU()]
        width = hidden
    made.append(nn.Linear(width, outputs))
    return nn.Sequential(*made)
