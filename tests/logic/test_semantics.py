"""The reference semantics, sentence by sentence of the language's definition, against tables worked out by hand."""

import itertools
import math

import pytest

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import (
    FALSE,
    FIRST,
    LAST,
    TRUE,
    Formula,
    Term,
    atom,
    compare,
    const,
    formula,
    prop,
    signal,
    term,
)
from agentc.compiler.logic.semantics import contains, evaluate, robustness, signed_distance
from agentc.compiler.logic.trace import Trace

INF = math.inf
P, Q = prop("p"), prop("q")
X = signal("x")


def word(**columns: str) -> Trace:
    """A trace of Boolean signals: ``word(p="101")``."""
    length = len(next(iter(columns.values())))
    return Trace({name: column[t] == "1" for name, column in columns.items()} for t in range(length))


def numbers(**columns: list[object]) -> Trace:
    length = len(next(iter(columns.values())))
    return Trace({name: column[t] for name, column in columns.items()} for t in range(length))


def table(f: Formula, trace: Trace) -> str:
    return "".join("1" if evaluate(f, trace, t) else "0" for t in range(len(trace)))


def margins(f: Formula, trace: Trace) -> list[float]:
    return [robustness(f, trace, t) for t in range(len(trace))]


# ---------------------------------------------------------------- Boolean meaning

#            p = 0 1 1 0 1 0
#            q = 0 0 1 0 0 1
WORD = word(p="011010", q="001001")

ONE_ARGUMENT = [
    ("F", None, "111110"),
    ("F", (0, 0), "011010"),
    ("F", (1, 2), "111100"),
    ("F", (2, None), "111000"),
    ("F", (9, 12), "000000"),  # a window beyond the trace has nothing in it
    ("G", None, "000000"),
    ("G", (0, 1), "010000"),
    ("G", (1, 1), "110101"),  # at the last step there is no next one, and nothing is asked
    ("G", (9, 12), "111111"),
    ("X", (1, 1), "110100"),
    ("X", (0, 0), "011010"),
    ("X", (2, 2), "101000"),
    ("WX", (1, 1), "110101"),
    ("WX", (2, 2), "101011"),
    ("O", None, "011111"),
    ("O", (1, 1), "001101"),
    ("O", (1, 2), "001111"),
    ("O", (3, None), "000011"),
    ("H", None, "000000"),
    ("H", (1, 1), "101101"),
    ("H", (0, 1), "001000"),
    ("Y", (1, 1), "001101"),
    ("Y", (0, 0), "011010"),
    ("WY", (1, 1), "101101"),
    ("WY", (3, 3), "111011"),
]


@pytest.mark.parametrize(("op", "interval", "expected"), ONE_ARGUMENT)
def test_operators_of_one_argument(op: str, interval: ir.Interval | None, expected: str) -> None:
    assert table(formula(op, (P,), interval), WORD) == expected


TWO_ARGUMENTS = [
    ("U", None, "011011"),  # p U q
    ("U", (1, 1), "010010"),  # p now and q next
    ("U", (1, 2), "010010"),
    ("U", (0, 0), "001001"),
    ("R", None, "001001"),  # q until and including p with q, or to the end
    ("R", (1, 1), "011011"),  # q next, or p now, or no next step
    ("M", None, "001000"),
    ("W", None, "011011"),
    ("S", None, "001001"),  # q once and p ever since
    ("S", (1, 1), "000000"),
    ("T", None, "001000"),
    ("T", (1, 1), "111110"),  # q before, or p now, or no step before
]


@pytest.mark.parametrize(("op", "interval", "expected"), TWO_ARGUMENTS)
def test_operators_of_two_arguments(op: str, interval: ir.Interval | None, expected: str) -> None:
    assert table(formula(op, (P, Q), interval), WORD) == expected


def test_ends_of_the_trace() -> None:
    assert table(FIRST, WORD) == "100000"
    assert table(LAST, WORD) == "000001"
    assert table(FIRST, word(p="1")) == table(LAST, word(p="1")) == "1"


def test_connectives() -> None:
    four = word(p="0011", q="0101")
    expected = {"and": "0001", "or": "0111", "xor": "0110", "implies": "1101", "iff": "1001"}
    for op, row in expected.items():
        assert table(formula(op, (P, Q)), four) == row
    assert table(ir.not_(P), four) == "1100"
    assert table(TRUE, four) == "1111"
    assert table(FALSE, four) == "0000"
    assert table(formula("and", (P, Q, P)), four) == "0001"
    assert table(formula("and"), four) == "1111"
    assert table(formula("or"), four) == "0000"


def test_a_trace_satisfies_a_formula_that_holds_at_step_0() -> None:
    assert evaluate(P, word(p="10"))
    assert not evaluate(P, word(p="01"))


def test_until_is_strict_on_the_left() -> None:
    assert evaluate(formula("U", (P, Q)), word(p="110", q="001"))  # p need not hold where q does
    assert not evaluate(formula("U", (P, Q)), word(p="100", q="001"))
    assert evaluate(formula("U", (P, Q)), word(p="00", q="10"))


def test_until_asks_its_left_side_before_the_window_too() -> None:
    until = formula("U", (P, Q), (2, 3))
    assert evaluate(until, word(p="1100", q="0010"))
    assert not evaluate(until, word(p="0100", q="0010"))


def test_an_earlier_q_discharges_a_weak_until() -> None:
    # f W[a,b] g is g R[a,b] (f | g): with a > 0 nothing is asked of f before t + a
    weak = formula("W", (P, Q), (2, 3))
    assert evaluate(weak, word(p="0000", q="1000"))
    assert evaluate(weak, word(p="0011", q="0000"))
    assert not evaluate(weak, word(p="0010", q="0000"))


def test_strong_release_wants_both_at_once() -> None:
    strong = formula("M", (P, Q))
    assert evaluate(strong, word(p="001", q="111"))
    assert not evaluate(strong, word(p="000", q="111"))
    assert not evaluate(strong, word(p="001", q="110"))
    assert evaluate(formula("R", (P, Q)), word(p="000", q="111"))


def test_since_excludes_its_own_step_on_the_left() -> None:
    since = formula("S", (P, Q))
    assert evaluate(since, word(p="011", q="100"), 2)  # p on (t', t] only
    assert not evaluate(since, word(p="110", q="100"), 2)
    assert evaluate(since, word(p="000", q="001"), 2)


@pytest.mark.parametrize(("strong", "weak"), [("X", "WX"), ("Y", "WY")])
def test_next_and_yesterday_count(strong: str, weak: str) -> None:
    timed, timed_dual = {"X": ("F", "G"), "Y": ("O", "H")}[strong]
    for k in range(8):
        assert table(formula(strong, (P,), (k, k)), WORD) == table(formula(timed, (P,), (k, k)), WORD)
        assert table(formula(weak, (P,), (k, k)), WORD) == table(formula(timed_dual, (P,), (k, k)), WORD)


# ---------------------------------------------------------------- quantitative meaning


def gt(value: float) -> Formula:
    return compare(">", X, const(value))


RISE = numbers(x=[1.0, -2.0, 3.0, 0.5])


def test_comparisons_have_signed_distances() -> None:
    trace = numbers(x=[3.0, 1.0, 2.0])
    for op, expected in {
        ">": [1, -1, 0], ">=": [1, -1, 0], "<": [-1, 1, 0], "<=": [-1, 1, 0], "==": [-1, -1, 0], "!=": [1, 1, 0],
    }.items():  # fmt: skip
        assert margins(compare(op, X, const(2)), trace) == expected


def test_zero_decides_nothing() -> None:
    trace = numbers(x=[2.0])
    truths = {op: evaluate(compare(op, X, const(2)), trace) for op in ir.COMPARISONS}
    assert truths == {"==": True, "!=": False, "<": False, "<=": True, ">": False, ">=": True}
    assert all(robustness(compare(op, X, const(2)), trace) == 0 for op in ir.COMPARISONS)


def test_min_and_max_over_windows() -> None:
    assert margins(formula("F", (gt(0),)), RISE) == [3, 3, 3, 0.5]
    assert margins(formula("G", (gt(0),)), RISE) == [-2, -2, 0.5, 0.5]
    assert margins(formula("G", (gt(0),), (1, 2)), RISE) == [-2, 0.5, 0.5, INF]
    assert margins(formula("F", (gt(0),), (1, 2)), RISE) == [3, 3, 0.5, -INF]
    assert margins(formula("O", (gt(0),)), RISE) == [1, 1, 3, 3]
    assert margins(formula("H", (gt(0),), (1, 1)), RISE) == [INF, 1, -2, 3]
    assert margins(formula("X", (gt(0),)), RISE) == [-2, 3, 0.5, -INF]
    assert margins(formula("WX", (gt(0),)), RISE) == [-2, 3, 0.5, INF]
    assert margins(formula("Y", (gt(0),)), RISE) == [-INF, 1, -2, 3]
    assert margins(formula("WY", (gt(0),)), RISE) == [INF, 1, -2, 3]


def test_binary_operators_in_numbers() -> None:
    trace = numbers(x=[4.0, 3.0, 1.0], y=[-1.0, -2.0, 2.0])
    f, g = gt(0), compare(">", signal("y"), const(0))
    assert margins(formula("U", (f, g)), trace) == [2, 2, 2]  # max(-1, min(4, -2), min(4, 3, 2)) at 0
    assert margins(formula("R", (f, g)), trace) == [-1, -2, 2]
    assert margins(formula("M", (f, g)), trace) == [-1, -2, 1]
    assert margins(formula("W", (f, g)), trace) == [2, 2, 2]
    assert margins(formula("S", (f, g)), trace) == [-1, -1, 2]
    assert margins(formula("T", (f, g)), trace) == [-1, -2, 1]


@pytest.mark.parametrize("op", ["X", "Y", "F", "U", "M", "O", "S"])
def test_strong_operators_are_minus_infinity_beyond_the_trace(op: str) -> None:
    args = (gt(0),) * (2 if op in "UMS" else 1)
    assert robustness(formula(op, args, (3, 3)), numbers(x=[5.0, 5.0]), 1 if op in "YOS" else 0) == -INF


@pytest.mark.parametrize("op", ["WX", "WY", "G", "R", "W", "H", "T"])
def test_weak_operators_are_plus_infinity_beyond_the_trace(op: str) -> None:
    args = (gt(0),) * (2 if op in "RWT" else 1)
    assert robustness(formula(op, args, (3, 3)), numbers(x=[-5.0, -5.0]), 1 if op in "WYHT" else 0) == INF


def test_connectives_in_numbers() -> None:
    trace = numbers(x=[2.0], y=[-3.0])
    f, g = gt(0), compare(">", signal("y"), const(0))  # 2 and -3
    expected = {"and": -3, "or": 2, "implies": -2, "xor": 2, "iff": -2}
    for op, value in expected.items():
        assert robustness(formula(op, (f, g)), trace) == value
    assert robustness(ir.not_(f), trace) == -2
    assert robustness(TRUE, trace) == INF
    assert robustness(FALSE, trace) == -INF
    for a, b in itertools.product((-2.0, 0.0, 1.0), repeat=2):  # max(min(f, -g), min(-f, g))
        here = numbers(x=[a], y=[b])
        assert robustness(formula("xor", (f, g)), here) == max(min(a, -b), min(-a, b))


def test_boolean_atoms_are_infinite() -> None:
    assert margins(P, word(p="10")) == [INF, -INF]
    door = compare("==", signal("door"), const("open"))
    assert margins(door, numbers(door=["open", "shut"])) == [INF, -INF]
    assert robustness(FIRST, word(p="1")) == INF


# ---------------------------------------------------------------- atoms


def test_memberships() -> None:
    inside = atom(term("in_range", (X, const(0), const(2))))
    trace = numbers(x=[0.0, 0.5, 2.0, 2.5, -1.0])
    assert table(inside, trace) == "11100"
    assert margins(inside, trace) == [0, 0.5, 0, -0.5, -1]
    outside = atom(term("in_range", (X, const(0), const(2)), True))
    assert table(outside, trace) == "00011"
    assert margins(outside, trace) == [0, -0.5, 0, 0.5, 1]
    among = atom(term("in_set", (X, const(0), const(3))))
    assert table(among, trace) == "10000"
    assert margins(among, trace) == [0, -0.5, -1, -0.5, -1]
    door = atom(term("in_set", (signal("door"), const("open"), const("shut")), True))
    assert table(door, numbers(door=["open", "locked"])) == "01"
    assert margins(door, numbers(door=["open", "locked"])) == [-INF, INF]


def test_what_was_seen() -> None:
    trace = numbers(n=[1, 2, 1, 3], m=[2, 1, 3, 1])
    assert table(atom(term("in_seen", (signal("m"), signal("n")))), trace) == "0101"
    assert table(atom(term("in_seen", (signal("n"), signal("n")))), trace) == "1111"  # the present step counts
    assert table(atom(term("in_seen", (signal("m"), signal("n")), True)), trace) == "1010"
    texts = numbers(said=["see: ab", "go", "stop"], quote=["ab", "no", "go"])
    assert table(atom(term("occurs_in_seen", (signal("quote"), signal("said")))), texts) == "101"
    assert table(atom(term("occurs_in_seen", (signal("quote"), signal("said")), True)), texts) == "010"


def test_texts() -> None:
    trace = numbers(say=["abc", "bc", "xabc"])
    for op, what, expected in (
        ("contains", "ab", "101"), ("starts_with", "ab", "100"), ("ends_with", "abc", "101"),
        ("matches", ".bc?", "100"),
    ):  # fmt: skip
        assert table(atom(term(op, (signal("say"), const(what)))), trace) == expected
        assert table(atom(term(op, (signal("say"), const(what)), True)), trace) == expected.translate({48: 49, 49: 48})
    origin = atom(term("from", (signal("say@from"), const("web"))))
    assert table(origin, numbers(**{"say@from": [("web", "user"), (), ("user",)]})) == "100"


def test_previous_values() -> None:
    opened = compare("==", term("prev", value="door"), const("open"))
    assert table(opened, numbers(door=["open", "shut", "open"])) == "010"
    moved = compare("!=", term("prev", value="x"), X)
    assert table(moved, numbers(x=[1, 1, 2])) == "001"
    assert margins(compare(">", X, term("prev", value="x")), numbers(x=[1.0, 3.0, 2.0])) == [-INF, 2, -1]


UNDEFINED = [
    compare("==", term("prev", value="x"), const(1)),
    compare("!=", term("prev", value="x"), const(1)),
    compare(">=", term("div", (const(1), X)), const(-9)),
    compare("!=", term("div", (X, X)), const(7)),
    compare(">=", term("sqrt", (term("sub", (X, const(1))),)), const(-9)),
    compare("<", term("log", (X,)), const(9)),
    compare("<", term("pow", (term("sub", (X, const(1))), const(0.5))), const(9)),
    compare("!=", term("pow", (X, const(-1))), const(7)),
    compare("<", term("exp", (const(1e6),)), const(9)),
    compare("!=", term("add", (const(1e308), const(1e308))), const(0)),
    atom(term("in_range", (term("div", (const(1), X)), const(0), const(1)))),
    atom(term("in_range", (term("div", (const(1), X)), const(0), const(1)), True)),
    atom(term("in_set", (term("prev", value="x"), const(1)), True)),
    atom(term("in_seen", (term("prev", value="x"), X), True)),
    atom(term("in_region", (term("prev", value="v"), term("ball", (const((0, 0)), const(1)))), True)),
    atom(term("in_region", (term("tuple", (X, term("div", (X, X)))), term("ball", (const((0, 0)), const(1)))))),
    compare("!=", signal("action"), const("left")),
    compare("!=", term("index", (signal("v"),), 2), const(7)),
]


@pytest.mark.parametrize("f", UNDEFINED, ids=str)
def test_atoms_without_a_value_are_false_and_their_negation_true(f: Formula) -> None:
    trace = Trace([{"x": 0.0, "v": (1.0, 2.0)}])
    assert not evaluate(f, trace)
    assert robustness(f, trace) == -INF
    assert evaluate(ir.not_(f), trace)
    assert robustness(ir.not_(f), trace) == INF


def test_only_the_action_may_be_missing_and_only_at_step_0() -> None:
    left = compare("==", signal("action"), const("left"))
    assert table(left, Trace([{}, {"action": "left"}])) == "01"
    before = compare("==", term("prev", value="action"), const("left"))
    assert table(before, Trace([{}, {"action": "left"}, {"action": "right"}])) == "001"
    assert table(compare(">", signal("action.speed"), const(0)), Trace([{}, {"action.speed": 1.0}])) == "01"
    with pytest.raises(KeyError):
        evaluate(formula("F", (left,)), Trace([{}, {}]))
    with pytest.raises(KeyError):
        evaluate(P, Trace([{"q": True}]))


@pytest.mark.parametrize("bad", [math.nan, INF, -INF, (0.0, math.nan)])
def test_signals_are_finite(bad: object) -> None:
    with pytest.raises(ValueError, match=r"'x'.*step 1"):
        Trace([{"x": 0.0}, {"x": bad}])  # type: ignore[dict-item]


def test_a_trace_is_not_empty() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Trace([])


TERMS = [
    ("neg", (3,), -3), ("abs", (-3,), 3), ("sqrt", (4,), 2), ("sin", (0,), 0), ("cos", (0,), 1), ("tan", (0,), 0),
    ("exp", (0,), 1), ("log", (1,), 0), ("add", (2, 3), 5), ("sub", (2, 3), -1), ("mul", (2, 3), 6),
    ("div", (3, 2), 1.5), ("pow", (2, 3), 8), ("atan2", (0, 1), 0), ("min", (2, 1, 3), 1), ("max", (2, 1, 3), 3),
    ("norm", ((3, 4),), 5), ("dist", ((0, 0), (3, 4)), 5), ("length", ("abc",), 3),
]  # fmt: skip


@pytest.mark.parametrize(("op", "args", "value"), TERMS, ids=[row[0] for row in TERMS])
def test_functions(op: str, args: tuple[ir.Value, ...], value: float) -> None:
    trace = Trace([{f"s{i}": arg for i, arg in enumerate(args)}])
    made = term(op, [signal(f"s{i}") for i in range(len(args))])
    assert evaluate(compare("==", made, const(value)), trace)
    assert robustness(compare(">", made, const(value - 1)), trace) == 1
    assert {name for name, *_ in TERMS} == set(ir.FUNCTIONS)


def test_vectors() -> None:
    trace = numbers(v=[(1.0, 2.0)], x=[1.0])
    assert evaluate(compare("==", term("index", (signal("v"),), 1), const(2)), trace)
    assert evaluate(compare("==", signal("v"), const((1, 2))), trace)
    assert evaluate(compare("==", term("tuple", (X, const(2))), signal("v")), trace)
    assert robustness(compare("==", signal("v"), const((1, 2))), trace) == INF


def count(f: Formula, interval: ir.Interval = (0, None)) -> Term:
    return term("count", (f,), None, interval)


def test_aggregates_over_the_past() -> None:
    assert [t for t in range(5) if evaluate(compare("==", count(P), const(2)), word(p="01010"), t)] == [3, 4]
    trace = numbers(x=[1.0, 2.0, 3.0, 4.0], p=[True, False, True, True])
    total = term("sum", (X, P), None, (0, None))
    assert margins(compare(">", total, const(0)), trace) == [1, 1, 4, 8]
    recent = term("sum", (X, P), None, (1, 2))
    assert margins(compare(">", recent, const(0)), trace) == [0, 1, 1, 3]
    assert margins(compare(">", count(P, (0, 1)), const(0)), trace) == [1, 1, 1, 2]
    before = term("sum", (term("prev", value="x"), P), None, (0, None))  # steps without a value add nothing
    assert margins(compare(">", before, const(0)), trace) == [0, 0, 2, 5]


def test_aggregates_count_by_truth_also_in_numbers() -> None:
    trace = numbers(x=[0.0])
    f = compare(">=", count(compare(">=", X, const(0))), const(1))
    assert evaluate(f, trace)
    assert robustness(f, trace) == 0
    f = compare(">=", term("sum", (const(5), compare(">", X, const(0))), None, (0, None)), const(1))
    assert not evaluate(f, trace)
    assert robustness(f, trace) == -1


# ---------------------------------------------------------------- regions

BOX = ("box", (-1, 0), (1, 1))
BALL = ("ball", (0, 0), 1)
HALF = ("halfspace", (3, 4), 5)  # 3 x + 4 y <= 5
SHAPES = [
    BOX, BALL, HALF,
    ("polytope", HALF, ("halfspace", (-1, 0), 1), ("halfspace", (0, -1), 1)),
    ("ellipsoid", (0, 0), (2, 1)),
    ("union", BOX, ("ball", (1, 1), 0.5)), ("intersection", BOX, BALL), ("complement", BALL),
    ("complement", ("union", BOX, ("complement", HALF))),
]  # fmt: skip


def test_distances_worked_out_by_hand() -> None:
    assert signed_distance(BOX, (0, 0.5)) == 0.5
    assert signed_distance(BOX, (0.75, 0.5)) == 0.25
    assert signed_distance(BOX, (4, 5)) == -5  # 3 and 4 beyond the corner
    assert signed_distance(BALL, (0, 3)) == -2
    assert signed_distance(BALL, (0.5, 0)) == 0.5
    assert signed_distance(HALF, (0, 0)) == 1
    assert signed_distance(HALF, (3, 4)) == -4
    assert signed_distance(("ellipsoid", (1, 0), (2, 1)), (1, 0)) == 1
    assert signed_distance(("ellipsoid", (1, 0), (2, 1)), (5, 0)) == -1  # r_min (1 - |A^-1 (x - c)|)
    assert signed_distance(("polytope", HALF, ("halfspace", (-1, 0), 1)), (0, 0)) == 1
    assert signed_distance(("union", BOX, BALL), (0, -0.5)) == 0.5
    assert signed_distance(("intersection", BOX, BALL), (0, 0.25)) == 0.25
    assert signed_distance(("complement", BALL), (0, 3)) == 2


def test_regions_are_closed_and_complements_are_not() -> None:
    assert contains(BOX, (1, 1))
    assert contains(BALL, (0, 1))
    assert contains(HALF, (1, 0.5))
    assert not contains(("complement", BALL), (0, 1))
    assert contains(("complement", ("complement", BALL)), (0, 1))
    assert not contains(("intersection", BOX, ("complement", BALL)), (0, 1))
    with pytest.raises(ValueError, match="blob"):
        signed_distance(("blob",), (0, 0))


def _brute_force(shape: tuple[object, ...], point: tuple[float, float], reach: float, step: float) -> float:
    """The distance to the nearest point of a fine grid on the other side."""
    here = contains(shape, point)
    n = round(reach / step)
    grid = ((point[0] + i * step, point[1] + j * step) for i in range(-n, n + 1) for j in range(-n, n + 1))
    return min((math.dist(point, other) for other in grid if contains(shape, other) != here), default=INF)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_distances_against_brute_force(shape: tuple[object, ...]) -> None:
    reach, step = 2.5, 0.1
    exact = shape[0] in ("box", "ball", "halfspace")
    for point in itertools.product((-1.9, -0.93, -0.21, 0.37, 1.14, 2.2), (-1.6, -0.47, 0.13, 0.62, 1.31)):
        distance = signed_distance(shape, point)
        assert (distance >= 0) == contains(shape, point)
        nearest = _brute_force(shape, point, reach, step)
        assert abs(distance) <= nearest + 1e-9  # never larger in size than the distance
        if exact and nearest < INF:
            assert abs(distance) >= nearest - step * math.sqrt(2)


def test_membership_in_a_region() -> None:
    ball = term("ball", (const((0, 0)), const(1)))
    where = numbers(pos=[(0.0, 0.0), (0.0, 1.0), (0.0, 3.0)])
    assert table(atom(term("in_region", (signal("pos"), ball))), where) == "110"
    assert margins(atom(term("in_region", (signal("pos"), ball))), where) == [1, 0, -2]
    assert table(atom(term("in_region", (signal("pos"), ball), True)), where) == "001"
    assert margins(atom(term("in_region", (signal("pos"), ball), True)), where) == [-1, 0, 2]
    around = term("ball", (term("prev", value="pos"), const(1)))  # regions may move
    assert table(atom(term("in_region", (signal("pos"), around))), where) == "010"


# ---------------------------------------------------------------- intervals and operators that there are not


@pytest.mark.parametrize("interval", [(-1, 2), (3, 2), (0.5, 2), (True, 2), (0, 2.0)])
def test_bad_intervals_are_refused(interval: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="interval"):
        formula("F", (P,), interval)


def test_unknown_operators_are_refused() -> None:
    with pytest.raises(ValueError, match="'Z'"):
        formula("Z", (P, P))
    with pytest.raises(ValueError, match="takes 1"):
        formula("F", (P, P))
    with pytest.raises(ValueError, match="no interval"):
        formula("and", (P, P), (0, 1))


def test_deep_formulas_do_not_recurse() -> None:
    f = P
    for _ in range(20_000):
        f = ir.not_(f)
    assert evaluate(f, word(p="1"))
