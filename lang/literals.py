"""Literals: numbers, texts and names, from what is written to what is meant and back."""

from __future__ import annotations

import math
import re

from agentc.lang.words import RESERVED

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPED = {value: "\\" + letter for letter, value in _ESCAPES.items()}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|([\s\S]))")
_QUANTITY = re.compile(r"([0-9_]+(?:\.[0-9_]+)?(?:[eE][+-]?[0-9]+)?(?![0-9]))(.+)")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LONGEST_NUMBER = 300


def read_number(text: str) -> int | float | None:
    """The value of a number, None if it is no finite number or unreasonably long."""
    if len(text) > _LONGEST_NUMBER:
        return None
    digits = text.replace("_", "")
    try:
        if digits.isdigit():
            return int(digits)
        value = float(digits)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def split_quantity(text: str) -> tuple[str, str]:
    """Number and unit of ``50m/s``. An ``e`` belongs to the number only with digits behind it."""
    found = _QUANTITY.fullmatch(text)
    return (found.group(1), found.group(2)) if found else (text, "")


def read_string(body: str) -> tuple[str, list[tuple[int, int]]]:
    """The text between the quotes with its escapes resolved, and where in ``body`` unknown escapes stand."""
    if "\\" not in body:
        return body, []
    wrong: list[tuple[int, int]] = []

    def resolve(found: re.Match[str]) -> str:
        code = found.group(1) or found.group(2) or found.group(3)
        if code is None:
            value = _ESCAPES.get(found.group(4))
        else:
            number = int(code, 16)
            surrogate = 0xD800 <= number <= 0xDFFF
            value = None if surrogate or number > 0x10FFFF else chr(number)
        if value is None:
            wrong.append(found.span())
            return found.group()
        return value

    return _ESCAPE.sub(resolve, body), wrong


def write_string(value: str) -> str:
    """A text in double quotes that reads back as ``value``."""
    return '"' + "".join(_escape(character) for character in value) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if character.isprintable():
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def dedent(text: str) -> str:
    """A long text without the indentation of its lines and the blank lines at its ends."""
    first, *rest = text.replace("\r\n", "\n").split("\n")
    rest = [line if line.strip(" \t\r") else "" for line in rest]
    margins = [len(line) - len(line.lstrip(" \t")) for line in rest if line]
    margin = min(margins, default=0)
    lines = [first.lstrip(" \t"), *(line[margin:] for line in rest)]
    if not lines[0].strip(" \t\r"):
        lines[0] = ""
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return "\n".join(lines)


def is_identifier(text: str) -> bool:
    """Whether the text can be a name, with or without back-ticks."""
    return _IDENTIFIER.match(text) is not None


def write_name(name: str) -> str:
    """A name as it is written: reserved words in back-ticks."""
    return f"`{name}`" if name in RESERVED else name
