"""AS11: declared systems: simulation, environments, transition systems."""

from __future__ import annotations

from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = ()
