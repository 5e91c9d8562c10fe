"""Five instances of ARCH-COMP AINNCS, as their organisers state them, for ``agentc bench verify``.

Controllers are read from ``*.polar`` files (inputs, outputs, hidden layers and their sizes, an activation a layer, then
each neuron's weights and bias, an offset and a scale). Dynamics are specs; properties are formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.runtime.verify.network.mlp import Layer, Network

PENDULUM = """
system pendulum {
  state th : real, om : real [1/s]
  input u : real [1/s^2]
  th' = om
  om' = 2 * sin(th) / (1s * 1s) + 8 * u
  step 0.05s by rk4
  init { th in [1, TOP]; om in [0, 0.2] }
}
"""

CRUISE = """
system cruise {
  state x1, x2, x3, x4, x5, x6 : real
  input a : real
  x1' = x2 / 1s
  x2' = x3 / 1s
  x3' = (2 * (-2 - x3) - 1e-4 * x2 * x2) / 1s
  x4' = x5 / 1s
  x5' = x6 / 1s
  x6' = (2 * (a - x6) - 1e-4 * x5 * x5) / 1s
  step 0.1s by rk4
  init { x1 in [90, 110]; x2 in [32, 32.2]; x3 = 0; x4 in [10, 11]; x5 in [30, 30.2]; x6 = 0 }
}
"""

TORA = """
system tora {
  state x1, x2, x3, x4 : real
  input u : real
  x1' = x2 / 1s
  x2' = (-x1 + 0.1 * sin(x3)) / 1s
  x3' = x4 / 1s
  x4' = u / 1s
  step 1s by rk4
  init { x1 in [0.6, 0.7]; x2 in [-0.7, -0.6]; x3 in [-0.4, -0.3]; x4 in [0.5, 0.6] }
}
"""

UNICYCLE = """
system unicycle {
  state x1, x2, x3, x4 : real
  input u1, u2 : real
  disturbance w : real in [-1e-4, 1e-4]
  x1' = x4 * cos(x3) / 1s
  x2' = x4 * sin(x3) / 1s
  x3' = u2 / 1s
  x4' = (u1 + w) / 1s
  step 0.2s by rk4
  init { x1 in [9.5, 9.55]; x2 in [-4.5, -4.45]; x3 in [2.1, 2.11]; x4 in [1.5, 1.51] }
}
"""

_N = "(x3 * x3 * sin(x1 - x2) - cos(x1 - x2) * (2 * sin(x1) - x4 * x4 * sin(x1 - x2) / 2 + 4 * u1)" \
     " + 2 * sin(x2) + 8 * u2)"  # fmt: skip
_D = "(cos(x1 - x2) * cos(x1 - x2) / 2 - 1)"
DOUBLE = f"""
system double_pendulum {{
  state x1, x2, x3, x4 : real
  input u1, u2 : real
  x1' = x3 / 1s
  x2' = x4 / 1s
  x3' = (cos(x1 - x2) * {_N} / (2 * {_D}) - x4 * x4 * sin(x1 - x2) / 2 + 2 * sin(x1) + 4 * u1) / 1s
  x4' = -{_N} / {_D} / 1s
  step 0.05s by rk4
  init {{ x1 in [1, 1.3]; x2 in [1, 1.3]; x3 in [1, 1.3]; x4 in [1, 1.3] }}
}}
"""


@dataclass(frozen=True)
class Instance:
    """One instance; ``lift`` makes of the file's network one from the states to the inputs. ``peer`` is in seconds.

    ``width`` is how many times the hull of runs the tube may be wide, with the starts cut in ``split`` parts a side.
    ``double``: the bound of rounding to float32, in any order of summation, makes the tube wide; it is measured of a
    float64 file, too.
    """

    name: str
    system: str
    controller: str
    lift: Callable[[Network], Network]
    formula: str
    horizon: int
    holds: bool
    peer: float | None
    width: float | None = None
    split: int = 1
    double: bool = False


def _same(network: Network) -> Network:
    return network


def _shift(by: float) -> Callable[[Network], Network]:
    return lambda network: _behind(network, np.eye(network.outputs), np.full(network.outputs, -by))


def _behind(network: Network, weight: np.ndarray, bias: np.ndarray) -> Network:
    return Network((*network.layers, Layer(weight, bias)), network.source)


def _cruise(network: Network) -> Network:
    """The network reads (30, 1.4, x5, x1 - x4, x2 - x5)."""
    weight = np.zeros((5, 6))
    weight[2, 4], weight[3, 0], weight[3, 3], weight[4, 1], weight[4, 4] = 1, 1, -1, 1, -1
    return Network((Layer(weight, np.array([30, 1.4, 0, 0, 0.0])), *network.layers), network.source)


def _inside(names: str, lo: str, hi: str) -> str:
    return " & ".join(f"{n} in [{a}, {b}]" for n, a, b in zip(names.split(), lo.split(), hi.split(), strict=True))


_GAP = "G x1 - x4 - 1.4 * x5 >= 10"
_THERE = _inside("x1 x2 x3 x4", "-0.6 -0.2 -0.06 -0.3", "0.6 0.2 0.06 0.3")
INSTANCES = (
    Instance("pendulum", PENDULUM.replace("TOP", "1.175"), "InvertedPendulum_controller", _same,
             "G[0.5s, 1s] th in [0, 1]", 20, True, 5.0, 1.05),
    Instance("pendulum from th [1, 1.2]", PENDULUM.replace("TOP", "1.2"), "InvertedPendulum_controller", _same,
             "G[0.5s, 1s] th in [0, 1]", 20, False, None),
    Instance("cruise control, relu", CRUISE, "ACC_controller_relu", _cruise, _GAP, 50, True, 8.0),
    Instance("cruise control, tanh", CRUISE, "ACC_controller_tanh", _cruise, _GAP, 50, True, 8.0),
    Instance("unicycle", UNICYCLE, "Unicycle_controller", _shift(20.0),
             f"F[10s, 10s] ({_THERE})", 50, True, None, 1.5, 3, True),
    Instance("TORA, remain", TORA, "TORA_ReLU_controller", _shift(10.0),
             "G (" + _inside("x1 x2 x3 x4", "-2 -2 -2 -2", "2 2 2 2") + ")", 20, True, None, 1.5, 3),
    Instance("double pendulum", DOUBLE, "InvertedTwoLinkPendulum_controller_less_robust", _same,
             "G (" + _inside("x1 x2 x3 x4", "-1.7 -1.7 -1.7 -1.7", "2 2 2 2") + ")", 20, True, 8.0, 1.5, 4),
)  # fmt: skip


def agent_of(instance: Instance, split: int = 1, seconds: int = 60) -> AgentIR:
    """The instance as an agent with one ``verify`` item, whose controller is an ONNX file by the controller's name."""
    from agentc.compiler.pipeline import check
    from agentc.lang.source import Source

    name = instance.system.split()[1]
    text = f"{instance.system}\nagent A {{\n  env {name}(horizon = {instance.horizon})\n  task f = {instance.formula}\n"
    how = f'by reach {{ controller = "{instance.controller}.onnx"; split = {split}; time = {seconds}s }}'
    result = check([Source(f"{name}.agentspec", f"{text}  verify f {how}\n}}\n")])
    if not result.ok:
        raise ValueError("; ".join(d.message for d in result.diagnostics))
    return result.agents[0]


def write_onnx(network: Network, path: Path, double: bool = False) -> None:
    """A network as the float32 file that would be deployed, or as a float64 one."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, name = [], [], "x"
    for k, layer in enumerate(network.layers):
        for kind, value in (("w", layer.weight), ("b", layer.bias)):
            constants.append(numpy_helper.from_array(value.astype(np.float64 if double else np.float32), f"{kind}{k}"))
        nodes.append(helper.make_node("Gemm", [name, f"w{k}", f"b{k}"], [f"z{k}"], transB=1))
        name = f"z{k}"
        if layer.activation != "identity":
            operator = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}[layer.activation]
            nodes.append(helper.make_node(operator, [name], [f"h{k}"]))
            name = f"h{k}"
    ends = [
        helper.make_tensor_value_info(n, TensorProto.DOUBLE if double else TensorProto.FLOAT, [1, size])
        for n, size in (("x", network.inputs), (name, network.outputs))
    ]
    graph = helper.make_graph(nodes, path.stem, ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


def read_polar(path: Path) -> Network:
    """A controller file as a network."""
    words = path.read_text("ascii").split()
    inputs, outputs, hidden = map(int, words[:3])
    sizes = [inputs, *map(int, words[3 : 3 + hidden]), outputs]
    at = 3 + hidden
    names = {"ReLU": "relu", "Affine": "identity"}
    activations = [names.get(w, w) for w in words[at : at + hidden + 1]]
    at += hidden + 1
    layers = []
    for k, activation in enumerate(activations):
        a, b = sizes[k], sizes[k + 1]
        numbers = np.array(list(map(float, words[at : at + b * (a + 1)]))).reshape(b, a + 1)
        at += b * (a + 1)
        layers.append(Layer(np.ascontiguousarray(numbers[:, :a]), np.ascontiguousarray(numbers[:, a]), activation))
    offset, scale = float(words[at]), float(words[at + 1])
    if scale != 1 or offset != 0:
        layers.append(Layer(np.eye(outputs) * scale, np.full(outputs, -offset * scale)))
    return Network(tuple(layers), path.name)
