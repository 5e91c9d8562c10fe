"""Systems for tests, from their text."""

from agentc.compiler.agent import AgentIR, SystemIR
from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import Severity
from agentc.lang.source import Source


def agent(system: str, arguments: str = "horizon = 10", body: str = "") -> AgentIR:
    """The agent of a file with one system, which must be right."""
    name = system.split("{")[0].split("(")[0].split()[1]
    text = f"{system}\nagent A {{\n  env {name}({arguments})\n{body}\n}}\n"
    result = check(Source("spec.agentspec", text))
    wrong = [(d.code, d.message) for d in result.diagnostics if d.severity is Severity.ERROR]
    assert not wrong, wrong
    return result.agents[0]


def system(text: str, arguments: str = "horizon = 10") -> SystemIR:
    """The system of a text."""
    found = agent(text, arguments).system
    assert found is not None
    return found


UNICYCLE = """system unicycle {
  state x, y : real [m], theta : real [rad]
  input v : real in [0, 1] [m/s], omega : real in [-1, 1] [rad/s]
  disturbance w : real in [-0.01, 0.01] [m/s]
  x' = v * cos(theta) + w;  y' = v * sin(theta);  theta' = omega
  step 0.1s by rk4
  init { x in [0, 1]; y = normal(0m, 0.1m); theta in [-0.1, 0.1]; x + y < 1m }
  controller ahead { v = 2m/s * (1 - x / 4m); omega = -theta * 1Hz }
}"""

THERMOSTAT = """system thermostat {
  state temperature : real, switches : real
  input draught : real in [0, 1]
  switches' = 0Hz
  mode heating {
    temperature' = 2Hz - draught * 1Hz
    on temperature >= 22 -> cooling { switches' = switches + 1 }
  }
  mode cooling {
    temperature' = -0.1Hz * temperature
    on temperature <= 18 -> heating { switches' = switches + 1 }
  }
  step 0.5s by exact
  init { temperature in [17, 23]; switches = 0 }
}"""

GRID = """system grid {
  state x, y : int in [0, 4]
  input move : enum {up, down, left, right}
  command north when move == up    { 0.8 : y' = min(y + 1, 4); 0.2 : - }
  command south when move == down  { 0.8 : y' = max(y - 1, 0); 0.2 : - }
  command west  when move == left  { 0.8 : x' = max(x - 1, 0); 0.2 : - }
  command east  when move == right & x < 4 { 0.8 : x' = x + 1; 0.2 : y' = min(y + 1, 4) }
  init { x in [0, 1]; y = 0 }
}"""

DIE = """system die {
  state face : int in [0, 6], thrown : bool, hand : enum {left, right}
  command roll when !thrown {
    0.5 : face' = 1, thrown' = true
    0.25 : face' = 2, thrown' = true, hand' = right
    0.25 : -
  }
  command swap when hand == left & !thrown { hand' = right }
  init { face = 0; thrown = false; hand in {left, right} }
}"""
