"""``hoa("file.hoa", p = q)``: the automaton of a file as a formula, its propositions bound to those of the spec.

A proposition that the call does not bind is read as the text of one: ``door_open``, but also ``door == open``.
"""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.context import Context, nearest
from agentc.lang.diagnostics import AgentcError, Severity
from agentc.lang.hoa import HoaAutomaton, HoaError, parse_hoa
from agentc.lang.parser import parse_formula
from agentc.lang.scope import Scope
from agentc.lang.source import Source
from agentc.lang.typed import Typed
from agentc.lang.types import BOOL, FORMULA

HOA = "hoa"
"""The name that it is called by."""


def automaton(context: Context, expr: ast.Call, scope: Scope) -> Typed:
    """The formula of a call of ``hoa``: its node has the path and the text of the file as its value."""
    positional = [a for a in expr.arguments if a.name is None]
    first = positional[0].value if positional else None
    if len(positional) != 1 or not isinstance(first, ast.String) or positional[0].when is not None:
        wanted = "the path of a file as a text, then propositions by name"
        return context.failed("AS0304", expr.span, name=HOA, wanted=wanted, found="are others")
    path, where = first.value, first.span
    try:
        text = context.read(path, where)
        said = parse_hoa(text)
    except AgentcError as error:
        context.diagnostics.extend(d for d in error.diagnostics if d not in context.diagnostics)
        return context.error(expr.span)
    except HoaError as error:
        return context.failed("AS1621", where, path=path, line=error.line, reason=error.reason)
    if not said.finite:
        return context.failed("AS1623", where, path=path)
    bound = _bound(context, expr, path, said, scope)
    if bound is None:
        return context.error(expr.span)
    predicate = context.make("automaton", bound, BOOL, expr.span, (path, text))
    return context.make("atom", (predicate,), FORMULA, expr.span)


def _bound(context: Context, expr: ast.Call, path: str, said: HoaAutomaton, scope: Scope) -> tuple[Typed, ...] | None:
    """What the propositions of an automaton are, in its order; None if that was reported."""
    given: dict[str, ast.Expr] = {}
    right = True
    for argument in expr.arguments:
        name = argument.name
        if name is None:
            continue
        span = argument.name_span or argument.span
        if name not in said.names:
            known = ", ".join(f"`{n}`" for n in said.names) or "none"
            context.report("AS1625", span, name=name, known=known, suggestion=nearest(name, said.names))
            right = False
        elif name in given:
            context.report("AS0306", span, function=HOA, name=name)
            right = False
        else:
            given[name] = argument.value
    found: list[Typed] = []
    for name in said.names:
        value = given.get(name) or _named(name, path, scope)
        if value is None:
            known_here = scope.names("prop")
            known = ", ".join(f"`{n}`" for n in known_here) or "no propositions"
            meant = nearest(name, scope.names("prop", "signal"))
            near = f"; the nearest name is `{meant}`" if meant is not None else ""
            context.report("AS1624", expr.span, name=name, known=known + near)
            right = False
            continue
        typed = context.proposition(value, scope, "a proposition of an automaton")
        right = right and typed.type.kind != "error"
        found.append(typed)
    return tuple(found) if right else None


def _named(text: str, path: str, scope: Scope) -> ast.Expr | None:
    """The expression that the name of a proposition is, None if it is none or is about names that are not there."""
    expr, wrong = parse_formula(Source(f"proposition of {path}", text))
    if expr is None or any(d.severity is Severity.ERROR for d in wrong):
        return None
    if isinstance(expr, ast.Name) and scope.lookup(expr.id) is None:
        return None
    return expr
