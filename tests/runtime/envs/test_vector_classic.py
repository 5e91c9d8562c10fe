"""The vectorised classics are Gymnasium's, step by step and to the bit."""

import gymnasium
import numpy as np
import pytest

from agentc.runtime.envs.vector_classic import NATIVE, vector_env
from agentc.runtime.learn.vector import Restorable, SyncVector, VectorEnv


def acting(space, rng, n):
    if isinstance(space, gymnasium.spaces.Discrete):
        return rng.integers(space.n, size=n)
    return rng.uniform(space.low, space.high, (n, *space.shape)).astype(np.float32)


@pytest.mark.parametrize("name", NATIVE)
def test_step_identical(name):
    n = 5
    ours, theirs = vector_env(name, n), SyncVector([lambda: gymnasium.make(name)] * n)
    assert isinstance(ours, VectorEnv) and isinstance(ours, Restorable)
    assert ours.observation_space == theirs.observation_space and ours.action_space == theirs.action_space
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(ours.reset(3), theirs.reset(3))
    ended = 0
    for t in range(2000):
        if t % 500 == 250:
            other = vector_env(name, n)
            other.restore(ours.snapshot())
            ours = other
        actions = acting(ours.action_space, rng, n)
        one, two = ours.step(actions), theirs.step(actions)
        np.testing.assert_array_equal(one.observation, two.observation)
        np.testing.assert_array_equal(one.final_observation, two.final_observation)
        np.testing.assert_array_equal(one.reward, two.reward)
        np.testing.assert_array_equal(one.terminated, two.terminated)
        np.testing.assert_array_equal(one.truncated, two.truncated)
        done = one.terminated | one.truncated
        for key in two.info:
            np.testing.assert_allclose(one.info[key][done], two.info[key][done])
        ended += int(done.sum())
    assert ended > 10
    assert isinstance(vector_env("Acrobot-v1", 2), SyncVector)
