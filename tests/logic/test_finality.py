"""Online verdicts of the reference semantics, on cases worked out by hand."""

import pytest

from agentc.compiler.logic import ir
from agentc.compiler.logic.finality import verdict, violated
from agentc.compiler.logic.ir import (
    FALSE,
    FIRST,
    LAST,
    TRUE,
    Formula,
    compare,
    const,
    formula,
    not_,
    prop,
    signal,
    term,
)
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict

P, Q = prop("p"), prop("q")
LETTERS = [{"p": p, "q": q} for p in (False, True) for q in (False, True)]
F, f, t, T = Verdict.FALSE, Verdict.PRESUMABLY_FALSE, Verdict.PRESUMABLY_TRUE, Verdict.TRUE
SHORT = {"F": F, "f": f, "t": t, "T": T}


def word(p: str, q: str = "") -> Trace:
    q = q or "0" * len(p)
    return Trace({"p": a == "1", "q": b == "1"} for a, b in zip(p, q, strict=True))


def course(formula_: Formula, trace: Trace, letters: object = LETTERS) -> str:
    """The verdict after each step: F f t T."""
    found = [verdict(formula_, Trace(trace.valuations[: n + 1]), letters) for n in range(len(trace))]  # type: ignore[arg-type]
    return "".join({v: k for k, v in SHORT.items()}[v] for v in found)


@pytest.mark.parametrize(
    ("f", "trace", "expected"),
    [
        (P, word("01"), "FF"),
        (P, word("10"), "TT"),
        (TRUE, word("0"), "T"),
        (FALSE, word("0"), "F"),
        (FIRST, word("00"), "TT"),
        (LAST, word("00"), "tF"),  # there may come another step; after two, step 0 is not the last
        (formula("F", (P,)), word("0010"), "ffTT"),
        (formula("G", (P,)), word("1101"), "ttFF"),
        (formula("F", (P,), (1, 2)), word("1000"), "ffFF"),
        (formula("F", (P,), (1, 2)), word("0010"), "ffTT"),
        (formula("G", (P,), (1, 2)), word("0110"), "ttTT"),
        (formula("X", (P,)), word("01"), "fT"),
        (formula("X", (P,)), word("00"), "fF"),
        (formula("WX", (P,)), word("00"), "tF"),
        (formula("X", (P,), (2, 2)), word("001"), "ffT"),
        (formula("U", (P, Q)), word("110", "001"), "ffT"),
        (formula("U", (P, Q)), word("100", "000"), "fFF"),
        (formula("R", (P, Q)), word("001", "111"), "ttT"),
        (formula("R", (P, Q)), word("00", "10"), "tF"),
        (formula("W", (P, Q)), word("110", "000"), "ttF"),
        (formula("M", (P, Q)), word("001", "111"), "ffT"),
        (formula("M", (P, Q)), word("00", "10"), "fF"),
        (formula("G", (formula("implies", (P, formula("F", (Q,)))),)), word("010", "001"), "tft"),
        (formula("F", (formula("G", (P,)),)), word("101"), "tft"),
        (formula("G", (formula("F", (P,)),)), word("101"), "tft"),
        (formula("F", (ir.and_(Q, formula("O", (P,))),)), word("010", "101"), "ffT"),
        (formula("G", (formula("implies", (Q, formula("Y", (P,)))),)), word("101", "010"), "ttt"),
        (formula("G", (formula("implies", (Q, formula("Y", (P,)))),)), word("001", "010"), "tFF"),
        (formula("F", (ir.and_(LAST, P),)), word("101"), "tft"),  # never final: it is about the last step
        (ir.or_(formula("F", (P,)), formula("G", (not_(P),))), word("01"), "TT"),  # valid
        (ir.and_(formula("F", (P,)), formula("G", (not_(P),))), word("01"), "FF"),  # unsatisfiable
        (formula("F", (ir.and_(FIRST, P),)), word("01"), "FF"),
        (formula("F", (formula("H", (P,)),)), word("0"), "F"),  # p failed at step 0, for ever
        (formula("F", (formula("S", (P, Q), (1, 1)),)), word("001", "010"), "ffT"),
        (formula("Y", (P,)), word("1"), "F"),  # at step 0 there is no step before
        (formula("WY", (P,)), word("0"), "T"),
    ],
    ids=str,
)
def test_course(f: Formula, trace: Trace, expected: str) -> None:
    assert course(f, trace) == expected


def test_finality_is_over_the_valuations_that_are_possible() -> None:
    door = signal("door")
    doors = [{"door": d} for d in ("open", "shut")]
    both = formula("F", (ir.and_(compare("==", door, const("open")), compare("==", door, const("shut"))),))
    assert course(both, Trace([doors[0]]), doors) == "F"
    one = ir.or_(compare("==", door, const("open")), compare("==", door, const("shut")))
    assert course(formula("G", (one,)), Trace([doors[0]]), doors) == "T"
    assert course(formula("G", (one,)), Trace([doors[0]]), [*doors, {"door": "locked"}]) == "t"
    x = signal("x")
    numbers = [{"x": v} for v in (-1.0, 0.0, 0.5, 1.0, 2.0)]
    wide = formula("F", (ir.and_(compare(">", x, const(1)), compare("<", x, const(0))),))
    assert course(wide, Trace([{"x": 0.0}]), numbers) == "F"
    assert course(formula("F", (P,)), word("0"), []) == "F"  # no step can follow


def test_the_step_before_is_known_across_the_end_of_the_prefix() -> None:
    again = formula("X", (compare("==", term("prev", value="p"), const(True)),))
    assert course(again, word("10")) == "fT"
    # what `prev.p` will be is known already, but not whether there is a next step
    assert verdict(formula("WX", (compare("==", term("prev", value="p"), const(True)),)), word("1"), LETTERS) is T
    assert verdict(formula("WX", (compare("==", term("prev", value="p"), const(True)),)), word("0"), LETTERS) is t


def test_the_action_is_missing_only_at_step_0() -> None:
    left = compare("==", signal("action"), const("left"))
    actions = [{"action": a} for a in ("left", "right")]
    assert course(formula("F", (left,)), Trace([{}, {"action": "left"}]), actions) == "fT"
    assert course(formula("G", (formula("implies", (not_(FIRST), left)),)), Trace([{}]), actions[:1]) == "T"


def test_safes() -> None:
    assert violated(formula("G", (P,)), word("101"), LETTERS)
    assert not violated(formula("G", (P,)), word("111"), LETTERS)
    # an obligation that is open at the end does not violate it
    assert not violated(formula("G", (formula("implies", (P, formula("F", (Q,)))),)), word("010"), LETTERS)
    assert not violated(formula("F", (P,)), word("000"), LETTERS)  # no prefix can
    assert violated(formula("F", (P,), (0, 1)), word("000"), LETTERS)


@pytest.mark.parametrize("op", ["count", "in_seen", "occurs_in_seen", "sum"])
def test_formulas_that_aggregate_are_refused(op: str) -> None:
    x = signal("x")
    atoms = {
        "count": compare(">", term("count", (P,), None, (0, None)), const(1)),
        "sum": compare(">", term("sum", (x, P), None, (0, None)), const(1)),
        "in_seen": ir.atom(term("in_seen", (x, x))),
        "occurs_in_seen": ir.atom(term("occurs_in_seen", (const("a"), signal("text")))),
    }
    with pytest.raises(ValueError, match="aggregate"):
        verdict(formula("F", (atoms[op],)), Trace([{"p": True, "x": 1.0, "text": "a"}]), LETTERS)


def test_verdicts() -> None:
    assert [v.final for v in (F, f, t, T)] == [True, False, False, True]
    assert [v.holds for v in (F, f, t, T)] == [False, False, True, True]
    assert sorted([T, f, F, t]) == [F, f, t, T]
    assert len({v.sentence for v in Verdict}) == 4
