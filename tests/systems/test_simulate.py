"""Simulation: against an independent solver, batch against single, what is promised, what is drawn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm
from systems.declared import THERMOSTAT, UNICYCLE, system

from agentc.compiler.systems.dynamics import Dynamics
from agentc.compiler.systems.initial import InitialSampler, initial_boxes
from agentc.compiler.systems.integrators import TABLEAUS, matrix_exponential, runge_kutta
from agentc.compiler.systems.simulate import Simulator
from agentc.lang.diagnostics import AgentcError

RNG = np.random.default_rng


@pytest.mark.parametrize(("method", "order"), [("euler", 1), ("midpoint", 2), ("heun", 2), ("rk4", 4), ("rk45", 5)])
def test_integrators_have_their_order(method, order):
    errors = []
    for steps in (20, 40) if method != "rk45" else (4, 8):  # which makes eight steps of each
        x, h = np.array([1.0, 0.0]), 2.0 / steps
        for _ in range(steps):
            x = runge_kutta(method, lambda x: np.array([x[1], -np.sin(x[0])]), x, h)
        exact = solve_ivp(lambda t, x: [x[1], -np.sin(x[0])], (0, 2), [1, 0], rtol=1e-12, atol=1e-12).y[:, -1]
        errors.append(np.abs(x - exact).max())
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.35)
    for rows, weights in [TABLEAUS[method]]:
        assert sum(weights) == pytest.approx(1, abs=1e-15) and len(rows) == len(weights) - 1


@pytest.mark.parametrize("scale", [0.0, 0.1, 3.0, 60.0])
def test_the_matrix_exponential(scale):
    a = RNG(0).normal(size=(6, 6)) * scale
    np.testing.assert_allclose(matrix_exponential(a), expm(a), rtol=1e-9, atol=1e-12 * np.abs(expm(a)).max())


def test_a_step_is_that_of_the_differential_equation():
    simulator = Simulator(system(UNICYCLE))
    state, mode = simulator.start(RNG(1), 20)
    inputs, noise = RNG(2).uniform([0, -1], [1, 1], (20, 2)), simulator.noise(RNG(3), 20)
    after, _ = simulator.step(state, mode, inputs, noise)
    for x, u, w, found in zip(state, inputs, noise, after, strict=True):
        rate = lambda t, x: [u[0] * math.cos(x[2]) + w[0], u[0] * math.sin(x[2]), u[1]]
        expected = solve_ivp(rate, (0, 0.1), x, rtol=1e-12, atol=1e-12).y[:, -1]
        np.testing.assert_allclose(found, expected, atol=1e-8)


def test_exact_steps_are_the_solution_in_every_mode():
    simulator = Simulator(system(THERMOSTAT))
    run = simulator.run(RNG(4), 5, 60, lambda x, t: np.full((len(x), 1), 0.25))
    for b in range(5):
        for t in range(60):
            x, heating = run.states[b, t, 0], run.modes[b, t] == 0
            expected = x + 1.75 * 0.5 if heating else x * math.exp(-0.05)
            assert run.states[b, t + 1, 0] == pytest.approx(expected, rel=1e-12)
            switched = expected >= 22 if heating else expected <= 18
            assert (run.modes[b, t + 1] != run.modes[b, t]) == switched
            assert run.states[b, t + 1, 1] - run.states[b, t, 1] == switched


@pytest.mark.parametrize("text", [UNICYCLE, THERMOSTAT, UNICYCLE.replace("rk4", "rk45")])
@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), batch=st.integers(2, 70))
def test_a_batch_is_stepped_as_each_row_alone(text, seed, batch):
    simulator, rng = Simulator(system(text)), RNG(seed)
    state, mode = simulator.start(rng, batch)
    state = state * rng.uniform(-20, 20, state.shape)
    mode = rng.integers(max(1, len(simulator.dynamics.modes)), size=batch)
    inputs, noise = rng.uniform(-1, 1, (batch, len(simulator.dynamics.inputs))), simulator.noise(rng, batch)
    whole, modes = simulator.step(state, mode, inputs, noise)
    for i in range(batch):
        rows = slice(i, i + 1)
        one, alone = simulator.step(state[rows], mode[rows], inputs[rows], noise[rows])
        assert one.tobytes() == whole[rows].tobytes() and alone[0] == modes[i]


def test_controllers_are_clipped_to_the_ranges_of_the_inputs():
    dynamics = Dynamics(system(UNICYCLE))
    found = dynamics.control("ahead", np.array([[0.0, 0.0, 0.5], [8.0, 0.0, -3.0]]))
    np.testing.assert_array_equal(found, [[1.0, -0.5], [0.0, 1.0]])
    np.testing.assert_array_equal(dynamics.control("stop", np.zeros((2, 3))), np.zeros((2, 2)))
    with pytest.raises(KeyError):
        dynamics.control("back", np.zeros((1, 3)))


def test_starts_are_drawn_under_their_constraint():
    drawn = InitialSampler(system(UNICYCLE)).sample(RNG(5), 4000)
    assert (drawn[:, 0] + drawn[:, 1] < 1).all() and (drawn[:, 0] >= 0).all()
    assert drawn[:, 1].std() == pytest.approx(0.1, rel=0.1)  # the constraint hardly cuts y
    (box,) = initial_boxes(system(UNICYCLE))
    assert box.proper and box.lo[0] == 0 and box.hi[2] == 0.1 and box.hi[1] == np.inf


def test_mixtures_keep_their_weights_under_constraints():
    text = """system s {
      state x : real in [-5, 5], n : int in [0, 9]
      x' = 0Hz; n' = 0Hz
      step 1s by euler
      init [{ weight = 3; x = normal(0, 1); n in [0, 3]; n < 2; x > 0 }, { weight = 1; x = 4; n in {7, 9} }]
    }"""
    drawn = InitialSampler(system(text)).sample(RNG(6), 8000)
    second = drawn[:, 0] == 4
    assert second.mean() == pytest.approx(0.25, abs=0.02)
    assert set(drawn[second, 1]) == {7, 9} and set(drawn[~second, 1]) == {0, 1}
    assert (drawn[~second, 0] > 0).all() and drawn[~second, 0].mean() == pytest.approx(math.sqrt(2 / math.pi), abs=0.03)


def test_disturbances_are_uniform_in_their_ranges():
    text = """system s {
      state x : real
      disturbance w : real in [1, 3], k : int in [-1, 1], b : bool
      x' = w * 1Hz + k * 1Hz + max(0, 1) * 0Hz
      mode a { on b -> a { x' = 0 } }
      step 1s by euler
      init { x = 0 }
    }"""
    drawn = Simulator(system(text)).noise(RNG(7), 6000)
    assert drawn[:, 0].min() >= 1 and drawn[:, 0].max() <= 3 and drawn[:, 0].mean() == pytest.approx(2, abs=0.03)
    values, counts = np.unique(drawn[:, 1], return_counts=True)
    assert list(values) == [-1, 0, 1] and (np.abs(counts / 6000 - 1 / 3) < 0.03).all()
    assert set(drawn[:, 2]) == {0, 1}


def test_a_lost_value_names_state_step_and_reason():
    text = "system s { state x : real; x' = 1Hz / x; step 1s by euler; init { x = 0 } }"
    with pytest.raises(AgentcError) as error:
        Simulator(system(text)).run(RNG(0), 3, 5, "stop")
    (found,) = error.value.diagnostics
    assert found.code == "AS1105"
    assert found.message == "the state `x` is nan after step 1 (1 s): a division by zero"


def test_growth_beyond_bounds_is_an_overflow():
    text = "system s { state x : real; x' = x ** 9 * 1Hz; step 1s by rk4; init { x = 3 } }"
    with pytest.raises(AgentcError) as error:
        Simulator(system(text)).run(RNG(0), 2, 50, "stop")
    assert error.value.diagnostics[0].code == "AS1105" and "overflow" in error.value.diagnostics[0].message


def test_the_jacobian_and_linear_parts():
    dynamics = Dynamics(system(THERMOSTAT))
    heating, cooling = dynamics.affine(0), dynamics.affine(1)
    assert heating is not None and cooling is not None
    np.testing.assert_array_equal(cooling.state, [[-0.1, 0], [0, 0]])
    np.testing.assert_array_equal(heating.input, [[-1.0], [0.0]])
    np.testing.assert_array_equal(heating.constant, [2.0, 0.0])
    assert Dynamics(system(UNICYCLE)).affine() is None
