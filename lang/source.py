"""Source texts and spans: where in which file something stands."""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from agentc.lang.diagnostics import Diagnostic


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


MAX_MEGABYTES = 10
"""Files larger than this are not read: a spec is written by a person."""


class ReadResult(NamedTuple):
    """A source, or what kept it from being read."""

    source: Source | None
    diagnostics: tuple[Diagnostic, ...]


def read_source(path: str | Path, name: str | None = None) -> ReadResult:
    """Read a spec file. Never raises: a missing, unreadable or foreign file becomes a diagnostic.

    ``name`` is what diagnostics call the file (default: the path as given). A byte order mark is dropped, and
    line ends become ``\\n``.
    """
    from agentc.lang.diagnostics import report

    shown = str(path) if name is None else name
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return ReadResult(None, (report("AS0141", None, path=shown),))
        if status.st_size > MAX_MEGABYTES * 1_000_000:
            return ReadResult(None, (report("AS0144", None, path=shown, limit=MAX_MEGABYTES),))
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return ReadResult(None, (report("AS0140", None, path=shown),))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return ReadResult(None, (report("AS0142", None, path=shown, reason=reason),))
    return decode_source(data, shown)


def decode_source(data: bytes, name: str) -> ReadResult:
    """A source of the bytes of a file."""
    from agentc.lang.diagnostics import report

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        byte = f"0x{data[error.start]:02X}"
        return ReadResult(None, (report("AS0143", None, path=name, byte=byte, line=line),))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    at = text.find("\0")
    if at >= 0:
        return ReadResult(None, (report("AS0145", None, path=name, line=text.count("\n", 0, at) + 1),))
    return ReadResult(Source(name, text), ())
