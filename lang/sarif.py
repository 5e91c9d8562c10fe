"""Diagnostics as a SARIF 2.1.0 log: plain data, ready for ``json.dumps``.

Source: Static Analysis Results Interchange Format (SARIF) Version 2.1.0, OASIS Standard, 27 March 2020; the
section numbers beside the fields are of that document.
"""

from __future__ import annotations

from typing import Any

from agentc.lang.catalog import CATALOG
from agentc.lang.diagnostics import Diagnostic, Edit, Fix
from agentc.lang.exchange import place, plain_values
from agentc.lang.explain import page
from agentc.lang.source import Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def log(diagnostics: list[Diagnostic]) -> dict[str, Any]:
    """The whole log (3.13) with its one run (3.14)."""
    codes = sorted({d.code for d in diagnostics})
    index = {code: i for i, code in enumerate(codes)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "agentc", "rules": [_rule(code) for code in codes]}},
                "columnKind": "unicodeCodePoints",  # 3.14.17: our columns are code points
                "results": [_result(d, index[d.code]) for d in diagnostics],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    """The rule of a code (3.49) with its page as help."""
    rule: dict[str, Any] = {"id": code}
    entry = CATALOG.get(code)
    if entry is not None:
        rule["name"] = "".join(word.capitalize() for word in entry.name.split("-"))
        rule["shortDescription"] = {"text": entry.name.replace("-", " ")}
        rule["defaultConfiguration"] = {"level": entry.severity.value}
    text = page(code)
    if text is not None:
        rule["help"] = {"text": text, "markdown": text}
    return rule


def _result(d: Diagnostic, rule: int) -> dict[str, Any]:
    """One result (3.27); the help stands in the message, because viewers show no other field."""
    result: dict[str, Any] = {
        "ruleId": d.code,
        "ruleIndex": rule,
        "level": d.severity.value,
        "message": {"text": f"{d.message} ({d.help})" if d.help else d.message},
    }
    if d.span is not None:
        result["locations"] = [{"physicalLocation": _physical(d.span)}]
    if d.annotations:
        result["relatedLocations"] = [
            {"id": i, "physicalLocation": _physical(a.span), "message": {"text": a.message}}
            for i, a in enumerate(d.annotations)
        ]
    if d.fix is not None and d.fix.edits:
        result["fixes"] = [_fix(d.fix)]
    values = plain_values(d.values)
    if values:
        result["properties"] = {"values": values}
    return result


def _fix(fix: Fix) -> dict[str, Any]:
    """A fix (3.55): per file, the regions that go and the text that comes."""
    files: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        files.setdefault(edit.span.source.name, []).append(edit)
    return {
        "description": {"text": fix.message},
        "artifactChanges": [
            {
                "artifactLocation": {"uri": uri(name)},
                "replacements": [
                    {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.replacement}}
                    for edit in edits
                ],
            }
            for name, edits in files.items()
        ],
    }


def _physical(span: Span) -> dict[str, Any]:
    return {"artifactLocation": {"uri": uri(span.source.name)}, "region": _region(span)}


def _region(span: Span) -> dict[str, int]:
    """A region (3.30); both ends count from 1, and the end column is the one behind the last character."""
    at = place(span)
    return {
        "startLine": at["start"]["line"],
        "startColumn": at["start"]["column"],
        "endLine": at["end"]["line"],
        "endColumn": at["end"]["column"],
    }


def uri(name: str) -> str:
    """The name of a source as a URI reference (3.4.3): relative as it was given, ``file:`` if absolute."""
    from urllib.parse import quote

    path = quote(name.replace("\\", "/").encode("utf-8", "replace"), safe="/:@!$&'()*+,;=~")
    if path[1:3] == ":/" and path[0].isalpha():  # C:\specs
        return "file:///" + path
    if path.startswith("/"):
        return "file://" + path
    # A colon in the first segment would be read as a scheme.
    return "./" + path if ":" in path.split("/", 1)[0] else path
