"""The systems of the standard library: against equations written down again, an independent solver, invariants."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import agentc.stdlib.systems
from agentc.compiler.pipeline import check
from agentc.compiler.systems.graph import encode
from agentc.compiler.systems.simulate import Simulator
from agentc.compiler.systems.transitions import explore
from agentc.lang.diagnostics import Severity
from agentc.lang.source import Source

FOLDER = Path(next(iter(agentc.stdlib.systems.__path__)))
sin, cos, tan = math.sin, math.cos, math.tan
RNG = np.random.default_rng


def library(module, name, arguments="horizon = 100", init=None):
    """A system of the standard library, as an agent gets it."""
    more = "" if init is None else f", init = {init}"
    text = f"import std.systems.{module}: {name}\nagent A {{ env {name}({arguments}{more}) }}"
    result = check(Source("a.agentspec", text))
    wrong = [d for d in result.diagnostics if d.severity is Severity.ERROR]
    assert not wrong, wrong
    return result.agents[0].system


def everywhere(module, name):
    """A system that begins somewhere in [-1, 1] with every state."""
    states = {
        "single_integrator": "x y", "double_integrator": "x y vx vy", "unicycle": "x y theta",
        "dubins_car": "x y theta",
        "kinematic_car": "x y theta v", "planar_quadrotor": "x y theta vx vy omega",
        "quadrotor": "x1 x2 x3 u v w phi theta psi p q r", "pendulum": "theta omega",
        "double_pendulum": "theta1 theta2 omega1 omega2", "cart_pole": "x x_dot theta theta_dot",
        "swarm": "x1 y1 x2 y2 x3 y3 vx1 vy1 vx2 vy2 vx3 vy3",
    }.get(name)  # fmt: skip
    if states is None:
        return library(module, name)
    return library(module, name, init="{ " + "; ".join(f"{s} in [-1, 1]" for s in states.split()) + " }")


def double_pendulum(x, u, w):
    x1, x2, x3, x4 = x
    d = x1 - x2
    a, b, c, p, q = 2 * sin(x1), x3**2 * sin(d), x4**2 * sin(d) / 2, 4 * u[0], 8 * u[1]
    n = b - cos(d) * (a - c + p) + 2 * sin(x2) + q
    den = cos(d) ** 2 / 2 - 1
    return [x3, x4, cos(d) * n / (2 * den) - c + a + p, -n / den]


def cart_pole(x, u, w):
    _, v, th, om = x
    total, ml = 1.1, 0.05
    temp = (u[0] + ml * om**2 * sin(th)) / total
    turn = (9.8 * sin(th) - cos(th) * temp) / (0.5 * (4 / 3 - 0.1 * cos(th) ** 2 / total))
    return [v, temp - ml * turn * cos(th) / total, om, turn]


def quadrotor(x, u, w):
    """Rigid body: position in the world (height up, so a minus), velocity and rates in the body's frame."""
    v, (phi, th, psi), rates = np.array(x[3:6]), x[6:9], np.array(x[9:12])
    rx = np.array([[1, 0, 0], [0, cos(phi), -sin(phi)], [0, sin(phi), cos(phi)]])
    ry = np.array([[cos(th), 0, sin(th)], [0, 1, 0], [-sin(th), 0, cos(th)]])
    rz = np.array([[cos(psi), -sin(psi), 0], [sin(psi), cos(psi), 0], [0, 0, 1]])
    r = rz @ ry @ rx
    position = r @ v
    down = r.T @ np.array([0, 0, 9.81])
    force = np.array([0, 0, -9.81 - u[0] / 1.4])
    inertia = np.array([0.054, 0.054, 0.104])
    p, q, rr = rates
    angles = [p + (q * sin(phi) + rr * cos(phi)) * tan(th), q * cos(phi) - rr * sin(phi),
              (q * sin(phi) + rr * cos(phi)) / cos(th)]  # fmt: skip
    spin = (np.array([u[1], u[2], 0]) - np.cross(rates, inertia * rates)) / inertia
    return [position[0], position[1], -position[2], *(down + force - np.cross(rates, v)), *angles, *spin]


def planar(x, u, w):
    _, _, th, vx, vy, om = x
    f = (u[0] + u[1]) / 0.486
    return [vx, vy, om, -f * sin(th), f * cos(th) - 9.81, 0.25 * (u[1] - u[0]) / 0.00383]


LINEAR = np.array([[-1, -4, 0, 0, 0], [4, -1, 0, 0, 0], [0, 0, -3, 1, 0], [0, 0, -1, -3, 0], [0, 0, 0, 0, -2]])
RATES = {
    ("integrators", "single_integrator"): lambda x, u, w: u,
    ("integrators", "double_integrator"): lambda x, u, w: [x[2], x[3], *u],
    ("unicycle", "unicycle"): lambda x, u, w: [u[0] * cos(x[2]) + w[0], u[0] * sin(x[2]), u[1]],
    ("unicycle", "accelerated_unicycle"): lambda x, u, w: [x[3] * cos(x[2]), x[3] * sin(x[2]), u[1], u[0] + w[0]],
    ("cars", "dubins_car"): lambda x, u, w: [cos(x[2]), sin(x[2]), u[0]],
    ("cars", "kinematic_car"): lambda x, u, w: [x[3] * cos(x[2]), x[3] * sin(x[2]), x[3] / 2.5 * tan(u[1]), u[0]],
    ("cars", "adaptive_cruise_control"): lambda x, u, w: [
        x[1], x[2], 2 * (-2 - x[2]) - 1e-4 * x[1] ** 2, x[4], x[5], 2 * (u[0] - x[5]) - 1e-4 * x[4] ** 2,
    ],
    ("pendulums", "pendulum"): lambda x, u, w: [x[1], 2 * sin(x[0]) + 8 * u[0]],
    ("pendulums", "double_pendulum"): double_pendulum,
    ("pendulums", "cart_pole"): cart_pole,
    ("oscillators", "tora"): lambda x, u, w: [x[1], -x[0] + 0.1 * sin(x[2]), x[3], u[0]],
    ("oscillators", "linear5"): lambda x, u, w: LINEAR @ x + w,
    ("quadrotors", "planar_quadrotor"): planar,
    ("quadrotors", "quadrotor"): quadrotor,
    ("swarm", "swarm"): lambda x, u, w: [*x[6:], *u],
}  # fmt: skip
"""The equations of every system of the library that has equations, written down again."""


def test_every_system_is_checked_here():
    declared = {
        (path.stem, line.split()[1].split("(")[0])
        for path in FOLDER.glob("*.agentspec")
        for line in path.read_text().splitlines()
        if line.startswith("system ")
    }
    assert declared == {*RATES, ("grid_world", "grid_world")}


@pytest.mark.parametrize(("module", "name"), RATES, ids=[n for _, n in RATES])
def test_a_trajectory_is_that_of_an_independent_solver(module, name):
    system = everywhere(module, name)
    simulator, rng, rates = Simulator(system), RNG(0), RATES[module, name]
    state, mode = simulator.start(rng, 4)
    lo = np.array([-1.0 if v.lo is None else v.lo for v in system.inputs])
    hi = np.array([1.0 if v.hi is None else v.hi for v in system.inputs])
    inputs, noise = rng.uniform(lo, hi, (4, len(lo))) * 0.3, simulator.noise(rng, 4)
    derived = simulator.dynamics.derivative(state, inputs, noise)
    np.testing.assert_allclose(derived, [rates(*row) for row in zip(state, inputs, noise, strict=True)], atol=1e-12)
    found, _ = simulator.step(state, mode, inputs, noise)
    errors = {"euler": 2e-2, "rk4": 2e-5, "rk45": 1e-6, "exact": 1e-9}
    for x, u, w, after in zip(state, inputs, noise, found, strict=True):
        expected = solve_ivp(lambda t, x: rates(x, u, w), (0, system.step), x, rtol=1e-11, atol=1e-11).y[:, -1]
        tolerance = errors[system.integrator]
        np.testing.assert_allclose(after, expected, atol=tolerance, rtol=tolerance)


def energy_of(name, x):
    if name == "pendulum":
        return 0.5 * 0.125 * x[:, 1] ** 2 + 0.25 * np.cos(x[:, 0])
    if name == "double_pendulum":
        a, b, u, v = x.T
        return 0.125 * (u**2 + v**2 / 2 + u * v * np.cos(a - b)) + 0.25 * (2 * np.cos(a) + np.cos(b))
    if name == "quadrotor":
        spin = (np.array([0.054, 0.054, 0.104]) * x[:, 9:] ** 2).sum(axis=1) / 2
        return 0.7 * (x[:, 3:6] ** 2).sum(axis=1) + 1.4 * 9.81 * x[:, 2] + spin
    cart, pole, half = 1.0, 0.1, 0.5
    v, th, om = x[:, 1], x[:, 2], x[:, 3]
    kinetic = (cart + pole) * v**2 / 2 + pole * half * v * om * np.cos(th) + pole * half**2 * om**2 * 2 / 3
    return kinetic + pole * 9.8 * half * np.cos(th)


@pytest.mark.parametrize(
    ("module", "name", "free", "kept"),
    [
        ("pendulums", "pendulum", (0.0,), 2e-5),
        ("pendulums", "double_pendulum", (0.0, 0.0), 2e-3),
        ("pendulums", "cart_pole", (0.0,), 0.1),
        ("quadrotors", "quadrotor", (-1.4 * 9.81, 0.0, 0.0), 1e-4),
    ],
)
def test_energy_is_kept_without_forces(module, name, free, kept):
    simulator = Simulator(everywhere(module, name))
    state, mode = simulator.start(RNG(1), 16)
    state = state * 0.5
    before = energy_of(name, state)
    for _ in range(10):
        state, mode = simulator.step(state, mode, np.tile(free, (16, 1)), np.zeros((16, 0)))
    drift = np.abs(energy_of(name, state) - before)
    assert drift.max() < kept * np.abs(before).max()


def test_the_cart_pole_is_that_of_gymnasium():
    gymnasium = pytest.importorskip("gymnasium")
    env = gymnasium.make("CartPole-v1").unwrapped
    simulator = Simulator(library("pendulums", "cart_pole"))
    env.reset(seed=3)
    state, mode = np.array([env.state], float), np.zeros(1, np.int64)
    for action in RNG(2).integers(2, size=30):
        env.step(int(action))
        state, mode = simulator.step(state, mode, np.array([[10.0 if action else -10.0]]), np.zeros((1, 0)))
        np.testing.assert_allclose(state[0], env.state, atol=1e-12)
        if abs(env.state[2]) > 0.2:
            break


def run(module, name, controller, steps, init=None):
    simulator = Simulator(library(module, name, init=init))
    return simulator.run(RNG(4), 20, steps, controller).states


def test_controllers_do_what_their_systems_say():
    pole = run("pendulums", "cart_pole", "balance", 500)
    assert np.abs(pole[:, :, 2]).max() < 0.2 and np.abs(pole[:, :, 0]).max() < 2.4
    still = "{ x = 0m; y = 5m; theta in [-0.3, 0.3]; vx = 0m/s; vy in [-1, 1]; omega = 0rad/s }"
    hover = run("quadrotors", "planar_quadrotor", "hover", 400, still)[:, -1]
    assert np.abs(hover[:, [2, 4, 5]]).max() < 0.02
    level = "{ x1 = 0m; x2 = 0m; x3 = 0m; u = 0m/s; v = 0m/s; w in [-1, 1]; phi in [-0.3, 0.3]; theta in [-0.3, 0.3];"
    level += " psi = 0rad; p = 0rad/s; q = 0rad/s; r = 0rad/s }"
    assert np.abs(run("quadrotors", "quadrotor", "level", 400, level)[:, -1, 6:8]).max() < 0.01
    moving = "{ x = 0m; y = 0m; vx in [-1, 1]; vy in [-1, 1] }"
    assert np.abs(run("integrators", "double_integrator", "halt", 200, moving)[:, -1, 2:]).max() < 1e-3
    car = "{ x = 0m; y = 0m; theta = 1rad; v in [0, 20] }"
    assert np.abs(run("cars", "kinematic_car", "brake", 200, car)[:, -1, 3]).max() < 0.05
    apart = "; ".join(f"{s}{i} in [-3, 3]" for i in (1, 2, 3) for s in ("x", "y", "vx", "vy"))
    swarm = run("swarm", "swarm", "gather", 300, "{ " + apart + " }")[:, -1]
    assert np.ptp(swarm[:, 0:6:2], axis=1).max() < 0.05 and np.ptp(swarm[:, 1:6:2], axis=1).max() < 0.05
    damped = run("oscillators", "tora", "damp", 20)
    assert np.abs(damped[:, -1, 3]).max() < 1e-3
    for name in ("pendulum", "double_pendulum"):
        states = run("pendulums", name, "damp", 40)
        energies = np.stack([energy_of(name, states[:, t]) for t in (0, 40)])
        assert (energies[1] < energies[0]).all()


def test_the_sampled_sets_are_those_of_the_competition():
    states = run("oscillators", "tora", "stop", 1)[:, 0]
    assert (states >= [0.6, -0.7, -0.4, 0.5]).all() and (states <= [0.7, -0.6, -0.3, 0.6]).all()


def test_the_grid_world_slips_and_has_walls():
    system = library("grid_world", "grid_world", "horizon = 9, width = 3, height = 2, slip = 0.2")
    model = explore(system)
    assert len(model) == 6 and not model.deadlocks.any() and model.actions == ("up", "right", "down", "left")
    found = np.zeros((6, 4, 6))
    sources = model.sources
    for c in range(len(model.action)):
        for i in range(model.offsets[c], model.offsets[c + 1]):
            found[sources[c], model.action[c], model.successor[i]] += model.probability[i]
    np.testing.assert_allclose(found.sum(axis=2), 1)
    states = [(s["x"], s["y"]) for s in map(model.state, range(6))]
    corner, right = states.index((0, 0)), states.index((1, 0))
    above = states.index((0, 1))
    np.testing.assert_allclose(found[corner, 1, [right, above, corner]], [0.6, 0.2, 0.2])
    assert encode(True, system.states[0]) == 1.0
