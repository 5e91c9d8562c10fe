"""What could have come, in words of the language."""

from __future__ import annotations

from collections.abc import Iterable

from agentc.lang.table import load_table
from agentc.lang.words import BLOCK_ITEMS, TOP_ITEMS

SYMBOLS = {
    "AND": "&", "OR": "|", "NOT": "!", "IMPLIES": "->", "IFF": "<->", "EQ": "==", "NE": "!=", "LE": "<=", "GE": ">=",
    "LT": "<", "GT": ">", "PLUS": "+", "MINUS": "-", "POWER": "**", "TIMES": "*", "DIVIDE": "/", "CARET": "^",
    "ASSIGN": "=", "COLON": ":", "COMMA": ",", "DOTS": "..", "DOT": ".", "LPAR": "(", "RPAR": ")", "LSQB": "[",
    "RSQB": "]", "LBRACE": "{", "RBRACE": "}",
}  # fmt: skip
"""How the terminals that are symbols are written."""

_CLASSES = {
    "NAME": "a name", "NUMBER": "a number", "QUANTITY": "a number with a unit", "STRING": "a text in quotes",
    "LONG_STRING": "a docstring", "PRIMED": "an equation", "EMPTY": "`-`", "_SEP": "a new line",
    "$END": "the end of the file", "UNARY_TEMPORAL": "a temporal operator", "BINARY_TEMPORAL": "a temporal operator",
}  # fmt: skip

_OPERAND_MARKS = ("LPAR", "NAME", "TRUE")
_OPERAND_KINDS = frozenset(
    "LPAR NAME QNAME TRUE FALSE NUMBER QUANTITY STRING NOT NOT_WORD MINUS PLUS UNARY_TEMPORAL LSQB LBRACE EACH".split()
)
_OPERATOR_MARKS = ("PLUS", "TIMES")
_FORMULA_MARKS = ("AND", "OR")
_OPERATOR_KINDS = frozenset(
    "AND AND_WORD OR OR_WORD IMPLIES IFF XOR EQ NE LE GE LT GT PLUS MINUS POWER TIMES DIVIDE DOT LPAR LSQB IN NOT_WORD "
    "FROM BINARY_TEMPORAL UNTIL".split()
)


def operand_expected(kinds: frozenset[str]) -> bool:
    """Whether an operand (and not only a name) could come."""
    return all(mark in kinds for mark in _OPERAND_MARKS)


def operator_expected(kinds: frozenset[str]) -> bool:
    """Whether an operand has just ended."""
    return all(mark in kinds for mark in _OPERATOR_MARKS)


def describe(kinds: frozenset[str]) -> str:
    """An enumeration of what could come, the most telling first: ``a name or `)` ``."""
    soft = load_table().soft
    left = set(kinds)
    parts: list[str] = []
    if operand_expected(kinds):
        parts.append("a value or formula")
        left -= _OPERAND_KINDS | soft
    elif operator_expected(kinds):
        parts.append("an operator")
        left -= _OPERATOR_KINDS
    elif "NAME" in kinds:
        parts.append("a name")
        left -= soft | {"NAME", "QNAME"}
    words = {word: kind for word, kind in load_table().keywords.items() if kind in left}
    items = {word for word in words if word in BLOCK_ITEMS or word in TOP_ITEMS}
    if len(items) > 8:
        parts.append("an item (`prop`, `task`, ...)" if "TASK" in left else "an item")
        left -= {words[word] for word in items} | {"PRIMED", "LONG_STRING"}
        words = {word: kind for word, kind in words.items() if kind in left}
    for kind in ("_SEP", "RBRACE", "RPAR", "RSQB", "ASSIGN", "COLON", "COMMA", "LBRACE"):
        if kind in left:
            parts.append(_CLASSES.get(kind) or f"`{SYMBOLS[kind]}`")
            left.discard(kind)
    parts += [f"`{word}`" for word in sorted(words)]
    left -= set(words.values())
    named = {_CLASSES.get(kind) or f"`{SYMBOLS[kind]}`" for kind in left if kind in _CLASSES or kind in SYMBOLS}
    return enumerate_words([*parts, *sorted(named)])


def enumerate_words(parts: Iterable[str], most: int = 6) -> str:
    """``a, b or c``; long lists are cut."""
    unique = list(dict.fromkeys(parts))
    if len(unique) > most:
        unique = [*unique[: most - 1], "..."]
        return ", ".join(unique)
    if len(unique) < 2:
        return "".join(unique) or "nothing more"
    return ", ".join(unique[:-1]) + " or " + unique[-1]
