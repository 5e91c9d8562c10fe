"""Reachable sets through modes: sets hold the runs of the simulator, verdicts, what is refused."""

import numpy as np
import pytest

from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.runtime.verify.answer import Verdict
from agentc.runtime.verify.method import decide
from agentc.runtime.verify.simulation import Controller, Simulation

from .systems import problem

THERMOSTAT = """
system thermostat {
  state temperature : real
  mode heating {
    temperature' = 1.5Hz
    on temperature >= 22 -> cooling
  }
  mode cooling {
    temperature' = -0.1Hz * temperature
    on temperature <= 18 -> heating
  }
  step 0.1s by exact
  init { temperature in [19, 21] }
}
"""

BALL = """
system ball {
  state x : real [m], v : real [m/s]
  disturbance wind : real in [-0.1, 0.1] [m/s^2]
  mode fly {
    x' = v
    v' = -9.8m/s^2 + wind
    on x <= 0m & v < 0m/s -> fly { v' = -0.7 * v; x' = 0m }
  }
  step 0.05s by rk4
  init { x in [0.9, 1.1]; v = 0m/s }
}
"""


def runs(p, count=2000):
    simulation = Simulation(p.agent.system, Controller(""), p.item.formula, p.agent.environment.horizon)
    rng = np.random.default_rng(1)
    start, _ = simulation.simulator.start(rng, count)
    return simulation.rollouts(start, rng.random((count, simulation.steps, simulation.width)))


CASES = [
    (THERMOSTAT, "G (mode == cooling -> temperature > 17)", Verdict.PROVED),
    (THERMOSTAT, "G temperature <= 22.2 & F[0s, 3s] mode == cooling", Verdict.PROVED),
    (THERMOSTAT, "G (temperature <= 22.05)", Verdict.FALSIFIED),
    (THERMOSTAT, "G mode == heating", Verdict.FALSIFIED),
    (BALL, "G x <= 1.2m & G v >= -6m/s", Verdict.PROVED),
    (BALL, "F[0s, 0.6s] v >= 1m/s", Verdict.PROVED),
    (BALL, "G v <= 0.5m/s", Verdict.FALSIFIED),
]


@pytest.mark.parametrize(("system", "formula", "wanted"), CASES)
def test_verdicts(system, formula, wanted):
    p = problem(system, formula, "by reach { time = 40s }", horizon=30)
    answer = decide(p)
    assert answer.verdict is wanted, answer.sentence
    if wanted is Verdict.FALSIFIED:
        assert not evaluate(p.item.formula, Trace(answer.evidence["trace"]))
        return
    assert not answer.checked and "modes" in answer.sentence
    signals = runs(p)
    for i, variable in enumerate(p.agent.system.states):
        for t, (lo, hi) in enumerate(answer.evidence["tube"]):
            values = signals[variable.name][:, t]
            assert values.min() >= lo[i] - 1e-9 and values.max() <= hi[i] + 1e-9, (variable.name, t)


def test_guards_that_read_inputs_are_refused():
    driven = BALL.replace("disturbance wind", "input wind").replace("v < 0m/s ->", "v < 0m/s & wind >= 0m/s^2 ->")
    answer = decide(problem(driven, "G x <= 1.2m", "by reach", horizon=5))
    assert answer.verdict is Verdict.UNKNOWN and "a transition reads what is no state" in answer.sentence
