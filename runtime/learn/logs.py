"""Logs of a run: JSON lines and TensorBoard scalars.

``metrics.jsonl`` has one object per update with sorted keys. Two runs with the same seed write the same
lines, but for the field ``wall``, which alone holds what the clock said. A resumed run drops the lines
after its checkpoint and goes on.

TensorBoard's files are only ever added to: a resumed run writes a new one, whose first event says that the run began
again after the checkpoint's step (what other writers call ``purge_step``); a reader then drops what the run that was
killed had written beyond it. The files are numbered, so that they are read in the order in which they were written.
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # type: ignore[import-untyped]
from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

from agentc.lang.diagnostics import AgentcError, report

FILE_NAME = "metrics.jsonl"


class Logs:
    """Writes both; use as a context manager."""

    def __init__(self, folder: Path, after: int | None = None) -> None:
        """Begin anew in ``folder``, or go on after ``after`` steps. Raises AS0843 if it cannot be written."""
        path, board = folder / FILE_NAME, folder / "tensorboard"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            kept = [] if after is None else [line for line, steps in _lines(path) if steps <= after]
            self._file = open(path, "w", encoding="utf-8", newline="\n")  # noqa: SIM115 - closed by close()
            self._file.writelines(kept)
            board.mkdir(exist_ok=True)
            before = sorted(board.glob("events.out.tfevents.*"))
            if after is None:
                for old in before:
                    old.unlink()
            else:
                _mend(before)
            number = 0 if after is None else 1 + max(map(_number, before), default=-1)
            # Kept open for the run, closed by close().
            self._events = open(board / f"events.out.tfevents.{number:010d}.agentc", "wb")  # noqa: SIM115
        except OSError as error:
            raise AgentcError([report("AS0843", None, path=str(folder), reason=error.strerror or str(error))]) from None
        self._board = RecordWriter(self._events)
        self._record(Event(file_version="brain.Event:2"))
        if after is not None:
            self._record(Event(step=after + 1, session_log=SessionLog(status=SessionLog.START)))

    def write(self, metrics: Mapping[str, Any], wall: Mapping[str, float], time: float) -> None:
        """One update: ``metrics`` has ``steps``; nested mappings become ``a/b`` in TensorBoard.

        ``time`` is seconds since the epoch, as TensorBoard wants it.
        """
        self._file.write(json.dumps({**metrics, "wall": wall}, sort_keys=True) + "\n")
        self._file.flush()
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in _scalars({**metrics, "wall": wall})]
        self._record(Event(step=metrics["steps"], wall_time=time, summary=Summary(value=values)))

    def close(self) -> None:
        """Flush and close."""
        self._file.close()
        self._events.close()

    def _record(self, event: Any) -> None:
        self._board.write(event.SerializeToString())
        self._board.flush()

    def __enter__(self) -> Logs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl`` as objects; a torn last line is left out."""
    return [json.loads(line) for line, _ in _lines(folder / FILE_NAME)]


def _number(path: Path) -> int:
    """The number in the name of a file of events; of those of other writers it is the time in seconds."""
    found = re.match(r"events\.out\.tfevents\.(\d+)", path.name)
    return int(found[1]) if found else 0


def _mend(files: list[Path]) -> None:
    """Cut off a last record that a kill has torn: a reader waits for its rest and reads no later file.

    A record is its length (8 bytes), 4 bytes, as many bytes as it is long, and 4 more.
    """
    for path in files[-1:]:
        with open(path, "r+b") as file:
            data, whole = file.read(), 0
            while len(data) - whole >= 12:
                end = whole + 16 + struct.unpack_from("<Q", data, whole)[0]
                if end > len(data):
                    break
                whole = end
            if whole < len(data):
                file.truncate(whole)


def _lines(path: Path) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                found.append((line.rstrip("\n") + "\n", int(json.loads(line)["steps"])))
            except (ValueError, KeyError, TypeError, RecursionError):
                break  # torn by a kill: nothing after it can be trusted
    return found


def _scalars(metrics: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    scalars: list[tuple[str, float]] = []
    for key, value in sorted(metrics.items()):
        if isinstance(value, Mapping):
            scalars += _scalars(value, f"{prefix}{key}/")
        elif isinstance(value, int | float):
            scalars.append((f"{prefix}{key}", float(value)))
    return scalars
