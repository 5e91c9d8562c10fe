import pytest

from agentc.lang.ast import Expr, FormulaItem, Name, Nary, Temporal, Unary
from agentc.lang.english import DEPTH, english
from agentc.lang.parser import parse
from agentc.lang.source import Source, Span


def formula(text: str) -> Expr:
    result = parse(Source("<formula>", f"agent A {{\n  task f = {text}\n}}\n"))
    assert not result.diagnostics, result.diagnostics
    (agent,) = result.module.items
    (item,) = agent.items
    assert isinstance(item, FormulaItem)
    return item.body


READINGS = [
    # ---------------------------------------------------------------- Boolean operators
    ("a", "a"),
    ("true", "true"),
    ("!a", "not a"),
    ("!(a & b)", "not (a and b)"),
    ("!!a", "not (not a)"),
    ("a & b", "a and b"),
    ("a & b & c", "a, b and c"),
    ("a | b | c", "a, b or c"),
    ("(a | b) & c", "(a or b) and c"),
    ("a | b & c", "a or (b and c)"),
    ("a -> b", "if a, then b"),
    ("a & b -> c | d", "if a and b, then c or d"),
    ("a -> b -> c", "if a, then (if b, then c)"),
    ("(a -> b) & c", "(if a, then b) and c"),
    ("a <-> b", "a exactly when b"),
    ("a xor b", "either a or b, but not both"),
    ("a xor b | c", "either a or (b or c), but not both"),
    # ---------------------------------------------------------------- atoms
    ("x == 3", "x is 3"),
    ("x != 3", "x is not 3"),
    ("!x == 3", "x is not 3"),
    ("x < 3", "x is below 3"),
    ("x <= 3", "x is at most 3"),
    ("x > 3", "x is above 3"),
    ("x >= 3m", "x is at least 3m"),
    ("!x > 3", "not (x is above 3)"),
    ("0 <= x < 5", "x is at least 0 and below 5"),
    ("0 < x < y == 5", "0 is below x, x is below y and y is 5"),
    ("G 0 <= x < 5", "always: x is at least 0 and below 5"),
    ("x + 2 * y > -z", "x + (2 * y) is above -z"),
    ("(x - 1) / 2 > x ** 2", "(x - 1) / 2 is above x ** 2"),
    ("x in [0, 1]", "x is between 0 and 1"),
    ("x not in [0, 1]", "x is not between 0 and 1"),
    ("x in [1, inf)", "x is at least 1"),
    ("x in (-inf, 1]", "x is at most 1"),
    ("c in {red, green}", "c is red or green"),
    ("c not in {red, green}", "c is none of red or green"),
    ("(x, y) in wall", "(x, y) is in wall"),
    ("(x, y) not in wall", "(x, y) is not in wall"),
    ("!((x, y) in wall)", "(x, y) is not in wall"),
    ("(x, y) in circle(center = (3, 1), radius = 0.5)", "(x, y) is in circle(center = (3, 1), radius = 0.5)"),
    ("finish.answer in seen(reply)", "finish.answer occurs in some reply seen so far"),
    ("a not in seen(reply)", "a occurs in no reply seen so far"),
    ("a from user", "a comes from user"),
    ('name == "x"', "name is “x”"),
    ("prev.door == open -> door == open", "if the previous door is open, then door is open"),
    ("p[1] > 0", "p[1] is above 0"),
    ("abs(x) > 1", "the size of x is above 1"),
    ("dist(p, q) < 1", "the distance from p to q is below 1"),
    ("max(x, y) < 1", "max(x, y) is below 1"),
    ("near(x, at = 2)", "near(x, at = 2)"),
    ("count(a) > 2", "the number of steps so far with a is above 2"),
    ("count[<= 3](a & b) > 2", "the number of steps with (a and b) within the last 3 steps is above 2"),
    ("sum(x when a) > 2", "the sum of x over the steps with a is above 2"),
    ("rate(a, 1h) > 2", "the rate of a per 1h is above 2"),
    ("first", "this is the first step"),
    ("!last", "this is not the last step"),
    ("first | a", "this is the first step or a"),
    # ---------------------------------------------------------------- the future
    ("G a", "always: a"),
    ("G !a", "never: a"),
    ("!F a", "never: a"),
    ("G !(a & b)", "never: a and b"),
    ("F a", "eventually a"),
    ("F (a & b)", "eventually (a and b)"),
    ("!G a", "not (always: a)"),
    ("F G a", "eventually, always: a"),
    ("G F a", "always: eventually a"),
    ("a & F b", "a and eventually b"),
    ("F a & F b", "(eventually a) and (eventually b)"),
    ("F (a & F (b & F c))", "eventually (a and eventually (b and eventually c))"),
    ("(F a) | b", "(eventually a) or b"),
    ("F (a | F b) & c", "(eventually (a or eventually b)) and c"),
    ("G (a -> F[<= 5] b)", "always: whenever a, then within 5 steps b"),
    ("G (F a -> b)", "always: whenever (eventually a), then b"),
    ("F[<= 1] a", "within 1 step a"),
    ("F[0, 5] a", "within 5 steps a"),
    ("F[2, 5] a", "2 to 5 steps from now a"),
    ("F[3, 3] a", "exactly 3 steps from now a"),
    ("F[0, 0] a", "now a"),
    ("F[>= 3] a", "3 steps from now or later a"),
    ("F[3, inf) a", "3 steps from now or later a"),
    ("F[0, inf) a", "eventually a"),
    ("F[<= 8 turns] a", "within 8 turns a"),
    ("F[0s, 5s] G[0s, 0.5s] a", "within 5s, throughout the next 0.5s: a"),
    ("F[6s, 12s] a", "6s to 12s from now a"),
    ("F[<= k] a", "within k steps a"),
    ("G[<= 5] a", "throughout the next 5 steps: a"),
    ("G[<= 5] !a", "throughout the next 5 steps: not a"),
    ("G[2, 5] a", "throughout 2 to 5 steps from now: a"),
    ("G[3, 3] a", "exactly 3 steps from now, if the trace lasts: a"),
    ("G[>= 3] a", "always from 3 steps on: a"),
    ("G[<= 5] (a -> b)", "throughout the next 5 steps: whenever a, then b"),
    ("X a", "at the next step a"),
    ("X[3] a", "exactly 3 steps from now a"),
    ("WX a", "at the next step, if there is one, a"),
    ("WX[3] a", "exactly 3 steps from now, if the trace lasts, a"),
    ("X X a", "at the next step, at the next step a"),
    ("a U b", "a until b, which must come"),
    ("a U[<= 5] b", "a until b, which must come within 5 steps"),
    ("(a & b) U F c", "(a and b) until (eventually c), which must come"),
    ("a W b", "a until b, which may never come"),
    ("a W[2, 5] b", "throughout 2 to 5 steps from now: a, unless b has come by then"),
    ("a R b", "b up to and including a step with a, which may never come"),
    ("a R[<= 5] b", "throughout the next 5 steps: b, unless a came before"),
    ("a M b", "b up to and including a step with a, which must come"),
    ("a M[<= 5] b", "b up to and including a step with a, which must come within 5 steps"),
    ("G (a U b)", "always: a until b, which must come"),
    ("a U b U c", "a until (b until c, which must come), which must come"),
    # ---------------------------------------------------------------- the past
    ("Y a", "at the previous step a"),
    ("Y[2] a", "exactly 2 steps ago a"),
    ("WY a", "at the previous step, if there was one, a"),
    ("WY[2] a", "exactly 2 steps ago, if the trace reaches back, a"),
    ("O a", "at some step so far a"),
    ("O[<= 5] a", "within the last 5 steps a"),
    ("O[2, 5] a", "2 to 5 steps ago a"),
    ("O[>= 5] a", "5 steps ago or earlier a"),
    ("H a", "so far always: a"),
    ("H !a", "so far never: a"),
    ("!O a", "so far never: a"),
    ("H[<= 5] a", "throughout the last 5 steps: a"),
    ("H[2, 5] a", "throughout 2 to 5 steps ago: a"),
    ("H[>= 5] a", "always until 5 steps ago: a"),
    ("a S b", "a ever since a step with b, which must have come"),
    ("a S[<= 5] b", "a ever since a step with b, which must have come within the last 5 steps"),
    ("a T b", "so far always: b, unless a came after it"),
    ("a T[<= 5] b", "throughout the last 5 steps: b, unless a came after it"),
    # ---------------------------------------------------------------- each
    ("each id : G (pay.order == id -> O ok.order == id)",
     "for each id: always: whenever pay.order is id, then at some step so far ok.order is id"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reading"), READINGS, ids=[text for text, _ in READINGS])
def test_readings(text, reading):
    assert english(formula(text)) == reading


def test_different_formulas_have_different_readings():
    same = {"G !a": {"!F a"}, "H !a": {"!O a"}, "x != 3": {"!x == 3"}, "F a": {"F[0, inf) a"},
            "F[>= 3] a": {"F[3, inf) a"}, "F[3, 3] a": {"X[3] a"},
            "(x, y) not in wall": {"!((x, y) in wall)"}}  # fmt: skip
    seen = {}
    for text, reading in READINGS:
        other = seen.setdefault(reading, text)
        assert other == text or text in same.get(other, ()) or other in same.get(text, ()), (other, text)


SPAN = Span(Source("a", "a"), 0, 1)
A = Name("a", span=SPAN)


def test_deep_formulas_are_cut_and_never_fail():
    expr: Expr = A
    for _ in range(100_000):
        expr = Unary("!", Temporal("F", None, expr, span=SPAN), span=SPAN)
    text = english(expr)
    assert text.endswith("..." + ")" * text.count("("))
    assert len(text) < 100 * DEPTH


def test_long_chains_are_cut():
    text = english(Nary("&", (A,) * 10_000, span=SPAN))
    assert text.endswith("a and 9941 more") and len(text) < 500
