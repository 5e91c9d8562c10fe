"""The planners by name, and what becomes of a problem: satisfied, proven infeasible, or not found.

``auto`` asks the MILP where it can answer (linear systems, propositions that are half-spaces), else the gradients.
Whatever a planner finds is simulated and judged by the reference semantics; only that verdict is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agentc.compiler.signals.meeting import SearchTooLongError, meeting
from agentc.compiler.signals.subgoals import GroundedPlan
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.planning.clauses import GraphTooLargeError
from agentc.runtime.planning.grounding import solve_grounded
from agentc.runtime.planning.halfspaces import NotLinearError
from agentc.runtime.planning.linear import linear_steps
from agentc.runtime.planning.milp import Program, Solution, solve
from agentc.runtime.planning.problem import Judgement, Problem

PLANNERS = ("auto", "gradient", "milp")

Status = Literal["satisfied", "infeasible", "not found"]

EXIT = {"satisfied": 0, "infeasible": 1, "not found": 3}
"""The exit code of each outcome."""

SENTENCES = {
    "satisfied": "the plan satisfies every formula, by the reference semantics on the simulated trajectory",
    "infeasible": "no trajectory of this length satisfies the formulas: the program and its relaxation are infeasible",
    "not found": "no plan was found; there may be one",
}


@dataclass(frozen=True)
class Outcome:
    """What came of planning. ``judgement`` is of the best trajectory that was found, if any."""

    status: Status
    method: str
    seconds: float
    judgement: Judgement | None
    plan: GroundedPlan | None
    note: str = ""
    binaries: int | None = None


def plan(
    problem: Problem, planner: str = "auto", *, seconds: float = 60.0, seed: int = 0, margin: float = 1e-3,
    tick: Callable[[str], None] | None = None,
) -> Outcome:
    """Plan with a planner of :data:`PLANNERS`.

    ``tick`` hears what is being done. Raises :class:`AgentcError`: AS1209 where the MILP is asked for what is not
    linear, AS1210 for a range that it needs, AS1201 for a formula that is too large.
    """
    begun = time.perf_counter()
    if planner in ("auto", "milp"):
        try:
            outcome = _by_milp(problem, seconds, margin, seed, tick)
        except AgentcError as error:
            if planner == "milp" or {d.code for d in error.diagnostics} - {"AS1201", "AS1209", "AS1210"}:
                raise
        else:
            if planner == "milp" or outcome.status != "not found":
                return outcome
    return _by_gradient(problem, seconds - (time.perf_counter() - begun), seed, begun, tick)


FIRST, GROUNDED = 0.25, 0.35
"""Shares of the time: of the whole program at first, then of programs with some times fixed. It gets the rest again."""


def _by_milp(
    problem: Problem, seconds: float, margin: float, seed: int, tick: Callable[[str], None] | None
) -> Outcome:
    begun = time.perf_counter()
    program = program_of(problem)
    if tick is not None:
        tick("solving the mixed-integer program")
    try:
        solution = solve(program, problem.core, margin=margin, seconds=FIRST * seconds)
        if solution.status == "unknown":
            share = GROUNDED * seconds
            grounded = solve_grounded(problem, program, margin=margin, seconds=share, seed=seed, tick=tick)
            solution = grounded if grounded is not None else solution
        left = seconds - (time.perf_counter() - begun)
        if solution.status == "unknown" and left > 0:
            if tick is not None:
                tick("solving the mixed-integer program for longer")
            solution = solve(program, problem.core, margin=margin, seconds=left)
    except NotLinearError as error:
        raise AgentcError([report("AS1209", None, term=error.text)]) from error
    except GraphTooLargeError as error:
        raise AgentcError([report("AS1201", None, formula="the formulas", limit="the size of a program")]) from error
    return _judged(problem, solution, begun)


def _judged(problem: Problem, solution: Solution, begun: float) -> Outcome:
    judgement = None if solution.inputs is None else problem.judge(solution.inputs, solution.start)
    note = solution.note
    status: Status = "not found"
    if solution.status == "infeasible":
        if problem.weakly_safe:
            status = "infeasible"
        else:
            note = "no trajectory satisfies the formulas; a `safe` that is left open at the end would not be violated"
    elif judgement is not None:
        status = "satisfied" if judgement.satisfied else "not found"
        note = judgement.refused or note
    seconds = time.perf_counter() - begun
    return Outcome(status, "milp", seconds, judgement, _met(problem, judgement), note, solution.binaries)


def _by_gradient(
    problem: Problem, seconds: float, seed: int, begun: float, tick: Callable[[str], None] | None
) -> Outcome:
    from agentc.runtime.planning.gradient import Search, search

    def hear(rounds: int, loss: float) -> None:
        if tick is not None:
            tick(f"gradients: round {rounds}, least loss {loss:.3g}")

    found = search(problem, Search(seconds=max(seconds, 1.0), seed=seed), hear)
    judgement = found.judgement
    if judgement is None:
        note = "no alternative of the formulas with feasible times was found"
        return Outcome("not found", "gradient", time.perf_counter() - begun, None, None, note)
    status: Status = "satisfied" if judgement.satisfied else "not found"
    note = judgement.refused or f"{found.rounds} rounds"
    met = _met(problem, judgement) if judgement.satisfied else None
    return Outcome(status, "gradient", time.perf_counter() - begun, judgement, met, note)


def _met(problem: Problem, judgement: Judgement | None) -> GroundedPlan | None:
    """The grounded plan that a satisfying trajectory meets, for the report."""
    if judgement is None or not judgement.satisfied:
        return None
    try:
        return meeting(problem.subgoals, problem.trace(judgement.states, judgement.inputs))
    except (AgentcError, SearchTooLongError):  # a plan is worth showing, not more
        return None


def program_of(problem: Problem) -> Program:
    """The linear program's data. Raises :class:`AgentcError` (AS1209, AS1210)."""
    system = problem.system
    try:
        steps = linear_steps(system, problem.disturbance, problem.simulator.step_size)
    except NotLinearError as error:
        raise AgentcError([report("AS1209", None, term=error.text)]) from error
    lo, hi = problem.input_range
    for variable, a, b in zip(system.inputs, lo, hi, strict=True):
        if not (np.isfinite(a) and np.isfinite(b)):
            raise AgentcError([report("AS1210", None, name=variable.name)])
    start = (problem.start, problem.start)
    return Program(steps, problem.last, start, (lo, hi), problem.state_range, problem.names)
