"""Tables that step N environments: an encoding of letters, one gather a step, verdicts out.

The row of a state, its verdict and what leads there are one number. The *entry* of a state is the offset of its row in
a flat table whose cells are the entries of the next states, plus its verdict code: rows are padded to a multiple of
eight cells that leaves room for the code, so that ``entry + letter`` is the cell to read and ``entry & 7`` the verdict.
Where all offsets fit a byte, the gather is ``bytes.translate``, the fastest there is in plain Python; else ``np.take``.
Parts of one formula with the same table are stepped together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import add, bitwise_and, frombuffer, uint8
from numpy.typing import NDArray

from agentc.compiler.backends.monitor import MonitorTable

Array = NDArray[Any]
Rows = Sequence[Array]
"""The truth of each atom over the environments, uint8 ``(N,)`` of 0 and 1."""

CODE = np.array(7, uint8)
"""The bits of an entry that are the verdict's code; an array, which is read faster than a number."""
PACKED_ATOMS = 16
"""Letters of up to that many atoms are looked up in a table; those of more walk the diagram."""
DIRECT_CELLS = 1 << 15
"""Tables over all letters are made up to that size, in place of those over classes of letters."""


class Stepper:
    """K parts that have the same table, each over its own atoms, in N environments.

    Args:
        table: their automaton.
        columns: for each part, which atoms of the monitor are its atoms, ``(K, atoms)``.
        num_envs: N.

    Arrays over the parts are ``(K, N)``, for one part ``(N,)``.
    """

    def __init__(self, table: MonitorTable, columns: Sequence[Sequence[int]], num_envs: int) -> None:
        self.columns = np.array(columns, np.intp).reshape(len(columns), len(table.atoms))
        width, self._size = len(table.atoms), len(table.verdicts)
        self.shape = (num_envs,) if len(columns) == 1 else (len(columns), num_envs)
        self.walks = table.table is None or width > PACKED_ATOMS
        self._walker: _Walker | None = None
        self._class_of: Array | bytes | None = None
        if self.walks:
            self._walker = _Walker(table)
            self._codes = np.array(table.verdicts, np.uint8)
            self.entries: Array = np.zeros(self.shape, np.intp)
            self._start, self._state_of = 0, np.arange(self._size)
            self._entry_of = self._state_of
        else:
            self._lay_out(table, width)

    def _lay_out(self, table: MonitorTable, width: int) -> None:
        """The flat table, over letters or over their classes."""
        letters = 1 << width
        targets = np.array(table.table, np.intp).reshape(self._size, -1)
        every = np.arange(letters)[:, None] >> np.arange(width - 1, -1, -1) & 1
        classes = _Walker(table).classes(every.astype(np.bool_))
        over_letters, over_classes = (_stride(c) * self._size for c in (letters, targets.shape[1]))
        if over_letters <= 256 or (over_classes > 256 and over_letters <= DIRECT_CELLS):
            targets = targets[:, classes]
        elif letters <= 256 and targets.shape[1] <= 256:
            self._class_of = bytes(classes.astype(np.uint8)).ljust(256, b"\0")
        else:
            self._class_of = classes
        stride = _stride(targets.shape[1])
        entries = np.arange(self._size) * stride + np.array(table.verdicts, np.intp)
        cells = np.zeros((self._size + 1) * stride, np.intp)
        for column in range(targets.shape[1]):
            cells[entries + column] = entries[targets[:, column]]
        self._state_of = np.zeros(len(cells), np.intp)
        self._state_of[entries] = np.arange(self._size)
        self._start, self._cells, self._entry_of = int(entries[0]), cells, entries
        self.small = stride * self._size <= 256
        kind = np.uint8 if self.small else np.intp
        self.entries = np.full(self.shape, self._start, kind)
        if self.small:
            if isinstance(self._class_of, np.ndarray):
                self._class_of = self._class_of.astype(uint8)
            self._table = bytes(cells[:256].astype(np.uint8)).ljust(256, b"\0")
            self._buffer = bytearray(self.entries.size)
            self._at: Array = np.frombuffer(self._buffer, np.uint8).reshape(self.shape)
        else:
            self._at, self._next = np.zeros(self.shape, kind), np.zeros(self.shape, kind)

    def reset(self, where: NDArray[np.bool_]) -> None:
        """Forget everything in the environments of ``where``, bool ``(N,)``."""
        self.entries[..., where] = self._start

    def states(self, part: int) -> Array:
        """The states of a part, ``(N,)``."""
        mine = self.entries if self.entries.ndim == 1 else self.entries[part]
        return np.asarray(self._state_of[mine])

    def set_states(self, part: int, states: Array) -> None:
        """Put a part into states ``(N,)``. Raises ``ValueError`` for what are none."""
        if states.shape != self.shape[-1:] or (states < 0).any() or (states >= self._size).any():
            raise ValueError(f"not states of an automaton of {self._size}")
        mine = self.entries if self.entries.ndim == 1 else self.entries[part]
        mine[:] = self._entry_of[states]

    def step(self, letters: Array, active: NDArray[np.bool_] | None, out: Array) -> None:
        """Read letters, as :class:`Packer` makes them, and write the verdict codes to ``out``."""
        if self._class_of is not None:
            letters = self._classed(letters)
        if self.small:
            add(self.entries, letters, self._at)
            after = frombuffer(self._buffer.translate(self._table), uint8)
            if len(self.shape) > 1:
                after = after.reshape(self.shape)
            if active is None:
                self.entries = after
            else:
                np.copyto(self.entries, after, where=active)
            bitwise_and(self.entries, CODE, out)
            return
        add(self.entries, letters, self._at)
        self._cells.take(self._at, None, self._next, "clip")
        if active is None:
            self.entries, self._next = self._next, self.entries
        else:
            np.copyto(self.entries, self._next, where=active)
        np.copyto(out, self.entries, "unsafe")
        bitwise_and(out, CODE, out)

    def _classed(self, letters: Array) -> Array:
        if isinstance(self._class_of, bytes):
            found = frombuffer(letters.tobytes().translate(self._class_of), uint8)
            return found if len(self.shape) == 1 else found.reshape(self.shape)
        assert self._class_of is not None
        return self._class_of.take(letters)

    def walk(self, rows: Rows, active: NDArray[np.bool_] | None, out: Array) -> None:
        """:meth:`step` where letters are not packed: the diagrams are walked."""
        assert self._walker is not None
        for k, columns in enumerate(self.columns):
            mine = self.entries if self.entries.ndim == 1 else self.entries[k]
            letters = np.stack([rows[c] for c in columns], axis=1).astype(np.bool_)
            after = self._walker.next(mine, letters)
            if active is None:
                mine[:] = after
            else:
                np.copyto(mine, after, where=active)
        np.take(self._codes, self.entries, out=out)


def _stride(columns: int) -> int:
    """Cells of a row: all columns after the largest code, a multiple of eight."""
    return (columns + 4 + 7) // 8 * 8


class _Walker:
    """Diagrams walked by many letters at once."""

    def __init__(self, table: MonitorTable) -> None:
        nodes = np.array(table.nodes, np.intp).reshape(-1, 3)
        self._level, self._low, self._high = (np.ascontiguousarray(nodes[:, i]) for i in range(3))
        self._root, self._roots = table.root, np.array(table.roots, np.intp)
        self._targets = None if table.table is None else np.array(table.table, np.intp)

    def classes(self, letters: NDArray[np.bool_]) -> Array:
        """The classes of letters, bool ``(M, atoms)``."""
        return self._walk(np.full(len(letters), self._root, np.intp), letters)

    def next(self, states: Array, letters: NDArray[np.bool_]) -> Array:
        """The states after one more letter each."""
        if self._targets is not None:
            return np.asarray(self._targets[states, self.classes(letters)])
        return self._walk(self._roots[states], letters)

    def _walk(self, at: Array, letters: NDArray[np.bool_]) -> Array:
        """The leaves that the letters lead to, starting from the diagrams ``at``."""
        rows = np.flatnonzero(at >= 0)
        while len(rows):
            nodes = at[rows]
            true = letters[rows, self._level[nodes]]
            at[rows] = np.where(true, self._high[nodes], self._low[nodes])
            rows = rows[at[rows] >= 0]
        return ~at


class Packer:
    """The letters of certain atoms as numbers, the first atom the highest bit."""

    def __init__(self, columns: Sequence[int], num_envs: int) -> None:
        self.columns = [int(c) for c in columns]
        self._letters = np.zeros(num_envs, np.uint8 if len(columns) <= 8 else np.uint16)

    def __call__(self, rows: Rows) -> Array:
        """The letters ``(N,)``; they belong to the packer."""
        columns, out = self.columns, self._letters
        if len(columns) < 2:
            return rows[columns[0]] if columns else out
        first = rows[columns[0]]
        if out.dtype.char == "B":
            add(first, first, out)
        else:
            np.copyto(out, first)
            add(out, out, out)
        for c in columns[1:-1]:
            add(out, rows[c], out)
            add(out, out, out)
        add(out, rows[columns[-1]], out)
        return out


class ManyPacker:
    """The letters of several parts of one width at once, ``(K, N)``."""

    def __init__(self, columns: Array, num_envs: int) -> None:
        self._columns = columns
        kind = np.uint8 if columns.shape[1] <= 8 else np.uint16
        self._letters = np.zeros((len(columns), num_envs), kind)

    def __call__(self, rows: Array) -> Array:
        """The letters; ``rows`` is one array ``(atoms, N)``."""
        out = self._letters
        out[:] = 0
        for k in range(self._columns.shape[1]):
            np.add(out, out, out=out)
            np.add(out, rows[self._columns[:, k]], out=out)
        return out
