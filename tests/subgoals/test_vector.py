"""Environments that tell plans: what is paid and said follows from the plan, and a met plan satisfies the formula."""

import numpy as np
from subgoals.worlds import config, courier

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.train import train
from agentc.runtime.subgoals.following import Follower, Following
from agentc.runtime.subgoals.training import follower_of, subgoal_vector


def test_returns_are_sums_of_rewards():
    env = subgoal_vector(courier(), config())
    rng, seen = np.random.default_rng(0), 0
    env.reset(0)
    paid = np.zeros(env.num_envs)
    for _ in range(60):
        batch = env.step(rng.uniform(-1, 1, (env.num_envs, 1)).astype(np.float32))
        paid += batch.reward
        ended = np.flatnonzero(batch.terminated)
        if len(ended):
            np.testing.assert_allclose(paid[ended], batch.info["return"][ended], atol=1e-4)
            assert (batch.info["length"][ended] <= env.pool.last).all()
            assert (batch.info["length"][ended][batch.info["satisfied/plan"][ended]] == env.pool.last).all()
            paid[ended] = 0.0
            seen += len(ended)
    assert seen > 100


class Throttle:
    """A policy that does not learn: thrust at random, forward more often than back."""

    def __init__(self, rng):
        self.rng = rng

    def act(self, seen, mask, randomness):
        return self.rng.choice([-1.0, -0.2, 0.6, 1.0], (len(seen), 1)).astype(np.float32)

    def value(self, seen):
        return np.zeros(len(seen), np.float32)


def test_whoever_meets_a_plan_satisfies_the_formulas_by_the_reference_semantics():
    env = subgoal_vector(courier(), config())
    follower = Follower(Throttle(np.random.default_rng(2)), env.told, scored=40, rolled=1)
    start = follower.starts(600, 0)
    rng = np.random.default_rng(4)
    done = follower.follow(start, 0, [env.pool.draw(rng) for _ in range(len(start))])
    names = [n for group in env.problem.names for n in group]
    for trace, said, plan, met in zip(done.traces, done.satisfied, done.plans, done.met, strict=True):
        rows = [{n: float(x) for n, x in zip(names, row, strict=True) if np.isfinite(x)} for row in trace]
        exact = Trace(rows)
        assert evaluate(env.problem.formula, exact) == said
        assert plan.plan.met(exact) == met
        assert said or not met
    assert 10 < done.met.sum() < 590


def test_training_goes_on_exactly_where_it_was(tmp_path):
    def run(folder, *, stopped):
        env, c = subgoal_vector(courier(), config()), config()
        if stopped:
            train(env, c, folder, callbacks=[lambda update: update.steps >= 1_500])
            env = subgoal_vector(courier(), c)
        result = train(env, c, folder, resume=stopped)
        return Policy.load(folder), result

    whole, _ = run(tmp_path / "whole", stopped=False)
    parted, result = run(tmp_path / "parted", stopped=True)
    assert "exactly" in result.resumed
    for a, b in zip(whole._network.state_dict().values(), parted._network.state_dict().values(), strict=True):
        assert a.numpy().tobytes() == b.numpy().tobytes()


def test_an_environment_that_is_followed_in_is_the_one_that_was_trained_in(tmp_path):
    """One row of the vector and the wrapped environment, on one plan and one state, are told the same."""
    from agentc.runtime.envs.declared import DeclaredEnv

    c = config(steps=400)
    env = subgoal_vector(courier(), c)
    train(env, c, tmp_path)
    follower = follower_of(courier(), Policy.load(tmp_path), c)
    single = Following(follower).within(DeclaredEnv(env.problem.system, env.pool.last))
    seen, _ = single.reset(seed=3)
    state = single.unwrapped.batch.state
    (plan,) = follower.choose(state)
    from agentc.runtime.subgoals.requirements import Schedule

    np.testing.assert_array_equal(
        seen, follower.told.at_start(state, Schedule(plan.schedule.start[None], plan.schedule.end[None]))[0]
    )
    over, steps = False, 0
    while not over:
        seen, _, terminated, truncated, info = single.step(follower.policy.act(seen[None], None, None)[0])
        over, steps = terminated or truncated, steps + 1
    assert steps == env.pool.last
    said = info["agentc"]
    assert set(said["satisfied"]) == {"there"} and set(said["violated"]) == {"inside"}
