"""The method `reach`: enclosures hold, what is proved holds on many runs, the fragment is said, violations replay."""

import math
from pathlib import Path

import numpy as np
import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.systems.initial import initial_boxes
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.intervals import Interval
from agentc.runtime.verify.reach.loop import advance
from agentc.runtime.verify.reach.method import loop_of
from agentc.runtime.verify.reach.prove import initial
from agentc.runtime.verify.simulation import Controller, Simulation

from .networks import forward, random_mlp, write_mlp
from .systems import PENDULUM, TANK, problem


def forms(rng, count, size=40, generators=3):
    return [Form(rng.normal(0, 2, size), rng.normal(0, 0.4, (size, generators)), rng.exponential(0.1, size))
            for _ in range(count)]  # fmt: skip


def points(rng, fs):
    """Points of forms, the generators being drawn together."""
    e = rng.uniform(-1, 1, fs[0].g.shape)
    if rng.random() < 0.3:
        e = np.sign(e)
    return [f.c + (f.g * e).sum(axis=1) + f.r * rng.uniform(-1, 1, len(f.c)) for f in fs], e


BINARY = [("add", lambda a, b: a + b), ("sub", lambda a, b: a - b), ("mul", lambda a, b: a * b)]


@pytest.mark.parametrize(("name", "op"), BINARY)
def test_forms_enclose_with_their_dependence(name, op):
    """For any fixed generators the rest of the result lies in its slack: the dependence is true, too."""
    rng = np.random.default_rng(4)
    for _ in range(50):
        a, b = forms(rng, 2)
        made = op(a, b)
        for _ in range(20):
            (x, y), e = points(rng, (a, b))
            rest = op(x, y) - made.c - (made.g * e).sum(axis=1)
            # the slack of a product also covers what is not linear in the generators
            assert (np.abs(rest) <= made.r + 1e-12).all()


@pytest.mark.parametrize("op", ["sin", "cos", "exp", "inverse", "sqrt", "log", "square"])
def test_functions_of_forms_enclose(op):
    from agentc.runtime.verify.reach.series import FormRing

    rng = np.random.default_rng(7)
    truth = {"sin": np.sin, "cos": np.cos, "exp": np.exp, "inverse": lambda x: 1 / x, "sqrt": np.sqrt, "log": np.log,
             "square": np.square}[op]  # fmt: skip
    for _ in range(50):
        (a,) = forms(rng, 1)
        if op in ("inverse", "sqrt", "log"):
            a = Form(a.radius * 1.05 + np.abs(a.c), a.g, a.r)
        made = a.square() if op == "square" else FormRing(a).unary(op, a)
        plain = a.range.square() if op == "square" else getattr(a.range, op)()
        for _ in range(20):
            (x,), e = points(rng, (a,))
            assert (np.abs(truth(x) - made.c - (made.g * e).sum(axis=1)) <= made.r + 1e-12).all()
            assert ((plain.lo <= truth(x)) & (truth(x) <= plain.hi)).all()


def test_intervals_round_outward():
    a, b = Interval(np.float64(0.1), np.float64(0.1)), Interval(np.float64(0.2), np.float64(0.2))
    from fractions import Fraction

    exact = Fraction(0.1) + Fraction(0.2)
    found = a + b
    assert Fraction(float(found.lo)) < exact < Fraction(float(found.hi))
    wide = Interval(np.array([-1.0, 1.0, 0.0]), np.array([4.0, 2.0, 7.0])).sin()
    assert wide.hi[0] == 1 and wide.lo[2] == -1 and wide.lo[1] < math.sin(1.0)


def sampled(loop_states, hulls, p, controller, runs=4000, steps=20):
    """Runs of fine integration against the tubes."""
    system = p.agent.system
    fine = Simulation(system, controller, p.item.formula, steps)
    rng = np.random.default_rng(5)
    box = initial_boxes(system)[0]
    start = rng.uniform(box.lo, box.hi, (runs, len(box.lo)))
    noise = rng.integers(0, 2, (runs, steps, fine.width)) * 0.999999
    return fine.rollouts(start, noise)


@pytest.mark.parametrize("name", ["swing", "network", "free"])
def test_tubes_contain_runs(name, tmp_path):
    p = problem(PENDULUM, "G th <= 1.3rad", "by reach { controller = swing }")
    system = p.agent.system
    if name == "network":
        weights, biases = random_mlp(np.random.default_rng(2), (2, 10, 10, 1))
        path = write_mlp(tmp_path / "n.onnx", weights, biases, "Tanh")
        from agentc.runtime.verify.network.onnx_reader import read_onnx

        controller = Controller("n.onnx", read_onnx(path), path)
    else:
        controller = Controller("" if name == "free" else name)
    loop = loop_of(system, controller, 4)
    box = initial_boxes(system)[0]
    states = initial(box.lo[None], box.hi[None])
    signals = sampled(loop.states, None, p, controller)
    for t in range(1, 11):
        period = advance(loop, states)
        states = period.end
        assert not period.lost.any()
        for variable, form in zip(loop.states, states, strict=True):
            values, found = signals[variable][:, t], form.range
            # the simulator's own integration error is far below this
            assert values.min() >= found.lo[0] - 1e-6 and values.max() <= found.hi[0] + 1e-6, (name, t, variable)


def test_dependence_is_kept():
    """A loop that contracts is followed with a width near that of its runs: the feedback sees the same generators."""
    p = problem(PENDULUM, "G th <= 1.3rad", "by reach { controller = swing }")
    loop = loop_of(p.agent.system, Controller("swing"), 4)
    box = initial_boxes(p.agent.system)[0]
    states = initial(box.lo[None], box.hi[None])
    for _ in range(10):
        states = advance(loop, states).end
    signals = sampled(loop.states, None, p, Controller("swing"))
    for variable, form in zip(loop.states, states, strict=True):
        found = form.range
        assert (found.hi - found.lo)[0] < 1.6 * np.ptp(signals[variable][:, 10])


CASES = [
    ("G th <= 1.25rad", "proved"),
    ("F[0s, 1s] G[0s, 0.2s] (th <= 0.6rad & th >= -0.3rad)", "proved"),
    ("(th >= 0.3rad) U[0s, 1s] (th <= 0.75rad)", "proved"),
    ("G (th >= 1rad -> F[0s, 0.7s] th <= 0.9rad)", "proved"),
    ("th <= 0.7rad R[0s, 0.5s] th <= 1.3rad", "proved"),
    ("F[0s, 1s] (th, om * 1s) in box(lo = (0, -3), hi = (0.6, 0))", "proved"),
    ("G abs(th) <= 1.25rad & G max(th, 1rad) <= 1.3rad", "proved"),
    ("G th <= 1.0rad", "falsified"),
    ("F[0s, 0.2s] th <= 0.5rad", "falsified"),
    ("G (th >= 1rad -> F[0s, 0.1s] th <= 0.9rad)", "falsified"),
]


@pytest.mark.parametrize(("formula", "wanted"), CASES)
def test_verdicts(formula, wanted):
    p = problem(PENDULUM, formula, "by reach { controller = swing }")
    answer = decide(p)
    assert answer.word == wanted, answer.sentence
    signals = sampled(None, None, p, Controller("swing"), runs=200)
    names = [v.name for v in p.agent.system.states]
    truths = [evaluate(p.item.formula, Trace([{n: float(signals[n][k, t]) for n in names} for t in range(21)]))
              for k in range(200)]  # fmt: skip
    if answer.verdict is Verdict.PROVED:
        assert all(truths) and answer.assumptions
    else:
        trace = Trace(answer.evidence["trace"])
        assert not evaluate(p.item.formula, trace)


def test_free_inputs_are_whatever_they_are():
    assert decide(problem(TANK, "G level <= 5m", "by reach")).verdict is Verdict.PROVED
    assert decide(problem(TANK, "G level <= 3m", "by reach")).verdict is Verdict.FALSIFIED
    assert decide(problem(TANK, "G level >= 0.05m", "by reach")).verdict is Verdict.PROVED


def test_a_horizon_that_is_too_short_proves_nothing():
    answer = decide(problem(TANK, "G level <= 1m", "by reach { horizon = 4s; controller = shut }"))
    assert answer.verdict is Verdict.UNKNOWN and "horizon" in answer.sentence
    answer = decide(problem(TANK, "G[0s, 3s] level <= 1m", "by reach { horizon = 4s; controller = shut }"))
    assert answer.verdict is Verdict.PROVED


WAVE = """
system wave {
  state x : real, t : real [s]
  x' = 6.283185307179586 * cos(6.283185307179586 * t / 1s) / 1s
  t' = 1
  step 1s by rk4
  init { x in [0, 0.01]; t = 0s }
}
"""
"""At the samples ``x`` is where it was; between them it rises by one and falls by one."""


def test_a_violation_between_samples_is_found_and_replays():
    p = problem(WAVE, "G x <= 0.5", "by reach", horizon=2)
    answer = decide(p)
    assert answer.verdict is Verdict.FALSIFIED and "between samples" in answer.sentence
    trace, between = answer.evidence["trace"], answer.evidence["between"]
    parts = between["samples per step"]
    assert not evaluate(p.item.formula, Trace(trace)) and evaluate(p.item.formula, Trace(trace[::parts]))
    # sin(2 pi t) passes 0.5 at 1/12, and the event is the first sample after
    start, at = trace[0]["x"], round(between["time"] * parts)
    for k, row in enumerate(trace):
        assert row["x"] == pytest.approx(start + math.sin(2 * math.pi * k / parts), abs=1e-3)
    assert between["state"]["x"] == trace[at]["x"] > 0.5 >= trace[at - 1]["x"]


def test_between_samples_a_window_is_as_long_as_it_was():
    assert decide(problem(WAVE, "G[1s, 1s] x <= 0.5", "by reach", horizon=2)).verdict is Verdict.PROVED
    answer = decide(problem(WAVE, "G[1s, 2s] x <= 0.5", "by reach", horizon=2))
    assert answer.verdict is Verdict.FALSIFIED and answer.evidence["between"]["time"] == pytest.approx(1.125)


VACUOUS = [
    ("G (level * level >= -1m * 1m)", "nothing is unsafe"),
    ("G (level + 1m < level -> level <= 0.1m)", "premise"),
    ("G (level <= 3m | level >= 2m)", "nothing is unsafe"),
]


@pytest.mark.parametrize("method", ["by reach", "by falsify", "by statistical", ""])
@pytest.mark.parametrize(("formula", "why"), VACUOUS)
def test_what_cannot_fail_is_vacuous_by_any_method(formula, why, method):
    answer = decide(problem(TANK, formula, method))
    assert answer.verdict is Verdict.VACUOUS and why in answer.sentence


@pytest.mark.parametrize("method", ["by reach", "by falsify", ""])
def test_an_empty_initial_set_is_vacuous(method):
    empty = TANK.replace("level in [0.4, 0.6]", "level in [0.4, 0.6]; level * level > 4m * m")
    empty = empty.replace("4m * m", "4m * 1m")
    answer = decide(problem(empty, "G level <= 1m", method))
    assert answer.verdict is Verdict.VACUOUS and "no state" in answer.sentence
    full = TANK.replace("level in [0.4, 0.6]", "level in [0.4, 0.6]; level * level > 0.2m * 1m")
    assert decide(problem(full, "G level <= 3m", "by falsify { controller = shut }")).verdict is Verdict.UNKNOWN


def test_difference_equations():
    decay = """
system decay {
  state x : real
  disturbance w : real in [-0.1, 0.1]
  x' = 0.5 * x + w
  step 1s by difference
  init { x in [-1, 1] }
}
"""
    assert decide(problem(decay, "G abs(x) <= 1.01", "by reach")).verdict is Verdict.PROVED
    assert decide(problem(decay, "F G abs(x) <= 0.25", "by reach")).verdict is Verdict.PROVED
    assert decide(problem(decay, "G abs(x) <= 0.9", "by reach")).verdict is Verdict.FALSIFIED


REFUSED = [
    ("G (O level >= 1m)", "`O`"),
    ("G (first | action.inflow <= 0.1m/s)", "`first`"),
    ("F action.inflow <= 0.1m/s", "no state"),
    ("G (prev.level <= 1m | first)", "`first`"),
]


@pytest.mark.parametrize(("formula", "why"), REFUSED)
def test_what_is_outside_of_the_fragment_is_said(formula, why):
    answer = decide(problem(TANK, formula, "by reach"))
    assert answer.verdict is Verdict.UNKNOWN and why in answer.sentence


def test_an_unbounded_start_is_refused():
    loose = TANK.replace("level in [0.4, 0.6]", "level ~ normal(0.5, 0.1)").replace("level ~", "level =")
    answer = decide(problem(loose, "G level <= 5m", "by reach"))
    assert "bounded initial set" in answer.sentence


def test_networks_that_do_not_fit_are_refused(tmp_path):
    write_mlp(tmp_path / "n.onnx", *random_mlp(np.random.default_rng(0), (3, 4, 1)))
    for method in ("reach", "falsify", "statistical"):
        with pytest.raises(AgentcError) as error:
            decide(problem(TANK, "G level <= 5m", f'by {method} {{ controller = "n.onnx" }}', folder=tmp_path))
        assert [d.code for d in error.value.diagnostics] == ["AS1316"]


# ---------------------------------------------------------------- falsify and statistical


def test_falsify_finds_what_only_a_corner_violates():
    # the level at 20 s is start + 2: only starts above 0.595 with hardly a leak pass 2.595
    p = problem(TANK, "G level <= 2.595m", "by falsify { controller = fill; episodes = 3000 }")
    answer = decide(p)
    assert answer.verdict is Verdict.FALSIFIED
    assert not evaluate(p.item.formula, Trace(answer.evidence["trace"]))
    assert answer.evidence["trace"][0]["level"] > 0.59


def test_a_bayesian_search_finds_the_corner_in_few_runs():
    p = problem(TANK, "G level <= 2.595m", "by falsify { controller = fill; episodes = 150; search = bayesian }")
    answer = decide(p)
    assert answer.verdict is Verdict.FALSIFIED and answer.evidence["episodes"] <= 150


def test_falsify_proves_nothing():
    answer = decide(problem(TANK, "G level <= 2.7m", "by falsify { controller = fill; episodes = 300 }"))
    assert answer.verdict is Verdict.UNKNOWN and answer.evidence["episodes"] >= 300


def test_a_safe_formula_is_falsified_only_by_a_prefix():
    """A run that owes a response at its end violates the task and not the safety."""
    owed = "G (level <= 2m & (level >= 0.1m -> F level <= 0.05m))"
    answer = decide(problem(TANK, owed, "by falsify { controller = shut }", role="safe"))
    assert answer.verdict is Verdict.UNKNOWN and "prefix" in answer.sentence
    answer = decide(problem(TANK, owed, "by falsify { controller = shut }"))
    assert answer.verdict is Verdict.FALSIFIED


def test_statistical_never_proves():
    from agentc.runtime.verify.problem import problem_of

    from .systems import agent_of

    agent = agent_of(TANK, "  task f = F level >= 2.4m\n  verify P >= 0.3 [f] by statistical { controller = fill }\n"
                           "  verify P >= 0.9 [f] by statistical { controller = fill }")  # fmt: skip
    likely, unlikely = decide(problem_of(agent, 0)), decide(problem_of(agent, 1))
    assert likely.verdict is Verdict.UNKNOWN and likely.evidence["supported"] and "statistical" in likely.sentence
    assert unlikely.verdict is Verdict.FALSIFIED and unlikely.evidence["upper"] < 0.9


def test_without_a_method_the_cheap_comes_first():
    assert decide(problem(TANK, "G level <= 3m")).method == "falsify"
    answer = decide(problem(TANK, "G level <= 5m", "{ time = 20s }"))
    assert answer.verdict is Verdict.PROVED and answer.method == "reach"


def test_the_loop_of_a_network_agrees_with_its_own_evaluation(tmp_path):
    """The simulation under a network gives the inputs that an evaluator of its own gives."""
    weights, biases = random_mlp(np.random.default_rng(2), (1, 6, 1))
    path = write_mlp(Path(tmp_path) / "n.onnx", weights, biases, "Tanh")
    from agentc.runtime.verify.network.onnx_reader import read_onnx

    p = problem(TANK, "G level <= 5m", "by reach")
    simulation = Simulation(p.agent.system, Controller("n.onnx", read_onnx(path), path), p.item.formula, 5)
    signals = simulation.rollouts(np.array([[0.5]]), np.full((1, 5, 1), 0.5))
    for t in range(5):
        u = forward(weights, biases, np.array([[signals["level"][0, t]]]), "Tanh")[0, 0]
        assert signals["action.inflow"][0, t + 1] == pytest.approx(np.clip(u, 0, 0.2), abs=1e-9)
