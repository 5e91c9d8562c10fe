"""Laws between operators, in the Boolean and the quantitative meaning, at every step of random traces."""

import itertools
from collections.abc import Callable

import pytest
from conformance.strategies import BY_PROFILE, Seeded, formulas, interval, make_formula, make_trace, traces
from hypothesis import given, settings
from hypothesis import strategies as st

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import FALSE, FIRST, LAST, TRUE, Formula, Interval, formula, not_
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace

SAMPLES = 120
PROFILE = BY_PROFILE["rich mixed"]

Law = Callable[[Formula, Formula, Interval], tuple[Formula, Formula]]


def op1(op: str, f: Formula, i: Interval | None = None) -> Formula:
    return formula(op, (f,), i)


def op2(op: str, f: Formula, g: Formula, i: Interval | None = None) -> Formula:
    return formula(op, (f, g), i)


def at(op: str, f: Formula, k: int) -> Formula:
    return formula(op, (f,), (k, k))


def less(i: Interval) -> Interval:
    a, b = i
    return (a - 1, None if b is None else b - 1)


def expansion(until: str, step: str) -> Law:
    """``f U[a,b] g`` is ``f & X (f U[a-1,b-1] g)`` for a > 0, else ``g | f & X (f U[0,b-1] g)``."""

    def law(f: Formula, g: Formula, i: Interval) -> tuple[Formula, Formula]:
        a, b = i
        strong = until in "US"
        con, dis = (ir.and_, ir.or_) if strong else (ir.or_, ir.and_)
        whole = op2(until, f, g, i)
        if b == 0:
            return whole, g
        if a > 0:
            return whole, con(f, at(step, op2(until, f, g, less(i)), 1))
        return whole, dis(g, con(f, at(step, op2(until, f, g, (0, None if b is None else b - 1)), 1)))

    return law


def dual(op: str, other: str) -> Law:
    if op in ("U", "R", "S", "T", "M", "W"):
        return lambda f, g, i: (not_(op2(op, f, g, i)), op2(other, not_(f), not_(g), i))
    return lambda f, g, i: (not_(op1(op, f, i)), op1(other, not_(f), i))


def dual_step(op: str, other: str) -> Law:
    return lambda f, g, i: (not_(at(op, f, i[0])), at(other, not_(f), i[0]))


LAWS: dict[str, Law] = {
    **{f"!{a} is {b}!": dual(a, b) for a, b in ("FG", "UR", "MW", "OH", "ST")},
    **{f"!{a} is {b}!": dual_step(a, b) for a, b in (("X", "WX"), ("Y", "WY"))},
    **{f"{op} expands": expansion(op, step) for op, step in (("U", "X"), ("R", "WX"), ("S", "Y"), ("T", "WY"))},
    "F is true U": lambda f, g, i: (op1("F", f, i), op2("U", TRUE, f, i)),
    "G is false R": lambda f, g, i: (op1("G", f, i), op2("R", FALSE, f, i)),
    "O is true S": lambda f, g, i: (op1("O", f, i), op2("S", TRUE, f, i)),
    "H is false T": lambda f, g, i: (op1("H", f, i), op2("T", FALSE, f, i)),
    "X[k] is F[k,k]": lambda f, g, i: (at("X", f, i[0]), op1("F", f, (i[0], i[0]))),
    "WX[k] is G[k,k]": lambda f, g, i: (at("WX", f, i[0]), op1("G", f, (i[0], i[0]))),
    "Y[k] is O[k,k]": lambda f, g, i: (at("Y", f, i[0]), op1("O", f, (i[0], i[0]))),
    "WY[k] is H[k,k]": lambda f, g, i: (at("WY", f, i[0]), op1("H", f, (i[0], i[0]))),
    "M is g U (f & g)": lambda f, g, i: (op2("M", f, g, i), op2("U", g, ir.and_(f, g), i)),
    "W is g R (f | g)": lambda f, g, i: (op2("W", f, g, i), op2("R", g, ir.or_(f, g), i)),
    "first is WY false": lambda f, g, i: (FIRST, at("WY", FALSE, 1)),
    "last is WX false": lambda f, g, i: (LAST, at("WX", FALSE, 1)),
    "X splits over &": lambda f, g, i: (at("X", ir.and_(f, g), 1), ir.and_(at("X", f, 1), at("X", g, 1))),
    "G splits over &": lambda f, g, i: (op1("G", ir.and_(f, g), i), ir.and_(op1("G", f, i), op1("G", g, i))),
    "F splits over |": lambda f, g, i: (op1("F", ir.or_(f, g), i), ir.or_(op1("F", f, i), op1("F", g, i))),
    "U splits over |": lambda f, g, i: (
        op2("U", f, ir.or_(g, f), i), ir.or_(op2("U", f, g, i), op2("U", f, f, i))),
    "S splits over |": lambda f, g, i: (
        op2("S", f, ir.or_(g, f), i), ir.or_(op2("S", f, g, i), op2("S", f, f, i))),
    "-> is !f | g": lambda f, g, i: (formula("implies", (f, g)), ir.or_(not_(f), g)),
    "<-> is ! xor": lambda f, g, i: (formula("iff", (f, g)), not_(formula("xor", (f, g)))),
    "de Morgan": lambda f, g, i: (not_(ir.and_(f, g)), ir.or_(not_(f), not_(g))),
    "X Y f is f & X true": lambda f, g, i: (at("X", at("Y", f, 1), 1), ir.and_(f, at("X", TRUE, 1))),
    "Y X f is f & Y true": lambda f, g, i: (at("Y", at("X", f, 1), 1), ir.and_(f, at("Y", TRUE, 1))),
    "f U f is f": lambda f, g, i: (op2("U", f, f), f),
    "untimed W is U or G": lambda f, g, i: (op2("W", f, g), ir.or_(op2("U", f, g), op1("G", f))),
    "untimed M is R and F": lambda f, g, i: (op2("M", f, g), ir.and_(op2("R", f, g), op1("F", f))),
    "untimed U is W and F": lambda f, g, i: (op2("U", f, g), ir.and_(op2("W", f, g), op1("F", g))),
}  # fmt: skip


def differ(left: Formula, right: Formula, trace: Trace) -> int | None:
    """The first step at which two formulas differ in truth or robustness."""
    for t in range(len(trace)):
        if evaluate(left, trace, t) != evaluate(right, trace, t):
            return t
        if robustness(left, trace, t) != robustness(right, trace, t):
            return t
    return None


@pytest.mark.parametrize("name", LAWS)
def test_law(name: str) -> None:
    source = Seeded(name)
    for _ in range(SAMPLES):
        f, g = make_formula(source, PROFILE), make_formula(source, PROFILE)
        left, right = LAWS[name](f, g, interval(source, "U"))
        trace = make_trace(source, 1 + source.below(6))
        assert differ(left, right, trace) is None, (left, right, trace)


@pytest.mark.parametrize("op", ["F", "G", "O", "H"])
def test_windows_add_up(op: str) -> None:
    # F[a,b] F[c,d] f is F[a+c,b+d] f
    source = Seeded(op)
    for _ in range(SAMPLES):
        f = make_formula(source, PROFILE)
        (a, b), (c, d) = interval(source, op), interval(source, op)
        both = (a + c, None if b is None or d is None else b + d)
        trace = make_trace(source, 1 + source.below(6))
        assert differ(op1(op, op1(op, f, (c, d)), (a, b)), op1(op, f, both), trace) is None


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(LAWS)), formulas(), formulas(), st.integers(0, 3), st.integers(0, 3), traces())
def test_laws_on_what_hypothesis_finds(name: str, f: Formula, g: Formula, a: int, width: int, trace: Trace) -> None:
    left, right = LAWS[name](f, g, (a, a + width))
    assert differ(left, right, trace) is None


# ---------------------------------------------------------------- the past mirrors the future

MIRROR = {"F": "O", "G": "H", "X": "Y", "WX": "WY", "U": "S", "R": "T", "first": "last"}
MIRROR |= {b: a for a, b in MIRROR.items()}


def mirrored(root: Formula) -> Formula:
    made: dict[ir.Node, Formula] = {}
    for node in ir.postorder(root):
        if isinstance(node, Formula):
            args = node.args if node.op == "atom" else [made[a] for a in node.args]
            made[node] = formula(MIRROR.get(node.op, node.op), args, node.interval)
    return made[root]


def test_the_past_mirrors_the_future() -> None:
    # over Boolean atoms, and without M and W, which have no mirror image
    source = Seeded("mirror")
    profile = BY_PROFILE["propositional mixed"]
    operators = tuple(op for op in profile.operators if op not in ("M", "W"))
    profile = type(profile)("mirror", operators, profile.atoms, profile.ends)
    for _ in range(2000):
        f = make_formula(source, profile)
        trace = make_trace(source, 1 + source.below(6))
        back = Trace([{k: v for k, v in step.items() if k != "action"} for step in reversed(trace.valuations)])
        for t in range(len(trace)):
            assert evaluate(f, trace, t) == evaluate(mirrored(f), back, trace.last - t)
            assert robustness(f, trace, t) == robustness(mirrored(f), back, trace.last - t)


# ---------------------------------------------------------------- what robustness says of truth


def test_robustness_is_sound() -> None:
    source = Seeded("sound")
    decided = 0
    for _ in range(6000):
        f, trace = make_formula(source, PROFILE), make_trace(source)
        value = robustness(f, trace)
        assert value == value  # never NaN
        if value != 0:
            decided += 1
            assert evaluate(f, trace) == (value > 0), (f, trace)
    assert decided > 3000


@settings(max_examples=200, deadline=None)
@given(formulas(), traces())
def test_robustness_is_sound_on_what_hypothesis_finds(f: Formula, trace: Trace) -> None:
    value = robustness(f, trace)
    assert value == 0 or evaluate(f, trace) == (value > 0)


def test_the_sign_at_atoms() -> None:
    # where an atom is neither infinite nor zero, its sign is its truth; without a value it is false and -inf
    source = Seeded("atoms")
    for _ in range(6000):
        f, trace = PROFILE.atoms(source), make_trace(source, 1 + source.below(3))
        t = trace.last
        value, holds = robustness(f, trace, t), evaluate(f, trace, t)
        assert value == 0 or (value > 0) == holds
        if value == -float("inf"):
            assert not holds
            assert robustness(not_(f), trace, t) == float("inf")


POSITIVE = ("and", "or", "F", "G", "X", "WX", "U", "R", "W", "M", "O", "H", "Y", "WY", "S", "T")


def weaker(root: Formula, name: str) -> Formula:
    """The formula with the signal ``p`` replaced by a signal of another name."""
    made: dict[ir.Node, Formula] = {}
    for node in ir.postorder(root):
        if isinstance(node, Formula):
            if node is ir.prop("p"):
                made[node] = ir.prop(name)
            else:
                args = node.args if node.op == "atom" else [made[a] for a in node.args]
                made[node] = formula(node.op, args, node.interval)
    return made[root]


def test_all_but_negation_is_monotone() -> None:
    # replacing p by something that holds at least where p does cannot make a formula without negation false
    source = Seeded("monotone")
    profile = type(PROFILE)("positive", POSITIVE, BY_PROFILE["propositional mixed"].atoms)
    for _ in range(3000):
        f, trace = make_formula(source, profile), make_trace(source)
        more = Trace({**step, "more": step["p"] or step["r"]} for step in trace)
        assert evaluate(f, more) <= evaluate(weaker(f, "more"), more)
        assert robustness(f, more) <= robustness(weaker(f, "more"), more)


@pytest.mark.parametrize("op", ["F", "G", "U", "R", "M", "W", "O", "H", "S", "T"])
def test_wider_windows(op: str) -> None:
    # a wider window makes F, U, M, O, S easier and G, R, W, H, T harder
    source = Seeded(op)
    strong = op in "FUMOS"
    for _ in range(SAMPLES):
        f, g = make_formula(source, PROFILE), make_formula(source, PROFILE)
        args = (f,) if op in "FGOH" else (f, g)
        a, width, more = source.below(3), source.below(3), source.below(3)
        trace = make_trace(source)
        for t in range(len(trace)):
            narrow = robustness(formula(op, args, (a, a + width)), trace, t)
            wide = robustness(formula(op, args, (a, a + width + more)), trace, t)
            assert narrow <= wide if strong else narrow >= wide


# ---------------------------------------------------------------- what is not a law


def short_words(length: int) -> list[Trace]:
    steps = [{"p": p, "q": q} for p, q in itertools.product((False, True), repeat=2)]
    return [Trace(word) for word in itertools.product(steps, repeat=length)]


def counterexamples(left: Formula, right: Formula) -> list[tuple[Trace, int]]:
    words = [word for n in (1, 2, 3) for word in short_words(n)]
    return [(w, t) for w in words for t in range(len(w)) if evaluate(left, w, t) != evaluate(right, w, t)]


P, Q = ir.prop("p"), ir.prop("q")


def test_next_of_yesterday_is_not_the_formula() -> None:
    # X Y f is f & X true (a law above), and not f, as on infinite traces: there is no next step at the end
    assert [t for _, t in counterexamples(at("X", at("Y", P, 1), 1), P)] != []
    one = Trace([{"p": True, "q": False}])
    assert evaluate(P, one)
    assert not evaluate(at("X", at("Y", P, 1), 1), one)
    assert evaluate(at("WX", at("Y", P, 1), 1), one)


@pytest.mark.parametrize("op", ["U", "M"])
def test_a_timed_until_is_not_the_untimed_one_and_a_timed_eventually(op: str) -> None:
    timed = op2(op, P, Q, (1, 2))
    goal = Q if op == "U" else P
    both = ir.and_(op2(op, P, Q), op1("F", goal, (1, 2)))
    found = counterexamples(timed, both)
    assert found
    if op == "U":  # q at once, p not: the untimed one is done, the timed one needs p until its window
        word = Trace([{"p": False, "q": True}, {"p": False, "q": True}])
        assert not evaluate(timed, word)
        assert evaluate(both, word)
    # with a = 0 it is one
    assert counterexamples(op2("U", P, Q, (0, 2)), ir.and_(op2("U", P, Q), op1("F", Q, (0, 2)))) == []
