"""A plan fixed inside an exported policy: the graph does what following the plan does, or says why it cannot."""

import json

import numpy as np
import pytest
from subgoals.worlds import TEXT, courier

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.train import train
from agentc.runtime.subgoals import telling
from agentc.runtime.subgoals.planned import export_planned, nominal_plan
from agentc.runtime.subgoals.requirements import Schedule
from agentc.runtime.subgoals.training import follower_of, subgoal_vector
from agentc.runtime.training import configuration

ort = pytest.importorskip("onnxruntime")

ROVER = """
system rover {
  state x, y : real [m], theta : real [rad]
  input v : real in [0, 1] [m/s], omega : real in [-1, 1] [rad/s]
  x'     = v * cos(theta)
  y'     = v * sin(theta)
  theta' = omega
  step 0.5s by rk4
}

agent Rover {
  env rover(horizon = 12, init = { x in [-0.2, 0.2]; y in [-0.2, 0.2]; theta in [-3, 3] })
  region base = circle(center = (1, 0), radius = 0.5)
  region yard = box(lo = (-1, -1), hi = (0, 2))
  task there = F[2, 6] ((x, y) in base | x + 2 * y > 3m) & F[8, 11] (x, y) in yard
  safe clear = G !(abs(x - y) >= 5m & dist((x, y), (3m, 3m)) <= 1m)
  train tgpo { steps = 4_000; envs = 16; rollout = 12; pool = 40; hidden = 16; minibatches = 2 }
}
"""


def trained(text, folder):
    agent = courier(text)
    config = configuration(agent, 0, 192)
    train(subgoal_vector(agent, config), config, folder)
    return follower_of(agent, Policy.load(folder), config)


def ran(path, state, step):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["action"], {"state": state, "step": step})[0]


@pytest.mark.parametrize("text", [TEXT, ROVER], ids=["cart", "rover"])
def test_the_graph_does_what_following_the_plan_does(text, tmp_path):
    follower = trained(text, tmp_path / "run")
    told, last, rng = follower.told, follower.pool.last, np.random.default_rng(7)
    for number in range(3):
        plan = follower.pool.draw(rng)
        path = export_planned(follower, tmp_path / f"plan{number}.onnx", plan)
        state = rng.normal(scale=2.0, size=(last * 20, len(told.problem.system.states)))
        step = np.tile(np.arange(last), 20)
        margins, _ = told.propositions.read(told.columns(state, None), None)
        one = Schedule(*(np.repeat(a[None], len(step), 0) for a in (plan.schedule.start, plan.schedule.end)))
        said = telling.told(one, step.astype(np.int32), margins, told.scale, last)
        expected = follower.policy.act(told.observed(state, said), None, None)
        found = ran(path, state, step)
        np.testing.assert_allclose(found, expected, atol=2e-6)
        assert (abs(found - ran(path, state, np.zeros_like(step))) > 1e-6).any()  # the step does matter


def test_a_whole_run_of_the_graph_is_the_run_of_the_follower(tmp_path):
    follower = trained(TEXT, tmp_path / "run")
    path = export_planned(follower, tmp_path / "planned.onnx")
    plan = nominal_plan(follower)
    start = follower.starts(5, 3)
    whole = follower.follow(start, 4, [plan] * 5).traces
    simulator, rng = follower.problem.simulator, np.random.default_rng([4, 11])
    state, mode = start, np.zeros(5, np.int64)
    for t in range(follower.pool.last):
        np.testing.assert_allclose(state, whole[:, t, : start.shape[1]], atol=1e-5)
        action = ran(path, state, np.full(5, t)).astype(float)
        state, mode = simulator.step(state, mode, action, simulator.noise(rng, 5))


def test_the_file_says_its_plan_and_is_the_same_each_time(tmp_path):
    import onnx

    follower = trained(ROVER, tmp_path / "run")
    path = export_planned(follower, tmp_path / "a.onnx")
    said = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert json.loads(said["plan"]) == nominal_plan(follower).plan.lines()
    assert json.loads(said["states"]) == ["x", "y", "theta"] and json.loads(said["inputs"]) == ["v", "omega"]
    assert said["last"] == "12"
    assert path.read_bytes() == export_planned(follower, tmp_path / "b.onnx").read_bytes()


@pytest.mark.parametrize(("formula", "why"), [
    ("first | a < 0.9m/s^2", "which is no state"),
    ("x - prev.x < 3m", "reads the step before"),
    ("sqrt(x * x) < 9m", "reads `sqrt`"),
    ("x < 12m & 1 / x < 9", "reads `div`"),
])  # fmt: skip
def test_what_a_graph_cannot_compute_is_refused(formula, why, tmp_path):
    follower = trained(TEXT.replace("G x < 12m", f"G ({formula})"), tmp_path / "run")
    with pytest.raises(AgentcError) as caught:
        export_planned(follower, tmp_path / "planned.onnx")
    (found,) = caught.value.diagnostics
    assert found.code == "AS1535" and why in found.message
    assert not (tmp_path / "planned.onnx").exists()


def test_another_ending_is_refused(tmp_path):
    follower = trained(TEXT, tmp_path / "run")
    with pytest.raises(AgentcError) as caught:
        export_planned(follower, tmp_path / "planned.safetensors")
    assert caught.value.diagnostics[0].code == "AS1535"
