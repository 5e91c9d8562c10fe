"""Controllers that are trained through the declared system: gradients, predictions, resumption."""

import numpy as np
import pytest
import torch
from subgoals.worlds import TEXT, courier

from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.predictive import NPCConfig
from agentc.runtime.learn.registry import prepare
from agentc.runtime.learn.train import train
from agentc.runtime.planning.problem import problem_of
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
    c = NPCConfig(steps=60, rollout=20, batch=16, hidden=16)
    train(ModelEnv(problem()), c, tmp_path / "whole")
    train(ModelEnv(problem()), c, tmp_path / "parted", callbacks=[lambda update: update.steps >= 20])
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
