"""Expressions: what they mean, and what is said about those that mean nothing."""

import math
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentc.compiler.logic import ir, semantics
from agentc.lang.folding import FOLDED, NoValue, fold
from agentc.lang.lints import unused
from agentc.lang.typed import postorder

P, Q, R = "(atom signal:p)", "(atom signal:q)", "(atom signal:r)"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        # connectives and operators
        ("p", P),
        ("true & !false", "(and true (not false))"),
        ("p & q | r -> p", f"(implies (or (and {P} {Q}) {R}) {P})"),
        ("p xor q <-> r", f"(iff (xor {P} {Q}) {R})"),
        ("G F p", f"(G[0,inf] (F[0,inf] {P}))"),
        ("first & last", "(and first last)"),
        ("p U[1, 3] q", f"(U[1,3] {P} {Q})"),
        ("X p & X[2] q & WX p & Y p & WY[3] p", None),
        ("O[<= 4] p & H[>= 2] q", f"(and (O[0,4] {P}) (H[2,inf] {Q}))"),
        ("p S q", f"(S[0,inf] {P} {Q})"),
        ("p T[2, inf) q", f"(T[2,inf] {P} {Q})"),
        ("p M q", f"(M[0,inf] {P} {Q})"),
        ("always (p until q)", f"(G[0,inf] (U[0,inf] {P} {Q}))"),
        # comparisons
        ("k < 3", "(atom (compare:< signal:k const:3))"),
        (
            "0 <= x < 5",
            "(and (atom (compare:<= const:0.0 signal:x)) (atom (compare:< signal:x const:5.0)))",
        ),
        ("p == true", "(atom (compare:== signal:p const:True))"),
        ("p != q", "(atom (compare:!= signal:p signal:q))"),
        ("(p & q) == r", f"(iff (and {P} {Q}) {R})"),
        ("(p & q) != r", f"(xor (and {P} {Q}) {R})"),
        ("door == open", "(atom (compare:== signal:door const:open))"),
        ("open != tile", "(atom (compare:!= const:open signal:tile))"),
        ("tile == door", "(atom (compare:== signal:tile const:door))"),
        ("door == tile", "(atom (compare:== const:door signal:tile))"),
        ('say == "a" & say != heard', None),
        # units
        ("x > 3km", "(atom (compare:> signal:x const:3000.0))"),
        ("d > 3", "(atom (compare:> signal:d const:3000.0))"),
        ("heading > 180", f"(atom (compare:> signal:heading const:{math.pi}))"),
        ("heading > theta", "(atom (compare:> signal:heading signal:theta))"),
        ("x / t > 1", "(atom (compare:> (div signal:x signal:t) const:1.0))"),
        ("v * t > x", "(atom (compare:> (mul signal:v signal:t) signal:x))"),
        ("sqrt(x * x + y ** 2) < 50cm", None),
        ("x > 500cm + 1m", "(atom (compare:> signal:x const:6.0))"),
        ("x + 4km > 1", "(atom (compare:> (add signal:x const:4000.0) const:1.0))"),
        ("x + d > 0", "(atom (compare:> (add signal:x signal:d) const:0))"),
        ("d / 2 > 1", "(atom (compare:> (div signal:d const:2) const:1000.0))"),
        ("sin(theta) + cos(0.5) > tan(30deg)", None),
        ("exp(x / 1m) > log(2)", None),
        ("atan2(y, x) > 90deg", None),
        ("min(k, n, 3) < max(k, 2)", None),
        # membership
        ("k in {1, 2}", "(atom (in_set:False signal:k const:1 const:2))"),
        ("x not in {1, 2km}", "(atom (in_set:True signal:x const:1.0 const:2000.0))"),
        ("door in {open, closed}", "(atom (in_set:False signal:door const:open const:closed))"),
        ("x in [0, 5]", "(atom (in_range:False signal:x const:0.0 const:5.0))"),
        ("x not in [0, inf)", "(atom (compare:< signal:x const:0.0))"),
        ("x in (-inf, 2]", "(atom (compare:<= signal:x const:2.0))"),
        ("k in seen(n)", "(atom (in_seen:False signal:k signal:n))"),
        ("say in seen(heard)", "(atom (occurs_in_seen:False signal:say signal:heard))"),
        ("finish.answer in seen(reply)", "(atom (occurs_in_seen:False signal:finish.answer signal:reply.text))"),
        ("finish.answer from reply", "(atom (from:False signal:finish.answer@from const:reply))"),
        ("finish.answer from user", "(atom (from:False signal:finish.answer@from const:user))"),
        # texts
        ('contains(say, "a")', "(atom (contains:False signal:say const:a))"),
        ('!starts_with(reply, "a")', "(not (atom (starts_with:False signal:reply.text const:a)))"),
        ('ends_with(say, heard) & matches(say, "a+")', None),
        ("length(say) > 3", "(atom (compare:> (length signal:say) const:3))"),
        # vectors and regions
        ("norm(pos) < 2", "(atom (compare:< (norm signal:pos) const:2.0))"),
        ("dist((x, y), (1, 2)) < 50cm", None),
        ("pos[1] > 1", "(atom (compare:> (index:1 signal:pos) const:1.0))"),
        ("(3, 4)[1] > k", "(atom (compare:> const:4 signal:k))"),
        ("pos in ball((0, 0), 1)", "(atom (in_region:False signal:pos (ball const:(0.0, 0.0) const:1.0)))"),
        (
            "(x, y) not in box(lo = (0, 0), hi = (1km, 50cm))",
            "(atom (in_region:True (tuple signal:x signal:y) (box const:(0.0, 0.0) const:(1000.0, 0.5))))",
        ),
        (
            "(d, d) in box((0, 0), (1, 2))",
            "(atom (in_region:False (tuple signal:d signal:d) (box const:(0.0, 0.0) const:(1000.0, 2000.0))))",
        ),
        (
            "(x, y) in circle(center = (v * t, 0), radius = 1)",
            "(atom (in_region:False (tuple signal:x signal:y)"
            " (ball (tuple (mul signal:v signal:t) const:0.0) const:1.0)))",
        ),
        (
            "x in box(0, 1) ",
            "(atom (in_region:False (tuple signal:x) (box const:(0.0,) const:(1.0,))))",
        ),
        (
            "(x, y) in union(ball((0, 0), 1), complement(halfspace((1, 0), 3)))",
            "(atom (in_region:False (tuple signal:x signal:y) (union (ball const:(0.0, 0.0) const:1.0)"
            " (complement (halfspace const:(1, 0) const:3.0)))))",
        ),
        (
            "(x, y) in polytope(normals = [(1, 0), (0, 1)], offsets = [1, 2])",
            "(atom (in_region:False (tuple signal:x signal:y) (polytope (halfspace const:(1, 0) const:1.0)"
            " (halfspace const:(0, 1) const:2.0))))",
        ),
        ("(x, y) in polytope(halfspace((1, 0), 1), halfspace((0, 1), 1))", None),
        ("(x, y) in intersection(ball((0, 0), 1), ellipsoid((0, 0), (1, 2)))", None),
        (
            "(x, theta) in box((0, 0), (1, 1), scale = (2m, 0.5))",
            "(atom (in_region:False (tuple (div signal:x const:2.0) (div signal:theta const:0.5))"
            " (box const:(0.0, 0.0) const:(0.5, 2.0))))",
        ),
        # the past
        ("count(p) > 3", f"(atom (compare:> (count[0,inf] {P}) const:3))"),
        ("count[<= 1s](p) > 3", f"(atom (compare:> (count[0,10] {P}) const:3))"),
        ("rate(p, 1s) >= 2", f"(atom (compare:>= (count[0,10] {P}) const:2))"),
        ("sum(x when p) > 2", f"(atom (compare:> (sum[0,inf] signal:x {P}) const:2.0))"),
        ("sum[0, 3](k) > 2", "(atom (compare:> (sum[0,3] signal:k true) const:2))"),
        ("first | prev.x < x", "(or first (atom (compare:< prev:x signal:x)))"),
        ("first | prev.p", "(or first (atom prev:p))"),
        ("first | prev.finish.answer == say", None),
        ("time < 3s", None),
        # durations
        ("F[0s, 1.5s] p", f"(F[0,15] {P})"),
        ("F[300ms, 1min] p", f"(F[3,600] {P})"),
        ("F[0.3s, 0.7s] p", f"(F[3,7] {P})"),  # 0.3 / 0.1 is not 3 in binary
        ("X[0.2s] p", f"(X[2,2] {P})"),
        ("F[2 steps, 4] p", f"(F[2,4] {P})"),
    ],
)
def test_meaning(bench, text, tree):
    shown = bench().show(text)
    assert tree is None or shown == tree


def test_counting_turns(bench):
    b = bench(trace="phases")
    typed = b.formula("F[<= 8 turns] finish & G[0, 2 turns] p")
    assert not b.found()
    turns = [(n.op, n.interval, n.value) for n in postorder(typed) if n.interval is not None]
    assert turns == [("F", (0, 8), "turns"), ("G", (0, 2), "turns")]


@pytest.mark.parametrize(
    ("text", "code", "place", "suggestion"),
    [
        # names
        ("dor == open", "AS0203", "dor", "door"),
        ("open == dor", "AS0203", "dor", "door"),
        ("G (p & doors == open)", "AS0203", "doors", "door"),
        ("sinn(x) > 0", "AS0204", "sinn", "sin"),
        ("door == opne", "AS0205", "opne", "open"),
        ("door in {open, clsed}", "AS0205", "clsed", "closed"),
        ("finish.anwser in seen(reply)", "AS0206", "anwser", "answer"),
        ("x.speed > 1", "AS0206", "speed", None),
        ("open", "AS0207", "open", None),
        ("thought & k in seen(finish)", "AS0208", "finish", None),
        ("alwys (p)", "AS0209", "alwys", "always"),
        ("eventualy (p)", "AS0209", "eventualy", "eventually"),
        ("finish.answer from rply", "AS0203", "rply", "reply"),
        ("GF(p)", "AS0220", "GF", None),
        ("AG(p)", "AS0220", "AG", None),
        ("fair(p)", "AS0220", "fair", None),
        # types
        ("x + p > 1", "AS0301", "p", None),
        ("length(x) > 1", "AS0301", "x", None),
        ("norm(x) > 1", "AS0301", "x", None),
        ("p > 1", "AS0302", "p > 1", None),
        ("door == k", "AS0302", "door == k", None),
        ('door == "opn"', "AS0302", 'door == "opn"', "open"),
        ("tile == action", "AS0302", "tile == action", None),
        ("door < open", "AS0303", "door < open", None),
        ("say < heard", "AS0303", "say < heard", None),
        ("p < q", "AS0303", "p < q", None),
        ("abs(x, y) > 1", "AS0304", "abs(x, y)", None),
        ("k in seen(n, k)", "AS0304", "seen(n, k)", None),
        ("abs(x = 1) > 1", "AS0305", "x", None),
        ("(x, y) in circle(centre = (0, 0), radius = 1)", "AS0305", "centre", "center"),
        ("(x, y) in circle((0, 0), 1, radius = 2)", "AS0306", "radius = 2", None),
        ("(x, y) in circle((0, 0))", "AS0307", "circle((0, 0))", None),
        ("F[0, k] p", "AS0308", "k", None),
        ("matches(say, heard)", "AS0308", "heard", None),
        ("door", "AS0311", "door", None),
        ("G (x + 1)", "AS0311", "x + 1", None),
        ("count(F p) > 2", "AS0312", "F p", None),
        ("(x, y, t) in circle((0, 0), 1)", "AS0313", "(x, y, t) in circle((0, 0), 1)", None),
        ("dist((x, y), (1, 2, 3)) > 1", "AS0313", "dist((x, y), (1, 2, 3))", None),
        ("x in [5, 0]", "AS0314", "[5, 0]", None),
        ("(x, y) in box((1, 1), (0, 2))", "AS0314", "box((1, 1), (0, 2))", None),
        ("k > 1 / 0", "AS0316", "1 / 0", None),
        ("k > log(-1)", "AS0316", "log(-1)", None),
        ("k > exp(1000)", "AS0316", "exp(1000)", None),
        ("pos[2] > 1", "AS0317", "2", None),
        ('matches(say, "[")', "AS0318", '"["', None),
        ("prev.finsh", "AS0203", "finsh", "finish"),
        ("(x, y) in circle((0, 0), -1)", "AS0323", "-1", None),
        ("(x, y) in halfspace((0, 0), 1)", "AS0323", "(0, 0)", None),
        ("box((0, 0), (1, 1))", "AS0325", "box((0, 0), (1, 1))", None),
        ("seen(p)", "AS0325", "seen(p)", None),
        ("prev(x) > 1", "AS0325", "prev(x)", None),
        ("p(q)", "AS0208", "p", None),
        # units and time
        ("x > 3mm/sek", "AS0401", "sek", None),
        ("x > 3kmm", "AS0401", "kmm", "km"),
        ("x > 3s", "AS0402", "x > 3s", None),
        ("x + t > 3s", "AS0402", "x + t", None),
        ("k > x", "AS0402", "k > x", None),
        ("min(x, t) > 0", "AS0402", "min(x, t)", None),
        ("x > 1 + 1m", "AS0402", "1 + 1m", None),
        ("sin(x) > 0", "AS0403", "x", None),
        ("exp(x) > 0", "AS0403", "x", None),
        ("2 ** x > 0", "AS0403", "x", None),
        ("x ** k > 0", "AS0308", "k", None),
        ("(x, t) in box((0, 0), (1, 1))", "AS0404", "(x, t) in box((0, 0), (1, 1))", None),
        ("x + d > 3", "AS0405", "3", None),
        ("G[0, 0.25s] p", "AS0406", "0.25s", None),
        ("rate(p, 0.25s) > 1", "AS0406", "0.25s", None),
        ("F[<= 2 turns] p", "AS0408", "[<= 2 turns]", None),
        ("F[5, 2] p", "AS0409", "[5, 2]", None),
        ("F[-1, 2] p", "AS0409", "[-1, 2]", None),
        ("F[0, 2.5] p", "AS0410", "2.5", None),
        ("F[0, 5m] p", "AS0412", "5m", None),
        ("F[0, say] p", "AS0308", "say", None),
        ("(x, y) in circle((0s, 0), 1)", "AS0414", "(0s, 0)", None),
        # lints
        ("x == 2", "AS0321", "x == 2", None),
        ("1 < 2", "AS0322", "1 < 2", None),
        ("k > 20", "AS0322", "k > 20", None),
        ("v <= 5km/h", "AS0322", "v <= 5km/h", None),
        ("prev.p", "AS0580", "prev.p", None),
        ("action == left", "AS0580", "action == left", None),
        ("p -> q -> r", "AS0581", "p -> q -> r", None),
        ("p U q R r", "AS0581", "p U q R r", None),
    ],
)
def test_reports(bench, text, code, place, suggestion):
    b = bench()
    assert b.codes(text) == [(code, place)]
    found = b.elaborator.diagnostics[0]
    assert suggestion is None or f"`{suggestion}`" in (found.help or "")
    if suggestion is not None:
        assert found.fix is not None and found.fix.edits[0].replacement == suggestion


def test_what_a_report_says(bench):
    b = bench()
    b.formula("G[0, 0.25s] (x > 3s)")
    neighbours, units = sorted(b.elaborator.diagnostics, key=lambda d: d.code, reverse=True)
    assert units.message == "`>` joins m and s"
    assert neighbours.message == "0.25s is not a whole number of steps of 0.1s"
    assert "0.2s and 0.3s" in neighbours.help


def test_without_a_step_a_duration_says_what_would_work(bench):
    b = bench(step=None)
    assert b.codes("F[0s, 2s] p") == [("AS0407", "0s")]
    assert "`step 0.1s`" in b.elaborator.diagnostics[0].help


def test_five_mistakes_give_five_reports(bench):
    b = bench()
    found = b.codes("G (dor == open -> x > 3s) & F[5, 2] p & sinn(x + y) > 0 & door == opne & (dor == closed | q)")
    assert sorted(c for c, _ in found) == ["AS0203", "AS0204", "AS0205", "AS0402", "AS0409"]


# ---------------------------------------------------------------- constants


numbers = st.one_of(st.integers(-100, 100), st.floats(-100, 100))


@given(st.sampled_from(sorted(FOLDED)), st.lists(numbers, min_size=1, max_size=3), st.text(max_size=4))
def test_constants_mean_what_the_semantics_says(op, values, text):
    if op in ("norm", "dist"):
        values = [tuple(values), tuple(values[::-1])]
    if op == "length":
        values = [text]
    arity = {"norm": 1, "dist": 2}.get(op, ir.FUNCTIONS[op])
    values = (values * 2)[:arity] if arity is not None else values * 2
    meant = semantics.apply(ir.term(op), list(values))
    try:
        found = fold(op, list(values))
    except NoValue:
        found = None
    assert found == meant


def test_every_function_is_folded():
    assert set(FOLDED) == set(ir.FUNCTIONS)


@pytest.mark.parametrize(
    ("text", "value"),
    [("2 * 3 + 1", 7), ("-2 ** 2", -4.0), ("50cm", 0.5), ("(1, 2m / 1m)", (1, 2.0)), ("1h / 1min", 60.0), ('"a"', "a"),
     ("true", True), ("min(3, 2)", 2), ("norm((3, 4))", 5.0), ("90deg", math.pi / 2)],
)  # fmt: skip
def test_values(bench, text, value):
    b = bench()
    assert b.elaborator.constant(b.expr(text), b.scope) == value
    assert not b.found()


def test_settings(bench):
    b = bench("const rate_of = 3")
    module = b._parsed(
        """agent A { train ppo { a = 1; b = [1, 2s]; c = adam; d = { x in [0, 1]; y = rate_of * 2 }
        e = linear(1, end = 0)
        f = "t"; g = -1.5; h = true } }"""
    )
    record = module.items[0].items[0].settings
    assert b.elaborator.setting(record, b.scope) == {
        "a": 1, "b": (1, 2.0), "c": "adam", "d": {"x": {"in": (0, 1)}, "y": 6},
        "e": {"call": "linear", "arguments": (1,), "end": 0}, "f": "t", "g": -1.5, "h": True,
    }  # fmt: skip
    assert not b.found()


# ---------------------------------------------------------------- definitions

DEFINITIONS = """
const half : real [m] = 50cm
const limit = two + 1
const two = 2
param reach : real [m] = 3
const goal_state : enum {locked, closed, open} = open
pattern ordered(a : prop, b : prop) = F (a & F b)
pattern response(a : prop, b : prop, d : duration = 1s) = G (a -> F[0, d] b)
pattern within(a : prop, k : int = 3) = F[0, k] a
pattern near(u : real, w : real, tolerance : real = 0.5m) = G (abs(u - w) <= tolerance)
pattern visit(g : region) = F (x, y) in g
pattern state_is(s : enum {locked, closed, open}) = G door == s
pattern twice(f : formula) = f & X f
pattern captured(p : prop) = p & q
pattern moved(a : prop) = G (first | prev.a -> a)
prop both = p & q
prop alias = both
prop close(c : real) = abs(x - c) < 1
region depot = circle(center = (3, 1), radius = half)
region disc(c : vec[2], r : real) = circle(center = c, radius = r)
region ring(g : region) = intersection(g, complement(disc((0, 0), 1)))
"""


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("ordered(p, q)", f"(F[0,inf] (and {P} (F[0,inf] {Q})))"),
        ("ordered(b = p, a = q)", f"(F[0,inf] (and {Q} (F[0,inf] {P})))"),
        ("response(p, q)", f"(G[0,inf] (implies {P} (F[0,10] {Q})))"),
        ("response(p, q, 5)", f"(G[0,inf] (implies {P} (F[0,5] {Q})))"),
        ("response(p, q, d = 500ms)", f"(G[0,inf] (implies {P} (F[0,5] {Q})))"),
        ("within(p)", f"(F[0,3] {P})"),
        ("near(x, y)", "(G[0,inf] (atom (compare:<= (abs (sub signal:x signal:y)) const:0.5)))"),
        ("near(x, 3, 1)", "(G[0,inf] (atom (compare:<= (abs (sub signal:x const:3.0)) const:1.0)))"),
        ("near(theta, heading, 5deg)", None),
        ("visit(depot)", "(F[0,inf] (atom (in_region:False (tuple signal:x signal:y)"
         " (ball const:(3.0, 1.0) const:0.5))))"),
        ("visit(box((0, 0), (1, 1)))", None),
        ("state_is(open)", "(G[0,inf] (atom (compare:== signal:door const:open)))"),
        ("captured(r)", f"(and {R} {Q})"),
        ("twice(G p)", f"(and (G[0,inf] {P}) (X[1,1] (G[0,inf] {P})))"),
        ("moved(p)", f"(G[0,inf] (implies (or first (atom prev:p)) {P}))"),
        ("both & r", f"(and (and {P} {Q}) {R})"),
        ("close(2)", "(atom (compare:< (abs (sub signal:x const:2.0)) const:1.0))"),
        ("close(2km)", "(atom (compare:< (abs (sub signal:x const:2000.0)) const:1.0))"),
        ("x > half & k > limit", "(and (atom (compare:> signal:x const:0.5)) (atom (compare:> signal:k const:3)))"),
        ("x > reach", "(atom (compare:> signal:x const:3.0))"),
        ("door == goal_state", "(atom (compare:== signal:door const:open))"),
        ("(x, y) in ring(depot)", "(atom (in_region:False (tuple signal:x signal:y) (intersection"
         " (ball const:(3.0, 1.0) const:0.5) (complement (ball const:(0.0, 0.0) const:1.0)))))"),
    ],
)  # fmt: skip
def test_expansion(bench, text, tree):
    shown = bench(DEFINITIONS).show(text)
    assert tree is None or shown == tree


def test_the_definitions_by_themselves(bench):
    assert bench(DEFINITIONS).define() == []


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("ordered(p)", "AS0307", "ordered(p)"),
        ("ordered", "AS0304", "ordered"),
        ("ordered(p, q, r)", "AS0304", "ordered(p, q, r)"),
        ("ordered(p, c = q)", "AS0305", "c"),
        ("ordered(p, a = q)", "AS0306", "a = q"),
        ("ordered(p, F q)", "AS0312", "F q"),
        ("ordered(p, x)", "AS0311", "x"),
        ("ordred(p, q)", "AS0204", "ordred"),
        ("response(p, q, 3m)", "AS0301", "3m"),
        ("within(p, k = 2.5)", "AS0301", "2.5"),
        ("visit(x)", "AS0208", "x"),
        ("visit(deppt)", "AS0203", "deppt"),
        ("state_is(opn)", "AS0205", "opn"),
        ("depot", "AS0208", "depot"),
        ("x in depot", "AS0313", "x in depot"),
        ("(x, y) in both", "AS0208", "both"),
        # in the body, with the call shown
        ("response(p, q, 0.25s)", "AS0406", "d"),
        ("near(x, t)", "AS0402", "u - w"),
        ("moved(both)", "AS0319", "prev.a"),
    ],
)
def test_expansion_reports(bench, text, code, place):
    assert bench(DEFINITIONS).codes(text) == [(code, place)]


def test_a_report_in_a_body_shows_the_calls(bench):
    b = bench(DEFINITIONS + "pattern outer(w : real) = near(w, t)\n")
    b.formula("outer(x)")
    (found,) = b.elaborator.diagnostics
    assert [a.span.text for a in found.annotations] == ["near(w, t)", "outer(x)"]


def test_a_parameter_does_not_capture_and_is_not_captured(bench):
    b = bench("pattern f(q : prop) = p & q\nprop local = r\npattern g(r : prop) = local & r")
    assert b.show("f(r)") == f"(and {P} {R})"
    assert b.show("f(p & q)") == f"(and {P} (and {P} {Q}))"
    assert b.show("g(q)") == f"(and {R} {Q})"


def test_overrides_of_parameters(bench):
    b = bench(DEFINITIONS, overrides={"reach": bench.expr("5km")})
    assert b.show("x > reach") == "(atom (compare:> signal:x const:5000.0))"
    b = bench(DEFINITIONS, overrides={"reach": bench.expr("5s")})
    assert b.codes("x > reach") == [("AS0414", "5s")]


def test_a_proposition_is_one_object_and_marked(bench):
    b = bench(DEFINITIONS)
    typed = b.formula("F (both & X both & alias)")
    named = {id(n): n.proposition for n in postorder(typed) if n.proposition}
    assert sorted(named.values()) == ["alias", "both"]


def test_the_same_call_is_the_same_object(bench):
    b = bench(DEFINITIONS)
    typed = b.formula("within(p, 2) & X within(p, 2) & within(p, 3)")
    assert typed.args[0] is typed.args[1].args[0]
    assert typed.args[0] is not typed.args[2]


def test_durations_of_a_pattern_are_counted_in_the_steps_of_the_use(bench):
    b = bench("pattern soon(a : prop) = F[0, 1s] a")
    assert b.show("soon(p)") == f"(F[0,10] {P})"
    coarse = b.scope.child(step=0.5)
    assert repr(b.elaborator.formula(b.expr("soon(p)"), coarse)) == f"(F[0,2] {P})"


@pytest.mark.parametrize(
    ("definitions", "code", "place"),
    [
        ("pattern f(a : prop) = a | X f(a)", "AS0215", "f(a)"),
        ("pattern f(a : formula) = g(a)\npattern g(a : formula) = f(a)", "AS0215", "f(a)"),
        ("prop a = b\nprop b = a", "AS0215", "a"),
        ("const a = b\nconst b = a + 1", "AS0215", "a"),
        ("region a = union(ball((0, 0), 1), a)", "AS0215", "a"),
        ("pattern f(a : prop) = G (a & zz)", "AS0203", "zz"),
        ("pattern f(a : propp) = G a", "AS0309", "propp"),
        ("pattern f(a : prop, a : prop) = G a", "AS0201", "a"),
        ("pattern f(a : prop, k : int = 2.5) = G a", "AS0301", "2.5"),
        ("pattern abs(a : prop) = G a", "AS0202", "abs"),
        ("prop first = p", "AS0202", "first"),
        ("prop a = p\nprop a = q", "AS0201", "a"),
        ("prop a = F p", "AS0312", "F p"),
        ("prop a = x", "AS0311", "x"),
        ("const a : real in [0, 1] = 3", "AS0315", "3"),
        ("const a : text[1..2] = \"abc\"", "AS0315", '"abc"'),
        ("const a : int = 1.5", "AS0301", "1.5"),
        ("const a : real [m] = 3s", "AS0414", "3s"),
        ("const a = x", "AS0308", "x"),
        ("const a = 1 / 0", "AS0316", "1 / 0"),
        ("region a = p", "AS0208", "p"),
        ("region a = cirle((0, 0), 1)", "AS0203", "cirle"),
    ],
)  # fmt: skip
def test_definitions_report_once(bench, definitions, code, place):
    b = bench(definitions)
    b.define()
    assert b.found() == [(code, place)]


def test_formulas_can_name_each_other(bench):
    b = bench()
    module = b._parsed("agent A { task a = F p\n safe b = G (q | a) \n task c = c }")
    from agentc.lang.imports import declare

    for item in module.items[0].items:
        declare(item, b.scope)
    assert b.show("b & !a") == f"(and (G[0,inf] (or {Q} (F[0,inf] {P}))) (not (F[0,inf] {P})))"
    assert b.codes("c") == [("AS0215", "c")]
    assert b.codes("count(a) > 1")[1:] == [("AS0312", "a")]


def test_each(bench):
    b = bench()
    each = b._parsed("agent A { task t = each id, other : G (k == id -> O n == id) & F door == other }")
    body = each.items[0].items[0].body
    typed = b.elaborator.formula(body, b.scope)
    assert not b.found()
    assert {n.value: n.type.kind for n in postorder(typed) if n.value in ("id", "other")} == {
        "id": "int", "other": "enum"
    }  # fmt: skip
    bad = b._parsed("agent A { task t = each id : G id > 3 }").items[0].items[0].body
    b.elaborator.formula(bad, b.scope)
    assert b.found() == []
    worse = b._parsed("agent A { task t = each id : G (id -> p) }").items[0].items[0].body
    b.elaborator.formula(worse, b.scope)
    assert b.found() == [("AS0324", "id")]


# ---------------------------------------------------------------- lints


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("prev.p", True),
        ("first | prev.p", False),
        ("!first -> prev.p", False),
        ("!first & prev.p", False),
        ("first & prev.p", True),
        ("first -> prev.p", True),
        ("prev.p -> first", False),  # true at the first step, whatever `prev.p` is
        ("X prev.p", False),
        ("F prev.p", True),
        ("F[1, 3] prev.p", False),
        ("G (first | prev.p -> p)", False),
        ("first | O prev.p", True),
        ("Y true -> prev.p", False),
        ("q & !first -> (p | prev.p)", False),
        ("prev.p U p", True),
        ("X count(prev.p) > 3", True),
        ("X action == left", False),
        ("p & action == left", True),
    ],
)
def test_what_is_guarded_at_the_first_step(bench, text, warned):
    assert [c for c, _ in bench().codes(text)] == (["AS0580"] if warned else [])


def test_a_phase_called_action_has_a_value_at_once(bench):
    b = bench(trace="phases")
    assert b.codes("action == left") == []


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ("p -> q -> r", "p -> (q -> r)"),
        ("p -> (q -> r)", None),
        ("p -> # (\n q -> r", "p -> (q -> r)"),
        ("(p -> q) -> r", None),
        ("p -> q -> r -> p", "p -> (q -> r -> p)"),
        ("p U q R r", "p U (q R r)"),
        ("p until q release r", "p until (q release r)"),
        ("p U q U r", None),
        ("p U (q) R (r)", "p U ((q) R (r))"),
        ("p U[0, 3] q R r", "p U[0, 3] (q R r)"),
    ],
)
def test_chains(bench, text, reading):
    b = bench()
    b.formula(text)
    found = b.elaborator.diagnostics
    assert [d.code for d in found] == (["AS0581"] if reading else [])
    if reading and "((" not in reading:
        assert f"`{reading}`" in found[0].message


def test_unused(bench):
    b = bench(
        "const a = 1\nprop c = p\nprop _d = p\npattern f(x : prop) = x\nregion g = ball((0, 0), 1)\nprop used = q"
    )
    b.define()
    b.formula("used")
    assert [(d.code, d.values["name"]) for d in unused(b.scope)] == [
        ("AS0217", "a"), ("AS0217", "c"), ("AS0217", "f"), ("AS0217", "g")
    ]  # fmt: skip


# ---------------------------------------------------------------- bounds


def test_exponential_expansion_is_refused(bench):
    lines = [f"pattern d{i}(f : formula) = d{i + 1}(f) & d{i + 1}(X f)" for i in range(25)]
    b = bench("\n".join([*lines, "pattern d25(f : formula) = F f"]))
    assert b.codes("F d0(p)") == [("AS0218", "d0(p)")]
    assert [d.code for d in b.define()] == ["AS0218"]


def test_linear_expansion_is_not(bench):
    b = bench("pattern g(f : formula) = F (f & F f)")
    b.formula("g(" * 30 + "p" + ")" * 30)
    assert not b.found()


def test_deep_definitions(bench):
    lines = ["prop q0 = p", *(f"prop q{i} = q{i - 1} & p" for i in range(1, 400))]
    b = bench("\n".join(lines))
    assert [c for c, _ in b.codes("q399")] == ["AS0219"]
    b = bench("\n".join(lines))
    assert b.define() == []


def test_nothing_recurses_too_far(bench):
    """The parser bounds the depth of text, but trees can also be made by hand."""
    from agentc.lang import ast

    b = bench()
    span = b.expr("p").span
    for wrap in (
        lambda e: ast.Unary("!", e, span=span),
        lambda e: ast.Unary("-", e, span=span),
        lambda e: ast.Temporal("X", None, e, span=span),
        lambda e: ast.Binary("->", e, e, span=span) if e is None else ast.Nary("&", (e, e_p), span=span),
        lambda e: ast.Binary("-", e, ast.Number(1, "1", span=span), span=span),
        lambda e: ast.Call(ast.Name("abs", span=span), (ast.Argument(None, e, span=span),), span=span),
        lambda e: ast.Compare(("==",), (e, e_p), span=span),
        lambda e: ast.TupleExpr((e, e_p), span=span),
        lambda e: ast.Call(ast.Name("count", span=span), (ast.Argument(None, e, span=span),), span=span),
        lambda e: ast.Member(e_p, e, span=span),
    ):
        e_p = b.expr("p")
        expr = b.expr("p")
        for _ in range(30_000):
            expr = wrap(expr)
        margin = sys.getrecursionlimit()
        assert margin <= 1000
        b.elaborator.formula(expr, b.scope)
        b.elaborator.setting(expr, b.scope)
        b.elaborator.region(expr, b.scope)
        while isinstance(expr, ast.Unary | ast.Temporal):  # let go of it piece by piece
            expr = expr.operand
