"""AS10: robustness, online monitors and recorded traces."""

from __future__ import annotations

from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = ()
