"""Robustness over arrays and along streams, and timed subgoals."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from agentc.compiler.logic import ir
from agentc.compiler.logic.fragments import TIMED_SUBGOALS, fragment
from agentc.compiler.logic.semantics import robustness
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from conformance.backends.limits import aggregates
from conformance.backends.modules import (
    DECOMPOSE,
    LABELLING,
    ONLINE,
    ROBUSTNESS,
    SIGNALS,
    STREAM,
    STREAMS,
)
from conformance.registry import Case, Implementation, Load, RefusedError, backend


def columns(case: Case, traces: Sequence[Trace]) -> dict[str, Any]:
    """Traces of one length as arrays ``(batch, time)`` of each signal that is read."""
    found: dict[str, Any] = {}
    for name in ir.signals(case.formula) or ("p",):
        declared = case.signals.get(name)
        rows = [[step.get(name) for step in trace] for trace in traces]
        kind = declared.kind if declared is not None else "bool"
        if kind == "enum":
            assert declared is not None
            members = declared.members
            found[name] = np.array([[-1 if v is None else members.index(str(v)) for v in row] for row in rows])
        elif kind == "text":
            found[name] = np.array(rows, object)
        else:
            found[name] = np.array(rows, bool if kind == "bool" else float)
    return found


def _by_length(case: Case, answer: Callable[[dict[str, Any]], Any]) -> list[Any]:
    """The answers of a batched backend, which takes traces of one length at a time."""
    lengths: dict[int, list[int]] = {}
    for i, trace in enumerate(case.traces):
        lengths.setdefault(len(trace), []).append(i)
    found: list[Any] = [None] * len(case.traces)
    for indices in lengths.values():
        for i, value in zip(indices, answer(columns(case, [case.traces[i] for i in indices])), strict=True):
            found[i] = value
    return found


def _reads_steps(case: Case) -> bool:
    return not aggregates(case.formula)


@backend("robustness of batches", "robust", *SIGNALS, least=0.85, every=5, tolerance=1e-9)
def _batched_robustness(load: Load) -> Implementation:
    robust = load(ROBUSTNESS)

    def run(case: Case) -> Sequence[Any]:
        compiled = robust.compile_robustness(case.formula, case.signals.values())

        def answer(columns: dict[str, Any]) -> Any:
            single, whole = compiled.robustness_at(columns), compiled.robustness(columns)
            if not np.array_equal(single, whole[:, 0]):
                raise ValueError(f"at step 0 it is {single}, of the whole signal {whole[:, 0]}")
            return single.tolist()

        return _by_length(case, answer)

    return Implementation(_reads_steps, run)


@backend("truth of batches", "boolean", *SIGNALS, least=0.85, every=7)
def _batched_truth(load: Load) -> Implementation:
    robust = load(ROBUSTNESS)

    def run(case: Case) -> Sequence[Any]:
        compiled = robust.compile_robustness(case.formula, case.signals.values())
        return _by_length(case, lambda columns: compiled.satisfaction_at(columns).tolist())

    return Implementation(_reads_steps, run)


# ---------------------------------------------------------------- timed subgoals


@backend("timed subgoals", "boolean", DECOMPOSE, least=0.5, every=9)
def _subgoals(load: Load) -> Implementation:
    """A trace satisfies a formula if and only if it meets a grounded plan of its decomposition."""
    decompose, meeting = load(DECOMPOSE), load("agentc.compiler.signals.meeting")

    def run(case: Case) -> Sequence[bool]:
        plans: dict[int, Any] = {}
        found = []
        for trace in case.traces:
            try:
                if trace.last not in plans:
                    plans[trace.last] = decompose.decompose(case.formula, trace.last, max_nodes=1_000)
                plan = meeting.meeting(plans[trace.last], trace, 2_000)
            except meeting.SearchTooLongError as error:
                raise RefusedError from error
            except AgentcError as error:
                if {d.code for d in error.diagnostics} == {"AS1201"}:  # over its budget
                    raise RefusedError from error
                raise
            if plan is not None and not plan.met(trace):
                raise ValueError("the plan that was found is not met")
            found.append(plan is not None)
        return found

    return Implementation(lambda case: fragment(case.formula) <= TIMED_SUBGOALS, run)


@backend("online robustness", "robust", ONLINE, STREAMS, least=0.75, every=7, tolerance=1e-9)
def _online_robustness(load: Load) -> Implementation:
    """The value at the end, with the interval after every step: it holds the values of that prefix and of the trace."""
    online, streams = load(ONLINE), load(STREAMS)

    def run(case: Case) -> Sequence[Any]:
        try:
            program = online.compile_online(case.formula, case.signals.values())
        except AgentcError as error:
            if {d.code for d in error.diagnostics} <= {"AS1019", "AS1020"}:
                raise RefusedError from error
            raise
        # traces of different lengths in one monitor: each environment begins with the last steps in mind
        longest = max(map(len, case.traces))
        columns = _columns_of_steps(case, longest)
        monitor = streams.RobustnessMonitor(program, len(case.traces))
        found: list[Any] = [None] * len(case.traces)
        bounds: list[list[tuple[float, float]]] = [[] for _ in case.traces]
        for step, valuations in enumerate(columns):
            begin = np.array([longest - len(trace) == step for trace in case.traces])
            if begin.any():
                monitor.reset(begin)
            low, high = monitor.step(valuations)
            for i, trace in enumerate(case.traces):
                if step >= longest - len(trace):
                    bounds[i].append((float(low[i]), float(high[i])))
            if step % 5 == 2 or step == longest - 1:
                value = monitor.value()
                for i, trace in enumerate(case.traces):
                    at = step - (longest - len(trace))
                    if at >= 0:
                        expected = robustness(case.formula, Trace(trace.valuations[: at + 1]))
                        if expected != value[i] and abs(expected - value[i]) > 1e-9 * max(1, abs(expected)):
                            return [*found[:i], float(value[i]), *found[i + 1 :]]
                        found[i] = float(value[i])
        for value, course in zip(found, bounds, strict=True):
            if any(not lo - 1e-9 <= value <= hi + 1e-9 for lo, hi in course):
                raise ValueError(f"{value} is outside of an interval: {course}")
        return found

    return Implementation(_reads_steps, run)


def _columns_of_steps(case: Case, longest: int) -> Iterator[dict[str, Any]]:
    """What each step shows to a monitor of all traces, which end together; before a trace begins, its first step."""
    labelling = importlib.import_module(LABELLING)
    for step in range(longest):
        at = [max(step - (longest - len(trace)), 0) for trace in case.traces]
        yield {
            name: labelling.encode(
                name, case.signals.get(name), [trace[t].get(name) for trace, t in zip(case.traces, at, strict=True)]
            )
            for name in ir.signals(case.formula) or ("p",)
        }


@backend("online robustness of one stream", "robust", ONLINE, STREAM, least=0.75, every=7, tolerance=1e-9)
def _stream_robustness(load: Load) -> Implementation:
    """The value after every step, and the interval, which is that of the vectorised monitor."""
    online, streams, single = load(ONLINE), load(STREAMS), load(STREAM)

    def run(case: Case) -> Sequence[Any]:
        try:
            program = online.compile_online(case.formula, case.signals.values())
        except AgentcError as error:
            if {d.code for d in error.diagnostics} <= {"AS1019", "AS1020"}:
                raise RefusedError from error
            raise
        found = []
        stream = single.RobustnessStream(program)
        for number, trace in enumerate(case.traces):
            stream.reset()
            many = streams.RobustnessMonitor(program, 1) if number == 0 else None
            columns = _columns_of_steps(Case(case.formula, [trace], case.signals, None), len(trace))
            for t, (step, valuations) in enumerate(zip(trace, columns, strict=True)):
                interval = stream.step(step)
                if many is not None:
                    low, high = many.step(valuations)
                    if not np.allclose(interval, (low[0], high[0]), rtol=1e-9):
                        raise ValueError(f"{interval} is not {(low[0], high[0])} at step {t}")
            found.append(stream.value())
        return found

    return Implementation(_reads_steps, run)
