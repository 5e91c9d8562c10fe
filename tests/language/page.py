"""A page of documentation that is its own test: its fenced blocks, and what they say must happen.

Kinds of blocks (the words after the fence's ticks):

``agentspec``            a file that is checked. A comment ``# error: [AS0203]`` (or ``warning``, ``note``) at
                         the end of a line says that this code is reported on that line, ``@ "text"`` behind it
                         what its span covers; a line of such comments alone speaks of the line after it. All
                         errors and warnings must be said, and must come; notes only if said.
                         ``name=x.agentspec`` names the file.
``agentspec compile``    the same, but compiled.
``agentspec evaluated``  the same, and its ``example`` items are run and must hold (there must be one).
``file name=x``          a file for the blocks below it on the page; ``encoding=latin-1`` writes it so, ``times=9``
                         its text so often.
``link name=x``          a symbolic link, to the path that it holds.
``trace``                a table of signals and formulas, evaluated by the reference semantics at every step.
``console``              commands (``$ agentc ...``) with the lines that they must print among others, in order;
                         ``[exit 1]`` as the last line pins the exit code, else it must be 0.
``python raises=AS0940``  a program that must end with this code; without ``raises`` it must not fail. ``alone``
                         gives it a process of its own.
``text``, ``json``, ``sh``   shown, not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentc.lang.diagnostics import Diagnostic

KINDS = {"agentspec", "file", "link", "trace", "console", "text", "json", "python", "sh"}
MODES = {"agentspec": {"compile", "evaluated"}, "python": {"alone"}}


class BadPage(Exception):
    """The page itself is malformed: a block that is not closed, a marker that nobody would read."""


@dataclass(frozen=True)
class Fence:
    """One fenced block; ``line`` is that of its first line on the page."""

    kind: str
    modes: frozenset[str]
    name: str | None
    text: str
    line: int
    raises: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Expected:
    """A finding that a block announces."""

    file: str
    line: int
    severity: str
    code: str
    text: str | None = None


def read(path: Path) -> list[Fence]:
    """The fenced blocks of a page."""
    return fences(path.read_text(encoding="utf-8"))


def fences(markdown: str) -> list[Fence]:
    """The fenced blocks of a text. Raises BadPage for an open block or an unknown kind."""
    found: list[Fence] = []
    opened: tuple[str, str, int] | None = None
    body: list[str] = []
    for number, line in enumerate(markdown.splitlines(), start=1):
        ticks = re.match(r"(`{3,}|~{3,})\s*(.*)$", line)
        if opened is None:
            if ticks:
                opened = (ticks[1], ticks[2].strip(), number)
                body = []
        elif ticks and ticks[1].startswith(opened[0]) and not ticks[2]:
            found.append(_fence(opened[1], "".join(row + "\n" for row in body), opened[2] + 1))
            opened = None
        else:
            body.append(line)
    if opened is not None:
        raise BadPage(f"line {opened[2]}: this block is not closed")
    return found


def _fence(info: str, text: str, line: int) -> Fence:
    words = info.split()
    if not words or words[0] not in KINDS:
        raise BadPage(f"line {line - 1}: no such kind of block: `{info}`")
    options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    modes = frozenset(word for word in words[1:] if "=" not in word)
    allowed = {
        "agentspec": {"name"},
        "file": {"name", "encoding", "times"},
        "link": {"name"},
        "python": {"raises"},
    }.get(words[0], set())
    if modes - MODES.get(words[0], set()) or set(options) - allowed:
        raise BadPage(f"line {line - 1}: no such option of a block: `{info}`")
    if words[0] in ("file", "link") and "name" not in options:
        raise BadPage(f"line {line - 1}: a file needs a name")
    name, raises, encoding = options.get("name"), options.get("raises"), options.get("encoding", "utf-8")
    return Fence(words[0], modes, name, text * int(options.get("times", 1)), line, raises, encoding)


# ---------------------------------------------------------------- findings

_LOOKS_LIKE_A_MARKER = re.compile(r"#\s*(?:error|warning|note)\b")
_MARKER = re.compile(r'#\s*(error|warning|note):\s*\[(AS\d{4})\](?:\s*@\s*"((?:[^"\\]|\\.)*)")?')


def expectations(text: str, file: str) -> list[Expected]:
    """What the comments of a text announce. Raises BadPage for a marker that is misspelt."""
    found: list[Expected] = []
    waiting: list[tuple[str, str, str | None]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        markers = list(_MARKER.finditer(line))
        if len(markers) != len(_LOOKS_LIKE_A_MARKER.findall(line)):
            raise BadPage(f"{file}, line {number}: misspelt marker: {line.strip()}")
        here = [(m[1], m[2], re.sub(r"\\(.)", r"\1", m[3]) if m[3] is not None else None) for m in markers]
        if markers and not line[: markers[0].start()].strip():
            waiting += here
            continue
        found += [Expected(file, number, severity, code, pinned) for severity, code, pinned in waiting + here]
        waiting = []
    if waiting:
        raise BadPage(f"{file}: a marker at the end speaks of no line")
    return found


def differences(diagnostics: Iterable[Diagnostic], expected: Sequence[Expected]) -> list[str]:
    """What was reported and not announced, or announced and not reported; empty if all is as the page says."""
    left, found = list(expected), list(diagnostics)
    announced = {(e.file, e.line, e.code) for e in expected}
    problems: list[str] = []
    for fits in (
        lambda e, d: d.span is not None and e.text == d.span.text,
        lambda e, d: e.text is None,
        lambda e, d: True,
    ):
        for d in list(found):
            key = (*_place(d), d.code, d.severity.value)
            match = next((e for e in left if (e.file, e.line, e.code, e.severity) == key and fits(e, d)), None)
            if match is None:
                continue
            left.remove(match)
            found.remove(d)
            if match.text is not None and d.span is not None and d.span.text != match.text:
                problems.append(f'{_at(*_place(d))}: {d.code} covers "{d.span.text}", not "{match.text}"')
    for d in found:
        if d.severity.value != "note" or (*_place(d), d.code) in announced:
            problems.append(f"{_at(*_place(d))}: not announced: {d.severity.value}[{d.code}]: {d.message}")
    problems += [f"{_at(e.file, e.line)}: not reported: {e.severity}[{e.code}]" for e in left]
    return problems


def _place(d: Diagnostic) -> tuple[str, int]:
    if d.span is None:
        return "", 0
    return Path(d.span.source.name).name, d.span.source.position(d.span.start)[0]


def _at(file: str, line: int) -> str:
    return f"{file}:{line}"


# ---------------------------------------------------------------- tables


@dataclass(frozen=True)
class Row:
    """A row of a ``trace`` block: a signal with its type, or a formula with what is asked of it."""

    kind: str  # signal, truth, robustness, online
    text: str
    type: str
    values: tuple[str, ...]
    line: int


def table(fence: Fence) -> list[Row]:
    """The rows of a ``trace`` block.

    The first row is ``t`` with the numbers of the steps, and says how many there are. Rows of signals are
    ``name : type`` (``bool`` may be left out), the others a formula, or ``robustness: formula``, or
    ``online: formula``.
    """
    rows = [(n, line) for n, line in enumerate(fence.text.splitlines(), fence.line) if line.strip()]
    rows = [(n, line) for n, line in rows if set(line.strip()) != {"-"} and not line.strip().startswith("#")]
    if not rows or rows[0][1].split()[0] != "t":
        raise BadPage(f"line {fence.line}: a trace begins with a row `t 0 1 2 ...`")
    steps = len(rows[0][1].split()) - 1
    if rows[0][1].split()[1:] != [str(i) for i in range(steps)]:
        raise BadPage(f"line {fence.line}: the steps are not 0 .. {steps - 1}")
    found: list[Row] = []
    known = {"first", "last", "true", "false"}
    for number, line in rows[1:]:
        words = line.strip().rsplit(None, steps)
        if len(words) != steps + 1:
            raise BadPage(f"line {number}: {steps} values are needed: {line.strip()}")
        label, values = words[0].strip(), tuple(words[1:])
        if match := re.match(r"(robustness|online)\s*:\s*(.*)$", label):
            found.append(Row(match[1], match[2], "", values, number))
        elif (match := re.fullmatch(r"([A-Za-z_]\w*)(?:\s*:\s*(.*\S))?", label)) and match[1] not in known:
            known.add(match[1])
            found.append(Row("signal", match[1], match[2] or "bool", values, number))
        else:
            found.append(Row("truth", label, "", values, number))
    if not any(row.kind != "signal" for row in found):
        raise BadPage(f"line {fence.line}: a trace without a formula shows nothing")
    return found


# ---------------------------------------------------------------- consoles


@dataclass(frozen=True)
class Command:
    """A command line with the lines it must print (among others, in this order) and its exit code."""

    arguments: tuple[str, ...]
    output: tuple[str, ...]
    exit_code: int
    line: int


def commands(fence: Fence) -> list[Command]:
    """The commands of a ``console`` block; all are ``agentc``."""
    import shlex

    found: list[Command] = []
    for number, line in enumerate(fence.text.splitlines(), fence.line):
        if line.startswith("$ "):
            words = shlex.split(line[2:])
            if words[:1] != ["agentc"]:
                raise BadPage(f"line {number}: only `agentc` is run here: {line}")
            found.append(Command(tuple(words[1:]), (), 0, number))
        elif not found:
            raise BadPage(f"line {number}: no command before this line: {line}")
        elif exit_ := re.fullmatch(r"\[exit (\d)\]", line.strip()):
            found[-1] = Command(found[-1].arguments, found[-1].output, int(exit_[1]), found[-1].line)
        elif line.strip() not in ("", "..."):
            found[-1] = Command(found[-1].arguments, (*found[-1].output, line), found[-1].exit_code, found[-1].line)
    return found


def missing_lines(output: str, wanted: Sequence[str]) -> list[str]:
    """Those of the wanted lines that the output does not have, in their order; ``...`` stands for anything.

    Spaces at the ends of lines do not matter.
    """
    rows = [row.strip() for row in output.splitlines()]
    missing, at = [], 0
    for line in wanted:
        pattern = re.compile(".*".join(re.escape(part) for part in line.strip().split("...")))
        found = next((i for i in range(at, len(rows)) if pattern.fullmatch(rows[i])), None)
        if found is None:
            missing.append(line)
        else:
            at = found + 1
    return missing
