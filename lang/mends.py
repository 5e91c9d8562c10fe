"""Mends: edits of the token sequence behind which a broken parse goes on, each with its report.

They are tried in the order of how telling they are: a misspelt word before a missing bracket before a missing
operand before a superfluous token. Whether one works is tried on the parser's states alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, NamedTuple

from agentc.lang.diagnostics import Annotation, Diagnostic, Edit, Fix, report
from agentc.lang.expected import SYMBOLS, describe, enumerate_words, operand_expected, operator_expected
from agentc.lang.lalr import END
from agentc.lang.layout import SEPARATOR, separate
from agentc.lang.lexer import BAD, Token
from agentc.lang.misplaced_clause import condition_behind_block
from agentc.lang.parse_state import WINDOW, ParseState
from agentc.lang.source import Span
from agentc.lang.spelling import nearest
from agentc.lang.words import BINARY_WORDS, INNER_ITEMS, ITEMS, RESERVED, UNARY_WORDS

_BRACKETS = {"LPAR": ("(", "RPAR", ")"), "LSQB": ("[", "RSQB", "]"), "LBRACE": ("{", "RBRACE", "}")}
_CLOSERS = {"RPAR": ")", "RSQB": "]", "RBRACE": "}"}
_UNITS = frozenset("s ms us min h m mm cm km rad deg kg g N J W V A K Hz m/s steps turns".split())
_FOREIGN_WORDS = {
    "implies": ("IMPLIES", "->"), "iff": ("IFF", "<->"), "AND": ("AND", "&"), "OR": ("OR", "|"), "XOR": ("XOR", "xor"),
    "equals": ("EQ", "=="), "is": ("EQ", "=="), "unless": ("BINARY_TEMPORAL", "W"), "V": ("BINARY_TEMPORAL", "R"),
    "IN": ("IN", "in"),
}  # fmt: skip
_FOREIGN_UNARY = {
    "globally": "G", "finally": "F", "NOT": "not", "Globally": "G", "Finally": "F", "henceforth": "G", "previous": "Y",
    "previously": "Y", "N": "X", "P": "O", "Z": "WY",
}  # fmt: skip
_INFIX_WORDS = {
    **{word: "BINARY_TEMPORAL" for word in BINARY_WORDS if len(word) > 1 and word != "until"},
    "until": "UNTIL", "xor": "XOR", "and": "AND_WORD", "or": "OR_WORD", "in": "IN", "from": "FROM", "by": "BY",
    "with": "WITH", "when": "WHEN", "where": "WHERE", "ends": "ENDS", "continues": "CONTINUES", "turns": "TURNS",
    "steps": "STEPS", "tokens": "TOKENS", "confidence": "CONFIDENCE", "accepting": "ACCEPTING", "as": "AS",
    "satisfies": "SATISFIES", "violates": "VIOLATES", "max": "MAX",
}  # fmt: skip
_OPERATOR_WORD_KINDS = frozenset(
    "AND AND_WORD OR OR_WORD XOR IMPLIES IFF EQ NE LT GT LE GE BINARY_TEMPORAL UNTIL IN FROM".split()
)
_OPERANDS = frozenset("NAME QNAME NUMBER QUANTITY STRING LPAR TRUE FALSE NOT".split())
_MENDABLE = ("ASSIGN", "COLON", "LBRACE", "COMMA", "LPAR", "IMPLIES", "BY", "IN")


class Mend(NamedTuple):
    """An edit that was found to work: go back to ``height`` and put ``tokens`` for ``[start, stop)``."""

    start: int
    stop: int
    tokens: list[Token]
    diagnostic: Diagnostic


class Mender:
    """Finds a mend for the token that has no place."""

    def __init__(self, state: ParseState) -> None:
        self.state = state
        self.source = state.source
        self.stack = state.stack
        self.soft = state.soft

    def find(self, i: int, token: Token) -> Mend | None:
        """The first edit behind which the parse goes on."""
        expected = self.stack.expected()
        previous = self.state.tokens[i - 1] if i > self.state.frames[-1].item else None
        if token.kind == BAD:
            return self._skip_bad(i, token)
        finders = (
            self._condition_behind_block,
            self._misspelt_item,
            self._missing_separator,
            self._wrong_equals,
            self._wrong_bracket,
            self._reserved_name,
            self._misspelt_operator,
            self._misspelt_clause,
            self._detached_unit,
            self._open_bracket,
            self._missing_operand,
            self._missing_symbol,
            self._missing_name,
            self._missing_operator,
            self._superfluous,
        )
        for finder in finders:
            mend = finder(i, token, previous, expected)
            if mend is not None:
                return mend
        return None

    def _works(self, i: int, put: Sequence[Token], drop: int = 0, needed: int = WINDOW) -> bool:
        """Whether the parse goes on if ``put`` stands for the ``drop`` tokens at ``i``."""
        return self.state.goes_on(list(self.stack.states), i + drop, put) >= needed

    def _works_from(self, at: int, put: Token, i: int) -> bool:
        """Whether the current item gets beyond ``i`` if ``put`` stands for the token at ``at`` before it."""
        frame = self.state.frames[-1]
        if i - frame.item > 2000:
            return False
        states = self.stack.states[: frame.height]
        kinds = [token.kind for token in self.state.tokens[frame.item : i]]
        kinds[at - frame.item] = put.kind
        if not all(self.stack.takes(states, kind) for kind in kinds):
            return False
        return self.state.goes_on(states, i, []) >= WINDOW - 1

    def _skip_bad(self, i: int, token: Token) -> Mend | None:
        """What cannot be read is skipped, or stands for an operand or an operator."""
        at = token.start
        for put in ([], [Token("NAME", "", at, at)], [Token("AND", "&", at, at)]):
            if self._works(i, put, 1, needed=1):
                return Mend(i, i + 1, put, self.unexpected(token))
        return None

    def _condition_behind_block(self, i: int, token: Token, *_: object) -> Mend | None:
        """``train ppo { ... } until proved(f)``."""
        found = condition_behind_block(self.state, i)
        if found is None or not self._works(i, [], found[0] - i, needed=1):
            return None
        return Mend(i, found[0], [], found[1])

    def _misspelt_item(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``agnt Foo {``, ``tsk reach = ...``: the first word of an item."""
        first = self.state.frames[-1].item
        if i > first + 1 or first >= len(self.state.tokens):
            return None
        word = self.state.tokens[first]
        behind = token.kind in ("NAME", "QNAME", "STRING", "LBRACE") or token.kind in self.soft
        if word.kind != "NAME" or (i > first and not behind):
            return None
        at_frame = self.stack.expected(self.stack.states[: self.state.frames[-1].height])
        keywords = self.stack.table.keywords
        candidates = [k for k in (ITEMS | INNER_ITEMS) if keywords[k] in at_frame]
        while candidates:
            near = nearest(word.text, candidates)
            if near is None:
                break
            put = Token(keywords[near], near, word.start, word.stop)
            if self._works_from(first, put, i) if i > first else self._works(i, [put], 1, needed=2):
                shown = "an item"
                span = self.state.at(word)
                return Mend(
                    first, first + 1, [put], report("AS0109", span, suggestion=near, word=word.text, expected=shown)
                )
            candidates.remove(near)
        return None

    def _missing_separator(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """Two items on one line, or a comma between items."""
        if previous is None or SEPARATOR not in expected:
            return None
        at = previous.stop
        separator = Token(SEPARATOR, ";", at, at)
        if (
            token.kind == "COMMA"
            and self.state.frames[-1].opener is not None
            and self._works(i, [separator], 1, needed=2)
        ):
            fix = Fix("replace with `;`", (Edit(self.state.at(token), ";"),))
            return Mend(i, i + 1, [separator], report("AS0134", self.state.at(token), fix=fix))
        keyword = token.text in ITEMS or token.text in INNER_ITEMS or token.kind == "PRIMED"
        following = self.state.tokens[i + 1] if i + 1 < len(self.state.tokens) else None
        entry = following is not None and following.kind in ("ASSIGN", "COLON") and token.kind not in SYMBOLS
        if (keyword or entry) and self._works(i, [separator], needed=2):
            fix = Fix("insert `;`", (Edit(Span(self.source, at, at), ";"),))
            return Mend(i, i, [separator], report("AS0131", self.state.at(token), fix=fix))
        return None

    def _wrong_equals(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``=`` for ``==`` and the other way round."""
        span = self.state.at(token)
        if token.kind == "ASSIGN" and "EQ" in expected:
            put = Token("EQ", "==", token.start, token.stop)
            if self._works(i, [put], 1, needed=1):
                fix = Fix("replace with `==`", (Edit(span, "=="),))
                return Mend(i, i + 1, [put], report("AS0120", span, fix=fix))
        if token.kind == "EQ" and "ASSIGN" in expected:
            put = Token("ASSIGN", "=", token.start, token.stop)
            if self._works(i, [put], 1, needed=1):
                fix = Fix("replace with `=`", (Edit(span, "="),))
                return Mend(i, i + 1, [put], report("AS0121", span, fix=fix))
        return None

    def _wrong_bracket(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """A closing bracket of the wrong kind, or one too many."""
        if token.kind not in _CLOSERS:
            return None
        span = self.state.at(token)
        if previous is not None and previous.kind == "INF" and token.kind == "RSQB" and "RPAR" in expected:
            fix = Fix("replace with `)`", (Edit(span, ")"),))
            put = Token("RPAR", ")", token.start, token.stop)
            return Mend(i, i + 1, [put], report("AS0122", span, fix=fix))
        open_brackets = self.state.open_brackets(i)
        if open_brackets and token.kind in ("RPAR", "RSQB"):
            opener = open_brackets[-1]
            sign, kind, closer = _BRACKETS[opener.kind]
            put = Token(kind, closer, token.start, token.stop)
            if kind in expected and kind != token.kind and self._works(i, [put], 1, needed=1):
                fix = Fix(f"replace with `{closer}`", (Edit(span, closer),))
                notes = [Annotation(self.state.at(opener), "opened here")]
                values: dict[str, Any] = {"bracket": token.text, "what": f"`{sign}`", "mend": f"write `{closer}`"}
                return Mend(i, i + 1, [put], report("AS0107", span, annotations=notes, fix=fix, **values))
        none_open = len(self.state.frames) == 1 if token.kind == "RBRACE" else not open_brackets
        if none_open and self._works(i, [], 1, needed=1):
            fix = Fix("remove it", (Edit(span, ""),))
            values = {"bracket": token.text, "what": "nothing", "mend": "remove it, or open what it closes"}
            return Mend(i, i + 1, [], report("AS0107", span, fix=fix, **values))
        return None

    def _reserved_name(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """A word of the language where a name is declared."""
        if token.text not in RESERVED or "NAME" not in expected or operand_expected(expected):
            return None
        put = Token("NAME", token.text, token.start, token.stop)
        if not self._works(i, [put], 1, needed=1):
            return None
        quoted = f"`{token.text}`"
        fix = Fix("write it in back-ticks", (Edit(self.state.at(token), quoted),))
        return Mend(i, i + 1, [put], report("AS0126", self.state.at(token), fix=fix, word=token.text))

    def _misspelt_operator(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``a untl b``, ``alwys p``, ``a implies b``: words of this language misspelt, and of others."""
        if token.kind == "NAME" and "NAME" not in expected:
            foreign = _FOREIGN_WORDS.get(token.text)
            if foreign is not None and foreign[0] in expected:
                put = Token(*foreign, token.start, token.stop)
                if self._works(i, [put], 1, needed=2):
                    return Mend(i, i + 1, [put], self._foreign(token, foreign[1]))
            near = nearest(token.text, [word for word, kind in _INFIX_WORDS.items() if kind in expected])
            if near is not None:
                put = Token(_INFIX_WORDS[near], near, token.start, token.stop)
                if self._works(i, [put], 1, needed=2):
                    found = report("AS0127", self.state.at(token), suggestion=near, word=token.text)
                    return Mend(i, i + 1, [put], found)
        if previous is not None and previous.kind == "NAME" and i > self.state.frames[-1].item:
            word = previous.text
            unary = _FOREIGN_UNARY.get(word)
            near = nearest(word, [w for w in UNARY_WORDS if len(w) > 1] + ["not"]) if unary is None else unary
            if near is not None:
                kind = "NOT_WORD" if near == "not" else "UNARY_TEMPORAL"
                put = Token(kind, near, previous.start, previous.stop)
                if self._works_from(i - 1, put, i):
                    found = report("AS0127", self.state.at(previous), suggestion=near, word=word)
                    return Mend(i - 1, i, [put], found if unary is None else self._foreign(previous, near))
        return None

    def _misspelt_clause(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``phase p = txt until "x"``: a keyword inside an item."""
        if previous is None or previous.kind != "NAME":
            return None
        keywords = self.stack.table.keywords
        near = nearest(previous.text, (word for word in keywords if word not in ITEMS))
        if near is None:
            return None
        put = Token(keywords[near], near, previous.start, previous.stop)
        if not self._works_from(i - 1, put, i):
            return None
        found = report("AS0127", self.state.at(previous), suggestion=near, word=previous.text)
        return Mend(i - 1, i, [put], found)

    def _foreign(self, token: Token, instead: str) -> Diagnostic:
        fix = Fix(f"replace with `{instead}`", (Edit(self.state.at(token), instead),))
        return report("AS0110", self.state.at(token), fix=fix, found=token.text, instead=instead)

    def _detached_unit(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``5 s``."""
        if previous is None or previous.kind != "NUMBER" or token.text not in _UNITS:
            return None
        if not self._works(i, [], 1, needed=1):
            return None
        joined = previous.text + token.text
        put = Token("QUANTITY", joined, previous.start, token.stop)
        if not self._works_from(i - 1, put, i) and not self._works(i, [], 1):
            return None
        span = Span(self.source, previous.start, token.stop)
        fix = Fix("glue the unit to its number", (Edit(span, joined),))
        return Mend(i - 1, i + 1, [put], report("AS0132", span, fix=fix, unit=token.text, joined=joined))

    def _open_bracket(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """A ``(`` or ``[`` that was never closed: closed before the token, or before the token's line."""
        openers = self.state.open_brackets(i)
        if not openers or previous is None:
            return None
        at = previous.stop
        for count in sorted({1, 2, 3, len(openers)} & set(range(1, len(openers) + 1))):
            closed = openers[-count:]
            put = [Token(_BRACKETS[opener.kind][1], _BRACKETS[opener.kind][2], at, at) for opener in closed[::-1]]
            if self._works(i, put, needed=2):
                return Mend(i, i, put, self._unclosed_bracket(closed, at))
            if count == len(openers) and self.state.first_on_line(token):
                separator = Token(SEPARATOR, "\n", at, at)
                if self._works(i, [*put, separator], needed=2):
                    self._lay_out_again(i, token)
                    return Mend(i, i, [*put, separator], self._unclosed_bracket(closed, at))
        return None

    def _lay_out_again(self, i: int, token: Token) -> None:
        """Find the separators from ``i`` on anew, now that the bracket before it is closed."""
        at = bisect_left(self.state.raw_starts, token.start)
        braces = ["{"] * (len(self.state.frames) - 1)
        self.state.tokens[i:] = separate(self.state.raw[at:], self.source.text, self.state.broken, self.soft, braces)

    def _unclosed_bracket(self, closed: list[Token], at: int) -> Diagnostic:
        opener = closed[0]
        _, _, closer = _BRACKETS[opener.kind]
        all_closers = "".join(_BRACKETS[token.kind][2] for token in closed[::-1])
        notes = [Annotation(self.state.at(token), "opened here") for token in closed[:3]]
        fix = Fix(f"insert `{all_closers}`", (Edit(Span(self.source, at, at), all_closers),))
        span = Span(self.source, max(0, at - 1), at)
        return report("AS0106", span, annotations=notes, fix=fix, bracket=closer, opener=opener.text)

    def _missing_operand(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``a &``, ``& a``, ``G``, ``f(, x)``: an operand stands for what is missing."""
        if not operand_expected(expected):
            return None
        at = previous.stop if previous is not None else token.start
        put = Token("NAME", "", at, at)
        if not self._works(i, [put], needed=1):
            return None
        left = previous is not None and previous.kind not in ("COMMA", "COLON") and previous.kind not in _BRACKETS
        if previous is not None and left and token.kind in (SEPARATOR, END, "RBRACE", "RPAR", "RSQB", "COMMA", "COLON"):
            shown, side, span = f"`{previous.text}`", "behind", self.state.at(previous)
        elif token.kind in SYMBOLS or token.text in RESERVED:
            if previous is not None and left and token.kind not in _OPERATOR_WORD_KINDS | {"TIMES", "DIVIDE", "POWER"}:
                shown, side, span = f"`{previous.text}`", "behind", self.state.at(previous)
            else:
                shown, side, span = f"`{token.text}`", "before", self.state.at(token)
        elif previous is not None:
            shown, side, span = f"`{previous.text}`", "behind", self.state.at(previous)
        else:
            return None
        return Mend(i, i, [put], report("AS0128", span, operator=shown, side=side))

    def _missing_symbol(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``task reach F p``, ``agent A`` without its brace, ``f(a b)``."""
        if previous is None:
            return None
        at = previous.stop
        for kind in _MENDABLE:
            if kind not in expected:
                continue
            text = SYMBOLS.get(kind) or kind.lower()
            put = [Token(kind, text, at, at)]
            drop = 1 if kind == "LBRACE" and token.kind == SEPARATOR else 0
            needed = 2 if kind in ("ASSIGN", "COLON", "LBRACE") else WINDOW
            if operator_expected(expected) and kind not in ("COMMA", "COLON"):
                continue
            if self._works(i, put, drop, needed=needed):
                fix = Fix(f"insert `{text}`", (Edit(Span(self.source, at, at), f" {text} "),))
                where = f"behind `{previous.text}`" if previous.text.strip() else "here"
                span = self.state.at(previous if token.kind in (SEPARATOR, END) else token)
                return Mend(i, i + drop, put, report("AS0123", span, fix=fix, symbol=text, where=where))
        return None

    def _missing_name(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``prop = ...``, ``agent {``, ``prev.``"""
        if "NAME" not in expected or operand_expected(expected) or previous is None:
            return None
        put = Token("NAME", "", previous.stop, previous.stop)
        if not self._works(i, [put], needed=1):
            return None
        where = f"behind `{previous.text}`"
        return Mend(i, i, [put], report("AS0129", self.state.at(previous), where=where))

    def _missing_operator(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``a b``."""
        if previous is None or not operator_expected(expected):
            return None
        at = previous.stop
        for put in (Token("AND", "&", at, at), Token("PLUS", "+", at, at)):
            if put.kind in expected and self._works(i, [put], needed=1):
                if token.kind not in _OPERANDS and token.kind not in self.soft and token.text not in RESERVED:
                    return None
                span = Span(self.source, previous.start, token.stop)
                found = report("AS0130", span, left=previous.text, right=token.text)
                return Mend(i, i, [put], found)
        return None

    def _superfluous(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """One token too many."""
        if token.kind in (END, SEPARATOR, "LBRACE", "RBRACE") or not self._works(i, [], 1):
            return None
        return Mend(i, i + 1, [], self.unexpected(token))

    def unexpected(self, token: Token) -> Diagnostic:
        """The report for what no mend explains."""
        expected = self.stack.expected()
        first = self.state.frames[-1].item
        at_start = first < len(self.state.tokens) and self.state.tokens[first] is token
        if at_start and token.kind == "NAME" and "NAME" not in expected:
            return report("AS0109", self.state.at(token), word=token.text, expected=self._items_here(expected))
        if token.kind == SEPARATOR:
            found = "`;`" if token.text == ";" else "end of the line"
        elif token.kind == END:
            found = "end of the file" if self.state.whole_file else "end of the formula"
        else:
            shown = token.text if len(token.text) <= 40 else token.text[:37] + "..."
            found = f"`{shown}`"
        span = self.state.at(token)
        if token.kind in (SEPARATOR, END):
            span = Span(self.source, max(0, token.start - 1), max(token.start, min(1, len(self.source.text))))
        return report("AS0108", span, found=found, expected=describe(expected))

    def _items_here(self, expected: frozenset[str]) -> str:
        keywords = self.stack.table.keywords
        words = sorted(word for word in (ITEMS | INNER_ITEMS) if keywords[word] in expected)
        known = [word for word in ("agent", "prop", "task", "safe", "reward", "train") if word in words]
        rest = [word for word in words if word not in known]
        return enumerate_words([f"`{word}`" for word in [*known, *rest]], most=7)
