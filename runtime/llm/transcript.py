"""Transcripts: everything that happened in a run, one JSON object a line, written as it happens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from agentc.lang.diagnostics import AgentcError, report

VERSION = 1


class TranscriptWriter:
    """Appends events to a file; a line that was written stays, whatever happens afterwards."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("w", encoding="utf-8")

    def write(self, event: str, **fields: Any) -> None:
        """Write one event and hand it to the operating system."""
        self._file.write(json.dumps({"event": event, **fields}, ensure_ascii=False, default=str) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Sync and close."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def read_transcript(path: Path) -> Iterator[Mapping[str, Any]]:
    """The events of a transcript; a torn last line is dropped. Raises ``AgentcError`` (AS1432) for a line that is none.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            event = json.loads(line)
            if not isinstance(event, dict) or "event" not in event:
                raise ValueError("no event")
        except ValueError as error:
            if number == len(lines):  # it was being written when the run was killed
                return
            raise AgentcError([report("AS1432", None, path=str(path), line=number, reason=str(error))]) from None
        yield event
