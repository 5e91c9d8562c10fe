"""Texts as JSON writes them, each in one way only: no escape where none is needed."""

from __future__ import annotations

from agentc.compiler.decoder.regular import (
    Language,
    Ranges,
    alt,
    chars,
    literal,
    rewritten,
    substrings,
    without,
)

ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
"""How JSON writes what cannot stand in a text as it is; other control characters are not written."""

_RAW_OUT = ((0, 31), (34, 34), (92, 92))


def json_text(of: Language) -> Language:
    """Texts as the inside of a JSON string, each in one way only."""
    return rewritten(of, _encoded, lambda node: substrings("", [written(c) for c in node.chunks]))


def written(character: str) -> str:
    """One character inside of a JSON string."""
    return ESCAPES.get(character, character)


def _encoded(ranges: Ranges) -> Language:
    found = [chars(without(ranges, _RAW_OUT))]
    for character, escape in ESCAPES.items():
        code = ord(character)
        if any(lo <= code <= hi for lo, hi in ranges):
            found.append(literal(escape))
    return alt(*found)
