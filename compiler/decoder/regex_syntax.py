"""Regular expressions in the syntax of Python's ``re`` as languages of whole texts.

What is not regular, or cannot be matched in linear time, is refused by name: look-around, back-references, atomic
groups and possessive repetition, and anchors inside a text.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from typing import Any

from agentc.compiler.decoder.regular import (
    ALL,
    EPSILON,
    Language,
    Ranges,
    alt,
    any_char,
    cat,
    chars,
    repeat,
    without,
)

_c: Any = importlib.import_module("re._constants")  # the parser of `re` is the definition of its syntax
_parser: Any = importlib.import_module("re._parser")

MAX_REPEAT = 10_000


class NotLinearError(Exception):
    """A construct that is not matched in linear time; ``construct`` names it, ``regex`` has it where that is known."""

    def __init__(self, construct: str, regex: str = "") -> None:
        super().__init__(construct)
        self.construct, self.regex = construct, regex


def parse_regex(pattern: str) -> Language:
    """The texts that match as a whole. Raises :class:`NotLinearError`, and ``re.error`` for what is no regex."""
    tree = _parser.parse(pattern)
    return _sequence(list(tree), _flags(tree.state.flags), True, True)


def searched(pattern: str, flags: int = 0) -> Language:
    """The texts in which a match is found; with ``re.ASCII`` for ``\\d`` and ``\\w`` as JSON Schema has them.

    Raises as :func:`parse_regex` does.
    """
    tree = _parser.parse(pattern, flags)
    used = _flags(tree.state.flags & ~flags) | flags
    items = list(tree)
    branches = items[0][1][1] if len(items) == 1 and items[0][0] is _c.BRANCH else [items]
    found = []
    for branch in map(list, branches):
        starts = bool(branch) and branch[0][0] is _c.AT and branch[0][1] in _BEGINNINGS
        ends = bool(branch) and branch[-1][0] is _c.AT and branch[-1][1] in _ENDS
        inside = _sequence(branch, used, starts, ends)
        every = repeat(any_char(), 0, None)
        found.append(cat(EPSILON if starts else every, inside, EPSILON if ends else every))
    return alt(*found)


_BEGINNINGS = (_c.AT_BEGINNING, _c.AT_BEGINNING_STRING)
_ENDS = (_c.AT_END, _c.AT_END_STRING)


def _flags(flags: int) -> int:
    """The flags that change a meaning here: ``DOTALL``. Raises for the others but ``UNICODE``."""
    if flags & ~(re.UNICODE | re.DOTALL):
        raise NotLinearError("a flag")
    return flags & re.DOTALL


def _sequence(items: list[Any], flags: int, at_start: bool, at_end: bool) -> Language:
    parts = []
    for i, (op, value) in enumerate(items):
        first, last = at_start and i == 0, at_end and i == len(items) - 1
        parts.append(_item(op, value, flags, first, last))
    return cat(*parts)


def _item(op: Any, value: Any, flags: int, first: bool, last: bool) -> Language:
    if op is _c.LITERAL:
        return chars([(value, value)])
    if op is _c.NOT_LITERAL:
        return chars(without(ALL, [(value, value)]))
    if op is _c.ANY:
        return any_char() if flags & re.DOTALL else chars(without(ALL, [(10, 10)]))
    if op is _c.IN:
        return chars(_set(value, flags))
    if op is _c.BRANCH:
        return alt(*(_sequence(list(branch), flags, first, last) for branch in value[1]))
    if op is _c.SUBPATTERN:
        _, add, remove, inner = value
        return _sequence(list(inner), (flags | _flags(add)) & ~_flags(remove), first, last)
    if op in (_c.MAX_REPEAT, _c.MIN_REPEAT):
        least, most, inner = value
        bound = None if most is _c.MAXREPEAT else int(most)
        if max(int(least), bound or 0) > MAX_REPEAT:
            raise NotLinearError(f"more than {MAX_REPEAT} repetitions")
        return repeat(_sequence(list(inner), flags, False, False), int(least), bound)
    if op is _c.AT:
        if value in _BEGINNINGS and first:
            return EPSILON
        if value in _ENDS and last:  # of the whole text, so before no line break
            return EPSILON
        raise NotLinearError("an anchor" if value not in (_c.AT_BOUNDARY, _c.AT_NON_BOUNDARY) else "`\\b`")
    names = {
        _c.ASSERT: "look-around", _c.ASSERT_NOT: "look-around", _c.GROUPREF: "a back-reference",
        _c.GROUPREF_EXISTS: "a back-reference", _c.ATOMIC_GROUP: "an atomic group",
        _c.POSSESSIVE_REPEAT: "possessive repetition",
    }  # fmt: skip
    raise NotLinearError(names.get(op, str(op).lower()))


def _set(items: list[Any], flags: int) -> Ranges:
    found: list[tuple[int, int]] = []
    negated = False
    for op, value in items:
        if op is _c.NEGATE:
            negated = True
        elif op is _c.LITERAL:
            found.append((value, value))
        elif op is _c.RANGE:
            found.append((int(value[0]), int(value[1])))
        elif op is _c.CATEGORY:
            found += _category(str(value), bool(flags & re.ASCII))
        else:
            raise NotLinearError(str(op).lower())
    return without(ALL, found) if negated else tuple(found)


@cache
def _category(name: str, ascii_only: bool) -> Ranges:
    """The characters of ``\\d \\s \\w`` and their complements, as Python has them."""
    kind = name.rsplit("_", 1)[1]
    if ascii_only and kind != "SPACE":  # as ECMAScript has it: its spaces are those of Unicode
        ranges: Ranges = ((48, 57),) if kind == "DIGIT" else ((48, 57), (65, 90), (95, 95), (97, 122))
        return without(ALL, ranges) if "NOT" in name else ranges
    escape = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[kind]
    found: list[tuple[int, int]] = []
    every = "".join(chr(c) for lo, hi in ALL for c in range(lo, hi + 1))
    for match in re.finditer(f"{escape}+", every):
        run = match.group()
        start = ord(run[0])
        before = start
        for code in map(ord, run[1:]):
            if code != before + 1:
                found.append((start, before))
                start = code
            before = code
        found.append((start, before))
    ranges = tuple(found)
    return without(ALL, ranges) if "NOT" in name else ranges

