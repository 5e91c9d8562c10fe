"""Diagnostics are data: a code, a place, the offending value, the mend.

The sentences themselves stand in one table, :mod:`agentc.lang.catalog`; every other module says only which
code, where, and with which values. Renderers (:mod:`agentc.lang.render`) turn the data into text with
carets, JSON or SARIF; the page of a code (``agentc explain AS0203``) is a Markdown file beside the table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from agentc.lang.source import Span


class Severity(Enum):
    """How bad it is; only an ``ERROR`` makes a command fail."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A second place that matters, with what it has to do with it."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of a span."""

    span: Span
    replacement: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A mend that a tool could apply."""

    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. ``values`` are the offending values that the sentence was made from."""

    code: str
    severity: Severity
    message: str
    span: Span | None
    annotations: tuple[Annotation, ...] = ()
    help: str | None = None
    fix: Fix | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


class AgentcError(Exception):
    """Carries diagnostics out of an API call; the command line shows them, it never shows a traceback."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(_line(d) for d in self.diagnostics))


def _line(d: Diagnostic) -> str:
    place = ""
    if d.span is not None:
        line, column = d.span.source.position(d.span.start)
        place = f"{d.span.source.name}:{line}:{column}: "
    return f"{place}{d.severity.value}[{d.code}]: {d.message}" + (f" (help: {d.help})" if d.help else "")


def report(
    code: str,
    span: Span | None,
    *,
    annotations: Iterable[Annotation] = (),
    suggestion: str | None = None,
    suggestion_span: Span | None = None,
    fix: Fix | None = None,
    **values: Any,
) -> Diagnostic:
    """Make the diagnostic ``code`` with its sentence from the catalog filled with ``values``.

    ``suggestion`` is the nearest valid word, if there is one: it becomes the help ('did you mean') and a fix
    that replaces ``suggestion_span`` (default: ``span``).
    """
    from agentc.lang.catalog import CATALOG  # the table is only read where something is wrong

    entry = CATALOG[code]
    help_ = entry.help.format(**values) if entry.help else None
    if suggestion is not None:
        help_ = f"did you mean `{suggestion}`?"
        where = suggestion_span or span
        if fix is None and where is not None:
            fix = Fix(f"replace with `{suggestion}`", (Edit(where, suggestion),))
    return Diagnostic(
        code, entry.severity, entry.message.format(**values), span, tuple(annotations), help_, fix, values
    )
