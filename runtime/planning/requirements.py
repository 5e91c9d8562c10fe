"""What a grounded plan asks for: which proposition has to hold at which step.

By the contract of timed subgoals (``docs/architecture/subgoals.md``) a trace of the plan's length at which every
required proposition holds satisfies the formula.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.logic.ir import Formula
from agentc.compiler.signals.subgoals import Decomposition, GroundedPlan, Invariant, Subgoal, walk

Truths = NDArray[np.bool_]


def propositions_of(plan: Decomposition) -> tuple[Formula, ...]:
    """The propositions that the plans of a decomposition speak of, each once, in the order of the walk."""
    return tuple(dict.fromkeys(n.prop for n in walk(plan.root) if isinstance(n, Subgoal | Invariant)))


def required_steps(plan: GroundedPlan) -> dict[Formula, Truths]:
    """For each proposition that a plan requires somewhere, at which steps, ``(last + 1,)``."""
    found: dict[Formula, Truths] = {}
    for prop, since, until in (*((prop, t, t) for prop, t in plan.reach), *plan.stay):
        if since <= until:
            found.setdefault(prop, np.zeros(plan.last + 1, np.bool_))[since : until + 1] = True
    return found


def required(plan: GroundedPlan, propositions: tuple[Formula, ...]) -> Truths:
    """Which proposition is required at which step, ``(propositions, last + 1)``. Raises ``KeyError`` for another's."""
    place = {prop: k for k, prop in enumerate(propositions)}
    table = np.zeros((len(propositions), plan.last + 1), np.bool_)
    for prop, steps in required_steps(plan).items():
        table[place[prop]] = steps
    return table
