"""AS15: learning: slots, learners, replay, curricula."""

from __future__ import annotations

from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = ()
