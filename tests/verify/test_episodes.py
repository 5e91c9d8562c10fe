"""`falsify` and `statistical` over environments, and the gradient: what is found replays, what is said is counted."""

from itertools import pairwise

import numpy as np
import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check
from agentc.compiler.signals.robustness import compile_robustness
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.evaluate import clopper_pearson
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.bayesian import Bayesian, Process, improvement
from agentc.runtime.verify.episodes import Episodes
from agentc.runtime.verify.gradient import Descent
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.problem import problem_of
from agentc.runtime.verify.search_space import Space
from agentc.runtime.verify.simulation import Controller, Simulation

from .systems import PENDULUM, agent_of, problem

BODIES = {
    "cartpole": "env cartpole(max_steps = 40)",
    "pendulum": "env pendulum(max_steps = 40)",
    "doorkey": 'env minigrid("MiniGrid-DoorKey-5x5-v0", max_steps = 30)',
}


def asked(env, formula, how, role="safe", folder="."):
    from pathlib import Path

    text = f"""
import std.env.classic
import std.env.minigrid
agent A {{
  {BODIES[env]}
  {role} f = {formula}
  verify {how}
}}"""
    result = check([Source("a.agentspec", text)])
    assert result.ok, [d.message for d in result.diagnostics]
    return problem_of(result.agents[0], 0, Path(folder))


@pytest.mark.parametrize(
    ("env", "formula", "role"),
    [("cartpole", "G abs(theta) <= 0.15rad", "safe"), ("pendulum", "G abs(theta_dot) <= 6rad/s", "task"),
     ("doorkey", "G carrying != key", "safe")],
)  # fmt: skip
def test_a_violation_is_found_and_replays(env, formula, role):
    question = asked(env, formula, "f by falsify", role)
    answer = decide(question)
    assert answer.verdict is Verdict.FALSIFIED, answer.sentence
    assert not evaluate(question.item.formula, Trace(answer.evidence["trace"]))
    assert len(answer.evidence["trace"]) == len(answer.evidence["actions"]) + 1
    episodes = Episodes(question, "")
    actions = [np.asarray(a, episodes.space.dtype) if isinstance(a, list) else a for a in answer.evidence["actions"]]
    again = episodes.run(answer.evidence["seed"], {}, actions)
    episodes.close()
    assert again.violated and [dict(s) for s in again.signals] == answer.evidence["trace"]


def test_what_cannot_happen_is_not_found():
    answer = decide(asked("cartpole", "G abs(x) <= 4m", "f by falsify { episodes = 70 }"))
    assert answer.verdict is Verdict.UNKNOWN and answer.evidence["episodes"] == 70


def test_the_search_is_guided_and_shrinks():
    """So near an end random pushes do not come within so few episodes, and the found one has few kinds of pushes."""
    question = asked("cartpole", "G abs(x) <= 0.45m", "f by falsify { episodes = 600 }")
    answer = decide(question)
    assert answer.verdict is Verdict.FALSIFIED and answer.evidence["episodes"] > 32
    pushes = answer.evidence["actions"]
    changes = sum(a != b for a, b in pairwise(pushes))
    assert changes < len(pushes) // 2


def bowl(points):
    """Least, with a value of 0, near a corner that random points are not near."""
    return ((points - np.array([0.9, 0.1, 0.8, 0.3])) ** 2).sum(axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_bayesian_search_needs_fewer_points_than_chance(seed):
    rng = np.random.default_rng(seed)
    search, best, count = Bayesian(4), None, 0
    least = np.inf
    while count < 60:
        points = search.ask(rng, best)
        assert points.shape == (4, 4) and (points >= 0).all() and (points <= 1).all()
        values = bowl(points)
        search.tell(points, values)
        count += len(points)
        if values.min() < least:
            least, best = float(values.min()), points[values.argmin()]
    assert least < 0.01 < bowl(np.random.default_rng(seed).random((60, 4))).min()


def test_a_process_goes_through_what_it_has_seen_and_doubts_the_rest():
    rng = np.random.default_rng(0)
    points = rng.random((20, 2))
    values = np.sin(5 * points[:, 0]) + points[:, 1]
    process = Process.fitted(points, values)
    mean, spread = process.at(points)
    scaled = (values - np.median(values)) / values.std()
    np.testing.assert_allclose(mean, scaled, atol=1e-2)
    assert (spread < 0.01).all() and process.at(np.array([[5.0, 5.0]]))[1] > 0.5
    # against the integral: E max(gain - spread * x, 0) over a normal x
    x = np.random.default_rng(1).normal(size=400_000)
    for gain, wide in ((0.3, 0.5), (-0.4, 1.0)):
        mean = np.maximum(gain + wide * x, 0).mean()
        assert improvement(np.array([gain]), np.array([wide]))[0] == pytest.approx(mean, rel=0.02)


def test_a_bayesian_search_finds_a_violation_in_few_episodes():
    question = asked("cartpole", "G abs(theta) <= 0.15rad", "f by falsify { search = bayesian; episodes = 120 }")
    assert decide(question).verdict is Verdict.FALSIFIED


def test_arguments_vary_within_their_ranges():
    answer = decide(asked("cartpole", "F x > 4m", 'f by falsify { vary = "max_steps 5 9" }', "task"))
    assert answer.verdict is Verdict.FALSIFIED and 5 <= answer.evidence["arguments"]["max_steps"] <= 9
    assert len(answer.evidence["actions"]) <= answer.evidence["arguments"]["max_steps"]


@pytest.mark.parametrize("vary", ["gravity 9 10", "max_steps 9", "max_steps 9 5", "id 1 2"])
def test_what_cannot_vary_is_refused(vary):
    with pytest.raises(AgentcError) as error:
        decide(asked("cartpole", "G abs(x) <= 4m", f'f by falsify {{ vary = "{vary}" }}'))
    assert error.value.diagnostics[0].code == "AS1357"


def test_statistics_of_an_environment():
    """Of a fair sample of episodes: the exact bounds hold the share that a larger sample of its own shows."""
    likely = decide(asked("cartpole", "G abs(x) <= 0.3m", "P >= 0.5 [f] by statistical { episodes = 300 }"))
    assert likely.verdict is Verdict.UNKNOWN and likely.evidence["supported"] and "statistical" in likely.sentence
    rare = decide(asked("cartpole", "G abs(theta) <= 0.15rad", "P >= 0.5 [f] by statistical { episodes = 300 }"))
    assert rare.verdict is Verdict.FALSIFIED and "statistical" in rare.sentence
    again = decide(asked("cartpole", "G abs(theta) <= 0.15rad", "P >= 0.5 [f] by statistical { episodes = 300 }"))
    assert again.evidence == rare.evidence


def test_a_bound_at_the_edge_is_left_open():
    """The truth is 1/2: neither the sequential test nor the exact bounds decide, whatever the seed."""
    system = PENDULUM.replace("th in [1, 1.2]", "th in [-1, 1]")
    undecided = 0
    for seed in range(10):
        how = f"P >= 0.5 [f] by statistical {{ episodes = 200; seed = {seed} }}"
        answer = decide(problem_of(agent_of(system, f"  task f = th >= 0rad\n  verify {how}", 2), 0))
        undecided += answer.verdict is Verdict.UNKNOWN and "does not decide" in answer.sentence
    assert undecided >= 7


def test_the_errors_of_the_test_are_those_that_it_states():
    """Over many seeds the test refutes a true bound of a known coin no oftener than its confidence leaves."""
    from agentc.runtime.verify.statistical import _decided

    question = asked("cartpole", "G abs(x) <= 4m", "P >= 0.9 [f] by statistical { episodes = 400; confidence = 0.9 }")
    wrong = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        answer = _decided(question, lambda count, rng=rng: rng.random(count) < 0.9, 400)
        wrong += answer.verdict is Verdict.FALSIFIED
    assert wrong <= 20 + 3 * np.sqrt(200 * 0.1 * 0.9)
    assert clopper_pearson(180, 200, 0.95)[0] < 0.9


def test_a_trained_policy_is_judged(tmp_path):
    from dataclasses import replace

    from agentc.runtime.compiled import CompiledAgent
    from agentc.runtime.runs import Run
    from agentc.runtime.training import configuration, train_agent

    text = """
import std.env.classic
agent A {
  env cartpole(max_steps = 60)
  safe up = G abs(theta) <= 0.12rad
  reward { up : -1.0; step : 0.1 }
  train ppo { steps = 64; envs = 1; rollout = 64; hidden = 8 }
  verify up by falsify { controller = "run"; episodes = 20 }
  verify P >= 0.9 [up] by statistical { controller = "run"; episodes = 60 }
}"""
    agent = check([Source("a.agentspec", text)]).agents[0]
    train_agent(CompiledAgent.from_ir(agent), replace(configuration(agent, 0, None)), Run("A", 0, tmp_path / "run"))
    found = decide(problem_of(agent, 0, tmp_path))
    assert found.verdict is Verdict.FALSIFIED  # it has learned next to nothing
    assert not evaluate(agent.verifies[0].formula, Trace(found.evidence["trace"]))
    judged = decide(problem_of(agent, 1, tmp_path))
    assert judged.verdict is Verdict.FALSIFIED and judged.evidence["upper"] < 0.9


# ---------------------------------------------------------------- the gradient


@pytest.mark.parametrize("controller", ["swing", ""])
def test_the_gradient_goes_down(controller):
    question = problem(PENDULUM, "F[0s, 1s] G[0s, 0.2s] th <= 0.9rad", horizon=40)
    simulation = Simulation(question.agent.system, Controller(controller), question.item.formula, 40)
    space = Space(simulation)
    robust = compile_robustness(simulation.formula, question.agent.declared)
    rng = np.random.default_rng(0)
    points = rng.random((16, space.size))
    descent = Descent.of(simulation, space, robust)
    before = np.asarray(robust.robustness_at(simulation.rollouts(*space.runs(points))))
    after = np.asarray(robust.robustness_at(simulation.rollouts(*space.runs(descent.improved(points)))))
    assert (after <= before + 1e-9).all() and (after < before - 1e-3).mean() > 0.5
    assert descent.runs == 16 * 13
