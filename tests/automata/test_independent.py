"""Equivalence and minimality by algorithms that share no code with the construction; that these find what is wrong."""

import itertools
import random
from dataclasses import replace

import pytest
from automata.independent import not_minimal, told_apart

from agentc.compiler.automata import ltlf
from agentc.compiler.automata.ltlf import translate
from agentc.compiler.logic.ir import and_, formula, not_, or_, prop
from agentc.compiler.logic.sample import FUTURE_ONLY, PAST_ONLY, propositions, random_formula

NAMES = ["p0", "p1"]
P = propositions(2)
BOTH = (*FUTURE_ONLY, *PAST_ONLY[6:])


def checked(f):
    dfa = translate(f)
    if dfa.size > 16:
        return False
    try:
        word = told_apart(f, dfa, NAMES)
    except OverflowError:
        return False
    assert word is None, (f, word)
    assert not_minimal(f, dfa, NAMES) is None, f
    return True


@pytest.mark.parametrize("operators", [FUTURE_ONLY, PAST_ONLY, BOTH], ids=["future", "past", "both"])
def test_equivalent_and_minimal(operators):
    rng = random.Random(len(operators))
    done = sum(checked(random_formula(rng, P, rng.randint(1, 6), operators)) for _ in range(80))
    assert done >= 50


@pytest.mark.parametrize("depth", [0, 8], ids=["by implications", "of parts"])
def test_every_way_there_leads_to_the_same_automaton(monkeypatch, depth):
    rng = random.Random(depth)
    formulas = [random_formula(rng, propositions(3), rng.randint(2, 9), BOTH) for _ in range(80)]
    pairs = list(itertools.pairwise(formulas))
    formulas += [formula(("and", "or", "xor")[k % 3], pair) for k, pair in enumerate(pairs)]
    at_once = [translate(f) for f in formulas]
    monkeypatch.setattr(ltlf, "SMALL_STATES", 0)
    monkeypatch.setattr(ltlf, "PARTS_DEPTH", depth)
    assert [translate(f) for f in formulas] == at_once


def test_the_checks_find_what_is_wrong():
    f = formula("G", (formula("implies", (P[0], formula("F", (P[1],)))),))
    dfa = translate(f)
    assert told_apart(f, dfa, NAMES) is None and not_minimal(f, dfa, NAMES) is None
    flipped = replace(dfa, accepting=tuple(not a for a in dfa.accepting))
    assert told_apart(f, flipped, NAMES) is not None
    # a copy of the last state, which the first leads to: one state too many
    t = dfa.size - 1
    doubled = replace(
        dfa,
        nodes=(*dfa.nodes, (0, ~t, ~dfa.size)),
        roots=(*(len(dfa.nodes) if s == t else r for s, r in enumerate(dfa.roots)), dfa.roots[t]),
        accepting=(*dfa.accepting, dfa.accepting[t]),
        verdicts=(*dfa.verdicts, dfa.verdicts[t]),
    )
    assert not_minimal(f, doubled, NAMES) is not None


def test_conjunctions_of_parts():
    parts = [formula("G", (or_(not_(prop(f"a{k}")), formula("F", (prop(f"b{k}"),))),)) for k in range(6)]
    assert translate(and_(*parts)).size == 64
    assert translate(or_(*(formula("G", (prop(f"a{k}"),)) for k in range(8)))).size == 256
