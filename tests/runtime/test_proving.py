"""Training until a proof closes: to the end, from counterexamples, interrupted and gone on with, and what cannot be."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from agentc.compiler.pipeline import check
from agentc.compiler.signals.torch_robustness import robustness_at
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.cli.application import invoke
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.descent import DescentLearner
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.registry import prepare
from agentc.runtime.learn.resets.counterexamples import Counterexamples
from agentc.runtime.learn.train import Finish
from agentc.runtime.proving import train_until_proved
from agentc.runtime.runs import PROOFS, run_of
from agentc.runtime.training import configuration, environment
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.problem import problem_of
from agentc.runtime.verify.simulation import Simulation, controller_of

CART = """
system cart {
  state x : real [m], v : real [m/s]
  input a : real in [-4, 4] [m/s^2]
  disturbance w : real in [-0.1, 0.1] [m/s^2]
  x' = v
  v' = a + w
  step 0.1s by rk4
  init { x in [0.5, 1]; v in [-0.2, 0.2] }
}

agent Parker {
  env cart(horizon = 15)
  task there = G (x >= -0.2m & x <= LIMIT) & F[1.5s, 1.5s] abs(x) <= 0.3m
  verify there by reach { controller = trained; time = 5s }
  train descent until proved(there) { steps = 400; hidden = 8; seed = 0 }
}
"""
PROVABLE = CART.replace("LIMIT", "1.3m").replace("time = 5s", "time = 300s")
"""With time enough for the proof on a busy machine."""


def compiled_of(text):
    result = check([Source("cart.agentspec", text)])
    assert result.ok, [d.message for d in result.diagnostics]
    return CompiledAgent.from_ir(result.agents[0])


@pytest.fixture(scope="module")
def parked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parked")
    compiled = compiled_of(PROVABLE)
    run = run_of("Parker", 0, folder / "runs")
    said = []
    ended = train_until_proved(compiled, configuration(compiled.agent), run, folder, told=said.append)
    return compiled, run, ended, said


def test_training_ends_with_a_proof(parked):
    _, run, ended, said = parked
    assert ended.proved and ended.result.finish is Finish.STOPPED
    assert any("proved" in line for line in said)
    story = json.loads((run.folder / PROOFS).read_text())["rounds"]
    assert story[-1]["items"][0]["word"].startswith("proved") and len(story) == ended.rounds


def test_a_run_that_ended_proved_is_verified_anew_and_not_trained(parked, tmp_path):
    import shutil

    compiled, run, ended, _ = parked
    copy = run_of("Parker", 0, tmp_path)
    shutil.copytree(run.folder, copy.folder)
    before = (copy.folder / "checkpoint.json").read_bytes()
    again = train_until_proved(compiled, configuration(compiled.agent), copy, tmp_path, resume=True)
    assert again.proved and again.rounds == ended.rounds and again.result.steps == ended.result.steps
    assert (copy.folder / "checkpoint.json").read_bytes() == before


def test_what_was_proved_holds_on_runs(parked):
    """Of the exported policy, in the simulator, under disturbances that vary."""
    compiled, run, *_ = parked
    problem = problem_of(compiled.agent, 0, policy=run.folder / "policy.onnx")
    system = compiled.agent.system
    simulation = Simulation(system, controller_of(problem, "trained", system), problem.item.formula, 15)
    rng = np.random.default_rng(0)
    start, _ = simulation.simulator.start(rng, 200)
    for row in start[:40]:
        assert simulation.replay(row, rng.integers(0, 2, (15, 1)) * 0.999) is None


def test_the_command_trains_verifies_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cart.agentspec").write_text(PROVABLE)
    assert invoke(["train", "cart.agentspec"]) == 0
    assert "there is proved" in capsys.readouterr().out
    assert invoke(["verify", "cart.agentspec", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["word"].startswith("proved")


def test_a_goal_that_cannot_be_reached_is_not_proved(tmp_path):
    """It starts outside of what is allowed: every round falsifies, and its starts come back."""
    compiled = compiled_of(CART.replace("LIMIT", "0.9m"))
    run = run_of("Parker", 0, tmp_path / "runs")
    ended = train_until_proved(compiled, configuration(compiled.agent, steps=40), run, tmp_path)
    assert not ended.proved and ended.answers["there"].verdict is Verdict.FALSIFIED
    story = json.loads((run.folder / PROOFS).read_text())["rounds"]
    assert all(len(r["starts"]) == 1 and r["starts"][0][0] > 0.7 for r in story)


def test_a_formula_that_no_method_can_prove_is_refused_before_training(tmp_path):
    compiled = compiled_of(CART.replace("x <= LIMIT", "(first | x <= 1.3m)"))
    with pytest.raises(AgentcError) as error:
        train_until_proved(compiled, configuration(compiled.agent), run_of("Parker", 0, tmp_path), tmp_path)
    assert [d.code for d in error.value.diagnostics] == ["AS1365"]


def test_a_run_that_was_interrupted_goes_on(tmp_path):
    """Stopped in the middle of a round, its weights at the end are those of the run that was not."""
    compiled = compiled_of(CART.replace("LIMIT", "0.9m"))
    config = replace(configuration(compiled.agent, steps=40), rollout=4)
    whole, halved = (run_of("Parker", 0, tmp_path / name) for name in ("a", "b"))
    train_until_proved(compiled, config, whole, tmp_path)

    class InterruptedError_(Exception):
        pass

    def stop(update):
        if update.steps >= 24:
            raise InterruptedError_

    with pytest.raises(InterruptedError_):
        train_until_proved(compiled, config, halved, tmp_path, callbacks=[stop])
    train_until_proved(compiled, config, halved, tmp_path, resume=True)
    a, b = ((run.folder / "policy.onnx").read_bytes() for run in (whole, halved))
    assert len(json.loads((whole.folder / PROOFS).read_text())["rounds"]) >= 5
    assert a == b


PPO = CART.replace("LIMIT", "1.5m").replace(
    "  train descent until proved(there) { steps = 400; hidden = 8; seed = 0 }",
    "  prop near = abs(x) <= 0.2m\n  reward { near : 0.1; there : 1 }\n"
    '  train ppo until proved(there) { steps = 1000; envs = 8; rollout = 15; hidden = 8; privileged = "HIDDEN" }',
)


def test_learning_from_episodes_is_verified_in_turns_and_begins_where_a_proof_failed(tmp_path):
    compiled = compiled_of(PPO.replace("HIDDEN", "automaton time_left"))
    run = run_of("Parker", 0, tmp_path)
    ended = train_until_proved(compiled, configuration(compiled.agent), run, tmp_path)
    story = json.loads((run.folder / PROOFS).read_text())["rounds"]
    assert len(story) == ended.rounds >= 2 and all(r["items"][0]["item"] == "there" for r in story)
    problem = problem_of(compiled.agent, 0, policy=run.folder / "policy.onnx")
    reading = controller_of(problem, "trained", compiled.agent.system).reading
    assert (reading.network.inputs, reading.network.outputs) == (2, 1)


def test_a_policy_that_reads_more_than_the_state_is_refused(tmp_path):
    compiled = compiled_of(PPO.replace("HIDDEN", "time_left"))
    with pytest.raises(AgentcError) as error:
        train_until_proved(compiled, configuration(compiled.agent), run_of("Parker", 0, tmp_path), tmp_path)
    assert [d.code for d in error.value.diagnostics] == ["AS1362"]


def test_episodes_of_declared_systems_begin_in_states_that_are_told():
    from agentc.runtime.learn.starts import Starts

    compiled = compiled_of(PPO.replace("HIDDEN", "automaton time_left"))
    env = environment(compiled, configuration(compiled.agent))
    reset = Counterexamples(["x", "v"], share=1.0)
    reset.add(np.array([[0.55, 0.15]]))
    env.options = Starts(reset=reset).options
    first = env.reset([3] * env.num_envs)
    np.testing.assert_allclose(first["observation"], [[0.55, 0.15]] * env.num_envs, atol=1e-6)


def learner_of(text, **changes):
    compiled = compiled_of(text)
    config = replace(configuration(compiled.agent), **changes)
    env = environment(compiled, config)
    return prepare(env, config, torch.Generator().manual_seed(0))[1]


def test_runs_are_those_of_the_simulator():
    """In float32, under the policy as it is exported."""
    text = CART.replace("LIMIT", "1.3m").replace(" + w", "")
    text = text.replace("  disturbance w : real in [-0.1, 0.1] [m/s^2]\n", "")
    learner = learner_of(text)
    assert isinstance(learner, DescentLearner)
    start = torch.tensor([[0.7, 0.1], [1.0, -0.2]])
    states = learner.runs(start, np.random.default_rng(0)).detach().numpy()
    simulator = learner._simulator.numpy
    state, mode = start.numpy().astype(float), np.zeros(2, np.int64)
    for t in range(15):
        with torch.no_grad():
            seen = torch.tensor(state, dtype=torch.float32)
            given = learner._loop.inputs(learner.network, seen, t)[:, 0].numpy().astype(float)
        state, mode = simulator.step(state, mode, given, np.zeros((2, 0)))
        np.testing.assert_allclose(states[:, t + 1], state, atol=1e-4)


def test_batches_begin_where_proofs_failed():
    learner = learner_of(CART.replace("LIMIT", "1.3m"), batch=8, hard=0.5)
    hard = Counterexamples(["x", "v"])
    hard.add(np.array([[0.77, 0.11]]))
    learner.begins(hard)
    begun = learner._begun(np.random.default_rng(0)).numpy()
    assert (np.abs(begun[:4] - [0.77, 0.11]) < 1e-6).all() and np.ptp(begun[4:, 0]) > 0.01
    assert learner.learn(None, np.random.default_rng(0), Moment(1, 100, 1))["loss"] > 0


REFUSED = {
    "has no range": ("real in [-4, 4]", "real"),
    "`history`": ("steps = 400", "steps = 400; history = 2"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_descent_cannot_train_is_said(tmp_path, why):
    text = CART.replace("LIMIT", "1.3m").replace(*REFUSED[why])
    with pytest.raises(AgentcError) as error:
        learner_of(text)
    assert [d.code for d in error.value.diagnostics] == ["AS1361"] and why in error.value.diagnostics[0].message


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pendulum", "unicycle_goal", "cruise_control"])
def test_the_specs_end_proved_from_scratch_and_no_run_violates(tmp_path, name):
    """A hundred thousand runs of the policy in float64, from the starts' corners too, satisfy what was proved."""
    from pathlib import Path

    from agentc.compiler.signals.robustness import compile_robustness

    text = (Path(__file__).resolve().parents[2] / "specs" / f"{name}.agentspec").read_text("utf-8")
    compiled = compiled_of(text)
    agent = compiled.agent
    run = run_of(agent.name, 0, tmp_path)
    ended = train_until_proved(compiled, configuration(agent), run, tmp_path)
    assert {a.word for a in ended.answers.values()} == {"proved"}
    rng = np.random.default_rng(0)
    for index, item in enumerate(agent.verifies):
        problem = problem_of(agent, index, policy=run.folder / "policy.onnx")
        steps = agent.environment.horizon
        simulation = Simulation(agent.system, controller_of(problem, "trained", agent.system), item.formula, steps)
        for _ in range(10):
            start, _ = simulation.simulator.start(rng, 10_000)
            lo, hi = start.min(axis=0), start.max(axis=0)
            start[:1000] = np.where(rng.random((1000, start.shape[1])) < 0.5, lo, hi)
            signals = simulation.rollouts(start, rng.random((len(start), steps, simulation.width)))
            assert compile_robustness(item.formula, agent.declared).satisfaction_at(signals).all()


def test_tubes_bound_the_robustness_of_the_runs_in_them():
    """The bound is below that of every run from the box, under disturbances at their ends; of a point it is close."""
    learner = learner_of(CART.replace("LIMIT", "1.3m"), tube=1.0)
    rng = np.random.default_rng(2)
    lo = torch.tensor([[0.5, -0.2], [0.7, 0.0], [0.9, 0.15]])
    hi = lo + torch.tensor([0.1, 0.05])
    bound = learner._tube(lo, hi, learner._inputs_of_set).detach()
    least = torch.full((3,), torch.inf)
    for _ in range(60):
        where = torch.from_numpy(rng.choice([0.0, 0.5, 1.0], size=(3, 2))).float()
        states = learner.runs(lo + where * (hi - lo), rng)
        least = torch.minimum(least, robustness_at(learner._robustness, states).detach())
    assert (bound <= least + 1e-5).all() and (least - bound < 0.5).all()
    learner._tube._moving = {"w": (0.0, 0.0)}
    point = learner._tube(lo, lo, learner._inputs_of_set).detach()
    still = learner.runs(lo, Still())
    np.testing.assert_allclose(point, robustness_at(learner._robustness, still).detach(), atol=1e-5)


class Still:
    """A generator whose disturbances are all in the middle."""

    def random(self, size):
        return np.full(size, 0.5)


def test_the_gradient_of_a_tube_is_that_of_its_bound():
    learner = learner_of(CART.replace("LIMIT", "1.3m"), tube=1.0)
    weight = learner.network.actor[-1].weight
    lo, hi = torch.tensor([[0.7, 0.0]]), torch.tensor([[0.75, 0.05]])

    def bound():
        return learner._tube(lo, hi, learner._inputs_of_set).sum()

    (slope,) = torch.autograd.grad(bound(), weight)
    at = int(slope.abs().argmax())
    with torch.no_grad():
        flat, step = weight.view(-1), 1e-2
        flat[at] += step
        above = float(bound())
        flat[at] -= 2 * step
        below = float(bound())
    assert abs(float(slope.view(-1)[at])) > 1e-3
    assert (above - below) / (2 * step) == pytest.approx(float(slope.view(-1)[at]), rel=0.1)


def test_learning_from_tubes_raises_their_bounds():
    """With no margin that runs have to have, so that nothing else pulls once every run satisfies the formula."""
    learner = learner_of(CART.replace("LIMIT", "1.3m"), margin=0.0, tube=1.0)
    lo, hi = torch.tensor([[0.5, -0.1], [0.85, 0.0]]), torch.tensor([[0.6, 0.0], [1.0, 0.1]])
    before = learner._tube(lo, hi, learner._inputs_of_set).detach()
    rng = np.random.default_rng(0)
    figures = [learner.learn(None, rng, Moment(t, 100, t)) for t in range(1, 13)]
    assert all("tube" in f for f in figures)
    assert (learner._tube(lo, hi, learner._inputs_of_set).detach() > before).all()


def test_what_a_tube_does_not_follow_is_said():
    text = CART.replace("LIMIT", "1.3m").replace("v' = a + w", "v' = a + w + log(1 + x * x / (1m * 1m)) * 1m/s^2")
    with pytest.raises(AgentcError) as error:
        learner_of(text, tube=1.0)
    assert [d.code for d in error.value.diagnostics] == ["AS1361"] and "`log`" in error.value.diagnostics[0].message
