"""The contract of timed subgoals: whoever meets a grounded plan satisfies the formula, and the other way round."""

import itertools
import json
import random

import pytest
from conformance.strategies import BY_PROFILE, letters, make_trace, sample
from conformance.strategies import Seeded as Source

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.fragments import TIMED_SUBGOALS, fragment
from agentc.compiler.logic.ir import and_, formula, or_, prop, show
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.signals.allocations import allocations_of
from agentc.compiler.signals.alternatives import alternatives, random_alternative, random_plans
from agentc.compiler.signals.decompose import chain_length, decompose
from agentc.compiler.signals.meeting import SearchTooLongError, meeting
from agentc.compiler.signals.subgoals import Subgoal, from_json, to_json
from agentc.lang.diagnostics import AgentcError

FUTURE = [BY_PROFILE[name] for name in ("propositional future", "letters future")]


def forced(plan, f, rng):
    """A random trace that meets a grounded plan: at each step one of the valuations that its propositions allow."""
    possible = letters(f, most=64)
    if possible is None:
        return None
    wanted = [[] for _ in range(plan.last + 1)]
    for p, t in plan.reach:
        wanted[t].append(p)
    for p, a, b in plan.stay:
        for t in range(a, b + 1):
            wanted[t].append(p)
    steps = []
    for props in wanted:
        fits = [v for v in possible if evaluate(and_(*props), Trace([v]))]
        if not fits:
            return None
        steps.append(rng.choice(fits))
    return Trace(steps)


def reads_the_step_before(f):
    return bool(fragment(f).terms & {"prev"})


def test_whoever_meets_a_plan_satisfies_the_formula():
    """Random formulas, random grounded plans, random traces forced to meet them."""
    rng, forced_traces, formulas = random.Random("plans"), 0, 0
    for f, _ in itertools.islice(sample("plans", 1, FUTURE), 600):
        if not fragment(f) <= TIMED_SUBGOALS or reads_the_step_before(f):
            continue
        try:
            plan = decompose(f, rng.randint(0, 9), max_nodes=2_000)
        except AgentcError:
            continue
        found = random_plans(plan, 6, rng, each=2)
        formulas += bool(found)
        for grounded in found:
            trace = forced(grounded, f, rng)
            if trace is None:
                continue
            forced_traces += 1
            assert grounded.met(trace)
            assert evaluate(f, trace), (show(f), grounded.lines())
    assert formulas > 250
    assert forced_traces > 900


def test_whoever_satisfies_the_formula_meets_a_plan():
    """By brute force over all alternatives and allocations, on all traces of two propositions and few steps."""
    texts = ["F[0,2] p", "G[0,2] F[0,1] p", "p U[1,2] q", "p R[0,2] q", "(F p) U q", "G(p -> F[1,2] q)", "G F p",
             "F G p", "X[2] p | !p", "WX[3] p & last", "(p W[1,2] q) & F !p", "F(q & X(p U[0,2] !q))",
             "G(p | X G[0,1] q)", "!(p U (q R p))", "first -> X p", "G(first | p)", "F(last & p) xor q"]  # fmt: skip
    rows = [{"p": p, "q": q} for p in (False, True) for q in (False, True)]
    for text in texts:
        f = compile_formula(text)
        for length in range(1, 5):
            plan = decompose(f, length - 1)
            grounded = [
                alternative.ground(dict(zip(space.names, values, strict=True)))
                for alternative in alternatives(plan)
                if (space := allocations_of(alternative)) is not None
                for values in itertools.product(*(range(v.lo, v.hi + 1) for v in alternative.variables))
                if _solves(alternative, values)
            ]
            for steps in itertools.product(rows, repeat=length):
                trace = Trace(steps)
                assert any(g.met(trace) for g in grounded) == evaluate(f, trace), (text, steps)


def _solves(alternative, values):
    x = {0: 0} | {v.index: value for v, value in zip(alternative.variables, values, strict=True)}
    return all(x[d.left] - x[d.right] <= d.bound for d in alternative.differences)


def test_meeting_decides_the_formula():
    """The same by search, on formulas and traces with all kinds of atoms."""
    compared = 0
    profiles = [*FUTURE, BY_PROFILE["rich future"]]
    for f, traces in itertools.islice(sample("meeting", 6, profiles), 150):
        if not fragment(f) <= TIMED_SUBGOALS:
            continue
        for trace in traces:
            try:
                plan = meeting(decompose(f, trace.last, max_nodes=1_000), trace, 2_000)
            except (AgentcError, SearchTooLongError):
                continue
            assert (plan is not None) == evaluate(f, trace), (show(f), trace)
            assert plan is None or plan.met(trace)
            compared += 1
    assert compared > 500


def test_the_chain_is_long_enough_and_no_longer():
    for width in range(1, 6):
        bounds = [0]
        while bounds[-1] < 30:  # 0, w, w+1, 2w+1, 2(w+1), ...
            bounds.append(width if len(bounds) == 1 else bounds[-2] + width + 1)
        for longest in range(30):
            assert chain_length(longest, width) == 1 + next(k for k, b in enumerate(bounds) if b >= longest)
    assert chain_length(100, None) == 1


@pytest.mark.parametrize(
    ("text", "last", "subgoals", "variables"),
    [
        ("F[0,5] G[0,2] p", 10, 0, 1),
        ("G[0,20] F[0,4] p", 24, 8, 8),
        ("G F p", 40, 1, 1),
        ("(!d) U k & F g", 30, 2, 2),
        ("F(a & F[1,3](b & F c))", 20, 3, 3),
    ],
)
def test_decompositions_are_small(text, last, subgoals, variables):
    plan = decompose(compile_formula(text), last)
    (alternative,) = alternatives(plan)
    assert len(alternative.subgoals) == subgoals
    assert len(plan.variables) == variables


def test_infeasible_times_are_pruned():
    # the deadline of the second visit leaves no time for the dwelling before it
    f = compile_formula("F[4,9] (p & X[3] F[2,4] q) & G[0,8] (q -> X r) & F[0,3](r & F[8,9] p)")
    assert list(alternatives(decompose(f, 8))) == []
    assert random_alternative(decompose(f, 8), random.Random(0)) is None
    assert list(alternatives(decompose(f, 12)))


def test_disjunctions_are_alternatives():
    plan = decompose(compile_formula("F[0,3] (G[0,1] a | G[0,1] b) & F (c | d)"), 5)
    named = [tuple(show(s.prop) for s in a.subgoals) for a in alternatives(plan)]
    assert named == [("c",), ("d",), ("c",), ("d",)]
    assert len({a.choices for a in alternatives(plan)}) == 4


def test_json_round_trip():
    source = Source("json")
    for f, _ in itertools.islice(sample("json", 1, [*FUTURE, BY_PROFILE["rich future"]]), 150):
        if not fragment(f) <= TIMED_SUBGOALS:
            continue
        try:
            plan = decompose(f, source.below(6), max_nodes=500)
        except AgentcError:
            continue
        assert from_json(json.loads(json.dumps(to_json(plan)))) == plan


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("tree"),
        lambda d: d["tree"].update(kind="perhaps"),
        lambda d: d.update(last=-1),
        lambda d: d["variables"][0].update(index=7),
        lambda d: d["tree"]["parts"][0].update(prop=99),
        lambda d: d["tree"]["parts"][0].update(at=[5, 0]),
    ],
)
def test_spoilt_json_is_refused(spoil):
    data = to_json(decompose(compile_formula("F p & G[1,2] F[0,1] q"), 4))
    assert data["tree"]["parts"][0]["kind"] == "reach"
    spoil(data)
    with pytest.raises(ValueError):
        from_json(data)


@pytest.mark.parametrize(
    ("text", "operators"),
    [("F O p", {"O"}), ("G(p S q) & Y p", {"S", "Y"}), ("F count(p) > 2", {"count"})],
)
def test_what_is_outside_is_named(text, operators):
    with pytest.raises(AgentcError) as caught:
        decompose(compile_formula(text, [SignalIR(name, "bool") for name in "pqr"]), 5)
    assert {d.code for d in caught.value.diagnostics} == {"AS0701"}
    assert {d.values["operator"] for d in caught.value.diagnostics} == operators


def test_what_is_too_large_is_refused():
    deep = prop("p")
    for k in range(40):
        deep = formula("X", (or_(prop(f"a{k}"), deep),))
    for f in (compile_formula("G((F[0,9] p) U (G(q | F r)))"), deep):
        with pytest.raises(AgentcError) as caught:
            decompose(f, 200, max_nodes=5_000)
        assert [d.code for d in caught.value.diagnostics] == ["AS1201"]


def test_a_plan_refuses_times_that_break_it():
    (alternative,) = alternatives(decompose(compile_formula("F[1,4] (p & F[1,2] q)"), 8))
    assert isinstance(alternative.subgoals[0], Subgoal)
    with pytest.raises(ValueError):
        alternative.ground({1: 0, 2: 1})
    with pytest.raises(ValueError):
        alternative.ground({1: 1, 2: 4})
    plan = alternative.ground({1: 1, 2: 3})
    assert plan.lines() == ["reach p at 1", "reach q at 3"]
    assert not plan.met(make_pq(7))
    assert plan.met(make_pq(9))


def make_pq(length):
    return Trace({"p": t == 1, "q": t == 3} for t in range(length))


def test_traces_of_another_length_are_refused():
    plan = decompose(compile_formula("F p"), 3)
    with pytest.raises(ValueError):
        meeting(plan, make_trace(Source("x"), 3))
    with pytest.raises(ValueError):
        decompose(compile_formula("F p"), -1)
