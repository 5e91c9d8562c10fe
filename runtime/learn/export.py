"""A trained policy as one deterministic graph: what is verified and deployed is this.

The ONNX graph is written node by node (opset 17): normalisation, encoders, layers, squashing, scaling to the action
space's bounds and the mask are in it. Inputs are the parts of the observation by name (``observation`` for a plain
one), whatever else is observed, such as the time left, among them; float32 ``(batch, ...)``, int64 ``(batch,)`` for an
integer, uint8 for grids and images; and ``mask``, bool ``(batch, n)``, where it is asked for. The output ``action`` is
the likeliest or best action, as the environment takes it; ``scores`` are the logits, values or unsquashed means.

The safetensors file has the weights, and the architecture as data in its header.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from torch import nn

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.architecture import Part
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.networks.encoders import GridConvolution, PixelConvolution
from agentc.runtime.learn.vector import Array

OPSET, IR_VERSION = 17, 8


def export(network: ActorCritic, path: Path, *, mask: bool = False, scores_only: bool = False) -> Path:
    """Write ``path``, by its ending: ``.onnx`` or ``.safetensors``. The same policy makes the same bytes.

    Raises :class:`AgentcError`: AS1535 for another ending or what a graph cannot say, AS0843 if it cannot be written.
    """
    if path.suffix == ".onnx":
        data = graph_of(network, mask=mask, scores_only=scores_only).SerializeToString(deterministic=True)
    elif path.suffix == ".safetensors":
        kept = {k: t for k, t in network.state_dict().items() if not k.startswith("critic.")}
        arrays = {k: np.ascontiguousarray(t.numpy()) for k, t in sorted(kept.items())}
        described = json.dumps({**network.architecture.to_data(), "critic": False}, sort_keys=True)
        # One entry alone: the order of several differs from call to call.
        data = safetensors.numpy.save(arrays, {"architecture": described})
    else:
        raise AgentcError([report("AS1535", None, path=str(path), what=f"the ending `{path.suffix}`")])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise AgentcError([report("AS0843", None, path=str(path), reason=error.strerror or str(error))]) from None
    return path


def graph_of(network: ActorCritic, *, mask: bool = False, scores_only: bool = False) -> Any:
    """The policy as an ``onnx.ModelProto``."""
    return _Graph(network).model(mask=mask, scores_only=scores_only)


class _Graph:
    """Nodes, constants and names while a graph is being written."""

    def __init__(self, network: ActorCritic) -> None:
        import onnx

        self._onnx = onnx
        self._network = network
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []

    def model(self, *, mask: bool, scores_only: bool) -> Any:
        """The whole."""
        helper, types = self._onnx.helper, self._onnx.TensorProto
        network, architecture = self._network, self._network.architecture
        head = architecture.action
        encoded, at = [], 0
        for part, encoder in zip(architecture.parts, network.encoders, strict=True):
            if part.key not in architecture.privileged:
                encoded.append(self._part(part, encoder, at))
            at += part.size if part.kind == "vector" else 0
        x = encoded[0] if len(encoded) == 1 else self._node("Concat", encoded, axis=1)
        scores = self._layers(network.actor, x, last="scores")
        outputs = [helper.make_tensor_value_info("scores", types.FLOAT, ["batch", None])]
        if not scores_only:
            if mask and head.discrete:
                self._inputs.append(helper.make_tensor_value_info("mask", types.BOOL, ["batch", head.size]))
                lowest = self._constant(np.float32(-np.inf))
                scores = self._node("Where", ["mask", scores, lowest])
            outputs.insert(0, self._action(scores))
        graph = helper.make_graph(self._nodes, "policy", self._inputs, outputs, self._constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="agentc")
        made.ir_version = IR_VERSION
        self._onnx.checker.check_model(made)
        return made

    # ------------------------------------------------------------ parts

    def _part(self, part: Part, encoder: nn.Module, at: int) -> str:
        types = self._onnx.TensorProto
        name = part.key or "observation"
        shape: list[str | int] = ["batch", *part.shape]
        if part.kind == "onehot":
            self._input(name, types.INT64, ["batch"])
            number = self._node("Sub", [name, self._constant(np.int64(part.start))])
            return self._one_hot(number, part.size)
        if part.kind == "vector":
            self._input(name, types.FLOAT, shape)
            flat = name if len(part.shape) == 1 else self._node("Flatten", [name], axis=1)
            if not self._network.architecture.normalize:
                return flat
            rows = slice(at, at + part.size)
            mean, scale = self._network.input_mean[rows].numpy(), self._network.input_scale[rows].numpy()
            scaled = self._node("Mul", [self._node("Sub", [flat, self._constant(mean)]), self._constant(scale)])
            return self._node("Clip", [scaled, self._constant(np.float32(-10)), self._constant(np.float32(10))])
        if part.kind == "sequence":
            raise AgentcError([report("AS1535", None, path="an ONNX graph", what=f"the sequence `{name}`")])
        self._input(name, types.UINT8, shape)
        if part.kind == "grid":
            return self._grid(part, encoder, name)
        return self._pixels(encoder, name)

    def _grid(self, part: Part, encoder: nn.Module, name: str) -> str:
        codes = self._node("Cast", [name], to=self._onnx.TensorProto.INT64)
        channels = []
        for c, size in enumerate(part.codes):
            channel = self._node("Gather", [codes, self._constant(np.int64(c))], axis=3)
            channels.append(self._one_hot(channel, size))
        cells = self._node("Concat", channels, axis=-1)
        if not isinstance(encoder, GridConvolution):
            return self._node("Flatten", [cells], axis=1)
        embedded = self._node("MatMul", [cells, self._constant(_array(encoder.embed.weight).T.copy())])
        x = self._node("Transpose", [embedded], perm=[0, 3, 1, 2])
        for layer in (encoder.first, encoder.second):
            x = self._node("Relu", [self._convolution(layer, x)])
        return self._node("Flatten", [x], axis=1)

    def _pixels(self, encoder: nn.Module, name: str) -> str:
        numbers = self._node("Cast", [name], to=self._onnx.TensorProto.FLOAT)
        if not isinstance(encoder, PixelConvolution):
            flat = self._node("Flatten", [numbers], axis=1)
            return self._node("Div", [flat, self._constant(np.float32(255))])
        moved = self._node("Transpose", [numbers], perm=[0, 3, 1, 2])
        x = self._node("Div", [moved, self._constant(np.float32(255))])
        for layer in encoder.layers:
            x = self._convolution(layer, x) if isinstance(layer, nn.Conv2d) else self._node("Relu", [x])
        return self._node("Flatten", [x], axis=1)

    # ------------------------------------------------------------ layers and the action

    def _layers(self, layers: nn.Sequential, x: str, last: str) -> str:
        for i, layer in enumerate(layers):
            name = last if i == len(layers) - 1 else None
            if isinstance(layer, nn.Linear):
                weight, bias = self._constant(_array(layer.weight)), self._constant(_array(layer.bias))
                x = self._node("Gemm", [x, weight, bias], name=name, transB=1)
            else:
                x = self._node("Tanh" if isinstance(layer, nn.Tanh) else "Relu", [x], name=name)
        return x

    def _action(self, scores: str) -> Any:
        helper, types = self._onnx.helper, self._onnx.TensorProto
        head = self._network.architecture.action
        if head.discrete:
            self._node("ArgMax", [scores], name="action", axis=1, keepdims=0)
            return helper.make_tensor_value_info("action", types.INT64, ["batch"])
        if head.kind == "multi":
            parts = self._split(scores, head.choices)
            best = [self._node("ArgMax", [p], axis=1, keepdims=1) for p in parts]
            self._node("Concat", best, name="action", axis=1)
            return helper.make_tensor_value_info("action", types.INT64, ["batch", head.size])
        low, high = np.array(head.low, np.float32), np.array(head.high, np.float32)
        x = scores
        if head.kind == "squashed":
            x = self._split(x, (head.size, head.size))[0]
        if head.kind in ("squashed", "deterministic"):
            up = self._node("Add", [self._node("Tanh", [x]), self._constant(np.float32(1))])
            scaled = self._node("Mul", [up, self._constant(0.5 * (high - low))])
            x = self._node("Add", [scaled, self._constant(low)])
        x = self._node("Max", [self._node("Min", [x, self._constant(high)]), self._constant(low)])
        target = self._constant(np.array([-1, *head.shape], np.int64))
        self._node("Reshape", [x, target], name="action")
        return helper.make_tensor_value_info("action", types.FLOAT, ["batch", *head.shape])

    # ------------------------------------------------------------ writing

    def _node(self, op: str, inputs: Sequence[str], name: str | None = None, **attributes: Any) -> str:
        output = name or f"x{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def _split(self, x: str, sizes: Sequence[int]) -> list[str]:
        names = [f"x{len(self._nodes)}_{i}" for i in range(len(sizes))]
        lengths = self._constant(np.array(sizes, np.int64))
        self._nodes.append(self._onnx.helper.make_node("Split", [x, lengths], names, axis=1))
        return names

    def _one_hot(self, number: str, size: int) -> str:
        values = self._constant(np.array([0, 1], np.float32))
        return self._node("OneHot", [number, self._constant(np.array([size], np.int64)), values], axis=-1)

    def _convolution(self, layer: nn.Conv2d, x: str) -> str:
        constants = [self._constant(_array(layer.weight))]
        if layer.bias is not None:
            constants.append(self._constant(_array(layer.bias)))
        stride, padding = [int(s) for s in layer.stride], [int(p) for p in layer.padding]
        return self._node("Conv", [x, *constants], strides=stride, pads=padding + padding)

    def _constant(self, value: Any) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(np.asarray(value), name))
        return name

    def _input(self, name: str, kind: int, shape: Sequence[str | int]) -> None:
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, kind, shape))


def _array(parameter: torch.Tensor) -> Array:
    array: Array = parameter.detach().numpy()
    return array
