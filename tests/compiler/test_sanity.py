"""What is proved of a spec alone, against exhaustion on short traces and by hand."""

import itertools
import random

import pytest

from agentc.compiler.agent import AgentIR, FormulaIR, SignalIR
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.logic.ir import TRUE, and_, compare, const, formula, not_, or_, prop, signal
from agentc.compiler.logic.sample import propositions, random_formula
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.sanity import (
    _put,
    conflicts,
    constant_atoms,
    is_safety_violable,
    not_violated,
    sanity,
    satisfiable,
    vacuous,
    valid,
    witness,
)

P, Q, R = (prop(n) for n in "pqr")
X = signal("x")
SIGNALS = (SignalIR("p", "bool"), SignalIR("q", "bool"), SignalIR("r", "bool"), SignalIR("x", "real", lo=0.0, hi=1.0),
           SignalIR("c", "enum", members=("red", "blue")))  # fmt: skip
RED, BLUE = (compare("==", signal("c"), const(v)) for v in ("red", "blue"))


def F(f, i=None):
    return formula("F", (f,), i)


def G(f):
    return formula("G", (f,))


def found(*items):
    formulas = tuple(FormulaIR(f"f{i}", role, f, str(f)) for i, (role, f) in enumerate(items))
    agent = AgentIR("T", None, None, SIGNALS, (), formulas, None, None)
    return sanity(agent)


def codes(*items):
    return [d.code for d in found(*items)]


@pytest.mark.parametrize(
    "items,expected",
    [
        ([("task", F(P))], []),
        ([("task", and_(G(P), F(not_(P))))], ["AS0520"]),
        ([("task", F(and_(RED, BLUE)))], ["AS0520"]),
        ([("task", or_(G(P), F(not_(P))))], ["AS0521"]),
        ([("task", F(or_(RED, BLUE)))], ["AS0521"]),
        ([("safe", F(P))], ["AS0522"]),
        ([("safe", G(F(P)))], ["AS0522"]),
        ([("safe", G(not_(P)))], []),
        ([("safe", G(or_(not_(P), F(Q, (0, 3)))))], []),
        ([("task", F(or_(P, and_(P, Q))))], ["AS0523"]),
        ([("task", F(P)), ("safe", G(not_(P)))], ["AS0524"]),
        ([("task", F(P)), ("safe", G(not_(Q)))], []),
        ([("task", F(and_(P, Q))), ("safe", G(not_(R))), ("assume", G(not_(Q)))], ["AS0524"]),
        ([("task", F(compare(">", X, const(2.0))))], ["AS0525", "AS0520"]),
        ([("task", F(and_(P, compare(">=", X, const(0.0)))))], ["AS0526"]),
        ([("task", F(compare(">", X, const(0.5))))], []),
        # a safe with an obligation that is still open is not violated
        ([("safe", G(or_(not_(P), F(Q)))), ("task", G(not_(Q))), ("task", F(P))], ["AS0522"]),
    ],
    ids=str,
)
def test_diagnostics(items, expected):
    assert codes(*items) == expected


def test_the_core_is_minimal_and_named():
    (d,) = found(("task", F(Q)), ("task", F(P)), ("safe", G(not_(R))), ("safe", G(not_(P))))
    assert d.code == "AS0524" and d.values["names"] == "`f1`, `f3`"


def test_the_impossible_part_is_named():
    (d,) = found(("task", F(and_(P, F(and_(RED, BLUE))))))
    assert d.values["part"].count("==") == 2 and "F" not in d.values["part"]


def test_against_exhaustion():
    rng = random.Random(1)
    atoms = propositions(2)
    traces = [
        Trace({"p0": a, "p1": b} for a, b in zip(w[::2], w[1::2], strict=True))
        for n in range(1, 5)
        for w in itertools.product((False, True), repeat=2 * n)
    ]
    unsat = always = 0
    for _ in range(80):
        f = random_formula(rng, atoms, rng.randint(2, 6))
        values = [evaluate(f, w) for w in traces]
        word = satisfiable(f)
        if word is None:
            unsat += 1
            assert not any(values)
        elif True in values:
            assert len(word) == len(traces[values.index(True)])
        if valid(f):
            always += 1
            assert all(values)
        elif len(translate_typed(f, ()).shortest_rejected()) <= 4:
            assert not all(values)
    assert unsat and always


def test_vacuity_means_that_nothing_put_there_matters():
    rng = random.Random(2)
    seen = 0
    for _ in range(60):
        f = random_formula(rng, (P, Q), rng.randint(2, 5))
        parts = vacuous(f, SIGNALS)
        for part in parts:
            seen += 1
            other = random_formula(rng, (P, Q, R), 2)
            g = _put(f, part, other)
            for _ in range(10):
                w = Trace({n: rng.random() < 0.5 for n in "pqr"} for _ in range(rng.randint(1, 5)))
                assert evaluate(f, w) == evaluate(g, w), (f, part, other)
    assert seen > 5


def test_shortest_violating_prefix():
    f = G(or_(not_(P), F(Q, (0, 2))))
    word = is_safety_violable(f, SIGNALS)
    assert len(word) == 3
    assert is_safety_violable(F(P), SIGNALS) is None


def test_witnesses_are_traces():
    f = F(and_(RED, F(and_(BLUE, compare(">", X, const(0.5))))))
    dfa = translate_typed(f, SIGNALS)
    steps = witness(dfa, satisfiable(f, SIGNALS))
    assert evaluate(f, Trace(steps)) and len(steps) == 2


def test_conflicts():
    dfas = {n: translate_typed(f, SIGNALS) for n, f in {"a": F(P), "b": F(Q), "c": G(or_(not_(P), G(not_(Q)))),
                                                         "d": G(or_(not_(Q), G(not_(P))))}.items()}  # fmt: skip
    core = conflicts(dfas)
    assert core is not None
    rest = {n: d for n, d in dfas.items() if n in core.names}
    for name in core.names:
        assert conflicts({n: d for n, d in rest.items() if n != name}) is None
    assert conflicts({"b": dfas["b"], "c": dfas["c"]}) is None


def test_not_violated():
    dfa = not_violated(translate_typed(G(or_(not_(P), F(Q, (0, 1)))), SIGNALS))
    assert dfa.accepts(Trace([{"p": True, "q": False}]))
    assert not dfa.accepts(Trace([{"p": True, "q": False}, {"p": False, "q": False}]))


def test_constant_atoms():
    never, always = compare(">", X, const(1.0)), compare("<=", X, const(1.0))
    assert constant_atoms([F(and_(never, P)), G(always)], SIGNALS) == {never: False, always: True}
    assert constant_atoms([TRUE], SIGNALS) == {}


def test_over_budget_is_a_note():
    wide = F(and_(P, formula("X", (formula("last"),), (14, 14))))
    assert codes(("task", wide)) == ["AS0527"]
