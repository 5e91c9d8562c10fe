"""A diagnostic as plain data: what the JSON holds and what SARIF is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from agentc.lang.catalog import CATALOG
from agentc.lang.diagnostics import Diagnostic, Fix
from agentc.lang.source import Source, Span


def as_data(d: Diagnostic) -> dict[str, Any]:
    """One diagnostic as plain data, as it stands in the JSON."""
    entry = CATALOG.get(d.code)
    return {
        "code": d.code,
        "name": entry.name if entry else None,
        "severity": d.severity.value,
        "message": d.message,
        **place(d.span),
        "values": plain_values(d.values),
        "annotations": [{"message": a.message, **place(a.span)} for a in d.annotations],
        "help": d.help,
        "fix": _fix(d.fix),
    }


def place(span: Span | None) -> dict[str, Any]:
    """File, start and end of a span as plain data; all None without one."""
    if span is None:
        return {"file": None, "start": None, "end": None}
    start, stop = clamped(span)
    return {"file": span.source.name, "start": _point(span.source, start), "end": _point(span.source, stop)}


def _point(source: Source, offset: int) -> dict[str, int]:
    line, column = source.position(offset)
    return {"line": line, "column": column}


def _fix(fix: Fix | None) -> dict[str, Any] | None:
    if fix is None:
        return None
    return {
        "message": fix.message,
        "edits": [{**place(edit.span), "replacement": edit.replacement} for edit in fix.edits],
    }


def plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that JSON can say, and the text of everything else (infinities among it)."""
    return {str(key): _plain_value(value) for key, value in values.items()}


def _plain_value(value: Any) -> Any:
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    return str(value)


def clamped(span: Span) -> tuple[int, int]:
    """Start and stop of the span, within its source."""
    start = min(max(span.start, 0), len(span.source.text))
    return start, min(max(span.stop, start), len(span.source.text))
