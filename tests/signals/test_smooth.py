"""Smooth robustness: its bounds, its gradients, and that nothing is ever NaN."""

import math

import numpy as np
import pytest
from conformance.backends.robust import columns as arrays_of
from conformance.registry import Case
from conformance.strategies import BY_NAME, SIGNALS, pairs
from hypothesis import given, settings
from hypothesis import strategies as st

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic import ir
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.signals.arrays import NUMPY
from agentc.compiler.signals.robustness import compile_robustness
from agentc.compiler.signals.smooth import _mean, error_bounds, smooth_robustness, smooth_value_and_gradient

XY = (SignalIR("x", "real"), SignalIR("y", "real"))


@settings(deadline=None, max_examples=40)
@given(pairs("rich mixed"), st.sampled_from([0.5, 3.0, 20.0]))
def test_log_sum_exp_keeps_to_its_bounds(pair, beta):
    f, trace = pair
    if any(n.op in ("count", "sum", "in_seen", "occurs_in_seen") for n in ir.postorder(f)):
        return
    compiled = compile_robustness(f, SIGNALS)
    columns = arrays_of(Case(f, [trace], BY_NAME, None), [trace])
    below, above = error_bounds(compiled, len(trace), beta)
    for t in range(len(trace)):
        exact = compiled.robustness_at(columns, t)[0]
        found = smooth_robustness(compiled, columns, t, beta=beta)[0]
        assert not math.isnan(found) and math.isinf(found) == math.isinf(exact)
        assert found == exact or exact - below - 1e-9 <= found <= exact + above + 1e-9


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9))
def test_the_mean_keeps_to_its_bounds(xs):
    least, n = min(xs), len(xs)
    found = float(_mean(NUMPY, False, np.array(xs)[:, None], 0)[0])
    if least > 0:
        assert least - 1e-12 <= found <= (1 + least) ** (1 / n) * 2 ** (1 - 1 / n) - 1 + 1e-12
    else:
        assert least - 1e-12 <= found <= least / n + 1e-12
    greatest = float(_mean(NUMPY, True, -np.array(xs)[:, None], 0)[0])
    assert greatest == -found


SIGNED = ["G[0,5] (x > 0 | F[1,3] y > 0)", "F (x > 0 & O[0,4] y > x)", "WX[3] x > 0 xor H y > 0"]
SMOOTHED = ["G[0,5] (x > 0 | F[1,3] y * x > 0)", "F (x > 0 & O[0,4] y > x)", "x > -1 U[1,4] y > 0"]


@pytest.mark.parametrize("text", SIGNED)
def test_the_mean_has_the_sign_of_the_robustness(text):
    compiled = compile_robustness(compile_formula(text, XY), XY)
    x = np.random.default_rng(0).normal(size=(50, 9, 2)) / 3
    exact, found = compiled.robustness_at(x, 2), smooth_robustness(compiled, x, 2, kind="mean")
    assert np.array_equal(np.sign(found), np.sign(exact)) and np.isfinite(found).all()


@pytest.mark.parametrize("kind", ["log-sum-exp", "mean"])
@pytest.mark.parametrize("text", SMOOTHED)
def test_gradients_are_finite_differences(text, kind):
    pytest.importorskip("torch")
    if kind == "mean" and "U" in text:
        return
    compiled = compile_robustness(compile_formula(text, XY), XY)
    x = np.random.default_rng(1).normal(size=(1, 9, 2)) / 3
    value, gradient = smooth_value_and_gradient(compiled, x, kind=kind, beta=3.0)
    assert value[0] == pytest.approx(smooth_robustness(compiled, x, kind=kind, beta=3.0)[0])
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += 1e-6
        down[at] -= 1e-6
        u, d = (smooth_robustness(compiled, z, kind=kind, beta=3.0)[0] for z in (up, down))
        assert gradient[at] == pytest.approx((u - d) / 2e-6, rel=1e-4, abs=1e-6)


def test_infinities_are_dropped_or_kept_and_nothing_is_nan():
    pytest.importorskip("torch")
    lit = (SignalIR("lit", "bool"), *XY)
    compiled = compile_robustness(compile_formula("F[0,3] (lit & x / y > 0) & WX[9] x > 0", lit), lit)
    x = np.zeros((2, 5, 3))
    x[1, 2] = (1, 3, 2)
    for kind in ("log-sum-exp", "mean"):
        value, gradient = smooth_value_and_gradient(compiled, x, kind=kind, scale=4.0)
        assert value[0] == -np.inf and np.isfinite(value[1])
        assert np.isfinite(gradient).all() and not gradient[0].any() and gradient[1, 2, 1] > 0
