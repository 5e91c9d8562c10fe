"""Settings of a `train` block: kinds, ranges, and what is proposed for what is wrong."""

import subprocess
import sys

import pytest

from agentc.compiler.settings import Given
from agentc.compiler.training_config import TRAINERS, check_algorithm, check_settings


def test_what_is_right_is_taken_and_the_rest_is_default():
    values, found = check_settings(
        "ppo",
        {
            "steps": Given(300_000),
            "envs": Given(16.0),
            "learning_rate": Given(1),
            "anneal": Given(False),
            "encoder": Given("conv"),
            "checkpoint": Given(5.0, is_duration=True),
        },
    )
    assert found == []
    assert values == {
        **TRAINERS["ppo"].defaults(),
        "steps": 300_000,
        "envs": 16,
        "learning_rate": 1.0,
        "anneal": False,
        "encoder": "conv",
        "checkpoint": 5.0,
    }
    assert type(values["envs"]) is int
    assert type(values["learning_rate"]) is float


@pytest.mark.parametrize(
    ("key", "given", "code", "text"),
    [
        ("stepps", Given(5), "AS0611", "did you mean `steps`?"),
        ("learning_rte", Given(5), "AS0611", "did you mean `learning_rate`?"),
        ("zzz", Given(5), "AS0611", None),
        ("gamma", Given(0.9), "AS0612", "say it as `reward { discount = ... }`"),
        ("steps", Given("many"), "AS0613", "it is an int of at least 1"),
        ("steps", Given(1.5), "AS0613", "it is an int of at least 1"),
        ("steps", Given(True), "AS0613", "it is an int of at least 1"),
        ("steps", Given(5, is_duration=True), "AS0613", "it is an int of at least 1"),
        ("steps", Given(0), "AS0614", "it is an int of at least 1"),
        ("gae_lambda", Given(1.5), "AS0614", "it is a number in [0, 1]"),
        ("learning_rate", Given(0), "AS0614", "it is a number in (0, 1]"),
        ("learning_rate", Given(float("nan")), "AS0613", "it is a number in (0, 1]"),
        ("minutes", Given(float("inf")), "AS0613", "it is a number of at least 0"),
        ("anneal", Given(1), "AS0613", "it is `true` or `false`"),
        ("encoder", Given("cnov"), "AS0613", "did you mean `conv`?"),
        ("encoder", Given(3), "AS0613", "it is one of `auto`, `dense`, `conv`"),
        ("checkpoint", Given(30), "AS0613", "it is a duration such as `30s` of at least 0"),
        ("checkpoint", Given(-1.0, is_duration=True), "AS0614", "it is a duration such as `30s` of at least 0"),
    ],
)
def test_what_is_wrong_is_one_diagnostic(key, given, code, text):
    values, found = check_settings("ppo", {key: given})
    assert [(d.code, d.help) for d in found] == [(code, text)]
    assert values == TRAINERS["ppo"].defaults()


def test_algorithms():
    assert check_algorithm("ppo", None) is None
    assert check_algorithm("pppo", None).help == "did you mean `ppo`?"
    assert check_algorithm("sarsa", None).code == "AS0610"


def test_the_table_needs_no_learner():
    code = (
        "import sys, agentc.compiler.training_config\n"
        "assert not {'torch', 'numpy', 'pydantic', 'gymnasium', 'difflib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("algorithm", "given", "part"),
    [
        ("bc", {}, "`data`"),
        ("rlpd", {}, "`data`"),
        ("sac", {"steps": 500, "warmup": 501}, "`warmup`"),
        ("dqn", {"replay": "failure", "n_step": 3}, "`n_step`"),
        ("ppo", {"rollout": 4, "envs": 2, "minibatches": 8}, "a minibatch of 1 samples"),
        ("ppo", {"dual_clip": 0.5}, "`dual_clip`"),
        ("dqn", {"epsilon_end": 0.5, "epsilon_start": 0.1}, "`epsilon_end`"),
        ("ppo", {"history": 1}, "`history`"),
        ("ppo", {"workers": 9}, "8 `envs`"),
        ("ppo", {"workers": 2, "tasks": "each"}, "table of its reward machines"),
        ("dqn", {"workers": 2, "envs": 2, "replay": "success"}, "`replay = success`"),
    ],
)
def test_settings_that_cannot_work_together(algorithm, given, part):
    from agentc.compiler.training_checks import conflicts

    values, found = check_settings(algorithm, {k: Given(v) for k, v in given.items()})
    assert found == []
    (reason,) = conflicts(values)
    assert part in reason


def test_defaults_work_together():
    from agentc.compiler.training_checks import conflicts

    for name, schema in TRAINERS.items():
        reads = schema.setting("data") and not schema.setting("imitation")  # where there must be data
        assert conflicts({**schema.defaults(), **({"data": "x"} if reads else {})}) == [], name
