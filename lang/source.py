"""Source texts and spans: where in which file something stands."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, eq=False)
class Source:
    """One text with the name that is shown for it (a path as the user gave it, or ``<formula>``)."""

    name: str
    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        """Offsets of the first character of each line."""
        starts = [0]
        at = self.text.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = self.text.find("\n", at + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1, in code points."""
        line = bisect_right(self.line_starts, offset) - 1
        return line + 1, offset - self.line_starts[line] + 1

    def line(self, number: int) -> str:
        """Text of line ``number`` (from 1) without its newline."""
        start = self.line_starts[number - 1]
        stop = self.line_starts[number] - 1 if number < len(self.line_starts) else len(self.text)
        return self.text[start:stop].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """The half-open range ``[start, stop)`` of code points of one source."""

    source: Source
    start: int
    stop: int

    @property
    def text(self) -> str:
        """The text the span covers."""
        return self.source.text[self.start : self.stop]

    def to(self, other: Span) -> Span:
        """The smallest span that covers both (of one source)."""
        return Span(self.source, min(self.start, other.start), max(self.stop, other.stop))
