"""Gradients through the witness: against finite differences, in numpy and torch, and against STLCG++."""

import numpy as np
import pytest
from conformance.backends.robust import columns as arrays_of
from conformance.registry import Case
from conformance.strategies import BY_NAME, SIGNALS, pairs
from hypothesis import given
from hypothesis import strategies as st

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import compare, const, signal, term
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.signals.gradients import value_and_gradient, whole_signal
from agentc.compiler.signals.robustness import compile_robustness
from agentc.compiler.signals.witness import find_witness

XY = (SignalIR("x", "real"), SignalIR("y", "real"))
FORMULAS = [
    "G[0,10](x > 0 -> F[0,5] y > 0)", "F (x > y & G[0,3] y > -1)", "x > -1 U[2,7] y > 1", "x > 1 R[0,5] y * x > 0",
    "O[2,5] x > 0 & H[1,3] y > -1", "x > -1 S[2,4] y > 1", "F[3,3] (x > -1 S y ** 2 > 1)", "x > 1 T[0,9] y > 0",
    "F[0,9] sqrt(x ** 2 + y ** 2) < 0.5", "G[0,9] abs(x) - max(x, y, 0.3) < 2", "F[0,4] x == 0.2 xor y != 1",
    "F x / (y ** 2 + 1) > sin(x) + cos(y)", "G[0,6] norm((x, y)) < dist((x, y), (1, 2))", "F[2,9] x in [-1, 1]",
    "F exp(x / 3) - atan2(x, y) > 1 & F[0,2] log(1 + y ** 2) > x ** 3", "G (first | x > prev.x - 3)",
    "(x > 0) W[0,4] (y > 1)", "(x > 0) M (y > 1)", "WX[3] !(x > 0)", "F tan(x / 4) > min(x, y) ** 2",
]  # fmt: skip


def finite_difference(function, x, h=1e-6):
    gradient = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += h
        down[at] -= h
        gradient[at] = (function(up) - function(down)) / (2 * h)
    return gradient


@pytest.mark.parametrize("text", FORMULAS)
def test_the_gradient_is_the_finite_difference(text):
    compiled = compile_robustness(compile_formula(text, XY), XY)
    for step in (5, 6, 9):
        x = np.random.default_rng(step).normal(size=(1, 20, 2))  # continuous: the witness is unique
        value, gradient = value_and_gradient(compiled, x, step)
        assert value[0] == compiled.robustness_at(x, step)[0] and np.isfinite(value[0])
        expected = finite_difference(lambda y, s=step: compiled.robustness_at(y, s)[0], x)
        assert np.allclose(gradient, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text", FORMULAS)
def test_the_gradient_of_the_whole_signal(text):
    compiled = compile_robustness(compile_formula(text, XY), XY)
    rng = np.random.default_rng(7)
    x, weights = rng.normal(size=(2, 9, 2)), rng.normal(size=(2, 9))
    found = whole_signal(compiled, x)
    assert np.array_equal(found.value, compiled.robustness(x))
    known = np.isfinite(found.value)

    def total(y):
        return (weights[known] * compiled.robustness(y)[known]).sum()

    assert np.allclose(found.pull_back(weights), finite_difference(total, x), rtol=1e-5, atol=1e-6)


REGIONS = [
    ("box", lambda: term("box", (const((0.0, 0.0)), const((1.0, 2.0))))),
    ("ball", lambda: term("ball", (const((0.5, 0.0)), const(1.0)))),
    ("halfspace", lambda: term("halfspace", (const((1.0, -2.0)), const(0.3)))),
    ("ellipsoid", lambda: term("ellipsoid", (const((0.5, 0.0)), const((1.0, 2.0))))),
    ("moving", lambda: term("ball", (term("tuple", (signal("x"), const(0.0))), const(1.0)))),
]


@pytest.mark.parametrize(("name", "made"), REGIONS)
def test_regions_have_gradients(name, made):
    point = term("tuple", (signal("x"), signal("y")))
    two = [made(), term("complement", (term("union", (REGIONS[0][1](), REGIONS[1][1]())),))]
    for region in (*two, term("intersection", two)):
        for negated in (False, True):
            f = ir.formula("F", (ir.atom(term("in_region", (point, region), negated)),), (0, 3))
            compiled = compile_robustness(f, XY)
            x = 2 * np.random.default_rng(3).normal(size=(1, 6, 2))
            _, gradient = value_and_gradient(compiled, x)
            expected = finite_difference(lambda y, c=compiled: c.robustness_at(y)[0], x)
            assert np.allclose(gradient, expected, rtol=1e-5, atol=1e-6)


@given(pairs("rich mixed"), st.data())
def test_the_witness_has_the_value(pair, data):
    f, trace = pair
    if any(n.op in ("count", "sum", "in_seen", "occurs_in_seen") for n in ir.postorder(f)):
        return
    compiled = compile_robustness(f, SIGNALS)
    columns = arrays_of(Case(f, [trace], BY_NAME, None), [trace])
    step = data.draw(st.integers(0, len(trace) - 1))
    found = find_witness(compiled, columns, step)
    assert found.value[0] == compiled.robustness_at(columns, step)[0]
    if np.isinf(found.value[0]):
        assert found.node[0] == found.step[0] == -1
        return
    node = compiled.plan.nodes[found.node[0]]
    atom = compiled.plan.atoms[node.index].formula
    margin = compile_robustness(atom if node.greatest else ir.not_(atom), SIGNALS)
    assert margin.robustness_at(columns, int(found.step[0]))[0] == found.value[0]


def test_an_infinite_value_has_gradient_zero_and_nothing_is_nan():
    lit = (SignalIR("lit", "bool"), *XY)
    compiled = compile_robustness(compile_formula("F (lit & x / y > 0) | X[9] x > 0", lit), lit)
    x = np.zeros((2, 4, 3))
    x[1, 2] = (1, 3, 2)
    value, gradient = value_and_gradient(compiled, x)
    assert value.tolist() == [-np.inf, 1.5]
    assert not gradient[0].any() and gradient[1, 2].tolist() == [0.0, 0.5, -0.75]
    found = whole_signal(compiled, x)
    assert np.isfinite(found.pull_back(np.ones((2, 4)))).all()


def test_torch_has_the_same_values_and_gradients():
    torch = pytest.importorskip("torch")
    from agentc.compiler.signals import torch_robustness

    for text in FORMULAS[:6]:
        compiled = compile_robustness(compile_formula(text, XY), XY)
        x = np.random.default_rng(5).normal(size=(4, 20, 2))
        t = torch.from_numpy(x).requires_grad_()
        value, gradient = value_and_gradient(compiled, x)
        found = torch_robustness.robustness_at(compiled, t)
        assert np.array_equal(found.detach().numpy(), value)
        (found * torch.arange(4.0)).sum().backward()
        assert np.array_equal(t.grad.numpy(), gradient * np.arange(4.0)[:, None, None])
        t.grad = None
        whole = torch_robustness.robustness(compiled, t)
        assert np.array_equal(whole.detach().numpy(), compiled.robustness(x))
        weights = torch.from_numpy(np.random.default_rng(6).normal(size=(4, 20)))
        (whole * weights)[torch.isfinite(whole)].sum().backward()
        assert np.allclose(t.grad.numpy(), whole_signal(compiled, x).pull_back(weights.numpy()))
        with torch.no_grad():
            assert torch.equal(torch_robustness.robustness_at(compiled, t), found)


def test_the_kernels_run_on_tensors():
    """What runs on an accelerator: the same code on torch tensors, here on the processor."""
    torch = pytest.importorskip("torch")
    lit = (SignalIR("lit", "bool"), SignalIR("door", "enum", members=("open", "shut")), *XY)
    for text in (*FORMULAS, "F (lit & x > 0) | door == open & first"):
        compiled = compile_robustness(compile_formula(text, lit), lit)
        rng = np.random.default_rng(8)
        x = np.concatenate((rng.integers(0, 2, (3, 14, 2)), rng.normal(size=(3, 14, 2))), axis=2)
        t = torch.from_numpy(x)
        assert np.allclose(compiled.robustness(t).numpy(), compiled.robustness(x), atol=1e-12)
        assert np.array_equal(compiled.satisfaction(t).numpy(), compiled.satisfaction(x))
        assert np.array_equal(compiled.satisfaction_at(t, 3).numpy(), compiled.satisfaction_at(x, 3))
        value, gradient = value_and_gradient(compiled, x)
        found, theirs = value_and_gradient(compiled, t)
        assert np.allclose(found.numpy(), value, atol=1e-12) and np.allclose(theirs.numpy(), gradient, atol=1e-9)
        weights = rng.normal(size=(3, 14))
        mine = whole_signal(compiled, x).pull_back(weights)
        assert np.allclose(whole_signal(compiled, t).pull_back(torch.from_numpy(weights)).numpy(), mine, atol=1e-9)


def test_the_gradients_are_those_of_stlcgpp():
    """On its fragment: future operators, away from the end of the trace."""
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("stlcgpp.formula")
    x, y = theirs.Predicate("x", lambda s: s[..., 0]), theirs.Predicate("y", lambda s: s[..., 1])
    cases = [
        ("G[0,10](x > 0 -> F[0,5] y > 0)",
         lambda: theirs.Always(theirs.Implies(x > 0.0, theirs.Eventually(y > 0.0, [0, 5])), [0, 10])),
        ("F[2,9](x > 0 & y < 1)", lambda: theirs.Eventually(theirs.And(x > 0.0, y < 1.0), [2, 9])),
        ("G[1,7](x > -1 | y > 0)", lambda: theirs.Always(theirs.Or(x > -1.0, y > 0.0), [1, 7])),
    ]  # fmt: skip
    for text, made in cases:
        compiled = compile_robustness(compile_formula(text, XY), XY)
        data = torch.from_numpy(np.random.default_rng(9).normal(size=(5, 24, 2))).float()
        formula = made()
        for one in data:
            t = one.clone().requires_grad_()
            value = formula.robustness(t)
            value.backward()
            mine, gradient = value_and_gradient(compiled, one[None].numpy())
            assert mine[0] == pytest.approx(float(value.detach())) and np.array_equal(gradient[0], t.grad.numpy())


def test_a_mapping_has_a_gradient_for_each_signal():
    signals = (SignalIR("pos", "vector", size=(2, 2)), SignalIR("x", "real"))
    near = compare("<", term("norm", (signal("pos"),)), signal("x"))
    compiled = compile_robustness(ir.formula("F", (near,)), signals)
    rng = np.random.default_rng(4)
    data = {"pos": rng.normal(size=(2, 5, 2)), "x": rng.normal(size=(2, 5))}
    _, gradient = value_and_gradient(compiled, data)
    array = np.concatenate((data["pos"], data["x"][..., None]), axis=2)
    _, expected = value_and_gradient(compiled, array)
    assert np.array_equal(np.concatenate((gradient["pos"], gradient["x"][..., None]), axis=2), expected)


def test_of_equal_steps_the_first_decides():
    """The first of a window that looks ahead, the latest of one that looks back; in numpy and on tensors."""
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(2).integers(-1, 2, (64, 12, 2)).astype(float)
    for text, steps in (("F[2,5] x > 0", lambda t: range(t + 2, min(t + 5, 11) + 1)),
                        ("F[1,20] x > 0", lambda t: range(t + 1, 12)),
                        ("O[2,5] x > 0", lambda t: range(t - 2, max(t - 5, 0) - 1, -1))):  # fmt: skip
        compiled = compile_robustness(compile_formula(text, XY), XY)
        for step in (4, 9):
            first = [max(steps(step), key=lambda s, row=row: row[s, 0]) for row in x]
            for data in (x, torch.from_numpy(x)):
                assert find_witness(compiled, data, step).step.tolist() == first


@pytest.mark.parametrize("text", ["x > 0", "x > 0 & y > 0", "F[2,2] x > 0", "!(x < 0)"])
def test_values_are_no_views_of_the_traces(text):
    compiled = compile_robustness(compile_formula(text, XY), XY)
    x = np.random.default_rng(2).normal(size=(1, 12, 2))
    data = {"x": x[:, :, 0].copy(), "y": x[:, :, 1].copy()}
    before = compiled.robustness(data).copy()
    compiled.robustness(data)[:] = 7.0
    value_and_gradient(compiled, data)[0][:] = 7.0
    assert np.array_equal(compiled.robustness(data), before)
