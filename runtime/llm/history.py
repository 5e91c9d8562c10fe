"""The history of a guard: ordered, durable events in SQLite. What was answered was written before.

An event has a key of the caller's. Proposing the same key again, after a crash or a lost answer, returns the decision
that was written, and judges nothing twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT UNIQUE NOT NULL,
  event TEXT NOT NULL,
  decision TEXT NOT NULL
)
"""

Data = Mapping[str, Any]


class History:
    """Events with their decisions, in order; ``path`` None keeps them in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self._base = sqlite3.connect(":memory:" if path is None else str(path), isolation_level=None, timeout=30.0)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=FULL")
        self._base.execute(SCHEMA)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """No other process writes meanwhile; what was written inside is durable when this ends, or not there."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def find(self, key: str) -> tuple[Data, Data] | None:
        """The event and decision of a key."""
        row = self._base.execute("SELECT event, decision FROM events WHERE key = ?", (key,)).fetchone()
        return None if row is None else (json.loads(row[0]), json.loads(row[1]))

    def append(self, key: str, event: Data, decision: Data) -> None:
        """Write one; inside of :meth:`exclusive`."""
        self._base.execute(
            "INSERT INTO events (key, event, decision) VALUES (?, ?, ?)", (key, json.dumps(event), json.dumps(decision))
        )

    def settle(self, key: str, decision: Data) -> None:
        """Replace the decision of a key."""
        self._base.execute("UPDATE events SET decision = ? WHERE key = ?", (json.dumps(decision), key))

    def since(self, seq: int, each: Callable[[Data, Data], None]) -> int:
        """Call ``each`` with all events behind ``seq``, in order; the last ``seq``."""
        rows = self._base.execute("SELECT seq, event, decision FROM events WHERE seq > ? ORDER BY seq", (seq,))
        for number, event, decision in rows.fetchall():
            each(json.loads(event), json.loads(decision))
            seq = number
        return seq

    def close(self) -> None:
        """Close the file."""
        self._base.close()
