"""Regular languages of texts: what a phase or an argument may be, with intersection and complement.

A language is a hash-consed expression over Unicode characters. It is turned into

- an expression over bytes of UTF-8 and from there, by derivatives, into a byte automaton (:mod:`.bytes_automaton`);
- one terminal of a grammar engine (:func:`terminal`), in the engine's own syntax: one terminal for a whole step, as a
  grammar of several terminals is lexed greedily and is not exact.

Source: Brzozowski, *Derivatives of regular expressions*, JACM 1964; Owens, Reppy, Turon, *Regular-expression
derivatives re-examined*, JFP 2009 (similarity of expressions keeps the derivatives finite).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

Ranges = tuple[tuple[int, int], ...]
"""Code points (or bytes) as sorted disjoint ranges, ends included."""

MAX_CODE = 0x10FFFF
SURROGATES = (0xD800, 0xDFFF)

Op = Literal["empty", "eps", "chars", "cat", "alt", "and", "not", "rep", "sub"]


class Language:
    """A hash-consed expression; do not construct, use the functions below.

    ``chars`` has ``ranges``; ``cat`` two parts; ``alt`` and ``and`` a sorted set of parts; ``rep`` one part with
    ``bounds``; ``sub`` the substrings of ``chunks`` that begin at one of ``at`` (offsets into their characters).
    """

    __slots__ = ("at", "bounds", "chunks", "id", "nullable", "op", "parts", "ranges")
    op: Op
    parts: tuple[Language, ...]
    ranges: Ranges
    bounds: tuple[int, int | None]
    chunks: tuple[str, ...]
    at: frozenset[int]
    nullable: bool
    id: int

    def __repr__(self) -> str:
        return terminal(self)


_table: dict[tuple[object, ...], Language] = {}


def _make(
    op: Op,
    nullable: bool,
    parts: tuple[Language, ...] = (),
    ranges: Ranges = (),
    bounds: tuple[int, int | None] = (1, 1),
    chunks: tuple[str, ...] = (),
    at: frozenset[int] = frozenset(),
) -> Language:
    key = (op, tuple(p.id for p in parts), ranges, bounds, chunks, at)
    made = _table.get(key)
    if made is None:
        made = Language.__new__(Language)
        made.op, made.parts, made.ranges, made.bounds = op, parts, ranges, bounds
        made.chunks, made.at, made.nullable, made.id = chunks, at, nullable, len(_table)
        _table[key] = made
    return made


EMPTY = _make("empty", False)
"""No word at all."""
EPSILON = _make("eps", True)
"""The empty word alone."""


def chars(ranges: Iterable[tuple[int, int]]) -> Language:
    """One character out of ranges of code points."""
    merged: list[tuple[int, int]] = []
    for lo, hi in sorted(r for r in ranges if r[0] <= r[1]):
        if merged and lo <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(hi, merged[-1][1]))
        else:
            merged.append((lo, hi))
    return _make("chars", False, ranges=tuple(merged)) if merged else EMPTY


def without(ranges: Ranges, removed: Iterable[tuple[int, int]]) -> Ranges:
    """Sorted disjoint ranges less others, in any order."""
    found: list[tuple[int, int]] = []
    out = sorted(removed)
    at = 0
    for lo, hi in ranges:
        while at < len(out) and out[at][1] < lo:
            at += 1
        k = at
        while k < len(out) and out[k][0] <= hi and lo <= hi:
            if out[k][0] > lo:
                found.append((lo, out[k][0] - 1))
            lo = max(lo, out[k][1] + 1)
            k += 1
        if lo <= hi:
            found.append((lo, hi))
    return tuple(found)


ALL: Ranges = ((0, SURROGATES[0] - 1), (SURROGATES[1] + 1, MAX_CODE))
"""Every character."""


def any_char() -> Language:
    """Any one character."""
    return chars(ALL)


def any_text() -> Language:
    """Any text, the empty one included."""
    return repeat(any_char(), 0, None)


def literal(text: str) -> Language:
    """A text."""
    return cat(*(chars([(ord(c), ord(c))]) for c in text))


def cat(*parts: Language) -> Language:
    """One after the other."""
    made = EPSILON
    for part in reversed(parts):
        made = _cat(part, made)
    return made


def _cat(a: Language, b: Language) -> Language:
    if a is EMPTY or b is EMPTY:
        return EMPTY
    if a is EPSILON:
        return b
    if b is EPSILON:
        return a
    spine = []
    while a.op == "cat":  # to the right, so that equal concatenations are one object
        spine.append(a.parts[0])
        a = a.parts[1]
    made = _make("cat", a.nullable and b.nullable, (a, b))
    for part in reversed(spine):
        made = _make("cat", part.nullable and made.nullable, (part, made))
    return made


def alt(*parts: Language) -> Language:
    """Any of them."""
    flat: dict[int, Language] = {}
    ranges: list[tuple[int, int]] = []
    for part in parts:
        for p in part.parts if part.op == "alt" else (part,):
            if p.op == "chars":
                ranges += p.ranges
            elif p is not EMPTY:
                flat[p.id] = p
    if ranges:
        one = chars(ranges)
        flat[one.id] = one
    found = tuple(flat[i] for i in sorted(flat))
    if not found:
        return EMPTY
    if len(found) == 1:
        return found[0]
    if any(p.op == "rep" for p in found) and any_text() in found:
        return any_text()
    return _make("alt", any(p.nullable for p in found), found)


def both(*parts: Language) -> Language:
    """All of them."""
    flat: dict[int, Language] = {}
    for part in parts:
        for p in part.parts if part.op == "and" else (part,):
            flat[p.id] = p
    if EMPTY.id in flat:
        return EMPTY
    found = tuple(flat[i] for i in sorted(flat))
    if len(found) > 1:
        everything = any_text()
        found = tuple(p for p in found if p is not everything) or (everything,)
    if len(found) == 1:
        return found[0]
    if EPSILON.id in flat:
        return EPSILON if all(p.nullable for p in found) else EMPTY
    return _make("and", all(p.nullable for p in found), found)


def complement(of: Language) -> Language:
    """Every text but these."""
    if of.op == "not":
        return of.parts[0]
    if of is EMPTY:
        return any_text()
    return _make("not", not of.nullable, (of,))


def repeat(of: Language, least: int, most: int | None) -> Language:
    """``least`` to ``most`` times, ``most`` None for any number."""
    if most == 0 or of is EPSILON:
        return EPSILON
    if of is EMPTY:
        return EPSILON if least == 0 else EMPTY
    if (least, most) == (1, 1):
        return of
    if of.op == "rep" and of.bounds == (0, None):
        return of
    if of.nullable:
        least = 0
    return _make("rep", least == 0, (of,), bounds=(least, most))


def substrings(text: str, encode: Iterable[str] | None = None) -> Language:
    """The contiguous parts of a text, the empty one included; ``encode`` gives the text of each character."""
    chunks = tuple(text) if encode is None else tuple(encode)
    if not chunks:
        return EPSILON
    return _make("sub", True, chunks=chunks, at=frozenset(range(len(chunks))))


def containing(part: Language) -> Language:
    """Texts in which one of ``part`` occurs."""
    return cat(any_text(), part, any_text())


def up_to(end: str) -> Language:
    """Texts that end with the first occurrence of ``end`` in them."""
    whole = cat(any_text(), literal(end))
    return both(whole, complement(cat(any_text(), literal(end), any_char(), any_text())))


def rewritten(
    root: Language, of_chars: Callable[[Ranges], Language], of_sub: Callable[[Language], Language]
) -> Language:
    """The language with each character written otherwise, each in one way only.

    ``of_chars`` gives what is written for one of some characters, ``of_sub`` for substrings. As no two texts are
    written alike, intersection and complement carry over, the complement among what is written.
    """
    every = repeat(of_chars(ALL), 0, None)
    made: dict[int, Language] = {}
    for node in subexpressions(root):
        parts = [made[p.id] for p in node.parts]
        match node.op:
            case "chars":
                made[node.id] = of_chars(node.ranges)
            case "cat":
                made[node.id] = cat(*parts)
            case "alt":
                made[node.id] = alt(*parts)
            case "and":
                made[node.id] = both(*parts)
            case "not":
                made[node.id] = both(every, complement(parts[0]))
            case "rep":
                made[node.id] = repeat(parts[0], *node.bounds)
            case "sub":
                made[node.id] = of_sub(node)
            case _:
                made[node.id] = node
    return made[root.id]


# ---------------------------------------------------------------- as a terminal of a grammar engine

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _,:;'=<>@!%")


def _quoted(code: int) -> str:
    return chr(code) if chr(code) in _PLAIN else f"\\u{{{code:x}}}"


def _class(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return _quoted(ranges[0][0])
    if ranges == ALL:
        return "(?s:.)"
    inner = "".join(_quoted(a) if a == b else f"{_quoted(a)}-{_quoted(b)}" for a, b in ranges)
    return f"[{inner}]"


def terminal(of: Language) -> str:
    """The language as the body of one Lark terminal of the grammar engine (``&`` and ``~`` are its own operators)."""
    return _Writer().write(of)


class _Writer:
    """Writes plain parts as one regex ``/.../`` and joins the others by the engine's operators."""

    def __init__(self) -> None:
        self._regex: dict[int, str | None] = {}

    def write(self, root: Language) -> str:
        text: dict[int, str] = {}
        for node in subexpressions(root):
            regex = self.regex(node)
            if regex is not None:
                text[node.id] = f"/{regex}/" if regex else '""'
                continue
            inner = [text[p.id] for p in node.parts]
            match node.op:
                case "empty":
                    text[node.id] = "(/a/ & /b/)"
                case "cat":
                    text[node.id] = self._joined(node, text)
                case "alt":
                    text[node.id] = f"({' | '.join(inner)})"
                case "and":
                    text[node.id] = f"({' & '.join(inner)})"
                case "not":
                    text[node.id] = f"(~{inner[0]} & /(?s:.)*/)"  # the engine's complement is one of bytes
                case "rep":
                    text[node.id] = f"({inner[0]}{self._times(node.bounds)})"
                case _:
                    import json

                    chunks = json.dumps(list(node.chunks), ensure_ascii=True)
                    text[node.id] = f'%regex {{"substring_chunks": {chunks}}}'
        return text[root.id]

    def _joined(self, node: Language, text: dict[int, str]) -> str:
        """A concatenation, its plain stretches as one regex each."""
        found: list[str] = []
        plain = ""
        while True:
            head = node.parts[0] if node.op == "cat" else node
            regex = self.regex(head)
            if regex is not None:
                plain += regex
            else:
                found += [*([f"/{plain}/"] if plain else []), text[head.id]]
                plain = ""
            if node.op != "cat":
                break
            node = node.parts[1]
        return f"({' '.join([*found, *([f'/{plain}/'] if plain else [])])})"

    def regex(self, node: Language) -> str | None:
        """The language as a plain regex; None if it needs the engine's operators."""
        for at in subexpressions(node):
            if at.id in self._regex:
                continue
            inner = [self._regex[p.id] for p in at.parts]
            made: str | None
            if at.op in ("empty", "and", "not", "sub") or any(i is None for i in inner):
                made = None
            elif at.op == "eps":
                made = ""
            elif at.op == "chars":
                made = _class(at.ranges)
            elif at.op == "cat":
                made = f"{inner[0]}{inner[1]}"
            elif at.op == "alt":
                made = f"(?:{'|'.join(str(i) for i in inner)})"
            else:
                made = f"(?:{inner[0]}){self._times(at.bounds)}"
            self._regex[at.id] = made
        return self._regex[node.id]

    @staticmethod
    def _times(bounds: tuple[int, int | None]) -> str:
        least, most = bounds
        if (least, most) == (0, None):
            return "*"
        if (least, most) == (1, None):
            return "+"
        if (least, most) == (0, 1):
            return "?"
        return f"{{{least},{'' if most is None else most}}}"


def subexpressions(root: Language) -> Iterable[Language]:
    """Every part of a language once, parts first."""
    seen: set[int] = set()
    stack: list[tuple[Language, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            yield node
        elif node.id not in seen:
            seen.add(node.id)
            stack.append((node, True))
            stack.extend((p, False) for p in reversed(node.parts))
