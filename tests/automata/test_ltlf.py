"""Automata against the reference semantics, minimality against table filling, verdicts against exhausted residuals."""

import itertools
import random

import pytest

from agentc.compiler.agent import SignalIR
from agentc.compiler.automata.dfa import DFA, equivalent
from agentc.compiler.automata.ltlf import normal, translate, translate_typed
from agentc.compiler.logic.alphabet import Alphabet, Group, admissible_valuations, free_alphabet
from agentc.compiler.logic.finality import verdict
from agentc.compiler.logic.ir import LAST, TRUE, and_, atoms, compare, const, formula, not_, or_, prop, signal, term
from agentc.compiler.logic.sample import FUTURE_ONLY, PAST_ONLY, propositions, random_formula, random_trace
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError

P = propositions(3)
NAMES = ["p0", "p1", "p2"]
p, q, r = P


def F(f, i=None):
    return formula("F", (f,), i)


def G(f, i=None):
    return formula("G", (f,), i)


def U(f, g):
    return formula("U", (f, g))


def W(f, g):
    return formula("W", (f, g))


def X(f, k=1):
    return formula("X", (f,), (k, k))


def implies(f, g):
    return formula("implies", (f, g))


def words(dfa, allowed=None):
    return allowed if allowed is not None else list(itertools.product((False, True), repeat=len(dfa.atoms)))


def table_filling(dfa, letters):
    """The number of classes of distinguishable states, by Moore's table; shares no code with the construction."""
    n = dfa.size
    delta = [[dfa.step(s, letter) for letter in letters] for s in range(n)]
    reached, todo = {0}, [0]
    while todo:
        for t in delta[todo.pop()]:
            if t not in reached:
                reached.add(t)
                todo.append(t)
    assert reached == set(range(n)), "every state is reachable"
    returned = {t for row in delta for t in row}
    differ = {(s, t) for s in range(n) for t in range(n) if dfa.accepting[s] != dfa.accepting[t]}
    if 0 not in returned:  # the empty word is a don't-care
        differ = {(s, t) for s, t in differ if 0 not in (s, t)}
    while True:
        more = {
            (s, t)
            for s in range(n)
            for t in range(n)
            if (s, t) not in differ and any((a, b) in differ for a, b in zip(delta[s], delta[t], strict=True))
        }
        if not more:
            break
        differ |= more
    return all((s, t) in differ for s in range(n) for t in range(s))


@pytest.mark.parametrize("operators", [FUTURE_ONLY, PAST_ONLY, (*FUTURE_ONLY, *PAST_ONLY[6:])])
def test_accepts_what_satisfies(operators):
    rng = random.Random(len(operators))
    for _ in range(250):
        f = random_formula(rng, P, rng.randint(1, 9), operators)
        dfa = translate(f)
        for _ in range(8):
            w = random_trace(rng, NAMES)
            assert dfa.accepts(w) == evaluate(f, w), (f, w)


def test_all_short_words():
    rng = random.Random(7)
    every = [Trace({"p0": a, "p1": b} for a, b in zip(x[::2], x[1::2], strict=True))
             for n in (1, 2, 3) for x in itertools.product((False, True), repeat=2 * n)]  # fmt: skip
    for _ in range(60):
        f = random_formula(rng, P[:2], rng.randint(2, 6))
        dfa = translate(f)
        assert all(dfa.accepts(w) == evaluate(f, w) for w in every), f


def test_minimal():
    rng = random.Random(11)
    for _ in range(150):
        dfa = translate(random_formula(rng, P, rng.randint(1, 8)))
        if dfa.size <= 24:
            assert table_filling(dfa, words(dfa))


def test_verdicts_are_those_of_the_reference():
    rng = random.Random(13)
    letters = [dict(zip(NAMES[:2], v, strict=True)) for v in itertools.product((False, True), repeat=2)]
    seen = set()
    for _ in range(120):
        f = random_formula(rng, P[:2], rng.randint(1, 5))
        dfa = translate(f)
        w = random_trace(rng, NAMES[:2], 4)
        found = dfa.judge(w)
        for n in range(len(w)):
            assert found[n] is verdict(f, Trace(w.valuations[: n + 1]), letters), (f, w, n)
        seen.update(found)
    assert len(seen) == 4


COLOR, LEVEL = signal("c"), signal("n")
TYPED = (SignalIR("c", "enum", members=("red", "green", "blue")), SignalIR("n", "int", lo=0, hi=2),
         SignalIR("p0", "bool"))  # fmt: skip
TYPED_ATOMS = (
    compare("==", COLOR, const("red")), compare("==", COLOR, const("green")), compare("!=", COLOR, const("blue")),
    compare(">", LEVEL, const(0)), compare("<", LEVEL, const(2)), p,
    compare("==", term("prev", value="c"), const("red")), compare("==", term("prev", value="c"), COLOR),
)  # fmt: skip


def typed_trace(rng, longest):
    return Trace(
        {"c": rng.choice(TYPED[0].members), "n": rng.randint(0, 2), "p0": rng.random() < 0.5}
        for _ in range(rng.randint(1, longest))
    )


def test_typed_letters():
    rng = random.Random(17)
    smaller = 0
    for _ in range(120):
        f = random_formula(rng, TYPED_ATOMS, rng.randint(1, 5))
        dfa = translate_typed(f, TYPED)
        smaller += dfa.size < translate(normal(f, TYPED)).size
        for _ in range(3):
            w = typed_trace(rng, 5)
            assert dfa.accepts(w) == evaluate(f, w), (f, w)
        letters = admissible_valuations(atoms(f), TYPED) if not any("prev" in str(a) for a in atoms(f)) else None
        if letters:
            w = typed_trace(rng, 3)
            assert dfa.judge(w)[-1] is verdict(f, w, letters), (f, w)
    assert smaller > 5


def test_typed_minimal():
    rng = random.Random(19)
    valuations = [Trace([{"c": c, "n": n, "p0": b}]) for c in TYPED[0].members for n in range(3) for b in (False, True)]
    for _ in range(60):
        dfa = translate_typed(random_formula(rng, TYPED_ATOMS[:6], rng.randint(1, 5)), TYPED)
        letters = sorted({dfa.letters(v)[0] for v in valuations})
        if dfa.size <= 20:
            assert table_filling(dfa, letters)


def test_letters_that_cannot_occur_lead_outside():
    dfa = translate_typed(F(and_(TYPED_ATOMS[0], X(TYPED_ATOMS[1]))), TYPED)
    assert dfa.partial
    assert dfa.run([(True, True)]) == dfa.size
    assert not dfa.completed().partial
    assert dfa.completed().run([(True, False), (False, True)]) == dfa.run([(True, False), (False, True)])


def test_an_alphabet_may_have_atoms_that_the_formula_does_not_read():
    """As the letters of a transcript have: one of five phases at each step, of which a formula speaks of a few."""
    rng = random.Random("wide")
    props = propositions(5)
    letters = [tuple(i == j for i in range(5)) for j in range(5)]
    one_phase = Group(tuple(props), (), frozenset(letters), frozenset(letters))
    for whole in (free_alphabet(tuple(props)), Alphabet(tuple(props), (one_phase,))):
        for _ in range(60):
            f = normal(random_formula(rng, rng.sample(props, rng.randint(1, 3)), rng.randint(1, 6)))
            dfa = translate(f, whole)
            assert dfa.atoms == tuple(props)
            for _ in range(10):
                word = [rng.choice(letters) for _ in range(rng.randint(1, 6))]
                trace = Trace({str(a): held for a, held in zip(props, letter, strict=True)} for letter in word)
                assert dfa.accepts(trace) == evaluate(f, trace), (f, word)


def chain(n):
    props = propositions(n)
    f = props[-1]
    for g in reversed(props[:-1]):
        f = U(g, f)
    return f


# sizes of minimal complete automata, sink included, from the literature's definitions of the patterns
SIZES = [
    (chain(20), 21),
    (chain(60), 61),
    (and_(*map(F, propositions(10))), 1024),
    (F(and_(p, X(LAST, 10))), 2048),
    (F(p), 2),
    (G(p), 2),
    (X(p), 4),
    (F(p, (0, 10)), 13),
    (G(implies(p, F(q, (0, 10)))), 12),
    (G(implies(p, formula("O", (q,), (0, 10)))), 12),
    (F(and_(p, F(and_(q, F(r))))), 4),
    (G(implies(p, F(q))), 2),
    (G(implies(p, formula("WX", (q,)))), 3),
    (LAST, 3),
    (TRUE, 1),
    (formula("Y", (TRUE,)), 1),
]


@pytest.mark.parametrize("f,size", SIZES, ids=lambda x: str(x)[:30])
def test_sizes(f, size):
    assert translate(f).size == size


# the property patterns of Dwyer, Avrunin, Corbett (ICSE 1999), scope "globally" and some others, P = p, S = q, Q = r
DWYER = {
    "absence": (G(not_(p)), 2),
    "absence before": (implies(F(r), U(not_(p), r)), None),
    "absence after": (G(implies(r, G(not_(p)))), 3),
    "existence after": (or_(G(not_(r)), F(and_(r, F(p)))), None),
    "universality after": (G(implies(r, G(p))), 3),
    "precedence": (formula("W", (not_(p), q)), 3),
    "response": (G(implies(p, F(q))), 2),
    "response before": (implies(F(r), U(implies(p, U(not_(r), and_(q, not_(r)))), r)), None),
    "bounded existence": (W(not_(p), W(p, W(not_(p), W(p, G(not_(p)))))), None),
}  # fmt: skip


@pytest.mark.parametrize("name", DWYER)
def test_patterns(name):
    f, size = DWYER[name]
    dfa = translate(f)
    assert size is None or dfa.size == size
    assert table_filling(dfa, words(dfa))
    rng = random.Random(name)
    for _ in range(100):
        w = random_trace(rng, NAMES, 8)
        assert dfa.accepts(w) == evaluate(f, w)


def test_equivalence_and_shortest_words():
    rng = random.Random(23)
    told_apart = 0
    for _ in range(80):
        f, g = (random_formula(rng, P[:2], rng.randint(1, 5)) for _ in range(2))
        a, b = translate(f), translate(g)
        word = equivalent(a, b)
        together = a.alphabet.extended(b.atoms)
        traces = [Trace({"p0": x, "p1": y} for x, y in zip(v[::2], v[1::2], strict=True))
                  for n in (1, 2) for v in itertools.product((False, True), repeat=2 * n)]  # fmt: skip
        differing = [w for w in traces if evaluate(f, w) != evaluate(g, w)]
        if word is None:
            assert not differing
            continue
        told_apart += 1
        value = [dict(zip(together.atoms, letter, strict=True)) for letter in word]
        w = Trace({n: v.get(prop(n), False) for n in ("p0", "p1")} for v in value)
        assert evaluate(f, w) != evaluate(g, w)
        assert not differing or len(word) == min(map(len, differing))
    assert told_apart > 20


def test_algebra():
    rng = random.Random(29)
    for _ in range(50):
        f, g = (random_formula(rng, P, rng.randint(1, 4)) for _ in range(2))
        a, b = translate(f), translate(g)
        pairs = [(a.intersection(b), and_(f, g)), (a.union(b), or_(f, g)), (a.complement(), not_(f))]
        for made, h in pairs:
            direct = translate(h)
            assert made.size == direct.size, h
            assert equivalent(made, direct) is None
            if set(made.atoms) == set(direct.atoms):
                assert equivalent(direct, made) is None


def test_emptiness():
    assert translate(and_(G(p), F(not_(p)))).shortest_accepted() is None
    assert translate(or_(G(p), F(not_(p)))).shortest_rejected() is None
    assert translate(X(X(p))).shortest_accepted() == ((False,), (False,), (True,))


def test_same_bytes():
    f = F(and_(p, X(q, 3), formula("O", (r,), (0, 2))))
    assert translate(f) == translate(f)
    assert isinstance(translate(f), DFA)


def test_over_budget_names_what_grows():
    f = and_(F(q), F(and_(p, X(LAST, 14))))
    with pytest.raises(AgentcError) as error:
        translate(f, max_states=500)
    (d,) = error.value.diagnostics
    assert d.code == "AS0702"
    assert "500 states" in d.message


def test_time_budget_ends_it():
    f = and_(*(G(implies(a, X(b, 9))) for a, b in zip(propositions(40)[:20], propositions(40)[20:], strict=True)))
    with pytest.raises(AgentcError):
        translate(f, max_seconds=0.5)


def test_no_recursion_error():
    f = p
    for k in range(20_000):
        f = and_(f, q) if k % 2 else or_(f, r)
    assert translate(f).size <= 3
    g = p
    for _ in range(3_000):
        g = X(g)
    assert translate(g).size == 3_003


def test_a_product_may_have_fewer_states_than_its_factors():
    signals = (SignalIR("n", "int", lo=0, hi=3),)
    small = compare("<=", signal("n"), const(5))  # the type makes it true, which only one of the two knows
    untyped = translate(formula("G", (not_(small),), (2, 9)))
    typed = translate_typed(formula("F", (small,)), signals)
    product = untyped.product(typed, lambda x, y: x and y)
    assert typed.partial and product.size < untyped.size
    for n in range(1, 6):
        trace = Trace([{"n": 2}] * n)
        assert product.accepts(trace) == (untyped.accepts(trace) and typed.accepts(trace)) == (n < 3)


WIDE = [("S", (0, 10**9)), ("S", (10**9, None)), ("Y", (10**9, 10**9)), ("H", (3, 10**8)), ("T", (1, 10**7))]


@pytest.mark.parametrize("op, interval", WIDE)
def test_wide_windows_of_the_past_run_out_of_budget_and_not_of_memory(op, interval):
    past = formula(op, (p,) if op in ("Y", "H") else (p, q), interval)
    with pytest.raises(AgentcError) as raised:
        translate(G(implies(r, past)), max_states=2_000, max_seconds=20)
    assert raised.value.diagnostics[0].code == "AS0702"
    assert "2,000 states" in raised.value.diagnostics[0].message


@pytest.mark.parametrize(
    "past, states",  # what is counted takes a state a step, and no memory of every step
    [
        (formula("O", (p,), (0, 1000)), 1002),
        (formula("H", (p,), (0, 1000)), 1002),
        (formula("S", (r, p), (0, 1000)), 1002),
        (formula("H", (p,), (1000, None)), 1002),
        (formula("S", (r, p), (3, None)), 5),
    ],
)
def test_windows_of_the_past_are_counted(past, states):
    assert translate(G(implies(q, past))).size == states
