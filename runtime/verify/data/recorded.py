"""Recorded trajectories as transitions: states, the inputs that were held, and the states that they led to.

Columns have the names of the states and ``action.INPUT``; as everywhere in traces, the action of a row is the one that
led to it. A column ``run`` numbers the trajectories where a file holds several; no transition joins two of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.recordings import format_of, read_rows
from agentc.runtime.verify.certificate import digest

Floats = NDArray[np.float64]

RUN = "run"
"""The column that numbers trajectories."""


@dataclass(frozen=True)
class Transitions:
    """What was recorded.

    Attributes:
        before: states ``(T, n)``.
        inputs: what was held meanwhile, ``(T, m)``.
        after: states one step later, ``(T, n)``.
        runs: the trajectories, each as its states ``(k + 1, n)`` and its inputs ``(k, m)``.
        path: where they come from.
        digest: of the file's bytes.
    """

    before: Floats
    inputs: Floats
    after: Floats
    runs: tuple[tuple[Floats, Floats], ...]
    path: str
    digest: str

    def __len__(self) -> int:
        return len(self.before)


def transitions_of(runs: Sequence[tuple[Floats, Floats]], path: str = "memory", seal: str = "") -> Transitions:
    """The transitions of trajectories that are at hand. Raises :class:`AgentcError` (AS1351) if there are none."""
    long = [(s, u) for s, u in runs if len(u)]
    if not long:
        raise unfit(path, "no trajectory in it has two rows")
    return Transitions(
        np.concatenate([s[:-1] for s, _ in long]),
        np.concatenate([u for _, u in long]),
        np.concatenate([s[1:] for s, _ in long]),
        tuple(long), path, seal,
    )  # fmt: skip


def read_transitions(path: Path, states: Sequence[str], inputs: Sequence[str], folder: Path = Path(".")) -> Transitions:
    """The transitions of a file (CSV, JSON lines, Parquet, or npz with one array for each column).

    Raises :class:`AgentcError`: AS0142, AS1014 and AS0967 as all recordings do, AS1351 where it has not what is needed.
    """
    actions = [f"action.{name}" for name in inputs]
    rows = read_columns(path, [*states, *actions], folder, optional=(RUN,))
    runs: list[tuple[list[list[float]], list[list[float]]]] = []
    current: object = None
    for number, row in rows:
        held = row.get(RUN)
        fresh = not runs or held != current
        current = held
        if fresh:
            runs.append(([], []))
        runs[-1][0].append([_number(path, number, name, row[name]) for name in states])
        if not fresh:  # the first row of a trajectory has no action that led to it
            runs[-1][1].append([_number(path, number, name, row[name]) for name in actions])
    made = [
        (np.array(s, np.float64).reshape(len(s), len(states)), np.array(u, np.float64).reshape(len(u), len(inputs)))
        for s, u in runs
    ]
    return transitions_of(made, str(path), digest((folder / path).read_bytes()))


def read_plan(path: Path, inputs: Sequence[str], folder: Path = Path(".")) -> Floats:
    """The actions ``(K, m)`` of a plan, one a row. Raises as :func:`read_transitions` does, with AS1354 for AS1351."""
    actions = [f"action.{name}" for name in inputs]
    try:
        rows = [
            [_number(path, number, name, row[name]) for name in actions]
            for number, row in read_columns(path, actions, folder)
        ]  # fmt: skip
    except AgentcError as error:
        if error.diagnostics[0].code != "AS1351":
            raise
        raise AgentcError([report("AS1354", None, path=str(path), reason=_reason_of(error))]) from error
    return np.array(rows, np.float64).reshape(len(rows), len(inputs))


def read_columns(
    path: Path, names: Sequence[str], folder: Path, optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows by number, with the columns that are asked for; messages name the path as it was said."""
    where = folder / path
    rows = _arrays(where) if path.suffix.lower() == ".npz" else read_rows(str(where), format_of(str(where), None))
    for number, row in enumerate(rows, 1):
        missing = [name for name in names if name not in row]
        if missing:
            raise unfit(str(path), f"it has no column `{missing[0]}`; its columns are {', '.join(map(str, row))}")
        yield number, {name: row[name] for name in (*names, *optional) if name in row}


def _arrays(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of an npz file of one-dimensional arrays."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AgentcError([report("AS0142", None, path=str(path), reason=reason)]) from error
    sizes = {a.shape for a in arrays.values()}
    if len(sizes) != 1 or len(next(iter(sizes))) != 1:
        raise unfit(str(path), "its arrays are not vectors of one length")
    for i in range(next(iter(sizes))[0]):
        yield {name: a[i] for name, a in arrays.items()}


def _number(path: Path, row: int, name: str, raw: Any) -> float:
    try:
        value = float(raw)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise unfit(str(path), f"row {row} has {str(raw)!r} for `{name}`, which is no finite number")
    return value


def unfit(path: str, reason: str) -> AgentcError:
    """AS1351."""
    return AgentcError([report("AS1351", None, path=path, reason=reason)])


def _reason_of(error: AgentcError) -> str:
    return error.diagnostics[0].message.partition(" do not fit: ")[2]
