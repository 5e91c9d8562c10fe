"""Separators: which newlines end an item. A pass between the lexer and the parser.

The grammar never sees a newline. A newline, or ``;``, that stands between two items becomes one ``_SEP``; all
others vanish. A newline separates at the level of braces only (not inside ``(`` or ``[``), and only where the
token before it can end an item and the one after it can begin one. So a formula goes on where a line ends or
begins with an operator (``+`` and ``-`` at a line's beginning excepted, which may be signs). A word that begins
an item separates at the start of a line whatever stands open, so that a forgotten ``)`` costs one item and not
the file; behind a ``}`` it separates even on the same line.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentc.lang.lexer import Token
from agentc.lang.words import HARD_ITEMS, INNER_ITEMS, ITEMS

SEPARATOR = "_SEP"

_OPENERS = {"LPAR": "(", "LSQB": "[", "LBRACE": "{"}
_INFIX = frozenset(
    "AND OR IMPLIES IFF EQ NE LT GT LE GE TIMES DIVIDE POWER CARET ASSIGN COLON COMMA DOT DOTS "
    "BINARY_TEMPORAL UNTIL XOR IN BY WITH AS AND_WORD OR_WORD FROM".split()
)
_NO_END = _INFIX | frozenset({"NOT", "NOT_WORD", "UNARY_TEMPORAL", "PLUS", "MINUS", "LPAR", "LSQB", "LBRACE"})
_NO_START = _INFIX | frozenset({"RPAR", "RSQB", "LBRACE", "RBRACE"})
_NAMES = frozenset({"NAME", "QNAME", "STRING", "LONG_STRING", "LBRACE"})
_EMPTY_BEFORE = frozenset({"LBRACE", "COLON", SEPARATOR})


def separate(
    tokens: list[Token], text: str, broken: list[int], names: frozenset[str], opened: Sequence[str] = ()
) -> list[Token]:
    """Put the separators in.

    ``names`` are the kinds of soft keywords, which may be names. Tokens that begin at an offset in ``broken``
    end their line whatever stands open. ``opened`` are the brackets that stand open at the beginning.
    """
    out: list[Token] = []
    brackets = list(opened)
    torn = frozenset(broken)
    after_interval = False
    separator: Token | None = None
    previous: Token | None = None
    count = len(tokens)
    for i, token in enumerate(tokens):
        kind = token.kind
        if kind == SEPARATOR:
            if separator is None:
                separator = token
            _drop(brackets)
            continue
        if previous is not None:
            gap = previous.stop < token.start
            newline = gap and text.find("\n", previous.stop, token.start) >= 0
            if separator is None and (newline or previous.kind == "RBRACE"):
                following = tokens[i + 1] if i + 1 < count else None
                begins = _begins_item(token, following, names)
                if newline and ((begins and token.text in HARD_ITEMS) or previous.start in torn):
                    _drop(brackets)
                    separator = previous
                elif newline:
                    level = not brackets or brackets[-1] == "{"
                    if level and not after_interval and _ends(previous) and _starts(token, following):
                        separator = previous
                elif begins and (token.text in ITEMS or token.text in INNER_ITEMS):
                    separator = previous
            if separator is not None and previous.kind != "LBRACE" and kind != "RBRACE":
                if separator.kind == SEPARATOR:
                    out.append(separator)
                else:
                    out.append(Token(SEPARATOR, "\n", previous.stop, previous.stop))
        separator = None
        interval_closed = False
        if kind in _OPENERS:
            opener = _OPENERS[kind]
            after_operator = previous is not None and _takes_interval(previous.kind)
            brackets.append("F[" if opener == "[" and after_operator else opener)
        elif kind == "RBRACE":
            _drop(brackets)
            if brackets:
                brackets.pop()
        elif kind in ("RPAR", "RSQB") and brackets and brackets[-1] != "{":
            interval_closed = brackets.pop() == "F["
        elif kind == "MINUS" and _stands_alone(tokens, i, out, text):
            token = Token("EMPTY", "-", token.start, token.stop)
        out.append(token)
        previous = token
        after_interval = interval_closed
    return out


def _drop(brackets: list[str]) -> None:
    """Forget what stands open inside the innermost brace."""
    while brackets and brackets[-1] != "{":
        brackets.pop()


def _takes_interval(kind: str) -> bool:
    return kind in ("UNARY_TEMPORAL", "BINARY_TEMPORAL", "UNTIL")


def _ends(token: Token) -> bool:
    """Whether an item can end with this token."""
    return token.kind not in _NO_END


def _starts(token: Token, following: Token | None) -> bool:
    """Whether an item can begin with this token."""
    if token.kind == "NOT_WORD" and following is not None and following.kind == "IN":
        return False
    return token.kind not in _NO_START


def _begins_item(token: Token, following: Token | None, names: frozenset[str]) -> bool:
    """Whether a keyword stands as one: with a name, a text or a brace behind it."""
    if token.text not in ITEMS and token.text not in INNER_ITEMS:
        return False
    return following is not None and (following.kind in _NAMES or following.kind in names)


def _stands_alone(tokens: list[Token], i: int, out: list[Token], text: str) -> bool:
    """Whether the ``-`` at ``i`` is the empty step (or the empty update) and not a sign."""
    if out and out[-1].kind not in _EMPTY_BEFORE:
        return False
    if i + 1 == len(tokens):
        return True
    following = tokens[i + 1]
    if following.kind in (SEPARATOR, "RBRACE"):
        return True
    return text.find("\n", tokens[i].stop, following.start) >= 0
