"""Simulation in torch: that of numpy to 1e-12, with the gradients of finite differences."""

import numpy as np
import pytest
import torch
from systems.declared import THERMOSTAT, UNICYCLE, system

from agentc.compiler.systems.simulate import Simulator
from agentc.runtime.simulate import TorchSimulator

DIFFERENCE = """system walk {
  state n : int in [-50, 50], parity : bool, side : enum {left, right}
  input by_ : int in [-1, 1]
  n' = max(-50, min(50, n + by_))
  parity' = !parity
  side' = right
  step 1s by difference
  init { n = 0; parity = false; side = left }
}"""


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun", "rk4", "rk45"])
@pytest.mark.parametrize("text", [UNICYCLE, THERMOSTAT.replace("exact", "rk4")])
def test_numpy_and_torch_agree(text, method):
    spec = system(text.replace("rk4", method))
    numpy, tensors = Simulator(spec), TorchSimulator(spec)
    rng = np.random.default_rng(0)
    state, mode = numpy.start(rng, 64)
    inputs = rng.uniform([v.lo for v in spec.inputs], [v.hi for v in spec.inputs], (64, 40, len(spec.inputs)))
    noise = np.stack([numpy.noise(rng, 64) for _ in range(40)], axis=1)
    found = tensors.run((torch.tensor(state), torch.tensor(mode)), torch.tensor(inputs), torch.tensor(noise), 40)
    for t in range(40):
        state, mode = numpy.step(state, mode, inputs[:, t], noise[:, t])
        size = max(1.0, np.abs(state).max())
        np.testing.assert_allclose(found.states[:, t + 1].numpy() / size, state / size, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(found.modes[:, t + 1].numpy(), mode)


@pytest.mark.parametrize("text", [THERMOSTAT, DIFFERENCE])
def test_exact_and_difference_steps_agree(text):
    spec = system(text)
    numpy, tensors = Simulator(spec), TorchSimulator(spec)
    run = numpy.run(np.random.default_rng(1), 16, 30, "stop")
    start = torch.tensor(run.states[:, 0]), torch.tensor(run.modes[:, 0])
    found = tensors.run(start, "stop", torch.zeros((16, 30, 0), dtype=torch.float64), 30)
    np.testing.assert_allclose(found.states.numpy(), run.states, rtol=1e-12)
    np.testing.assert_array_equal(found.modes.numpy(), run.modes)


@pytest.mark.parametrize("text", [UNICYCLE, THERMOSTAT])
def test_gradients_are_those_of_finite_differences(text):
    simulator = TorchSimulator(system(text))
    rng = np.random.default_rng(2)
    state, mode = simulator.start(rng, 4)
    inputs = torch.tensor(rng.uniform(0.1, 0.9, (4, 5, len(simulator.system.inputs))))
    noise = torch.stack([simulator.noise(rng, 4) for _ in range(5)], 1)

    def end(state, inputs):
        return simulator.run((state, mode), inputs, noise, 5).states[:, -1]

    assert torch.autograd.gradcheck(end, (state.requires_grad_(), inputs.requires_grad_()))


def test_gradients_go_through_controllers_and_runs_are_those_of_numpy():
    simulator = TorchSimulator(system(UNICYCLE))
    state, mode = simulator.start(np.random.default_rng(3), 8)
    state.requires_grad_()
    found = simulator.run((state, mode), "ahead", torch.zeros((8, 10, 1), dtype=torch.float64), 10)
    found.states[:, -1, 1].sum().backward()
    assert state.grad is not None and torch.isfinite(state.grad).all() and (state.grad[:, 2] != 0).all()
    with torch.no_grad():
        expected = simulator.dynamics.control("ahead", state.numpy())
    np.testing.assert_allclose(found.inputs[:, 0].detach().numpy(), expected, atol=1e-15)


def test_what_is_lost_is_not_a_number():
    spec = system("system s { state x : real; x' = 1Hz / (1 / x); step 1s by euler; init { x in [-1, 1] } }")
    simulator = TorchSimulator(spec, dtype=torch.float32)
    mode, nothing = torch.zeros(2, dtype=torch.int64), torch.zeros((2, 0))
    after, _ = simulator.step(torch.tensor([[0.0], [1.0]]), mode, nothing, nothing)
    assert torch.isnan(after[0, 0]) and after[1, 0] == 2 and after.dtype is torch.float32
