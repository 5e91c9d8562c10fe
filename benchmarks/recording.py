"""Recorded runs: lines of JSON that are read, added to and made up where they are missing, with the time that is left.

A benchmark that takes hours keeps one line for each run in a file under ``recorded``. A line says what it is of (the
digest of a text, of settings); those of something else do not count. What is missing is run one after the other and
recorded as it ends, so that a benchmark that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

Made = TypeVar("Made")
Work = TypeVar("Work")


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a record as they are; none where there is no file."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def rows(path: Path, made: Callable[..., Made], current: Callable[[Made], bool]) -> list[Made]:
    """The lines as ``made`` makes them of their fields, without those that are not ``current``."""
    return [row for row in (made(**line) for line in lines(path)) if current(row)]


def append(path: Path, *runs: Any) -> None:
    """Add a line for each of these, dataclasses or mappings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.writelines(_line(run) for run in runs)


def rewrite(path: Path, runs: Iterable[Any]) -> None:
    """Put these in place of what is there, all at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    work = path.with_name(f".{path.name}.new")
    work.write_text("".join(_line(run) for run in runs), encoding="utf-8")
    work.replace(path)


def in_turn(todo: Iterable[Work], what: str = "run", count: int | None = None) -> Iterator[tuple[Work, str]]:
    """One after the other, each with where that is: ``run 3 of 10, 12 min left``, as long as those before took.

    ``count`` is how many there are, where they are made one by one.
    """
    if count is None:
        todo = list(todo)
        count = len(todo)
    began = time.monotonic()
    for done, work in enumerate(todo):
        left = (time.monotonic() - began) / done * (count - done) if done else None
        eta = "" if left is None else f", {left:.0f} s left" if left < 100.0 else f", {left / 60:.0f} min left"
        yield work, f"{what} {done + 1} of {count}{eta}"


def _line(run: Any) -> str:
    given: Mapping[str, Any] = asdict(run) if is_dataclass(run) and not isinstance(run, type) else run
    return json.dumps(given) + "\n"
