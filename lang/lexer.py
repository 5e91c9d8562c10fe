"""Text to tokens. What is no token is reported here, and replaced by what was probably meant.

The tokens are those of lark's basic lexer on ``grammar.lark``: one regular expression, made of the grammar's
terminals in lark's order, reads blanks and one token at a time; a test compares the two.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from agentc.lang.diagnostics import Diagnostic, Edit, Fix, report
from agentc.lang.source import Source, Span
from agentc.lang.table import load_table


class Token(NamedTuple):
    """A terminal with its place; ``text`` is what it stands for, which a repaired token does not show."""

    kind: str
    text: str
    start: int
    stop: int


BAD = "BAD"
"""Kind of what cannot be read; the parser skips it without another report."""


class Lexed(NamedTuple):
    """Tokens in order, the end not among them; ``broken`` are offsets of damage that was already reported."""

    tokens: list[Token]
    diagnostics: list[Diagnostic]
    broken: list[int]


_KIND_OF_OPERATOR = {
    "&": "AND", "|": "OR", "!": "NOT", "->": "IMPLIES", "<->": "IFF", "==": "EQ", "!=": "NE", "<=": "LE",
    ">=": "GE", "G": "UNARY_TEMPORAL", "F": "UNARY_TEMPORAL", "X": "UNARY_TEMPORAL", "in": "IN", "*": "TIMES",
    "-": "MINUS", "inf": "INF",
}  # fmt: skip

_FOREIGN = {
    "&&": "&", "||": "|", "<>": "F", "[]": "G", "=>": "->", "==>": "->", "<=>": "<->", "<==>": "<->",
    "===": "==", "!==": "!=", "/=": "!=", "~=": "!=", "=<": "<=", "/\\": "&", "\\/": "|", "~": "!",
    "∧": "&", "⋀": "&", "∨": "|", "⋁": "|", "¬": "!", "→": "->", "⇒": "->", "⟹": "->", "↔": "<->", "⇔": "<->",
    "□": "G", "◻": "G", "◇": "F", "◊": "F", "○": "X", "◯": "X", "≤": "<=", "≥": ">=", "≠": "!=", "∈": "in",
    "×": "*", "·": "*", "−": "-", "–": "-", "∞": "inf",
}  # fmt: skip
"""Operators of other languages and tools, and how they are written here."""

# Tokens behind which a closer look is due, with the characters that call for it.
_SUSPECTS = {
    "AND": "&", "OR": "|", "LT": ">=", "LE": ">=", "ASSIGN": "><", "EQ": ">=", "NE": "=", "DIVIDE": "/*=\\",
    "LSQB": "]", "STRING": '"', "NUMBER": "", "QUANTITY": "", "DOT": "0123456789",
}  # fmt: skip

_FOREIGN_AT = re.compile("|".join(re.escape(word) for word in sorted(_FOREIGN, key=len, reverse=True)))
_WORD = re.compile(r"\w+")
_GLUED = re.compile(r"[A-Za-z0-9_]*(?:\.(?!\.)[A-Za-z0-9_]*)*")
_OPERAND_ENDS = frozenset({"NAME", "QNAME", "RPAR", "RSQB", "NUMBER", "QUANTITY", "STRING"})


def tokenize(source: Source) -> Lexed:
    """All tokens of a text. Never raises: what cannot be read becomes a diagnostic."""
    return _Lexer(source).run()


class _Lexer:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.tokens: list[Token] = []
        self.diagnostics: list[Diagnostic] = []
        self.broken: list[int] = []

    def run(self) -> Lexed:
        table = load_table()
        match, kinds, keywords = table.pattern.match, table.kinds, table.keywords
        text, length, append = self.text, len(self.text), self.tokens.append
        at = 0
        while True:
            found = match(text, at)
            assert found is not None  # every part of the pattern is optional
            group = found.lastindex
            at = found.end()
            if group is None:
                if at >= length:
                    break
                at = self.unreadable(at)
                continue
            kind = kinds[group - 1]
            word = found.group(group)
            if kind == "NAME":
                kind = keywords.get(word, kind)
            elif kind in _SUSPECTS and (following := self.suspect(kind, word, at)):
                at = following
                continue
            append(Token(kind, word, at - len(word), at))
        return Lexed(self.tokens, self.diagnostics, self.broken)

    def suspect(self, kind: str, word: str, stop: int) -> int:
        """Look at a token that might be part of something foreign; 0 if it is what it seems."""
        start = stop - len(word)
        if kind in ("NUMBER", "QUANTITY"):
            return self.number(start, stop)
        follower = self.text[stop : stop + 1]
        if not follower or follower not in _SUSPECTS[kind]:
            return 0
        if kind == "STRING":
            return self.open_docstring(start) if word == '""' else 0
        if kind == "DOT":
            glued = self.tokens and self.tokens[-1].stop == start and self.tokens[-1].kind in _OPERAND_ENDS
            return 0 if glued else self.number(start, start)
        if kind == "LSQB" and not self.box(start):
            return 0
        if kind == "DIVIDE" and follower in "/*":
            return self.comment(start, follower)
        return self.foreign(start)

    def box(self, start: int) -> bool:
        """Whether ``[]`` is another tool's ``G`` and not an empty list."""
        previous = self.tokens[-1] if self.tokens else None
        glued = previous is not None and previous.stop == start and previous.kind in _OPERAND_ENDS
        rest = self.text[start + 2 : start + 80].lstrip(" \t")[:1]
        return not glued and (rest.isalnum() or (rest != "" and rest in '_(!`"<~'))

    # ------------------------------------------------------------ what is no token

    def unreadable(self, start: int) -> int:
        """Report what begins at ``start``, put what stands for it, say where to go on."""
        text = self.text
        character = text[start]
        if character in "\"'“”‘’«»":
            return self.open_string(start)
        if _FOREIGN_AT.match(text, start):
            return self.foreign(start)
        if character == "`":
            return self.back_tick(start)
        if character.isalpha():
            return self.foreign_word(start)
        stop = start + 1
        while stop < len(text) and text[stop] == character:
            stop += 1
        self.put(BAD, "", start, stop)
        shown = character if character.isprintable() else f"U+{ord(character):04X}"
        self.report("AS0101", start, stop, character=shown)
        return stop

    def foreign(self, start: int) -> int:
        found = _FOREIGN_AT.match(self.text, start)
        if found is None:
            return 0
        word, stop = found.group(), found.end()
        instead = _FOREIGN[word]
        if word == "<>" and self.tokens and self.tokens[-1].kind in _OPERAND_ENDS:
            instead = "!="  # `a <> b` of SQL and Pascal, not `<> p` of LTL tools
        self.put(_KIND_OF_OPERATOR[instead], instead, start, stop)
        self.report("AS0110", start, stop, replace=instead, found=word, instead=instead)
        return stop

    def comment(self, start: int, follower: str) -> int:
        """``// ...`` and ``/* ... */``."""
        end = self.text.find("\n", start)
        stop = len(self.text) if end < 0 else end
        if follower == "*":
            close = self.text.find("*/", start + 2)
            stop = stop if close < 0 else close + 2
            self.report("AS0111", start, stop, found="/*")
        else:
            span = Span(self.source, start, start + 2)
            fix = Fix("begin the comment with `#`", (Edit(span, "#"),))
            self.diagnostics.append(report("AS0111", span, fix=fix, found="//"))
        return stop

    def open_string(self, start: int) -> int:
        """A string in the wrong quotes, or one whose end is missing on its line."""
        text, quote = self.text, self.text[start]
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if quote != '"':
            close = {"“": "”", "‘": "’", "«": "»"}.get(quote, quote)
            stop = text.find(close, start + 1, end)
            if stop > 0:
                body = text[start + 1 : stop].replace('\\"', '"').replace('"', '\\"')
                self.put("STRING", f'"{body}"', start, stop + 1)
                self.report("AS0112", start, stop + 1, replace=f'"{body}"', quote=quote)
                return stop + 1
            if quote != "“":
                self.put(BAD, "", start, start + 1)
                self.report("AS0101", start, start + 1, character=quote)
                return start + 1
        stop = self.string_end(start, end)
        body = text[start + 1 : stop].replace("\\", "\\\\").replace('"', '\\"')
        self.put("STRING", f'"{body}"', start, stop)
        self.report("AS0102", start, stop)
        self.broken.append(start)
        return stop

    def string_end(self, start: int, end: int) -> int:
        """Where an open string probably ended: before the brackets that close what was opened earlier."""
        text = self.text
        stop = end
        while stop > start + 1:
            last = text[stop - 1]
            if last in " \t\r;,{":
                stop -= 1
            elif last in ")]}":
                opener = {")": "(", "]": "[", "}": "{"}[last]
                if text.count(opener, start, stop) >= text.count(last, start, stop):
                    break
                stop -= 1
            else:
                break
        return stop

    def open_docstring(self, start: int) -> int:
        end = self.text.find("\n", start)
        stop = len(self.text) if end < 0 else end
        self.put("LONG_STRING", '""""""', start, stop)
        self.report("AS0103", start, start + 3)
        self.broken.append(start)
        return stop

    def number(self, start: int, stop: int) -> int:
        """A number that runs on into letters, digits or a dot; 0 if it ends where it should."""
        found = _GLUED.match(self.text, stop)
        end = found.end() if found else stop
        if end == stop:
            return 0
        word = self.text[start:end]
        help_ = None
        if word.startswith(".") and word[1:].isdigit():
            help_ = "0" + word
        elif word.endswith(".") and word[:-1].isdigit():
            help_ = word + "0"
        self.put("NUMBER", word, start, end)
        span = Span(self.source, start, end)
        self.diagnostics.append(report("AS0113", span, suggestion=help_, number=word))
        return end

    def back_tick(self, start: int) -> int:
        """A back-tick that encloses no name."""
        end = self.text.find("\n", start)
        end = len(self.text) if end < 0 else end
        close = self.text.find("`", start + 1, end)
        if close > 0:
            self.put("NAME", "", start, close + 1)
            self.report("AS0115", start, close + 1, name=self.text[start + 1 : close])
            return close + 1
        self.put(BAD, "", start, start + 1)
        self.report("AS0101", start, start + 1, character="`")
        return start + 1

    def foreign_word(self, start: int) -> int:
        """A word with letters that names may not have."""
        found = _WORD.match(self.text, start)
        stop = found.end() if found else start + 1
        if self.tokens and self.tokens[-1].stop == start and self.tokens[-1].text.isidentifier():
            start = self.tokens.pop().start
        self.put("NAME", self.text[start:stop], start, stop)
        self.report("AS0115", start, stop, name=self.text[start:stop])
        return stop

    def put(self, kind: str, text: str, start: int, stop: int) -> None:
        self.tokens.append(Token(kind, text, start, stop))
        if kind == BAD:
            self.broken.append(start)

    def report(self, code: str, start: int, stop: int, *, replace: str | None = None, **values: Any) -> None:
        span = Span(self.source, start, stop)
        fix = None if replace is None else Fix(f"replace with `{replace}`", (Edit(span, replace),))
        self.diagnostics.append(report(code, span, fix=fix, **values))
