"""Exact gradients of robustness through the witness: where it is unique, they are the derivative; nothing is smoothed.

The value is the margin of one atom at one step (:mod:`agentc.compiler.signals.witness`), so its gradient has entries
for the signals of that atom at that step alone: the backward pass is a gather. Where the value is infinite the
gradient is zero. Source of the idea: Dawson and Fan, Robust counterexample-guided optimization (CoRL 2022) and
Leung et al., STLCG (IJRR 2023) differentiate the whole computation by automatic differentiation, which gives the same
numbers where the witness is unique, and an average over equal ones where it is not (here: the first).

Reproduce: ``agentc bench stl``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agentc.compiler.signals.arrays import Array, Arrays
from agentc.compiler.signals.plan import Plan
from agentc.compiler.signals.robustness import Robustness, blank, check_step, chunks, joined, leaves, run
from agentc.compiler.signals.scalars import at_points, derivatives
from agentc.compiler.signals.traces import Batch, Traces
from agentc.compiler.signals.windows import Plain, Tracked, Tracking
from agentc.compiler.signals.witness import deciding

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Entries:
    """Derivatives by one input (a signal's component): ``derivative[i]`` at trace ``rows[i]``, step ``steps[i]``.

    ``outputs`` are the positions of the values that they belong to.
    """

    key: Key
    rows: Array
    steps: Array
    derivative: Any
    outputs: Array


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """The robustness at one step, ``(batch,)``, and the entries of its derivative that are not zero."""

    value: Array
    entries: tuple[Entries, ...]
    places: Mapping[Key, int] | None


def sensitivity(compiled: Robustness, data: Batch, step: int = 0) -> Sensitivity:
    """The robustness at one step with its derivative. Raises as :meth:`Robustness.robustness_at`."""
    traces = compiled.batch(data)
    check_step(step, traces.length)
    spans = compiled.spans(traces.length, step)
    arrays, plan = traces.arrays, compiled.plan
    values: list[Array] = []
    decided: dict[int, list[tuple[Array, Array]]] = {}
    for rows in chunks(traces, spans[0]):
        found = leaves(plan, traces, rows, spans)
        run(plan, Plain(arrays), found, traces.length, spans[0], blank(traces, 1, rows, 0.0))
        values.append(found[-1][0])
        for k, chosen, at in deciding(plan, arrays, found, spans[0], traces.length, step):
            decided.setdefault(k, []).append((chosen + rows.start, at))
    entries: list[Entries] = []
    for k, parts in decided.items():
        of, steps = (joined(arrays, list(part)) for part in zip(*parts, strict=True))
        entries += margin_entries(plan, traces, k, of, steps, of)
    return Sensitivity(joined(arrays, values), tuple(entries), traces.places)


def value_and_gradient(compiled: Robustness, data: Batch, step: int = 0) -> tuple[Array, Any]:
    """The robustness at one step, ``(batch,)``, and its gradient, of the form of the traces.

    Of a mapping, the gradients of its numeric signals that the formula reads. Raises as
    :meth:`Robustness.robustness_at`.
    """
    found = sensitivity(compiled, data, step)
    traces = compiled.batch(data)
    gradient = zeros_of(traces)
    for e in found.entries:
        add_entries(traces, gradient, e, e.derivative)
    return found.value, gradient


@dataclass(frozen=True, eq=False)
class WholeSignal:
    """The robustness at every step, ``(batch, time)``, and what :meth:`pull_back` needs."""

    value: Array
    places: tuple[tuple[slice, Array], ...]
    compiled: Robustness
    data: Batch

    def pull_back(self, weights: Array) -> Any:
        """The gradient of the sum of the values times ``weights``, ``(batch, time)``, of the form of the traces.

        A value that is infinite has gradient zero, whatever its weight.
        """
        traces, plan = self.compiled.batch(self.data), self.compiled.plan
        arrays = traces.arrays
        gradient = zeros_of(traces)
        atoms = [k for k, n in enumerate(plan.nodes) if n.op == "atom" and plan.atoms[n.index].margin is not None]
        for rows, place in self.places:
            total = _collected(arrays, place, weights[rows].T, len(atoms) * traces.length)
            for number, k in enumerate(atoms):
                part = total[number * traces.length : (number + 1) * traces.length]
                steps, columns = arrays.xp.nonzero(part) if not arrays.torch else arrays.xp.nonzero(part, as_tuple=True)
                if not len(steps):
                    continue
                weight = part[steps, columns]
                for e in margin_entries(plan, traces, k, columns + rows.start, steps, columns):
                    add_entries(traces, gradient, e, e.derivative * weight)
        return gradient


def whole_signal(compiled: Robustness, data: Batch) -> WholeSignal:
    """The robustness at every step, with the places that decide it. Raises as :meth:`Robustness.robustness`."""
    traces = compiled.batch(data)
    spans = compiled.spans(traces.length, None)
    arrays, plan = traces.arrays, compiled.plan
    values, places = [], []
    atoms = [k for k, n in enumerate(plan.nodes) if n.op == "atom" and plan.atoms[n.index].margin is not None]
    for rows in chunks(traces, spans[0]):
        plain = leaves(plan, traces, rows, spans)
        tracked = [None if v is None else _placed(arrays, v, -1) for v in plain]
        for number, k in enumerate(atoms):
            span = spans[0][k]
            if span is not None:
                tracked[k] = _placed(arrays, plain[k], number * traces.length + span[0])
        like = _placed(arrays, blank(traces, 1, rows, 0.0), -1)
        root = run(plan, Tracking(arrays), tracked, traces.length, spans[0], like)[-1]
        values.append(root.value.T)
        finite = arrays.xp.isfinite(root.value)
        places.append((rows, arrays.xp.where(finite, root.place, arrays.xp.full_like(root.place, -1))))
    return WholeSignal(joined(arrays, values), tuple(places), compiled, data)


def _placed(arrays: Arrays, value: Array, first: int) -> Tracked:
    """Values with their places ``first``, ``first + 1``, ... by step; all -1 if ``first`` is."""
    if arrays.torch:
        place = arrays.xp.full(value.shape, -1, dtype=arrays.xp.int32, device=value.device)
    else:
        place = np.full(value.shape, -1, np.int32)
    if first >= 0:
        place[:] = arrays.arange(value, first, first + len(value))[:, None]
    return Tracked(value, place)


def _collected(arrays: Arrays, place: Array, weights: Array, size: int) -> Array:
    """The sum of the weights by place and column, ``(size, batch)``."""
    batch = place.shape[1]
    if arrays.torch:
        total = arrays.xp.zeros((size + 1, batch), dtype=weights.dtype, device=weights.device)
        total.scatter_add_(0, arrays.xp.where(place < 0, size, place).long(), weights.contiguous())
        return total[:size]
    known = place >= 0
    index = (place.astype(np.int64) * batch + np.arange(batch))[known]
    total = np.bincount(index, np.asarray(weights)[known], minlength=size * batch)
    return total.reshape(size, batch).astype(weights.dtype, copy=False)


def margin_entries(plan: Plan, traces: Traces, k: int, rows: Array, steps: Array, outputs: Array) -> list[Entries]:
    """The derivatives of the atom of a node at some points: trace ``rows[i]``, step ``steps[i]``."""
    node = plan.nodes[k]
    margin = plan.atoms[node.index].margin
    assert margin is not None
    graph = plan.compiler.graph

    def read(key: Key, back: int) -> Array:
        x = traces.column(key)[rows, steps - back]
        return x if "float" in str(x.dtype) else traces.as_float(x)

    found = graph.constant_slopes(margin)
    if found is None:
        with np.errstate(all="ignore"):
            values = at_points(graph, traces.arrays, read, [margin])
            found = derivatives(graph, traces.arrays, values, margin)
    sign = 1.0 if node.greatest else -1.0
    return [
        Entries(key, rows, steps - back, derivative * sign, outputs) for (key, back), derivative in found.items()
    ]


def zeros_of(traces: Traces) -> Any:
    """A gradient that is zero, of the form of the traces."""
    xp = traces.arrays.xp

    def zeros(x: Array) -> Array:
        return xp.zeros_like(x) if "float" in str(x.dtype) else xp.zeros(tuple(x.shape), dtype=xp.float64)

    if isinstance(traces.data, Mapping):
        numeric = {n for n, s in traces.signals.items() if s.kind in ("int", "real", "vector")}
        return {n: zeros(x) for n, x in traces.data.items() if n in numeric}
    return zeros(traces.data)


def add_entries(traces: Traces, gradient: Any, e: Entries, derivative: Any) -> None:
    """Add derivatives to a gradient; every point occurs once in the entries."""
    if traces.places is not None:
        gradient[e.rows, e.steps, traces.places[e.key]] += derivative
        return
    name, component = e.key
    target = gradient[name]
    if target.ndim == 3:
        target[e.rows, e.steps, component] += derivative
    else:
        target[e.rows, e.steps] += derivative
