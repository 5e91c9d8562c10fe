"""Forward and backward passes of small dense actor-critics by hand, in numpy, on the very weights of the torch network.

For networks of a few thousand weights most of a training step is the overhead of calls and of the autograd graph.
Here the layers' matrices are views of the torch parameters, and gradients are written into the optimiser's flat
gradient; what is computed is the same to rounding (tested against autograd). Used where all parts of the observation
are vectors, nothing is privileged, and actions are categorical or gaussian.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.vector import Array

Floats = NDArray[np.float32]


def is_dense(architecture: Architecture) -> bool:
    """Whether a network of this architecture can be computed here."""
    vectors = all(p.kind == "vector" for p in architecture.parts)
    head = architecture.action.kind in ("categorical", "gaussian")
    return vectors and head and architecture.critic and not architecture.privileged and not architecture.symmetry


class DenseLayers:
    """A multi-layer perceptron as matrices."""

    def __init__(self, layers: nn.Sequential) -> None:
        linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
        self._tanh = any(isinstance(layer, nn.Tanh) for layer in layers)
        self._weights: list[tuple[Floats, Floats]] = []
        self._gradients: list[tuple[Floats, Floats]] = []
        for layer in linear:
            self._weights.append((layer.weight.detach().numpy(), layer.bias.detach().numpy()))
            if layer.weight.grad is not None and layer.bias.grad is not None:
                self._gradients.append((layer.weight.grad.numpy(), layer.bias.grad.numpy()))

    def forward(self, x: Floats) -> list[Floats]:
        """The input ``(batch, width)``, every hidden layer's output, and the output ``(batch, outputs)``."""
        values = [x]
        last = len(self._weights) - 1
        for i, (weight, bias) in enumerate(self._weights):
            x = x @ weight.T
            x += bias
            if i < last:
                x = np.tanh(x, out=x) if self._tanh else np.maximum(x, 0.0, out=x)
            values.append(x)
        return values

    def backward(self, values: list[Floats], slope: Floats) -> None:
        """Write the gradient of a loss whose derivative by the output is ``slope`` over what was there."""
        for i in range(len(self._weights) - 1, -1, -1):
            weight, bias = self._gradients[i]
            np.matmul(slope.T, values[i], out=weight)
            np.sum(slope, axis=0, out=bias)
            if i:
                below = values[i]
                slope = slope @ self._weights[i][0]
                if self._tanh:
                    slope *= 1.0 - below * below
                else:
                    slope *= below > 0.0


class DenseActorCritic:
    """An :class:`ActorCritic` of vectors, seen as matrices; the weights are shared."""

    def __init__(self, network: ActorCritic) -> None:
        """After the optimiser has been made: it moves the weights."""
        assert network.critic is not None
        self._network = network
        self.head = network.architecture.action
        self.parts = network.architecture.parts
        self._normalizes = network.architecture.normalize
        self.actor, self.critic = DenseLayers(network.actor), DenseLayers(network.critic)

    @property
    def log_std(self) -> Floats:
        """The log-deviations of a gaussian."""
        array: Floats = self._network.log_std.detach().numpy()
        return array

    def write_log_std(self, gradient: Floats) -> None:
        """The gradient by the log-deviations."""
        assert self._network.log_std.grad is not None
        self._network.log_std.grad.copy_(torch.from_numpy(gradient))

    def rows(self, observation: Mapping[str, Array], count: int) -> Floats:
        """The parts of ``count`` observations beside each other, scaled where the architecture says so."""
        columns = [np.asarray(observation[p.key], np.float32).reshape(count, p.size) for p in self.parts]
        x: Floats = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
        if self._normalizes:
            mean, scale = self._network.input_mean.numpy(), self._network.input_scale.numpy()
            x = np.clip((x - mean) * scale, -10.0, 10.0)
        return x


def log_softmax(logits: Floats, mask: NDArray[np.bool_] | None) -> Floats:
    """Of the legal actions, ``-inf`` elsewhere."""
    if mask is not None:
        logits = np.where(mask, logits, np.float32(-np.inf))
    shifted = logits - logits.max(axis=1, keepdims=True)
    normal: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normal


class DenseActor(StochasticActor):
    """Samples as :class:`StochasticActor` does, without torch."""

    def __init__(self, network: ActorCritic, dense: DenseActorCritic) -> None:
        super().__init__(network)
        self._dense = dense

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """Sampled actions."""
        output = self._dense.actor.forward(self._dense.rows(observation, len(noise)))[-1]
        if self.head.kind == "gaussian":
            drawn: Array = output + np.exp(self._dense.log_std) * noise
            return drawn
        if mask is not None:
            output = np.where(mask, output, np.float32(-np.inf))
        weights = np.exp((output - output.max(axis=1, keepdims=True)).astype(np.float64))
        cumulative = weights.cumsum(axis=1)
        threshold = noise[:, None].astype(np.float64) * cumulative[:, -1:]
        chosen: Array = (cumulative <= threshold).sum(axis=1)
        return chosen
