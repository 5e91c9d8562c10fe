"""AS12: timed subgoals and planning."""

from __future__ import annotations

from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = ()
