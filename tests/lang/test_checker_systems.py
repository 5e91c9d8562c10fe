"""Systems: what is wrong with declared dynamics, and what they mean as the environment of an agent."""

import pytest

from agentc.lang.checked import CheckedAgent
from agentc.lang.checked_system import CheckedSystem
from agentc.lang.checker import check_module
from agentc.lang.imports import Library
from agentc.lang.parser import parse
from agentc.lang.source import Source
from agentc.lang.typed import show


def codes(text: str) -> list[str]:
    parsed = parse(Source("spec.agentspec", text))
    assert not parsed.diagnostics, parsed.diagnostics
    return [d.code for d in check_module(parsed.module, Library()).diagnostics]


def in_system(body: str) -> str:
    return "system s {\n" + body + "\n}\n"


RIGHT = [
    "state x : real [m]; input v : real in [0, 1] [m/s]; x' = v; step 0.1s by rk4",
    "state x : real; x' = -2Hz * x",
    "state n : int in [0, 9]; input k : int in [0, 1]; n' = n + k; step 1s by difference",
    "state x : real; mode up { x' = 1Hz; on x > 1 -> down { x' = 0 } }; mode down { x' = -1Hz; on x < 0 -> up }",
    "state x : real; x' = 1Hz; mode a { on x > 1 -> b; invariant x < 2 }; mode b { x' = 2Hz; on x > 3 -> a }",
    "state n : int in [0, 9]; command up when n < 9 { 0.9 : n' = n + 1; 0.1 : - }; command stay { n' = n }",
    "state on : bool, m : enum {a, b}; command flip { on' = !on, m' = b }",
    "state x : real; input v : real; x' = v * 1Hz; controller half { v = x / 2 }",
    "state x : real; x' = 1Hz; init { x in [0, 1] }",
    "state x : real, y : real; x' = y * 1Hz; y' = 1Hz; output x : real",
    "state x : real, n : int; x' = 1Hz; n' = 0Hz; mode a { on x > 1 -> a { n' = n + 1; x' = 0 } }",
]

WRONG = [
    ("state x : real [m]; input v : real [m/s]; x' = v; input w : real", ["AS0540"]),
    ("state x : real; disturbance w : real; x' = 1Hz", ["AS0540"]),
    ("state x : real, y : real; x' = 1Hz", ["AS0541"]),
    ("state x : real; x' = 1Hz; x' = 2Hz", ["AS0542"]),
    ("state x : real; input v : real; x' = v * 1Hz; v' = 2Hz", ["AS0543"]),
    ("state x : real; x' = 1Hz; z' = 1Hz", ["AS0203"]),
    ("state x : real [m]; x' = 1m", ["AS0414"]),
    ("state x : real [m]; input v : real [m/s]; x' = v * v", ["AS0414"]),
    ("input v : real", ["AS0510", "AS0540"]),
    ("state b : bool; b' = true", ["AS0301"]),
    ("state n : int; n' = 1Hz", ["AS0301"]),
    ("state x : real; state x : real; x' = 1Hz", ["AS0201"]),
    ("state x : text; x' = 1Hz", ["AS0301"]),
    ("state x : real; x' = 1Hz; step 0.1s; step 0.2s", ["AS0502"]),
    ("state x : real; x' = 1Hz; step 0.1s by rk5", ["AS0622"]),
    ("state x : real; x' = 1Hz; output z : real", ["AS0203"]),
    # modes
    ("state x : real; mode a { x' = 1Hz; on x > 1 -> c }; mode b { x' = 1Hz; on x > 1 -> a }", ["AS0203", "AS0511"]),
    ("state x : real; mode a { on x > 1 -> a }", ["AS0541"]),
    ("state x : real; mode a { x' = 1Hz }; mode a { x' = 2Hz }", ["AS0201"]),
    ("state x : real; mode a { x' = 1Hz; x' = 2Hz }", ["AS0542"]),
    ("state x : real [m]; mode a { x' = 1m/s; on x > 1m -> a { x' = 1s } }", ["AS0414"]),
    # commands
    ("state n : int; command a { 0.5 : n' = 1; 0.4 : n' = 2 }", ["AS0544"]),
    ("state n : int; command a { 0.5 : n' = 1; n' = 2 }", ["AS0551"]),
    ("state n : int; command a { 1.5 : n' = 1 }", ["AS0614"]),
    ("state n : int; command a when n { n' = 1 }", ["AS0311"]),
    ("state n : int; n' = 1Hz; command a { n' = 1 }", ["AS0545"]),
    ("state n : int; command a { n' = 2m }", ["AS0301"]),
    # controllers and initial values
    ("state x : real; input v : real; x' = v * 1Hz; controller c { }", ["AS0548"]),
    ("state x : real; input v : real; x' = v * 1Hz; controller c { v = 0; w = 1 }", ["AS0203"]),
    ("state x : real; input v : real; x' = v * 1Hz; controller c { v = 0; v = 1 }", ["AS0609"]),
    ("state x : real; x' = 1Hz; init { x }", ["AS0547"]),
    ("state x : real; x' = 1Hz; init { y = 1 }", ["AS0203"]),
    ("state x : real; x' = 1Hz; init { x in [2, 1] }", ["AS0314"]),
    ("state x : real; x' = 1Hz; init { x = normal(1) }", ["AS0547"]),
    ("state x : real; x' = 1Hz; init { x = 1; x = 2 }", ["AS0609"]),
    ("state x : real; x' = 1Hz; init { x = normal(1, 0) }", ["AS0614"]),
    ("state x : real; x' = 1Hz; init { x = uniform(2, 1) }", ["AS0314"]),
    ("state x : real; x' = 1Hz; init { x in [0, 1]; x + 1 }", ["AS0311"]),
    ("state x : real; x' = 1Hz; init [{ weight = 0; x = 1 }, { x = 2 }]", ["AS0614"]),
    ("state x : real; x' = 1Hz; init []", ["AS0547"]),
    ("state x : real; x' = 1Hz; init { x = 1 }; init { x = 2 }", ["AS0502"]),
]


@pytest.mark.parametrize("body", RIGHT)
def test_what_is_right(body: str) -> None:
    assert codes(in_system(body)) == []


@pytest.mark.parametrize(("body", "expected"), WRONG, ids=[b for b, _ in WRONG])
def test_what_is_wrong(body: str, expected: list[str]) -> None:
    assert codes(in_system(body)) == expected


CART = """
system cart(top : real [m/s] = 1m/s) {
  state x : real [m], w : real in [0, 5] [m/s]
  input v : real in [0.5, 2] [m/s], u : real in [-1, 1]
  disturbance d : real in [-0.1, 0.1] [m/s]
  x' = v + d * u
  w' = 1m/s^2
  step 0.1s by rk4
  init { w = 0m/s }
  controller crawl { v = 0.5m/s; u = 0 }
}
"""


def agent(env: str, body: str = "task f = F[1s, 2s] x > 3m") -> CheckedAgent:
    parsed = parse(Source("spec.agentspec", CART + f"agent A {{ env {env}\n{body} }}"))
    assert not parsed.diagnostics, parsed.diagnostics
    spec = check_module(parsed.module, Library())
    assert spec.diagnostics == (), spec.diagnostics
    return spec.agents[0]


def test_a_system_is_an_environment() -> None:
    found = agent("cart(horizon = 50, init = { x in [0, 1] })")
    environment = found.environment
    assert environment is not None
    assert [s.name for s in environment.signals] == ["x", "w", "action.v", "action.u"]
    assert (environment.engine, environment.step, environment.horizon) == ("system", 0.1, 50)
    assert environment.controls == ("action.v", "action.u")
    assert found.formulas[0].typed.interval == (10, 20)


def system_of(found: CheckedAgent) -> CheckedSystem:
    assert found.environment is not None and found.environment.system is not None
    return found.environment.system


def test_initial_values_of_the_agent_win() -> None:
    (component,) = system_of(agent("cart(init = { x = uniform(0, 1); w in [0, 2] })")).initial.components
    starts = {s.variable: (s.kind, s.values) for s in component.starts}
    assert starts == {"w": ("range", (0.0, 2.0)), "x": ("uniform", (0, 1))}


def test_initial_values_can_be_mixed_and_constrained() -> None:
    init = "[{ weight = 3; x = 0m; w = 1m/s }, { x in [1, 2]; w = 0m/s; x + 1m > w * 1s }]"
    system = system_of(agent(f"cart(init = {init})"))
    first, second = system.initial.components
    assert (first.weight, second.weight) == (3.0, 1.0)
    assert [s.kind for s in second.starts] == ["range", "point"]
    shown = ["(atom (compare:> (add signal:x const:1.0) (mul signal:w const:1.0)))"]
    assert [show(c) for c in second.constraints] == shown


def test_an_agent_adds_constraints_to_those_of_the_system() -> None:
    (component,) = system_of(agent("cart(init = { x in [0, 1]; x < w * 1s })")).initial.components
    assert len(component.constraints) == 1
    assert {s.variable for s in component.starts} == {"x", "w"}


def test_every_system_can_stop() -> None:
    system = system_of(agent("cart(init = { x = 0m })", "safe f = G x < 9m; deploy { fallback stop; monitor f }"))
    laws = {c.name: {e.target: e.value.value for e in c.laws} for c in system.controllers}
    assert laws == {"stop": {"v": 0.5, "u": 0.0}, "crawl": {"v": 0.5, "u": 0}}  # the nearest to zero


def test_nobody_observes_a_disturbance() -> None:
    env = "cart(init = { x = 0m })"
    text = CART.replace("step 0.1s", "signal gusty : bool = d > 0m/s\n  prop calm = !gusty\n  step 0.1s")
    for read in ("d > 0m/s", "gusty", "calm"):
        assert codes(text + f"agent A {{ env {env}\n task f = F ({read}) }}") == ["AS0203"]
    assert codes(text + f"agent A {{ env {env}\n task f = F x > 0m }}") == []


def test_equations_are_kept() -> None:
    equations = {e.target: show(e.value) for e in system_of(agent("cart(init = { x = 0m })")).equations}
    assert equations["x"] == "(add signal:v (mul signal:d signal:u))"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ("cart()", ["AS0546"]),
        ("cart(init = { x = 0m; w = 9m/s })", ["AS0315"]),
        ("cart(init = 3)", ["AS0547"]),
        ("cart(horizon = 0, init = { x = 0m })", ["AS0614"]),
        ("cart(horison = 3, init = { x = 0m })", ["AS0305"]),
        ("cart(top = 3s, init = { x = 0m })", ["AS0414"]),
    ],
)
def test_wrong_arguments(env: str, expected: list[str]) -> None:
    text = CART + f"agent A {{ env {env} }}"
    assert codes(text) == expected
