"""Online robustness: intervals, resets, what is refused. On random formulas the conformance suite runs it."""

import numpy as np
import pytest

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.semantics import robustness
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import compile_formula
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.robustness_monitor import RobustnessMonitor
from agentc.runtime.robustness_stream import RobustnessStream

X = (SignalIR("x", "real", lo=-10, hi=10), SignalIR("y", "real", lo=-10, hi=10))


def monitor(text, envs=1):
    return RobustnessMonitor(compile_formula(text, X), envs, X)


def run(m, *steps):
    """The interval after each step, of one environment."""
    course = []
    for x, y in steps:
        low, high = m.step({"x": np.array([float(x)]), "y": np.array([float(y)])})
        course.append((float(low[0]), float(high[0])))
    return course


def test_a_window_at_the_root_narrows_to_its_value():
    assert run(monitor("F[1,2] x > 0"), (9, 0), (1, 0), (3, 0), (8, 0)) == [
        (-np.inf, 10), (1, 10), (3, 3), (3, 3),
    ]  # fmt: skip
    assert run(monitor("G x > 0"), (4, 0), (-2, 0), (3, 0)) == [(-10, 4), (-10, -2), (-10, -2)]


def test_until_and_release_at_the_root():
    assert run(monitor("x > 0 U[0,2] y > 0"), (5, -1), (2, 4), (9, 9), (0, 0)) == [(-1, 5), (4, 4), (4, 4), (4, 4)]
    assert run(monitor("x > 0 R y > 0"), (-5, 8), (3, 7), (9, 1)) == [(-5, 8), (3, 7), (3, 3)]


def test_what_looks_ahead_is_settled_when_its_window_is_over():
    course = run(monitor("G[0,1] F[0,2] x > 0"), (1, 0), (2, 0), (3, 0), (-4, 0), (-5, 0))
    assert course == [(-10, np.inf), (-10, np.inf), (-10, 3), (3, 3), (3, 3)]


def test_sequences_are_followed_without_end():
    m = monitor("F (x > 0 & F y > 0)")
    assert run(m, (3, -1), (-2, 2), (5, 1), (0, 4)) == [(-1, 10), (2, 10), (2, 10), (4, 10)]
    assert m.final[0] == 1 and m.value()[0] == 4


def test_the_value_is_that_of_a_trace_that_ends_here_and_the_interval_holds_it():
    texts = ["G (x > 0 -> F[0,3] y > 0)", "x > 0 S[1,3] y > 0 | F[2,4] G[0,1] x > y", "G F x > 0 & F G y > -5"]
    rng = np.random.default_rng(0)
    data = rng.uniform(-10, 10, size=(20, 2, 3))
    for text in texts:
        f, m = compile_formula(text, X), monitor(text, 3)
        for t, step in enumerate(data):
            low, high = m.step({"x": step[0], "y": step[1]})
            for i in range(3):
                trace = Trace({"x": float(a[0, i]), "y": float(a[1, i])} for a in data[: t + 1])
                assert m.value()[i] == robustness(f, trace)
                assert low[i] <= m.value()[i] <= high[i]


def test_environments_are_reset_one_by_one():
    m = monitor("O[0,2] x > 5 | F[0,2] x > 5", 2)
    for x in (9.0, 1.0, 1.0):
        m.step({"x": np.array([x, x])})
    m.reset(np.array([False, True]))
    assert m.value()[0] == 4 and np.isnan(m.value()[1])
    low, high = m.step({"x": np.array([0.0, 1.0])})
    assert (low[0], high[0]) == (4, 4) and (low[1], high[1]) == (-4, 5)
    assert m.value().tolist() == [4, -4]


def test_a_window_is_kept_and_not_walked_through():
    """The work of a step does not grow with the window: what is stored does, once."""
    m = monitor("G (x > 0 -> F[0,3000] y > 0)", 2)
    calls = []
    real = np.maximum

    class Counted:
        def __call__(self, *args, **kwargs):
            calls.append(1)
            return real(*args, **kwargs)

        accumulate = real.accumulate

    for part in m._state._streams.values():
        part._op = Counted()
        for inner in part._parts:
            if hasattr(inner, "_op"):
                inner._op = Counted()
    for k in range(200):
        m.step({"x": np.full(2, float(k % 7)), "y": np.full(2, float(k % 5))})
    assert 0 < len(calls) <= 200 * 4


@pytest.mark.parametrize(
    ("text", "code"),
    [("O F x > 0", "AS1019"), ("(x > 0) S (F y > 0)", "AS1019"), ("F count(x > 0) > 2", "AS0701")],
)
def test_what_cannot_be_done_is_refused_by_name(text, code):
    with pytest.raises(AgentcError) as error:
        monitor(text)
    assert [d.code for d in error.value.diagnostics] == [code]


def test_a_missing_signal_is_named():
    with pytest.raises(AgentcError, match=r"AS0830.*`y`"):
        monitor("F y > 0").step({"x": np.zeros(1)})


def test_one_stream_in_plain_python_says_the_same():
    texts = ["G (x > 0 -> F[0,3] y > 0)", "x > 0 S[1,3] y > 0 | F[2,4] G[0,1] x > prev.x", "F (x > 0 & F (y > 0))"]
    data = np.random.default_rng(3).uniform(-10, 10, size=(25, 2))
    for text in texts:
        f = compile_formula(text, X)
        one, many = RobustnessStream(f, X), RobustnessMonitor(f, 1, X)
        assert np.isnan(one.value())
        for x, y in data:
            low, high = many.step({"x": np.array([x]), "y": np.array([y])})
            assert one.step({"x": float(x), "y": float(y)}) == (low[0], high[0])
            assert one.value() == many.value()[0]
        one.reset()
        assert one.step({"x": 1.0, "y": 1.0}) == RobustnessStream(f, X).step({"x": 1.0, "y": 1.0})
    with pytest.raises(AgentcError, match=r"AS0830.*`y`"):
        RobustnessStream(compile_formula("F y > 0", X), X).step({"x": 1.0})
