"""Where a parse stands: its tokens, its stack, the blocks under way; and questions about the text around a token."""

from __future__ import annotations

from collections.abc import Sequence

from agentc.lang.lalr import END, Stack
from agentc.lang.layout import SEPARATOR, separate
from agentc.lang.lexer import BAD, Token
from agentc.lang.source import Source, Span
from agentc.lang.words import HARD_ITEMS

WINDOW = 4
"""So many tokens must be taken behind a mend before it is believed."""


class Frame:
    """A block under way: where its brace stands, where its current item begins, how high the stack was then."""

    __slots__ = ("height", "item", "opener")

    def __init__(self, opener: Token | None, item: int, height: int) -> None:
        self.opener = opener
        self.item = item
        self.height = height


class ParseState:
    """What the recovery and its mends share."""

    def __init__(self, source: Source, raw: list[Token], broken: list[int], stack: Stack) -> None:
        self.source = source
        self.raw = raw
        self.raw_starts = [token.start for token in raw]
        self.broken = broken
        self.stack = stack
        self.soft = stack.table.soft
        self.tokens = separate(raw, source.text, broken, self.soft)
        self.frames = [Frame(None, 0, 1)]
        self.whole_file = True

    def end_token(self) -> Token:
        """The token behind the last."""
        stop = self.tokens[-1].stop if self.tokens else 0
        return Token(END, "", stop, stop)

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
        """Whether the keyword at ``j`` begins an item: a name, a text or a brace stands behind it."""
        following = self.tokens[j + 1] if j + 1 < len(self.tokens) else None
        if following is None:
            return False
        named = following.kind in ("NAME", "QNAME", "STRING", "LBRACE") or following.kind in self.soft
        return named or self.tokens[j].text in HARD_ITEMS

    def first_on_line(self, token: Token) -> bool:
        """Whether only blanks stand before the token on its line."""
        start = self.source.text.rfind("\n", 0, token.start) + 1
        return not self.source.text[start : token.start].strip()

    def indentation(self, token: Token) -> int:
        """Indentation of the line on which the token stands."""
        line = self.source.line(self.source.position(token.start)[0])
        return len(line) - len(line.lstrip())

    def at(self, token: Token) -> Span:
        """The place of a token."""
        return Span(self.source, token.start, token.stop)

    def height(self) -> int:
        """Height of the stack at which the current item begins."""
        return self.frames[-1].height

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
