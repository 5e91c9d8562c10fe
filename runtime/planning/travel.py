"""Travel times: when a proposition can hold at all, and how long it takes from one to the next, for linear systems.

From boxes that contain every reachable state, hence lower bounds that are sound: what they cut off, no trajectory does.
They prune alternatives and shrink allocations before anything is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.logic.ir import TRUE, Formula, formula
from agentc.compiler.logic.rewrite import nnf, simplify
from agentc.compiler.signals.allocations import allocations_of
from agentc.compiler.signals.subgoals import START, Alternative, Difference, Subgoal
from agentc.runtime.planning.clauses import FALSE, expand
from agentc.runtime.planning.halfspaces import Condition, Junction, NotLinearError, condition
from agentc.runtime.planning.linear import reachable_boxes
from agentc.runtime.planning.milp import SLACK, Grid, Program

Floats = NDArray[np.float64]


class Travel:
    """What is known of a linear program's travel times; asked for again, it remembers."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.grid = Grid(program, -SLACK)
        self._possible: dict[Formula, NDArray[np.bool_]] = {}
        self._between: dict[tuple[Formula, Formula], int] = {}

    def possible(self, prop: Formula) -> NDArray[np.bool_]:
        """The steps at which a proposition may hold, ``(last + 1,)``; all where it is not linear."""
        if prop not in self._possible:
            self._possible[prop] = self._steps(prop, self.grid)
        return self._possible[prop]

    def between(self, first: Formula, then: Formula) -> int:
        """How many steps it takes at least from where ``first`` holds to where ``then`` does."""
        key = first, then
        if key not in self._between:
            box = self._box(first)
            grid = Grid(replace(self.program, start=box), -SLACK) if box is not None else None
            steps = np.flatnonzero(self._steps(then, grid)) if grid is not None else np.zeros(1, int)
            self._between[key] = int(steps[0]) if len(steps) else self.program.last + 1
        return self._between[key]

    def tightened(self, alternative: Alternative) -> Alternative | None:
        """The alternative with these bounds among its constraints; None if they leave it no allocation."""
        variables = {v.index: v for v in alternative.variables}
        for s in alternative.subgoals:
            can = self.possible(s.prop)
            if s.at.variable == START:
                if not can[s.at.offset]:
                    return None
                continue
            v = variables[s.at.variable]
            steps = [t for t in range(v.lo, v.hi + 1) if t + s.at.offset <= alternative.last and can[t + s.at.offset]]
            if not steps:
                return None
            variables[v.index] = replace(v, lo=steps[0], hi=steps[-1])
        bounded = replace(alternative, variables=tuple(variables.values()))
        space = allocations_of(bounded)
        if space is None:
            return None
        place = {START: 0} | {name: k + 1 for k, name in enumerate(space.names)}
        more: list[Difference] = []
        for first, then in _ordered(bounded.subgoals):
            i, j = place[first.at.variable], place[then.at.variable]
            if i != j and space.bound[i][j] + first.at.offset - then.at.offset <= 0:  # first is never after then
                least = self.between(first.prop, then.prop)
                if least > 0:
                    apart = then.at.offset - first.at.offset
                    more.append(Difference(first.at.variable, then.at.variable, apart - least))
        narrow = replace(bounded, differences=(*bounded.differences, *more))
        return None if allocations_of(narrow) is None else narrow

    # ---------------------------------------------------------------- parts

    def _steps(self, prop: Formula, grid: Grid) -> NDArray[np.bool_]:
        core = simplify(nnf(prop))
        found = np.ones(self.program.last + 1, bool)
        try:
            for t in range(len(found)):
                at = formula("U", (TRUE, core), (t, t))
                found[t] = expand(at, self.program.last, grid.column, grid.bounds, slack=-SLACK).root != FALSE
        except NotLinearError:
            found[:] = True
        return found

    def _box(self, prop: Formula) -> tuple[Floats, Floats] | None:
        """A box that contains every reachable state in which the proposition holds; None if there is none."""
        n, last = self.grid.n, self.program.last
        p = self.program
        boxes = reachable_boxes(p.steps, p.start, p.inputs, (p.states[0] - SLACK, p.states[1] + SLACK), last)
        lo, hi = boxes[0].min(axis=0), boxes[1].max(axis=0)
        core = simplify(nnf(prop))
        for literal in core.args if core.op == "and" else (core,):
            if literal.op not in ("atom", "not"):
                continue
            try:
                self._cut(condition(literal), lo, hi)
            except NotLinearError:
                continue
        assert len(lo) == n
        return None if (lo > hi).any() else (lo, hi)

    def _cut(self, c: Condition, lo: Floats, hi: Floats) -> None:
        """Cut a box by the conditions on one state each that must hold."""
        if isinstance(c, Junction):
            for part in c.parts if c.every else ():
                self._cut(part, lo, hi)
        elif len(c.weights) == 1:
            ((name, before), weight), k = c.weights[0], None
            if not before:
                k = self.grid.state.get(name)
            if k is not None:
                end = -c.constant / weight
                if weight > 0:
                    lo[k] = max(lo[k], end - SLACK)
                else:
                    hi[k] = min(hi[k], end + SLACK)


def _ordered(subgoals: Sequence[Subgoal]) -> list[tuple[Subgoal, Subgoal]]:
    """All pairs of different subgoals, in both orders."""
    return [(a, b) for a in subgoals for b in subgoals if a is not b]
