"""A system goes to a bundle and comes back; what no spec denotes is refused, with its place."""

from dataclasses import replace
from pathlib import Path

import pytest
from systems.declared import DIE, GRID, THERMOSTAT, UNICYCLE, system

import agentc.stdlib.systems
from agentc.compiler.agent import AgentIR, BranchIR, CommandIR, EquationIR, StartIR, VariableIR
from agentc.compiler.codec import decode_agent, encode_agent
from agentc.compiler.logic.ir import FALSE, TRUE, compare, const, prop, signal, term
from agentc.compiler.pipeline import check
from agentc.compiler.systems.wellformed import check_system
from agentc.lang.source import Source

LIBRARY = [
    (path.stem, line.split()[1].split("(")[0])
    for path in sorted(Path(next(iter(agentc.stdlib.systems.__path__))).glob("*.agentspec"))
    for line in path.read_text().splitlines()
    if line.startswith("system ")
]


def agent_of(module: str, name: str) -> AgentIR:
    states = check(Source("s.agentspec", f"import std.systems.{module}: {name}\nagent A {{ env {name}() }}"))
    missing = [d.message.split("`")[1] for d in states.diagnostics if d.code == "AS0546"]
    init = "{ " + "; ".join(f"{s} in [0, 1]" for s in missing) + " }"
    text = f"import std.systems.{module}: {name}\nagent A {{ env {name}(init = {init}) }}"
    result = check(Source("s.agentspec", text))
    assert result.ok, result.diagnostics
    return result.agents[0]


@pytest.mark.parametrize(("module", "name"), LIBRARY, ids=[n for _, n in LIBRARY])
def test_systems_of_the_library_come_back_from_a_bundle(module, name):
    agent = agent_of(module, name)
    back = decode_agent(encode_agent(agent))
    assert back.system == agent.system
    assert back == agent


@pytest.mark.parametrize("text", [UNICYCLE, THERMOSTAT, GRID, DIE])
def test_what_is_right(text):
    check_system(system(text))


X = signal("x")
VARIABLES = system(UNICYCLE).variables
EQUATION = EquationIR("x", X)


def changed(**parts):
    return replace(system(UNICYCLE), **parts)


def in_equation(value):
    spec = system(UNICYCLE)
    return replace(spec, equations=(EquationIR("x", value), *spec.equations[1:]))


def in_start(start):
    spec = system(UNICYCLE)
    (component,) = spec.initial.components
    starts = (start, *component.starts[1:])
    return replace(spec, initial=replace(spec.initial, components=(replace(component, starts=starts),)))


def with_command(guard=TRUE, weights=(1.0,), value=X):
    branches = tuple(BranchIR(w, (EquationIR("x", value),)) for w in weights)
    return changed(equations=(), commands=(CommandIR("c", guard, branches),), controllers=())


@pytest.mark.parametrize(
    ("made", "place"),
    [
        (lambda: changed(variables=(VariableIR("u", "input", "real"),), controllers=()), "variables"),
        (lambda: changed(variables=(*VARIABLES, VariableIR("x", "state", "real"))), "variables"),
        (lambda: changed(variables=(*VARIABLES, VariableIR("e", "disturbance", "enum"))), "variables.e"),
        (lambda: changed(integrator="rk5"), "integrator"),
        (lambda: changed(step=0.0), "step"),
        (lambda: changed(step=float("inf")), "step"),
        (lambda: changed(outputs=("v",)), "outputs"),
        (lambda: changed(equations=system(UNICYCLE).equations[1:]), "equations"),
        (lambda: changed(equations=(*system(UNICYCLE).equations, EQUATION)), "equations"),
        (lambda: in_equation(term("prev", value="x")), "equations.x"),
        (lambda: in_equation(signal("z")), "equations.x"),
        (lambda: in_equation(const("fast")), "equations.x"),
        (lambda: in_equation(TRUE), "equations.x"),
        (lambda: in_equation(term("count", (prop("x"),), None, (0, 3))), "equations.x"),
        (lambda: in_start(StartIR("x", "range", (2.0, 1.0))), "initial.x"),
        (lambda: in_start(StartIR("x", "normal", (0.0, -1.0))), "initial.x"),
        (lambda: in_start(StartIR("x", "point", (True,))), "initial.x"),
        (lambda: in_start(StartIR("theta", "point", (1.0,))), "initial"),
        (lambda: with_command(weights=(0.5, 0.4)), "commands.c"),
        (lambda: with_command(weights=(1.5, -0.5)), "commands.c"),
        (lambda: with_command(guard=compare("<", const("a"), const("b"))), "commands.c"),
        (lambda: replace(with_command(), equations=system(UNICYCLE).equations), "commands"),
        (lambda: replace(with_command(), initial=replace(with_command().initial, components=())), "initial"),
    ],
)  # fmt: skip
def test_what_no_spec_denotes_is_refused_with_its_place(made, place):
    with pytest.raises(ValueError) as error:
        check_system(made())
    assert str(error.value).split(":")[0] == place


def test_a_law_reads_no_disturbance():
    spec = system(UNICYCLE)
    laws = tuple(replace(e, value=signal("w")) for e in spec.controllers[0].laws)
    with pytest.raises(ValueError, match=r"controllers\.stop"):
        check_system(replace(spec, controllers=(replace(spec.controllers[0], laws=laws),)))
    constrained = replace(spec.initial.components[0], constraint=compare(">", signal("v"), const(0.0)))
    with pytest.raises(ValueError, match="initial"):
        check_system(replace(spec, initial=replace(spec.initial, components=(constrained,))))
    assert FALSE is not TRUE
