"""States that matter only up to a whole turn: which they are, that a turn changes nothing, what is seen of them."""

import numpy as np
import pytest

from agentc.compiler.pipeline import check
from agentc.compiler.systems.dynamics import Dynamics
from agentc.compiler.systems.periodic import periodic
from agentc.lang.source import Source
from agentc.runtime.planning.problem import problem_of
from agentc.runtime.subgoals.outputs import Outputs

ROVER = """
system rover {{
  state x, y : real [m], theta : real [rad], gyre : real [rad]
  input v : real in [0, 1] [m/s], omega : real in [-1, 1] [rad/s]
  {equations}
  init {{ x = 0m; y = 0m; theta in [-3, 3]; gyre in [-3, 3] }}
}}

agent Rover {{
  env rover(horizon = 10)
  task there = F ({formula})
}}
"""
RATES = "x' = v * cos(theta)\n  y' = v * sin(theta)\n  theta' = omega\n  gyre' = {gyre}\n  step 0.5s by rk4"
NEXT = """x' = x + v * 0.5s * cos(theta)
  y' = y + v * 0.5s * sin(theta)
  theta' = {theta}
  gyre' = gyre
  step 0.5s by difference"""
POINT = "x >= 1m"


def agent(equations, formula=POINT):
    found = check(Source("rover.agentspec", ROVER.format(equations=equations, formula=formula)))
    assert found.ok, found.diagnostics
    return found.agents[0]


def angles(equations, formula=POINT):
    problem = problem_of(agent(equations, formula))
    return periodic(problem.system, (problem.formula,))


@pytest.mark.parametrize(("equations", "formula", "names"), [
    (RATES.format(gyre="0rad/s"), POINT, ("theta",)),
    (RATES.format(gyre="omega * sin(gyre)"), POINT, ("theta", "gyre")),
    (RATES.format(gyre="1Hz * gyre"), POINT, ("theta",)),
    (RATES.format(gyre="1Hz * theta"), POINT, ()),
    (RATES.format(gyre="omega * cos(theta + gyre)"), POINT, ()),
    (RATES.format(gyre="0rad/s"), "x >= 1m & theta <= 1rad", ()),
    (RATES.format(gyre="0rad/s"), "sin(theta) >= 0.5 & gyre >= 0rad", ("theta",)),
    (RATES.format(gyre="0rad/s"), "x >= 1m & prev.theta <= 1rad", ()),
    (NEXT.format(theta="theta + omega * 0.5s"), POINT, ("theta",)),
    (NEXT.format(theta="omega * 0.5s + theta - 0.1rad"), POINT, ("theta",)),
    (NEXT.format(theta="2 * theta + omega * 0.5s"), POINT, ()),
    (NEXT.format(theta="theta + omega * 0.5s + theta"), POINT, ()),
    (NEXT.format(theta="omega * 0.5s - theta"), POINT, ()),
], ids=lambda v: v if isinstance(v, tuple) else " ".join(v.split())[-40:])  # fmt: skip
def test_what_is_read_as_an_angle_alone(equations, formula, names):
    assert angles(equations, formula) == names


@pytest.mark.parametrize("equations", [
    RATES.format(gyre="omega * sin(gyre)"), NEXT.format(theta="theta + omega * 0.5s"),
])  # fmt: skip
def test_a_whole_turn_changes_nothing_but_itself(equations):
    problem = problem_of(agent(equations))
    dynamics, rng = Dynamics(problem.system), np.random.default_rng(0)
    state, given = rng.normal(size=(64, 4)), rng.uniform(0, 1, (64, 2))
    shown = Outputs(problem)
    found = dynamics.derivative(state, given)
    for k in shown.angles:
        turned = state.copy()
        turned[:, k] += 2 * np.pi * rng.integers(-3, 4, 64)
        moved = dynamics.derivative(turned, given)
        if dynamics.discrete:
            moved[:, k] -= turned[:, k] - state[:, k]
        np.testing.assert_allclose(moved, found, atol=1e-12)
        np.testing.assert_allclose(shown.seen(turned), shown.seen(state), atol=1e-6)


def test_what_is_seen_are_plain_outputs_then_cosines_then_sines():
    shown = Outputs(problem_of(agent(RATES.format(gyre="omega * sin(gyre)"))))
    state = np.array([[1.0, 2.0, 0.3, -0.7]])
    expected = [1.0, 2.0, np.cos(0.3), np.cos(-0.7), np.sin(0.3), np.sin(-0.7)]
    assert shown.size == 6
    np.testing.assert_allclose(shown.seen(state)[0], expected, rtol=1e-6)
