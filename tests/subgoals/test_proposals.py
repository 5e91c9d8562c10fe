"""Proposals: only feasible plans, and a chain whose distribution is the one that is stated."""

import itertools
import math

import numpy as np
import pytest

from agentc.compiler.agent import SignalIR
from agentc.compiler.pipeline import compile_formula
from agentc.compiler.signals.decompose import decompose
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.subgoals.proposals import Pool, accepted

SIGNALS = (SignalIR("p", "bool"), SignalIR("q", "bool"), SignalIR("r", "bool"))


def pool_of(text, last, size=400, seed=0):
    return Pool(decompose(compile_formula(text, SIGNALS), last), size, seed)


def test_every_proposal_is_a_plan():
    pool = pool_of("F[0, 6] (p & F[1, 4] (q | r)) & G[2, 5] F[0, 3] r", 12)
    rng = np.random.default_rng(0)
    plan = pool.draw(rng)
    for _ in range(400):
        plan = pool.proposed(plan, 0.1, rng)
        _ = plan.plan  # `ground` refuses an allocation that breaks a bound or a constraint


def chain(pool, value, temperature, fresh, steps, seed):
    rng = np.random.default_rng(seed)
    plans = [pool.draw(rng) for _ in range(100)]
    counts = {}
    for step in range(steps):
        others = [pool.proposed(p, fresh, rng) for p in plans]
        gain = np.array([value(b) - value(a) for a, b in zip(plans, others, strict=True)])
        taken = accepted(gain, temperature, rng)
        plans = [b if yes else a for a, b, yes in zip(plans, others, taken, strict=True)]
        if step >= 20:
            for p in plans:
                counts[p.number, p.times] = counts.get((p.number, p.times), 0) + 1
    total = sum(counts.values())
    return {k: n / total for k, n in counts.items()}


@pytest.mark.parametrize("fresh", [0.0, 0.4])
def test_the_chain_has_the_stated_distribution(fresh):
    """Against enumeration: exp(value / temperature) over the feasible allocations, whatever proposes them."""
    pool = pool_of("F[0, 4] (p & F[1, 3] q)", 8, size=4000)
    (space,) = pool.spaces
    value = lambda plan: -abs(plan.times[0] - 2) + 0.5 * math.sin(plan.times[-1])
    assert len(space.names) == 2
    (a, b), (c, d) = space.range(0), space.range(1)
    weights = {}
    for times in itertools.product(range(a, b + 1), range(c, d + 1)):
        if all(
            lo <= t <= hi
            for k, t in enumerate(times)
            for lo, hi in [space.given(k + 1, [0, *times])]
        ):
            plan = type(pool.drawn[0])(pool, 0, times)
            weights[0, times] = math.exp(value(plan) / 0.5)
    total = sum(weights.values())
    found = chain(pool, value, 0.5, fresh, 320, 1)
    assert set(found) <= set(weights)
    distance = 0.5 * sum(abs(found.get(k, 0.0) - w / total) for k, w in weights.items())
    assert distance < 0.06
    uniform = 0.5 * sum(abs(1 / len(weights) - w / total) for w in weights.values())
    assert uniform > 0.2  # what a chain that never asked would have


def test_what_has_no_plan_is_refused():
    with pytest.raises(AgentcError) as caught:
        pool_of("F[5, 6] p & last", 8)
    assert [d.code for d in caught.value.diagnostics] == ["AS1540"]


def test_plans_come_back_from_arrays():
    pool = pool_of("F[0, 6] (p | F[1, 4] q) & F[0, 9] r", 12)
    rng = np.random.default_rng(5)
    plans = [pool.moved(pool.draw(rng), rng) for _ in range(30)]
    packed = pool.pack(plans)
    again = pool.unpack(packed["number"], packed["times"])
    assert [(p.number, p.times) for p in again] == [(p.number, p.times) for p in plans]
