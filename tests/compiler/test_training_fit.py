"""Settings and tasks against the environment: what cannot work is refused with the reason."""

from itertools import product

import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import check, compile_formula
from agentc.compiler.settings import Given
from agentc.compiler.training_checks import conflicts
from agentc.compiler.training_config import TRAINERS, check_settings
from agentc.compiler.training_fit import shortest, task_parameters
from agentc.lang.source import Source

LETTERS = [{"p": p, "q": q} for p, q in product((False, True), repeat=2)]
LONGEST = 4


def least(formula):
    """The steps after the first of the shortest trace that satisfies it, None if none of those tried does."""
    for steps in range(LONGEST):
        if any(evaluate(formula, Trace(word)) for word in product(LETTERS, repeat=steps + 1)):
            return steps
    return None


EXACT = {
    "p": 0, "F p": 0, "G p": 0, "F[2, 3] p": 2, "X[3] p": 3, "X (p & X q)": 2, "G[1, 3] p": 0, "F(p & X F q)": 1,
    "p U[2, 5] q": 2, "q M[1, 2] p": 1, "!(G[2, 3] p)": 2, "F[1, 2] p | F[3, 3] q": 1, "F[1, 2] p & F[3, 3] q": 3,
    "!(p R[2, 2] q)": 2, "!(p U[2, 3] q)": 0, "WX[2] p": 0, "X !last": 2, "F[1, 1] F[2, 2] (p -> q)": 3,
}  # fmt: skip


@pytest.mark.parametrize("text", EXACT)
def test_the_least_number_of_steps(text):
    formula = compile_formula(text)
    assert shortest(formula) == EXACT[text] == least(formula)


@pytest.mark.parametrize(
    "text", ["F(O[2, 2] p)", "F(p & !p)", "F(H[1, 3] p & X Y q)", "X(p S[1, 2] q)", "F(p & X !p) & F[2, 9] q"]
)
def test_it_is_never_too_large(text):
    formula = compile_formula(text)
    found = least(formula)
    assert found is None or shortest(formula) <= found


def codes(text):
    return [d.code for d in check(Source("a.agentspec", text)).diagnostics if d.severity.value == "error"]


DRIVER = """
import std.systems.unicycle: unicycle
agent Driver {
  env unicycle(horizon = %s, init = { %s })
  region goal = circle(center = (3, 0), radius = 0.5)
  task arrive = %s
  reward { arrive : 1 }
  train %s
}
"""
OPEN, SHUT, MIXED = "x in [0, 1]; y = 0; theta = 0", "x = 0; y = 0; theta = 0", "x in [0, 1]; y in {0, 1}; theta = 0"
GOAL = "F (x, y) in goal"


@pytest.mark.parametrize(
    "given, wanted",
    [
        ((50, OPEN, GOAL, "ppo { teacher = alp_gmm }"), []),
        ((50, MIXED, GOAL, "ppo { teacher = uniform }"), []),
        ((50, SHUT, GOAL, "ppo { teacher = alp_gmm }"), ["AS1508"]),
        ((50, OPEN, GOAL, 'ppo { teacher = staged; stages = "0.9; 0.1" }'), []),
        ((50, OPEN, GOAL, 'ppo { teacher = staged; stages = "2" }'), ["AS1508"]),
        ((50, OPEN, GOAL, 'ppo { teacher = staged; stages = "0.1 0.2" }'), ["AS1508"]),
        ((50, OPEN, GOAL, 'ppo { teacher = staged; stages = "near" }'), ["AS1508"]),
        ((50, OPEN, GOAL, "ppo { teacher = staged }"), ["AS1536"]),
        ((50, OPEN, GOAL, "ppo { reset = snapshots }"), ["AS1536"]),
        ((50, OPEN, GOAL, 'sac { reset = snapshots; reset_data = "a" }'), []),
        ((50, OPEN, GOAL, 'sac { reset = snapshots; reset_data = "a"; counterfactual = true }'), ["AS1508"]),
        ((50, OPEN, GOAL, "dqn { }"), ["AS1509"]),
        ((50, OPEN, GOAL, "td3 { }"), []),
        ((50, OPEN, "F[51, 60] (x, y) in goal", "ppo { }"), ["AS1510"]),
        ((51, OPEN, "F[51, 60] (x, y) in goal", "ppo { }"), []),
        ((50, OPEN, GOAL, "ppo { pretrain = 10 }"), ["AS1536"]),
        ((50, OPEN, GOAL, 'ppo { data = "a"; pretrain = 10 }'), []),
        ((50, OPEN, GOAL, 'ppo { data = "a" }'), ["AS1536"]),
        ((50, OPEN, GOAL, 'td3 { box = "go" }'), ["AS1508"]),
        ((50, OPEN, GOAL, 'td3 { box = "go"; history = 4 }'), ["AS1536"]),
        ((50, OPEN, GOAL, 'ppo { data = "a"; pretrain = 10; normalize_observations = true }'), ["AS1536"]),
    ],
)
def test_what_cannot_work_is_refused(given, wanted):
    assert codes(DRIVER % given) == wanted


def test_a_box_is_for_numbers():
    text = (
        'agent Clerk { env office()\n task fetch = F tile == coffee\n reward { fetch : 1 }\n train td3 { box = "a" } }'
    )
    found = check(Source("a.agentspec", "import std.env.office: office\n" + text)).diagnostics
    assert {d.code for d in found} == {"AS1508", "AS1509"}


def test_a_group_of_one_is_refused():
    values, _ = check_settings("ppo", {"minibatches": Given(1024)})
    assert any("minibatch of 1 " in reason for reason in conflicts(values))
    assert any("a group of one" in reason for reason in conflicts({"group": 1})) and not conflicts({"group": 2})


def test_the_parameters_of_tasks_are_what_init_leaves_open():
    agent = check(Source("a.agentspec", DRIVER % (50, OPEN, GOAL, "ppo { }"))).agents[0]
    assert task_parameters(agent.system) == (("x", 0.0, 1.0),)


def test_every_setting_is_explained():
    for schema in TRAINERS.values():
        assert all(s.doc.endswith(".") or s.doc.endswith('"') for s in schema.settings), schema.algorithm
