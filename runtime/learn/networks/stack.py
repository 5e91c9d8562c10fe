"""Several multi-layer perceptrons side by side, forward and backward by hand, into buffers that are kept.

A gradient step of a medium network is a few matrix products; the graph of autograd, allocations and passes over
gradients that nobody reads cost as much again. Here products and derivatives are written into buffers that are made
once for a batch size; weights are views of the torch parameters and gradients of the optimiser's flat one. Perceptrons
are computed one after the other: what a layer has written is then still in the cache when the next one reads it. What
is computed is what autograd computes, to rounding (tested).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agentc.runtime.learn.networks.critics import BatchedLinear


class Scratch:
    """Memory by name and shape, for what is overwritten by the next who asks for it."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, int], Tensor] = {}

    def of(self, name: str, rows: int, width: int) -> Tensor:
        """``(rows, width)``, with whatever was there."""
        key = (name, rows, width)
        found = self._made.get(key)
        if found is None:
            if len(self._made) > 32:
                self._made.clear()
            found = self._made[key] = torch.empty(rows, width)
        return found


@dataclass(slots=True)
class _Perceptron:
    """The layers of one, each a matrix ``(width, outputs)`` and a bias ``(outputs,)``; gradients likewise."""

    weights: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    gradients: list[tuple[Tensor, Tensor]] = field(default_factory=list)


class _Buffers(NamedTuple):
    """Where passes of one batch size are written: the outputs of all, and by perceptron the layers' values.

    ``steps`` are the layers as a forward pass takes them: weight, bias, where its value goes.
    """

    outputs: Tensor
    values: list[list[Tensor]]
    steps: list[list[tuple[Tensor, Tensor, Tensor]]]


_behind_relu = torch.ops.aten.threshold_backward.default
_behind_relu_in_place = torch.ops.aten.threshold_backward.grad_input


class Stack:
    """``count`` perceptrons: from ``(batch, width)``, the same for all, to ``(count, batch, outputs)``.

    ``layers`` are ``Linear`` (one perceptron) or ``BatchedLinear`` with ``ReLU`` or ``Tanh`` between them. ``scratch``
    is memory for what nobody reads later; stacks that work in turn may share it. With ``keeps`` false there is no
    :meth:`backward`, and the hidden layers are written there too.
    """

    def __init__(self, layers: nn.Sequential, scratch: Scratch | None = None, *, keeps: bool = True) -> None:
        self._tanh = any(isinstance(layer, nn.Tanh) for layer in layers)
        linear = [layer for layer in layers if isinstance(layer, nn.Linear | BatchedLinear)]
        first = linear[0]
        self.count = first.weight.shape[0] if isinstance(first, BatchedLinear) else 1
        self._perceptrons = [_Perceptron() for _ in range(self.count)]
        for layer in linear:
            for k, one in enumerate(self._perceptrons):
                one.weights.append(_matrices(layer, layer.weight.detach(), layer.bias.detach(), k))
                if layer.weight.grad is not None and layer.bias.grad is not None:
                    one.gradients.append(_matrices(layer, layer.weight.grad, layer.bias.grad, k))
        self._sizes = [weight.shape[1] for weight, _ in self._perceptrons[0].weights]
        self._scratch = Scratch() if scratch is None else scratch
        self._keeps = keeps
        self._kept: dict[int, _Buffers] = {}
        self._inputs: list[Tensor] = [torch.empty(0)] * self.count

    @staticmethod
    def fits(layers: nn.Sequential) -> bool:
        """Whether these layers can be computed here."""
        return all(isinstance(layer, nn.Linear | BatchedLinear | nn.ReLU | nn.Tanh) for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        """The outputs; they belong to the stack and are valid until the next call."""
        for k in range(self.count):
            self.forward_of(k, x)
        return self._buffers(x.size(0)).outputs

    def forward_of(self, k: int, x: Tensor) -> Tensor:
        """The outputs ``(batch, outputs)`` of the ``k``-th perceptron alone."""
        self._inputs[k] = below = x
        tanh, addmm = self._tanh, torch.addmm
        *hidden, last = self._buffers(x.size(0)).steps[k]
        for weight, bias, out in hidden:
            below = addmm(bias, below, weight, out=out)
            _ = below.tanh_() if tanh else below.relu_()
        weight, bias, out = last
        return addmm(bias, below, weight, out=out)

    def backward_of(self, k: int, slope: Tensor) -> None:
        """Write the gradients by the weights of the ``k``-th perceptron.

        ``slope`` ``(batch, outputs)`` is the loss's derivative by the outputs of its last forward pass; where it has
        fewer rows, they are the last of those.
        """
        one, x = self._perceptrons[k], self._inputs[k]
        batch, total = slope.size(0), x.size(0)
        read = [x, *self._buffers(total).values[k][:-1]]
        if batch < total:
            read = [value[total - batch :] for value in read]
        for i in range(len(read) - 1, -1, -1):
            below = read[i]
            by_weight, by_bias = one.gradients[i]
            torch.mm(below.T, slope, out=by_weight)
            torch.sum(slope, 0, out=by_bias)
            if i:
                out = self._scratch.of(f"slope {i % 2}", batch, self._sizes[i - 1])
                slope = self._before(_through(slope, one.weights[i][0], out), below)

    def by_inputs(self, columns: slice, slope: float, chosen: Sequence[Tensor] | None = None) -> Tensor:
        """The derivative ``(batch, width of columns)`` of ``slope`` times the output, by some columns of the input.

        Of perceptrons with a single output: of the sum of all, or of the rows alone that ``chosen`` says for each
        (int64), which together are all rows, each once.
        """
        x = self._inputs[0]
        made = torch.zeros(x.size(0), len(range(x.size(1))[columns]))
        for k, one in enumerate(self._perceptrons):
            values = self._buffers(x.size(0)).values[k]
            rows = None if chosen is None else chosen[k]
            behind = (one.weights[-1][0].T * slope).expand(x.size(0) if rows is None else rows.size(0), -1)
            for i in range(len(one.weights) - 1, 0, -1):
                below = values[i - 1] if rows is None else values[i - 1].index_select(0, rows)
                behind = self._before(behind, below, copies=True)
                behind = torch.mm(behind, (one.weights[i - 1][0] if i > 1 else one.weights[0][0][columns]).T)
            behind = behind if len(one.weights) > 1 else behind[:, columns]
            _ = made.add_(behind) if rows is None else made.index_copy_(0, rows, behind)
        return made

    def _before(self, slope: Tensor, value: Tensor, *, copies: bool = False) -> Tensor:
        """The derivative before an activation, from that behind it and its ``value`` there; in place or as a copy."""
        if self._tanh:
            inner = value.square().neg_().add_(1.0)
            return inner.mul_(slope) if copies else slope.mul_(inner)
        if copies:
            made: Tensor = _behind_relu(slope, value, 0.0)
            return made
        _behind_relu_in_place(slope, value, 0.0, grad_input=slope)
        return slope

    def _buffers(self, batch: int) -> _Buffers:
        found = self._kept.get(batch)
        if found is None:
            outputs = torch.empty(self.count, batch, self._sizes[-1])
            values = [[*self._hidden(batch), outputs[k]] for k in range(self.count)]
            steps = [
                [(weight, bias, out) for (weight, bias), out in zip(one.weights, made, strict=True)]
                for one, made in zip(self._perceptrons, values, strict=True)
            ]
            found = _Buffers(outputs, values, steps)
            self._kept = {**({} if len(self._kept) > 8 else self._kept), batch: found}
        return found

    def _hidden(self, batch: int) -> list[Tensor]:
        """Where the hidden layers of a perceptron are written."""
        sizes = self._sizes[:-1]
        if self._keeps:
            return [torch.empty(batch, size) for size in sizes]
        return [self._scratch.of(f"value {i}", batch, size) for i, size in enumerate(sizes)]


def _matrices(layer: nn.Linear | BatchedLinear, weight: Tensor, bias: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Of the ``k``-th perceptron, as views."""
    return (weight[k], bias[k, 0]) if isinstance(layer, BatchedLinear) else (weight.T, bias)


def _through(slope: Tensor, weight: Tensor, out: Tensor) -> Tensor:
    """The derivative by a layer's input."""
    if slope.shape[1] == 1:
        return torch.mul(slope, weight.T, out=out)
    return torch.mm(slope, weight.T, out=out)
