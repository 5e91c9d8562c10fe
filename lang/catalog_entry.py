"""One row of the table of diagnostics."""

from __future__ import annotations

from typing import NamedTuple

from agentc.lang.diagnostics import Severity

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


class Entry(NamedTuple):
    """A code with its name, severity, sentence and the mend that it proposes."""

    code: str
    name: str
    severity: Severity
    message: str
    help: str | None = None
