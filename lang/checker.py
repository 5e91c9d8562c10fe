"""Checking a file: from its syntax tree to its meaning, with everything that is wrong in it.

The rules of each kind of item live in the ``check_*`` modules; expressions are elaborated by
:mod:`agentc.lang.elaborate`. What has been reported once has type ``error`` and is silent afterwards, so that
five independent mistakes give five reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agentc.lang import ast
from agentc.lang.check_agent import AgentChecker
from agentc.lang.check_context import Context
from agentc.lang.check_environment import check_environment, check_system_declaration
from agentc.lang.check_training import check_recipe
from agentc.lang.checked import CheckedAgent, CheckedSpec
from agentc.lang.diagnostics import Annotation, Diagnostic
from agentc.lang.elaborate import Elaborator
from agentc.lang.imports import Library, file_scope
from agentc.lang.lints import unused
from agentc.lang.scope import Scope


def check_module(
    module: ast.Module,
    library: Library,
    parameters: Mapping[str, ast.Expr] | None = None,
    allow_extern: Iterable[str] = (),
    *,
    broken: bool = False,
) -> CheckedSpec:
    """Check a parsed file.

    ``parameters`` are the values of ``param``s given from outside, ``allow_extern`` the Python modules whose
    functions may label signals; ``broken`` says that the text has errors. Agents come back as far as they could be
    understood; whether they mean something is ``CheckedSpec.ok``.
    """
    elaborator = Elaborator(parameters or {}, library.text)
    context = Context(elaborator, library, allow_extern)
    context.broken = broken
    scope = file_scope(module, library, context.diagnostics)
    scopes: dict[str, Scope] = {"": scope}
    for item in module.items:
        _check_item(context, item, scope)
    recipes = tuple(check_recipe(context, item, scope) for item in module.items if isinstance(item, ast.Recipe))
    agents: dict[str, CheckedAgent] = {}
    first: dict[str, ast.Agent] = {}
    for item in module.items:
        if not isinstance(item, ast.Agent):
            continue
        checker = AgentChecker(context, item, scope)
        agent = checker.check()
        if item.name in first:
            there = Annotation(first[item.name].name_span, "first declared here")
            context.report("AS0201", item.name_span, name=item.name, annotations=(there,))
            continue
        first[item.name] = item
        agents[item.name] = agent
        scopes[item.name] = checker.scope
    if agents and not context.failed:
        context.diagnostics.extend(unused(scope))
    return CheckedSpec(tuple(agents.values()), ordered(context.diagnostics), scopes, recipes)


def _check_item(context: Context, item: ast.Item, scope: Scope) -> None:
    """Check a definition of a file by itself."""
    match item:
        case ast.Environment():
            check_environment(context, item, scope)
        case ast.System():
            check_system_declaration(context, item, scope)
        case ast.Constant() | ast.Pattern() | ast.Proposition() | ast.RegionItem():
            symbol = scope.find(item.name)
            if symbol is not None and symbol.node is item:
                context.elaborator.definition(symbol)


def ordered(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings without repetitions, in the order of the text they are about."""
    unique: dict[tuple[object, ...], Diagnostic] = {}
    for found in diagnostics:
        span = found.span
        place = ("", -1, -1) if span is None else (span.source.name, span.start, span.stop)
        unique.setdefault((*place, found.code, found.message), found)
    return tuple(unique[key] for key in sorted(unique, key=lambda k: (k[0], k[1])))
