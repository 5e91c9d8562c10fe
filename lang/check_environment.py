"""Environments: their declarations, and the ``env`` item that gives an agent one of them.

A declaration is checked once by itself, and read again with its parameters bound wherever an agent uses it. What
it declares beside its signals (definitions, assumptions, tools) is the agent's as well. A ``system`` is an
environment too: its states and inputs are the signals, and ``horizon`` and ``init`` can be given beside its own
parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agentc.lang import ast
from agentc.lang.check_context import Context, names_in, of_type
from agentc.lang.check_signal import check_signal, check_step
from agentc.lang.check_system import SYSTEM_ARGUMENTS, check_system
from agentc.lang.checked import CheckedEnvironment, CheckedSignal, Content
from agentc.lang.checked_system import CheckedSystem
from agentc.lang.context import nearest
from agentc.lang.imports import Library, declare
from agentc.lang.names import kind_in_words
from agentc.lang.records import dataclass
from agentc.lang.scope import Scope, Symbol, SymbolKind
from agentc.lang.source import Span
from agentc.lang.typed import Typed
from agentc.lang.types import ERROR, Type

_HORIZONS = ("horizon", "max_steps")

DEFINITIONS = (ast.Constant, ast.Pattern, ast.Proposition, ast.RegionItem)
SHARED = (*DEFINITIONS, ast.FormulaItem, ast.Tool, ast.Phase, ast.CostItem)
"""Items of an environment or a system that an agent in it has as well."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What ``env`` gives an agent: the environment, and items that are read in the environment's own scope."""

    environment: CheckedEnvironment | None
    items: tuple[ast.Item, ...] = ()
    scope: Scope | None = None


def check_environment(context: Context, item: ast.Environment, scope: Scope) -> None:
    """Check a declaration by itself: its parameters have types and no values yet."""
    body = scope.child()
    open_parameters(context, item.parameters, body, scope)
    _read(context, item, body, constant=False)
    for part in item.items:
        if isinstance(part, DEFINITIONS):
            symbol = body.find(part.name)
            if symbol is not None and symbol.node is part:
                context.elaborator.definition(symbol)
        elif isinstance(part, ast.FormulaItem):
            context.elaborator.formula(part.body, body)


def check_system_declaration(context: Context, item: ast.System, scope: Scope) -> None:
    """Check a system by itself: its parameters have types and no values yet."""
    body = scope.child()
    open_parameters(context, item.parameters, body, scope)
    check_system(context, item, body)


def open_parameters(
    context: Context, parameters: tuple[ast.Parameter, ...], body: Scope, home: Scope, *, broken: bool = False
) -> None:
    """Declare parameters without values; as error symbols where the call that gives them was wrong."""
    for parameter in parameters:
        type_ = ERROR if broken else context.elaborator.type(parameter.type, home)
        kind: SymbolKind = "error" if type_.kind == "error" else "parameter"
        context.define(body, Symbol(parameter.name, kind, type_, parameter.name_span, parameter, home))
        if parameter.default is not None and kind == "parameter":
            context.elaborator.constant(parameter.default, home, type_)


def bind_environment(context: Context, expr: ast.Expr, scope: Scope, agent: Scope) -> Bound:
    """What ``env expr`` gives; the signals are declared in the agent's scope."""
    call, symbol = _resolve(context, expr, scope)
    if symbol is None:
        agent.lenient = True
        return Bound(None)
    if isinstance(symbol.node, ast.System):
        return _bind_system(context, symbol, call, expr.span, scope, agent)
    if not isinstance(symbol.node, ast.Environment):
        wanted = "an environment or a system"
        context.report("AS0208", expr.span, name=symbol.name, found=kind_in_words(symbol), wanted=wanted)
        agent.lenient = True
        return Bound(None)
    item = symbol.node
    body, values = _arguments(context, symbol, item.parameters, call, expr.span, scope)
    read = _read(context, item, body, constant=values is not None)
    for signal in read.signals:
        context.define(agent, Symbol(signal.name, "signal", signal.type, signal.span))
    share(context, item.items, body, agent)
    if read.step is not None:
        agent.step = read.step
    agent.lenient = agent.lenient or _is_partial(item.items, read.step)
    environment = CheckedEnvironment(
        name=item.name,
        engine=read.engine,
        arguments=read.arguments,
        signals=read.signals,
        step=read.step,
        horizon=_horizon(values or {}),
        controls=read.controls,
        span=expr.span,
    )
    return Bound(environment, tuple(i for i in item.items if isinstance(i, SHARED)), body)


def _is_partial(items: tuple[ast.Item, ...], step: float | None) -> bool:
    """Whether a declaration says more than was understood of it."""
    broken = any(isinstance(i, ast.ErrorItem) for i in items)
    return broken or (step is None and any(isinstance(i, ast.StepSize) for i in items))


def share(context: Context, items: tuple[ast.Item, ...], body: Scope, agent: Scope) -> None:
    """Let the agent see what its environment defines."""
    for item in items:
        if isinstance(item, (*DEFINITIONS, ast.FormulaItem)) and item.name is not None:
            symbol = body.find(item.name)
            if symbol is not None and symbol.node is item:
                agent.symbols.setdefault(item.name, symbol)
                agent.used.add(item.name)  # the environment offers it, whoever wants it


def _resolve(context: Context, expr: ast.Expr, scope: Scope) -> tuple[ast.Call | None, Symbol | None]:
    """The call and the environment or system that it names: declared here, imported, or of the standard library."""
    call = expr if isinstance(expr, ast.Call) else None
    named = call.function if call is not None else expr
    if isinstance(named, ast.Attribute):
        return call, context.elaborator.symbol(named, scope, "environment")
    if not isinstance(named, ast.Name):
        if not isinstance(named, ast.ErrorExpr):
            context.report("AS0603", expr.span)
        return call, None
    symbol = _environment(context, named.id, scope)
    if symbol is None:
        known = [*scope.names("environment", "system"), *context.library.environments()]
        context.unknown("environment", named.id, known, named.span)
        meant = nearest(named.id, known)  # going on with it tells what else is wrong
        symbol = _environment(context, meant, scope) if meant is not None else None
    return call, symbol if symbol is not None and symbol.kind != "error" else None


def _environment(context: Context, name: str, scope: Scope) -> Symbol | None:
    symbol = scope.lookup(name)
    if symbol is not None and symbol.kind == "module" and symbol.exports is not None:
        symbol = symbol.exports.lookup(name) or symbol
    return symbol or _imported(name, scope) or _standard(context.library, name)


def _imported(name: str, scope: Scope) -> Symbol | None:
    """The environment of that name in a module that was imported whole."""
    for module in scope.names():
        symbol = scope.find(module)
        found = symbol.exports.lookup(name) if symbol is not None and symbol.exports is not None else None
        if found is not None and found.kind in ("environment", "system"):
            scope.lookup(module)
            return found
    return None


def _standard(library: Library, name: str) -> Symbol | None:
    """The environment ``name`` of the module ``std.env.name``, which needs no import."""
    if name not in library.environments():
        return None
    return library.module_scope(("std", "env", name)).lookup(name)


# ---------------------------------------------------------------- declarations


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a declaration says, read in one scope."""

    engine: str
    arguments: Mapping[str, Content]
    signals: tuple[CheckedSignal, ...]
    controls: tuple[str, ...]
    step: float | None


def _read(context: Context, item: ast.Environment, body: Scope, *, constant: bool) -> _Declared:
    """Engine, its arguments, signals and step of a declaration whose parameters stand in ``body``.

    ``constant`` says whether the parameters have values, so that the engine's arguments can be computed.
    """
    place = f"the environment `{item.name}`"
    engines = [i for i in item.items if isinstance(i, ast.Setting) and i.word == "engine"]
    context.single(engines, "engine", place)
    context.single(of_type(item.items, ast.StepSize), "step", place)
    for part in item.items:
        context.diagnostics.extend(declare(part, body))
    signals: list[CheckedSignal] = []
    controls: list[str] = []
    step: float | None = None
    for part in item.items:
        if isinstance(part, ast.StepSize):
            step = check_step(context, part, body)
            body.step = step
    for part in item.items:
        if isinstance(part, ast.Signal):
            signals.extend(check_signal(context, part, body))
        elif isinstance(part, ast.Variables):
            made = _actions(context, part, body)
            signals.extend(made)
            controls.extend(s.name for s in made)
    controls.extend(s.name for s in signals if s.name.split(".")[0] == "action" and s.name not in controls)
    if not engines:
        if not any(isinstance(i, ast.ErrorItem) for i in item.items):
            context.report("AS0601", item.name_span, name=item.name)
        return _Declared("", {}, tuple(signals), tuple(controls), step)
    name, arguments = _engine(context, engines[0].value, body, constant)
    return _Declared(name, arguments, tuple(signals), tuple(controls) or ("action",), step)


def _actions(context: Context, item: ast.Variables, body: Scope) -> list[CheckedSignal]:
    """What the agent sets: ``input v`` is the signal ``action.v``, ``input action`` the action itself."""
    made = []
    for declaration in item.declarations:
        type_ = context.elaborator.type(declaration.type, body)
        for name, span in zip(declaration.names, declaration.name_spans, strict=True):
            full = name if name == "action" else f"action.{name}"
            if context.define(body, Symbol(full, "input", type_, span)) and type_.kind != "error":
                made.append(CheckedSignal(full, type_, span, declaration.type.unit))
    return made


def _engine(context: Context, expr: ast.Expr, body: Scope, constant: bool) -> tuple[str, Mapping[str, Content]]:
    if isinstance(expr, ast.Name):
        return expr.id, {}
    if not isinstance(expr, ast.Call) or not isinstance(expr.function, ast.Name):
        if not isinstance(expr, ast.ErrorExpr):
            context.report("AS0602", expr.span)
        return "", {}
    arguments: dict[str, Content] = {}
    seen: set[str] = set()
    for i, argument in enumerate(expr.arguments):
        name = argument.name or ("id" if i == 0 else None)  # which one of its family comes first
        if name is None:
            context.report("AS0602", argument.span)
        elif name in seen:
            span = argument.name_span or argument.span
            context.report("AS0306", span, function=expr.function.id, name=name)
        else:
            seen.add(name)
            if constant:
                arguments[name] = context.content(argument.value, body)
            elif not isinstance(argument.value, ast.ListExpr | ast.Record | ast.Name):
                context.elaborator.term(argument.value, body)
    return expr.function.id, arguments


# ---------------------------------------------------------------- arguments


def _arguments(
    context: Context,
    symbol: Symbol,
    parameters: tuple[ast.Parameter, ...],
    call: ast.Call | None,
    span: Span,
    scope: Scope,
) -> tuple[Scope, dict[str, Content] | None]:
    """The scope of the body with the parameters bound, and their values; None where the call is wrong."""
    home = symbol.scope or scope
    at = call if call is not None else ast.Call(ast.Name(symbol.name, span=span), (), span=span)
    bound = context.elaborator.bind(symbol, parameters, at, at, scope)
    values: dict[str, Content] = {}
    for parameter in parameters if bound is not None else ():
        assert bound is not None
        value = bound.symbols[parameter.name].value
        if not isinstance(value, Typed):
            continue
        if value.op in ("true", "false"):
            values[parameter.name] = value.op == "true"
        elif value.is_constant:
            values[parameter.name] = value.value
            if parameter.name in _HORIZONS and isinstance(value.value, int) and value.value < 1:
                domain = "an int of at least 1"
                context.report("AS0614", value.span, name=parameter.name, value=value.value, domain=domain)
        else:
            context.report("AS0308", value.span, name=" ".join(value.span.text.split()))
            bound = None
            break
    if bound is None:
        body = home.child()
        open_parameters(context, parameters, body, home, broken=True)
        return body, None
    return bound, values


def _horizon(values: Mapping[str, Content]) -> int | None:
    for name in _HORIZONS:
        value = values.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


# ---------------------------------------------------------------- systems as environments


def _bind_system(
    context: Context, symbol: Symbol, call: ast.Call | None, span: Span, scope: Scope, agent: Scope
) -> Bound:
    item = symbol.node
    assert isinstance(item, ast.System)
    own = {p.name for p in item.parameters}
    special: dict[str, ast.Argument] = {}
    if call is not None:
        rest = []
        for argument in call.arguments:
            if argument.name is None or argument.name in own or argument.name not in SYSTEM_ARGUMENTS:
                if argument.name is not None and argument.name not in own:
                    known = [*own, *SYSTEM_ARGUMENTS]
                    context.report(
                        "AS0305", argument.name_span or argument.span, function=item.name, name=argument.name,
                        known=", ".join(known), suggestion=nearest(argument.name, known),
                    )  # fmt: skip
                else:
                    rest.append(argument)
            elif argument.name in special:
                context.report("AS0306", argument.span, function=item.name, name=argument.name)
            else:
                special[argument.name] = argument
        call = replace(call, arguments=tuple(rest))
    body, values = _arguments(context, symbol, item.parameters, call, span, scope)
    initial = special["init"].value if "init" in special else None
    system, defined = check_system(context, item, body, initial=initial, used_as_environment=span)
    horizon: int | None = None
    if "horizon" in special:
        horizon = context.whole(special["horizon"].value, scope, "horizon", 1)
    signals = []
    for variable in system.variables:
        if variable.kind not in ("state", "input"):
            continue
        # an input has its value from the action that led to a step: `v` is short for `action.v`
        name = variable.name if variable.kind == "state" else f"action.{variable.name}"
        kind: SymbolKind = "state" if variable.kind == "state" else "input"
        read = Symbol(name, kind, variable.type, variable.span)
        context.define(agent, read)
        agent.symbols.setdefault(variable.name, read)
        signals.append(CheckedSignal(name, variable.type, variable.span, variable.unit))
    for name, members in _situations(system):
        type_ = Type("enum", members=members)
        if context.define(agent, Symbol(name, "signal", type_, item.name_span)):
            signals.append(CheckedSignal(name, type_, item.name_span))
    hidden = _hidden(item, system)
    for signal in defined:
        if signal.name in hidden:
            continue
        context.define(agent, Symbol(signal.name, "signal", signal.type, signal.span))
        signals.append(signal)
    items = tuple(i for i in item.items if getattr(i, "name", None) not in hidden)
    share(context, items, body, agent)
    if system.step is not None:
        agent.step = system.step
    agent.lenient = agent.lenient or _is_partial(item.items, system.step)
    values = values or {}
    arguments: dict[str, Content] = {"system": item.name, **values}
    if horizon is not None:
        arguments["horizon"] = horizon
    environment = CheckedEnvironment(
        name=item.name,
        engine="system",
        arguments=arguments,
        signals=tuple(signals),
        step=system.step,
        horizon=horizon,
        controls=tuple(s.name for s in signals if s.name.split(".")[0] == "action"),
        span=span,
        system=system,
    )
    return Bound(environment, tuple(i for i in items if isinstance(i, SHARED)), body)


def _hidden(item: ast.System, system: CheckedSystem) -> frozenset[str]:
    """The disturbances, and what is defined by them: nobody observes them, so no formula of an agent reads them."""
    hidden = {v.name for v in system.of_kind("disturbance")}
    read: dict[str, set[str]] = {}
    for part in item.items:
        if isinstance(part, ast.Signal):
            read.update((name, names_in((part.value,)) if part.value is not None else set()) for name in part.names)
        elif isinstance(part, (*DEFINITIONS, ast.FormulaItem)) and part.name is not None:
            read[part.name] = names_in((part,))
    while more := {name for name, names in read.items() if name not in hidden and names & hidden}:
        hidden |= more
    return frozenset(hidden)


def _situations(system: CheckedSystem) -> list[tuple[str, tuple[str, ...]]]:
    """The signals that a system has of itself: the mode that it is in, the command that was chosen."""
    names = {variable.name for variable in system.variables}
    found = []
    if system.modes and "mode" not in names:
        found.append(("mode", tuple(m.name for m in system.modes)))
    if system.commands and "action" not in names and not system.of_kind("input"):
        found.append(("action", tuple(c.name for c in system.commands)))
    return found
