"""The formatter: a tree back to text in the one canonical style, comments and grouping kept.

Formatting twice changes nothing, and the formatted text parses to the same tree. One item stands on a line,
blocks are indented by two blanks, ``=`` and ``:`` of neighbouring definitions are aligned, and so are the comments
behind neighbouring lines. Blank lines stay where they were, at most one at a time. A short block stays on one
line if it was written on one. An item with comments inside it is left as it was written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from agentc.lang import ast
from agentc.lang.lexer import Token, tokenize
from agentc.lang.printer_expressions import WIDTH, text
from agentc.lang.printer_items import Shape, shape
from agentc.lang.source import Source

_ALIGNED_UP_TO = 44
"""Heads longer than this are not aligned."""

_ALIGNED_GAP = 20
"""Nor are heads whose lengths differ by more: the gaps would be wider than the text."""

_ALWAYS_OPEN = (ast.Agent, ast.System, ast.Environment, ast.Role)


class _Comment(NamedTuple):
    start: int
    stop: int
    text: str


class _Line(NamedTuple):
    """What is printed for an item or comment: its text (perhaps several lines) and the comment behind it."""

    text: str
    trailing: str = ""
    blank_before: bool = False


def format_module(module: ast.Module, source: Source | None = None) -> str:
    """A file in canonical style. ``source`` is what the tree was parsed from: its comments and groups are kept."""
    printer = _Printer(source)
    stop = len(source.text) if source is not None else 0
    lines = printer.block(module.items, 0, stop, 0)
    return "\n".join(lines) + "\n" if lines else ""


def format_expr(expr: ast.Expr) -> str:
    """An expression on one line, with no parentheses but those that matter (and those of ``!(a == b)``)."""
    return text(expr)


class _Printer:
    def __init__(self, source: Source | None) -> None:
        self.source = source
        self.text = "" if source is None else source.text
        self.tokens: list[Token] = [] if source is None else tokenize(source).tokens
        self.starts = [token.start for token in self.tokens]
        self.comments = _comments(self.text, self.tokens)
        self.comment_starts = [comment.start for comment in self.comments]

    # ------------------------------------------------------------ blocks

    def block(self, items: Sequence[ast.Item | ast.Entry], start: int, stop: int, indent: int) -> list[str]:
        """The lines of the items between two offsets, with the comments around them."""
        shapes = [shape(item) for item in items]
        widths = self.head_widths(items, shapes)
        lines: list[_Line] = []
        at = start
        first = True
        for item, form, width in zip(items, shapes, widths, strict=True):
            begin = item.span.start if self.source is not None else 0
            around = self.comments_between(at, begin)
            around += self.header_comments(item, form)
            for comment in around:
                if lines and self.same_line(at, comment.start) and not lines[-1].trailing:
                    lines[-1] = lines[-1]._replace(trailing=comment.text)
                else:
                    lines.append(_Line(comment.text, "", not first and self.blank(at, comment.start)))
                at = max(at, comment.stop)
                first = False
            separate = not first and (self.blank(at, begin) or (indent == 0 and self.needs_room(items, item, lines)))
            lines.append(_Line(self.item(item, form, width, indent), "", separate))
            first = False
            at = item.span.stop if self.source is not None else 0
        for comment in self.comments_between(at, stop):
            if lines and self.same_line(at, comment.start) and not lines[-1].trailing:
                lines[-1] = lines[-1]._replace(trailing=comment.text)
            else:
                lines.append(_Line(comment.text, "", not first and self.blank(at, comment.start)))
            at = comment.stop
            first = False
        return _assemble(lines, indent)

    def needs_room(self, items: Sequence[ast.Item | ast.Entry], item: ast.Item | ast.Entry, lines: list[_Line]) -> bool:
        """At the top of a file a block stands apart from its neighbours, but not from the comment above it."""
        if not lines or lines[-1].text.startswith("#"):
            return False
        before = items[_index(items, item) - 1]
        return isinstance(item, _ALWAYS_OPEN) or isinstance(before, _ALWAYS_OPEN)

    def head_widths(self, items: Sequence[ast.Item | ast.Entry], shapes: list[Shape]) -> list[int]:
        """For each item the width of the heads of its run: neighbours of one family on adjoining lines."""
        widths = [0] * len(items)
        run: list[int] = []
        for i in range(len(items) + 1):
            joins = (
                i < len(items)
                and bool(run)
                and shapes[i].family != ""
                and shapes[i].family == shapes[run[-1]].family
                and self.adjoin(items[run[-1]], items[i])
            )
            if not joins:
                if run:
                    lengths = [len(shapes[j].head) for j in run]
                    width = max(lengths)
                    aligned = width <= _ALIGNED_UP_TO and width - min(lengths) <= _ALIGNED_GAP
                    for j in run:
                        widths[j] = width if aligned else len(shapes[j].head)
                run = []
            if i < len(items):
                run.append(i)
        return widths

    def adjoin(self, left: ast.Item | ast.Entry, right: ast.Item | ast.Entry) -> bool:
        """Whether nothing but a newline (and a comment behind the first) stands between two items."""
        if self.source is None:
            return True
        if self.blank(left.span.stop, right.span.start):
            return False
        between = self.comments_between(left.span.stop, right.span.start)
        return all(self.same_line(left.span.stop, comment.start) for comment in between)

    # ------------------------------------------------------------ items

    def item(self, item: ast.Item | ast.Entry, form: Shape, width: int, indent: int) -> str:
        """An item from its first character on; further lines carry their own indentation."""
        if form.verbatim or (form.items is None and self.has_comments(item)):
            return self.verbatim(item, indent)
        head = form.head if not form.separator else form.head.ljust(width) + f" {form.separator} "
        if form.items is None:
            return head + form.tail(indent + len(head), indent + 4)
        if form.separator:
            head = form.head.ljust(width) + " " + form.separator
        return self.braces(item, form.items, head, indent)

    def braces(self, item: ast.Item | ast.Entry, items: Sequence[ast.Item | ast.Entry], head: str, indent: int) -> str:
        """A block: on one line if it was on one and fits, else one item to a line."""
        start, stop = self.inside(item)
        if not items and not self.comments_between(start, stop):
            return f"{head} {{}}"
        one_line = self.source is None or "\n" not in self.text[start:stop]
        if one_line and not isinstance(item, _ALWAYS_OPEN) and not self.comments_between(start, stop):
            parts = [self.flat(inner) for inner in items]
            if all(part is not None for part in parts):
                line = f"{head} {{ {'; '.join(part for part in parts if part)} }}"
                if indent + len(line) <= WIDTH:
                    return line
        opening = ""
        comments = self.comments_between(start, stop)
        if comments and self.same_line(start, comments[0].start):
            opening = "  " + comments[0].text
            start = comments[0].stop
        lines = self.block(items, start, stop, indent + 2)
        return "\n".join([f"{head} {{{opening}", *lines, " " * indent + "}"])

    def flat(self, item: ast.Item | ast.Entry) -> str | None:
        """An item on one line, None if it cannot be."""
        form = shape(item)
        if form.verbatim or isinstance(item, ast.Doc):
            return None
        head = f"{form.head} {form.separator} " if form.separator else form.head
        if form.items is None:
            shown = head + form.tail(-10_000, 0)
            return None if "\n" in shown else shown
        parts = [self.flat(inner) for inner in form.items]
        if any(part is None for part in parts):
            return None
        inner = "; ".join(part for part in parts if part)
        return f"{head.rstrip()} {{ {inner} }}" if inner else f"{head.rstrip()} {{}}"

    def verbatim(self, item: ast.Item | ast.Entry, indent: int) -> str:
        """The item as it was written, its further lines moved along with the first."""
        written = item.span.text.rstrip()
        start = self.text.rfind("\n", 0, item.span.start) + 1
        line = self.text[start : item.span.start]
        old = len(line) - len(line.lstrip(" "))
        first, *rest = written.split("\n")
        moved = [first.rstrip()]
        for further in rest:
            margin = len(further) - len(further.lstrip(" "))
            body = further.strip(" \t\r")
            moved.append(" " * max(0, margin - old + indent) + body if body else "")
        return "\n".join(moved)

    # ------------------------------------------------------------ comments and blank lines

    def comments_between(self, start: int, stop: int) -> list[_Comment]:
        """Comments that begin in ``[start, stop)``."""
        return self.comments[bisect_left(self.comment_starts, start) : bisect_left(self.comment_starts, stop)]

    def header_comments(self, item: ast.Item | ast.Entry, form: Shape) -> list[_Comment]:
        """Comments between the first word of a block and its brace; they move above it."""
        if form.items is None or self.source is None:
            return []
        return self.comments_between(item.span.start, self.inside(item)[0])

    def has_comments(self, item: ast.Item | ast.Entry) -> bool:
        return self.source is not None and bool(self.comments_between(item.span.start, item.span.stop))

    def inside(self, item: ast.Item | ast.Entry) -> tuple[int, int]:
        """Offsets between the braces with which a block ends."""
        if self.source is None:
            return 0, 0
        depth = 0
        for i in range(bisect_left(self.starts, item.span.stop) - 1, -1, -1):
            token = self.tokens[i]
            if token.kind == "RBRACE":
                depth += 1
            elif token.kind == "LBRACE":
                depth -= 1
                if depth == 0:
                    return token.stop, item.span.stop - 1
        return item.span.start, item.span.stop

    def same_line(self, start: int, stop: int) -> bool:
        return "\n" not in self.text[start:stop]

    def blank(self, start: int, stop: int) -> bool:
        """Whether a blank line stands between two offsets."""
        lines = self.text[start:stop].split("\n")
        return any(not line.strip(" \t\r;") for line in lines[1:-1])


def _index(items: Sequence[ast.Item | ast.Entry], item: ast.Item | ast.Entry) -> int:
    return next(i for i, other in enumerate(items) if other is item)


def _assemble(lines: list[_Line], indent: int) -> list[str]:
    """Indent the lines and align the comments behind neighbouring ones."""
    pad = " " * indent
    out: list[str] = []
    run: list[tuple[int, str]] = []

    def flush() -> None:
        if run:
            column = max(len(out[at]) for at, _ in run) + 2
            for at, comment in run:
                out[at] = out[at].ljust(column) + comment
            run.clear()

    for line in lines:
        if line.blank_before:
            flush()
            out.append("")
        shown = (pad + line.text).split("\n")
        if not line.trailing or len(shown) > 1:
            flush()
        out += shown
        if line.trailing:
            run.append((len(out) - 1, line.trailing))
    flush()
    return out


def _comments(written: str, tokens: list[Token]) -> list[_Comment]:
    """The comments in the gaps between the tokens."""
    found = []
    at = 0
    for start, stop in [*((token.start, token.stop) for token in tokens), (len(written), len(written))]:
        while (begin := written.find("#", at, start)) >= 0:
            end = written.find("\n", begin, start)
            end = start if end < 0 else end
            body = written[begin + 1 : end].rstrip()
            blank = " " if body[:1].isalnum() else ""
            found.append(_Comment(begin, end, f"#{blank}{body}"))
            at = end
        at = max(at, stop)
    return found
