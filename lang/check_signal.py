"""Signals and steps: what environments, systems and agents all can declare."""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.check_context import DURATION, Context
from agentc.lang.checked import CheckedSignal
from agentc.lang.scope import Scope, Symbol
from agentc.lang.typed import Typed
from agentc.lang.types import Type

_SIGNAL_KINDS = ("bool", "int", "real", "enum", "text", "vector", "error")


def check_step(context: Context, item: ast.StepSize, scope: Scope) -> float | None:
    """The duration of a step in seconds."""
    value = context.elaborator.constant(item.duration, scope, DURATION)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if value <= 0:
        context.report("AS0614", item.duration.span, name="step", value=f"{value:g}s", domain="a time above 0s")
        return None
    return float(value)


def check_signal(context: Context, item: ast.Signal, scope: Scope) -> list[CheckedSignal]:
    """The signals of a declaration, declared in the scope."""
    type_ = context.elaborator.type(item.type, scope)
    if type_.kind not in _SIGNAL_KINDS:
        context.report("AS0301", item.type.span, found=f"`{type_}`", wanted="the type of a signal")
        type_ = Type("error")
    definition: Typed | None = None
    if item.value is not None:
        definition = defined(context, item.value, scope, type_)
    if item.extern is not None:
        _check_extern(context, item)
    signals = []
    for name, span in zip(item.names, item.name_spans, strict=True):
        if context.define(scope, Symbol(name, "signal", type_, span, item, scope)) and type_.kind != "error":
            unit = item.type.unit
            signals.append(CheckedSignal(name, type_, span, unit, definition, item.extern, item.doc))
    return signals


def defined(context: Context, value: ast.Expr, scope: Scope, type_: Type) -> Typed:
    """The definition of a value of a type: a proposition for a Boolean, else a term."""
    if type_.kind == "bool":
        return context.elaborator.proposition(value, scope)
    return context.elaborator.term(value, scope, None if type_.kind == "error" else type_)


def _check_extern(context: Context, item: ast.Signal) -> None:
    assert item.extern is not None
    module, colon, function = item.extern.partition(":")
    parts = [*module.split("."), *function.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        context.report("AS0605", item.span, name=item.extern)
    elif module not in context.allow_extern:
        context.report("AS0604", item.span, name=item.extern, module=module)
