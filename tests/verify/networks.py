"""Small random networks as ONNX files, and an evaluator that shares nothing with the reader."""

from itertools import pairwise

import numpy as np
import onnx
from onnx import helper, numpy_helper


def write_mlp(path, weights, biases, activation="Relu", *, gemm=False, shift=None, kind=np.float32):
    nodes, constants, name = [], [], "x"
    if shift is not None:
        constants.append(numpy_helper.from_array(np.asarray(shift, np.float32), "shift"))
        nodes.append(helper.make_node("Sub", [name, "shift"], ["shifted"]))
        name = "shifted"
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        constants.append(numpy_helper.from_array((w if gemm else w.T).astype(kind), f"w{k}"))
        constants.append(numpy_helper.from_array(b.astype(kind), f"b{k}"))
        if gemm:
            nodes.append(helper.make_node("Gemm", [name, f"w{k}", f"b{k}"], [f"z{k}"], transB=1))
        else:
            nodes.append(helper.make_node("MatMul", [name, f"w{k}"], [f"m{k}"]))
            nodes.append(helper.make_node("Add", [f"m{k}", f"b{k}"], [f"z{k}"]))
        name = f"z{k}"
        if k < len(weights) - 1:
            nodes.append(helper.make_node(activation, [name], [f"h{k}"]))
            name = f"h{k}"
    ends = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), (1, size)) for n, size in
            (("x", weights[0].shape[1]), (name, weights[-1].shape[0]))]  # fmt: skip
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
                     .SerializeToString())  # fmt: skip
    onnx.checker.check_model(str(path))
    return path


def random_mlp(randomness, sizes):
    weights = [randomness.normal(0, 1.2 / np.sqrt(a), (b, a)).astype(np.float32).astype(np.float64)
               for a, b in pairwise(sizes)]  # fmt: skip
    biases = [randomness.normal(0, 0.3, b).astype(np.float32).astype(np.float64) for b in sizes[1:]]
    return weights, biases


def forward(weights, biases, x, activation="Relu", shift=None):
    h = x if shift is None else x - np.asarray(shift, np.float32)
    f = {"Relu": lambda z: np.maximum(z, 0), "Tanh": np.tanh, "Sigmoid": lambda z: 1 / (1 + np.exp(-z))}[activation]
    for k, (w, b) in enumerate(zip(weights, biases, strict=True)):
        h = h @ w.T + b
        h = f(h) if k < len(weights) - 1 else h
    return h


def at_most(bound, inputs=2, outputs=1, half=1.0):
    """The property that output 0 stays below a bound on the box [-half, half]."""
    lines = [f"(declare-const X_{i} Real)" for i in range(inputs)]
    lines += [f"(declare-const Y_{j} Real)" for j in range(outputs)]
    lines += [f"(assert (<= X_{i} {half}))(assert (>= X_{i} -{half}))" for i in range(inputs)]
    return "\n".join([*lines, f"(assert (>= Y_0 {bound!r}))", ""])
