"""Every rewriting is compared with the reference semantics, in the meanings that it says it keeps."""

import random

import pytest

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import CORE, compare, const, formula, not_, prop, signal, term
from agentc.compiler.logic.rewrite import desugar, formula_nodes, localize, nnf, simplify
from agentc.compiler.logic.sample import random_formula
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace

X = signal("x")
LEAVES = (prop("p"), prop("q"), compare(">", X, const(0.0)), compare("<=", X, const(1.0)),
          compare(">", term("prev", value="x"), const(0.5)),
          compare("!=", term("prev", value="x"), const(0.5)))  # fmt: skip


def trace(rng, longest=6):
    return Trace(
        {"p": rng.random() < 0.5, "q": rng.random() < 0.5, "x": rng.choice([-1.0, 0.0, 0.5, 1.0, 2.0])}
        for _ in range(rng.randint(1, longest))
    )


@pytest.mark.parametrize("rewriting", [desugar, nnf, simplify, localize, lambda f: simplify(nnf(localize(f)))])
def test_keeps_both_meanings(rewriting):
    rng = random.Random(1)
    for _ in range(600):
        f = random_formula(rng, LEAVES, rng.randint(1, 7))
        g = rewriting(f)
        for _ in range(3):
            w = trace(rng)
            t = rng.randrange(len(w))
            assert evaluate(g, w, t) == evaluate(f, w, t), (f, g, w)
            assert robustness(g, w, t) == robustness(f, w, t), (f, g, w)


def test_boolean_simplification_keeps_the_boolean_meaning():
    rng = random.Random(2)
    changed = 0
    for _ in range(600):
        f = random_formula(rng, LEAVES[:3], rng.randint(1, 7), ("not", "and", "or", "and", "or", "F", "U", "Y"))
        g = simplify(f, boolean=True)
        changed += g is not simplify(f)
        w = trace(rng)
        assert evaluate(g, w) == evaluate(f, w)
    assert changed > 5


def test_shapes():
    rng = random.Random(3)
    for _ in range(300):
        f = random_formula(rng, LEAVES, rng.randint(1, 8))
        assert all(n.op in CORE for n in formula_nodes(desugar(f)))
        assert all(n.op != "not" or n.args[0].op == "atom" for n in formula_nodes(nnf(f)))
        g = simplify(f)
        assert simplify(g) is g


def test_windows_add_up():
    p = prop("p")
    f = formula("F", (formula("F", (p,), (2, 3)),), (1, 4))
    assert simplify(f) is formula("F", (p,), (3, 7))


def test_previous_becomes_yesterday():
    door = compare("==", term("prev", value="door"), const("open"))
    assert localize(door) is formula("Y", (compare("==", signal("door"), const("open")),))


def test_mixed_atoms_expand_over_finite_domains():
    rng = random.Random(4)
    values = ("a", "b", "c")
    same = compare("==", term("prev", value="s"), signal("s"))
    differ = compare("!=", signal("s"), term("prev", value="s"))
    grown = compare(">", signal("n"), term("prev", value="n"))
    domains = {"s": values, "n": (0, 1, 2)}
    for _ in range(300):
        f = random_formula(rng, (same, differ, grown, prop("p")), rng.randint(1, 5))
        g = localize(f, domains)
        assert not any(n.op == "prev" for n in ir.postorder(g))
        w = Trace(
            {"s": rng.choice(values), "n": rng.randrange(3), "p": rng.random() < 0.5} for _ in range(rng.randint(1, 5))
        )
        assert evaluate(g, w) == evaluate(f, w), (f, g, w)


def test_actions_have_no_value_at_the_reset():
    before = compare("!=", term("prev", value="action"), const("go"))
    w = Trace([{}, {"action": "go"}, {"action": "stop"}, {"action": "go"}])
    f = localize(before)
    values = [evaluate(before, w, t) for t in range(4)]
    assert [evaluate(f, w, t) for t in range(4)] == values == [False, False, False, True]


def test_a_hundred_thousand_negations():
    f = prop("p")
    for _ in range(100_001):
        f = not_(f)
    assert desugar(f).op == "not"
    assert nnf(f) is simplify(f) is not_(prop("p"))
