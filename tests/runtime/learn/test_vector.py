"""The vector environment: same-step autoreset, seeds, masks, statistics."""

import numpy as np
import pytest

from agentc.runtime.learn.seeding import evaluation_seeds, resumed_seed, training_seeds
from agentc.runtime.learn.vector import SyncVector, VectorEnv

from .environments import Corridor, vector_of


def test_sync_vector_is_a_vector_env():
    assert isinstance(vector_of(2), VectorEnv)


def test_rows_that_end_hold_the_next_episode_and_their_true_last_observation():
    env = vector_of(3, length=3, limit=50)
    observation = env.reset(0).copy()
    right = np.full(3, 2)
    for _ in range(5):
        at = observation.argmax(1)
        batch = env.step(right)
        ended = batch.terminated | batch.truncated
        np.testing.assert_array_equal(batch.final_observation.argmax(1), at + 1)
        np.testing.assert_array_equal(ended, at + 1 == 2)
        np.testing.assert_array_equal(batch.reward, (at + 1 == 2).astype(np.float32))
        np.testing.assert_array_equal(batch.observation[~ended], batch.final_observation[~ended])
        assert (batch.observation.argmax(1)[ended] < 2).all()
        observation = batch.observation.copy()


def test_statistics_are_of_the_episode_that_ended():
    env = vector_of(1, length=3, limit=4)
    env.reset(0)
    left = np.zeros(1, np.int64)
    lengths = []
    for _ in range(8):
        batch = env.step(left)
        if batch.truncated[0]:
            assert not batch.terminated[0]
            lengths.append((int(batch.info["length"][0]), float(batch.info["return"][0])))
    assert lengths == [(4, 0.0), (4, 0.0)]


@pytest.mark.parametrize("kind", ["vector", "grid", "discrete", "dict"])
def test_the_same_seed_gives_the_same_episodes(kind):
    def play(env, seed):
        seen = [env.reset(seed)]
        seen = [{k: v.copy() for k, v in s.items()} if isinstance(s, dict) else s.copy() for s in seen]
        for t in range(20):
            o = env.step(np.full(3, t % 3)).observation
            seen.append({k: v.copy() for k, v in o.items()} if isinstance(o, dict) else o.copy())
        return seen

    env = vector_of(3, observation=kind)
    first, other, again = play(env, 1), play(env, 2), play(env, 1)
    assert str(first) == str(again)
    assert str(first) != str(other)


def test_masks_belong_to_the_observation_they_come_with():
    env = vector_of(4, masked=True)
    observation = env.reset(3)
    rng = np.random.default_rng(0)
    mask = env.action_mask
    for _ in range(30):
        np.testing.assert_array_equal(mask[:, 0], observation.argmax(1) > 0)
        batch = env.step(np.array([rng.choice(np.flatnonzero(m)) for m in mask]))
        observation, mask = batch.observation, batch.action_mask
        assert mask is env.action_mask


def test_actions_count_from_zero_whatever_the_space_begins_with():
    class Shifted(Corridor):
        def __init__(self):
            super().__init__()
            self.action_space = type(self.action_space)(3, start=5)

        def step(self, action):
            assert self.action_space.contains(action)
            return super().step(action - 5)

    env = SyncVector([Shifted])
    env.reset(0)
    env.step(np.array([2]))


def test_seeds_of_training_and_evaluation_are_disjoint_and_differ():
    for seed in (0, 1, 2**31 - 1):
        train, evaluate = training_seeds(seed, 500), evaluation_seeds(seed, 500)
        assert len(set(train)) == len(set(evaluate)) == 500
        assert max(train) < 2**30 <= min(evaluate)
        assert max(evaluate) < 2**31
    assert training_seeds(1, 3) == training_seeds(1, 5)[:3]
    assert resumed_seed(7, 0) == 7
    assert len({resumed_seed(7, g) for g in range(10)}) == 10
