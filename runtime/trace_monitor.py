"""Monitoring a recorded trace: the verdict of each formula, its robustness, and for what fails the witness.

Verdicts are exact and come from the automaton, step by step, so that a trace may be read as it is written; robustness
and witness are those of the whole trace. Where the automaton is over budget, a task is judged on the whole trace and
a ``safe`` that is not met there is unknown: which prefixes violate it, only the automaton tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from agentc.compiler.agent import FormulaIR, SignalIR
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.backends.monitor import MonitorProgram, MonitorTable, split, tabulate
from agentc.compiler.judgement import judge
from agentc.compiler.logic.fragments import STEPWISE, fragment
from agentc.compiler.logic.ir import Formula, Value, signals
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.signals.explain import Link, explain
from agentc.compiler.signals.robustness import Robustness, compile_robustness
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.runtime.scalar import ScalarMonitor

Valuations = Sequence[Mapping[str, Value]]
Outcome = Literal["holds", "fails", "open", "unknown"]

SECONDS = 5.0
"""The budget of an automaton: what takes longer is judged on the whole trace."""

EXIT: Mapping[Outcome, int] = {"holds": 0, "fails": 1, "open": 3, "unknown": 3}


@dataclass(frozen=True)
class Finding:
    """What came of one formula.

    ``decided`` is the first step at which the verdict was final, None if only the end of the trace decided it.
    ``robustness`` is None where there is none; ``witness`` is the chain of subformulas down to the atom that decides.
    """

    item: FormulaIR
    outcome: Outcome
    decided: int | None
    robustness: float | None
    witness: tuple[Link, ...]
    notes: tuple[Diagnostic, ...]


@dataclass
class _Watched:
    item: FormulaIR
    program: MonitorProgram | None
    compiled: Robustness | None
    notes: list[Diagnostic]
    verdict: Verdict | None = None
    decided: int | None = None
    monitor: ScalarMonitor | None = field(default=None, repr=False)


class TraceMonitor:
    """Watches formulas on one trace, step by step.

    ``declared`` are the signals with their types; :attr:`needed` those that the formulas read.
    """

    def __init__(self, items: Iterable[FormulaIR], declared: Iterable[SignalIR]) -> None:
        every = {s.name: s for s in declared}
        self._watched = [_watch(item, tuple(every.values())) for item in items]
        read = dict.fromkeys(
            name for w in self._watched for name in signals(w.item.formula) if name not in w.item.each
        )
        self.needed = tuple(every.get(name, SignalIR(name, "bool")) for name in read)
        self._declared = tuple(every.values())
        self.valuations: list[Mapping[str, Value]] = []

    def step(self, valuation: Mapping[str, Value]) -> list[tuple[str, Verdict]]:
        """Read one step; the formulas whose verdict has changed, with the new one.

        Raises ``AgentcError`` (AS0708) for values that the declared types rule out.
        """
        t = len(self.valuations)
        changed = []
        for w in self._watched:
            if w.monitor is None:
                continue
            verdict = Verdict(w.monitor.step(valuation)[0])
            if verdict is not w.verdict:
                changed.append((w.item.name, verdict))
                if verdict.final and w.decided is None:
                    w.decided = t
            w.verdict = verdict
        self.valuations.append(valuation)
        return changed

    def findings(self, *, ended: bool = True) -> tuple[Finding, ...]:
        """What came of every formula; with ``ended`` the trace is over, else a verdict that is not final is open."""
        return tuple(self._finding(w, ended) for w in self._watched)

    def _finding(self, w: _Watched, ended: bool) -> Finding:
        notes = list(w.notes)
        outcome, decided = self._outcome(w, ended, notes)
        value: float | None = None
        chain: tuple[Link, ...] = ()
        if w.compiled is not None:
            value, chain = self._robustness(w.compiled)
            horizon = w.compiled.horizon
            if horizon is not None and horizon >= len(self.valuations) and decided is None:
                notes.append(
                    report("AS1010", None, formula=w.item.name, horizon=horizon, last=len(self.valuations) - 1)
                )
        return Finding(w.item, outcome, decided, value, chain, tuple(notes))

    def _outcome(self, w: _Watched, ended: bool, notes: list[Diagnostic]) -> tuple[Outcome, int | None]:
        safe = w.item.role == "safe"
        if w.verdict is not None:
            if safe:
                fails = w.verdict is Verdict.FALSE
                open_ = not ended and w.verdict is not Verdict.TRUE
                return "fails" if fails else "open" if open_ else "holds", w.decided
            if not ended and not w.verdict.final:
                return "open", None
            return "holds" if w.verdict.holds else "fails", w.decided
        if not ended:
            return "unknown", None
        if w.compiled is not None:
            true = bool(w.compiled.satisfaction_at(self._columns(w.compiled))[0])
            # a prefix that nothing can repair is no part of a trace that is true
            return ("holds" if true else "unknown" if safe else "fails"), None
        try:
            found = judge(w.item.formula, Trace(self.valuations), w.item.role, self._declared, w.item.each)
        except AgentcError as error:
            notes.extend(error.diagnostics)
            return "unknown", None
        return "holds" if found.holds else "fails", found.decided

    def _robustness(self, compiled: Robustness) -> tuple[float, tuple[Link, ...]]:
        columns = self._columns(compiled)
        return float(compiled.robustness_at(columns)[0]), explain(compiled, columns)

    def _columns(self, compiled: Robustness) -> dict[str, Any]:
        """The trace as a batch of one."""
        found: dict[str, Any] = {}
        declared = {s.name: s for s in self.needed}
        for name in signals(compiled.formula) or (next(iter(declared), ""),):
            signal = declared.get(name, SignalIR(name, "bool"))
            cells = [v.get(name) for v in self.valuations]
            if signal.kind == "enum":
                index = {m: i for i, m in enumerate(signal.members)}
                found[name] = np.array([[-1 if c is None else index[str(c)] for c in cells]])
            elif signal.kind == "text" or name.endswith("@from"):
                column = np.empty((1, len(cells)), object)
                column[0, :] = cells
                found[name] = column
            elif signal.kind == "vector":
                width = signal.size[0] if signal.size else 1
                found[name] = np.array([[(math.nan,) * width if c is None else c for c in cells]], np.float64)
            else:
                found[name] = np.array([[math.nan if c is None else c for c in cells]], np.float64)
        return found

    @property
    def verdicts(self) -> dict[str, Verdict | None]:
        """The verdicts after the last step, None where there is no automaton."""
        return {w.item.name: w.verdict for w in self._watched}


def _watch(item: FormulaIR, declared: tuple[SignalIR, ...]) -> _Watched:
    notes: list[Diagnostic] = []
    program = compiled = None
    used = fragment(item.formula)
    beyond = ("each", *item.each) if item.each else used.beyond(STEPWISE)
    if beyond:
        notes.append(report("AS1015", None, formula=item.name, operator=beyond[0]))
    else:
        try:
            program = _program(item, declared)
        except AgentcError as error:
            notes.extend(error.diagnostics)
        compiled = compile_robustness(item.formula, declared)
    monitor = ScalarMonitor((program,)) if program is not None else None
    return _Watched(item, program, compiled, notes, monitor=monitor)


def _program(item: FormulaIR, declared: tuple[SignalIR, ...]) -> MonitorProgram:
    """The monitor of a formula, or of its parts where the whole is over budget. Raises ``AgentcError`` (AS0702)."""

    def table(f: Formula) -> MonitorTable:
        return tabulate(translate_typed(f, declared, max_seconds=SECONDS, span=item.span))

    join, parts = split(item.formula)
    try:
        return MonitorProgram(item.name, (table(item.formula),))
    except AgentcError:
        if len(parts) == 1:
            raise
    return MonitorProgram(item.name, tuple(map(table, parts)), join, exact=False)
