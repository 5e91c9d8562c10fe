"""Error recovery: say what is wrong, mend it, go on, so that one run reports all independent errors.

At a token that has no place, mends are tried in the order of how telling they are (a misspelt word, a missing
bracket, ``=`` for ``==``, ...). A mend is an edit of the token sequence; it is taken if the parse then goes on
for a few tokens, which is tried on the states alone. Where none helps, the whole item is given up: it becomes an
``ErrorItem`` that knows which names it would have declared. After a mend the next few tokens raise no second
report, and neither does an item that already has a lexical error.
"""

from __future__ import annotations

from bisect import bisect_left

from agentc.lang.diagnostics import Annotation, Diagnostic, Edit, Fix, report
from agentc.lang.lalr import END, MAX_STACK, Stack
from agentc.lang.layout import SEPARATOR
from agentc.lang.lexer import BAD, Token
from agentc.lang.mends import Mender
from agentc.lang.parse_state import WINDOW, Frame, ParseState
from agentc.lang.source import Source, Span
from agentc.lang.words import ITEMS, TOP_ITEMS

CALM = 3
"""So many tokens behind a mend raise no second report."""

MAX_REPORTS = 100

REREAD = 200
"""Items up to so many tokens are read again at an error."""

_DECLARES = frozenset(
    "prop region pattern const param task safe behavior assume cost phase tool machine signal state input output "
    "disturbance environment system agent recipe role mode command controller prompt".split()
)


class Recovery:
    """The parse of one token sequence, with what it takes to survive errors."""

    def __init__(self, source: Source, raw: list[Token], broken: list[int], stack: Stack) -> None:
        self.state = ParseState(source, raw, broken, stack)
        self.mender = Mender(self.state)
        self.source = source
        self.stack = stack
        self.diagnostics: list[Diagnostic] = []
        self.calm_until = -1
        self.misaligned: Token | None = None
        self.mends = 0

    # ------------------------------------------------------------ the parse

    def run(self) -> bool:
        """Parse to the end; False if there is no tree. The tree is the stack's one value then."""
        stack = self.stack
        i = 0
        while True:
            token = self.state.tokens[i] if i < len(self.state.tokens) else self.state.end_token()
            if stack.feed(token):
                if token.kind == END:
                    return True
                if len(stack.states) > MAX_STACK:
                    self.stack.report_too_deep(token.start, self._item_stop(i))
                    i = self._give_up(i, None, MAX_STACK - 50)
                    if i < 0:
                        return False
                    continue
                if token.kind == SEPARATOR:
                    frame = self.state.frames[-1]
                    frame.item, frame.height = i + 1, len(stack.states)
                elif token.kind == "LBRACE":
                    self.state.frames.append(Frame(token, i + 1, len(stack.states)))
                elif token.kind == "RBRACE":
                    self._closed(token)
                i += 1
                continue
            i = self._recover(i, token)
            if i < 0:
                return False

    def _closed(self, token: Token) -> None:
        """A brace closes; remember it if its indentation says that it was meant for an outer block."""
        if len(self.state.frames) > 1:
            opener = self.state.frames.pop().opener
            first = self.state.first_on_line(token)
            if opener is not None and first and self.state.indentation(token) < self.state.indentation(opener):
                self.misaligned = opener

    # ------------------------------------------------------------ recovery

    def _recover(self, i: int, token: Token) -> int:
        """Report and mend the error at ``i``; where to go on, or -1."""
        self.mends += 1
        if self.mends > 20 * MAX_REPORTS or len(self.diagnostics) >= MAX_REPORTS:
            return self._stop(token)
        self._before(i)
        following = self._missing_brace(i, token)
        if following is not None:
            return following
        quiet = self._is_quiet(i, token)
        mend = self.mender.find(i, token)
        if mend is not None:
            if not quiet:
                self.diagnostics.append(mend.diagnostic)
            frame = self.state.frames[-1]
            begin = i
            if mend.start < i:  # go back to the item's beginning and take the edited tokens again
                self.stack.truncate(frame.height)
                begin = frame.item
            self.state.tokens[mend.start : mend.stop] = mend.tokens
            self.calm_until = mend.start + len(mend.tokens) + CALM - 1
            return begin
        return self._give_up(i, None if quiet else self.mender.unexpected(token))

    def _before(self, i: int) -> None:
        """Undo what was reduced in vain for the token at ``i``: less is expected behind those reductions."""
        frame = self.state.frames[-1]
        if i - frame.item > REREAD:
            return
        self.stack.truncate(frame.height)
        for token in self.state.tokens[frame.item : i]:
            self.stack.feed(token)

    def _stop(self, token: Token) -> int:
        self.diagnostics.append(report("AS0133", self.state.at(token), limit=MAX_REPORTS))
        return -1

    def _is_quiet(self, i: int, token: Token) -> bool:
        """Whether an error here was already reported, by the lexer or by the last mend."""
        if token.kind == BAD or i < self.calm_until:
            return True
        item = self.state.frames[-1].item
        start = self.state.tokens[item].start if item < len(self.state.tokens) else token.start
        at = bisect_left(self.state.broken, start)
        return at < len(self.state.broken) and self.state.broken[at] <= token.start

    def _give_up(self, i: int, diagnostic: Diagnostic | None, highest: int = MAX_STACK) -> int:
        """Replace the item that holds token ``i`` (and begins below ``highest``) by an error, skip to its end."""
        if diagnostic is not None:
            self.diagnostics.append(diagnostic)
        stack = self.stack
        left = 0
        while True:
            frame = self.state.frames[-1]
            there = frame.height <= len(stack.states)  # a mend may have taken the beginning of a block back
            if there and frame.height < highest and "_ERR" in stack.table.row(stack.states[frame.height - 1]):
                break
            if len(self.state.frames) == 1:
                return -1
            self.state.frames.pop()
            left += 1
        stack.truncate(frame.height)
        first = frame.item
        tokens = self.state.tokens
        token = tokens[min(first, len(tokens) - 1)] if tokens else self.state.end_token()
        stack.builder.error_names = self._declared_names(first, i)
        end = self._item_end(i, left)
        stop = max(token.start, self.state.tokens[end - 1].stop if end > first else token.start)
        stack.feed(Token("_ERR", "", token.start, stop))
        self.calm_until = -1
        return end

    def _item_end(self, i: int, depth: int = 0) -> int:
        """Index of the separator or brace that ends the item that holds token ``i``, ``depth`` braces inside it."""
        top = len(self.state.frames) == 1
        while i < len(self.state.tokens):
            kind = self.state.tokens[i].kind
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

    def _item_stop(self, i: int) -> int:
        end = self._item_end(i)
        return self.state.tokens[end - 1].stop if 0 < end <= len(self.state.tokens) else len(self.source.text)

    def _declared_names(self, first: int, i: int) -> tuple[str, ...]:
        """Names that the broken item would have declared."""
        if first >= len(self.state.tokens) or self.state.tokens[first].text not in _DECLARES:
            return ()
        names = []
        for at in range(first + 1, min(first + 40, len(self.state.tokens))):
            token = self.state.tokens[at]
            if token.kind in ("NAME", "QNAME") or token.kind in self.state.soft:
                names.append(token.text.strip("`"))
            elif token.kind != "COMMA":
                break
        return tuple(names)

    # ------------------------------------------------------------ braces

    def _missing_brace(self, i: int, token: Token) -> int | None:
        """A forgotten ``}``: noticed at the end of the file, or at an item that has no place in this block."""
        if token.kind == END:
            return self._missing_brace_at_end(i, token)
        frame = self.state.frames[-1]
        if len(self.state.frames) == 1 or i > frame.item + 1 or frame.opener is None:
            return None
        j = frame.item
        keyword = self.state.tokens[j]
        if keyword.text not in ITEMS or not self.state.is_item_start(j):
            return None
        if not self.state.first_on_line(keyword):
            return self._misplaced(i, token, keyword, frame.opener)
        separated = j > 0 and self.state.tokens[j - 1].kind == SEPARATOR
        states = self.stack.states[: frame.height - 1 if separated else frame.height]
        closed = 0
        while True:
            closed += 1
            if closed == len(self.state.frames) or not self.stack.takes(states, "RBRACE"):
                return None
            outer = list(states)
            if self.stack.takes(outer, SEPARATOR) and self.state.goes_on(outer, j, []) >= WINDOW:
                break
        outermost = self.state.frames[len(self.state.frames) - closed].opener
        if outermost is None:
            return None
        if self.state.indentation(keyword) > self.state.indentation(outermost) and keyword.text in TOP_ITEMS:
            return self._misplaced(i, token, keyword, outermost)
        self.stack.truncate(len(self.stack.states[: frame.height - 1 if separated else frame.height]))
        before = self.state.tokens[j - 1]
        at = before.start if separated else before.stop
        for closing in self.state.frames[len(self.state.frames) - closed :][::-1]:
            self.diagnostics.append(self._unclosed(closing.opener, self.state.at(keyword), keyword.start))
        put = [Token("RBRACE", "}", at, at)] * closed + [Token(SEPARATOR, "\n", at, at)]
        start = j - 1 if separated else j
        self.state.tokens[start:j] = put
        self.state.frames[-1].item = start
        return start

    def _misplaced(self, i: int, token: Token, keyword: Token, opener: Token) -> int | None:
        """An item of a file's top level inside a block."""
        here = self.stack.expected(self.stack.states[: self.state.height()])
        if keyword.text not in TOP_ITEMS or keyword.kind in here:
            return None
        place = f"`{self._block_word(opener)}`"
        word, span = f"`{keyword.text}`", self.state.at(keyword)
        found = report("AS0125", span, word=word, block=place, where="the top of the file")
        return self._give_up(i, None if self._is_quiet(i, token) else found)

    def _missing_brace_at_end(self, i: int, token: Token) -> int | None:
        if len(self.state.frames) == 1 or not self.state.whole_file:
            return None
        if "RBRACE" not in self.stack.expected():
            return None  # the last item is broken: that first
        opener = self.state.frames[-1].opener
        blamed = self.misaligned or self.state.frames[-1].opener
        docstring = self.state.broken and self.state.raw and self.state.raw[-1].kind == "LONG_STRING"
        if not docstring and not self._is_quiet(i, token):
            last = Span(self.source, max(0, token.stop - 1), token.stop)
            self.diagnostics.append(self._unclosed(blamed or opener, last, token.stop))
        self.state.tokens += [Token("RBRACE", "}", token.stop, token.stop)] * (len(self.state.frames) - 1)
        return i

    def _unclosed(self, opener: Token | None, span: Span, insert: int) -> Diagnostic:
        annotations = [] if opener is None else [Annotation(self.state.at(opener), "opened here")]
        before = self.source.text[self.source.text.rfind("\n", 0, insert) + 1 : insert]
        brace = "\n}\n" if before.strip() else "}\n" + before * (insert < len(self.source.text))
        fix = Fix("close the block", (Edit(Span(self.source, insert, insert), brace),))
        word = self._block_word(opener)
        return report("AS0105", span, annotations=annotations, fix=fix, block=f"`{word}`" if word else "the block")

    def _block_word(self, opener: Token | None) -> str:
        """The first word of the line on which a block opens."""
        if opener is None:
            return ""
        line = self.source.line(self.source.position(opener.start)[0])
        words = line[: self.source.position(opener.start)[1] - 1].split()
        return words[0] if words else ""
