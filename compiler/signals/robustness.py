"""Robustness and truth of a formula over batches of traces: whole signals, or the value at one step.

Source: Fainekos and Pappas (2009), Donze and Maler (2010) for the meaning, as LANGUAGE section 3 fixes it on finite
traces; Donze, Ferrere and Maler, Efficient robust monitoring for STL (CAV 2013) for what makes it linear in the trace.

Deviations: windows by doubling and not by deques (:mod:`agentc.compiler.signals.windows`); where the value at one step
is asked for, a node is computed only at the steps that it is needed at.

Reproduce: ``agentc bench stl``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula
from agentc.compiler.signals.arrays import Array, Arrays, is_objects
from agentc.compiler.signals.plan import Plan, PlanNode, make_plan, window_span
from agentc.compiler.signals.scalars import evaluate
from agentc.compiler.signals.traces import Batch, Traces, as_traces
from agentc.compiler.signals.windows import Algebra, Plain, extremum, until
from agentc.lang.diagnostics import AgentcError, report

CHUNK = 1 << 16
"""How many numbers a column of traces has that is worked on at once: what stays in the cache."""

Spans = Sequence[tuple[int, int] | None]


@dataclass(frozen=True, eq=False)
class Robustness:
    """A compiled formula. Make one with :func:`compile_robustness`; it may be used for any number of batches."""

    plan: Plan
    _spans: dict[tuple[int, int | None, bool], tuple[Spans, Spans]] = field(default_factory=dict, repr=False)

    @property
    def formula(self) -> Formula:
        """What is judged."""
        return self.plan.formula

    @property
    def signals(self) -> tuple[SignalIR, ...]:
        """The signals, in the order of the last axis of an array."""
        return tuple(self.plan.compiler.signals.values())

    @property
    def horizon(self) -> int | None:
        """How many steps after a step its value depends on; None if on all."""
        return self.plan.horizon

    def robustness(self, traces: Batch) -> Array:
        """The robustness at every step, ``(batch, time)``, in the extended reals.

        Raises ``AgentcError`` (AS1001) for a missing signal, (AS1003) for an infinite one, (AS1004) for another shape.
        """
        return self._whole(traces, truth=False)

    def robustness_at(self, traces: Batch, step: int = 0) -> Array:
        """The robustness at one step, ``(batch,)``; it looks no further than the horizon. Raises as above."""
        return self._single(traces, step, truth=False)

    def satisfaction(self, traces: Batch) -> Array:
        """The truth at every step, bool ``(batch, time)``. Raises as above."""
        return self._whole(traces, truth=True)

    def satisfaction_at(self, traces: Batch, step: int = 0) -> Array:
        """The truth at one step, bool ``(batch,)``. Raises as above."""
        return self._single(traces, step, truth=True)

    def batch(self, traces: Batch) -> Traces:
        """The traces with their shape checked."""
        return as_traces(traces, self.plan.compiler.signals, self.plan.compiler.codes)

    def spans(self, length: int, step: int | None, *, truth: bool = False) -> tuple[Spans, Spans]:
        """The steps at which each node and each operation of the atoms is needed, for the robustness or the truth."""
        key = (length, step, truth)
        if key not in self._spans:
            if len(self._spans) > 64:
                self._spans.clear()
            self._spans[key] = needed(self.plan, length, step, truth=truth)
        return self._spans[key]

    def _whole(self, data: Batch, *, truth: bool) -> Array:
        traces = self.batch(data)
        spans = self.spans(traces.length, None, truth=truth)
        parts = [self._values(traces, rows, spans, truth).T for rows in chunks(traces, spans[0])]
        return joined(traces.arrays, parts)

    def _single(self, data: Batch, step: int, *, truth: bool) -> Array:
        traces = self.batch(data)
        check_step(step, traces.length)
        spans = self.spans(traces.length, step, truth=truth)
        parts = [self._values(traces, rows, spans, truth)[0] for rows in chunks(traces, spans[0])]
        return joined(traces.arrays, parts)

    def _values(self, traces: Traces, rows: slice, spans: tuple[Spans, Spans], truth: bool) -> Array:
        found = leaves(self.plan, traces, rows, spans, truth=truth)
        like = blank(traces, 1, rows, 0.0)
        algebra = Plain(traces.arrays)
        return run(self.plan, algebra, found, traces.length, spans[0], like != 0 if truth else like)[-1]


def compile_robustness(formula: Formula, signals: Iterable[SignalIR] = ()) -> Robustness:
    """Compile a formula over the declared signals; an undeclared name is a Boolean signal.

    Raises ``AgentcError`` (AS0701) for terms that look further back than one step (``count``, ``sum``, ``seen``).
    """
    return Robustness(make_plan(formula, signals))


# ---------------------------------------------------------------- the parts, for gradients and witnesses too


def check_step(step: int, length: int) -> None:
    """Raises ``AgentcError`` (AS1006) for a step outside of the trace."""
    if not 0 <= step < length:
        raise AgentcError([report("AS1006", None, step=step, last=length - 1)])


def joined(arrays: Arrays, parts: list[Array]) -> Array:
    """The parts of a batch, as one."""
    return parts[0] if len(parts) == 1 else arrays.xp.concatenate(parts)


def needed(plan: Plan, length: int, step: int | None, *, truth: bool = False) -> tuple[Spans, Spans]:
    """The steps at which each node, and each operation of the atoms, is needed, for the robustness or the truth."""
    nodes = plan.needs(length, step)
    roots: dict[int, tuple[int, int]] = {}
    for node, span in zip(plan.nodes, nodes, strict=True):
        if node.op == "atom" and span is not None:
            atom = plan.atoms[node.index]
            root = atom.truth if truth or atom.margin is None else atom.margin
            old = roots.get(root, span)
            roots[root] = (min(old[0], span[0]), max(old[1], span[1]))
    return nodes, plan.compiler.graph.needs(roots)


def chunks(traces: Traces, spans: Spans) -> Iterator[slice]:
    """The batch in parts whose columns stay in the cache."""
    longest = max(b - a for a, b in (s for s in spans if s is not None))
    size = max(1, CHUNK // longest)
    for start in range(0, traces.batch, size):
        yield slice(start, min(start + size, traces.batch))


def leaves(plan: Plan, traces: Traces, rows: slice, spans: tuple[Spans, Spans], *, truth: bool = False) -> list[Any]:
    """The values of the atoms, by node; None for all other nodes. ``spans`` are :func:`needed` for that ``truth``."""
    nodes, operations = spans
    arrays, graph = traces.arrays, plan.compiler.graph
    clean = True

    def read(key: tuple[str, int], start: int, stop: int) -> Array:
        nonlocal clean
        x = traces.read(key, start, stop, rows)
        if is_objects(x):
            clean = False
            return x
        total = arrays.total(x)  # one pass tells whether any value is not a number
        if not math.isfinite(total):
            clean = False
            if bool(arrays.xp.isinf(x).any()):
                at, column = (int(v) for v in np.argwhere(np.asarray(arrays.xp.isinf(x)))[0])
                found = float(x[at, column])
                raise AgentcError(
                    [report("AS1003", None, name=key[0], value=found, step=start + at, trace=rows.start + column)]
                )
        return x

    with np.errstate(all="ignore"):
        values = evaluate(graph, arrays, read, operations)
    safe = clean and all(
        graph.nodes[k].op in _TOTAL for k, span in enumerate(operations) if span is not None
    )
    found: list[Any] = [None] * len(plan.nodes)
    for k, (node, span) in enumerate(zip(plan.nodes, nodes, strict=True)):
        if span is None:
            continue
        if node.op == "atom":
            atom = plan.atoms[node.index]
            infinite = atom.margin is None
            root = atom.truth if truth or atom.margin is None else atom.margin
            value, have = values[root], operations[root]
            if hasattr(value, "shape") and have is not None:
                value = value[span[0] - have[0] : span[1] - have[0]]
            else:
                value = blank(traces, span[1] - span[0], rows, value)
            found[k] = _signed(arrays, value, node.greatest, infinite, truth, safe)
        elif node.op in ("constant", "end"):
            found[k] = _constant(traces, node, span, rows, truth)
    return found


_TOTAL = frozenset(("const", "input", "neg", "abs", "min", "max", "difference", "gt", "ge", "lt", "le", "eq", "ne",
                    "flip"))  # fmt: skip
"""Operations that have a value wherever their arguments have one."""


def _signed(arrays: Arrays, x: Array, sign: bool, infinite: bool, truth: bool, safe: bool) -> Array:
    """The value of an atom or of its negation; one without a value is false."""
    xp = arrays.xp
    if truth:
        holds = x == 1
        return holds if sign else ~holds
    if infinite:
        return xp.where((x == 1) == sign, xp.full_like(x, math.inf), xp.full_like(x, -math.inf))
    if not safe:
        x = xp.where(xp.isnan(x), xp.full_like(x, -math.inf), x)
    return x if sign else -x


def blank(traces: Traces, steps: int, rows: slice, value: Any) -> Array:
    """``(steps, batch)`` of one number, of the type that is computed with."""
    shape = (steps, rows.stop - rows.start)
    if traces.arrays.torch:
        some = traces.data if traces.places is not None else next(iter(traces.data.values()))
        dtype = some.dtype if some.is_floating_point() else traces.arrays.xp.float64
        return traces.arrays.xp.full(shape, value, dtype=dtype, device=some.device)
    kind = np.float64
    if traces.places is not None and traces.data.dtype == np.float32:
        kind = np.float32  # type: ignore[assignment]
    return np.full(shape, value, kind)


def _constant(traces: Traces, node: PlanNode, span: tuple[int, int], rows: slice, truth: bool) -> Array:
    high, low = (True, False) if truth else (math.inf, -math.inf)
    x = blank(traces, span[1] - span[0], rows, 0.0)
    if truth:
        x = x != 0
    x[:] = high if (node.op == "constant") == node.greatest else low
    if node.op == "end":
        at = 0 if node.past else traces.length - 1
        if span[0] <= at < span[1]:
            x[at - span[0]] = high if node.greatest else low
    return x


def run(plan: Plan, algebra: Algebra, values: list[Any], length: int, spans: Spans, like: Any) -> list[Any]:
    """All nodes from the values of the leaves, each at the steps of its span; ``like`` is some values."""
    for k, node in enumerate(plan.nodes):
        span = spans[k]
        if span is None or values[k] is not None:
            continue
        if node.op == "fold":
            parts = [_cut(values[a], spans[a], span) for a in node.args]
            values[k] = functools.reduce(functools.partial(algebra.combine, node.greatest), parts)
        else:
            values[k] = _temporal(algebra, node, span, [values[a] for a in node.args], [spans[a] for a in node.args],
                                  length, like)  # fmt: skip
    return values


def _cut(value: Any, have: tuple[int, int] | None, want: tuple[int, int]) -> Any:
    assert have is not None
    return value if have == want else value[want[0] - have[0] : want[1] - have[0]]


def _temporal(
    algebra: Algebra, node: PlanNode, span: tuple[int, int], x: list[Any], have: list[tuple[int, int] | None],
    length: int, like: Any,
) -> Any:  # fmt: skip
    """A window or an until at the steps of a span; beyond the trace a max is ``-inf``, a min ``+inf``."""
    first, stop = span
    if node.past:  # the last steps of the span have a window that is not empty
        inside = (max(first, node.lo), stop)
    else:
        inside = (first, min(stop, length - node.lo))
    rows = inside[1] - inside[0]
    if rows <= 0:
        return algebra.fill(like, stop - first, not node.greatest)
    reach = window_span(node, inside[0], inside[1] - 1, length)
    if node.op == "window":
        seen = _cut(x[0], have[0], reach)
        width = len(seen) if node.hi is None else node.hi - node.lo + 1
        if node.past:
            found = algebra.flip(extremum(algebra, node.greatest, algebra.flip(seen), width, rows))
        else:
            found = extremum(algebra, node.greatest, seen, width, rows)
    else:
        found = _until(algebra, node, inside, reach, x, have, length)
    missing = stop - first - rows
    if missing == 0:
        return found
    blank = algebra.fill(found, missing, not node.greatest)
    return algebra.join(blank, found) if node.past else algebra.join(found, blank)


def _until(
    algebra: Algebra, node: PlanNode, inside: tuple[int, int], reach: tuple[int, int], x: list[Any],
    have: list[tuple[int, int] | None], length: int,
) -> Any:  # fmt: skip
    rows, low = inside[1] - inside[0], not node.greatest
    f, g = _cut(x[0], have[0], reach), _cut(x[1], have[1], reach)
    if node.past:
        f, g = algebra.flip(f), algebra.flip(g)
    width = len(g) if node.hi is None else node.hi - node.lo + 1
    found = until(algebra, node.greatest, f, g, width)[:rows]
    if node.lo > 0:  # f on the steps before the window, from the present one on
        before = (inside[0] - node.lo + 1, inside[1]) if node.past else (inside[0], inside[1] - 1 + node.lo)
        f = _cut(x[0], have[0], before)
        if node.past:
            f = algebra.flip(f)
        found = algebra.combine(low, extremum(algebra, low, f, node.lo, rows), found)
    return algebra.flip(found) if node.past else found
