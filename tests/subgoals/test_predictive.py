"""Controllers that are trained through the declared system: gradients, predictions, resumption."""

import numpy as np
import pytest
import torch
from subgoals.worlds import TEXT, courier

from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.predictive import NPCConfig
from agentc.runtime.learn.registry import prepare
from agentc.runtime.learn.train import train
from agentc.runtime.planning.problem import problem_of
from agentc.runtime.predictive import predicting
from agentc.runtime.predictive.model import Model, ModelEnv
from agentc.runtime.predictive.predicting import Predicting, Predictor
from agentc.runtime.training import configuration

TGPO = TEXT[TEXT.index("train tgpo") : TEXT.rindex("}")]
NPC = TEXT.replace(TGPO, "train npc { steps = 40; batch = 16; hidden = 16 }\n")


def problem():
    return problem_of(courier(NPC))


def network(seed=0):
    config = NPCConfig(hidden=16, batch=16)
    _, learner = prepare(ModelEnv(problem()), config, torch.Generator().manual_seed(seed))
    return learner


def test_the_gradient_of_a_rollout_is_that_of_finite_differences():
    learner = network()
    model, weights = learner.model, learner.optimizer.weights
    start, _ = model.simulator.start(np.random.default_rng(1), 8)

    def smooth():
        return model.smooth(model.trace(*model.rollout(start, 0, learner.network))).sum()

    learner.optimizer.gradient.zero_()
    smooth().backward()
    found = learner.optimizer.gradient.clone()
    rng = np.random.default_rng(2)
    for _ in range(3):
        direction = torch.from_numpy(rng.normal(size=len(weights)).astype(np.float32))
        direction /= direction.norm()
        step, values = 1e-2, []
        for sign in (1, -1):
            with torch.no_grad():
                weights += sign * step * direction
                values.append(float(smooth()))
                weights -= sign * step * direction
        slope = (values[0] - values[1]) / (2 * step)
        assert abs(slope - float(found @ direction)) <= 0.02 * max(1.0, abs(slope))


def test_training_raises_the_robustness_and_goes_on_exactly(tmp_path):
    c = NPCConfig(steps=120, rollout=40, batch=16, hidden=16)
    train(ModelEnv(problem()), c, tmp_path / "whole")
    train(ModelEnv(problem()), c, tmp_path / "parted", callbacks=[lambda update: update.steps >= 40])
    train(ModelEnv(problem()), c, tmp_path / "parted", resume=True)
    whole, parted = (Policy.load(tmp_path / name).network.state_dict() for name in ("whole", "parted"))
    assert all(a.numpy().tobytes() == parted[k].numpy().tobytes() for k, a in whole.items())
    model = Model(problem())
    start, _ = model.simulator.start(np.random.default_rng(3), 64)
    with torch.no_grad():
        before, after = (
            model.robustness(model.trace(*model.rollout(start, 0, net)))
            for net in (network().network, Policy.load(tmp_path / "whole").network)
        )
    assert after.mean() > before.mean() + 0.5


def test_runs_are_judged_as_the_reference_semantics_does_and_refining_helps():
    learner = network()
    p = problem()
    names = [n for group in p.names for n in group]
    start = learner.model.simulator.numpy.start(np.random.default_rng(5), 12)[0]
    shares = []
    for refine in (0, 60):
        ran = Predictor(learner.network, learner.model, every=4, refine=refine).run(start, 0)
        for trace, said in zip(ran.traces, ran.satisfied, strict=True):
            assert evaluate(p.formula, Trace([dict(zip(names, map(float, r), strict=True)) for r in trace])) == said
        shares.append(ran.satisfied.mean())
    assert shares[1] > shares[0]  # an untrained controller, helped by gradients


def test_a_declared_backup_acts_where_no_prediction_satisfies():
    text = NPC.replace("step 0.5s by rk4", "step 0.5s by rk4\n  controller brake { a = -v * 1Hz }")
    text = text.replace("F[8, 11] (x < 0m | x > 4m)", "F[8, 11] v > 400m/s")
    p = problem_of(courier(text))
    model = Model(p)
    learner = network()
    inputs, who = Predictor(learner.network, model, every=3, refine=5, backup="brake").decide(
        np.array([[[0.1, 2.0, 0.0]]]), 0
    )
    assert who.tolist() == [2]
    assert inputs[0, 0, 0] == pytest.approx(-1.0)  # -2 m/s * 1 Hz, within the range
    trace = Trace([{"x": 0.1, "v": 2.0}])
    assert robustness(p.formula, trace) < 0


def test_an_evaluation_sees_what_was_trained(tmp_path):
    agent = courier(NPC)
    config = configuration(agent)
    train(ModelEnv(problem_of(agent)), config, tmp_path)
    policy = Policy.load(tmp_path)
    model = Model(problem_of(agent))
    actor = Predicting(policy, Predictor(policy.network, model))
    env = actor.within(DeclaredEnv(model.problem.system, model.last))
    seen, _ = env.reset(seed=2)
    expected = model.seen(torch.tensor(env.unwrapped.batch.state), 0).numpy()[0]
    np.testing.assert_array_equal(seen, expected)
    for _ in range(model.last):
        seen, _, _, truncated, info = env.step(actor.act(seen[None], None, None)[0])
    assert truncated and set(info["agentc"]["satisfied"]) == {"there"}


def test_an_unknown_backup_is_refused():
    with pytest.raises(AgentcError) as caught:
        from agentc.runtime.training import predictor_of

        agent = courier(NPC)
        predictor_of(agent, Policy(network().network), NPCConfig(backup="brake"))
    assert [d.code for d in caught.value.diagnostics] == ["AS1542"]


def of_steps(ahead):
    config = NPCConfig(hidden=16, batch=16, ahead=ahead)
    env = ModelEnv(problem(), config.ahead)
    return prepare(env, config, torch.Generator().manual_seed(0))[1]


ASKED = [(1, 0, range(12)), (5, 0, (0, 5, 10)), (0, 0, (0,)), (5, 2, (0, 2, 7))]


@pytest.mark.parametrize(("ahead", "asked", "times"), ASKED)
def test_a_network_is_asked_when_its_inputs_are_used_up(ahead, asked, times):
    learner = of_steps(ahead)
    model, seen = learner.model, []
    read = model.seen
    model.seen = lambda state, t: (seen.append((t, state)), read(state, t))[1]
    start, _ = model.simulator.start(np.random.default_rng(1), 3)
    with torch.no_grad():
        states, inputs = model.rollout(start, 0, learner.network, asked=asked)
    assert [t for t, _ in seen] == list(times)
    assert all(torch.equal(states[:, t], state) for t, state in seen)
    again, _ = model.rollout(start, 0, inputs)
    assert torch.equal(again, states)
    figures = learner.learn(None, np.random.default_rng(0), Moment(1, 100, 1))
    assert np.isfinite(figures["loss"]) and figures["grad_norm"] > 0


def test_what_falls_short_is_each_part_of_the_formulas():
    model = Model(problem())
    rng = np.random.default_rng(4)
    start, _ = model.simulator.start(rng, 32)
    trace = model.trace(*model.rollout(start, 0, torch.tensor(rng.uniform(-1, 1, (32, 12, 1)))))
    parts = np.array([part.robustness_at(trace.numpy()) for part in model.parts])
    assert len(parts) == 3
    np.testing.assert_array_equal(parts.min(axis=0), model.robustness(trace))
    sharp = Model(problem(), sharpness=1e4)
    np.testing.assert_allclose(sharp.short(trace, 0.1).numpy(), np.maximum(0.1 - parts, 0).sum(axis=0), atol=2e-3)


def test_a_search_finds_first_inputs_that_satisfy():
    learner = network()
    start = learner.model.simulator.numpy.start(np.random.default_rng(5), 12)[0]
    alone, searched = (
        Predictor(learner.network, learner.model, every=4, refine=0, search=n).run(start, 0) for n in (0, 400)
    )
    assert searched.satisfied.mean() > alone.satisfied.mean()
    assert searched.shares["searched"] > 0 and searched.shares["refined"] == 0
    again = Predictor(learner.network, learner.model, every=4, refine=0, search=400).run(start, 0)
    np.testing.assert_array_equal(again.traces, searched.traces)


def test_whole_sequences_are_drawn_nearer_to_the_best(monkeypatch):
    learner = network()
    model = learner.model
    predictor = Predictor(learner.network, model, refine=0, search=64)
    state = model.simulator.start(np.random.default_rng(5), 1)[0]
    past = torch.cat([state, torch.zeros(1, 1)], 1)
    monkeypatch.setattr(predicting, "MARGIN", np.inf)
    found = {}
    for rounds in (1, 8):
        monkeypatch.setattr(predicting, "ROUNDS", rounds)
        inputs, found[rounds] = predictor._drawn(past, state[0], 0, np.random.default_rng(3))
        held = inputs.reshape(-1, predicting.FIRST, 1)  # twelve steps, each input held for four
        assert (held == held[:, :1]).all() and (abs(inputs) <= 1).all()
        trace = model.trace(*model.rollout(state, 0, torch.tensor(inputs)[None]))
        assert found[rounds] == model.robustness(trace)[0]
    assert found[8] > found[1]


def test_what_is_predicted_to_hold_by_less_than_the_margin_is_mended(monkeypatch):
    learner = network()
    start = learner.model.simulator.numpy.start(np.random.default_rng(5), 3)[0]
    predictor = Predictor(learner.network, learner.model, every=4, refine=0, search=64)
    values = np.array([predicting.MARGIN / 2, predicting.MARGIN, -1.0])
    exact = learner.model.robustness
    monkeypatch.setattr(learner.model, "robustness", lambda trace: values if len(trace) == 3 else exact(trace))
    _, who = predictor.decide(np.concatenate([start, np.zeros((3, 1))], axis=1)[:, None], 0)
    assert list(who > 0) == [True, False, True]


def test_an_evaluation_takes_a_network_of_several_steps(tmp_path):
    agent = courier(NPC.replace("steps = 40;", "steps = 20; ahead = 5;"))
    config = configuration(agent)
    train(ModelEnv(problem_of(agent), config.ahead), config, tmp_path)
    policy = Policy.load(tmp_path)
    model = Model(problem_of(agent))
    actor = Predicting(policy, Predictor(policy.network, model))
    env = actor.within(DeclaredEnv(model.problem.system, model.last))
    actor.check_spaces(env.observation_space, env.action_space)
    assert actor.act(env.reset(seed=2)[0][None], None, None).shape == (1, 1)
