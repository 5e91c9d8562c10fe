"""The history of a guard: ordered, durable events. What was answered was written before.

An event has a key of the caller's. Proposing the same key again, after a crash or a lost answer, returns the decision
that was written, and judges nothing twice. SQLite is the default, one file that several processes may share; PostgreSQL
serves guards on several machines.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from agentc.lang.diagnostics import AgentcError, report

Data = Mapping[str, Any]


class History(Protocol):
    """Events with their decisions, in order."""

    def exclusive(self) -> Any:
        """A context in which no other process writes; what was written is durable when it ends, or not there."""
        ...

    def find(self, key: str) -> tuple[Data, Data] | None:
        """The event and decision of a key."""
        ...

    def append(self, key: str, event: Data, decision: Data) -> None:
        """Write one; inside of :meth:`exclusive`."""
        ...

    def settle(self, key: str, decision: Data) -> None:
        """Replace the decision of a key; inside of :meth:`exclusive`."""
        ...

    def since(self, seq: int, each: Callable[[Data, Data], None]) -> int:
        """Call ``each`` with all events behind ``seq``, in order; the last ``seq``."""
        ...

    def asked(self) -> list[tuple[str, Data, Data]]:
        """Keys, events and decisions of what waits for a person."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def open_history(where: Path | str | None = None) -> History:
    """The history at a path, at ``postgresql://...``, or in memory.

    Raises ``AgentcError``: AS1421 if the package ``psycopg`` is not installed, AS1482 for one that is not reached.
    """
    if isinstance(where, str) and where.startswith(("postgresql://", "postgres://")):
        return PostgresHistory(where)
    return SqliteHistory(None if where is None else Path(where))


class SqliteHistory:
    """A history in a file of SQLite; ``path`` None keeps it in memory. Raises ``AgentcError`` (AS1482)."""

    def __init__(self, path: Path | None = None) -> None:
        name = ":memory:" if path is None else str(path)
        try:
            self._base = sqlite3.connect(name, isolation_level=None, timeout=30.0, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode=WAL")
            self._base.execute("PRAGMA synchronous=FULL")
            self._base.execute(
                "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE NOT NULL,"
                " event TEXT NOT NULL, decision TEXT NOT NULL)"
            )
        except sqlite3.Error as error:
            raise AgentcError([report("AS1482", None, name=name, reason=str(error))]) from None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See :class:`History`."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def find(self, key: str) -> tuple[Data, Data] | None:
        """See :class:`History`."""
        row = self._base.execute("SELECT event, decision FROM events WHERE key = ?", (key,)).fetchone()
        return None if row is None else (json.loads(row[0]), json.loads(row[1]))

    def append(self, key: str, event: Data, decision: Data) -> None:
        """See :class:`History`."""
        self._base.execute(
            "INSERT INTO events (key, event, decision) VALUES (?, ?, ?)",
            (key, json.dumps(event, default=repr), json.dumps(decision)),
        )

    def settle(self, key: str, decision: Data) -> None:
        """See :class:`History`."""
        self._base.execute("UPDATE events SET decision = ? WHERE key = ?", (json.dumps(decision), key))

    def since(self, seq: int, each: Callable[[Data, Data], None]) -> int:
        """See :class:`History`."""
        rows = self._base.execute("SELECT seq, event, decision FROM events WHERE seq > ? ORDER BY seq", (seq,))
        for number, event, decision in rows.fetchall():
            each(json.loads(event), json.loads(decision))
            seq = number
        return seq

    def asked(self) -> list[tuple[str, Data, Data]]:
        """See :class:`History`."""
        rows = self._base.execute("SELECT key, event, decision FROM events ORDER BY seq").fetchall()
        return _asked(rows)

    def close(self) -> None:
        """See :class:`History`."""
        self._base.close()


class PostgresHistory:
    """A history in a table ``agentc_events`` of PostgreSQL, by the package ``psycopg``.

    Writers lock the table for the time of one event, so the order of events is the order in which they became durable.
    """

    def __init__(self, url: str) -> None:
        if importlib.util.find_spec("psycopg") is None:
            raise AgentcError([report("AS1421", None, package="psycopg", extra="postgres")])
        driver: Any = importlib.import_module("psycopg")
        try:
            self._base: Any = driver.connect(url, autocommit=True, connect_timeout=10)
            with self._base.transaction():
                self._base.execute("SELECT pg_advisory_xact_lock(20250614)")  # two that create it at once collide
                self._base.execute(
                    "CREATE TABLE IF NOT EXISTS agentc_events (seq BIGSERIAL PRIMARY KEY, key TEXT UNIQUE NOT NULL,"
                    " event TEXT NOT NULL, decision TEXT NOT NULL)"
                )
        except driver.Error as error:
            shown = url.rpartition("@")[2]  # without the password
            reason = (str(error).strip().splitlines() or ["it is not there"])[0]
            raise AgentcError([report("AS1482", None, name=shown, reason=reason)]) from None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """See :class:`History`."""
        with self._base.transaction():
            self._base.execute("LOCK TABLE agentc_events IN EXCLUSIVE MODE")
            yield

    def find(self, key: str) -> tuple[Data, Data] | None:
        """See :class:`History`."""
        row = self._base.execute("SELECT event, decision FROM agentc_events WHERE key = %s", (key,)).fetchone()
        return None if row is None else (json.loads(row[0]), json.loads(row[1]))

    def append(self, key: str, event: Data, decision: Data) -> None:
        """See :class:`History`."""
        self._base.execute(
            "INSERT INTO agentc_events (key, event, decision) VALUES (%s, %s, %s)",
            (key, json.dumps(event, default=repr), json.dumps(decision)),
        )

    def settle(self, key: str, decision: Data) -> None:
        """See :class:`History`."""
        self._base.execute("UPDATE agentc_events SET decision = %s WHERE key = %s", (json.dumps(decision), key))

    def since(self, seq: int, each: Callable[[Data, Data], None]) -> int:
        """See :class:`History`."""
        rows = self._base.execute(
            "SELECT seq, event, decision FROM agentc_events WHERE seq > %s ORDER BY seq", (seq,)
        ).fetchall()
        for number, event, decision in rows:
            each(json.loads(event), json.loads(decision))
            seq = int(number)
        return seq

    def asked(self) -> list[tuple[str, Data, Data]]:
        """See :class:`History`."""
        return _asked(self._base.execute("SELECT key, event, decision FROM agentc_events ORDER BY seq").fetchall())

    def close(self) -> None:
        """See :class:`History`."""
        self._base.close()


def _asked(rows: list[tuple[str, str, str]]) -> list[tuple[str, Data, Data]]:
    found = [(key, json.loads(event), json.loads(decision)) for key, event, decision in rows if '"ask"' in decision]
    return [row for row in found if row[2]["outcome"] == "ask"]
