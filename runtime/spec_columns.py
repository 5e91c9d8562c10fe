"""What the monitors read of N environments that are stepped one after the other, gathered into columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.logic.ir import Value
from agentc.runtime.labelling import Labeller, encode
from agentc.runtime.spec_signals import SignalSource, bounds
from agentc.runtime.stepping import PACKED_ATOMS

Array = NDArray[Any]
REMEMBERED_LETTERS = 1 << 16


class Columns:
    """What the monitors read, gathered environment by environment: numbers, as arrays by name."""

    def __init__(self, sources: Sequence[SignalSource]) -> None:
        self._sources = sources
        self._names, self._signals = sources[0].names, sources[0].signals
        self._rows: list[list[Value]] = [[] for _ in sources]
        self._real = all(signal.kind == "real" for signal in self._signals) and bool(self._signals)
        limits = np.array([bounds(signal) if self._real else (0.0, 0.0) for signal in self._signals]).reshape(-1, 2)
        self._low, self._high = limits[:, :1], limits[:, 1:]

    def put(self, i: int, values: list[Value]) -> None:
        """The values of environment ``i``, which are checked when all are read."""
        self._rows[i] = values

    def shown(self, i: int) -> str:
        """The values of environment ``i`` in words."""
        return ", ".join(f"{name} = {value}" for name, value in zip(self._names, self._rows[i], strict=True))

    def read(self) -> dict[str, Array]:
        """By name, ``(N,)`` or ``(N, d)``. Raises :class:`AgentcError` (AS0908) for a value of another type."""
        if self._real:
            flat = list(chain.from_iterable(self._rows))
            if set(map(type, flat)) == {float}:
                columns = np.array(flat).reshape(len(self._rows), -1).T.copy()
                inside = np.count_nonzero(columns >= self._low) + np.count_nonzero(columns <= self._high)
                if inside == 2 * columns.size:  # NaN is in no interval
                    return dict(zip(self._names, columns, strict=True))
        found = {}
        checked = False
        for name, signal, column in zip(self._names, self._signals, zip(*self._rows, strict=True), strict=False):
            if signal.kind == "real" and set(map(type, column)) == {float}:
                array = np.array(column)
                lo, hi = bounds(signal)
                if lo <= array.min() and array.max() <= hi:
                    found[name] = array
                    continue
            if not checked:
                for source, row in zip(self._sources, self._rows, strict=True):
                    source.check(row)
                checked = True
            found[name] = encode(name, signal, column)
        return found


class Letters:
    """What the monitors read, gathered environment by environment: truth values, remembered by the values they are of.

    Discrete signals take few values, so nearly every letter has been met before.
    """

    def __init__(self, sources: Sequence[SignalSource], labeller: Labeller) -> None:
        self._sources, self._labeller = sources, labeller
        self._names, self._signals = sources[0].names, sources[0].signals
        self._rows: list[list[Value]] = [[] for _ in sources]
        width = len(labeller.atoms)
        self._packs = width <= PACKED_ATOMS
        kind = np.uint8 if width <= 8 else np.uint16
        self._letters = np.zeros(len(sources), kind) if self._packs else np.zeros((len(sources), width), np.bool_)
        self._known: dict[tuple[Value, ...], Array | int] = {}

    def put(self, i: int, values: list[Value]) -> None:
        """The values of environment ``i``."""
        key = tuple(values)
        letter = self._known.get(key)
        if letter is None:
            letter = self._labelled(i, values)
            if len(self._known) >= REMEMBERED_LETTERS:
                self._known.clear()
            self._known[key] = letter
        self._rows[i] = values
        self._letters[i] = letter

    def shown(self, i: int) -> str:
        """The values of environment ``i`` in words."""
        return ", ".join(f"{name} = {value}" for name, value in zip(self._names, self._rows[i], strict=True))

    def read(self) -> Array:
        """The letters, atoms in the order of the monitor's: packed ``(N,)``, or ``(N, atoms)`` where they are many."""
        return self._letters

    def _labelled(self, i: int, values: list[Value]) -> Array | int:
        self._sources[i].check(values)
        columns = zip(self._names, self._signals, values, strict=True)
        batch = {name: encode(name, signal, [value]) for name, signal, value in columns}
        letter = self._labeller(batch, out=np.zeros((1, len(self._labeller.atoms)), np.bool_))[0]
        return int("".join("01"[bit] for bit in letter.astype(int)) or "0", 2) if self._packs else np.array(letter)
