"""Counts of observations against a direct count."""

from collections import Counter

import numpy as np
import pytest

from agentc.runtime.learn.novelty import Novelty
from agentc.runtime.learn.trajectory import Finals, Trajectory


def trajectory(rng, steps=20, envs=3, ended=0.1):
    def observation(*shape):
        return {
            "grid": rng.integers(0, 2, (*shape, 1, 2, 1)).astype(np.uint8),
            "automaton": rng.integers(0, 2, (*shape, 1)).astype(np.float32),
        }

    return Trajectory(
        observation(steps, envs),
        np.zeros((steps, envs), np.int64),
        np.zeros((steps, envs), np.float32),
        rng.random((steps, envs)) < ended,
        rng.random((steps, envs)) < ended,
        Finals(np.zeros(0, np.int64), np.zeros(0, np.int64), {}),
        observation(envs),
    )


def reached(t, step, env):
    rows = t.last_observation if step + 1 == t.steps else {k: a[step + 1] for k, a in t.observations.items()}
    return tuple(rows[key][env].tobytes() for key in sorted(rows))


def test_bonus_falls_with_the_square_root_of_the_visits():
    rng = np.random.default_rng(0)
    novelty, counts = Novelty(0.5), Counter()
    for _ in range(3):
        t = trajectory(rng)
        got = novelty.bonus(t)
        where = [(s, e) for s in range(t.steps) for e in range(t.num_envs)]
        counts.update(reached(t, s, e) for s, e in where)
        for s, e in where:
            ended = t.terminated[s, e] or t.truncated[s, e]
            expected = 0.0 if ended else 0.5 / np.sqrt(counts[reached(t, s, e)])
            assert got[s, e] == pytest.approx(expected)
    assert len(novelty.state()["slots"]) == len(counts) == 8


def test_counts_are_restored():
    rng = np.random.default_rng(1)
    first, second = Novelty(1.0), Novelty(1.0)
    first.bonus(trajectory(rng))
    second.restore(first.state())
    later = trajectory(rng)
    np.testing.assert_array_equal(first.bonus(later), second.bonus(later))
    for bad in ({"slots": np.zeros(2, np.int64), "counts": np.zeros(3, np.int64)}, {"slots": np.zeros(1, np.int64)}):
        with pytest.raises((ValueError, KeyError)):
            second.restore(bad)


def test_without_weight_nothing_is_counted():
    novelty = Novelty(0.0)
    assert not novelty.bonus(trajectory(np.random.default_rng(2))).any()
    assert len(novelty.state()["slots"]) == 0
