"""Certificates of k-induction: the checker follows them, and nothing else; its walk means what the semantics means."""

import json
from fractions import Fraction

import numpy as np
import pytest

from agentc.compiler.agent import VariableIR
from agentc.compiler.logic.ir import term
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.graph import graph_of
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.checker.induction import Obligations, evaluated
from agentc.runtime.verify.checker.paths import Way
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.problem import problem_of
from agentc.runtime.verify.refutations import NoArgumentError, argument_of

from .certificates import induction_mutants, resealed
from .test_model import agent, random_system
from .test_symbolic import COUNTER

PAIR = """
system pair {
  state a, b, m : int in [0, 100000], on : bool
  input d : int in [0, 3]
  command both when on & a <= 90000 & b <= 90000 { a' = a + d, b' = b + d, m' = max(a, b) }
  command flip when d == 0 { on' = !on }
  init { a = 0; b in [0, 5]; m = 0; on = true }
}
"""
AREA = """
system area {
  state x, y : int in [0, 40], s : int in [0, 2000]
  command grow when x < 40 & y < 40 { x' = x + 1, y' = y + 1, s' = x * y }
  command keep when abs(x - y) >= 2 { s' = min(s, x) }
  init { x = 0; y = 0; s = 0 }
}
"""
SYSTEMS = [
    (COUNTER, "G n <= 900002", 2),
    (PAIR, "G (b - a <= 5 & b >= a)", 3),
    (PAIR, "G (m <= b | m <= a)", 3),  # neither holds of what is reachable alone: the memory of one step is needed
    (AREA, "G (s <= 1600 & s >= 0)", 2),
]
STRONGER = {"G n <= 900002": [(900002, 899999)], "G (b - a <= 5 & b >= a)": [(5, 2)]}
"""By formula: a constant of it, and what it cannot be."""


@pytest.mark.parametrize(("system", "formula", "k"), SYSTEMS)
def test_a_proof_has_a_certificate_that_is_checked(system, formula, k):
    a = agent(system, f"  safe f = {formula}\n  verify f by induction {{ k = {k} }}")
    found = decide(problem_of(a, 0))
    assert found.word == "proved" and found.certificate.kind == "induction"
    assert len(json.dumps(found.certificate.data())) < 20_000


def test_paths_that_only_differing_states_close_are_certified_by_their_states():
    for seed in (1, 4):
        a = agent(random_system(seed), "  safe f = G (s == 3 -> O s == 0)\n  verify f by induction { k = 20 }")
        found = decide(problem_of(a, 0))
        assert found.word == "proved" and check(json.loads(json.dumps(found.certificate.data()))).accepted


def test_what_is_false_has_no_argument():
    """Whatever k, the search ends at a violation that no sum refutes."""
    tried = 0
    for seed in range(5):
        a = agent(random_system(seed), "  safe f = G (s == 1 -> WX s != 3)\n  verify f by bmc { bound = 6 }")
        if decide(problem_of(a, 0)).verdict is not Verdict.FALSIFIED:
            continue
        for k in (1, 2, 4):
            with pytest.raises(NoArgumentError):
                argument_of(Obligations(a, 0), k, float("inf"))
            tried += 1
    assert tried >= 6


def test_what_only_whole_numbers_refute_is_split():
    """``2 x + 2 y`` is never odd, which no sum over the reals shows."""
    odd = """
system odd {
  state x, y : int in [0, 9], z : int in [0, 60]
  command a when x < 9 { x' = x + 1, z' = 2 * x + 2 * y }
  command b when y < 9 { y' = y + 1, z' = 2 * x + 2 * y }
  init { x = 0; y = 0; z = 0 }
}
"""
    found = decide(problem_of(agent(odd, "  safe f = G (z != 7)\n  verify f by induction { k = 2 }"), 0))
    assert found.word == "proved" and found.certificate.kind == "induction"
    assert any(isinstance(t, list) and t[0] == "s" for t in found.certificate.argument["step"])


def test_mutated_certificates_are_rejected():
    count = 0
    for system, formula, k in SYSTEMS[:2]:
        a = agent(system, f"  safe f = {formula}\n  verify f by induction {{ k = {k} }}")
        document = json.loads(json.dumps(decide(problem_of(a, 0)).certificate.data()))
        assert check(document).accepted
        for mutant in list(induction_mutants(document, STRONGER.get(formula, ())))[::5]:
            finding = check(resealed(mutant))
            assert not finding.accepted and finding.reason, mutant["argument"]
            count += 1
    assert count >= 40, count


OPERATORS = ["add", "sub", "mul", "neg", "abs", "min", "max"]


def random_expression(rng, names, depth):
    if depth == 0 or rng.random() < 0.2:
        if rng.random() < 0.5:
            return term("signal", value=str(rng.choice(names)))
        return term("const", value=float(rng.integers(-3, 4)))
    op = str(rng.choice(OPERATORS))
    args = [random_expression(rng, names, depth - 1) for _ in range(1 if op in ("neg", "abs") else 2)]
    return term(op, args)


def test_the_walk_means_what_the_arithmetic_means():
    """On every path of a random expression, at random points of that path's ranges."""
    rng, compared = np.random.default_rng(0), 0
    variables = [VariableIR("x", "int", -4, 4), VariableIR("y", "int", -4, 4)]
    for _ in range(150):
        graph = graph_of([random_expression(rng, ["x", "y"], 3)], variables)
        point = {v.name: int(rng.integers(-4, 5)) for v in variables}
        way = Way((), [], lambda _: 0)
        forms = {name: way.variable(x, x) for name, x in point.items()}
        found = evaluated(way, graph, forms)
        columns = {name: np.array([float(x)]) for name, x in point.items()}
        wanted = float(np.asarray(evaluate(graph, columns)[0]).reshape(-1)[0])
        assert way.bounds(found) == (Fraction(wanted), Fraction(wanted))
        compared += 1
    assert compared == 150
