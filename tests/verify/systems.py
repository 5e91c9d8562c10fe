"""Small systems as specs, for the methods that follow states."""

from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.verify.problem import problem_of

PENDULUM = """
system pendulum {
  state th : real [rad], om : real [rad/s]
  input torque : real in [-20, 20] [1/s^2]
  disturbance w : real in [-0.01, 0.01] [1/s^2]
  th' = om
  om' = 2 * sin(th) / (1s * 1s) + torque + w
  step 0.05s by rk4
  init { th in [1, 1.2]; om in [0, 0.2] }
  controller swing { torque = -8 * (1.5 * th / 1s + om) / 1s }
}
"""

TANK = """
system tank {
  state level : real [m]
  input inflow : real in [0, 0.2] [m/s]
  disturbance leak : real in [0, 0.01] [m/s]
  level' = inflow - leak
  step 1s
  init { level in [0.4, 0.6] }
  controller shut { inflow = 0m/s }
  controller fill { inflow = 0.1m/s }
}
"""


def agent_of(system, body, horizon=20):
    name = system.split()[1]
    text = f"{system}\nagent A {{\n  env {name}(horizon = {horizon})\n{body}\n}}\n"
    result = check([Source("a.agentspec", text)])
    assert result.ok, [d.message for d in result.diagnostics]
    return result.agents[0]


def problem(system, formula, how="", role="task", horizon=20, folder="."):
    from pathlib import Path

    agent = agent_of(system, f"  {role} f = {formula}\n  verify f {how}", horizon)
    return problem_of(agent, 0, Path(folder))
