"""Signal temporal logic as RTAMT (its ANTLR grammar, version 0.3) and STLCG++ (what its formulas print) write it."""

from __future__ import annotations

from agentc.lang.dialects.dialect import Dialect, Operator, Write, plain

_WEAK_PREV = "its `prev` is weak: true where there is no step before"
_WEAK_NEXT = "its `next` is weak: true where there is no next step"
_UNTIL = "its `until` asks the left side to hold at the step of the right one too: here `f U (f & g)`"


def _until(*args: str, interval: str = "") -> str:
    f, g = args
    return f"({f}) U{interval} (({f}) & ({g}))"


def _prefix(word: str, binding: int, write: Write | None = None, note: str = "") -> Operator:
    timed = word in ("G", "F", "H", "O")
    return Operator("prefix", binding, write or plain(word), timed=timed, note=note)


def _infix(word: str, binding: int, write: Write | None = None, note: str = "", timed: bool = False) -> Operator:
    return Operator("infix", binding, write or plain(word), timed=timed, note=note)


_RISE = Operator("prefix", 1, None, note="it compares a value with the one before in a way of its own at step 0")
_CONSTANTS = {
    "true": (Operator("atom", 0, plain("true")),),
    "false": (Operator("atom", 0, plain("false")),),
}

# in its grammar what stands first binds tightest: `not or and implies iff xor`, then the temporal operators
RTAMT = Dialect(
    "rtamt",
    "RTAMT",
    {
        **_CONSTANTS, "TRUE": _CONSTANTS["true"], "FALSE": _CONSTANTS["false"],
        **dict.fromkeys(("not", "!"), (_prefix("!", 20),)),
        **dict.fromkeys(("or", "|"), (_infix("|", 19),)),
        **dict.fromkeys(("and", "&"), (_infix("&", 18),)),
        **dict.fromkeys(("implies", "->"), (_infix("->", 17),)),
        **dict.fromkeys(("iff", "<->"), (_infix("<->", 16),)),
        "xor": (_infix("xor", 15),),
        **dict.fromkeys(("always", "G"), (_prefix("G", 14),)),
        **dict.fromkeys(("eventually", "F"), (_prefix("F", 13),)),
        **dict.fromkeys(("until", "U"), (_infix("U", 12, _until, _UNTIL, timed=True),)),
        **dict.fromkeys(("unless", "W"), (_infix("W", 11, timed=True),)),
        **dict.fromkeys(("historically", "H"), (_prefix("H", 10),)),
        **dict.fromkeys(("once", "O"), (_prefix("O", 9),)),
        **dict.fromkeys(("since", "S"), (_infix("S", 8, timed=True),)),
        "rise": (_RISE,), "fall": (_RISE,),
        **dict.fromkeys(("prev", "Y"), (_prefix("WY", 6, note=_WEAK_PREV),)),
        **dict.fromkeys(("next", "X"), (_prefix("WX", 5, note=_WEAK_NEXT),)),
        **dict.fromkeys(("s_prev", "sY"), (_prefix("Y", 4),)),
        **dict.fromkeys(("s_next", "sX"), (_prefix("X", 3),)),
    },
    separators=(":", ","),
    notes=(
        "in its grammar `or` binds tighter than `and`, and both tighter than the temporal operators: "
        "`always a and b` is `G (a & b)`",
        "a bound without a unit is read as a number of steps",
    ),
    comparisons={"!==": "!="},
    assignment=True,
)  # fmt: skip

STLCG = Dialect(
    "stlcg",
    "STLCG++",
    {
        **_CONSTANTS,
        **dict.fromkeys(("¬", "~", "!"), (_prefix("!", 20),)),
        **dict.fromkeys(("◻", "□", "always", "G"), (_prefix("G", 20),)),
        **dict.fromkeys(("♢", "◇", "eventually", "F"), (_prefix("F", 20),)),
        **dict.fromkeys(("U", "until"), (_infix("U", 15, _until, _UNTIL, timed=True),)),
        **dict.fromkeys(("∧", "&"), (_infix("&", 10),)),
        **dict.fromkeys(("∨", "|"), (_infix("|", 9),)),
        **dict.fromkeys(("⇒", "->"), (_infix("->", 8),)),
    },
    notes=(
        "where a window does not fit into the trace its value is a large negative number, for `always` too; here a "
        "window ends with the trace",
    ),
)  # fmt: skip
