"""Recorded traces: CSV, JSON lines and Parquet, row by row, and what to do with their timestamps.

A row is a mapping from column names to raw values. Columns of a vector are named ``pos[0]``, ``pos[1]``, ...; JSON and
Parquet may hold it as a list. A dot in a column's name is a field (``finish.answer``).
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from agentc.lang.diagnostics import AgentcError, report

FORMATS = ("csv", "jsonl", "parquet")

Raw = Mapping[str, Any]

TOLERANCE = 1e-6
"""How far, as a part of a step, a timestamp may lie from where it should."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A row of a recording; ``row`` counts them from 1, ``time`` is in seconds."""

    row: int
    values: Raw
    time: float | None = None


def format_of(path: str, given: str | None) -> str:
    """The format of a file by its name, unless it is given; standard input is CSV.

    Raises ``AgentcError`` (AS1014) for a name that says nothing.
    """
    if given is not None:
        return given
    if path == "-":
        return "csv"
    suffix = Path(path).suffix.lower()
    known = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
    if suffix not in known:
        reason = f"the ending `{suffix}` names no format"
        raise AgentcError([report("AS1014", None, path=path, reason=reason, mend=f"--input {' or '.join(FORMATS)}")])
    return known[suffix]


def read_rows(path: str, form: str, stream: TextIO | None = None) -> Iterator[Raw]:
    """The rows of a recording; of ``stream`` where the path is ``-``, as they come.

    Raises ``AgentcError`` (AS0142) for a file that cannot be read, (AS1014) for one that is not of the format, (AS0967)
    where Parquet needs a package.
    """
    if form == "parquet":
        yield from _parquet(path)
        return
    try:
        if path == "-":
            assert stream is not None
            yield from _lines(path, form, stream)
        else:
            with open(path, encoding="utf-8-sig", newline="") as file:
                yield from _lines(path, form, file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise AgentcError([report("AS0142", None, path=path, reason=reason)]) from error


def _lines(path: str, form: str, file: Iterable[str]) -> Iterator[Raw]:
    if form == "csv":
        yield from _csv(path, file)
        return
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise _unreadable(path, f"line {number} is no JSON: {error}", "one JSON object a line") from error
        if not isinstance(row, dict):
            raise _unreadable(path, f"line {number} is no object", "one JSON object a line")
        yield dict(_flat(row))


def _flat(row: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _csv(path: str, file: Iterable[str]) -> Iterator[Raw]:
    reader = csv.reader(file)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header or len(set(header)) != len(header) or not all(header):
            found = ", ".join(header) or "nothing"
            raise _unreadable(path, f"its first line names no columns: {found}", "a header with distinct names")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                reason = f"line {reader.line_num} has {len(cells)} cells and the header {len(header)}"
                raise _unreadable(path, reason, "a cell for each column")
            yield dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise _unreadable(path, f"line {reader.line_num}: {error}", "comma-separated values") from error


def _parquet(path: str) -> Iterator[Raw]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise AgentcError([report("AS0967", None, package="pyarrow", extra="traces")]) from error
    try:
        for batch in parquet.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                yield dict(_flat(row))
    except (OSError, ArrowException) as error:
        raise _unreadable(path, " ".join(str(error).split()), "a Parquet file") from error


def _unreadable(path: str, reason: str, mend: str) -> AgentcError:
    return AgentcError([report("AS1014", None, path=path, reason=reason, mend=mend)])


# ---------------------------------------------------------------- time


def timed(rows: Iterable[Raw], column: str | None) -> Iterator[Sample]:
    """The rows with their times in seconds, which increase.

    Raises ``AgentcError`` (AS1001) if there is no such column, (AS1007) for a missing timestamp, (AS1008) for one that
    does not come after the one before.
    """
    before = -math.inf
    for number, values in enumerate(rows, 1):
        if column is None:
            yield Sample(number, values)
            continue
        if column not in values:
            raise AgentcError([report("AS1001", None, name=column, known=", ".join(values))])
        raw = values[column]
        try:
            time = float(raw)
        except (TypeError, ValueError):
            time = math.nan
        if not math.isfinite(time):
            raise AgentcError([report("AS1007", None, column=column, row=number, value=repr(raw))])
        if time <= before:
            raise AgentcError([report("AS1008", None, row=number, time=f"{time:g}", before=f"{before:g}")])
        before = time
        yield Sample(number, values, time)


def regular(samples: Iterable[Sample], step: float | None) -> Iterator[Sample]:
    """The samples, which must be ``step`` seconds apart (None: as the first two are).

    Raises ``AgentcError`` (AS1009) where they are not.
    """
    first = before = None
    for count, sample in enumerate(samples):
        if sample.time is not None:
            if first is None:
                first = sample.time
            elif step is None:
                step = sample.time - first
            if step is not None and before is not None and abs(sample.time - first - count * step) > TOLERANCE * step:
                raise AgentcError(
                    [report("AS1009", None, row=sample.row, time=f"{sample.time:g}", before=f"{before:g}",
                            step=f"{step:g}")]
                )  # fmt: skip
            before = sample.time
        yield sample


def resampled(samples: Iterable[Sample], step: float) -> Iterator[Sample]:
    """A sample every ``step`` seconds from the first time on, up to the last: the values that were seen last (hold)."""
    held: Sample | None = None
    start, count = 0.0, 0
    for sample in samples:
        assert sample.time is not None
        if held is None:
            start = sample.time
        else:
            while start + count * step < sample.time - TOLERANCE * step:
                yield Sample(held.row, held.values, start + count * step)
                count += 1
        held = sample
    if held is not None:
        assert held.time is not None
        while start + count * step <= held.time + TOLERANCE * step:
            yield Sample(held.row, held.values, start + count * step)
            count += 1
