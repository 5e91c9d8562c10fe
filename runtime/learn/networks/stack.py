"""Several multi-layer perceptrons side by side, forward and backward by hand, into buffers that are kept.

A gradient step of a medium network is a few matrix products; the graph of autograd, allocations and passes over
gradients that nobody reads cost as much again. Here products and derivatives are written into buffers that are made
once for a batch size; weights are views of the torch parameters and gradients of the optimiser's flat one. What is
computed is what autograd computes, to rounding (tested).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from agentc.runtime.learn.networks.critics import BatchedLinear


class Stack:
    """``count`` perceptrons: from ``(batch, width)``, the same for all, to ``(count, batch, outputs)``.

    ``layers`` are ``Linear`` (one perceptron) or ``BatchedLinear`` with ``ReLU`` or ``Tanh`` between them.
    """

    def __init__(self, layers: nn.Sequential) -> None:
        self._tanh = any(isinstance(layer, nn.Tanh) for layer in layers)
        self._weights: list[tuple[Tensor, Tensor]] = []
        self._gradients: list[tuple[Tensor, Tensor]] = []
        for layer in layers:
            if isinstance(layer, nn.Linear):
                self._weights.append((layer.weight.detach().T.unsqueeze(0), layer.bias.detach().view(1, 1, -1)))
                if layer.weight.grad is not None and layer.bias.grad is not None:
                    self._gradients.append((layer.weight.grad.T.unsqueeze(0), layer.bias.grad.view(1, 1, -1)))
            elif isinstance(layer, BatchedLinear):
                self._weights.append((layer.weight.detach(), layer.bias.detach()))
                if layer.weight.grad is not None and layer.bias.grad is not None:
                    self._gradients.append((layer.weight.grad, layer.bias.grad))
        self.count = self._weights[0][0].shape[0]
        self._buffers: dict[int, tuple[list[Tensor], list[Tensor], list[Tensor]]] = {}
        self._input: Tensor | None = None
        self._values: list[Tensor] = []

    @staticmethod
    def fits(layers: nn.Sequential) -> bool:
        """Whether these layers can be computed here."""
        return all(isinstance(layer, nn.Linear | BatchedLinear | nn.ReLU | nn.Tanh) for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs; they belong to the stack and are valid until the next call."""
        values, _, _ = self._kept(len(x))
        shared = x.unsqueeze(0).expand(self.count, -1, -1)
        self._input, self._values = shared, values
        below = shared
        last = len(self._weights) - 1
        for i, (weight, bias) in enumerate(self._weights):
            torch.baddbmm(bias, below, weight, out=values[i])
            below = values[i]
            if i < last:
                _ = torch.tanh(below, out=below) if self._tanh else below.clamp_min_(0.0)
        return below

    def backward(self, slope: Tensor, *, weights: bool = True, inputs: bool = False) -> Tensor | None:
        """Write the gradients by the weights; the derivative by the input ``(batch, width)``, if it is asked for.

        ``slope`` ``(count, batch, outputs)`` is the loss's derivative by the outputs of the last :meth:`forward`.
        """
        assert self._input is not None
        _, slopes, signs = self._kept(slope.shape[1])
        for i in range(len(self._weights) - 1, -1, -1):
            below = self._values[i - 1] if i else self._input
            if weights:
                by_weight, by_bias = self._gradients[i]
                torch.bmm(below.transpose(1, 2), slope, out=by_weight)
                torch.sum(slope, dim=1, keepdim=True, out=by_bias)
            if i == 0:
                break
            torch.bmm(slope, self._weights[i][0].transpose(1, 2), out=slopes[i - 1])
            slope = slopes[i - 1]
            if self._tanh:
                torch.mul(below, below, out=signs[i - 1])
                slope.mul_(signs[i - 1].neg_().add_(1.0))
            else:
                slope.mul_(torch.sign(below, out=signs[i - 1]))
        if not inputs:
            return None
        made: Tensor = torch.bmm(slope, self._weights[0][0].transpose(1, 2)).sum(0)
        return made

    def _kept(self, batch: int) -> Any:
        found = self._buffers.get(batch)
        if found is None:
            shapes = [(self.count, batch, weight.shape[2]) for weight, _ in self._weights]
            hidden = shapes[:-1]
            values, slopes, signs = ([torch.empty(s) for s in group] for group in (shapes, hidden, hidden))
            self._buffers = {**({} if len(self._buffers) > 8 else self._buffers), batch: (values, slopes, signs)}
            found = self._buffers[batch]
        return found
