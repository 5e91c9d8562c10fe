"""Monitors as tables, and judgements."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from typing import Any

from agentc.compiler.agent import AgentIR, FormulaIR, SignalIR
from agentc.compiler.logic import ir
from agentc.compiler.logic.semantics import course as truth
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from conformance.backends.limits import aggregates, translated, with_limits
from conformance.backends.modules import (
    CLASSES,
    JUDGEMENT,
    LTLF,
    MONITOR,
)
from conformance.registry import Case, Implementation, Load, RefusedError, backend, everything
from conformance.shrink import replace


def course(program: Any, trace: Trace) -> list[int]:
    """The verdict code after each step."""
    states, codes = [0] * len(program.parts), []
    columns = {a: truth(a, trace) for part in program.parts for a in part.atoms}
    for t in range(len(trace)):
        letters = [tuple(columns[a][t] for a in part.atoms) for part in program.parts]
        states = [part.step(s, x) for part, s, x in zip(program.parts, states, letters, strict=True)]
        codes.append(program.verdict(states))
    return codes


def _tabulated(load: Load, case: Case) -> None:
    """Raises ``RefusedError`` if the formula's automaton is large: monitors have budgets of their own, in seconds."""
    translated(load(LTLF).translate_typed, case.formula, case.signals.values())


@backend("monitor table, verdicts", "online", MONITOR, CLASSES, least=0.3, every=3)
def _monitor(load: Load) -> Implementation:
    monitor = load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        _tabulated(load, case)
        program, notes = monitor.compile_monitor("f", case.formula, case.signals.values())
        again = monitor.MonitorProgram.from_data(json.loads(json.dumps(program.to_data())))
        if again != program:
            raise ValueError("the data does not read back")
        if notes or not program.exact or len(program.parts) != 1 or program.parts[0].table is None:
            raise ValueError("a small automaton has one exact table")
        return [[monitor.verdict_of(code) for code in course(program, trace)] for trace in case.traces]

    return Implementation(everything, run)


@backend("monitor of diagrams, verdicts", "online", MONITOR, CLASSES, least=0.3, every=3)
def _diagrams(load: Load) -> Implementation:
    """The monitor where a table of letter classes would be too large."""
    monitor, classes = load(MONITOR), load(CLASSES)

    def run(case: Case) -> Sequence[Any]:
        _tabulated(load, case)
        with with_limits(classes, MAX_CELLS=0):
            program, _ = monitor.compile_monitor("f", case.formula, case.signals.values())
        if program.parts[0].table is not None:
            raise ValueError("a table that is too large was made")
        again = monitor.MonitorProgram.from_data(json.loads(json.dumps(program.to_data())))
        return [[monitor.verdict_of(code) for code in course(again, trace)] for trace in case.traces]

    return Implementation(everything, run)


@backend("monitor in parts", "prefixes", MONITOR, CLASSES, least=0.8, every=5)
def _parts(load: Load) -> Implementation:
    """The parts of a formula, each with its own table, as they are emitted where that of the whole is too large."""
    monitor = load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        _tabulated(load, case)
        agent = AgentIR("A", None, None, tuple(case.signals.values()), (), (FormulaIR("f", "task", case.formula, ""),),
                        None, None)  # fmt: skip
        _, parts = monitor.split(case.formula)
        with with_limits(monitor, WHOLE_STATES=0):
            emitted = monitor.MonitorBackend().emit(agent)
        codes = [d.code for d in emitted.diagnostics]
        if "AS0701" in codes:
            raise RefusedError
        if codes != ["AS0703"] * (len(parts) > 1):
            raise ValueError(f"{len(parts)} parts, and it says {codes}")
        (data,) = json.loads(emitted.artifacts[0].text)["monitors"]
        program = monitor.MonitorProgram.from_data(data)
        if program.exact != (len(parts) == 1) or len(program.parts) != len(parts):
            raise ValueError("what is in parts is not exact, and what is whole is")
        found = []
        for trace in case.traces:
            codes = [monitor.verdict_of(code) for code in course(program, trace)]
            final = [v for v in codes if v.final]
            if any(v is not final[0] for v in final) or (final and codes[-1] is not final[0]):
                raise ValueError(f"what is final changes: {codes}")
            found.append([v.holds for v in codes])
        return found

    return Implementation(lambda case: not aggregates(case.formula), run)


@backend("judging a task", "boolean", JUDGEMENT, every=7)
def _task(load: Load) -> Implementation:
    judgement = load(JUDGEMENT)

    def run(case: Case) -> Sequence[Any]:
        signals = case.signals.values()
        _tabulated(importlib.import_module, case)
        return [judgement.judge(case.formula, trace, "task", signals).holds for trace in case.traces]

    return Implementation(everything, run)


@backend("judging a safe", "safe", JUDGEMENT, least=0.3, every=3)
def _safe(load: Load) -> Implementation:
    judgement = load(JUDGEMENT)

    def run(case: Case) -> Sequence[Any]:
        found = [judgement.judge(case.formula, t, "safe", case.signals.values()) for t in case.traces]
        return [(j.holds, j.decided) for j in found]

    return Implementation(everything, run)


@backend("judging each value", "same", JUDGEMENT, least=0.03, every=3)
def _each(load: Load) -> Implementation:
    """A formula for each value of a parameter is the conjunction over those that occur."""
    judgement = load(JUDGEMENT)
    parameter = SignalIR("id", "int", lo=-2, hi=3)

    of_numbers = (ir.signal("n"), ir.signal("k"))

    def bound(node: ir.Node) -> bool:
        return node.op == "compare" and node.args[0] in of_numbers and node.args[1].op == "const"

    def run(case: Case) -> Sequence[Any]:
        f: Any = case.formula
        node = next(n for n in ir.postorder(f) if bound(n))
        _tabulated(importlib.import_module, case)

        number = node.args[0]

        def of(other: ir.Term) -> Any:
            return replace(f, node, ir.term("compare", (number, other), node.value))

        for trace in case.traces:
            values = {step[str(number.value)] for step in trace}
            expected = all(evaluate(of(ir.const(v)), trace) for v in values)
            each = of(ir.signal("id"))
            if judgement.judge(each, trace, "task", (*case.signals.values(), parameter), ("id",)).holds != expected:
                raise ValueError(f"for each of {values} it is {expected}")
        return [f for _ in case.traces]

    return Implementation(lambda case: any(map(bound, ir.postorder(case.formula))), run)
