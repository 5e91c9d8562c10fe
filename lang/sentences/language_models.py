"""AS14: language-model agents: decoder, tools, models, guard."""

from __future__ import annotations

from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = ()
