"""AS12: timed subgoals and planning."""

from __future__ import annotations

from agentc.lang.catalog_entry import ERROR as _E
from agentc.lang.catalog_entry import NOTE as _N
from agentc.lang.catalog_entry import Entry

ROWS: tuple[Entry, ...] = (
    Entry("AS1201", "plan-too-large", _E, "the timed subgoals of `{formula}` would exceed {limit}",
          "shorten its intervals or its horizon, or split it into several formulas"),
    Entry("AS1202", "no-subgoals-file", _N, "`{name}` has no file of timed subgoals: they would exceed {limit}",
          "planners build them when they need them"),
)
