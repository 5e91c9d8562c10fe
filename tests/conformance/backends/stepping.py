"""Monitors that step many environments, or one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError
from conformance.backends.limits import aggregates, translated, with_limits
from conformance.backends.modules import (
    ALPHABET,
    CLASSES,
    DFA,
    LABELLING,
    LTLF,
    MONITOR,
    MONITORS,
    SCALAR,
    STEPPING,
)
from conformance.backends.monitors import course
from conformance.registry import Case, Implementation, Load, backend


def _programs(load: Load, case: Case) -> list[Any]:
    """The monitor of the formula, one of another formula over some of its atoms, and that of the formula's parts."""
    monitor, ltlf = load(MONITOR), load(LTLF)
    signals = case.signals.values()
    join, parts = monitor.split(case.formula)
    atoms = ir.atoms(case.formula) or (ir.TRUE,)
    other = ir.formula("U", (atoms[-1], atoms[0]))

    def tables(*formulas: Formula) -> tuple[Any, ...]:
        return tuple(monitor.tabulate(translated(ltlf.translate_typed, g, signals)) for g in formulas)

    return [
        monitor.MonitorProgram("other", tables(other)),
        monitor.MonitorProgram("whole", tables(case.formula)),
        monitor.MonitorProgram("parts", tables(*parts), join, exact=len(parts) == 1),
    ]


def _step_all(load: Load, case: Case, envs: int = 4) -> list[list[int]]:
    """Verdict codes of the traces, run by turns in a few environments that are reset on their own and pause."""
    labelling, stepping = load(LABELLING), load(MONITORS)
    programs = _programs(load, case)
    monitor = stepping.Monitor(programs, envs, case.signals.values())
    names = list(dict.fromkeys(n for p in programs for part in p.parts for a in part.atoms for n in ir.signals(a)))
    names = names or ["p"]  # a batch has some signal
    queue = list(enumerate(case.traces))
    running: list[tuple[int, Trace, int] | None] = [None] * envs
    found: list[list[int]] = [[] for _ in case.traces]
    tick = 0
    while queue or any(running):
        fresh = np.array([r is None for r in running])
        if fresh.any():
            monitor.reset(fresh)
            for e in np.flatnonzero(fresh):
                i, trace = queue.pop(0) if queue else (-1, None)
                running[e] = None if trace is None else (i, trace, 0)
        pausing = tick % 9 >= 6
        active = np.array([r is not None and not (pausing and (tick + e) % 2) for e, r in enumerate(running)])
        tick += 1
        steps = [case.traces[0][0] if r is None else r[1][r[2]] for r in running]
        batch = {n: labelling.encode(n, case.signals.get(n), [step.get(n) for step in steps]) for n in names}
        if active.all():
            codes = monitor.step(batch)
        else:
            codes = monitor.step(batch, active)
        for e in np.flatnonzero(active):
            r = running[e]
            assert r is not None
            i, trace, t = r
            _, whole, parts = (int(c) for c in codes[:, e])
            verdict, of_parts = Verdict(whole), Verdict(parts)
            if of_parts.holds != verdict.holds or (of_parts.final and not verdict.final):
                raise ValueError(f"the parts say {of_parts} and the whole {verdict}")
            if monitor.verdicts(e)["whole"] is not verdict or monitor.codes[1, e] != whole:
                raise ValueError("the verdicts are others when asked for")
            if (monitor.holds[1, e], monitor.final[1, e]) != (verdict.holds, verdict.final):
                raise ValueError(f"holds or final is wrong of {verdict}")
            found[i].append(whole)
            running[e] = (i, trace, t + 1) if t + 1 < len(trace) else None
    return found


@backend("monitors of many environments", "prefixes", MONITORS, STEPPING, MONITOR, CLASSES, LABELLING, least=0.8)
def _many(load: Load) -> Implementation:
    monitor = load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        return [[monitor.verdict_of(c).holds for c in course] for course in _step_all(load, case)]

    return Implementation(lambda case: not aggregates(case.formula), run)


@backend("monitors of many environments, verdicts", "online", MONITORS, STEPPING, MONITOR, CLASSES, least=0.3, every=3)
def _many_verdicts(load: Load) -> Implementation:
    monitor = load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        return [[monitor.verdict_of(c) for c in course] for course in _step_all(load, case, envs=2)]

    return Implementation(lambda case: not aggregates(case.formula), run)


@backend("monitor of one environment", "prefixes", SCALAR, MONITOR, least=0.8)
def _one(load: Load) -> Implementation:
    stepping, monitor = load(SCALAR), load(MONITOR)

    def run(case: Case) -> Sequence[Any]:
        one = stepping.ScalarMonitor(_programs(load, case))
        found = []
        for trace in case.traces:
            one.reset()
            courses = [[monitor.verdict_of(c).holds for c in one.step(step)][1:] for step in trace]
            if any(whole != parts for whole, parts in courses):
                raise ValueError("the parts say otherwise than the whole")
            found.append([whole for whole, _ in courses])
            if one.verdicts()["whole"].holds != found[-1][-1]:
                raise ValueError("the verdicts are others when asked for")
        return found

    return Implementation(lambda case: not aggregates(case.formula), run)


WILD: dict[str, tuple[Any, ...]] = {"n": (-7, 9), "k": (-9, 7), "x": (-7.5, 7.5), "y": (-9.0, 9.0)}
"""Values that the declared types rule out."""


@backend("values outside of their types", "same", DFA, ALPHABET, MONITORS, SCALAR, MONITOR, CLASSES, least=0.8)
def _outside(load: Load) -> Implementation:
    """Where the letters that cannot occur begin, automata and monitors say so, and not before."""
    ltlf, monitor, stepping, labelling = load(LTLF), load(MONITOR), load(MONITORS), load(LABELLING)
    classes = load(CLASSES)

    def first_outside(parts: Sequence[Any], trace: Trace) -> int | None:
        for t in range(len(trace)):
            for dfa in parts:
                at, letter = 0, dfa.letters(trace)[t]
                for group in dfa.alphabet.groups:
                    part = letter[at : at + len(group.atoms)]
                    at += len(group.atoms)
                    if not group.free and part not in group.later | group.first:
                        return t
        return None

    def steps_until_refused(step: Callable[[Any], Any], trace: Trace) -> int | None:
        for t, valuation in enumerate(trace):
            try:
                step(valuation)
            except AgentcError as error:
                if [d.code for d in error.diagnostics] != ["AS0708"]:
                    raise
                return t
        return None

    def run(case: Case) -> Sequence[Any]:
        f, signals = case.formula, tuple(case.signals.values())
        join, split = monitor.split(f)
        parts = [translated(ltlf.translate_typed, g, signals) for g in split]
        program = monitor.MonitorProgram("f", tuple(map(monitor.tabulate, parts)), join, exact=len(parts) == 1)
        with with_limits(classes, MAX_CELLS=0):
            diagrams = monitor.MonitorProgram("f", tuple(map(monitor.tabulate, parts)), join, exact=program.exact)
        one, many = load(SCALAR).ScalarMonitor([program]), stepping.Monitor([program], 2, signals)
        names = list(dict.fromkeys((*ir.signals(f), "p")))
        for number, tame in enumerate(case.traces):
            wild = {name: values[number % 2] for name, values in WILD.items()}
            trace = Trace({**step, **(wild if t == len(tame) // 2 else {})} for t, step in enumerate(tame))
            expected = first_outside(parts, trace)
            for tables in (program, diagrams):
                known = [monitor.verdict_of(code) is not None for code in course(tables, trace)]
                if known != [expected is None or t < expected for t in range(len(trace))]:
                    raise ValueError(f"the verdicts do not stay unknown from step {expected} on")
            one.reset()
            many.reset()

            def step_many(valuation: Any) -> None:
                # the first environment stays out of it
                batch = {n: labelling.encode(n, case.signals.get(n), [tame[0].get(n), valuation.get(n)]) for n in names}
                many.step(batch, np.array([False, True]))

            if steps_until_refused(one.step, trace) != expected or steps_until_refused(step_many, trace) != expected:
                raise ValueError(f"a monitor does not say that {wild} cannot occur from step {expected} on")
            if len(parts) == 1 and (parts[0].run(parts[0].letters(trace)) == parts[0].size) != (expected is not None):
                raise ValueError(f"the automaton does not say that {wild} cannot occur")
        return [f for _ in case.traces]

    return Implementation(lambda case: not aggregates(case.formula), run)
