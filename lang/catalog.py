"""The table of all diagnostics: code, name, severity, sentence, help. The sentences of agentc stand here and only here.

Ranges: AS01 syntax, AS02 names and imports, AS03 types, AS04 units and time, AS05 formulas and roles,
AS06 configuration, AS07 backends and fragments, AS08 bundles, checkpoints and traces, AS09 environments,
running and the command line. A sentence is one terse phrase with the offending value in it; the help
proposes the mend. Each code has a page ``lang/pages/<code>.md``.
"""

from __future__ import annotations

from typing import NamedTuple

from agentc.lang.diagnostics import Severity


class Entry(NamedTuple):
    """One row of the table."""

    code: str
    name: str
    severity: Severity
    message: str
    help: str | None = None


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

_ROWS = (
    # ---------------------------------------------------------------- AS01 syntax
    Entry("AS0101", "unexpected-character", _E, "unexpected character `{character}`"),
    # ---------------------------------------------------------------- AS02 names and imports
    Entry("AS0203", "unknown-name", _E, "no {kind} is named `{name}`"),
    # ---------------------------------------------------------------- AS03 types
    # ---------------------------------------------------------------- AS04 units and time
    # ---------------------------------------------------------------- AS05 formulas and roles
    # ---------------------------------------------------------------- AS06 configuration
    # ---------------------------------------------------------------- AS07 backends and fragments
    # ---------------------------------------------------------------- AS08 bundles, checkpoints and traces
    # ---------------------------------------------------------------- AS09 environments, running, command line
)

CATALOG: dict[str, Entry] = {row.code: row for row in _ROWS}
