"""Difference constraints against enumeration: feasibility, tight bounds, counts, samples."""

import itertools
import math
import random
from collections import Counter

import pytest

from agentc.compiler.signals import allocations as module
from agentc.compiler.signals.allocations import TooManyError, allocations, earliest
from agentc.compiler.signals.subgoals import Difference, TimeVariable


def problem(rng, most=4, width=5):
    """Some variables with small bounds, and random constraints among them and with the start."""
    n = rng.randint(1, most)
    variables = []
    for k in range(n):
        lo = rng.randint(0, 4)
        variables.append(TimeVariable(k + 1, lo, lo + rng.randint(0, width), ""))
    differences = [
        Difference(*rng.sample(range(n + 1), 2), rng.randint(-4, 4)) for _ in range(rng.randint(0, 2 * n))
    ]
    return variables, differences


def solutions(variables, differences):
    """All allocations by enumeration."""
    found = []
    for values in itertools.product(*(range(v.lo, v.hi + 1) for v in variables)):
        x = {0: 0} | {v.index: value for v, value in zip(variables, values, strict=True)}
        if all(x[d.left] - x[d.right] <= d.bound for d in differences):
            found.append(values)
    return found


def test_feasibility_bounds_and_counts():
    rng, infeasible = random.Random("allocations"), 0
    for _ in range(400):
        variables, differences = problem(rng)
        expected = solutions(variables, differences)
        space = allocations(variables, differences)
        least = earliest({v.index: v.lo for v in variables}, {v.index: v.hi for v in variables}, differences)
        if not expected:
            infeasible += 1
            assert space is None
            assert least is None
            continue
        assert space is not None
        assert space.count() == len(expected)
        for k, column in enumerate(zip(*expected, strict=True)):
            assert space.range(k) == (min(column), max(column))
        lowest = tuple(map(min, zip(*expected, strict=True)))
        assert tuple(space.earliest().values()) == lowest
        assert tuple(least[v.index] for v in variables) == lowest
    assert 50 < infeasible < 350


def test_samples_are_solutions_and_all_of_them_occur():
    rng = random.Random("samples")
    for _ in range(25):
        variables, differences = problem(rng, most=3, width=3)
        expected = set(solutions(variables, differences))
        space = allocations(variables, differences)
        if space is None:
            continue
        for drawn in (space.sample(40 * len(expected), rng), space._gibbs(40 * len(expected), rng, sweeps=4)):
            counts = Counter(tuple(d.values()) for d in drawn)
            assert set(counts) == expected


def test_exact_samples_are_uniform():
    # tau_1 <= tau_2 in [0, 3]: 10 allocations, of which a choice of tau_1 first would prefer those with a late one
    variables = [TimeVariable(1, 0, 3, ""), TimeVariable(2, 0, 3, "")]
    space = allocations(variables, [Difference(1, 2, 0)])
    counts = Counter(tuple(d.values()) for d in space.sample(20_000, random.Random(1)))
    assert len(counts) == 10
    chi = sum((c - 2_000) ** 2 / 2_000 for c in counts.values())
    assert chi < 27.9  # the 0.1 % quantile of chi-square with 9 degrees of freedom


def test_long_chains_are_counted_exactly():
    # 8 visits in order within 100 steps: combinations with repetition
    variables = [TimeVariable(k, 0, 99, "") for k in range(1, 9)]
    space = allocations(variables, [Difference(k, k + 1, 0) for k in range(1, 8)])
    assert space.count() == math.comb(107, 8)


def test_what_cannot_be_counted_is_refused_and_sampled(monkeypatch):
    monkeypatch.setattr(module, "MAX_TABLE", 10)
    variables = [TimeVariable(k, 0, 9, "") for k in range(1, 4)]
    space = allocations(variables, [Difference(1, 2, 0), Difference(2, 3, 0)])
    with pytest.raises(TooManyError):
        space.count()
    assert all(d[1] <= d[2] <= d[3] for d in space.sample(50, random.Random(0)))
