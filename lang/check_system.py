"""Systems: declared dynamics, by equations (perhaps with modes) or by guarded commands.

``x' = e`` is a differential equation, so ``e`` has the unit of ``x`` per second; ``step 0.1s by difference``
makes it the next value of ``x`` instead, as it always is in a guarded command. Modes say what holds in them, the
system's own equations hold in every mode that does not give its own. The first mode is the initial one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agentc.lang import ast
from agentc.lang.check_context import Context, head, listed, names_in, of_type
from agentc.lang.check_initial import InitialValues
from agentc.lang.check_signal import check_signal, check_step
from agentc.lang.checked import CheckedSignal
from agentc.lang.checked_system import (
    CheckedBranch,
    CheckedCommand,
    CheckedController,
    CheckedEquation,
    CheckedJump,
    CheckedMode,
    CheckedSystem,
    Variable,
)
from agentc.lang.context import nearest
from agentc.lang.diagnostics import Annotation
from agentc.lang.imports import declare
from agentc.lang.names import kind_in_words
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.typed import Typed
from agentc.lang.types import Type, unbounded
from agentc.lang.units import SECOND

SYSTEM_ARGUMENTS = ("horizon", "init")
"""What ``env`` can say of a system beside the system's own parameters."""

INTEGRATORS = ("euler", "midpoint", "heun", "rk4", "rk45", "exact", "difference")
"""What may stand behind ``step ... by``; ``difference`` says that the equations give the next value."""


class _Body:
    """The state of checking one system: what its expressions have used."""

    def __init__(self, context: Context, item: ast.System, scope: Scope, difference: bool) -> None:
        self.context, self.item, self.scope, self.difference = context, item, scope, difference
        self.variables: dict[str, Variable] = {}
        self.outputs: list[str] = []
        self.dynamics: list[Typed] = []

    def of_kind(self, kind: str) -> list[Variable]:
        return [v for v in self.variables.values() if v.kind == kind]

    def proposition(self, expr: ast.Expr) -> Typed:
        typed = self.context.elaborator.proposition(expr, self.scope)
        self.dynamics.append(typed)
        return typed

    def value(self, expr: ast.Expr, of: Type) -> Typed:
        """An expression for a value of a type."""
        if of.kind == "bool":
            return self.proposition(expr)
        wanted = None if of.kind == "error" else unbounded(of)
        typed = self.context.elaborator.term(expr, self.scope, wanted)
        self.dynamics.append(typed)
        return typed


def check_system(
    context: Context,
    item: ast.System,
    scope: Scope,
    *,
    initial: ast.Expr | None = None,
    used_as_environment: Span | None = None,
) -> tuple[CheckedSystem, tuple[CheckedSignal, ...]]:
    """Check a system whose parameters stand in ``scope``; ``initial`` is the ``init`` that an agent gives.

    Returns the system and the signals that it defines beside its variables.
    """
    place = f"the system `{item.name}`"
    steps = [i for i in item.items if isinstance(i, ast.StepSize)]
    context.single(steps, "step", place)
    step, integrator = _step(context, steps, scope)
    body = _Body(context, item, scope, integrator == "difference")
    if step is not None:
        scope.step = step
    signals: list[CheckedSignal] = []
    _declare_variables(body)
    for part in item.items:
        if isinstance(part, DEFINED):
            context.diagnostics.extend(declare(part, scope))
    for part in of_type(item.items, ast.Signal):
        assert isinstance(part, ast.Signal)
        signals.extend(check_signal(context, part, scope))
    commands = [i for i in item.items if isinstance(i, ast.Command)]
    equations = [i for i in item.items if isinstance(i, ast.Equation)]
    modes = [i for i in item.items if isinstance(i, ast.Mode)]
    if commands and (equations or modes):
        first = Annotation(head((equations or modes)[0]), "an equation stands here")
        context.report("AS0545", head(commands[0]), name=item.name, annotations=(first,))
    made, switched = ((), ()) if commands else _equations(body, equations, modes)
    guarded = () if equations or modes else tuple(_command(body, c) for c in commands)
    controllers = tuple(_controller(body, c) for c in item.items if isinstance(c, ast.Controller))
    broken = any(isinstance(i, ast.ErrorItem) for i in item.items)
    used = names_in(i for i in item.items if not isinstance(i, ast.Variables | ast.Controller))
    for variable in () if broken else body.variables.values():
        if variable.kind in ("input", "disturbance") and variable.name not in used:
            context.report("AS0540", variable.span, kind=variable.kind, name=variable.name)
    inside = [i for i in item.items if isinstance(i, ast.Setting) and i.word == "init"]
    context.single(inside, "init", place)
    values = InitialValues(context, scope, body.variables)
    begins = values.check(inside[0].value if inside else None, initial, used_as_environment)
    constraints = [c for component in begins.components for c in component.constraints]
    _check_present(body, constraints, signals)
    if used_as_environment is not None and not broken:
        if step is None and not steps and not commands:
            context.report("AS1103", used_as_environment, name=item.name)
        _check_disturbances(body, commands)
    states = tuple(v.name for v in body.of_kind("state"))
    system = CheckedSystem(
        item.name,
        tuple(body.variables.values()),
        step,
        integrator,
        made,
        switched,
        guarded,
        tuple(body.outputs) or states,
        begins,
        (*_stop(body, controllers), *controllers),
        item.span,
    )
    return system, tuple(signals)


def _check_disturbances(body: _Body, commands: list[ast.Command]) -> None:
    """A disturbance has a range to be drawn from; a transition system has probabilities in its place."""
    for variable in body.of_kind("disturbance"):
        if commands:
            why = f"it has the disturbance `{variable.name}`"
            body.context.report("AS1112", variable.span, name=body.item.name, why=why)
        elif variable.type.is_number and (variable.type.lo is None or variable.type.hi is None):
            unit = f" [{variable.unit}]" if variable.unit else ""
            body.context.report("AS1104", variable.span, name=variable.name, unit=unit)


def _check_present(body: _Body, constraints: list[Typed], signals: list[CheckedSignal]) -> None:
    """Report what in the dynamics is not of the present state, and what a start reads beside states."""
    definitions = {s.name: s.definition for s in signals}
    for root in (*body.dynamics, *constraints):
        stack, seen = [root], {root}
        while stack:
            node = stack.pop()
            defined = definitions.get(str(node.value)) if node.op == "signal" else None
            variable = body.variables.get(str(node.value)) if node.op == "signal" else None
            op = node.op if node.op in _PAST or node.op in _TEXTUAL else ""
            if node.op == "signal" and defined is None and variable is None:
                op = str(node.value)
            elif variable is not None and variable.kind != "state" and root in constraints:
                op = variable.name
            if op:
                body.context.report("AS1101", node.span, name=body.item.name, op=op)
                break
            below = (*node.args, *((defined,) if defined is not None else ()))
            stack.extend(n for n in below if n not in seen)
            seen.update(below)


_PAST = ("prev", "count", "sum", "rate", "first", "last", "in_seen", "occurs_in_seen", "from")
_TEXTUAL = ("contains", "starts_with", "ends_with", "matches", "length")

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
    elif name not in body.outputs:
        body.outputs.append(name)


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
    typed = body.value(item.value, _rate(body, variable.type))
    moves = variable.type.kind == "int" and typed.type.kind != "error" and typed.value != 0
    if moves and not body.difference:
        wanted = "a real number (its equation is differential; `0Hz` would leave it as it is)"
        body.context.report("AS0301", variable.span, found=f"`{variable.type}`", wanted=wanted)
    return typed


def _made(body: _Body, items: Iterable[ast.Equation], seen: dict[str, ast.Equation]) -> tuple[CheckedEquation, ...]:
    """The equations that are right; the others are reported."""
    found = ((e, _equation(body, e, seen)) for e in items)
    return tuple(CheckedEquation(e.target, typed, e.span) for e, typed in found if typed is not None)


def _equations(
    body: _Body, equations: list[ast.Equation], modes: list[ast.Mode]
) -> tuple[tuple[CheckedEquation, ...], tuple[CheckedMode, ...]]:
    seen: dict[str, ast.Equation] = {}
    made = _made(body, equations, seen)
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
        return made, ()
    names: dict[str, ast.Mode] = {}
    for mode in modes:
        if mode.name in names:
            first = Annotation(names[mode.name].name_span, "first declared here")
            body.context.report("AS0201", mode.name_span, name=mode.name, kind="mode", annotations=(first,))
        names.setdefault(mode.name, mode)
    content = tuple(_mode(body, m, names, seen, made, states) for m in names.values())
    targets = {e.target for m in modes for e in m.items if isinstance(e, ast.Edge)}
    for mode in list(names.values())[1:]:
        if mode.name not in targets:
            body.context.report("AS0511", mode.name_span, kind="mode", name=mode.name)
    return made, content


def _mode(
    body: _Body,
    mode: ast.Mode,
    names: Mapping[str, ast.Mode],
    outside: Mapping[str, ast.Equation],
    inherited: Iterable[CheckedEquation],
    states: Iterable[Variable],
) -> CheckedMode:
    seen: dict[str, ast.Equation] = {}
    made: dict[str, CheckedEquation] = {e.target: e for e in inherited}
    jumps: list[CheckedJump] = []
    invariants: list[Typed] = []
    for part in mode.items:
        if isinstance(part, ast.Equation):
            made.update((e.target, e) for e in _made(body, [part], seen))
        elif isinstance(part, ast.Edge):
            if part.target not in names:
                body.context.unknown("mode", part.target, names, part.target_span)
            resets = _updates(body, [r for r in part.resets if isinstance(r, ast.Equation)])
            jumps.append(CheckedJump(body.proposition(part.guard), part.target, resets))
        elif isinstance(part, ast.Setting) and part.word == "invariant":
            invariants.append(body.proposition(part.value))
    broken = any(isinstance(i, ast.ErrorItem) for i in (*mode.items, *body.item.items))
    for state in states:
        if state.name not in seen and state.name not in outside and not broken:
            where = f" in the mode `{mode.name}`"
            body.context.report("AS0541", mode.name_span, name=state.name, where=where)
    return CheckedMode(mode.name, tuple(made.values()), tuple(jumps), tuple(invariants))


def _updates(body: _Body, items: Iterable[ast.Equation]) -> tuple[CheckedEquation, ...]:
    """Assignments of next values: those of a reset or of a command's branch."""
    difference, body.difference = body.difference, True
    made = _made(body, items, {})
    body.difference = difference
    return made


# ---------------------------------------------------------------- guarded commands


def _command(body: _Body, command: ast.Command) -> CheckedCommand:
    branches = [b for b in command.branches if isinstance(b, ast.Branch)]
    whole = len(branches) == len(command.branches)
    made: list[CheckedBranch] = []
    total, known = 0.0, whole
    for branch in branches:
        probability: float | None = 1.0
        if branch.probability is not None:
            probability = _probability(body, branch.probability)
            known = known and probability is not None
        elif len(branches) > 1:
            body.context.report("AS0551", head(branch), name=command.name)
            known = False
        total += probability or 0.0
        made.append(CheckedBranch(probability, _updates(body, branch.updates)))
    if known and branches and abs(total - 1) > 1e-9:
        body.context.report("AS0544", command.name_span, name=command.name, sum=f"{total:.10g}")
    guard = None if command.guard is None else body.proposition(command.guard)
    return CheckedCommand(command.name, guard, tuple(made), command.span)


def _probability(body: _Body, expr: ast.Expr) -> float | None:
    """A probability; None if it is none, which was reported, or hangs on a parameter that has no value yet."""
    symbols = [body.scope.lookup(name) for name in names_in((expr,))]
    if any(s is not None and s.kind == "parameter" and s.value is None for s in symbols):
        body.context.elaborator.term(expr, body.scope, Type("real"))
        return None
    return body.context.number(expr, body.scope, "probability", 0, 1)


# ---------------------------------------------------------------- controllers


def _controller(body: _Body, item: ast.Controller) -> CheckedController:
    context, inputs = body.context, {v.name: v for v in body.of_kind("input")}
    values: dict[str, CheckedEquation] = {}
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
            typed = body.value(entry.value, inputs[entry.key].type)
            values[entry.key] = CheckedEquation(entry.key, typed, entry.span)
    whole = all(e.key in inputs and not isinstance(e.value, ast.ErrorExpr) for e in item.body.entries)
    for name in inputs if whole else ():  # an entry that was reported may have been meant for the missing input
        if name not in values:
            context.report("AS0548", item.name_span, name=item.name, input=name)
    return CheckedController(item.name, tuple(values[name] for name in inputs if name in values))


def _stop(body: _Body, declared: Iterable[CheckedController]) -> tuple[CheckedController, ...]:
    """Every system has the controller ``stop``: all inputs zero or as near to it as can be, false, the first member."""
    if any(c.name == "stop" for c in declared):
        return ()
    laws = []
    for variable in body.of_kind("input"):
        type_, span = variable.type, variable.span
        if type_.kind == "bool":
            typed = Typed("false", (), type_, span)
        elif type_.kind == "enum":
            typed = Typed("const", (), type_, span, type_.members[0])
        else:
            lo, hi = type_.lo, type_.hi
            nearest_zero = lo if lo is not None and lo > 0 else hi if hi is not None and hi < 0 else 0.0
            typed = Typed("const", (), type_, span, nearest_zero)
        laws.append(CheckedEquation(variable.name, typed, span))
    return (CheckedController("stop", tuple(laws)),)
