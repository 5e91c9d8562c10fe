"""A policy that follows a plan, in the loop: its runs are searched and counted, and who cannot take it says so."""

import numpy as np
import pytest
from subgoals.worlds import TEXT, courier

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.train import train
from agentc.runtime.subgoals import telling
from agentc.runtime.subgoals.planned import export_planned, nominal_plan
from agentc.runtime.subgoals.requirements import Schedule
from agentc.runtime.subgoals.training import follower_of, subgoal_vector
from agentc.runtime.training import configuration
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.planned import PlannedController
from agentc.runtime.verify.problem import problem_of
from agentc.runtime.verify.simulation import Controller, Simulation

pytest.importorskip("onnxruntime")

ITEMS = """
  safe near = G x > -0.05m
  verify near by falsify { controller = trained }
  verify inside by falsify { controller = trained; episodes = 200 }
  verify P >= 0.9 [inside] by statistical { controller = trained; episodes = 300 }
  verify P >= 0.9 [near] by statistical { controller = trained; episodes = 300 }
  verify inside by reach { controller = trained; horizon = 6s }
}
"""
AGENT = courier(TEXT[: TEXT.rindex("}")] + ITEMS)


@pytest.fixture(scope="module")
def follower(tmp_path_factory):
    config = configuration(AGENT, 0, 192)
    folder = tmp_path_factory.mktemp("planned")
    train(subgoal_vector(AGENT, config), config, folder)
    return follower_of(AGENT, Policy.load(folder), config)


@pytest.fixture(scope="module")
def policy(follower, tmp_path_factory):
    return export_planned(follower, tmp_path_factory.mktemp("policy") / "policy.onnx")


def test_runs_in_the_loop_are_those_of_the_follower(follower, policy):
    problem, system = follower.problem, AGENT.system
    controller = Controller("trained", None, policy, PlannedController.of(policy, system))
    last = follower.pool.last
    simulation = Simulation(system, controller, problem.formula, last)
    start = follower.starts(6, 1)
    noise = np.random.default_rng(0).random((6, last, 1))
    found = simulation.rollouts(start, noise)
    plan, simulator, told = nominal_plan(follower), problem.simulator, follower.told
    state, mode = start, np.zeros(6, np.int64)
    for t in range(last):
        np.testing.assert_allclose(found["x"][:, t], state[:, 0], atol=1e-5)
        margins, _ = told.propositions.read(told.columns(state, None), None)
        one = Schedule(*(np.repeat(a[None], 6, 0) for a in (plan.schedule.start, plan.schedule.end)))
        seen = told.observed(state, telling.told(one, np.full(6, t, np.int32), margins, told.scale, last))
        action = follower.policy.act(seen, None, None).astype(float)
        state, mode = simulator.step(state, mode, action, simulation.simulator.noise_of(noise[:, t]))


def test_a_violation_is_found_and_replays(policy):
    answer = decide(problem_of(AGENT, 0, policy=policy))
    assert answer.verdict is Verdict.FALSIFIED
    assert not evaluate(problem_of(AGENT, 0).item.formula, Trace(answer.evidence["trace"]))


def test_what_holds_is_unknown_and_never_proved(policy):
    assert decide(problem_of(AGENT, 1, policy=policy)).verdict is Verdict.UNKNOWN


def test_runs_are_counted(policy):
    likely = decide(problem_of(AGENT, 2, policy=policy))
    assert likely.verdict is Verdict.UNKNOWN and likely.evidence["supported"]
    assert decide(problem_of(AGENT, 3, policy=policy)).verdict is Verdict.FALSIFIED


def test_reach_says_that_it_cannot_take_it(policy):
    with pytest.raises(AgentcError) as caught:
        decide(problem_of(AGENT, 4, policy=policy))
    (found,) = caught.value.diagnostics
    assert found.code == "AS1366" and "reach" in found.message


def test_a_policy_of_another_system_is_refused(policy):
    other = courier(TEXT.replace("x :", "q :").replace("x'", "q'").replace(" x ", " q ").replace("(x", "(q"))
    with pytest.raises(AgentcError) as caught:
        PlannedController.of(policy, other.system)
    assert caught.value.diagnostics[0].code == "AS1316"


def test_what_is_no_graph_with_a_plan_is_left_to_others(tmp_path):
    (tmp_path / "none.onnx").write_bytes(b"none")
    assert PlannedController.of(tmp_path / "none.onnx", AGENT.system) is None
