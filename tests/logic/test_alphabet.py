"""The admissible letters are compared with those that random admissible valuations have."""

import random

import pytest

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.alphabet import admissible_valuations, alphabet, free_alphabet
from agentc.compiler.logic.ir import atom as atomic
from agentc.compiler.logic.ir import compare, const, prop, signal, term
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace

SIGNALS = (
    SignalIR("b", "bool"), SignalIR("c", "enum", members=("red", "green", "blue")),
    SignalIR("d", "enum", members=("red", "blue")), SignalIR("n", "int", lo=0, hi=5), SignalIR("k", "int"),
    SignalIR("x", "real", lo=0.0, hi=10.0), SignalIR("y", "real"), SignalIR("t", "text", size=(1, 3)),
    SignalIR("action", "enum", members=("go", "stop")),
)  # fmt: skip
C, D, N, K, X, Y, T, A = (signal(n) for n in ("c", "d", "n", "k", "x", "y", "t", "action"))


def is_(s, v):
    return compare("==", s, const(v))


ATOMS = [
    prop("b"), is_(C, "red"), is_(C, "green"), compare("==", C, D), compare("!=", D, const("red")),
    compare(">", N, const(2)), compare("<=", N, const(2)), compare(">=", K, const(3)), compare("<", K, const(5)),
    compare(">", X, const(1.0)), compare("<", X, const(0.5)), compare(">=", X, const(10.0)),
    compare("<", const(1.5), Y), compare("==", Y, const(2.0)), atomic(term("in_range", (Y, const(-1.0), const(1.0)))),
    is_(T, "ab"), compare("!=", T, const("ab")), is_(T, "toolong"), is_(A, "go"), is_(A, "stop"),
]  # fmt: skip


def draw(rng):
    return {
        "b": rng.random() < 0.5, "c": rng.choice(SIGNALS[1].members), "d": rng.choice(SIGNALS[2].members),
        "n": rng.randint(0, 5), "k": rng.choice([-9, 2, 3, 4, 5, 9]),
        "x": rng.choice([0.0, 0.25, 0.5, 0.75, 1.0, 5.0, 10.0]),
        "y": rng.choice([-3.0, -1.0, 0.0, 1.0, 1.25, 1.5, 1.75, 2.0, 3.0]), "t": rng.choice(["ab", "x", "xyz"]),
        "action": rng.choice(["go", "stop"]),
    }  # fmt: skip


def test_letters_are_those_that_occur():
    made = alphabet(ATOMS, SIGNALS)
    assert sorted(a.id for a in made.atoms) == sorted(a.id for a in ATOMS)
    rng = random.Random(0)
    seen = [set() for _ in made.groups]
    for _ in range(1500):
        w = Trace([draw(rng)])
        for found, group in zip(seen, made.groups, strict=True):
            found.add(tuple(evaluate(a, w) for a in group.atoms))
    for found, group in zip(seen, made.groups, strict=True):
        assert not group.free
        assert found == group.later, group.atoms


def test_examples_have_their_letters():
    for group in alphabet(ATOMS, SIGNALS).groups:
        for letter, valuation in group.examples.items():
            assert tuple(evaluate(a, Trace([valuation])) for a in group.atoms) == letter


def test_the_action_has_no_value_at_the_reset():
    (group,) = alphabet([is_(A, "go"), compare("!=", A, const("go"))], SIGNALS).groups
    assert group.first == {(False, False)}
    assert group.later == {(True, False), (False, True)}


def test_mutual_exclusion_of_an_enum():
    made = alphabet([is_(C, "red"), is_(C, "green")], SIGNALS)
    assert made.groups[0].later == {(True, False), (False, True), (False, False)}
    assert len(admissible_valuations(made.atoms, SIGNALS)) == 3


def test_what_is_not_decided_is_free():
    product = compare(">", term("mul", (X, Y)), const(1.0))
    mixed = compare(">", X, term("prev", value="x"))
    assert all(g.free for g in alphabet([product, mixed], SIGNALS).groups)
    with pytest.raises(ValueError):
        admissible_valuations([product], SIGNALS)
    assert all(g.free for g in free_alphabet(ATOMS).groups)


def test_undeclared_signals_take_the_kind_of_their_constants():
    made = alphabet([compare(">", signal("u"), const(1.0)), compare("<", signal("u"), const(0.0)), prop("v")])
    assert made.groups[0].later == {(True, False), (False, True), (False, False)}
    assert made.groups[1].later == {(True,), (False,)}
