"""Allocations of time variables: difference constraints, their closure, how many solutions they have, and samples.

Source: Cormen, Leiserson, Rivest, Stein, *Introduction to Algorithms*, section 22.4 (difference constraints are
shortest paths: a solution exists if and only if there is no negative cycle, and then the closure's bounds are attained
by integers); Dechter, *Bucket elimination*, AIJ 113 (1999), for counts and exact samples. Deviation: none; where the
tables of an elimination would be too large, counting is refused and samples come from a Gibbs sampler, whose one-step
moves are exact because each variable's range given the others is an interval.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agentc.compiler.signals.subgoals import START, Alternative, Difference, TimeVariable

UNBOUNDED = 1 << 60
"""A bound that is none."""
MAX_TABLE = 400_000
"""The most entries of a table of an elimination."""


class TooManyError(Exception):
    """The tables that an exact count needs are too large."""


@dataclass(frozen=True)
class Allocations:
    """The allocations of some variables under difference constraints, tightened.

    ``names`` are the variables' indices; ``bound[i][j]`` is the least bound of ``x_i - x_j`` that follows, where
    position 0 is the start of the trace, of value 0, and position ``k + 1`` the variable ``names[k]``.
    """

    names: tuple[int, ...]
    bound: tuple[tuple[int, ...], ...]

    def range(self, k: int) -> tuple[int, int]:
        """The least and the greatest value of the k-th variable in any allocation; both are attained."""
        return -self.bound[0][k + 1], self.bound[k + 1][0]

    def earliest(self) -> dict[int, int]:
        """The allocation in which every variable has its least value; it satisfies all constraints."""
        return {name: self.range(k)[0] for k, name in enumerate(self.names)}

    # ---------------------------------------------------------------- counting and sampling

    def count(self) -> int:
        """How many allocations there are. Raises :class:`TooManyError` if the tables would be too large."""
        return _Elimination(self).total

    def sample(self, number: int, rng: random.Random) -> list[dict[int, int]]:
        """``number`` independent allocations, uniform; by a Gibbs sampler where a count would be too costly."""
        try:
            exact = _Elimination(self)
        except TooManyError:
            return self._gibbs(number, rng)
        return [exact.draw(rng) for _ in range(number)]

    def _gibbs(self, number: int, rng: random.Random, sweeps: int = 20) -> list[dict[int, int]]:
        """Approximately uniform: each sample is ``sweeps`` sweeps away from the one before."""
        value = [0, *(self.earliest()[name] for name in self.names)]
        drawn = []
        for _ in range(number):
            for _ in range(sweeps):
                for i in range(1, len(value)):
                    lo, hi = self.given(i, value)
                    value[i] = rng.randint(lo, hi)
            drawn.append(dict(zip(self.names, value[1:], strict=True)))
        return drawn

    def given(self, i: int, value: Sequence[int]) -> tuple[int, int]:
        """The range of position ``i`` given the values of all others."""
        others = [j for j in range(len(value)) if j != i]
        return (max(value[j] - self.bound[j][i] for j in others), min(value[j] + self.bound[i][j] for j in others))


def allocations(variables: Iterable[TimeVariable], differences: Iterable[Difference]) -> Allocations | None:
    """The allocations within the bounds of the variables and the constraints; None if there is none.

    Shortest paths from every variable to every other; a negative cycle is what makes it infeasible.
    """
    variables, differences = tuple(variables), tuple(differences)
    names = tuple(v.index for v in variables)
    position = {START: 0} | {name: k + 1 for k, name in enumerate(names)}
    n = len(position)
    bound = [[0 if i == j else UNBOUNDED for j in range(n)] for i in range(n)]
    for v in variables:
        k = position[v.index]
        bound[k][0], bound[0][k] = v.hi, -v.lo
        if v.lo > v.hi:
            return None
    for d in differences:
        i, j = position[d.left], position[d.right]
        bound[i][j] = min(bound[i][j], d.bound)
        if i == j and d.bound < 0:
            return None
    for group in _groups(n, [(position[d.left], position[d.right]) for d in differences]):
        for k in group:
            through = bound[k]
            for i in group:
                first, row = bound[i][k], bound[i]
                if first < UNBOUNDED:
                    for j in group:
                        if first + through[j] < row[j]:
                            row[j] = first + through[j]
        if any(bound[i][i] < 0 for i in group):
            return None
    for i in range(n):  # what lies in different groups meets at the start only
        for j in range(n):
            bound[i][j] = min(bound[i][j], bound[i][0] + bound[0][j])
    return Allocations(names, tuple(map(tuple, bound)))


def _groups(n: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The connected positions, each group with position 0, through which nothing counts as connected."""
    leader = list(range(n))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for i, j in edges:
        if i and j:
            leader[find(i)] = find(j)
    groups: dict[int, list[int]] = {}
    for i in range(1, n):
        groups.setdefault(find(i), [0]).append(i)
    return list(groups.values()) or [[0]]


def earliest(lowest: Mapping[int, int], highest: Mapping[int, int], differences: Sequence[Difference]) -> (
    dict[int, int] | None
):
    """The least values from ``lowest`` up that satisfy the constraints; None if one exceeds ``highest``.

    Bellman-Ford from below: it ends, because every value is bounded from above.
    """
    value = {**lowest, START: 0}
    changed = True
    while changed:
        changed = False
        for d in differences:
            least = value[d.left] - d.bound
            if value[d.right] < least:
                if d.right == START or least > highest[d.right]:
                    return None
                value[d.right], changed = least, True
    del value[START]
    return value


def allocations_of(alternative: Alternative) -> Allocations | None:
    """The allocations of an alternative, None if there is none: then the alternative is pruned."""
    return allocations(alternative.variables, alternative.differences)


# ---------------------------------------------------------------- elimination


@dataclass(frozen=True)
class _Bucket:
    """What eliminating a variable leaves: its range and weights for each assignment of its neighbours."""

    variable: int
    neighbours: tuple[int, ...]
    factors: tuple[_Table, ...]


@dataclass(frozen=True)
class _Table:
    """A number for each assignment of some positions."""

    over: tuple[int, ...]
    entries: Mapping[tuple[int, ...], int]


class _Elimination:
    """Counts solutions variable by variable, the one with the fewest neighbours first.

    Only constraints that no others imply make neighbours.
    """

    def __init__(self, space: Allocations) -> None:
        self.space = space
        self.bound = space.bound
        self.size = len(space.names) + 1
        self.needed = _needed(space.bound)
        factors: list[_Table] = []
        left = set(range(1, self.size))
        self.buckets: list[_Bucket] = []
        total = 1
        while left:
            around = {i: self._neighbours(i, left, factors) for i in left}
            i = min(left, key=lambda v: (self._cost(around[v]), v))
            if self._cost((*around[i], i)) > MAX_TABLE:
                raise TooManyError
            mine = tuple(t for t in factors if i in t.over)
            bucket = _Bucket(i, around[i], mine)
            entries = {
                values: weight
                for values in self._assignments(around[i])
                if (weight := sum(self._weights(bucket, values).values()))
            }
            factors = [t for t in factors if i not in t.over]
            if around[i]:
                factors.append(_Table(around[i], entries))
            else:
                total *= entries.get((), 0)
            self.buckets.append(bucket)
            left.discard(i)
        self.total = total

    def _neighbours(self, i: int, left: set[int], factors: Sequence[_Table]) -> tuple[int, ...]:
        found = {j for j in left if j != i and (self.needed[i][j] or self.needed[j][i])}
        found.update(j for t in factors if i in t.over for j in t.over if j != i)
        return tuple(sorted(found))

    def _domain(self, i: int) -> range:
        return range(-self.bound[0][i], self.bound[i][0] + 1)

    def _cost(self, positions: Sequence[int]) -> int:
        size = 1
        for i in positions:
            size *= len(self._domain(i))
        return size

    def _assignments(self, positions: tuple[int, ...]) -> Iterable[tuple[int, ...]]:
        """Assignments that respect the constraints between the positions."""
        partial: list[tuple[int, ...]] = [()]
        for k, i in enumerate(positions):
            partial = [
                (*values, v)
                for values in partial
                for v in self._domain(i)
                if all(
                    v - values[m] <= self.bound[i][positions[m]] and values[m] - v <= self.bound[positions[m]][i]
                    for m in range(k)
                )
            ]
        return partial

    def _weights(self, bucket: _Bucket, values: tuple[int, ...]) -> dict[int, int]:
        """For each value of the bucket's variable, how many ways there are below it, given its neighbours."""
        i = bucket.variable
        lo, hi = -self.bound[0][i], self.bound[i][0]
        for j, v in zip(bucket.neighbours, values, strict=True):
            lo, hi = max(lo, v - self.bound[j][i]), min(hi, v + self.bound[i][j])
        assigned = dict(zip(bucket.neighbours, values, strict=True))
        found = {}
        for x in range(lo, hi + 1):
            assigned[i] = x
            weight = 1
            for table in bucket.factors:
                weight *= table.entries.get(tuple(assigned[j] for j in table.over), 0)
                if not weight:
                    break
            if weight:
                found[x] = weight
        return found

    def draw(self, rng: random.Random) -> dict[int, int]:
        """One solution, uniform: the variables in the reverse of the order in which they were eliminated."""
        value: dict[int, int] = {}
        for bucket in reversed(self.buckets):
            weights = self._weights(bucket, tuple(value[j] for j in bucket.neighbours))
            pick = rng.randrange(sum(weights.values()))
            for x, weight in weights.items():
                pick -= weight
                if pick < 0:
                    value[bucket.variable] = x
                    break
        return {name: value[k + 1] for k, name in enumerate(self.space.names)}


def _needed(bound: Sequence[Sequence[int]]) -> list[list[bool]]:
    """Which bounds of the closure do not follow from two others, greedily: equal ones keep one representative."""
    n = len(bound)
    kept = [[i != j and bound[i][j] < UNBOUNDED for j in range(n)] for i in range(n)]
    # variables at a fixed distance of each other imply each other: the chain through the least of them is kept
    leader = [min(j for j in range(n) if bound[i][j] + bound[j][i] == 0) for i in range(n)]
    for i in range(n):
        for j in range(n):
            if not kept[i][j]:
                continue
            if leader[i] != i or leader[j] != j:
                kept[i][j] = leader[i] == j or leader[j] == i
            else:
                kept[i][j] = not any(
                    k not in (i, j) and leader[k] == k and bound[i][k] + bound[k][j] <= bound[i][j] for k in range(n)
                )
    return kept
