"""The mixed-integer program: what it finds is so, and what it calls infeasible is."""

import itertools

import numpy as np
import pytest
from planning.problems import agents, point, scenario, wandering

from agentc.compiler.logic.semantics import robustness
from agentc.runtime.planning.linear import linear_steps, reachable_boxes
from agentc.runtime.planning.milp import solve
from agentc.runtime.planning.planner import plan, program_of
from agentc.runtime.planning.problem import problem_of

ATOMS = ("x >= 2", "y < -1", "x + y > 3", "abs(x - 1) <= 0.5", "(x, y) in box(lo = (1, 1), hi = (3, 2))",
         "(x, y) not in box(lo = (-1, -1), hi = (2, 0.5))", "vx > 1", "prev.x < x")  # fmt: skip
SHAPES = (
    "F[{i}] {p}", "G[{i}] {p}", "F[0, 4] ({p} & X {q})", "({p}) U[{i}] ({q})", "G[1, 5] F[0, 1] {p}",
    "F[1, 3] G[0, 2] {p}", "({p}) R[{i}] ({q})", "F {p} & F {q}", "G(({p}) -> F[0, 2] {q})",
    "F[{i}] {p} | G[2, 6] {q}", "({p}) W[{i}] ({q})", "!({p}) U (({q}) & X !({p}))",
    "WX[3] {p} & last -> X {q}", "F[{i}] {p} & G[0, 6] {q}",
)  # fmt: skip


def formulas(number, seed):
    rng = np.random.default_rng(list(seed.encode()))
    shapes = itertools.cycle(SHAPES)
    for shape in itertools.islice(shapes, number):
        a = int(rng.integers(0, 4))
        p, q = rng.choice(ATOMS, 2, replace=False)
        yield shape.format(i=f"{a}, {a + int(rng.integers(0, 3))}", p=f"({p})", q=f"({q})")


@pytest.mark.parametrize("integrator", ["euler", "exact", "difference"])
def test_feasible_is_satisfied_and_infeasible_never_is(integrator):
    rng = np.random.default_rng(7)
    kinds = {"feasible": 0, "infeasible": 0}
    for text in formulas(28, integrator):
        problem = point(text, integrator=integrator)
        solution = solve(program_of(problem), problem.core, margin=1e-3, seconds=20)
        kinds[solution.status] = kinds.get(solution.status, 0) + 1
        if solution.status == "feasible":
            judged = problem.judge(solution.inputs, solution.start)
            assert judged.satisfied or solution.note, (text, judged.verdicts)
            continue
        assert solution.status == "infeasible", text
        for inputs in wandering(problem, rng, 60):
            judged = problem.judge(inputs)
            assert judged.refused or not judged.satisfied, text
    assert kinds["feasible"] >= 10
    assert kinds["infeasible"] >= 2


def test_what_a_random_trajectory_does_robustly_is_feasible():
    rng, tried = np.random.default_rng(3), 0
    for text in formulas(56, "robust"):
        problem = point(text)
        for inputs in wandering(problem, rng, 25):
            judged = problem.judge(inputs)
            if not judged.refused and 0.01 < judged.robustness < np.inf:
                tried += 1
                assert solve(program_of(problem), problem.core, margin=1e-3).status == "feasible", text
                break
    assert tried >= 15


def test_the_boxes_contain_what_is_reachable():
    problem = point("F x > 1", horizon=12, integrator="rk4")
    program = program_of(problem)
    lo, hi = reachable_boxes(program.steps, program.start, program.inputs, program.states, 12)
    rng = np.random.default_rng(0)
    for inputs in wandering(problem, rng, 50):
        judged = problem.judge(inputs)
        if not judged.refused:
            assert (judged.states >= lo - 1e-9).all()
            assert (judged.states <= hi + 1e-9).all()
    assert lo[12, 0] == -6.0
    assert hi[1, 2] == pytest.approx(1.0)


@pytest.mark.parametrize("integrator", ["euler", "midpoint", "heun", "rk4", "rk45", "exact", "difference"])
def test_the_step_map_is_the_simulators(integrator):
    problem = point("F x > 1", integrator=integrator)
    steps = linear_steps(problem.system, problem.disturbance, 1.0)
    rng = np.random.default_rng(1)
    inputs = wandering(problem, rng, 1)[0] * 0.3
    judged = problem.judge(inputs)
    x = problem.start
    for t in range(problem.last):
        x = steps.state @ x + steps.input @ inputs[t] + steps.constant
        assert np.allclose(x, judged.states[t + 1], rtol=0, atol=1e-12)


def test_margins_are_maximised_for_the_choices_made():
    outcome = plan(scenario("reach_avoid"), "milp")
    assert outcome.status == "satisfied"
    assert outcome.judgement.robustness > 0.1


@pytest.mark.parametrize("name", ["reach_avoid", "random_multitarget"])
def test_too_short_a_horizon_is_proven_infeasible(name):
    outcome = plan(scenario(name, last=7), "milp")
    assert outcome.status == "infeasible"
    assert outcome.judgement is None


@pytest.mark.parametrize("name", ["reach_avoid", "either_or", "narrow_passage"])
def test_scenarios(name):
    problem = scenario(name)
    outcome = plan(problem, "milp")
    assert outcome.status == "satisfied"
    trace = problem.trace(outcome.judgement.states, outcome.judgement.inputs)
    assert robustness(problem.formula, trace) > 0
    assert outcome.plan.met(trace)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stepping_stones", "door_puzzle", "random_multitarget"])
def test_the_other_scenarios(name):
    assert plan(scenario(name), "milp").status == "satisfied"


def test_an_open_safe_is_no_proof():
    """A `safe` whose obligation is open at the end is not violated, although its formula is false there."""
    text = """
system point {
  state x : real in [-6, 6] [m]
  input v : real in [-1, 1] [m/s]
  x' = v
  step 1s by euler
}
agent A {
  env point(horizon = 3, init = { x = 0 })
  safe answer = G(x < 1m -> F[0, 3] x > 2m)
}
"""
    problem = problem_of(agents(text)[0], last=6)
    assert not problem.weakly_safe
    assert plan(problem, "milp").status == "satisfied"
    assert plan(problem_of(agents(text.replace("x > 2m", "x > 5m"))[0], last=5), "milp").status == "not found"


def test_a_start_at_the_end_of_a_range():
    (agent,) = agents("""
system rail {
  state x : real in [0, 5] [m]
  input v : real in [-1, 1] [m/s]
  x' = v
  step 1s by euler
}
agent A {
  env rail(horizon = 5, init = { x = 0 })
  task go = F x > 4m
}
""")
    assert plan(problem_of(agent), "milp").status == "satisfied"
    assert plan(problem_of(agent, last=3), "milp").status == "infeasible"


def test_equality_is_exact():
    outcome = plan(point("F[2, 6] x == 2", horizon=6), "milp")
    assert outcome.status in ("satisfied", "not found")  # as the solver's arithmetic has it; never infeasible
    assert abs(outcome.judgement.states[2:, 0] - 2).min() < 1e-6
    assert plan(point("F[0, 1] x == 2", horizon=6), "milp").status == "infeasible"
