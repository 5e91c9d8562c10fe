"""Batches of traces: what robustness reads, turned into time-major columns of numbers.

A batch is either an array ``(batch, time, signal)`` (numpy or torch) whose last axis has the declared signals in
order (a vector takes as many entries as it has components), or a mapping from signal names to arrays
``(batch, time)``, of a vector ``(batch, time, components)``:

========  ==============================================================  =============
type      values                                                          no value
========  ==============================================================  =============
bool      bool, or numbers that are not 0                                 NaN
int real  numbers                                                         NaN
enum      indices into the members                                        -1, NaN
text      object arrays of ``str``, in a mapping only                     None
vector    numbers                                                         NaN
========  ==============================================================  =============

Numbers are computed with in the type that they come in, ``float32`` or ``float64``; all others in ``float64``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentc.compiler.agent import SignalIR
from agentc.compiler.signals.arrays import Array, Arrays, arrays_of, is_objects
from agentc.compiler.signals.atoms import vector_size
from agentc.lang.diagnostics import AgentcError, report

Batch = Array | Mapping[str, Array]


@dataclass(frozen=True)
class Traces:
    """A batch of traces of one length. ``tables`` number the members of enums as the atoms do."""

    data: Any
    signals: Mapping[str, SignalIR]
    places: Mapping[tuple[str, int], int] | None
    batch: int
    length: int
    arrays: Arrays
    tables: Mapping[str, np.ndarray[Any, np.dtype[np.int64]]]

    def read(self, key: tuple[str, int], start: int, stop: int, rows: slice) -> Array:
        """An input at some steps of some traces, ``(steps, batch)``, contiguous and no view of the traces.

        Raises ``AgentcError`` (AS1003) for an infinite value.
        """
        name = key[0]
        signal = self.signals.get(name)
        given = self.column(key)[rows, start:stop]
        x = given.T if not self.arrays.torch else given.transpose(0, 1)
        if is_objects(x):
            return x
        xp = self.arrays.xp
        kind = signal.kind if signal is not None else "bool"
        if kind == "enum":
            return self._coded(name, x)
        if kind == "bool" and "bool" not in str(x.dtype):
            missing = xp.isnan(x) if _floating(x) else None
            truth = _as_float(self.arrays, x != 0)
            return truth if missing is None else xp.where(missing, np.nan, truth)
        return self.arrays.transposed(_as_float(self.arrays, given))

    def column(self, key: tuple[str, int]) -> Array:
        """An input as it was given, ``(batch, time)``. Raises ``AgentcError`` (AS1001) if there is none."""
        name, component = key
        if self.places is not None:
            return self.data[:, :, self.places[name, component]]
        if name not in self.data:
            raise AgentcError([report("AS1001", None, name=name, known=", ".join(self.data) or "no signal")])
        x = self.data[name]
        signal = self.signals.get(name)
        return x[:, :, component] if signal is not None and signal.kind == "vector" else x

    def as_float(self, x: Array) -> Array:
        """The numbers in a type that is computed with."""
        return _as_float(self.arrays, x)

    def _coded(self, name: str, x: Array) -> Array:
        """Members as the atoms number them."""
        xp, table = self.arrays.xp, self.tables[name]
        x = _as_float(self.arrays, x)
        known = (x >= 0) & (x < len(table))
        index = xp.where(known, x, 0)
        if self.arrays.torch:
            codes = xp.as_tensor(table, device=x.device)[index.long()].to(x.dtype)
        else:
            codes = table[index.astype(np.int64)].astype(x.dtype)
        return xp.where(known, codes, np.nan)


def _floating(x: Array) -> bool:
    return "float" in str(x.dtype)


def _as_float(arrays: Arrays, x: Array) -> Array:
    if arrays.torch:
        return x if "float32" in str(x.dtype) or "float64" in str(x.dtype) else x.to(arrays.xp.float64)
    return x if x.dtype == np.float32 or x.dtype == np.float64 else np.asarray(x, np.float64)


def columns(signals: Mapping[str, SignalIR]) -> dict[tuple[str, int], int]:
    """Where the signals and their components are on the last axis of an array."""
    found: dict[tuple[str, int], int] = {}
    for signal in signals.values():
        for component in range(vector_size(signal) if signal.kind == "vector" else 1):
            found[signal.name, component] = len(found)
    return found


def as_traces(data: Batch, signals: Mapping[str, SignalIR], codes: Mapping[str, int]) -> Traces:
    """The batch with its shape checked.

    Raises ``AgentcError`` (AS1004) for another shape, (AS1005) for texts in an array of numbers.
    """
    tables = {s.name: np.array([codes[m] for m in s.members], np.int64) for s in signals.values() if s.members}
    if isinstance(data, Mapping):
        shapes = {name: tuple(np.shape(x)[:2]) for name, x in data.items()}
        if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 2 or 0 in next(iter(shapes.values())):
            shown = ", ".join(f"{name}: {tuple(np.shape(x))}" for name, x in data.items()) or "no signal"
            raise AgentcError([report("AS1004", None, shape=shown, wanted="(batch, time) for each signal")])
        batch, length = next(iter(shapes.values()))
        some = next(iter(data.values()))
        held = {n: x if hasattr(x, "shape") else np.asarray(x) for n, x in data.items()}
        return Traces(held, signals, None, batch, length, arrays_of(held[next(iter(held))] if held else some), tables)
    texts = [s.name for s in signals.values() if s.kind == "text"]
    if texts:
        raise AgentcError([report("AS1005", None, name=texts[0])])
    places = columns(signals)
    x = data if hasattr(data, "shape") else np.asarray(data, np.float64)
    if len(x.shape) != 3 or x.shape[2] != len(places) or 0 in tuple(x.shape[:2]):
        wanted = f"(batch, time, {len(places)}), the signals {', '.join(signals)}"
        raise AgentcError([report("AS1004", None, shape=str(tuple(x.shape)), wanted=wanted)])
    return Traces(x, signals, places, int(x.shape[0]), int(x.shape[1]), arrays_of(x), tables)
