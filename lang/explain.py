"""The page of a diagnostic: what it means, why it exists, and how to mend what it found.

The pages are the Markdown files ``lang/pages/<code>.md``; each is also the test of its code.
"""

from __future__ import annotations

from agentc.lang.catalog import CATALOG
from agentc.lang.diagnostics import AgentcError, report


def page(code: str) -> str | None:
    """The Markdown page of a code (``AS0203``), or None if there is none."""
    from importlib.resources import files

    if code not in CATALOG:
        return None
    path = files("agentc.lang").joinpath("pages", f"{code}.md")
    return path.read_text(encoding="utf-8") if path.is_file() else None


def find(query: str) -> str | None:
    """The code that a person means: a code in any case, its number (``203``), or its name (``unknown-name``)."""
    word = query.strip()
    digits = word.upper().removeprefix("AS")
    if digits.isascii() and digits.isdigit() and f"AS{digits.zfill(4)}" in CATALOG:
        return f"AS{digits.zfill(4)}"
    name = word.lower().replace("_", "-").replace(" ", "-")
    return next((entry.code for entry in CATALOG.values() if entry.name == name), None)


def explain(query: str) -> str:
    """The page of the code or name that a person asked for.

    Raises AgentcError (AS0950) if there is no such code, with the nearest one.
    """
    code = find(query)
    text = page(code) if code is not None else None
    if text is None:
        raise AgentcError([report("AS0950", None, query=query, suggestion=_nearest(query))])
    return text


def _nearest(query: str) -> str | None:
    from agentc.lang.spelling import nearest

    names = [entry.name for entry in CATALOG.values()]
    return nearest(query.strip().upper(), list(CATALOG)) or nearest(query.strip().lower(), names)


def index() -> str:
    """One line for each code: code, severity, name."""
    rows = sorted(CATALOG.values())
    return "".join(f"{row.code}  {row.severity.value:<7}  {row.name}\n" for row in rows)
