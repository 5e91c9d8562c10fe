"""Programs with some of their times fixed: a formula is replaced by one grounded plan of its timed subgoals.

By the contract of timed subgoals whatever satisfies the plan satisfies the formula, so a solution is one of the whole
problem; that there is none says nothing. Only formulas with few time variables are grounded: where a choice is made
anew at every step, the program chooses better.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from agentc.compiler.logic.ir import FALSE, TRUE, Formula, and_, formula
from agentc.compiler.logic.rewrite import nnf, simplify
from agentc.compiler.signals.allocations import allocations_of
from agentc.compiler.signals.alternatives import random_alternative
from agentc.compiler.signals.decompose import decompose
from agentc.compiler.signals.subgoals import Decomposition, GroundedPlan
from agentc.runtime.planning.milp import Program, Solution, attempt
from agentc.runtime.planning.problem import Problem
from agentc.runtime.planning.travel import Travel

MOST_VARIABLES = 12
"""Formulas with more time variables are left to the program."""
EACH = 0.34
"""The share of the time that one grounded program gets."""


def solve_grounded(
    problem: Problem, program: Program, *, margin: float, seconds: float, seed: int = 0,
    tick: Callable[[str], None] | None = None,
) -> Solution | None:
    """The solution of the first of some random partly grounded programs that has one; None if none had in time.

    Raises :class:`AgentcError` (AS1201).
    """
    end, rng = time.perf_counter() + seconds, random.Random(seed)
    plans = [decompose(item.formula, problem.last) for item in problem.items]
    if not any(1 <= len(p.variables) <= MOST_VARIABLES for p in plans):
        return None
    travel, tried = Travel(program), 0
    while (left := end - time.perf_counter()) > 0:
        drawn = [_grounded(plan, travel, rng) for plan in plans]
        if None in drawn:
            tried += 1
            if tried > 1000:
                return None
            continue
        if tick is not None:
            tick(f"solving with some times fixed, {left:.0f} s left")
        core = simplify(nnf(and_(*(f for f in drawn if f is not None))))
        found = attempt(program, core, margin, min(left, EACH * seconds))
        if found.status == "feasible":
            return found
    return None


def _grounded(plan: Decomposition, travel: Travel, rng: random.Random) -> Formula | None:
    """The formula, with its times fixed if they are few; None if what was drawn takes too little time."""
    if not 1 <= len(plan.variables) <= MOST_VARIABLES:
        return plan.formula
    alternative = random_alternative(plan, rng)
    narrow = None if alternative is None else travel.tightened(alternative)
    space = None if narrow is None else allocations_of(narrow)
    if narrow is None or space is None:
        return None
    (allocation,) = space.sample(1, rng)
    return as_formula(narrow.ground(allocation))


def as_formula(plan: GroundedPlan) -> Formula:
    """A formula that holds on a trace of the plan's length exactly if the trace meets it."""
    reach = [formula("U", (TRUE, prop), (t, t)) for prop, t in plan.reach]
    stay = [formula("R", (FALSE, prop), (a, b)) for prop, a, b in plan.stay if a <= b]
    return and_(*reach, *stay)
