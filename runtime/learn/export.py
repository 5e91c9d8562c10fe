"""A trained policy as one deterministic graph: what is verified and deployed is this.

The ONNX graph is written node by node (opset 17): normalisation, encoders, layers, squashing, scaling to the action
space's bounds and the mask are in it. Inputs are the parts of the observation by name (``observation`` for a plain
one), whatever else is observed, such as the time left, among them; float32 ``(batch, ...)``, int64 ``(batch,)`` for an
integer, uint8 for grids and images; and ``mask``, bool ``(batch, n)``, where it is asked for. The output ``action`` is
the likeliest or best action, as the environment takes it; ``scores`` are the logits, values or unsquashed means. What
a policy with ``history`` remembers goes in and comes out (:mod:`agentc.runtime.learn.export_memory`); the names, shapes
and first value of that state are data beside the graph: ``state`` in its metadata, a JSON list of objects ``{"input",
"output", "shape", "start"}``.

The safetensors file has the weights, and the architecture as data in its header.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from torch import nn

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.architecture import Part
from agentc.runtime.learn.export_memory import Window, read, remembered, with_action
from agentc.runtime.learn.export_nodes import Nodes, array
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.networks.encoders import GridConvolution, PixelConvolution
from agentc.runtime.learn.vector import Array


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
    return written(path, data)


def written(path: Path, data: bytes) -> Path:
    """Write a file. Raises :class:`AgentcError` (AS0843) if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise AgentcError([report("AS0843", None, path=str(path), reason=error.strerror or str(error))]) from None
    return path


Given = Mapping[str, Callable[[Nodes], str]]
"""Vectors of the observation, by key, that a graph computes from inputs of its own: what adds them names its output."""


def graph_of(
    network: ActorCritic, *, mask: bool = False, scores_only: bool = False, given: Given | None = None,
    data: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """The policy as an ``onnx.ModelProto``, with ``data`` among its metadata."""
    return _Graph(network, given or {}).model(mask=mask, scores_only=scores_only, data=data or {})


class _Graph:
    """A policy while it is being written as a graph."""

    def __init__(self, network: ActorCritic, given: Given) -> None:
        self._graph, self._given = Nodes(), given
        self._network = network
        self._windows: list[Window] = []

    def model(self, *, mask: bool, scores_only: bool, data: Mapping[str, str]) -> Any:
        """The whole."""
        graph, network, architecture = self._graph, self._network, self._network.architecture
        helper, types = graph.onnx.helper, graph.onnx.TensorProto
        head = architecture.action
        encoded, at = [], 0
        for part, encoder in zip(architecture.parts, network.encoders, strict=True):
            if part.key not in architecture.privileged:
                encoded.append(self._part(part, encoder, at))
            at += part.size if part.kind == "vector" else 0
        x = encoded[0] if len(encoded) == 1 else graph.node("Concat", encoded, axis=1)
        scores = graph.layers(network.actor, x, last="scores") if network.group is None else self._averaged(x)
        outputs = [helper.make_tensor_value_info("scores", types.FLOAT, ["batch", None])]
        if scores_only:
            return graph.model(outputs, data)
        if mask and head.discrete:
            graph.input("mask", types.BOOL, ["batch", head.size])
            scores = graph.node("Where", ["mask", scores, graph.constant(np.float32(-np.inf))])
        outputs.insert(0, self._action(scores))
        for window in self._windows:
            with_action(graph, window, "action", architecture)
            outputs.append(helper.make_tensor_value_info(window.next, types.FLOAT, ["batch", *window.shape]))
        state = [{"input": w.name, "output": w.next, "shape": list(w.shape), "start": 0.0} for w in self._windows]
        return graph.model(outputs, {**data, "state": json.dumps(state)} if state else data)

    def _averaged(self, x: str) -> str:
        """The actor's outputs as an average over its symmetry (:mod:`agentc.runtime.learn.networks.symmetry`)."""
        graph, network = self._graph, self._network
        assert network.group is not None
        total, elements = "", network.group.elements
        for k, (before, after) in enumerate(elements):
            moved = self._moved(x, *before)
            made = self._moved(graph.layers(network.actor, moved, last=f"seen_{k}"), *after)
            total = made if k == 0 else graph.node("Add", [total, made])
        return graph.node("Div", [total, graph.constant(np.float32(len(elements)))], name="scores")

    def _moved(self, x: str, source: Array, sign: Array) -> str:
        taken = self._graph.node("Gather", [x, self._graph.constant(source)], axis=1)
        return self._graph.node("Mul", [taken, self._graph.constant(sign)])

    # ------------------------------------------------------------ parts

    def _part(self, part: Part, encoder: nn.Module, at: int) -> str:
        graph = self._graph
        types = graph.onnx.TensorProto
        name = part.key or "observation"
        shape: list[str | int] = ["batch", *part.shape]
        if part.kind == "onehot":
            graph.input(name, types.INT64, ["batch"])
            number = graph.node("Sub", [name, graph.constant(np.int64(part.start))])
            return graph.one_hot(number, part.size)
        if part.kind == "vector":
            if part.key in self._given:
                name = self._given[part.key](graph)
            else:
                graph.input(name, types.FLOAT, shape)
            flat = name if len(part.shape) == 1 else graph.node("Flatten", [name], axis=1)
            if not self._network.architecture.normalize:
                return flat
            rows = slice(at, at + part.size)
            mean, scale = self._network.input_mean[rows].numpy(), self._network.input_scale[rows].numpy()
            scaled = graph.node("Mul", [graph.node("Sub", [flat, graph.constant(mean)]), graph.constant(scale)])
            return graph.node("Clip", [scaled, graph.constant(np.float32(-10)), graph.constant(np.float32(10))])
        if part.kind == "sequence":
            window = remembered(graph, part, self._network.architecture)
            self._windows.append(window)
            return read(graph, encoder, window)
        graph.input(name, types.UINT8, shape)
        if part.kind == "grid":
            return self._grid(part, encoder, name)
        return self._pixels(encoder, name)

    def _grid(self, part: Part, encoder: nn.Module, name: str) -> str:
        graph = self._graph
        codes = graph.node("Cast", [name], to=graph.onnx.TensorProto.INT64)
        channels = []
        for c, size in enumerate(part.codes):
            channel = graph.node("Gather", [codes, graph.constant(np.int64(c))], axis=3)
            channels.append(graph.one_hot(channel, size))
        cells = graph.node("Concat", channels, axis=-1)
        if not isinstance(encoder, GridConvolution):
            return graph.node("Flatten", [cells], axis=1)
        embedded = graph.node("MatMul", [cells, graph.constant(array(encoder.embed.weight).T.copy())])
        x = graph.node("Transpose", [embedded], perm=[0, 3, 1, 2])
        for layer in (encoder.first, encoder.second):
            x = graph.node("Relu", [graph.convolution(layer, x)])
        return graph.node("Flatten", [x], axis=1)

    def _pixels(self, encoder: nn.Module, name: str) -> str:
        graph = self._graph
        numbers = graph.node("Cast", [name], to=graph.onnx.TensorProto.FLOAT)
        if not isinstance(encoder, PixelConvolution):
            flat = graph.node("Flatten", [numbers], axis=1)
            return graph.node("Div", [flat, graph.constant(np.float32(255))])
        moved = graph.node("Transpose", [numbers], perm=[0, 3, 1, 2])
        x = graph.node("Div", [moved, graph.constant(np.float32(255))])
        for layer in encoder.layers:
            x = graph.convolution(layer, x) if isinstance(layer, nn.Conv2d) else graph.node("Relu", [x])
        return graph.node("Flatten", [x], axis=1)

    # ------------------------------------------------------------ layers and the action

    def _action(self, scores: str) -> Any:
        graph = self._graph
        helper, types = graph.onnx.helper, graph.onnx.TensorProto
        head = self._network.architecture.action
        if head.discrete:
            graph.node("ArgMax", [scores], name="action", axis=1, keepdims=0)
            return helper.make_tensor_value_info("action", types.INT64, ["batch"])
        if head.kind == "multi":
            parts = graph.split(scores, head.choices)
            best = [graph.node("ArgMax", [p], axis=1, keepdims=1) for p in parts]
            graph.node("Concat", best, name="action", axis=1)
            return helper.make_tensor_value_info("action", types.INT64, ["batch", head.size])
        low, high = np.array(head.low, np.float32), np.array(head.high, np.float32)
        x = scores
        if head.kind == "squashed":
            x = graph.split(x, (head.size, head.size))[0]
        if head.kind in ("squashed", "deterministic"):
            up = graph.node("Add", [graph.node("Tanh", [x]), graph.constant(np.float32(1))])
            scaled = graph.node("Mul", [up, graph.constant(0.5 * (high - low))])
            x = graph.node("Add", [scaled, graph.constant(low)])
        x = graph.node("Max", [graph.node("Min", [x, graph.constant(high)]), graph.constant(low)])
        target = graph.constant(np.array([-1, *head.shape], np.int64))
        graph.node("Reshape", [x, target], name="action")
        return helper.make_tensor_value_info("action", types.FLOAT, ["batch", *head.shape])
