"""Diagnostics for people and for programs: text with carets, JSON, SARIF 2.1.0.

The JSON is stable; its shape is documented in ``docs/language/diagnostics.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentc.lang.diagnostics import Diagnostic, Edit, Severity
from agentc.lang.exchange import as_data, clamped
from agentc.lang.sarif import log
from agentc.lang.snippet import Mark, Paint, diff, draw, last_line, visible
from agentc.lang.source import Span

JSON_VERSION = 1
"""Version of the shape that :func:`render_json` writes; it grows when a field changes its meaning or goes."""


MOST_PLACES = 8
"""Annotations of one diagnostic that the text shows; JSON and SARIF have all of them."""


def exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    """1 if any of them is an error, else 0."""
    return int(any(d.severity is Severity.ERROR for d in diagnostics))


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """How many there are of each severity: ``2 errors, 1 warning``; empty if there are none."""
    counts = _counts(diagnostics)
    return ", ".join(f"{n} {word if n == 1 else word + 's'}" for word, n in counts.items() if n)


def _counts(diagnostics: Iterable[Diagnostic]) -> dict[str, int]:
    counts = {severity.value: 0 for severity in Severity}
    for d in diagnostics:
        counts[d.severity.value] += 1
    return counts


# ---------------------------------------------------------------- text

_COLOURS = {
    "error": "1;31",
    "warning": "1;33",
    "note": "1;36",
    "strong": "1",
    "margin": "1;34",
    "secondary": "1;34",
    "removed": "31",
    "added": "32",
}


def _plain(text: str, role: str) -> str:
    return text


def _palette(severity: Severity) -> Paint:
    """A paint in which the primary marks have the colour of the severity."""

    def paint(text: str, role: str) -> str:
        code = _COLOURS[severity.value if role == "primary" else role]
        return f"\x1b[{code}m{text}\x1b[0m"

    return paint


def render_text(diagnostics: Iterable[Diagnostic], color: bool = False) -> str:
    """All diagnostics as text, in the order given, with a blank line between two; it ends with a newline.

    Each has its sentence, its place, the source with the place underlined (secondary places too, in other
    files below), the help, and the fix as a diff. ``color`` adds ANSI colours.
    """
    blocks = ["\n".join(_block(d, _palette(d.severity) if color else _plain)) for d in diagnostics]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _block(d: Diagnostic, paint: Paint) -> list[str]:
    title = paint(f"{d.severity.value}[{d.code}]", "primary") + paint(f": {_indented(d.message, 2)}", "strong")
    marks = [Mark(d.span, "", primary=True)] if d.span is not None else []
    marks += [Mark(a.span, a.message) for a in d.annotations[:MOST_PLACES]]
    edits = d.fix.edits if d.fix is not None else ()
    numbers = [last_line(m.span) for m in marks] + [last_line(e.span) + e.replacement.count("\n") for e in edits]
    margin = len(str(max(numbers, default=0)))
    rows = [title]
    blank = " " * margin + " " + paint("|", "margin")
    left_out: list[Mark] = []
    for i, group in enumerate(_by_source(marks)):
        arrow = "-->" if i == 0 else ":::"
        rows.append(" " * margin + f"{paint(arrow, 'margin')} {_place(group[0].span)}")
        drawn, missing = draw(group, margin, paint)
        rows += [blank, *drawn]
        left_out += missing
    tail = [f"note: {_place(mark.span)}: {mark.label}" for mark in left_out if mark.label]
    if len(d.annotations) > MOST_PLACES:
        tail.append(f"note: {len(d.annotations) - MOST_PLACES} more places are not shown")
    if d.help is not None:
        tail.append(f"help: {d.help}")
    elif d.fix is not None:
        tail.append(f"help: {d.fix.message}")
    if tail and marks:
        rows.append(blank)
    for line in tail:
        word, rest = line.split(":", 1)
        text = _indented(rest, margin + 4 + len(word) + 2)
        rows.append(f"{' ' * margin} {paint('=', 'margin')} {paint(word, 'strong')}:{text}")
    if edits:
        rows.append(blank)
        for changed in _edits_by_source(edits):
            if d.span is None or changed[0].span.source is not d.span.source:
                rows.append(" " * margin + f"{paint(':::', 'margin')} {_place(changed[0].span)}")
            rows += diff(changed, margin, paint)
    return rows


def _indented(text: str, by: int) -> str:
    return visible(text).replace("\n", "\n" + " " * by)


def _place(span: Span) -> str:
    line, column = span.source.position(clamped(span)[0])
    return f"{visible(span.source.name)}:{line}:{column}"


def _by_source(marks: Sequence[Mark]) -> list[list[Mark]]:
    groups: dict[int, list[Mark]] = {}
    for mark in marks:
        groups.setdefault(id(mark.span.source), []).append(mark)
    return list(groups.values())


def _edits_by_source(edits: Sequence[Edit]) -> list[list[Edit]]:
    groups: dict[int, list[Edit]] = {}
    for edit in edits:
        groups.setdefault(id(edit.span.source), []).append(edit)
    return list(groups.values())


# ---------------------------------------------------------------- JSON


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """All diagnostics as one JSON object; lines and columns count from 1, in code points, the end excluded."""
    import json

    found = list(diagnostics)
    data = {"version": JSON_VERSION, "summary": _counts(found), "diagnostics": [as_data(d) for d in found]}
    return json.dumps(data, indent=2) + "\n"


# ---------------------------------------------------------------- SARIF


def render_sarif(diagnostics: Iterable[Diagnostic]) -> str:
    """All diagnostics as one SARIF 2.1.0 log (OASIS standard, March 2020), for code hosts and editors.

    A rule carries the page of its code as its help; annotations are related locations.
    """
    import json

    return json.dumps(log(list(diagnostics)), indent=2) + "\n"
