"""The words of the language: operators and their spellings, what is reserved, what begins an item."""

from __future__ import annotations

TEMPORAL_LETTERS = {
    "always": "G",
    "eventually": "F",
    "next": "X",
    "weak_next": "WX",
    "yesterday": "Y",
    "weak_yesterday": "WY",
    "once": "O",
    "historically": "H",
    "until": "U",
    "weak_until": "W",
    "release": "R",
    "strong_release": "M",
    "since": "S",
    "trigger": "T",
}
"""The letter of each temporal operator that is also a word."""

UNARY_OPERATORS = ("G", "F", "X", "WX", "Y", "WY", "O", "H")
BINARY_OPERATORS = ("U", "W", "R", "M", "S", "T")

UNARY_WORDS = frozenset(UNARY_OPERATORS) | {w for w, op in TEMPORAL_LETTERS.items() if op in UNARY_OPERATORS}
BINARY_WORDS = frozenset(BINARY_OPERATORS) | {w for w, op in TEMPORAL_LETTERS.items() if op in BINARY_OPERATORS}

COUNTED = frozenset({"X", "WX", "Y", "WY"})
"""Operators that take a count ``[k]`` and no interval."""

RESERVED = UNARY_WORDS | BINARY_WORDS | frozenset("xor and or not in true false inf as by with enum from".split())
"""Words that are no names anywhere, but in back-ticks."""

TOP_ITEMS = frozenset({"import", "environment", "system", "agent", "recipe"})

BLOCK_ITEMS = frozenset(
    "assume behavior budget command const controller cost decode deploy disturbance engine env example expect init "
    "input machine mode model output param pattern phase prompt prop region reward role safe signal state step task "
    "tool train verify".split()
)
"""Words that begin an item inside a block (and, but for the top items, at the top of a file)."""

ITEMS = TOP_ITEMS | BLOCK_ITEMS

INNER_ITEMS = frozenset("accepting fallback invariant monitor on require shape shield discount".split())
"""Words that begin a line inside ``reward``, ``machine``, ``mode`` or ``deploy``."""

HARD_ITEMS = ITEMS - frozenset("command init input mode output state step".split())
"""Words that begin an item at the start of a line even where a bracket is still open: that one was forgotten."""
