"""Travel times are lower bounds: no simulated trajectory is faster, and no plan that one meets is pruned."""

import numpy as np
from planning.problems import point, scenario, wandering

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.signals.alternatives import alternatives
from agentc.compiler.signals.meeting import meeting
from agentc.runtime.planning.planner import program_of
from agentc.runtime.planning.travel import Travel

PLACES = ("(x, y) in box(lo = (1, -1), hi = (3, 2))", "x < -1 & abs(vy) <= 1", "x + y > 2", "vx > 0.5 | y < -2",
          "(x, y) not in box(lo = (-1, -1), hi = (1, 1))")  # fmt: skip


def trajectories(problem, number, seed):
    rng = np.random.default_rng(seed)
    judged = (problem.judge(inputs) for inputs in wandering(problem, rng, number))
    return [problem.trace(j.states, j.inputs) for j in judged if not j.refused]


def test_nothing_is_faster():
    problem = point("F x > 1", horizon=10)
    travel = Travel(program_of(problem))
    props = [point(f"F ({text})").formula.args[0] for text in PLACES]
    traces, seen = trajectories(problem, 60, 5), 0
    assert len(traces) > 20
    for trace in traces:
        held = [[evaluate(p, trace, t) for t in range(len(trace))] for p in props]
        for p, steps in zip(props, held, strict=True):
            assert not any(s and not can for s, can in zip(steps, travel.possible(p), strict=True))
            for q, later in zip(props, held, strict=True):
                for t in np.flatnonzero(steps):
                    then = np.flatnonzero(later[t:])
                    if len(then):
                        seen += 1
                        assert then[0] >= travel.between(p, q)
    assert seen > 200
    assert not travel.possible(props[0])[1]
    assert travel.between(props[0], props[1]) >= 1


def test_no_plan_that_is_met_is_pruned():
    problem = point("F (x > 0.3 & F x < 0.2) & F[2, 9] G[0, 1] y > 0.1", horizon=10)
    travel, met = Travel(program_of(problem)), 0
    kept = {a.choices: travel.tightened(a) for a in alternatives(problem.subgoals)}
    for trace in trajectories(problem, 250, 9):
        plan = meeting(problem.subgoals, trace)
        if plan is None:
            continue
        met += 1
        narrow = [a for a in kept.values() if a is not None]
        assert any(_fits(a, plan.allocation) for a in narrow)
    assert met >= 3


def _fits(alternative, allocation):
    try:
        alternative.ground(allocation)
    except (KeyError, ValueError):
        return False
    return True


def test_too_short_is_pruned_before_anything_is_sampled():
    assert all(Travel(program_of(p)).tightened(a) is None for p in [scenario("reach_avoid", last=7)]
               for a in alternatives(p.subgoals))  # fmt: skip
    problem = scenario("reach_avoid")
    (alternative,) = alternatives(problem.subgoals)
    assert alternative.variables[0].lo == 0
    assert Travel(program_of(problem)).tightened(alternative).variables[0].lo >= 7
