"""The alternatives of a decomposition: one part chosen at each ``Either``, infeasible ones pruned as they arise.

A choice is dropped as soon as the difference constraints chosen so far have a negative cycle, so that no allocation is
ever sought in vain.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agentc.compiler.signals.allocations import allocations_of, earliest
from agentc.compiler.signals.subgoals import (
    START,
    Alternative,
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


@dataclass
class _Partial:
    """An alternative under construction: what is still to be walked, what was chosen."""

    todo: list[Node]
    choices: list[int] = field(default_factory=list)
    leaves: list[Node] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    checked: int = 0

    def copy(self) -> _Partial:
        return _Partial(
            list(self.todo), list(self.choices), list(self.leaves), list(self.differences), self.checked
        )

    def advance(self) -> Either | None:
        """Walk to the next ``Either`` and return it; None at the end."""
        while self.todo:
            node = self.todo.pop()
            if isinstance(node, Every):
                self.todo.extend(reversed(node.parts))
            elif isinstance(node, Either):
                return node
            else:
                self.leaves.append(node)
                if isinstance(node, Difference):
                    self.differences.append(node)
        return None

    def choose(self, node: Either, k: int) -> None:
        self.choices.append(k)
        self.todo.append(node.parts[k])


def alternatives(plan: Decomposition) -> Iterator[Alternative]:
    """Every feasible alternative, lazily, in order of their choices; there can be exponentially many."""
    stack = [_Partial([plan.root])]
    while stack:
        partial = stack.pop()
        node = partial.advance()
        if not _feasible(plan, partial):
            continue
        if node is None:
            yield finished(plan, tuple(partial.choices), partial.leaves)
            continue
        for k in reversed(range(len(node.parts))):
            branch = partial.copy()
            branch.choose(node, k)
            stack.append(branch)


def random_alternative(plan: Decomposition, rng: random.Random, tries: int = 1000) -> Alternative | None:
    """A feasible alternative by a random choice at each ``Either``, of those that keep the constraints feasible.

    Choices that turn out to be infeasible are taken back. None if there is none, or none was found in ``tries`` steps.
    """
    stack = [_Partial([plan.root])]
    for _ in range(tries):
        if not stack:
            return None
        partial = stack.pop()
        node = partial.advance()
        if not _feasible(plan, partial):
            continue
        if node is None:
            return finished(plan, tuple(partial.choices), partial.leaves)
        order = list(range(len(node.parts)))
        rng.shuffle(order)
        for k in order:
            branch = partial.copy()
            branch.choose(node, k)
            stack.append(branch)
    return None


def random_plans(plan: Decomposition, number: int, rng: random.Random, each: int = 1) -> list[GroundedPlan]:
    """``number`` grounded plans: random alternatives, for each of them ``each`` uniform allocations."""
    found: list[GroundedPlan] = []
    while len(found) < number:
        alternative = random_alternative(plan, rng)
        if alternative is None:
            break
        space = allocations_of(alternative)
        assert space is not None
        found += [alternative.ground(a) for a in space.sample(min(each, number - len(found)), rng)]
    return found


def _feasible(plan: Decomposition, partial: _Partial) -> bool:
    if len(partial.differences) == partial.checked:
        return True
    partial.checked = len(partial.differences)
    used = {v for d in partial.differences for v in (d.left, d.right)} - {START}
    lo, hi = ({v: getattr(plan.variables[v - 1], bound) for v in used} for bound in ("lo", "hi"))
    return earliest(lo, hi, partial.differences) is not None


def finished(plan: Decomposition, choices: tuple[int, ...], leaves: Sequence[Node]) -> Alternative:
    """The alternative that has these leaves."""
    used = sorted({v for leaf in leaves for v in occurring(leaf)} - {START})
    return Alternative(
        plan.last,
        choices,
        tuple(plan.variables[v - 1] for v in used),
        tuple(leaf for leaf in leaves if isinstance(leaf, Difference)),
        tuple(leaf for leaf in leaves if isinstance(leaf, Subgoal)),
        tuple(leaf for leaf in leaves if isinstance(leaf, Invariant)),
    )
