"""What holds of every declared system that the front end lowers, and must hold of one that was read from a file."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from agentc.compiler.agent import ComponentIR, EquationIR, SystemIR, VariableIR
from agentc.compiler.logic.ir import Formula, Node, Value, postorder
from agentc.compiler.logic.sorts import check_sorts, sort_of_signal
from agentc.compiler.systems.graph import graph_of

INTEGRATORS = ("euler", "midpoint", "heun", "rk4", "rk45", "exact", "difference")
"""How a step of a differential equation is made; ``difference`` is none: the equations give the next value."""

PRESENT = frozenset((
    "const", "signal", "tuple", "index", "compare", "in_range", "in_set", "in_region",
    "neg", "abs", "sqrt", "sin", "cos", "tan", "exp", "log", "norm", "add", "sub", "mul", "div", "pow", "dist",
    "atan2", "min", "max", "box", "ball", "halfspace", "polytope", "ellipsoid", "union", "intersection", "complement",
    "true", "false", "atom", "not", "and", "or", "implies", "xor", "iff",
))  # fmt: skip
"""The operators that a declared system can have: those of the present state."""


def check_system(system: SystemIR) -> None:
    """Raise ``ValueError`` that names the place if no spec could denote the system."""
    names = _distinct((v.name for v in system.variables), "variables")
    for variable in system.variables:
        _variable(variable)
    states = {v.name: v for v in system.states}
    _must(bool(states), "variables", "there is no state")
    _must(system.integrator in INTEGRATORS, "integrator", f"there is no integrator {system.integrator!r}")
    if system.step is not None:
        _must(math.isfinite(system.step) and system.step > 0, "step", f"{system.step} is no duration")
    _distinct(system.outputs, "outputs")
    _must(set(system.outputs) <= states.keys(), "outputs", "one is no state")
    _must(not system.commands or not (system.equations or system.modes), "commands", "there are equations too")
    everything = _Expressions(system.variables)
    whole = not system.commands and not system.modes
    everything.equations(system.equations, states, "equations", whole=whole)
    targets = _distinct((m.name for m in system.modes), "modes")
    for mode in system.modes:
        place = f"modes.{mode.name}"
        everything.equations(mode.equations, states, place, whole=True)
        if mode.invariant is not None:
            everything.present(mode.invariant, place)
        for transition in mode.transitions:
            _must(transition.target in targets, place, f"there is no mode {transition.target!r}")
            everything.present(transition.guard, place)
            everything.equations(transition.resets, states, place)
    _distinct((c.name for c in system.commands), "commands")
    for command in system.commands:
        place = f"commands.{command.name}"
        everything.present(command.guard, place)
        _weights([b.probability for b in command.branches], place)
        for branch in command.branches:
            everything.equations(branch.updates, states, place)
    inputs = {v.name: v for v in system.inputs}
    _distinct((c.name for c in system.controllers), "controllers")
    for controller in system.controllers:
        laws = _Expressions(system.variables, names - {v.name for v in system.disturbances} - inputs.keys())
        laws.equations(controller.laws, inputs, f"controllers.{controller.name}", whole=True)
    _weights([c.weight for c in system.initial.components], "initial")
    for component in system.initial.components:
        _component(component, states)
        if component.constraint is not None:
            _Expressions(system.variables, states).present(component.constraint, "initial")


class _Expressions:
    """Checks expressions that read some of the variables."""

    def __init__(self, variables: Iterable[VariableIR], read: Collection[str] | None = None) -> None:
        self._variables = tuple(variables)
        self._sorts = {v.name: sort_of_signal(v.kind) for v in variables if read is None or v.name in read}

    def present(self, root: Node, place: str, target: VariableIR | None = None) -> None:
        """An expression of the present values of variables; of the kind of ``target``, if it is the value of one."""
        nodes = list(postorder(root))
        for node in nodes:
            _must(node.op in PRESENT, place, f"{node.op!r} is not of the present state")
        try:
            check_sorts(nodes, self._sorts)
            graph_of([root], self._variables, [target])
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from None

    def equations(
        self, equations: tuple[EquationIR, ...], targets: Mapping[str, VariableIR], place: str, *, whole: bool = False
    ) -> None:
        """Equations of some of the targets; of all of them, if ``whole``."""
        found = _distinct((e.target for e in equations), place)
        _must(found <= targets.keys(), place, "a target is not there")
        _must(not whole or found == targets.keys(), place, "a variable has no equation")
        for equation in equations:
            at, target = f"{place}.{equation.target}", targets[equation.target]
            formula = isinstance(equation.value, Formula)
            _must(formula == (target.kind == "bool"), at, "the value of a Boolean, and of nothing else, is a formula")
            self.present(equation.value, at, target)


def _weights(weights: Sequence[float], place: str) -> None:
    sound = bool(weights) and all(0 <= p <= 1 for p in weights) and abs(sum(weights) - 1) <= 1e-9
    _must(sound, place, "its probabilities do not sum to 1")


def _must(condition: bool, place: str, reason: str) -> None:
    if not condition:
        raise ValueError(f"{place}: {reason}")


def _distinct(names: Iterable[str], place: str) -> frozenset[str]:
    listed = list(names)
    found = frozenset(listed)
    _must(len(found) == len(listed), place, "two have one name")
    _must(all(name.isidentifier() for name in listed), place, "one is no name")
    return found


def _variable(variable: VariableIR) -> None:
    place, lo, hi = f"variables.{variable.name}", variable.lo, variable.hi
    for bound in (lo, hi):
        _must(bound is None or math.isfinite(bound), place, f"{bound} is not finite")
    _must(lo is None or hi is None or lo <= hi, place, "its range is empty")
    _must((variable.kind == "enum") == bool(variable.members), place, "only an enum has members")
    _distinct(variable.members, place)


def _component(component: ComponentIR, states: Mapping[str, VariableIR]) -> None:
    found = _distinct((s.variable for s in component.starts), "initial")
    _must(found == states.keys(), "initial", "a state has no start, or what has one is no state")
    for start in component.starts:
        place, values = f"initial.{start.variable}", start.values
        for value in values if start.kind != "normal" else values[:1]:
            _must(_is_of(value, states[start.variable]), place, f"{value!r} is no value of it")
        if start.kind == "point":
            _must(len(values) == 1, place, "a point is one value")
        elif start.kind == "set":
            _must(len(values) > 0, place, "a set has no member")
        else:
            _must(len(values) == 2 and all(_is_number(v) for v in values), place, f"a {start.kind} has two numbers")
            a, b = values
            assert isinstance(a, int | float) and isinstance(b, int | float)
            _must(b > 0 if start.kind == "normal" else a <= b, place, "its parameters are none")


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_of(value: Value, variable: VariableIR) -> bool:
    if variable.kind == "bool":
        return isinstance(value, bool)
    if variable.kind == "enum":
        return value in variable.members
    if not _is_number(value) or (variable.kind == "int" and value != int(value)):  # type: ignore[arg-type]
        return False
    assert isinstance(value, int | float)
    return (variable.lo is None or value >= variable.lo) and (variable.hi is None or value <= variable.hi)
