"""LTL on finite traces as Spot (``ltl2tgba --from-ltlf``), Lydia and LTLf2DFA write it."""

from __future__ import annotations

from agentc.lang.dialects.dialect import Dialect, Operator, plain

_WEAK = "its `X` is weak, true at the last step; `X[!]` is the strong one"
_CONSTANTS = {
    word: (Operator("atom", 0, plain(meant)),)
    for words, meant in ((("true", "1", "tt"), "true"), (("false", "0", "ff"), "false"))
    for word in words
}


def _prefix(word: str, timed: bool = False, note: str = "") -> tuple[Operator, ...]:
    return (Operator("prefix", 20, plain(word), timed=timed, note=note),)


def _infix(word: str, binding: int, right: bool = False) -> tuple[Operator, ...]:
    return (Operator("infix", binding, plain(word), right=right),)


_COMMON = {
    **dict.fromkeys(("!", "~", "¬", "not"), _prefix("!")),
    "G": _prefix("G"), "F": _prefix("F"),
    **dict.fromkeys(("&", "&&", "and"), _infix("&", 10)),
    **dict.fromkeys(("|", "||", "or"), _infix("|", 9)),
    **dict.fromkeys(("->", "=>"), _infix("->", 7, right=True)),
    **dict.fromkeys(("<->", "<=>"), _infix("<->", 6, right=True)),
    "U": _infix("U", 15, right=True), "R": _infix("R", 15, right=True),
}  # fmt: skip

_NEXT = {"X[!]": _prefix("X"), "X": _prefix("WX", note=_WEAK)}

SPOT = Dialect(
    "spot",
    "Spot",
    {
        **_CONSTANTS, **_COMMON, **_NEXT,
        "G": _prefix("G", timed=True), "F": _prefix("F", timed=True), "[]": _prefix("G"), "<>": _prefix("F"),
        "V": _infix("R", 15, right=True), "W": _infix("W", 15, right=True), "M": _infix("M", 15, right=True),
        "/\\": _infix("&", 10), "\\/": _infix("|", 9), "-->": _infix("->", 7, right=True),
        "<-->": _infix("<->", 6, right=True), "^": _infix("xor", 8), "xor": _infix("xor", 8),
    },
    separators=(":", "..", ","),
    notes=("Spot reads infinite traces, and finite ones with `--from-ltlf`; here traces are finite",),
)  # fmt: skip

LYDIA = Dialect(
    "lydia",
    "Lydia",
    {**_CONSTANTS, **_COMMON, **_NEXT, "V": _infix("R", 15, right=True), "last": (Operator("atom", 0, plain("last")),)},
)

LTLF2DFA = Dialect(
    "ltlf2dfa",
    "LTLf2DFA",
    {
        **_CONSTANTS, **_COMMON, "X": _prefix("X"), "WX": _prefix("WX"), "W": _infix("W", 15, right=True),
        "M": _infix("M", 15, right=True), "Y": _prefix("Y"), "O": _prefix("O"), "H": _prefix("H"),
        "S": _infix("S", 15, right=True), "last": (Operator("atom", 0, plain("last")),),
    },
    notes=("its formulas of the past (`Y O H S`) are judged at the last step, as `F (last & f)`; here at step 0",),
)  # fmt: skip
