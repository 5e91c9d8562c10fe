"""Small systems and problems for the tests of planning."""

from dataclasses import replace
from pathlib import Path

import numpy as np

import agentc.specs.planning
from agentc.compiler.agent import FormulaIR
from agentc.compiler.pipeline import check, compile_formula, read
from agentc.lang.source import Source
from agentc.runtime.planning.problem import problem_of

SCENARIOS = Path(agentc.specs.planning.__file__).parent

POINT = """
system point {
  state x, y : real in [-6, 6] [m], vx, vy : real in [-2, 2] [SPEED]
  input ax, ay : real in [-1, 1] [FORCE]
  x' = EQUATIONS
  step 1s by INTEGRATOR
}
agent A {
  env point(horizon = HORIZON, init = { x = 0; y = 0; vx = 0; vy = 0 })
  task goal = F x > 1m
}
"""


def agents(text):
    """The agents of a spec."""
    found = check(Source("spec.agentspec", text))
    assert found.ok, found.diagnostics
    return found.agents


def point(formula, horizon=6, integrator="euler"):
    """The problem of a formula over a point mass in the plane."""
    moved = integrator == "difference"  # the same system, stated by next values
    terms = "x + vx; y' = y + vy; vx' = vx + ax; vy' = vy + ay" if moved else "vx; y' = vy; vx' = ax; vy' = ay"
    units = ("m", "m") if moved else ("m/s", "m/s^2")
    text = POINT.replace("SPEED", units[0]).replace("FORCE", units[1]).replace("EQUATIONS", terms)
    text = text.replace("INTEGRATOR", integrator).replace("HORIZON", str(horizon))
    agent = agents(text)[0]
    # compiled by itself: the checks of a spec would refuse a formula that nothing satisfies
    goal = compile_formula(formula, [s for s in agent.environment.signals if "." not in s.name])
    return problem_of(replace(agent, formulas=(FormulaIR("goal", "task", goal, formula),)))


def scenario(name, **options):
    """The problem of a shipped scenario."""
    (agent,) = check(read(str(SCENARIOS / f"{name}.agentspec"))).agents
    return problem_of(agent, **options)


def wandering(problem, rng, number):
    """Random inputs ``(number, last, m)`` of all sizes, some of them piecewise constant."""
    lo, hi = problem.input_range
    inputs = rng.uniform(lo, hi, (number, problem.last, len(lo)))
    held = np.repeat(inputs[:, ::3], 3, axis=1)[:, : problem.last]
    return np.where(rng.random((number, 1, 1)) < 0.5, inputs, held) * rng.random((number, 1, 1))
