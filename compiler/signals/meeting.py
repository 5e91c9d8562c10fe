"""Which grounded plan a trace meets, if any: the decomposition as an evaluator, and the other half of its contract.

Backtracking over the choices and the time variables. The domain of a variable is a set of steps (the bits of an
integer); a subgoal leaves the steps at which its proposition holds, a difference constraint cuts the ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.signals.alternatives import finished
from agentc.compiler.signals.subgoals import (
    START,
    Decomposition,
    Difference,
    Either,
    Every,
    GroundedPlan,
    Invariant,
    Node,
    Subgoal,
    occurring,
)

MAX_STEPS = 100_000
"""The budget of a search: nodes of its tree."""


class SearchTooLongError(Exception):
    """The search exceeded its budget, so nothing is known."""


def meeting(plan: Decomposition, trace: Trace, max_steps: int = MAX_STEPS) -> GroundedPlan | None:
    """A grounded plan of the decomposition that the trace meets; None if there is none.

    Raises ``ValueError`` if the trace has another last step, :class:`SearchTooLongError` if the budget runs out.
    """
    if trace.last != plan.last:
        raise ValueError(f"the trace ends at step {trace.last}, the plans at {plan.last}")
    return _Search(plan, trace, max_steps).run()


@dataclass
class _State:
    todo: list[Node]
    choices: list[int]
    leaves: list[Node]
    domains: dict[int, int]


class _Search:
    def __init__(self, plan: Decomposition, trace: Trace, budget: int) -> None:
        self.plan, self.trace, self.budget = plan, trace, budget
        self.tables: dict[Formula, int] = {}

    def holds(self, prop: Formula) -> int:
        """The steps at which a proposition holds, as bits."""
        if prop not in self.tables:
            self.tables[prop] = sum(
                1 << t for t in range(len(self.trace)) if evaluate(prop, self.trace, t)
            )
        return self.tables[prop]

    def run(self) -> GroundedPlan | None:
        full = {v.index: ((1 << (v.hi - v.lo + 1)) - 1) << v.lo for v in self.plan.variables}
        stack = [_State([self.plan.root], [], [], {START: 1, **full})]
        while stack:
            state = stack.pop()
            self._spend()
            either = self.advance(state)
            if either is False:
                continue
            if either is None:
                allocation = self.assign(state.leaves, state.domains)
                if allocation is not None:
                    return finished(self.plan, tuple(state.choices), state.leaves).ground(allocation)
                continue
            assert isinstance(either, Either)
            for k in reversed(range(len(either.parts))):
                stack.append(
                    _State([*state.todo, either.parts[k]], [*state.choices, k], list(state.leaves),
                           dict(state.domains))
                )  # fmt: skip
        return None

    def _spend(self) -> None:
        self.budget -= 1
        if self.budget < 0:
            raise SearchTooLongError

    def advance(self, state: _State) -> Either | bool | None:
        """The next ``Either``, None at the end, False where it cannot go on."""
        while state.todo:
            node = state.todo.pop()
            if isinstance(node, Every):
                state.todo.extend(reversed(node.parts))
            elif isinstance(node, Either):
                return node if self.propagate(state.leaves, state.domains) else False
            else:
                state.leaves.append(node)
                if isinstance(node, Subgoal):
                    where = self.holds(node.prop)
                    v, k = node.at.variable, node.at.offset
                    state.domains[v] &= where >> k if k >= 0 else where << -k
                    if not state.domains[v]:
                        return False
        return None if self.propagate(state.leaves, state.domains) else False

    def propagate(self, leaves: list[Node], domains: dict[int, int]) -> bool:
        """Cut the domains by the constraints until nothing changes; False if one is empty."""
        changed = True
        while changed:
            changed = False
            for leaf in leaves:
                if isinstance(leaf, Invariant):
                    a, b = domains[leaf.since.variable], domains[leaf.until.variable]
                    if _single(a) and _single(b) and not self.kept(leaf, a.bit_length() - 1, b.bit_length() - 1):
                        return False
                if not isinstance(leaf, Difference):
                    continue
                left, right = domains[leaf.left], domains[leaf.right]
                most = right.bit_length() - 1 + leaf.bound  # of the left one
                least = (left & -left).bit_length() - 1 - leaf.bound  # of the right one
                left &= (1 << (most + 1)) - 1 if most >= 0 else 0
                right = right >> least << least if least > 0 else right
                if not left or not right:
                    return False
                if leaf.left == leaf.right and leaf.bound < 0:
                    return False
                if (left, right) != (domains[leaf.left], domains[leaf.right]):
                    domains[leaf.left] &= left
                    domains[leaf.right] &= right
                    changed = True
        return True

    def kept(self, leaf: Invariant, since: int, until: int) -> bool:
        """Whether an invariant holds for these values of its variables."""
        a, b = max(0, since + leaf.since.offset), min(self.plan.last, until + leaf.until.offset)
        if b < a:
            return True
        window = ((1 << (b - a + 1)) - 1) << a
        return self.holds(leaf.prop) & window == window

    def assign(self, leaves: list[Node], domains: dict[int, int]) -> dict[int, int] | None:
        """Values of the variables that occur, such that all leaves hold."""
        names = sorted({v for leaf in leaves for v in occurring(leaf)} - {START})
        stack = [dict(domains)]
        while stack:
            self._spend()
            here = stack.pop()
            if not self.propagate(leaves, here):
                continue
            open_ = [v for v in names if not _single(here[v])]
            if not open_:
                return {v: here[v].bit_length() - 1 for v in names}
            v = min(open_, key=lambda v: here[v].bit_count())
            rest, found = here[v], []
            while rest:
                bit = rest & -rest
                rest ^= bit
                found.append({**here, v: bit})
            stack.extend(reversed(found))
        return None


def _single(bits: int) -> bool:
    return bits & (bits - 1) == 0
