"""Error recovery: say what is wrong, mend it, go on, so that one run reports all independent errors.

At a token that has no place, mends are tried in the order of how telling they are (a misspelt word, a missing
bracket, ``=`` for ``==``, ...). A mend is an edit of the token sequence; it is taken if the parse then goes on
for a few tokens, which is tried on the states alone. Where none helps, the whole item is given up: it becomes an
``ErrorItem`` that knows which names it would have declared. After a mend the next few tokens raise no second
report, and neither does an item that already has a lexical error.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from agentc.lang.diagnostics import Annotation, Diagnostic, Edit, Fix, report
from agentc.lang.expected import SYMBOLS, describe, enumerate_words, operand_expected, operator_expected
from agentc.lang.lalr import END, MAX_STACK, Stack
from agentc.lang.layout import SEPARATOR, separate
from agentc.lang.lexer import BAD, Token
from agentc.lang.source import Source, Span
from agentc.lang.spelling import nearest
from agentc.lang.words import (
    BINARY_WORDS,
    HARD_ITEMS,
    INNER_ITEMS,
    ITEMS,
    RESERVED,
    TOP_ITEMS,
    UNARY_WORDS,
)

WINDOW = 4
"""So many tokens must be taken behind a mend before it is believed."""

CALM = 3
"""So many tokens behind a mend raise no second report."""

MAX_REPORTS = 100

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
_MENDABLE = ("ASSIGN", "COLON", "LBRACE", "COMMA", "LPAR", "IMPLIES", "BY", "IN")
_DECLARES = frozenset(
    "prop region pattern const param task safe behavior assume cost phase tool machine signal state input output "
    "disturbance environment system agent role mode command controller prompt".split()
)


class Frame:
    """A block under way: where its brace stands, where its current item begins, how high the stack was then."""

    __slots__ = ("height", "item", "opener")

    def __init__(self, opener: Token | None, item: int, height: int):
        self.opener = opener
        self.item = item
        self.height = height


class Mend(NamedTuple):
    """An edit that was found to work: go back to ``height`` and put ``tokens`` for ``[start, stop)``."""

    start: int
    stop: int
    tokens: list[Token]
    diagnostic: Diagnostic


class Recovery:
    """The parse of one token sequence, with what it takes to survive errors."""

    def __init__(self, source: Source, raw: list[Token], broken: list[int], stack: Stack):
        self.source = source
        self.raw = raw
        self.raw_starts = [token.start for token in raw]
        self.broken = broken
        self.stack = stack
        self.soft = stack.table.soft
        self.tokens = separate(raw, source.text, broken, self.soft)
        self.frames = [Frame(None, 0, 1)]
        self.diagnostics: list[Diagnostic] = []
        self.calm_until = -1
        self.misaligned: Token | None = None
        self.mends = 0
        self.whole_file = True

    # ------------------------------------------------------------ the parse

    def run(self) -> bool:
        """Parse to the end; False if there is no tree. The tree is the stack's one value then."""
        stack = self.stack
        i = 0
        while True:
            token = self.tokens[i] if i < len(self.tokens) else self.end_token()
            if stack.feed(token):
                if token.kind == END:
                    return True
                if len(stack.states) > MAX_STACK:
                    self.stack.report_too_deep(token.start, self.item_stop(i))
                    i = self.give_up(i, None)
                    if i < 0:
                        return False
                    continue
                if token.kind == SEPARATOR:
                    frame = self.frames[-1]
                    frame.item, frame.height = i + 1, len(stack.states)
                elif token.kind == "LBRACE":
                    self.frames.append(Frame(token, i + 1, len(stack.states)))
                elif token.kind == "RBRACE":
                    self.closed(token)
                i += 1
                continue
            i = self.recover(i, token)
            if i < 0:
                return False

    def end_token(self) -> Token:
        stop = self.tokens[-1].stop if self.tokens else 0
        return Token(END, "", stop, stop)

    def closed(self, token: Token) -> None:
        """A brace closes; remember it if its indentation says that it was meant for an outer block."""
        if len(self.frames) > 1:
            opener = self.frames.pop().opener
            first = self.first_on_line(token)
            if opener is not None and first and self.indentation(token) < self.indentation(opener):
                self.misaligned = opener

    # ------------------------------------------------------------ recovery

    def recover(self, i: int, token: Token) -> int:
        """Report and mend the error at ``i``; where to go on, or -1."""
        self.mends += 1
        if self.mends > 20 * MAX_REPORTS or len(self.diagnostics) >= MAX_REPORTS:
            return self.stop(token)
        following = self.missing_brace(i, token)
        if following is not None:
            return following
        quiet = self.is_quiet(i, token)
        mend = self.find_mend(i, token)
        if mend is not None:
            if not quiet:
                self.diagnostics.append(mend.diagnostic)
            frame = self.frames[-1]
            begin = i
            if mend.start < i:  # go back to the item's beginning and take the edited tokens again
                self.stack.truncate(frame.height)
                begin = frame.item
            self.tokens[mend.start : mend.stop] = mend.tokens
            self.calm_until = mend.start + len(mend.tokens) + CALM - 1
            return begin
        return self.give_up(i, None if quiet else self.unexpected(token))

    def stop(self, token: Token) -> int:
        self.diagnostics.append(report("AS0133", self.at(token), limit=MAX_REPORTS))
        return -1

    def is_quiet(self, i: int, token: Token) -> bool:
        """Whether an error here was already reported, by the lexer or by the last mend."""
        if token.kind == BAD or i < self.calm_until:
            return True
        item = self.frames[-1].item
        start = self.tokens[item].start if item < len(self.tokens) else token.start
        at = bisect_left(self.broken, start)
        return at < len(self.broken) and self.broken[at] <= token.start

    def give_up(self, i: int, diagnostic: Diagnostic | None) -> int:
        """Replace the item that holds token ``i`` by an error, and skip to its end."""
        if diagnostic is not None:
            self.diagnostics.append(diagnostic)
        stack = self.stack
        while True:
            frame = self.frames[-1]
            if "_ERR" in stack.table.row(stack.states[frame.height - 1]):
                break
            if len(self.frames) == 1:
                return -1
            self.frames.pop()
        stack.truncate(frame.height)
        first = frame.item
        token = self.tokens[min(first, len(self.tokens) - 1)] if self.tokens else self.end_token()
        stack.builder.error_names = self.declared_names(first, i)
        end = self.item_end(i)
        stop = max(token.start, self.tokens[end - 1].stop if end > first else token.start)
        stack.feed(Token("_ERR", "", token.start, stop))
        self.calm_until = -1
        return end

    def item_end(self, i: int) -> int:
        """Index of the separator or brace that ends the item that holds token ``i``."""
        depth = 0
        top = len(self.frames) == 1
        while i < len(self.tokens):
            kind = self.tokens[i].kind
            if kind == "LBRACE":
                depth += 1
            elif kind == "RBRACE":
                if depth == 0:
                    if not top:
                        break
                else:
                    depth -= 1
            elif kind == SEPARATOR and depth == 0:
                break
            i += 1
        return i

    def item_stop(self, i: int) -> int:
        end = self.item_end(i)
        return self.tokens[end - 1].stop if 0 < end <= len(self.tokens) else len(self.source.text)

    def declared_names(self, first: int, i: int) -> tuple[str, ...]:
        """Names that the broken item would have declared."""
        if first >= len(self.tokens) or self.tokens[first].text not in _DECLARES:
            return ()
        names = []
        for at in range(first + 1, min(first + 40, len(self.tokens))):
            token = self.tokens[at]
            if token.kind in ("NAME", "QNAME") or token.kind in self.soft:
                names.append(token.text.strip("`"))
            elif token.kind != "COMMA":
                break
        return tuple(names)

    # ------------------------------------------------------------ braces

    def missing_brace(self, i: int, token: Token) -> int | None:
        """A forgotten ``}``: noticed at the end of the file, or at an item that has no place in this block."""
        if token.kind == END:
            return self.missing_brace_at_end(i, token)
        frame = self.frames[-1]
        if len(self.frames) == 1 or i > frame.item + 1 or frame.opener is None:
            return None
        j = frame.item
        keyword = self.tokens[j]
        if keyword.text not in ITEMS or not self.first_on_line(keyword) or not self.is_item_start(j):
            return None
        separated = j > 0 and self.tokens[j - 1].kind == SEPARATOR
        states = self.stack.states[: frame.height - 1 if separated else frame.height]
        for closed in range(1, len(self.frames)):
            if not self.stack.takes(states, "RBRACE"):
                return None
            outer = list(states)
            if self.stack.takes(outer, SEPARATOR) and self.goes_on(outer, j, []) >= WINDOW:
                break
        else:
            return None
        outermost = self.frames[len(self.frames) - closed].opener
        if outermost is None:
            return None
        if self.indentation(keyword) > self.indentation(outermost) and keyword.text in TOP_ITEMS:
            word = keyword.text
            place = f"`{self.block_word(outermost)}`"
            misplaced = report(
                "AS0125", self.at(keyword), word=f"`{word}`", block=place, where="the top of the file"
            )
            return self.give_up(i, None if self.is_quiet(i, token) else misplaced)
        self.stack.truncate(len(self.stack.states[: frame.height - 1 if separated else frame.height]))
        before = self.tokens[j - 1]
        at = before.start if separated else before.stop
        for closing in self.frames[len(self.frames) - closed :][::-1]:
            self.diagnostics.append(self.unclosed(closing.opener, self.at(keyword), keyword.start))
        put = [Token("RBRACE", "}", at, at)] * closed + [Token(SEPARATOR, "\n", at, at)]
        start = j - 1 if separated else j
        self.tokens[start:j] = put
        self.frames[-1].item = start
        return start

    def missing_brace_at_end(self, i: int, token: Token) -> int | None:
        if len(self.frames) == 1 or not self.whole_file:
            return None
        if "RBRACE" not in self.stack.expected():
            return None  # the last item is broken: that first
        opener = self.frames[-1].opener
        blamed = self.misaligned or self.frames[-1].opener
        docstring = self.broken and self.raw and self.raw[-1].kind == "LONG_STRING"
        if not docstring and not self.is_quiet(i, token):
            last = Span(self.source, max(0, token.stop - 1), token.stop)
            self.diagnostics.append(self.unclosed(blamed or opener, last, token.stop))
        self.tokens += [Token("RBRACE", "}", token.stop, token.stop)] * (len(self.frames) - 1)
        return i

    def unclosed(self, opener: Token | None, span: Span, insert: int) -> Diagnostic:
        annotations = [] if opener is None else [Annotation(self.at(opener), "opened here")]
        fix = Fix("close the block", (Edit(Span(self.source, insert, insert), "}\n"),))
        word = self.block_word(opener)
        return report("AS0105", span, annotations=annotations, fix=fix, block=f"`{word}`" if word else "the block")

    def block_word(self, opener: Token | None) -> str:
        """The first word of the line on which a block opens."""
        if opener is None:
            return ""
        line = self.source.line(self.source.position(opener.start)[0])
        words = line[: self.source.position(opener.start)[1] - 1].split()
        return words[0] if words else ""

    # ------------------------------------------------------------ mends

    def find_mend(self, i: int, token: Token) -> Mend | None:
        """The first edit behind which the parse goes on."""
        expected = self.stack.expected()
        previous = self.tokens[i - 1] if i > self.frames[-1].item else None
        if token.kind == BAD:
            return self.skip_bad(i, token)
        finders = (
            self.misspelt_item,
            self.missing_separator,
            self.wrong_equals,
            self.wrong_bracket,
            self.reserved_name,
            self.misspelt_operator,
            self.detached_unit,
            self.open_bracket,
            self.missing_operand,
            self.missing_symbol,
            self.missing_name,
            self.missing_operator,
            self.superfluous,
        )
        for finder in finders:
            mend = finder(i, token, previous, expected)
            if mend is not None:
                return mend
        return None

    def works(self, i: int, put: Sequence[Token], drop: int = 0, needed: int = WINDOW) -> bool:
        """Whether the parse goes on if ``put`` stands for the ``drop`` tokens at ``i``."""
        return self.goes_on(list(self.stack.states), i + drop, put) >= needed

    def works_from(self, at: int, put: Token, i: int) -> bool:
        """Whether the current item gets beyond ``i`` if ``put`` stands for the token at ``at`` before it."""
        frame = self.frames[-1]
        if i - frame.item > 2000:
            return False
        states = self.stack.states[: frame.height]
        kinds = [token.kind for token in self.tokens[frame.item : i]]
        kinds[at - frame.item] = put.kind
        if not all(self.stack.takes(states, kind) for kind in kinds):
            return False
        return self.goes_on(states, i, []) >= WINDOW - 1

    def goes_on(self, states: list[int], i: int, put: Sequence[Token]) -> int:
        """How many tokens from ``i`` on are taken behind ``put``; an item's end counts as enough."""
        for token in put:
            if not self.stack.takes(states, token.kind):
                return -1
        for taken in range(WINDOW):
            kind = self.tokens[i + taken].kind if i + taken < len(self.tokens) else END
            if kind == END and len(self.frames) > 1:
                kind = "RBRACE"
            if kind == BAD or (taken and kind in (SEPARATOR, END, "RBRACE") and self.stack.takes(states, kind)):
                return WINDOW
            if not self.stack.takes(states, kind):
                return taken
            if kind in (SEPARATOR, END, "RBRACE"):
                return WINDOW
        return WINDOW

    def skip_bad(self, i: int, token: Token) -> Mend | None:
        """What cannot be read is skipped, or stands for an operand or an operator."""
        at = token.start
        for put in ([], [Token("NAME", "", at, at)], [Token("AND", "&", at, at)]):
            if self.works(i, put, 1, needed=1):
                return Mend(i, i + 1, put, self.unexpected(token))
        return None

    def misspelt_item(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``agnt Foo {``, ``tsk reach = ...``: the first word of an item."""
        first = self.frames[-1].item
        if i > first + 1 or first >= len(self.tokens):
            return None
        word = self.tokens[first]
        if word.kind != "NAME" or (i > first and token.kind not in ("NAME", "QNAME", "STRING", "LBRACE")):
            if word.kind != "NAME" or token.kind not in self.soft:
                return None
        at_frame = self.stack.expected(self.stack.states[: self.frames[-1].height])
        keywords = self.stack.table.keywords
        candidates = [k for k in (ITEMS | INNER_ITEMS) if keywords[k] in at_frame]
        while candidates:
            near = nearest(word.text, candidates)
            if near is None:
                break
            put = Token(keywords[near], near, word.start, word.stop)
            if self.works_from(first, put, i) if i > first else self.works(i, [put], 1, needed=2):
                shown = "an item"
                span = self.at(word)
                return Mend(
                    first, first + 1, [put], report("AS0109", span, suggestion=near, word=word.text, expected=shown)
                )
            candidates.remove(near)
        return None

    def missing_separator(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """Two items on one line, or a comma between items."""
        if previous is None or SEPARATOR not in expected:
            return None
        at = previous.stop
        separator = Token(SEPARATOR, ";", at, at)
        if token.kind == "COMMA" and self.frames[-1].opener is not None and self.works(i, [separator], 1, needed=2):
            fix = Fix("replace with `;`", (Edit(self.at(token), ";"),))
            return Mend(i, i + 1, [separator], report("AS0134", self.at(token), fix=fix))
        keyword = token.text in ITEMS or token.text in INNER_ITEMS or token.kind == "PRIMED"
        following = self.tokens[i + 1] if i + 1 < len(self.tokens) else None
        entry = following is not None and following.kind in ("ASSIGN", "COLON") and token.kind not in SYMBOLS
        if (keyword or entry) and self.works(i, [separator], needed=2):
            fix = Fix("insert `;`", (Edit(Span(self.source, at, at), ";"),))
            return Mend(i, i, [separator], report("AS0131", self.at(token), fix=fix))
        return None

    def wrong_equals(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``=`` for ``==`` and the other way round."""
        span = self.at(token)
        if token.kind == "ASSIGN" and "EQ" in expected:
            put = Token("EQ", "==", token.start, token.stop)
            if self.works(i, [put], 1, needed=1):
                fix = Fix("replace with `==`", (Edit(span, "=="),))
                return Mend(i, i + 1, [put], report("AS0120", span, fix=fix))
        if token.kind == "EQ" and "ASSIGN" in expected:
            put = Token("ASSIGN", "=", token.start, token.stop)
            if self.works(i, [put], 1, needed=1):
                fix = Fix("replace with `=`", (Edit(span, "="),))
                return Mend(i, i + 1, [put], report("AS0121", span, fix=fix))
        return None

    def wrong_bracket(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """A closing bracket of the wrong kind, or one too many."""
        if token.kind not in _CLOSERS:
            return None
        span = self.at(token)
        if previous is not None and previous.kind == "INF" and token.kind == "RSQB" and "RPAR" in expected:
            fix = Fix("replace with `)`", (Edit(span, ")"),))
            put = Token("RPAR", ")", token.start, token.stop)
            return Mend(i, i + 1, [put], report("AS0122", span, fix=fix))
        open_brackets = self.open_brackets(i)
        if open_brackets and token.kind in ("RPAR", "RSQB"):
            opener = open_brackets[-1]
            sign, kind, closer = _BRACKETS[opener.kind]
            put = Token(kind, closer, token.start, token.stop)
            if kind in expected and kind != token.kind and self.works(i, [put], 1, needed=1):
                fix = Fix(f"replace with `{closer}`", (Edit(span, closer),))
                notes = [Annotation(self.at(opener), "opened here")]
                values = {"bracket": token.text, "what": f"`{sign}`", "mend": f"write `{closer}`"}
                return Mend(i, i + 1, [put], report("AS0107", span, annotations=notes, fix=fix, **values))
        none_open = len(self.frames) == 1 if token.kind == "RBRACE" else not open_brackets
        if none_open and self.works(i, [], 1, needed=1):
            fix = Fix("remove it", (Edit(span, ""),))
            values = {"bracket": token.text, "what": "nothing", "mend": "remove it, or open what it closes"}
            return Mend(i, i + 1, [], report("AS0107", span, fix=fix, **values))
        return None

    def reserved_name(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """A word of the language where a name is declared."""
        if token.text not in RESERVED or "NAME" not in expected or operand_expected(expected):
            return None
        put = Token("NAME", token.text, token.start, token.stop)
        if not self.works(i, [put], 1, needed=1):
            return None
        quoted = f"`{token.text}`"
        fix = Fix("write it in back-ticks", (Edit(self.at(token), quoted),))
        return Mend(i, i + 1, [put], report("AS0126", self.at(token), fix=fix, word=token.text))

    def misspelt_operator(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``a untl b``, ``alwys p``, ``a implies b``: words of this language misspelt, and of others."""
        if token.kind == "NAME" and "NAME" not in expected:
            foreign = _FOREIGN_WORDS.get(token.text)
            if foreign is not None and foreign[0] in expected:
                put = Token(*foreign, token.start, token.stop)
                if self.works(i, [put], 1, needed=2):
                    return Mend(i, i + 1, [put], self.foreign(token, foreign[1]))
            near = nearest(token.text, [word for word, kind in _INFIX_WORDS.items() if kind in expected])
            if near is not None:
                put = Token(_INFIX_WORDS[near], near, token.start, token.stop)
                if self.works(i, [put], 1, needed=2):
                    found = report("AS0127", self.at(token), suggestion=near, word=token.text)
                    return Mend(i, i + 1, [put], found)
        if previous is not None and previous.kind == "NAME" and i > self.frames[-1].item:
            word = previous.text
            unary = _FOREIGN_UNARY.get(word)
            near = nearest(word, [w for w in UNARY_WORDS if len(w) > 1] + ["not"]) if unary is None else unary
            if near is not None:
                kind = "NOT_WORD" if near == "not" else "UNARY_TEMPORAL"
                put = Token(kind, near, previous.start, previous.stop)
                if self.works_from(i - 1, put, i):
                    found = report("AS0127", self.at(previous), suggestion=near, word=word)
                    return Mend(i - 1, i, [put], found if unary is None else self.foreign(previous, near))
        return None

    def foreign(self, token: Token, instead: str) -> Diagnostic:
        fix = Fix(f"replace with `{instead}`", (Edit(self.at(token), instead),))
        return report("AS0110", self.at(token), fix=fix, found=token.text, instead=instead)

    def detached_unit(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``5 s``."""
        if previous is None or previous.kind != "NUMBER" or token.text not in _UNITS:
            return None
        if not self.works(i, [], 1, needed=1):
            return None
        joined = previous.text + token.text
        put = Token("QUANTITY", joined, previous.start, token.stop)
        if not self.works_from(i - 1, put, i) and not self.works(i, [], 1):
            return None
        span = Span(self.source, previous.start, token.stop)
        fix = Fix("glue the unit to its number", (Edit(span, joined),))
        return Mend(i - 1, i + 1, [put], report("AS0132", span, fix=fix, unit=token.text, joined=joined))

    def open_bracket(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """A ``(`` or ``[`` that was never closed: closed before the token, or before the token's line."""
        openers = self.open_brackets(i)
        if not openers or previous is None:
            return None
        at = previous.stop
        for count in range(1, len(openers) + 1):
            closed = openers[-count:]
            put = [Token(_BRACKETS[opener.kind][1], _BRACKETS[opener.kind][2], at, at) for opener in closed[::-1]]
            if self.works(i, put, needed=2 if count < len(openers) else 1):
                return Mend(i, i, put, self.unclosed_bracket(closed, at))
            if count == len(openers) and self.first_on_line(token):
                separator = Token(SEPARATOR, "\n", at, at)
                if self.works(i, [*put, separator], needed=2):
                    self.lay_out_again(i, token)
                    return Mend(i, i, [*put, separator], self.unclosed_bracket(closed, at))
        return None

    def lay_out_again(self, i: int, token: Token) -> None:
        """Find the separators from ``i`` on anew, now that the bracket before it is closed."""
        at = bisect_left(self.raw_starts, token.start)
        braces = ["{"] * (len(self.frames) - 1)
        self.tokens[i:] = separate(self.raw[at:], self.source.text, self.broken, self.soft, braces)

    def unclosed_bracket(self, closed: list[Token], at: int) -> Diagnostic:
        opener = closed[0]
        _, _, closer = _BRACKETS[opener.kind]
        all_closers = "".join(_BRACKETS[token.kind][2] for token in closed[::-1])
        notes = [Annotation(self.at(token), "opened here") for token in closed[:3]]
        fix = Fix(f"insert `{all_closers}`", (Edit(Span(self.source, at, at), all_closers),))
        span = Span(self.source, max(0, at - 1), at)
        return report("AS0106", span, annotations=notes, fix=fix, bracket=closer, opener=opener.text)

    def missing_operand(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``a &``, ``& a``, ``G``, ``f(, x)``: an operand stands for what is missing."""
        if not operand_expected(expected):
            return None
        at = previous.stop if previous is not None else token.start
        put = Token("NAME", "", at, at)
        if not self.works(i, [put], needed=1):
            return None
        left = previous is not None and previous.kind not in ("COMMA", "COLON") and previous.kind not in _BRACKETS
        if previous is not None and left and token.kind in (SEPARATOR, END, "RBRACE", "RPAR", "RSQB", "COMMA", "COLON"):
            shown, side, span = f"`{previous.text}`", "behind", self.at(previous)
        elif token.kind in SYMBOLS or token.text in RESERVED:
            if previous is not None and left and token.kind not in _OPERATOR_WORD_KINDS | {"TIMES", "DIVIDE", "POWER"}:
                shown, side, span = f"`{previous.text}`", "behind", self.at(previous)
            else:
                shown, side, span = f"`{token.text}`", "before", self.at(token)
        elif previous is not None:
            shown, side, span = f"`{previous.text}`", "behind", self.at(previous)
        else:
            return None
        return Mend(i, i, [put], report("AS0128", span, operator=shown, side=side))

    def missing_symbol(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
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
            if self.works(i, put, drop, needed=needed):
                fix = Fix(f"insert `{text}`", (Edit(Span(self.source, at, at), f" {text} "),))
                where = f"behind `{previous.text}`" if previous.text.strip() else "here"
                span = self.at(previous if token.kind in (SEPARATOR, END) else token)
                return Mend(i, i + drop, put, report("AS0123", span, fix=fix, symbol=text, where=where))
        return None

    def missing_name(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``prop = ...``, ``agent {``, ``prev.``"""
        if "NAME" not in expected or operand_expected(expected) or previous is None:
            return None
        put = Token("NAME", "", previous.stop, previous.stop)
        if not self.works(i, [put], needed=1):
            return None
        where = f"behind `{previous.text}`"
        return Mend(i, i, [put], report("AS0129", self.at(previous), where=where))

    def missing_operator(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """``a b``."""
        if previous is None or not operator_expected(expected):
            return None
        at = previous.stop
        for put in (Token("AND", "&", at, at), Token("PLUS", "+", at, at)):
            if put.kind in expected and self.works(i, [put], needed=1):
                if token.kind not in ("NAME", "QNAME", "NUMBER", "QUANTITY", "STRING", "LPAR", "TRUE", "FALSE"):
                    if token.kind not in self.soft and token.text not in RESERVED and token.kind != "NOT":
                        return None
                span = Span(self.source, previous.start, token.stop)
                found = report("AS0130", span, left=previous.text, right=token.text)
                return Mend(i, i, [put], found)
        return None

    def superfluous(self, i: int, token: Token, previous: Token | None, expected: frozenset[str]) -> Mend | None:
        """One token too many."""
        if token.kind in (END, SEPARATOR, "LBRACE", "RBRACE") or not self.works(i, [], 1):
            return None
        return Mend(i, i + 1, [], self.unexpected(token))

    # ------------------------------------------------------------ what is where

    def unexpected(self, token: Token) -> Diagnostic:
        """The report for what no mend explains."""
        expected = self.stack.expected()
        first = self.frames[-1].item
        at_start = first < len(self.tokens) and self.tokens[first] is token
        if at_start and token.kind == "NAME" and "NAME" not in expected:
            return report("AS0109", self.at(token), word=token.text, expected=self.items_here(expected))
        if token.kind == SEPARATOR:
            found = "`;`" if token.text == ";" else "end of the line"
        elif token.kind == END:
            found = "end of the file" if self.whole_file else "end of the formula"
        else:
            shown = token.text if len(token.text) <= 40 else token.text[:37] + "..."
            found = f"`{shown}`"
        span = self.at(token)
        if token.kind in (SEPARATOR, END):
            span = Span(self.source, max(0, token.start - 1), max(token.start, min(1, len(self.source.text))))
        return report("AS0108", span, found=found, expected=describe(expected))

    def items_here(self, expected: frozenset[str]) -> str:
        keywords = self.stack.table.keywords
        words = sorted(word for word in (ITEMS | INNER_ITEMS) if keywords[word] in expected)
        known = [word for word in ("agent", "prop", "task", "safe", "reward", "train") if word in words]
        rest = [word for word in words if word not in known]
        return enumerate_words([f"`{word}`" for word in [*known, *rest]], most=7)

    def open_brackets(self, i: int) -> list[Token]:
        """The ``(`` and ``[`` of the current item that are open at ``i``."""
        opened: list[Token] = []
        for token in self.tokens[self.frames[-1].item : i]:
            if token.kind in ("LPAR", "LSQB"):
                opened.append(token)
            elif token.kind in ("RPAR", "RSQB") and opened:
                opened.pop()
        return opened

    def is_item_start(self, j: int) -> bool:
        following = self.tokens[j + 1] if j + 1 < len(self.tokens) else None
        if following is None:
            return False
        named = following.kind in ("NAME", "QNAME", "STRING", "LBRACE") or following.kind in self.soft
        return named or self.tokens[j].text in HARD_ITEMS

    def first_on_line(self, token: Token) -> bool:
        start = self.source.text.rfind("\n", 0, token.start) + 1
        return not self.source.text[start : token.start].strip()

    def indentation(self, token: Token) -> int:
        line = self.source.line(self.source.position(token.start)[0])
        return len(line) - len(line.lstrip())

    def at(self, token: Token) -> Span:
        return Span(self.source, token.start, token.stop)
