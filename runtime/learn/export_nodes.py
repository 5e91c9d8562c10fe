"""Nodes, constants, inputs and names of an ONNX graph while it is being written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from agentc.runtime.learn.vector import Array

OPSET, IR_VERSION = 17, 8


class Nodes:
    """A graph under construction; every method that adds a node returns the name of its output."""

    def __init__(self) -> None:
        import onnx

        self.onnx = onnx
        self.inputs: list[Any] = []
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def node(self, op: str, inputs: Sequence[str], name: str | None = None, **attributes: Any) -> str:
        """An operator with one output, called ``name`` if it is given."""
        output = name or f"x{len(self._nodes)}"
        self._nodes.append(self.onnx.helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        """An array."""
        name = f"c{len(self._constants)}"
        self._constants.append(self.onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def whole(self, *numbers: int) -> str:
        """A vector of int64: a shape, axes or positions."""
        return self.constant(np.array(numbers, np.int64))

    def input(self, name: str, kind: int, shape: Sequence[str | int]) -> None:
        """An input of the graph."""
        self.inputs.append(self.onnx.helper.make_tensor_value_info(name, kind, shape))

    def split(self, x: str, sizes: Sequence[int]) -> list[str]:
        """Columns of ``(batch, sum(sizes))``."""
        names = [f"x{len(self._nodes)}_{i}" for i in range(len(sizes))]
        self._nodes.append(self.onnx.helper.make_node("Split", [x, self.whole(*sizes)], names, axis=1))
        return names

    def one_hot(self, number: str, size: int) -> str:
        """Integers as unit vectors."""
        values = self.constant(np.array([0, 1], np.float32))
        return self.node("OneHot", [number, self.whole(size), values], axis=-1)

    def sliced(self, x: str, axis: int, start: int, stop: int) -> str:
        """``x[..., start:stop, ...]``."""
        return self.node("Slice", [x, self.whole(start), self.whole(stop), self.whole(axis)])

    def linear(self, layer: nn.Linear, x: str) -> str:
        """A linear layer on the last axis of an array of any rank."""
        product = self.node("MatMul", [x, self.constant(array(layer.weight).T.copy())])
        return product if layer.bias is None else self.node("Add", [product, self.constant(array(layer.bias))])

    def norm(self, layer: nn.LayerNorm, x: str) -> str:
        """A layer's norm, on the last axis."""
        weight, bias = self.constant(array(layer.weight)), self.constant(array(layer.bias))
        return self.node("LayerNormalization", [x, weight, bias], axis=-1, epsilon=float(layer.eps))

    def convolution(self, layer: nn.Conv2d, x: str) -> str:
        """A convolution."""
        constants = [self.constant(array(layer.weight))]
        if layer.bias is not None:
            constants.append(self.constant(array(layer.bias)))
        stride, padding = [int(s) for s in layer.stride], [int(p) for p in layer.padding]
        return self.node("Conv", [x, *constants], strides=stride, pads=padding + padding)

    def layers(self, layers: nn.Sequential, x: str, last: str) -> str:
        """Linear layers and activations of ``(batch, width)``; the last output is called ``last``."""
        for i, layer in enumerate(layers):
            name = last if i == len(layers) - 1 else None
            if isinstance(layer, nn.Linear):
                weight, bias = self.constant(array(layer.weight)), self.constant(array(layer.bias))
                x = self.node("Gemm", [x, weight, bias], name=name, transB=1)
            else:
                x = self.node("Tanh" if isinstance(layer, nn.Tanh) else "Relu", [x], name=name)
        return x

    def model(self, outputs: Sequence[Any], data: Mapping[str, str]) -> Any:
        """The graph as a checked ``onnx.ModelProto``, with ``data`` beside it."""
        helper = self.onnx.helper
        graph = helper.make_graph(self._nodes, "policy", self.inputs, outputs, self._constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="agentc")
        made.ir_version = IR_VERSION
        if data:
            helper.set_model_props(made, dict(data))
        self.onnx.checker.check_model(made)
        return made


def array(parameter: torch.Tensor) -> Array:
    """The numbers of a parameter."""
    found: Array = parameter.detach().numpy()
    return found
