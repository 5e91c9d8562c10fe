"""Bounds and decisions of `expect`, and the episodes they rest on."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from agentc.runtime.evaluate import (
    Decision,
    bootstrap_mean,
    bootstrap_mean_lower,
    clopper_pearson,
    decide_return,
    decide_satisfaction,
    decide_violations,
    run_episodes,
)
from agentc.runtime.learn.seeding import evaluation_seeds


def test_196_of_200_is_the_least_count_that_reaches_095():
    assert clopper_pearson(196, 200, 0.95)[0] >= 0.95 > clopper_pearson(195, 200, 0.95)[0]
    assert decide_satisfaction(196, 200, 0.95, 0.95).decision is Decision.HOLDS
    assert decide_satisfaction(195, 200, 0.95, 0.95).decision is Decision.UNKNOWN


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_bounds_are_where_the_tail_has_the_weight_that_is_left(counts, confidence):
    k, n = counts
    lower, upper = clopper_pearson(k, n, confidence)
    assert 0.0 <= lower <= k / n <= upper <= 1.0
    if k > 0:
        assert binom.sf(k - 1, n, lower) == pytest.approx(1 - confidence, rel=1e-6)
    else:
        assert lower == 0.0
    if k < n:
        assert binom.cdf(k, n, upper) == pytest.approx(1 - confidence, rel=1e-6)
    else:
        assert upper == 1.0
    exact = binomtest(k, n, alternative="greater").proportion_ci(confidence, "exact").low
    assert lower == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(("p", "n"), [(0.95, 60), (0.5, 25), (0.99, 200)])
def test_the_lower_bound_is_above_the_truth_no_oftener_than_it_may(p, n):
    wrong = sum(binom.pmf(k, n, p) for k in range(n + 1) if clopper_pearson(k, n, 0.95)[0] > p)
    assert wrong <= 0.05


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.floats(0.01, 0.99),
    st.floats(0.6, 0.99),
)
def test_decisions_follow_the_bounds(counts, p, confidence):
    k, n = counts
    lower, upper = clopper_pearson(k, n, confidence)
    outcome = decide_satisfaction(k, n, p, confidence)
    assert outcome.decision is (Decision.HOLDS if lower >= p else Decision.NOT_MET if upper < p else Decision.UNKNOWN)
    assert (outcome.lower, outcome.upper, outcome.estimate) == (lower, upper, k / n)
    assert f"{k} of {n} episodes" in outcome.sentence


@pytest.mark.parametrize(
    ("k", "n", "confidence"), [(-1, 5, 0.9), (6, 5, 0.9), (0, 0, 0.9), (1, 5, 0.0), (1, 5, 1.0), (1, 5, float("nan"))]
)
def test_impossible_counts_have_no_bounds(k, n, confidence):
    with pytest.raises(ValueError, match="no bounds"):
        clopper_pearson(k, n, confidence)


def test_the_bootstrap_bounds_of_a_mean():
    returns = np.random.default_rng(0).exponential(2.0, 400)
    lower, upper = bootstrap_mean(returns, 0.95, seed=1)
    error = returns.std() / np.sqrt(400)
    assert lower == pytest.approx(returns.mean() - 1.645 * error, abs=0.15 * error)
    assert upper == pytest.approx(returns.mean() + 1.645 * error, abs=0.25 * error)
    assert bootstrap_mean_lower(returns, 0.95, seed=1) == lower
    assert bootstrap_mean_lower(returns, 0.95, seed=2) != lower
    assert bootstrap_mean([3.0, 3.0], 0.9, 0) == (3.0, 3.0)
    for bad in ([], [1.0, float("nan")], [float("inf")]):
        with pytest.raises(ValueError, match="no bounds"):
            bootstrap_mean(bad, 0.95, 0)


def test_decisions_of_returns_and_violations():
    returns = [1.0, 2.0] * 50
    assert decide_return(returns, 1.0, 0.95, 0).decision is Decision.HOLDS
    assert decide_return(returns, 1.5, 0.95, 0).decision is Decision.UNKNOWN
    assert decide_return(returns, 1.9, 0.95, 0).decision is Decision.NOT_MET
    assert decide_violations(2, 200, 2).decision is Decision.HOLDS
    assert decide_violations(3, 200, 2).decision is Decision.NOT_MET
    assert "3 of 200" in decide_violations(3, 200, 2).sentence


class Dice(gymnasium.Env):
    """Throws a die of its seed, and ends after as many steps; the verdict is whether the last action was 1."""

    observation_space = spaces.Box(0, 6, (1,), np.float32)
    action_space = spaces.Discrete(2, start=3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seeds = [*getattr(self, "seeds", []), seed]
        self.left = int(self.np_random.integers(1, 7))
        return np.array([self.left], np.float32), {"action_mask": np.array([True, self.left > 3])}

    def step(self, action):
        assert self.action_space.contains(int(action))
        self.left -= 1
        one = bool(action == 4)
        said = {"satisfied": {"one": one}, "violated": {"none": not one}}
        info = {"action_mask": np.array([True, self.left > 3]), "agentc": said}
        return np.array([self.left], np.float32), 0.5, self.left == 0, False, info


class Coin:
    """Takes the second action half of the time where it may."""

    def __init__(self):
        self.masks = []

    def act(self, observation, mask, randomness):
        assert observation.shape == (1, 1)
        self.masks.append(mask.tolist())
        drawn = 0 if randomness is None else int(randomness.integers(2))
        return np.array([drawn if mask[0, 1] else 0])


def test_episodes_are_fixed_beforehand_and_repeat():
    env = Dice()
    heard = []
    first = run_episodes(lambda: env, Coin(), 30, seed=3, on_episode=lambda k, e: heard.append((k, e)))
    assert env.seeds == evaluation_seeds(3, 30) == [e.seed for e in first]
    assert heard == list(enumerate(first, start=1))
    assert run_episodes(Dice, Coin(), 30, seed=3) == first
    assert run_episodes(Dice, Coin(), 10, seed=3) == first[:10]
    assert [e.seed for e in run_episodes(Dice, Coin(), 30, seed=4)] != [e.seed for e in first]
    assert all(e.total_reward == e.length / 2 and e.terminated for e in first)
    assert {e.length for e in first} == {1, 2, 3, 4, 5, 6}
    assert all(e.satisfied["one"] is not e.violated["none"] for e in first)


def test_masks_reach_the_policy():
    coin = Coin()
    run_episodes(Dice, coin, 30, seed=0)
    assert [[True, False]] in coin.masks
    assert [[True, True]] in coin.masks
