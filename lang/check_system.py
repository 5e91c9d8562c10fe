"""Systems: declared dynamics, by equations (perhaps with modes) or by guarded commands.

``x' = e`` is a differential equation, so ``e`` has the unit of ``x`` per second; ``step 0.1s by difference``
makes it the next value of ``x`` instead, as it always is in a guarded command. Modes say what holds in them, the
system's own equations hold in every mode that does not give its own. The first mode is the initial one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agentc.lang import ast
from agentc.lang.check_context import Context, head, listed, names_in, of_type, text
from agentc.lang.check_signal import check_signal, check_step
from agentc.lang.checked import CheckedOutline, CheckedSignal, Content
from agentc.lang.context import nearest
from agentc.lang.diagnostics import Annotation
from agentc.lang.imports import declare
from agentc.lang.names import kind_in_words
from agentc.lang.records import dataclass
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.typed import Typed, Value
from agentc.lang.types import Type, unbounded
from agentc.lang.units import SECOND

SYSTEM_ARGUMENTS = ("horizon", "init")
"""What ``env`` can say of a system beside the system's own parameters."""

INTEGRATORS = ("euler", "midpoint", "heun", "rk4", "rk45", "difference")
"""What may stand behind ``step ... by``; ``difference`` says that the equations give the next value."""

DISTRIBUTIONS = {"uniform": 2, "normal": 2}
"""Distributions of initial values, with their number of parameters."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A state, an input, a disturbance or an output."""

    name: str
    kind: str
    type: Type
    span: Span
    unit: str | None


@dataclass(frozen=True, slots=True)
class CheckedSystem:
    """A checked system: its variables and, as content for later backends, its dynamics."""

    variables: tuple[Variable, ...]
    signals: tuple[CheckedSignal, ...]
    step: float | None
    integrator: str
    dynamics: Mapping[str, Content]
    controllers: Mapping[str, Content]
    initial: Mapping[str, Content]


class _Body:
    """The state of checking one system: what its expressions have used."""

    def __init__(self, context: Context, item: ast.System, scope: Scope, difference: bool) -> None:
        self.context, self.item, self.scope, self.difference = context, item, scope, difference
        self.variables: dict[str, Variable] = {}

    def of_kind(self, kind: str) -> list[Variable]:
        return [v for v in self.variables.values() if v.kind == kind]

    def proposition(self, expr: ast.Expr) -> Typed:
        return self.context.elaborator.proposition(expr, self.scope)

    def value(self, expr: ast.Expr, of: Type) -> Typed:
        """An expression for a value of a type."""
        if of.kind == "bool":
            return self.proposition(expr)
        wanted = None if of.kind == "error" else unbounded(of)
        return self.context.elaborator.term(expr, self.scope, wanted)


def check_system(
    context: Context,
    item: ast.System,
    scope: Scope,
    *,
    initial: ast.Expr | None = None,
    used_as_environment: Span | None = None,
) -> CheckedSystem:
    """Check a system whose parameters stand in ``scope``; ``initial`` is the ``init`` that an agent gives."""
    place = f"the system `{item.name}`"
    steps = [i for i in item.items if isinstance(i, ast.StepSize)]
    context.single(steps, "step", place)
    step, integrator = _step(context, steps, scope)
    body = _Body(context, item, scope, integrator == "difference")
    if step is not None:
        scope.step = step
    signals: list[CheckedSignal] = []
    _declare_variables(body)
    for part in of_type(item.items, ast.Signal):
        assert isinstance(part, ast.Signal)
        signals.extend(check_signal(context, part, scope))
    for part in item.items:
        if isinstance(part, DEFINED):
            context.diagnostics.extend(declare(part, scope))
    commands = [i for i in item.items if isinstance(i, ast.Command)]
    equations = [i for i in item.items if isinstance(i, ast.Equation)]
    modes = [i for i in item.items if isinstance(i, ast.Mode)]
    dynamics: dict[str, Content] = {}
    if commands and (equations or modes):
        first = Annotation(head((equations or modes)[0]), "an equation stands here")
        context.report("AS0545", head(commands[0]), name=item.name, annotations=(first,))
    elif commands:
        dynamics["commands"] = tuple(_command(body, c) for c in commands)
    else:
        dynamics.update(_equations(body, equations, modes))
    controllers = {c.name: _controller(body, c) for c in item.items if isinstance(c, ast.Controller)}
    broken = any(isinstance(i, ast.ErrorItem) for i in item.items)
    used = names_in(i for i in item.items if not isinstance(i, ast.Variables | ast.Controller))
    for variable in () if broken else body.variables.values():
        if variable.kind in ("input", "disturbance") and variable.name not in used:
            context.report("AS0540", variable.span, kind=variable.kind, name=variable.name)
    return CheckedSystem(
        tuple(body.variables.values()),
        tuple(signals),
        step,
        integrator,
        dynamics,
        controllers,
        _initial(body, initial, used_as_environment),
    )


DEFINED = (ast.Constant, ast.Pattern, ast.Proposition, ast.RegionItem, ast.FormulaItem, ast.ErrorItem)
"""Definitions that a system can have."""


def _step(context: Context, steps: list[ast.StepSize], scope: Scope) -> tuple[float | None, str]:
    if not steps:
        return None, "rk4"
    item = steps[0]
    if item.integrator is not None and item.integrator not in INTEGRATORS:
        context.report(
            "AS0622", item.integrator_span or item.span, name=item.integrator, known=listed(INTEGRATORS),
            suggestion=nearest(item.integrator, INTEGRATORS),
        )  # fmt: skip
    return check_step(context, item, scope), item.integrator or "rk4"


def _declare_variables(body: _Body) -> None:
    context = body.context
    for item in body.item.items:
        if not isinstance(item, ast.Variables):
            continue
        for declaration in item.declarations:
            type_ = context.elaborator.type(declaration.type, body.scope)
            if type_.kind not in ("real", "int", "bool", "enum", "error"):
                found, wanted = f"`{type_}`", f"the type of a{'n' if item.kind[0] in 'io' else ''} {item.kind}"
                context.report("AS0301", declaration.type.span, found=found, wanted=wanted)
                type_ = Type("error")
            for name, span in zip(declaration.names, declaration.name_spans, strict=True):
                if item.kind == "output":
                    _output(body, name, span)
                    continue
                symbol = Symbol(name, item.kind, type_, span, item, body.scope)
                if context.define(body.scope, symbol):
                    body.variables[name] = Variable(name, item.kind, type_, span, declaration.type.unit)


def _output(body: _Body, name: str, span: Span) -> None:
    """An output is a state that is seen; without any, all of them are."""
    state = body.variables.get(name)
    if state is None or state.kind != "state":
        body.context.unknown("state", name, [v.name for v in body.of_kind("state")], span)


# ---------------------------------------------------------------- equations and modes


def _rate(body: _Body, of: Type) -> Type:
    """The type of the right-hand side of an equation."""
    if body.difference or of.kind == "error":
        return of
    return replace(unbounded(of), kind="real", unit=of.unit / SECOND)


def _equation(body: _Body, item: ast.Equation, found: dict[str, ast.Equation]) -> Typed | None:
    """The right-hand side of an equation of a state that has none yet."""
    variable = body.variables.get(item.target)
    if variable is None:
        symbol = body.scope.lookup(item.target)
        if symbol is None:
            known = [v.name for v in body.of_kind("state")]
            body.context.unknown("state", item.target, known, item.target_span)
        elif symbol.kind != "error":
            body.context.report("AS0543", item.target_span, name=item.target, found=kind_in_words(symbol))
    elif variable.kind != "state":
        kind = f"a{'n' if variable.kind == 'input' else ''} {variable.kind}"
        body.context.report("AS0543", item.target_span, name=item.target, found=kind)
        variable = None
    if item.target in found:
        first = Annotation(found[item.target].target_span, "the first is here")
        body.context.report("AS0542", item.target_span, name=item.target, annotations=(first,))
        variable = None
    if variable is None:
        return None
    found[item.target] = item
    if variable.type.kind in ("bool", "enum") and not body.difference:
        body.context.report(
            "AS0301", variable.span, found=f"`{variable.type}`", wanted="a number (the equations are differential)"
        )
        return None
    return body.value(item.value, _rate(body, variable.type))


def _equations(body: _Body, equations: list[ast.Equation], modes: list[ast.Mode]) -> dict[str, Content]:
    seen: dict[str, ast.Equation] = {}
    made = {e.target: typed for e in equations if (typed := _equation(body, e, seen)) is not None}
    broken = any(isinstance(i, ast.ErrorItem) for i in body.item.items)
    states = body.of_kind("state")
    if not states and not broken:
        body.context.report(
            "AS0510", body.item.name_span, block=f"the system `{body.item.name}`", mend="write `state x : real`"
        )
    if not modes:
        for state in states:
            if state.name not in seen and not broken:
                body.context.report("AS0541", state.span, name=state.name, where="")
        return {"equations": made}
    names: dict[str, ast.Mode] = {}
    for mode in modes:
        if mode.name in names:
            first = Annotation(names[mode.name].name_span, "first declared here")
            body.context.report("AS0201", mode.name_span, name=mode.name, kind="mode", annotations=(first,))
        names.setdefault(mode.name, mode)
    content = {m.name: _mode(body, m, names, seen, made, states) for m in names.values()}
    targets = {e.target for m in modes for e in m.items if isinstance(e, ast.Edge)}
    for mode in list(names.values())[1:]:
        if mode.name not in targets:
            body.context.report("AS0511", mode.name_span, kind="mode", name=mode.name)
    return {"equations": made, "modes": content}


def _mode(
    body: _Body,
    mode: ast.Mode,
    names: Mapping[str, ast.Mode],
    outside: Mapping[str, ast.Equation],
    inherited: Mapping[str, Typed],
    states: Iterable[Variable],
) -> Content:
    seen: dict[str, ast.Equation] = {}
    made: dict[str, Typed] = dict(inherited)
    edges: list[Content] = []
    invariants: list[Content] = []
    for part in mode.items:
        if isinstance(part, ast.Equation):
            typed = _equation(body, part, seen)
            if typed is not None:
                made[part.target] = typed
        elif isinstance(part, ast.Edge):
            if part.target not in names:
                body.context.unknown("mode", part.target, names, part.target_span)
            edges.append(
                {
                    "guard": body.proposition(part.guard),
                    "target": part.target,
                    "resets": _updates(body, [r for r in part.resets if isinstance(r, ast.Equation)]),
                }
            )
        elif isinstance(part, ast.Setting) and part.word == "invariant":
            invariants.append(body.proposition(part.value))
    broken = any(isinstance(i, ast.ErrorItem) for i in (*mode.items, *body.item.items))
    for state in states:
        if state.name not in seen and state.name not in outside and not broken:
            where = f" in the mode `{mode.name}`"
            body.context.report("AS0541", mode.name_span, name=state.name, where=where)
    return {"equations": made, "jumps": tuple(edges), "invariants": tuple(invariants)}


def _updates(body: _Body, items: Iterable[ast.Equation]) -> dict[str, Content]:
    """Assignments of next values: those of a reset or of a command's branch."""
    difference, body.difference = body.difference, True
    seen: dict[str, ast.Equation] = {}
    made = {e.target: typed for e in items if (typed := _equation(body, e, seen)) is not None}
    body.difference = difference
    return dict(made)


# ---------------------------------------------------------------- guarded commands


def _command(body: _Body, command: ast.Command) -> Content:
    branches = [b for b in command.branches if isinstance(b, ast.Branch)]
    whole = len(branches) == len(command.branches)
    made: list[Content] = []
    total, known = 0.0, whole
    for branch in branches:
        probability: float | None = 1.0
        if branch.probability is not None:
            probability = body.context.number(branch.probability, body.scope, "probability", 0, 1)
            known = known and probability is not None
        elif len(branches) > 1:
            body.context.report("AS0551", head(branch), name=command.name)
            known = False
        total += probability or 0.0
        made.append({"probability": probability, "updates": _updates(body, branch.updates)})
    if known and branches and abs(total - 1) > 1e-9:
        body.context.report("AS0544", command.name_span, name=command.name, sum=f"{total:.10g}")
    guard = None if command.guard is None else body.proposition(command.guard)
    return {"name": command.name, "guard": guard, "branches": tuple(made)}


# ---------------------------------------------------------------- controllers and initial values


def _controller(body: _Body, item: ast.Controller) -> Content:
    context, inputs = body.context, {v.name: v for v in body.of_kind("input")}
    values: dict[str, Content] = {}
    for entry in item.body.entries:
        if isinstance(entry.value, ast.ErrorExpr):
            continue
        key_span = entry.key_span or entry.span
        if entry.key is None:
            context.report("AS0608", entry.span)
        elif entry.key not in inputs:
            context.unknown("input", entry.key, inputs, key_span)
        elif entry.key in values:
            context.report("AS0609", key_span, name=entry.key)
        else:
            wanted = unbounded(inputs[entry.key].type)
            values[entry.key] = context.elaborator.term(entry.value, body.scope, wanted)
    whole = all(e.key in inputs and not isinstance(e.value, ast.ErrorExpr) for e in item.body.entries)
    for name in inputs if whole else ():  # an entry that was reported may have been meant for the missing input
        if name not in values:
            context.report("AS0548", item.name_span, name=item.name, input=name)
    return values


def _initial(body: _Body, given: ast.Expr | None, used: Span | None) -> dict[str, Content]:
    """Where each state begins: what the agent says, else what the system says."""
    context = body.context
    inside = [i for i in body.item.items if isinstance(i, ast.Setting) and i.word == "init"]
    context.single(inside, "init", f"the system `{body.item.name}`")
    found: dict[str, Content] = {}
    reported = False
    for record in ([inside[0].value] if inside else []) + ([given] if given is not None else []):
        if not isinstance(record, ast.Record):
            if not isinstance(record, ast.ErrorExpr):
                context.report("AS0547", record.span)
            reported = True
            continue
        here: set[str] = set()
        for entry in record.entries:
            name, value = _initial_entry(body, entry)
            if name is None or value is None:
                reported = True
                continue
            if name in here:
                context.report("AS0609", entry.span, name=name)
            here.add(name)
            found[name] = value
    if used is not None and not reported:
        for state in body.of_kind("state"):
            if state.name not in found and state.type.kind != "error":
                there = (Annotation(state.span, "declared here"),)
                context.report("AS0546", used, name=state.name, annotations=there)
    return found


def _initial_entry(body: _Body, entry: ast.Entry) -> tuple[str | None, Content]:
    context = body.context
    value: ast.Expr = entry.value
    name, name_span = entry.key, entry.key_span or entry.span
    if isinstance(value, ast.ErrorExpr):
        return None, None
    member = value if entry.key is None and isinstance(value, ast.Member) and not value.negated else None
    if member is not None and isinstance(member.item, ast.Name):
        name, name_span = member.item.id, member.item.span
    if name is None:
        context.report("AS0547", entry.span)
        return None, None
    variable = body.variables.get(name)
    if variable is None or variable.kind != "state":
        context.unknown("state", name, [v.name for v in body.of_kind("state")], name_span)
        return None, None
    if variable.type.kind == "error":
        return None, None

    def number(expr: ast.Expr) -> Value:
        return context.elaborator.constant(expr, body.scope, variable.type)

    if member is not None:
        if isinstance(member.domain, ast.Range):
            lo, hi = number(member.domain.lo), number(member.domain.hi)
            if lo is None or hi is None:
                return None, None
            if lo > hi:  # type: ignore[operator]  # both are numbers of the state's type
                context.report("AS0314", member.domain.span, lo=text(member.domain.lo.span),
                               hi=text(member.domain.hi.span))  # fmt: skip
                return None, None
            return name, {"in": (lo, hi)}
        if isinstance(member.domain, ast.SetExpr):
            members = tuple(number(m) for m in member.domain.items)
            return (None, None) if None in members else (name, {"one_of": members})
        context.report("AS0547", entry.span)
        return None, None
    if isinstance(value, ast.Call) and isinstance(value.function, ast.Name) and value.function.id in DISTRIBUTIONS:
        kind = value.function.id
        if len(value.arguments) != DISTRIBUTIONS[kind] or any(a.name or a.when for a in value.arguments):
            context.report("AS0547", entry.span)
            return None, None
        numbers = tuple(number(a.value) for a in value.arguments)
        return (None, None) if None in numbers else (name, {kind: numbers})
    point = number(value)
    return (None, None) if point is None else (name, {"is": point})


# ---------------------------------------------------------------- content


def type_content(type_: Type) -> dict[str, Content]:
    """A type as data."""
    content: dict[str, Content] = {"type": type_.kind}
    if type_.members:
        content["members"] = type_.members
    if type_.lo is not None:
        content["lo"] = type_.lo
    if type_.hi is not None:
        content["hi"] = type_.hi
    if type_.size is not None:
        content["size"] = type_.size
    if type_.unit.si:
        content["unit"] = type_.unit.si
    return content


def system_content(item: ast.System, system: CheckedSystem, parameters: Mapping[str, Content]) -> CheckedOutline:
    """The system as data for the backends that will simulate and verify it."""
    content: dict[str, Content] = {"parameters": dict(parameters)}
    for kind, key in (("state", "states"), ("input", "inputs"), ("disturbance", "disturbances")):
        content[key] = {v.name: type_content(v.type) for v in system.variables if v.kind == kind}
    seen = [n for i in item.items if isinstance(i, ast.Variables) and i.kind == "output"
            for d in i.declarations for n in d.names]  # fmt: skip
    content["outputs"] = tuple(seen) or tuple(v.name for v in system.variables if v.kind == "state")
    content.update(system.dynamics)
    content["initial"] = system.initial
    content["controllers"] = {**_stop(system), **system.controllers}
    content["step"] = system.step
    content["integrator"] = system.integrator
    return CheckedOutline("system", item.name, content, item.span)


def _stop(system: CheckedSystem) -> dict[str, Content]:
    """Every system has the controller ``stop``: all inputs zero, or as near to it as they can be."""
    values: dict[str, Content] = {}
    for variable in system.variables:
        if variable.kind == "input" and variable.type.is_number:
            lo, hi = variable.type.lo, variable.type.hi
            values[variable.name] = lo if lo is not None and lo > 0 else hi if hi is not None and hi < 0 else 0.0
    return {"stop": values}
