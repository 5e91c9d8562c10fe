"""Batched robustness against the reference at every step, and what bad input gets."""

import numpy as np
import pytest
from conformance.backends.robust import columns as arrays_of
from conformance.registry import Case
from conformance.strategies import BY_NAME, SIGNALS, pairs
from hypothesis import given

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic import ir
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.signals.robustness import compile_robustness
from agentc.lang.diagnostics import AgentcError

XY = (SignalIR("x", "real"), SignalIR("y", "real"))


def stepwise(f):
    return not any(n.op in ("count", "sum", "in_seen", "occurs_in_seen") for n in ir.postorder(f))


@given(pairs("rich mixed") | pairs("propositional mixed"))
def test_the_value_is_the_reference_s_at_every_step(pair):
    f, trace = pair
    if not stepwise(f):
        return
    compiled = compile_robustness(f, SIGNALS)
    columns = arrays_of(Case(f, [trace], BY_NAME, None), [trace])
    whole, truth = compiled.robustness(columns)[0], compiled.satisfaction(columns)[0]
    for t in range(len(trace)):
        expected = robustness(f, trace, t)
        assert whole[t] == pytest.approx(expected, rel=1e-9)
        assert compiled.robustness_at(columns, t)[0] == whole[t]
        assert bool(truth[t]) == evaluate(f, trace, t) == bool(compiled.satisfaction_at(columns, t)[0])


@pytest.mark.parametrize(
    "text",
    [
        "G[3,9] x > 0", "F[2,30] (x > 0 & F[0,4] y > x)", "x > -1 U[2,7] y > 1", "x > -1 U[5, inf) y > 2",
        "x > 1 R[2,5] y > 0", "x > 0 W[1,3] y > 0", "x > 0 M[4,6] y > 0", "O[2,5] x > 0 & H[1,3] y > -1",
        "x > -1 S[2,4] y > 1", "x > 1 T[0,9] y > 0", "G (x > 1 -> F[1,4] (y > 0 & O[0,3] x < 0))",
        "F[40,50] x > 0", "O[40,50] x > 0", "X[3] x > 0 | Y[2] y > 0", "WX[31] x > 0", "first | last & x > 0",
        "(x > 0 xor y > 0) U (x > 1 <-> y > 1)", "F[0,3] F[1,4] x > 1", "G[0,50] G x > -3",
    ],
)  # fmt: skip
def test_longer_traces(text):
    f = compile_formula(text, XY)
    compiled = compile_robustness(f, XY)
    x = np.random.default_rng(0).normal(size=(3, 32, 2))
    whole, truth = compiled.robustness(x), compiled.satisfaction(x)
    for b in range(3):
        trace = Trace({"x": float(u), "y": float(v)} for u, v in x[b])
        for t in range(32):
            assert whole[b, t] == robustness(f, trace, t)
            assert truth[b, t] == evaluate(f, trace, t)
            assert compiled.robustness_at(x, t)[b] == whole[b, t]


def test_a_value_at_one_step_looks_no_further_than_its_horizon():
    f = compile_formula("G[0,10](x > 0 -> F[0,5] y > 0)", XY)
    compiled = compile_robustness(f, XY)
    assert compiled.horizon == 15 and compiled.plan.history == 0
    x = np.random.default_rng(1).normal(size=(2, 40, 2))
    y = x.copy()
    y[:, 16:] = np.nan  # what comes later is not read
    assert np.array_equal(compiled.robustness_at(x), compiled.robustness_at(y))
    assert compile_robustness(compile_formula("F x > 0", XY), XY).horizon is None
    assert compile_robustness(compile_formula("O[2,7] x > 0", XY), XY).plan.history == 7


def test_the_batch_is_worked_on_in_parts_and_in_its_own_type():
    f = compile_formula("F[0,20] G[0,5] x > y", XY)
    compiled = compile_robustness(f, XY)
    x = np.random.default_rng(2).normal(size=(5000, 60, 2))
    assert np.array_equal(compiled.robustness(x)[4321], compiled.robustness(x[4321:4322])[0])
    single = compiled.robustness_at(x.astype(np.float32))
    assert single.dtype == np.float32 and np.allclose(single, compiled.robustness_at(x), atol=1e-6)


def test_an_atom_without_a_value_is_false_negated_or_not():
    f = compile_formula("x / y > 1", XY)
    x = np.array([[[1.0, 0.0], [np.nan, 1.0], [3.0, 1.0]]])
    assert compile_robustness(f, XY).robustness(x).tolist() == [[-np.inf, -np.inf, 2.0]]
    assert compile_robustness(ir.not_(f), XY).robustness(x).tolist() == [[np.inf, np.inf, -2.0]]
    assert compile_robustness(compile_formula("x != y", XY), XY).robustness(x).tolist() == [[1.0, -np.inf, 2.0]]


def test_a_power_of_what_has_no_value_has_none():
    f = compile_formula("x ** y == 1", XY)
    x = np.array([[[1.0, np.nan], [np.nan, 0.0], [1.0, 5.0]]])
    assert compile_robustness(f, XY).satisfaction(x).tolist() == [[False, False, True]]
    assert compile_robustness(f, XY).robustness(x).tolist() == [[-np.inf, -np.inf, 0.0]]


def code(action):
    with pytest.raises(AgentcError) as error:
        action()
    return [d.code for d in error.value.diagnostics]


def test_bad_input_is_named():
    compiled = compile_robustness(compile_formula("F x > 0", XY), XY)
    assert code(lambda: compiled.robustness({"y": np.zeros((1, 3))})) == ["AS1001"]
    assert code(lambda: compiled.robustness(np.full((1, 3, 2), np.inf))) == ["AS1003"]
    assert code(lambda: compiled.robustness(np.zeros((3, 2)))) == ["AS1004"]
    assert code(lambda: compiled.robustness(np.zeros((1, 0, 2)))) == ["AS1004"]
    assert code(lambda: compiled.robustness_at(np.zeros((1, 3, 2)), 3)) == ["AS1006"]
    lit = [SignalIR("lit", "bool")]
    assert code(lambda: compile_robustness(compile_formula("F count(lit) > 2", lit), lit)) == ["AS0701"]
