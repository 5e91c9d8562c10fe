"""Planning for linear systems as a mixed-integer linear program, solved by HiGHS; infeasibility is a result.

Source: Belta, Sadraddini, *Formal methods for control synthesis: an optimization perspective*, Annual Review of
Control, Robotics, and Autonomous Systems 2 (2019) (the big-M encoding); Kurtz, Lin, *Mixed-integer programming for
signal temporal logic with fewer binary variables*, L-CSS 6 (2022) (no binaries for conjunctions). Here in addition:

- what always or never holds in a box that contains the reachable states of a step is folded before anything is encoded
  (:mod:`agentc.runtime.planning.clauses`), and big-M is the least that the same box allows;
- a disjunction picks exactly one disjunct. What several disjuncts need is required by the *sum* of their variables: the
  prefixes of ``until`` and the windows of ``F G`` then share their rows, and the relaxation is tight along time;
- a variable is binary only where a linear condition depends on it directly.

Two programs decide: first every condition gets a margin, then, if that is infeasible, a slack of ``SLACK``: if this is
infeasible too, there is no trajectory at all, as far as the solver's floating-point arithmetic can be trusted.
Deviation from the papers: no running cost; the margin is a constant, and is maximised only
after the choices are made.

Reproduce: ``agentc bench planning``.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.logic.ir import Formula
from agentc.runtime.planning.clauses import FALSE, TRUE, Clauses, Ref, Row, expand
from agentc.runtime.planning.linear import LinearSteps, reachable_boxes

Floats = NDArray[np.float64]

SLACK = 1e-6
"""By how much conditions may fail in the program whose infeasibility counts as a proof."""
INSET = 1e-6
"""By how much a plan keeps off the ends of the declared ranges of the states."""
MOST_MARGIN = 1e3
"""The greatest margin that is sought."""


@dataclass(frozen=True)
class Program:
    """A linear system over ``last`` steps, with where it starts and what its inputs and states may be."""

    steps: LinearSteps
    last: int
    start: tuple[Floats, Floats]
    inputs: tuple[Floats, Floats]
    states: tuple[Floats, Floats]
    names: tuple[tuple[str, ...], tuple[str, ...]]
    """The signals of the states and of the inputs, in order."""


@dataclass(frozen=True)
class Solution:
    """What the solver said. ``inputs`` are ``(last, m)``, ``start`` the initial state; None without a solution."""

    status: Literal["feasible", "infeasible", "unknown"]
    inputs: Floats | None = None
    start: Floats | None = None
    binaries: int = 0
    rows: int = 0
    seconds: float = 0.0
    note: str = ""


class Grid:
    """Where states and inputs are among the columns, and the bounds of rows over the reachable boxes.

    States keep off the ends of their ranges by ``inset``.
    """

    def __init__(self, p: Program, inset: float, *, boxes: bool = True) -> None:
        self.n, self.m, self.last = len(p.names[0]), len(p.names[1]), p.last
        self.state = {name: k for k, name in enumerate(p.names[0])}
        self.input = {name: k for k, name in enumerate(p.names[1])}
        ranges = p.states[0] + inset, p.states[1] - inset
        lo, hi = reachable_boxes(p.steps, p.start, p.inputs, ranges, p.last)
        self.empty = bool((lo > hi + SLACK).any())
        if not boxes:  # the declared ranges alone, but for the start
            lo[1:], hi[1:] = ranges
        self.lo = np.concatenate([lo.ravel(), np.tile(p.inputs[0], p.last)])
        self.hi = np.concatenate([hi.ravel(), np.tile(p.inputs[1], p.last)])
        self.size = len(self.lo)

    def states(self, t: int) -> range:
        """The columns of the state at a step."""
        return range(t * self.n, (t + 1) * self.n)

    def inputs(self, t: int) -> range:
        """The columns of the input that acts from a step to the next."""
        first = (self.last + 1) * self.n + t * self.m
        return range(first, first + self.m)

    def column(self, name: str, t: int) -> int | None:
        """The column of a signal at a step: an input has the value that led there."""
        if name in self.state:
            return t * self.n + self.state[name]
        return None if t == 0 else self.inputs(t - 1)[self.input[name]]

    def bounds(self, row: Row) -> tuple[float, float]:
        """The least and the greatest value of a row."""
        least = most = row[1]
        for column, weight in row[0]:
            ends = weight * self.lo[column], weight * self.hi[column]
            least, most = least + min(ends), most + max(ends)
        return least, most


def solve(
    p: Program, f: Formula, *, margin: float, seconds: float = 60.0, threads: int = 1
) -> Solution:
    """A trajectory on which ``f`` (negation normal form, of the future) holds with a margin, or that there is none.

    Of the trajectories that make the same choices as the one that is found first, it is that of the greatest margin.
    Raises ``NotLinearError`` and ``GraphTooLargeError``.
    """
    start = time.perf_counter()
    first = attempt(p, f, margin, seconds, threads)
    if first.status != "infeasible":
        return first
    left = seconds - (time.perf_counter() - start)
    if left <= 0:
        return Solution("unknown", binaries=first.binaries, rows=first.rows, seconds=seconds, note="out of time")
    second = attempt(p, f, -SLACK, left, threads)
    spent = time.perf_counter() - start
    note = "" if second.status == "infeasible" else f"no trajectory has a margin of {margin:g}"
    return Solution(second.status, second.inputs, second.start, second.binaries, second.rows, spent, note)


def attempt(p: Program, f: Formula, margin: float, seconds: float, threads: int = 1) -> Solution:
    """One program: of a margin that is not negative it proves nothing if it is infeasible. Raises as above."""
    begun = time.perf_counter()
    # a trajectory that is to be simulated keeps off the ends of the ranges by more than the solver's tolerance
    columns = Grid(p, INSET if margin > 0 else -SLACK)
    if columns.empty:
        return Solution("infeasible", note="no trajectory stays within the declared ranges")
    graph = expand(f, p.last, columns.column, columns.bounds, slack=margin)
    if graph.root == FALSE:
        return Solution("infeasible", seconds=time.perf_counter() - begun, note="decided by reachable boxes")
    encoding = Encoding(p, columns, graph, margin)
    return encoding.solve(max(seconds - (time.perf_counter() - begun), 0.1), threads, begun)


class Encoding:
    """The rows and columns of the program: the dynamics, and the clauses of a graph."""

    def __init__(self, p: Program, columns: Grid, graph: Clauses | None, margin: float) -> None:
        self.p, self.columns, self.margin = p, columns, margin
        self.graph = Clauses() if graph is None else graph
        self.lower, self.upper = list(columns.lo), list(columns.hi)
        self.integer = [False] * columns.size
        self.index: list[int] = []
        self.value: list[float] = []
        self.starts: list[int] = [0]
        self.row_lo: list[float] = []
        self.row_hi: list[float] = []
        self.conditions: list[tuple[int, tuple[int, ...] | None]] = []  # rows with a margin, and what makes them count
        self._dynamics()
        self._clauses()

    def variable(self, lo: float, hi: float, *, integer: bool) -> int:
        """A new column."""
        self.lower.append(lo)
        self.upper.append(hi)
        self.integer.append(integer)
        return len(self.lower) - 1

    def row(self, entries: Sequence[tuple[int, float]], lo: float, hi: float) -> None:
        """A new row: the weighted sum of columns is between the two."""
        total: dict[int, float] = defaultdict(float)
        for column, weight in entries:
            total[column] += weight
        for column, weight in total.items():
            if weight:
                self.index.append(column)
                self.value.append(weight)
        self.starts.append(len(self.index))
        self.row_lo.append(lo)
        self.row_hi.append(hi)

    def _dynamics(self) -> None:
        a, b, c = self.p.steps.state, self.p.steps.input, self.p.steps.constant
        for t in range(self.p.last):
            now, then, given = self.columns.states(t), self.columns.states(t + 1), self.columns.inputs(t)
            for i in range(self.columns.n):
                entries = [(then[i], 1.0)]
                entries += [(now[j], -a[i, j]) for j in range(self.columns.n) if a[i, j]]
                entries += [(given[j], -b[i, j]) for j in range(self.columns.m) if b[i, j]]
                self.row(entries, c[i], c[i])

    def _clauses(self) -> None:
        """From the root down: each node once, when everything that may need it has been seen."""
        graph = self.graph
        demands: dict[Ref, list[tuple[int, ...] | None]] = defaultdict(list)  # None: it must hold
        demands[graph.root].append(None)
        for ref in range(graph.root, TRUE, -1):
            asked = demands.pop(ref, None)
            if not asked:
                continue
            active = None if None in asked else self._joint([d for d in asked if d is not None])
            if ref == FALSE:
                self._forbid(active)
            elif graph.kind[ref] == "row":
                self._conditional(graph.rows[ref], active)
            elif graph.kind[ref] == "all":
                for part in graph.parts[ref]:
                    demands[part].append(active)
            else:
                self._choice(graph.parts[ref], active, demands)

    def _joint(self, demands: list[tuple[int, ...]]) -> tuple[int, ...]:
        """The variables whose sum is at least that of each demand: one demand is its own."""
        distinct = list(dict.fromkeys(demands))
        if len(distinct) == 1:
            return distinct[0]
        z = self.variable(0.0, 1.0, integer=False)
        for demand in distinct:
            self.row([(z, 1.0), *((y, -1.0) for y in demand)], 0.0, np.inf)
        return (z,)

    def _forbid(self, active: tuple[int, ...] | None) -> None:
        self.row([] if active is None else [(y, 1.0) for y in active], *((1.0, 1.0) if active is None else (0.0, 0.0)))

    def _conditional(self, row: Row, active: tuple[int, ...] | None) -> None:
        entries, constant, exact = row
        least, _ = self.columns.bounds(row)
        wanted = min(self.margin, 0.0) if exact else self.margin
        if not exact:
            self.conditions.append((len(self.row_lo), active))
        if active is None:
            self.row(entries, wanted - constant, np.inf)
            return
        gap = least - wanted  # the least big-M
        self.row([*entries, *((y, gap) for y in active)], gap + wanted - constant, np.inf)

    def _choice(
        self, parts: Sequence[Ref], active: tuple[int, ...] | None, demands: dict[Ref, list[tuple[int, ...] | None]]
    ) -> None:
        """Exactly one disjunct (as much of them as the choice itself is needed); members of conjunctions by sums."""
        graph = self.graph
        needed: dict[Ref, list[int]] = defaultdict(list)
        chosen = []
        for part in parts:
            members = graph.parts[part] if graph.kind[part] == "all" else (part,)
            y = self.variable(0.0, 1.0, integer=any(graph.kind[m] == "row" for m in members))
            chosen.append(y)
            for member in members:
                needed[member].append(y)
        if active is None:
            self.row([(y, 1.0) for y in chosen], 1.0, 1.0)
        else:
            self.row([*((y, 1.0) for y in chosen), *((z, -1.0) for z in active)], 0.0, 0.0)
        for member, ys in needed.items():
            demands[member].append(tuple(ys))

    # ---------------------------------------------------------------- the solver

    def solve(self, seconds: float, threads: int, begun: float) -> Solution:
        """Solve it; then, with the choices kept, the linear program for the greatest margin."""
        import highspy

        binaries, rows = sum(self.integer), len(self.row_lo)
        lower, upper = np.array(self.lower), np.array(self.upper)
        status, values = solver(self.program(), seconds, threads)
        if status == highspy.HighsModelStatus.kInfeasible:
            return Solution("infeasible", None, None, binaries, rows, time.perf_counter() - begun)
        if values is None:
            note = "out of time" if status == highspy.HighsModelStatus.kTimeLimit else str(status).rpartition(".k")[2]
            return Solution("unknown", None, None, binaries, rows, time.perf_counter() - begun, note)
        if self.margin > 0:
            values = self._with_margin(values, lower, upper, threads)
        inputs = np.array([values[list(self.columns.inputs(t))] for t in range(self.p.last)])
        inputs = np.clip(inputs.reshape(self.p.last, self.columns.m), *self.p.inputs)
        initial = values[list(self.columns.states(0))]
        return Solution("feasible", inputs, initial, binaries, rows, time.perf_counter() - begun)

    def _with_margin(self, values: Floats, lower: Floats, upper: Floats, threads: int) -> Floats:
        """The trajectory of the greatest margin among those that make the same choices."""
        import highspy

        chosen = np.round(values[self.columns.size :])
        fixed = np.concatenate([np.full(self.columns.size, False), np.full(len(chosen), True)])
        lower, upper = lower.copy(), upper.copy()
        lower[fixed] = upper[fixed] = chosen
        on = [row for row, active in self.conditions if active is None or values[list(active)].sum() > 0.5]
        lp = self.program(np.append(lower, 0.0), np.append(upper, MOST_MARGIN), relaxed=True, extra=on)
        status, better = solver(lp, 10.0, threads)
        return values if better is None or status != highspy.HighsModelStatus.kOptimal else better[:-1]

    def program(
        self, lower: Floats | None = None, upper: Floats | None = None, *, relaxed: bool = False,
        extra: Sequence[int] = (),
    ) -> Any:
        """The data of the solver; the rows of ``extra`` lose what the last column has, which is maximised."""
        import highspy

        lower = np.array(self.lower) if lower is None else lower
        upper = np.array(self.upper) if upper is None else upper
        counts = np.diff(self.starts)
        rows = np.repeat(np.arange(len(counts)), counts)
        columns, weights = np.array(self.index, np.int32), np.array(self.value)
        if len(extra):
            rows = np.append(rows, extra)
            columns = np.append(columns, np.full(len(extra), len(lower) - 1, np.int32))
            weights = np.append(weights, np.full(len(extra), -1.0))
            order = np.argsort(rows, kind="stable")
            rows, columns, weights = rows[order], columns[order], weights[order]
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = len(lower), len(counts)
        cost = np.zeros(len(lower))
        cost[-1] = -1.0 if len(extra) else 0.0
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = cost, lower, upper
        lp.row_lower_, lp.row_upper_ = np.array(self.row_lo), np.array(self.row_hi)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.searchsorted(rows, np.arange(len(counts) + 1)).astype(np.int32)
        lp.a_matrix_.index_, lp.a_matrix_.value_ = columns.astype(np.int32), weights
        if not relaxed:
            kinds = highspy.HighsVarType
            lp.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in self.integer]
        return lp


def solver(program: Any, seconds: float, threads: int) -> tuple[Any, Floats | None]:
    """The solver's status, and the values of the columns if it has a solution."""
    import highspy

    with _silence():
        highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, Any] = {
        "output_flag": False, "time_limit": seconds, "threads": threads, "random_seed": 0,
        "mip_feasibility_tolerance": 1e-7, "primal_feasibility_tolerance": 1e-8,
    }  # fmt: skip
    for name, value in options.items():
        highs.setOptionValue(name, value)
    highs.passModel(program)
    highs.HandleUserInterrupt = True
    thread = highs.startSolve()
    try:  # in a thread of its own, so that it can be interrupted
        while thread.is_alive():
            thread.join(0.05)
    except KeyboardInterrupt:
        highs.cancelSolve()
        thread.join(10.0)
        raise
    solved = highs.getInfo().primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    values = np.array(highs.getSolution().col_value) if solved else None
    return highs.getModelStatus(), values


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Standard output closed to C: the solver prints a banner when it is made, whatever its options will say."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
