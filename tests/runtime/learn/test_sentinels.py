"""Sentinels: each sign of a collapse is seen, what only looks like one is not, and a collapsed run is stopped."""

from dataclasses import replace

import pytest

from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.off_policy_config import TD3Config
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.sentinels import DIVERGENCE_LINES, ENTROPY_LINES, GRADIENT_LINES, Sentinel
from agentc.runtime.learn.train import Finish, train

from .environments import Target, vector_of

CONFIG = PPOConfig(steps=10_000, envs=4, rollout=64, hidden=16)


def line(steps, satisfied=None, violated=None, episodes=1000, mean_return=0.0, **learning):
    said = {"episodes": episodes, "mean_return": mean_return}
    said |= {"satisfied": {"reach": satisfied}} if satisfied is not None else {}
    said |= {"violated": {"careful": violated}} if violated is not None else {}
    return {"steps": steps, "episodes": said, "learning": {"entropy": 1.0, "kl": 0.01, "value_loss": 0.1, **learning}}


@pytest.fixture
def sentinel(tmp_path):
    """One that knows of a policy of two actions."""
    train(vector_of(4), replace(CONFIG, steps=64), tmp_path)
    made = Sentinel(CONFIG, tmp_path)
    made._begin(1)
    return made


def seen(sentinel, lines):
    """The name of the first sign in some lines, and which of them shows it."""
    for k, row in enumerate(lines):
        sign = sentinel.read(row)
        if sign is not None:
            return sign.name, k
    return None


def test_satisfaction_that_falls_from_high_to_zero(sentinel):
    assert seen(sentinel, [line(k, r) for k, r in enumerate((0.0, 0.3, 0.8, 0.4, 0.01, 0.0))]) == ("satisfaction", 5)


def test_satisfaction_that_was_never_high_has_not_fallen(sentinel):
    assert seen(sentinel, [line(k, r) for k, r in enumerate((0.0, 0.3, 0.49, 0.0, 0.0))]) is None


def test_an_unfinished_window_says_nothing(sentinel):
    assert seen(sentinel, [line(0, 1.0, episodes=20), line(1, 0.0, episodes=99), line(2, 0.0, episodes=150)]) is None


def test_all_episodes_violate_what_was_kept(sentinel):
    assert seen(sentinel, [line(k, 0.5, v) for k, v in enumerate((1.0, 0.6, 0.2, 0.9, 1.0))]) == ("violations", 4)


@pytest.mark.parametrize(("norm", "satisfied", "found"), [
    (0.0, 0.1, ("gradient", GRADIENT_LINES - 1)), (1e-9, 0.1, None), (0.0, 1.0, None), (0.0, None, None),
])  # fmt: skip
def test_no_gradient_is_left_though_rollouts_break_a_formula(sentinel, norm, satisfied, found):
    lines = [line(k, grad_norm=norm) for k in range(20)]
    for row in lines:
        row["learning"] |= {} if satisfied is None else {"satisfied": satisfied}
    assert seen(sentinel, lines) == found


def test_all_episodes_violate_as_ever(sentinel):
    assert seen(sentinel, [line(k, 0.1, 1.0) for k in range(20)]) is None


def test_no_entropy_and_no_success(sentinel):
    rows = [line(0, 0.1), *(line(k, 0.0, entropy=1e-4) for k in range(1, 20))]
    assert seen(sentinel, rows) == ("entropy", ENTROPY_LINES)


def test_no_entropy_is_what_success_looks_like(sentinel):
    assert seen(sentinel, [line(k, 0.9, entropy=1e-4) for k in range(20)]) is None


def test_actions_that_are_all_forced_say_nothing_of_entropy(sentinel):
    assert seen(sentinel, [line(k, 0.0, entropy=0.0, decisions=0.0) for k in range(20)]) is None
    assert seen(sentinel, [line(k, 0.0, entropy=0.0, decisions=0.1) for k in range(20)]) == ("entropy", 4)


def test_entropy_that_comes_back(sentinel):
    assert seen(sentinel, [line(k, 0.0, entropy=1.0 if k % 4 == 3 else 1e-4) for k in range(40)]) is None


def test_continuous_actions_without_deviation(tmp_path):
    config = replace(CONFIG, steps=64)
    train(vector_of(4, Target), config, tmp_path)
    sentinel = Sentinel(CONFIG, tmp_path)
    sentinel._begin(1)
    assert seen(sentinel, [line(k, 0.0, entropy=-3.0) for k in range(20)]) is None  # a deviation of 0.012
    assert seen(sentinel, [line(k, 0.0, entropy=-6.0) for k in range(20)]) == ("entropy", ENTROPY_LINES - 1)


def test_a_policy_that_jumps(sentinel):
    assert seen(sentinel, [line(k, 0.5, kl=50.0) for k in range(20)]) == ("divergence", DIVERGENCE_LINES - 1)


def test_values_beyond_all_returns(sentinel):
    rows = [line(k, 0.5, mean_return=-30.0, value_loss=2e6) for k in range(20)]
    assert seen(sentinel, rows) is None  # returns of 30 explain errors of 1e3, and ten thousand times that is allowed
    rows = [line(k, 0.5, mean_return=-1.0, value_loss=2e6) for k in range(20)]
    fresh = Sentinel(CONFIG, sentinel._folder)
    fresh._began = True
    assert seen(fresh, rows) == ("divergence", DIVERGENCE_LINES - 1)


def test_the_errors_of_critics_count_too(sentinel):
    rows = [line(k, 0.5) for k in range(20)]
    for row in rows:
        row["learning"] = {"critic_loss": 1e9}
    assert seen(sentinel, rows) == ("divergence", DIVERGENCE_LINES - 1)


def test_a_return_that_stays_at_its_least_after_it_was_better(sentinel):
    rows = [line(500 * k, mean_return=r) for k, r in enumerate([20.0, 150.0, *([10.0] * 18)])]
    assert seen(sentinel, rows) == ("return", 6)  # at its least from line 2 on, for 2,000 of 10,000 steps at line 6


@pytest.mark.parametrize("returns", [[10.0] * 20, [10.0, 10.5] + [10.0] * 18, [20.0, 150.0] + [15.0, 9.0] * 9])
def test_a_return_that_was_never_better_or_still_moves(sentinel, returns):
    assert seen(sentinel, [line(500 * k, mean_return=r) for k, r in enumerate(returns)]) is None


def test_a_curriculum_may_make_tasks_harder(sentinel):
    changing = Sentinel(replace(CONFIG, teacher="uniform"), sentinel._folder)
    changing._began = True
    assert seen(changing, [line(0, 1.0, 0.0), line(1, 0.0, 1.0)]) is None
    assert seen(changing, [line(k, 0.5, kl=50.0) for k in range(5)]) == ("divergence", DIVERGENCE_LINES - 1)


WILD = replace(CONFIG, learning_rate=1.0, anneal=False, max_grad_norm=0.0, normalize_rewards=False)


class Sated:
    """The environments of a corridor with a task that no episode satisfies, so that nothing is a success."""

    def __init__(self, env):
        self._env = env

    def __getattr__(self, name):
        return getattr(self._env, name)

    def step(self, actions):
        batch = self._env.step(actions)
        lost = {"satisfied/reach": 0.0 * batch.info["return"]} if batch.info else {}
        return replace(batch, info={**batch.info, **lost})


@pytest.mark.parametrize("what", ["stop", "warn", "off"])
def test_an_absurd_step_size_ends_a_run(tmp_path, what):
    config = replace(WILD, sentinel=what, steps=5_000)
    sentinel = Sentinel(config, tmp_path)
    result = train(Sated(vector_of(4)), config, tmp_path, callbacks=[sentinel])
    assert result.finish is (Finish.COLLAPSED if what == "stop" else Finish.COMPLETE)
    found = sentinel.diagnostic()
    assert (found and found.code) == {"stop": "AS1550", "warn": "AS1551", "off": None}[what]
    if what != "stop":
        return
    assert found.values["steps"] == result.steps == load(tmp_path).counters["steps"]
    assert result.steps < config.steps
    going = replace(config, sentinel="off")  # a stopped run goes on where it was, if it is told to
    assert train(Sated(vector_of(4)), going, tmp_path, resume=True).finish is Finish.COMPLETE


def test_a_healthy_run_is_left_alone(tmp_path):
    config = PPOConfig(steps=4096, envs=4, rollout=64, hidden=16, learning_rate=3e-3, entropy_coef=0.0, discount=0.9)
    sentinel = Sentinel(config, tmp_path)
    result = train(vector_of(4), config, tmp_path, callbacks=[sentinel])
    assert (result.finish, sentinel.sign, sentinel.diagnostic()) == (Finish.COMPLETE, None, None)


def test_what_was_before_a_resumption_is_known(tmp_path):
    """A run that was good before it was resumed has fallen if it is bad after."""
    train(vector_of(4), replace(CONFIG, steps=640), tmp_path, callbacks=[lambda u: u.number == 2])
    (tmp_path / "metrics.jsonl").write_text(_json(line(256, 0.9)) + _json(line(512, 0.8)) + _json(line(768, 0.7)))
    resumed = Sentinel(CONFIG, tmp_path)
    resumed._begin(768)
    assert seen(resumed, [line(768, 0.0)]) == ("satisfaction", 0)
    assert "90%" in resumed.read(line(768, 0.0)).clause


def _json(row):
    import json

    return json.dumps(row) + "\n"


def test_off_policy_settings_have_the_sentinel_too():
    assert TD3Config().sentinel == "stop"
