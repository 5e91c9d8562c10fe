"""Programs with some times fixed: what they find satisfies the whole problem."""

import random

from planning.problems import point, scenario
from planning.test_travel import trajectories

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.signals.alternatives import random_plans
from agentc.runtime.planning import planner
from agentc.runtime.planning.grounding import as_formula, solve_grounded
from agentc.runtime.planning.milp import Solution
from agentc.runtime.planning.planner import plan, program_of


def test_a_plan_as_a_formula_is_met_exactly_where_it_holds():
    problem = point("F (x > 0.3 & F x < 0.2) & F[2, 9] G[0, 1] y > 0.1", horizon=10)
    met, rng = 0, random.Random(4)
    for trace in trajectories(problem, 80, 9):
        for drawn in random_plans(problem.subgoals, 60, rng, each=4):
            holds = evaluate(as_formula(drawn), trace)
            assert holds == drawn.met(trace)
            met += holds
    assert met > 5


def test_what_is_found_satisfies_the_whole_problem():
    problem = scenario("either_or")
    found = solve_grounded(problem, program_of(problem), margin=1e-3, seconds=60, seed=1)
    assert found is not None
    assert problem.judge(found.inputs, found.start).satisfied


def test_the_planner_falls_back_on_it(monkeypatch):
    monkeypatch.setattr(planner, "solve", lambda *_, **__: Solution("unknown"))
    outcome = plan(scenario("reach_avoid"), "milp", seconds=60)
    assert outcome.status == "satisfied"


def test_without_times_to_fix_there_is_nothing_to_do():
    problem = point("G x < 1")
    assert solve_grounded(problem, program_of(problem), margin=1e-3, seconds=5) is None
