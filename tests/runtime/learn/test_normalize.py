"""Running moments against numpy; rewards against a direct computation."""

import numpy as np

from agentc.runtime.learn.normalize import RewardScale, RunningMoments


def test_moments_of_batches_are_those_of_all_rows():
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((n, 3)) * 5 + 100 for n in (1, 7, 50, 2)]
    moments = RunningMoments(3)
    np.testing.assert_array_equal(moments.variance, np.ones(3))
    for batch in batches:
        moments.update(batch)
    rows = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean, rows.mean(0))
    np.testing.assert_allclose(moments.variance, rows.var(0))
    again = RunningMoments(3)
    again.restore(moments.state())
    np.testing.assert_array_equal(again.variance, moments.variance)


def test_rewards_are_divided_by_the_deviation_of_the_return():
    rewards = np.array([[1.0, 0.0], [1.0, 4.0], [1.0, 0.0]], np.float32)
    ended = np.array([[False, False], [True, False], [False, False]])
    scale = RewardScale(2, 0.5)
    got = scale.scale(rewards, ended)
    returns = np.array([1.0, 1.5, 1.0, 0.0, 4.0, 2.0])  # the first environment began anew after its second step
    np.testing.assert_allclose(got, rewards / np.sqrt(returns.var() + 1e-8), rtol=1e-6)
    more = scale.scale(np.zeros((1, 2), np.float32), np.zeros((1, 2), np.bool_))
    np.testing.assert_array_equal(more, 0)
    assert scale.moments.count == 8
