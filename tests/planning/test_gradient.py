"""Gradients: the rollout is the simulator, and the search finds what it says."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from planning.problems import agents, point, scenario  # noqa: E402

from agentc.runtime.planning.gradient import Search, search  # noqa: E402
from agentc.runtime.planning.planner import plan  # noqa: E402
from agentc.runtime.planning.problem import problem_of  # noqa: E402
from agentc.runtime.planning.rollout import Rollout  # noqa: E402

CURVED = """
system pendulum {
  state angle : real [rad], rate : real in [-9, 9] [rad/s]
  input torque : real in [-2, 2] [rad/s^2]
  disturbance wind : real in [0, 0.2] [rad/s^2]
  angle' = rate
  rate'  = -sin(angle) * 9.81rad/s^2 - 0.1 * rate / 1s + torque + wind
  step 0.05s by INTEGRATOR
}
agent A {
  env pendulum(horizon = 20, init = { angle in [0.1, 0.3]; rate = 0 })
  task up = F angle > 0.3
}
"""


@pytest.mark.parametrize("integrator", ["euler", "midpoint", "heun", "rk4", "rk45"])
def test_the_rollout_is_the_simulator(integrator):
    problem = problem_of(agents(CURVED.replace("INTEGRATOR", integrator))[0])
    assert problem.start[0] == pytest.approx(0.2)
    assert problem.disturbance[0] == pytest.approx(0.1)
    rollout = Rollout(problem)
    inputs = rollout.squash(rollout.random_inputs(4, torch.Generator().manual_seed(0)))
    traces = rollout.traces(inputs)
    for row in range(4):
        judged = problem.judge(inputs[row].numpy())
        assert np.allclose(traces[row, :, :2], judged.states, rtol=0, atol=1e-12)
        assert np.allclose(traces[row, 1:, 2], judged.inputs[:, 0], rtol=0, atol=0)


@pytest.mark.parametrize("integrator", ["euler", "exact", "difference"])
def test_the_impulse_responses_are_the_simulator(integrator):
    problem = point("F x > 1", integrator=integrator)
    rollout = Rollout(problem)
    assert rollout.linear is not None
    inputs = 0.2 * rollout.squash(rollout.random_inputs(3, torch.Generator().manual_seed(0)))
    traces = rollout.traces(inputs)
    for row in range(3):
        assert np.allclose(traces[row, :, :4], problem.judge(inputs[row].numpy()).states, rtol=0, atol=1e-12)


def test_gradients_go_through():
    problem = problem_of(agents(CURVED.replace("INTEGRATOR", "rk4"))[0])
    rollout = Rollout(problem)
    raw = rollout.random_inputs(1, torch.Generator().manual_seed(0)).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda u: rollout.traces(rollout.squash(u))[:, -1, :2], raw)


@pytest.mark.parametrize("name", ["reach_avoid", "nonlinear_reach_avoid"])
def test_scenarios(name):
    outcome = plan(scenario(name), "gradient", seconds=60)
    assert outcome.status == "satisfied"
    assert outcome.judgement.robustness > 0


def test_the_same_seed_finds_the_same():
    first, second = (search(scenario("reach_avoid"), Search(seconds=60, restarts=6)) for _ in range(2))
    assert np.array_equal(first.judgement.inputs, second.judgement.inputs)


def test_a_plan_of_nested_and_repeated_subgoals():
    problem = point("F[2, 4] (x > 1 & F[1, 4] x < -0.5) & G[0, 6] F[0, 3] abs(vx) > 0.2", horizon=9)
    outcome = plan(problem, "gradient", seconds=60)
    assert outcome.status == "satisfied"


def test_times_without_an_allocation_are_not_searched():
    found = search(
        point("F[2, 3] (last & x > 1)", horizon=6), Search(seconds=5)
    )  # fmt: skip
    assert found.judgement is None
    assert found.plan is None


def test_what_is_unreachable_is_not_found():
    outcome = plan(point("F x > 5.5", horizon=3), "gradient", seconds=1)
    assert outcome.status == "not found"
    assert outcome.judgement is None  # travel times leave no plan to search
