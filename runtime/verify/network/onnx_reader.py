"""ONNX files to layers: the operators of multilayer perceptrons, each by its own rule; what is not known is named.

The graph must be a chain: every node reads one computed tensor and constants. Tensors are flattened row by row.
Weights are float32 or float64 numbers, taken as the real numbers that they are. A division by a constant becomes a
product with its float64 reciprocal; :attr:`Reading.exact` says whether every step was exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.verify.certificate import digest
from agentc.runtime.verify.network.mlp import Floats, Layer, Network

Array = NDArray[Any]
BIGGEST = 1_000_000_000
"""The most bytes of a file that are read."""


@dataclass
class _State:
    """What is known while walking: constants by name, the name of the computed tensor, its shape, the layers."""

    constants: dict[str, Array]
    current: str
    shape: tuple[int, ...]
    layers: list[Layer]

    @property
    def width(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Reading:
    """A network with what else its file says: the names and shapes that a runtime wants, whether it reads float64."""

    network: Network
    input_name: str
    input_shape: tuple[int, ...]
    content: bytes
    exact: bool
    output: str = ""
    double: bool = False


def read_onnx(path: Path) -> Reading:
    """Read a network.

    Weights in other files are read where these lie in the model's folder; the digest is then of all of them. Of several
    outputs the one named ``action`` is read, as :mod:`agentc.runtime.learn.export` writes it.

    Raises :class:`AgentcError`: AS1310 for an operator that is not supported, AS1311 for a file that cannot be read,
    AS1312 for weights that are not finite, AS1313 for weights that lie outside of the folder, AS1314 for a graph that
    is no chain or shapes that do not fit.
    """
    try:
        import onnx
    except ImportError as error:
        raise AgentcError([report("AS0967", None, package="onnx", extra="verify")]) from error
    name = path.name
    try:
        if path.stat().st_size > BIGGEST:
            raise AgentcError([report("AS1311", None, path=str(path), reason="it is larger than 1 GB")])
        content = path.read_bytes()
        model = onnx.load_model_from_string(content)
    except OSError as error:
        raise AgentcError([report("AS1311", None, path=str(path), reason=error.strerror or str(error))]) from error
    except Exception as error:  # protobuf raises its own kinds for what is no model
        raise AgentcError([report("AS1311", None, path=str(path), reason="it is no ONNX model")]) from error
    graph = model.graph
    parts = _embedded(model, name, path)
    if parts:
        content, written = model.SerializeToString(), content
        parts = [written, *parts]
    constants: dict[str, Array] = {}
    for tensor in graph.initializer:
        constants[tensor.name] = _tensor(tensor, name)
    for node in graph.node:
        if node.op_type == "Constant":
            value = [a for a in node.attribute if a.name == "value"]
            if len(value) != 1:
                raise _shape(name, "Constant", "it has no tensor as its value")
            constants[node.output[0]] = _tensor(value[0].t, name)
    inputs = [i for i in graph.input if i.name not in constants]
    outputs = [o.name for o in graph.output]
    output = outputs[0] if len(outputs) == 1 else "action" if "action" in outputs else None
    if len(inputs) != 1 or output is None:
        raise _shape(name, "graph", f"it has {len(inputs)} inputs and {len(outputs)} outputs, not one of each")
    dims = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim]
    shape = tuple(d if d > 0 else 1 for d in dims)  # a batch of any size: a batch of one
    state = _State(constants, inputs[0].name, shape, [])
    exact = True
    for node in graph.node:
        if node.op_type == "Constant":
            continue
        rule = _RULES.get(node.op_type)
        if rule is None or node.domain not in ("", "ai.onnx"):
            raise AgentcError(
                [report("AS1310", None, path=name, operator=node.op_type, supported=", ".join(sorted(SUPPORTED)))]
            )
        computed = [i for i in node.input if i and i not in constants]
        if computed != [state.current]:
            raise _shape(name, node.op_type, "it does not read just the tensor before it: the graph is no chain")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        try:
            exact &= rule(state, node, attributes)
        except ValueError as error:
            raise _shape(name, node.op_type, str(error)) from error
        state.current = node.output[0]
        if state.current == output:
            break
    if state.current != output:
        raise _shape(name, "graph", "its output is not what the last node computes")
    if not state.layers:
        raise _shape(name, "graph", "it computes nothing")
    network = Network(_merged(state.layers), name, digest(b"".join(parts) if parts else content))
    double = inputs[0].type.tensor_type.elem_type == onnx.TensorProto.DOUBLE
    return Reading(network, inputs[0].name, shape, content, exact, output, double)


def _embedded(model: Any, name: str, path: Path) -> list[bytes]:
    """Move weights that lie in other files of the folder into the model; the contents of these files, by name."""
    from onnx import TensorProto

    tensors = [*model.graph.initializer, *(a.t for n in model.graph.node for a in n.attribute if a.HasField("t"))]
    files: dict[str, bytes] = {}
    for tensor in tensors:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        said = {e.key: e.value for e in tensor.external_data}
        place = said.get("location", "")
        folder, target = path.parent.resolve(), (path.parent / place).resolve()
        if not place or not target.is_relative_to(folder):
            raise AgentcError([report("AS1313", None, path=name, tensor=tensor.name, place=place)])
        try:
            if place not in files:
                if target.stat().st_size > BIGGEST:
                    raise AgentcError([report("AS1311", None, path=str(target), reason="it is larger than 1 GB")])
                files[place] = target.read_bytes()
            start = int(said.get("offset", 0))
            size = int(said.get("length", len(files[place]) - start))
            raw = files[place][start : start + size]
            if start < 0 or size < 0 or len(raw) != size:
                raise ValueError(f"`{tensor.name}` is not all in it")
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise AgentcError([report("AS1311", None, path=str(target), reason=reason)]) from error
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT
        tensor.raw_data = raw
    return [files[place] for place in sorted(files)]


def _tensor(tensor: Any, name: str) -> Array:
    """The array of a tensor. Raises :class:`AgentcError`: AS1312, and AS1314 for one that is malformed."""
    from onnx import numpy_helper

    try:
        array = np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError) as error:
        raise _shape(name, tensor.name, f"it is malformed ({error})") from error
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = array.reshape(-1)[~np.isfinite(array.reshape(-1))][0]
        raise AgentcError([report("AS1312", None, path=name, tensor=tensor.name, value=str(bad))])
    return array


def _shape(path: str, where: str, reason: str) -> AgentcError:
    return AgentcError([report("AS1314", None, path=path, where=where, reason=reason)])


# ---------------------------------------------------------------- one rule per operator


def _affine(state: _State, weight: Array, bias: Array) -> None:
    state.layers.append(Layer(np.asarray(weight, np.float64), np.asarray(bias, np.float64)))


def _constant(state: _State, name: str) -> Array:
    return state.constants[name]


def _spread(state: _State, constant: Array) -> Floats:
    """A constant as wide as the computed tensor. Raises ``ValueError`` if it does not fit."""
    array = np.asarray(constant, np.float64)
    if np.broadcast_shapes(array.shape, state.shape) != state.shape:
        raise ValueError(f"shapes {array.shape} and {state.shape} do not fit")
    return np.ascontiguousarray(np.broadcast_to(array, state.shape)).reshape(-1)


def _matmul(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    left = node.input[0] == state.current
    constant = np.asarray(_constant(state, node.input[1 if left else 0]), np.float64)
    if constant.ndim != 2:
        raise ValueError(f"the constant has {constant.ndim} dimensions, not 2")
    weight = constant.T if left else constant
    fits = state.width == weight.shape[1] and state.shape[-1 if left else 0] == weight.shape[1]
    if not fits:
        raise ValueError(f"shapes {state.shape} and {constant.shape} do not fit")
    _affine(state, weight, np.zeros(weight.shape[0]))
    state.shape = (*state.shape[:-1], weight.shape[0]) if left else (weight.shape[0], *state.shape[1:])
    return True


def _gemm(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    if node.input[0] != state.current or attributes.get("transA", 0):
        raise ValueError("the computed tensor is not its first argument as it stands")
    weight = np.asarray(_constant(state, node.input[1]), np.float64)
    if weight.ndim != 2:
        raise ValueError("its second argument is no matrix")
    weight = weight if attributes.get("transB", 0) else weight.T
    if state.width != weight.shape[1]:
        raise ValueError(f"shapes {state.shape} and {weight.shape[::-1]} do not fit")
    alpha, beta = (float(np.float32(attributes.get(key, 1.0))) for key in ("alpha", "beta"))
    bias = np.zeros(weight.shape[0])
    if len(node.input) > 2 and node.input[2]:
        given = np.asarray(_constant(state, node.input[2]), np.float64)
        if given.size not in (1, weight.shape[0]):
            raise ValueError(f"its bias has the shape {given.shape}")
        bias = np.broadcast_to(given.reshape(-1), weight.shape[:1]).astype(np.float64)
    _affine(state, alpha * weight, beta * bias)  # products of float32 numbers are exact in float64
    state.shape = (1, weight.shape[0])
    return True


def _add(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    other = node.input[1 if node.input[0] == state.current else 0]
    _affine(state, np.eye(state.width), _spread(state, _constant(state, other)))
    return True


def _sub(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    left = node.input[0] == state.current
    constant = _spread(state, _constant(state, node.input[1 if left else 0]))
    _affine(state, np.eye(state.width) * (1.0 if left else -1.0), -constant if left else constant)
    return True


def _mul(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    other = node.input[1 if node.input[0] == state.current else 0]
    _affine(state, np.diag(_spread(state, _constant(state, other))), np.zeros(state.width))
    return True


def _div(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    if node.input[0] != state.current:
        raise ValueError("it divides by the computed tensor")
    constant = _spread(state, _constant(state, node.input[1]))
    if (constant == 0).any():
        raise ValueError("it divides by zero")
    _affine(state, np.diag(1.0 / constant), np.zeros(state.width))
    return bool((np.frexp(constant)[0] == 0.5).all())  # the reciprocal of a power of two is exact


def _extremum(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    """``max(x, v) = v + relu(x - v)`` and ``min(x, v) = v - relu(v - x)``."""
    if len(node.input) != 2:
        raise ValueError("it has other arguments than a tensor and a constant")
    other = node.input[1 if node.input[0] == state.current else 0]
    return _limited(state, _spread(state, _constant(state, other)), 1.0 if node.op_type == "Max" else -1.0)


def _clip(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    """``min(max(x, low), high)``, the limits being its second and third arguments."""
    for at, sign in ((1, 1.0), (2, -1.0)):
        if len(node.input) > at and node.input[at]:
            _limited(state, _spread(state, _constant(state, node.input[at])), sign)
    return True


def _limited(state: _State, limit: Floats, sign: float) -> bool:
    eye = np.eye(state.width) * sign
    state.layers += [Layer(eye, -sign * limit, "relu"), Layer(eye, limit)]
    return True


def _same(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    return True


def _flatten(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
    if node.op_type == "Reshape":
        wanted = tuple(int(v) for v in np.asarray(_constant(state, node.input[1])).reshape(-1))
        known = [state.shape[i] if v == 0 and i < len(state.shape) else v for i, v in enumerate(wanted)]
        rest = int(np.prod([v for v in known if v > 0], dtype=np.int64))
        shape = tuple(v if v > 0 else state.width // max(rest, 1) for v in known)
        if int(np.prod(shape, dtype=np.int64)) != state.width or list(wanted).count(-1) > 1:
            raise ValueError(f"{state.shape} cannot be reshaped to {wanted}")
        state.shape = shape
    else:
        axis = int(attributes.get("axis", 1)) % (len(state.shape) + 1)
        front = int(np.prod(state.shape[:axis], dtype=np.int64))
        state.shape = (front, state.width // max(front, 1))
    return True


def _activation(name: str) -> Callable[[_State, Any, dict[str, Any]], bool]:
    def rule(state: _State, node: Any, attributes: dict[str, Any]) -> bool:
        if state.layers and state.layers[-1].activation == "identity":
            last = state.layers.pop()
            state.layers.append(Layer(last.weight, last.bias, name))
        else:
            state.layers.append(Layer(np.eye(state.width), np.zeros(state.width), name))
        return True

    return rule


_RULES: dict[str, Callable[[_State, Any, dict[str, Any]], bool]] = {
    "MatMul": _matmul, "Gemm": _gemm, "Add": _add, "Sub": _sub, "Mul": _mul, "Div": _div,
    "Min": _extremum, "Max": _extremum, "Clip": _clip,
    "Identity": _same, "Dropout": _same, "Flatten": _flatten, "Reshape": _flatten,
    "Relu": _activation("relu"), "Tanh": _activation("tanh"), "Sigmoid": _activation("sigmoid"),
}  # fmt: skip

SUPPORTED = ("Constant", *_RULES)
"""The operators that are read."""


def _merged(layers: list[Layer]) -> tuple[Layer, ...]:
    """The layers with those merged whose product is exact: a sum after a product without one, and what does nothing."""
    merged: list[Layer] = []
    for layer in layers:
        before = merged[-1] if merged else None
        is_sum = len(layer.weight) == layer.weight.shape[1] and np.array_equal(layer.weight, np.eye(len(layer.weight)))
        if before is not None and before.activation == "identity" and is_sum and not before.bias.any():
            merged[-1] = Layer(before.weight, layer.bias, layer.activation)
        elif is_sum and not layer.bias.any() and layer.activation == "identity" and len(layers) > 1:
            continue
        else:
            merged.append(layer)
    return tuple(merged) if merged else (layers[0],)
