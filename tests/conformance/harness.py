"""Runs backends against the reference and counts what it ran."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.trace import Trace
from conformance.registry import Backend, Case, Implementation, Kind, Load, RefusedError, load
from conformance.shrink import shrink
from conformance.strategies import BY_NAME, letters, sample

TRACES_EACH = 48
FEWER: Mapping[Kind, int] = {"prefixes": 6, "online": 3, "safe": 3, "labels": 8, "same": 2}
"""How many of a formula's traces are run where the answers for one cost the reference more."""


@dataclass(frozen=True)
class Disagreement:
    """A pair on which a backend and the reference differ; ``found`` is what the backend said or raised."""

    backend: str
    formula: Formula
    trace: Trace
    expected: Any
    found: Any

    def __str__(self) -> str:
        steps = "\n".join(f"    {t}: {dict(v)}" for t, v in enumerate(self.trace))
        return (
            f"{self.backend} disagrees with the reference on\n    {ir.show(self.formula)}\n{steps}\n"
            f"    reference: {self.expected}\n    {self.backend}: {self.found}"
        )


@dataclass
class Tally:
    """What was run through one backend. ``values`` counts the single answers compared."""

    offered: int = 0
    accepted: int = 0
    pairs: int = 0
    values: int = 0


@dataclass
class Report:
    """What was run, and where it differed. ``pairs`` counts different pairs of a formula and a trace."""

    formulas: int = 0
    pairs: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    disagreements: list[Disagreement] = field(default_factory=list)

    def table(self) -> str:
        """The counts as text."""
        rows = [f"{self.formulas} formulas, {self.pairs} pairs of a formula and a trace"]
        rows.append(f"{'backend':32} {'formulas':>9} {'accepted':>9} {'pairs':>9} {'values':>9}")
        for name, t in self.tallies.items():
            rows.append(f"{name:32} {t.offered:9} {t.accepted:9} {t.pairs:9} {t.values:9}")
        return "\n".join(rows)


def cases(seed: int | str, traces_each: int = TRACES_EACH) -> Iterator[Case]:
    """Cases without end."""
    for f, traces in sample(seed, traces_each):
        yield Case(f, traces, BY_NAME, letters(f))


def fewer(case: Case, kind: Kind) -> Case:
    """The case with as many of its traces as are run for a kind of answer, the shorter ones."""
    if kind == "safe":
        return fewer(case, "online")  # of which it is made
    n = FEWER.get(kind)
    if n is None or n >= len(case.traces):
        return case
    cached = case._expected.get(f"case {kind}")
    if cached is None:
        chosen = case.traces[:n] if kind == "same" else sorted(case.traces[: 2 * n], key=len)[-n:]
        if kind == "online":
            chosen = [Trace(trace.valuations[:4]) for trace in chosen]
        cached = case._expected[f"case {kind}"] = [Case(case.formula, chosen, case.signals, case.letters)]
    small = cached[0]
    assert isinstance(small, Case)
    return small


def decidable(case: Case) -> bool:
    """Whether the reference decides finality of the case in good time: few valuations, short windows, little past."""
    if case.letters is None or len(case.letters) > 8:
        return False
    nodes = list(ir.postorder(case.formula))
    reach = sum(n.interval[0] if n.interval[1] is None else n.interval[1] for n in nodes if n.interval is not None)
    return reach <= 6 and sum(n.op in ir.PAST for n in nodes) <= 3


def run(
    backends: Iterable[Backend],
    offered: Iterable[Case],
    load: Load = load,
    stop_at: int | None = None,
    minimise: bool = True,
) -> Report:
    """Every case through every backend that accepts it. Disagreements are shrunk; ``stop_at`` so many, it stops."""
    built = [(b, b.build(load)) for b in backends]
    report = Report(tallies={b.name: Tally() for b, _ in built})
    for case in offered:
        report.formulas += 1
        report.pairs += len(case.traces)
        for b, implementation in built:
            if not b.takes(report.formulas):
                continue
            tally = report.tallies[b.name]
            tally.offered += 1
            if b.kind in ("online", "safe") and not decidable(case):
                continue
            small = fewer(case, b.kind)
            try:
                if not implementation.accepts(small):
                    continue
                found = implementation.run(small)
            except RefusedError:
                continue
            except Exception as error:
                disagreement = _raised(b, implementation, small, error)
            else:
                expected = small.expected(b.kind)
                tally.accepted += 1
                tally.pairs += len(small.traces)
                tally.values += sum(len(e) if isinstance(e, list) else 1 for e in expected)
                disagreement = _compare(b, small, expected, found)
            if disagreement is not None:
                report.disagreements.append(
                    _minimised(b, implementation, disagreement, case) if minimise else disagreement
                )
                if stop_at is not None and len(report.disagreements) >= stop_at:
                    return report
    return report


def first(seed: int | str, pairs: int, traces_each: int = TRACES_EACH) -> Iterator[Case]:
    """The first cases of a seed that have so many pairs together."""
    return itertools.islice(cases(seed, traces_each), -(-pairs // traces_each))


def check(b: Backend, implementation: Implementation, f: Formula, trace: Trace) -> Disagreement | None:
    """The disagreement of a backend on one pair, if there is one."""
    case = Case(f, [trace], BY_NAME, letters(f))
    if b.kind in ("online", "safe") and not decidable(case):
        return None
    try:
        if not implementation.accepts(case):
            return None
        found = implementation.run(case)
    except RefusedError:
        return None
    except Exception as error:
        return Disagreement(b.name, f, trace, "an answer", f"{type(error).__name__}: {error}")
    return _compare(b, case, case.expected(b.kind), found)


def _compare(b: Backend, case: Case, expected: list[Any], found: Any) -> Disagreement | None:
    if len(found) != len(expected):
        return Disagreement(b.name, case.formula, case.traces[0], f"{len(expected)} answers", f"{len(found)}")
    for trace, e, v in zip(case.traces, expected, found, strict=True):
        if not b.agrees(e, v):
            return Disagreement(b.name, case.formula, trace, e, v)
    return None


def _raised(b: Backend, implementation: Implementation, case: Case, error: Exception) -> Disagreement:
    for trace in case.traces:
        single = check(b, implementation, case.formula, trace)
        if single is not None:
            return single
    return Disagreement(b.name, case.formula, case.traces[0], "an answer", f"{type(error).__name__}: {error}")


def _minimised(b: Backend, implementation: Implementation, found: Disagreement, case: Case) -> Disagreement:
    raised = found.expected == "an answer"

    def still(f: Formula, trace: Trace) -> bool:
        try:
            d = check(b, implementation, f, trace)
        except Exception:  # the reference refuses the candidate (a trace that lacks a signal, say)
            return False
        return d is not None and (d.expected == "an answer") == raised

    if not still(found.formula, found.trace):
        return found  # it shows only among other traces
    return check(b, implementation, *shrink(found.formula, found.trace, still)) or found
