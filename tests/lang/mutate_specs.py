"""Mutants of the shipped specs: what a slip of the hand, a bad merge or a broken disk makes of a good file.

``mutants(count, seed)`` is a stream for any test that wants mangled specs; all of it follows from the seed.
At least half of the mutants still tokenise without a report and at least a quarter still parse (both measured
in ``test_fuzz.py``), so that mutants reach the passes behind the parser too.
"""

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from .corpus import texts

_TOKEN = re.compile(r'"""[\s\S]*?"""|"[^"\n]*"|#[^\n]*|[A-Za-z_]\w*|[0-9][\w.]*|<->|->|[=!<>]=|\*\*|\.\.|\S')
_WORDS = (
    "G F X WX Y O H U W R M S T always until in not and or xor inf true false task safe prop reward agent system each "
    "when from first last prev action seen 0 1 5s 300_000 ( ) [ ] { } ; : , . = == != <= >= < > & | ! -> <-> + - * / "
    "** .. ' \" # - foo bar `G`"
).split()
_CHARACTERS = "abcXYZ019_ \n\t(){}[];:,.=!<>&|-+*/^'\"#`\\$@%?~\u00e9\u2192\u0000\U0001f600"


class Mutant(NamedTuple):
    """A mangled text, the file that it was, and what was done to it."""

    name: str
    operators: tuple[str, ...]
    text: str


def mutants(count: int, seed: int = 0) -> Iterator[Mutant]:
    """``count`` mutants of the corpus."""
    random_ = random.Random(seed)
    corpus = texts()
    names = sorted(corpus)
    everything = [corpus[name] for name in names]
    for _ in range(count):
        name = random_.choice(names)
        text = corpus[name]
        done = []
        for _ in range(random_.choice((1, 1, 1, 1, 2, 3))):
            operator = random_.choice(_OPERATORS)
            text = operator(text, random_, everything)
            done.append(operator.__name__.strip("_"))
        yield Mutant(name, tuple(done), text)


def _spans(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in _TOKEN.finditer(text)] or [(0, len(text))]


def _of_kind(text: str, pattern: str) -> list[tuple[int, int]]:
    return [span for span in _spans(text) if re.fullmatch(pattern, text[span[0] : span[1]])]


def _put(text: str, span: tuple[int, int], new: str) -> str:
    return text[: span[0]] + new + text[span[1] :]


def _change_number(text: str, random_: random.Random, others: list[str]) -> str:
    spans = _of_kind(text, r"[0-9][\w.]*")
    new = random_.choice(["0", "1", "7", "1_000", "0.5", "1e3", "2s", "0.3s", "5m", "9" * 20, "1.25", "3.7s", "100"])
    return _put(text, random_.choice(spans), new) if spans else text


def _swap_names(text: str, random_: random.Random, others: list[str]) -> str:
    """A name where another stood: usually still a good parse, often a bad meaning."""
    spans = _of_kind(text, r"[a-z_]\w*")
    if len(spans) < 2:
        return text
    source = random_.choice(spans)
    return _put(text, random_.choice(spans), text[source[0] : source[1]])


def _misspell(text: str, random_: random.Random, others: list[str]) -> str:
    spans = _of_kind(text, r"[A-Za-z_]\w{2,}")
    if not spans:
        return text
    start, stop = random_.choice(spans)
    at = random_.randrange(start, stop - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _swap_operator(text: str, random_: random.Random, others: list[str]) -> str:
    groups = [
        ["&", "|", "->", "<->", "xor"],
        ["==", "!=", "<", ">", "<=", ">="],
        ["G", "F", "O", "H"],
        ["U", "R", "W", "M"],
    ]
    group = random_.choice(groups)
    spans = [span for span in _spans(text) if text[span[0] : span[1]] in group]
    return _put(text, random_.choice(spans), random_.choice(group)) if spans else _change_number(text, random_, others)


def _drop_line(text: str, random_: random.Random, others: list[str]) -> str:
    lines = text.split("\n")
    del lines[random_.randrange(len(lines))]
    return "\n".join(lines)


def _repeat_line(text: str, random_: random.Random, others: list[str]) -> str:
    lines = text.split("\n")
    lines.insert(random_.randrange(len(lines)), random_.choice(lines))
    return "\n".join(lines)


def _foreign_line(text: str, random_: random.Random, others: list[str]) -> str:
    lines = text.split("\n")
    lines.insert(random_.randrange(len(lines)), random_.choice(random_.choice(others).split("\n")))
    return "\n".join(lines)


def _swap_lines(text: str, random_: random.Random, others: list[str]) -> str:
    lines = text.split("\n")
    i, j = random_.randrange(len(lines)), random_.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return "\n".join(lines)


def _drop_token(text: str, random_: random.Random, others: list[str]) -> str:
    return _put(text, random_.choice(_spans(text)), "")


def _repeat_token(text: str, random_: random.Random, others: list[str]) -> str:
    start, stop = random_.choice(_spans(text))
    return text[:stop] + " " + text[start:stop] + text[stop:]


def _put_token(text: str, random_: random.Random, others: list[str]) -> str:
    return _put(text, random_.choice(_spans(text)), random_.choice(_WORDS))


def _insert_token(text: str, random_: random.Random, others: list[str]) -> str:
    start, _ = random_.choice(_spans(text))
    return f"{text[:start]}{random_.choice(_WORDS)} {text[start:]}"


def _nest(text: str, random_: random.Random, others: list[str]) -> str:
    """A name in many parentheses or negations."""
    spans = _of_kind(text, r"[a-z_]\w*")
    if not spans:
        return text
    start, stop = random_.choice(spans)
    depth = random_.choice((1, 2, 30, 400))
    before, behind = random_.choice((("(", ")"), ("!", ""), ("G ", ""), ("f(", ")")))
    return text[:start] + before * depth + text[start:stop] + behind * depth + text[stop:]


def _drop_character(text: str, random_: random.Random, others: list[str]) -> str:
    at = random_.randrange(len(text) + 1)
    return text[:at] + text[at + 1 :]


def _put_character(text: str, random_: random.Random, others: list[str]) -> str:
    at = random_.randrange(len(text) + 1)
    return text[:at] + random_.choice(_CHARACTERS) + text[at + random_.randrange(2) :]


def _truncate(text: str, random_: random.Random, others: list[str]) -> str:
    return text[: random_.randrange(len(text) + 1)]


def _splice(text: str, random_: random.Random, others: list[str]) -> str:
    """The beginning of one file and the end of another."""
    other = random_.choice(others)
    return text[: random_.randrange(len(text) + 1)] + other[random_.randrange(len(other) + 1) :]


_OPERATORS = (
    _change_number, _change_number, _swap_names, _swap_names, _misspell, _swap_operator, _drop_line, _repeat_line,
    _foreign_line, _swap_lines, _drop_token, _repeat_token, _put_token, _insert_token, _nest, _drop_character,
    _put_character, _truncate, _splice,
)  # fmt: skip
