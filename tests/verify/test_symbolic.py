"""The methods `bmc` and `induction` against the explicit model, and on systems that are too large for it."""

import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.problem import problem_of

from .test_model import GRID, agent, answer, random_system

FORMULAS = ["G s != 4", "G (s == 1 -> WX s != 3)", "G !(s == 2 & O s == 4)", "G (s == 3 -> O s == 1)"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_solver_agrees_with_the_explicit_model(formula):
    proved = 0
    for seed in range(4):
        body = "  safe f = {}\n  verify f by model\n  verify f by bmc {{ bound = 8 }}\n"
        body += "  verify f by induction {{ k = 20 }}"
        a = agent(random_system(seed), body.format(formula))
        explicit, bounded, inductive = (decide(problem_of(a, i)) for i in range(3))
        if explicit.verdict is Verdict.FALSIFIED:
            assert bounded.verdict is inductive.verdict is Verdict.FALSIFIED, seed
            assert len(bounded.evidence["trace"]) == len(explicit.evidence["trace"])  # both are shortest
            assert not evaluate(a.formulas[0].formula, Trace(bounded.evidence["trace"]))
        else:
            assert bounded.verdict is Verdict.UNKNOWN and bounded.evidence["depth"] == 8
            assert inductive.word == "proved", (seed, inductive)  # paths that differ are short here
            proved += 1
    assert proved < 4


COUNTER = """
system counter {
  state n : int in [0, 1000000], up : bool
  command grow when up & n < 900000 { n' = n + 3 }
  command turn when n >= 10 { up' = !up }
  command fall when !up & n >= 3 { n' = n - 3 }
  init { n = 0; up = true }
}
"""


def test_a_system_with_data_is_proved_by_induction():
    found = answer(COUNTER, "  safe f = G n <= 900002\n  verify f by induction { k = 2 }")
    # the automaton's state is free, too: one step makes it agree with the values
    assert found.word == "proved" and found.evidence["k"] == 2


def test_what_is_not_inductive_is_unknown():
    found = answer(COUNTER, "  safe f = G n != 500000\n  verify f by induction { k = 2 }")
    assert found.verdict is Verdict.UNKNOWN and "k up to 2" in found.sentence


def test_inputs_take_the_first_command_that_is_enabled():
    found = answer(GRID, "  safe f = G !(x == 1 & y == 1)\n  verify f by bmc")
    assert found.verdict is Verdict.FALSIFIED and len(found.evidence["trace"]) == 3
    two = """
system two {
  state x : int in [0, 9]
  input go : bool
  command a when go { x' = 1 }
  command b when x == 0 { x' = 2 }
  init { x = 0 }
}
"""
    # with `go` the first command is taken, without it the second; from 2 only `go` leads on
    assert answer(two, "  safe f = G x <= 2\n  verify f by induction { k = 3 }").verdict is Verdict.PROVED
    assert answer(two, "  safe f = G x != 2\n  verify f by bmc").verdict is Verdict.FALSIFIED


def test_the_horizon_bounds_the_search():
    body = "  safe f = G x + y <= 5\n  verify f by bmc {{ bound = 20 }}"
    assert answer(GRID, body.format(), 5).verdict is Verdict.UNKNOWN
    assert answer(GRID, body.format(), 6).verdict is Verdict.FALSIFIED


REFUSED = [
    ("  task f = F x == 4\n  verify f by bmc", "safe"),
    ("  safe f = G x != 4\n  verify P >= 0.5 [f] by bmc", "prob"),
]


@pytest.mark.parametrize(("body", "why"), REFUSED)
def test_what_cannot_be_unrolled_is_said(body, why):
    found = answer(GRID, body)
    assert found.verdict is Verdict.UNKNOWN and why in found.sentence
