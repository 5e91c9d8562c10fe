"""An excerpt of a source with marks under it: the drawing under a diagnostic, and the diff of a fix.

Columns are terminal cells, not code points: tabs are four cells, wide characters two, combining ones none;
what a terminal would obey and not show (control characters, changes of writing direction, lone surrogates)
is shown as a sign. A line that is too long is cropped around its mark before anything is measured, so that
a thousand findings on one endless line stay cheap.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agentc.lang.diagnostics import Edit
from agentc.lang.source import Source, Span

TAB = "    "
ROOM = 110  # code points of a line that are shown
CONTEXT = 36  # of these, how many stand before the mark at most
SHOWN_WHOLE = 4  # a span of so many lines is shown whole
DIFF_LINES = 8  # lines of a fix that are shown, of the old and of the new text each

_UNSAFE = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")

Paint = Callable[[str, str], str]
"""``paint(text, role)``: the text in the colour of its role, or as it is."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A span to underline. ``label`` stands beside the line; the primary mark has carets."""

    span: Span
    label: str = ""
    primary: bool = False


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A mark on one line, in cells of what is shown; ``stop > start``."""

    start: int
    stop: int
    label: str
    primary: bool


@dataclass(frozen=True, slots=True)
class _Shown:
    """The part of a line that is shown: code points ``lo .. hi`` of it, and the cell where each begins."""

    text: str
    lo: int
    hi: int
    cells: Sequence[int]
    lead: int

    def cell(self, column: int) -> int:
        """Cell of a code point of the line (from 0), kept within what is shown."""
        return self.lead + self.cells[min(max(column, self.lo), self.hi) - self.lo]

    def covers(self, column: int) -> bool:
        """Whether that code point is shown at all."""
        return self.lo <= column <= self.hi


def visible(text: str) -> str:
    """The text with nothing left in it that a terminal obeys (newlines stay)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char == "\n" else _glyph(char)[0] for char in text)


def _on_one_line(text: str) -> str:
    return visible(text.replace("\n", " "))


def _glyph(char: str) -> tuple[str, int]:
    """What is shown for a character, and how many cells it takes."""
    if char == "\t":
        return TAB, len(TAB)
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return chr(0x2421 if code == 0x7F else 0x2400 + code), 1
    if code < 0x7F:
        return char, 1
    category = unicodedata.category(char)
    if char in _UNSAFE or category in ("Cc", "Cs", "Zl", "Zp"):
        return "\ufffd", 1
    if category in ("Mn", "Me", "Cf"):
        return char, 0
    return char, 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _cells(text: str) -> tuple[str, Sequence[int]]:
    """The text as shown, and the cell at which each code point of it (and its end) begins."""
    if text.isascii() and text.isprintable():
        return text, range(len(text) + 1)
    shown, cells, at = [], [0], 0
    for char in text:
        glyph, width = _glyph(char)
        shown.append(glyph)
        at += width
        cells.append(at)
    return "".join(shown), cells


def _bounds(source: Source, line: int) -> tuple[int, int]:
    """Offsets of the first character of a line and of its end (its newline excluded)."""
    starts = source.line_starts
    start = starts[line - 1]
    stop = starts[line] - 1 if line < len(starts) else len(source.text)
    while stop > start and source.text[stop - 1] == "\r":
        stop -= 1
    return start, stop


def _show(source: Source, line: int, focus: int, width: int) -> _Shown:
    """The line, cropped around the ``width`` code points from ``focus`` on where it is too long."""
    start, stop = _bounds(source, line)
    length = stop - start
    lo, hi = 0, length
    if length > ROOM:
        before = 8 if width > ROOM - 16 else min(CONTEXT, (ROOM - width) // 2)
        lo = max(0, min(focus - before, length - ROOM))
        hi = lo + ROOM
    text, cells = _cells(source.text[start + lo : start + hi])
    lead = 4 if lo else 0
    return _Shown(("... " if lo else "") + text + (" ..." if hi < length else ""), lo, hi, cells, lead)


def _extent(span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last place of a span as (line from 1, column from 0), the last one behind its last character."""
    size = len(span.source.text)
    start = min(max(span.start, 0), size)
    stop = min(max(span.stop, start), size)
    line, column = span.source.position(start)
    if stop == start:
        return (line, column - 1), (line, column - 1)
    last, end = span.source.position(stop - 1)
    return (line, column - 1), (last, end)


def first_line(span: Span) -> int:
    """Number of the line on which a span starts."""
    return _extent(span)[0][0]


def last_line(span: Span) -> int:
    """Number of the line on which a span ends."""
    return _extent(span)[1][0]


def draw(marks: Sequence[Mark], margin: int, paint: Paint) -> tuple[list[str], list[Mark]]:
    """Rows that show the lines of ``marks`` (all of one source) with the marks under them.

    Returns the rows, and the labelled marks for which a cropped line had no room. ``margin`` is the width of
    the line numbers.
    """
    source = marks[0].span.source
    extents = [(_extent(mark.span), mark) for mark in marks]
    single = [(extent, mark) for extent, mark in extents if extent[0][0] == extent[1][0]]
    long = sorted(
        ((extent, mark) for extent, mark in extents if extent[0][0] != extent[1][0]),
        key=lambda item: (item[0][0][0], -item[0][1][0]),
    )
    wanted: set[int] = set()
    for ((first, _), (last, _)), _mark in extents:
        wanted.update(range(first, last + 1) if last - first < SHOWN_WHOLE else (first, first + 1, last))
    rows: list[str] = []
    left_out: list[Mark] = []
    previous = 0
    for line in sorted(wanted):
        if previous and line == previous + 2:
            rows += _line(source, line - 1, [], long, margin, paint, left_out)
        elif previous and line > previous + 2:
            rows.append(paint("." * max(margin, 3), "margin"))
        here = [(extent, mark) for extent, mark in single if extent[0][0] == line]
        rows += _line(source, line, here, long, margin, paint, left_out)
        previous = line
    return rows, left_out


_Extent = tuple[tuple[int, int], tuple[int, int]]


def _line(
    source: Source,
    line: int,
    here: list[tuple[_Extent, Mark]],
    long: list[tuple[_Extent, Mark]],
    margin: int,
    paint: Paint,
    left_out: list[Mark],
) -> list[str]:
    """One line of the source with everything that is drawn under it."""
    focus, width = 0, 0
    places = [(extent[0][1], extent[1][1] - extent[0][1], mark.primary) for extent, mark in here]
    places += [(extent[0][1], 1, mark.primary) for extent, mark in long if extent[0][0] == line]
    places += [(max(extent[1][1] - 1, 0), 1, mark.primary) for extent, mark in long if extent[1][0] == line]
    if places:
        focus, width, _ = max(places, key=lambda place: place[2])
    shown = _show(source, line, focus, width)

    strokes = []
    for ((_, start), (_, stop)), mark in here:
        if not shown.covers(start) and not shown.covers(stop - 1):
            left_out.append(mark)
            continue
        left, right = shown.cell(start), shown.cell(stop)
        strokes.append(_Stroke(left, max(right, left + 1), mark.label, mark.primary))

    bars: list[str | None] = []  # role of the colour of each long mark that passes this line
    opens: list[tuple[int, int, bool]] = []
    closes: list[tuple[int, int, Mark]] = []
    for slot, (((first, start), (last, stop)), mark) in enumerate(long):
        bars.append(_role(mark.primary) if first < line <= last else None)
        if first == line:
            opens.append((slot, shown.cell(start), mark.primary))
        if last == line:
            closes.append((slot, max(shown.cell(stop) - 1, 0), mark))

    blank = " " * margin + " " + paint("|", "margin")
    head = paint(str(line).rjust(margin), "margin") + " " + paint("|", "margin")
    gutter = 2 * len(long)
    rows = [f"{head} {_bars(bars, paint)}{shown.text}".rstrip()]
    rows += [f"{blank} {_bars(bars, paint)}{row}".rstrip() for row in _strokes(strokes, paint)]
    for slot, column, primary in opens:
        reach = "_" * (gutter - 2 * slot - 1 + column) + ("^" if primary else "-")
        rows.append(f"{blank} {_bars(bars[:slot], paint)} {paint(reach, _role(primary))}")
        bars[slot] = _role(primary)
    for slot, column, mark in closes:
        reach = "|" + "_" * (gutter - 2 * slot - 1 + column) + ("^" if mark.primary else "-")
        reach += f" {_on_one_line(mark.label)}" if mark.label else ""
        rows.append(f"{blank} {_bars(bars[:slot], paint)}{paint(reach, _role(mark.primary))}")
        bars[slot] = None
    return rows


def _role(primary: bool) -> str:
    return "primary" if primary else "secondary"


def _bars(bars: Iterable[str | None], paint: Paint) -> str:
    return "".join(paint("|", role) + " " if role else "  " for role in bars)


def _strokes(strokes: list[_Stroke], paint: Paint) -> list[str]:
    """The rows under a line: the underlines, then the labels that do not fit beside them, rightmost first."""
    if not strokes:
        return []
    canvas: list[tuple[str, str]] = []
    for stroke in sorted(strokes, key=lambda s: s.primary):
        canvas += [(" ", "")] * (stroke.stop - len(canvas))
        mark = ("^", "primary") if stroke.primary else ("-", "secondary")
        canvas[stroke.start : stroke.stop] = [mark] * (stroke.stop - stroke.start)
    labelled = sorted((s for s in strokes if s.label), key=lambda s: (-s.start, -s.stop))
    row = _runs(canvas, paint)
    if labelled and labelled[0].stop == max(s.stop for s in strokes):
        beside = labelled.pop(0)
        row += " " + paint(_on_one_line(beside.label), _role(beside.primary))
    rows = [row]
    for i, stroke in enumerate(labelled):
        if i == 0:
            rows.append(_bars_at([s for s in labelled[i:] if s.start <= stroke.start], None, paint))
        rows.append(_bars_at([s for s in labelled[i:] if s.start < stroke.start], stroke, paint))
    return rows


def _bars_at(hanging: list[_Stroke], label: _Stroke | None, paint: Paint) -> str:
    """A row with a bar under each stroke whose label is still to come, and perhaps a label at the end."""
    canvas: list[tuple[str, str]] = []
    for stroke in hanging:
        canvas += [(" ", "")] * (stroke.start + 1 - len(canvas))
        canvas[stroke.start] = ("|", _role(stroke.primary))
    if label is None:
        return _runs(canvas, paint)
    canvas += [(" ", "")] * (label.start - len(canvas))
    return _runs(canvas, paint) + paint(_on_one_line(label.label), _role(label.primary))


def _runs(canvas: list[tuple[str, str]], paint: Paint) -> str:
    """The cells as text, painted in runs of one role."""
    parts: list[str] = []
    at = 0
    while at < len(canvas):
        stop = at
        while stop < len(canvas) and canvas[stop][1] == canvas[at][1]:
            stop += 1
        text = "".join(char for char, _ in canvas[at:stop])
        parts.append(paint(text, canvas[at][1]) if canvas[at][1] else text)
        at = stop
    return "".join(parts)


# ---------------------------------------------------------------- the diff of a fix


def apply(edits: Iterable[Edit], text: str) -> str:
    """The text of a source with the edits made; edits that overlap an earlier one are left out."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.stop)):
        start, stop = (min(max(offset, 0), len(text)) for offset in (edit.span.start, edit.span.stop))
        if start < at:
            continue
        parts += [text[at:start], edit.replacement]
        at = stop
    return "".join([*parts, text[at:]])


def diff(edits: Sequence[Edit], margin: int, paint: Paint) -> list[str]:
    """The lines that edits of one source change, before and after."""
    source = edits[0].span.source
    groups: list[list[Edit]] = []
    for edit in sorted(edits, key=lambda e: (e.span.start, e.span.stop)):
        if groups and first_line(edit.span) <= max(last_line(e.span) for e in groups[-1]):
            groups[-1].append(edit)
        else:
            groups.append([edit])
    rows: list[str] = []
    for group in groups:
        rows += _hunk(source, group, margin, paint)
    return rows


def _hunk(source: Source, group: list[Edit], margin: int, paint: Paint) -> list[str]:
    """The lines that one group of edits changes; what stays the same around them is trimmed."""
    line = first_line(group[0].span)
    start, _ = _bounds(source, line)
    _, stop = _bounds(source, max(last_line(edit.span) for edit in group))
    # Near the edits alone, where a line is endless.
    head = max(start, group[0].span.start - CONTEXT) if stop - start > 4 * ROOM else start
    tail = min(stop, group[-1].span.stop + ROOM) if stop - start > 4 * ROOM else stop
    local = Source(source.name, source.text[head:tail])
    moved = [Edit(Span(local, e.span.start - head, e.span.stop - head), e.replacement) for e in group]
    old = local.text.split("\n")
    new = apply(moved, local.text).split("\n")
    while old and new and old[0] == new[0]:
        old, new, line = old[1:], new[1:], line + 1
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    if len(new) > 1 and not new[-1] and tail == len(source.text):
        new.pop()  # the newline at the end of the file
    lead = "... " if head > start else ""
    rows: list[str] = []
    for sign, role, lines in (("-", "removed", old), ("+", "added", new)):
        for i, text in enumerate(lines[:DIFF_LINES]):
            cut = text[: ROOM + CONTEXT]
            shown = (lead if i == 0 else "") + _cells(cut)[0] + (" ..." if len(cut) < len(text) else "")
            number = paint(str(line + i).rjust(margin), "margin")
            rows.append(f"{number} {paint(f'{sign} {shown}'.rstrip(), role)}")
        if len(lines) > DIFF_LINES:
            rows.append(" " * margin + f" {sign} ... {len(lines) - DIFF_LINES} more lines")
    return rows
