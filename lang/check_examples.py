"""Examples: traces written as steps that say which propositions hold and what signals are."""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.check_context import Context, first_line, head
from agentc.lang.checked import CheckedExample, CheckedLiteral
from agentc.lang.diagnostics import AgentcError, Severity
from agentc.lang.elaborate import Elaborator
from agentc.lang.imports import Library
from agentc.lang.names import kind_in_words
from agentc.lang.parser import parse_formula
from agentc.lang.scope import Scope
from agentc.lang.source import Source, Span

_JUDGED = ("task", "safe", "behavior")


def check_example(context: Context, item: ast.Example, scope: Scope) -> CheckedExample | None:
    """An example, None if its formula is unknown or a step is wrong (which was reported)."""
    wanted = "a task, a safe or a behavior"
    symbol = context.named(item.formula, item.formula_span, scope, wanted)
    if symbol is not None and symbol.kind not in _JUDGED:
        context.report("AS0208", item.formula_span, name=item.formula, found=kind_in_words(symbol), wanted=wanted)
        symbol = None
    if not item.steps:
        mend = "a trace has at least one step; `-` is an empty one"
        context.report("AS0510", head(item), block="the example", mend=mend)
        return None
    before = len(context.diagnostics)
    steps: list[tuple[CheckedLiteral, ...]] = []
    whole = True
    for step in item.steps:
        if not isinstance(step, ast.ExampleStep) or isinstance(step.value, ast.ErrorExpr):
            whole = False
            continue
        literals = _literals(context, step.value, scope) if step.value is not None else []
        _check_once(context, literals)
        steps.append(tuple(literals))
    if symbol is None or not whole or len(context.diagnostics) > before:
        return None
    spans = tuple(first_line(s.span) for s in item.steps)
    return CheckedExample(item.title, item.formula, item.satisfies, tuple(steps), spans, item.title_span)


def read_step(text: str, scope: Scope) -> tuple[CheckedLiteral, ...]:
    """The literals of one step that is given as a text (a move of a game). Raises ``AgentcError``."""
    elaborator = Elaborator()
    context = Context(elaborator, Library())
    expr, wrong = parse_formula(Source("<move>", text))
    if expr is None or any(d.severity is Severity.ERROR for d in wrong):
        raise AgentcError(wrong)
    literals = _literals(context, expr, scope)
    _check_once(context, literals)
    if context.failed:
        raise AgentcError(context.diagnostics)
    return tuple(literals)


def _literals(context: Context, expr: ast.Expr, scope: Scope) -> list[CheckedLiteral]:
    parts = expr.operands if isinstance(expr, ast.Nary) and expr.op == "&" else (expr,)
    found: list[CheckedLiteral] = []
    for part in parts:
        if isinstance(part, ast.Nary) and part.op == "&":
            found.extend(_literals(context, part, scope))
        else:
            found.extend(_literal(context, part, scope))
    return found


def _literal(context: Context, expr: ast.Expr, scope: Scope) -> list[CheckedLiteral]:
    inner, value = expr, True
    while isinstance(inner, ast.Unary) and inner.op == "!":
        inner, value = inner.operand, not value
    if isinstance(inner, ast.Bool) and inner.value == value:
        return []  # the empty step, in words
    if isinstance(inner, ast.Name):
        return _named(context, inner, value, expr.span, scope)
    if isinstance(inner, ast.Compare) and inner.ops == ("==",) and value:
        left, right = inner.operands
        if isinstance(left, ast.TupleExpr) and isinstance(right, ast.TupleExpr) and len(left.items) == len(right.items):
            pairs = zip(left.items, right.items, strict=True)
            return [lit for a, b in pairs for lit in _assignment(context, a, b, expr.span, scope)]
        return _assignment(context, left, right, expr.span, scope)
    if not isinstance(inner, ast.ErrorExpr):
        context.report("AS0515", expr.span)
    return []


def _named(context: Context, name: ast.Name, value: bool, span: Span, scope: Scope) -> list[CheckedLiteral]:
    symbol = scope.lookup(name.id)
    if symbol is None:
        known = scope.names("prop", "signal", "phase", "tool", "state")
        context.unknown("proposition", name.id, known, name.span, scope)
        return []
    if symbol.kind == "error" or (symbol.type is not None and symbol.type.kind == "error"):
        return []
    parametric = isinstance(symbol.node, ast.Proposition) and symbol.node.parameters
    boolean = symbol.kind in ("phase", "tool") or (symbol.type is not None and symbol.type.kind == "bool")
    signal = symbol.kind in ("signal", "state", "input") and boolean
    if not parametric and (symbol.kind in ("prop", "phase", "tool") or signal):
        return [CheckedLiteral("proposition", symbol.name, value, span)]
    context.report("AS0515", span)
    return []


def _assignment(context: Context, left: ast.Expr, right: ast.Expr, span: Span, scope: Scope) -> list[CheckedLiteral]:
    if isinstance(left, ast.Name):
        symbol = scope.lookup(left.id)
        if symbol is not None and symbol.type is not None and symbol.type.kind == "bool":
            if isinstance(right, ast.Bool):
                return _named(context, left, right.value, span, scope)
            context.report("AS0515", span)
            return []
    term = context.elaborator.term(left, scope)
    if term.type.kind == "error":
        return []
    if term.op != "signal":
        context.report("AS0515", span)
        return []
    value = context.elaborator.constant(right, scope, term.type)
    return [] if value is None else [CheckedLiteral("signal", str(term.value), value, span)]


def _check_once(context: Context, literals: list[CheckedLiteral]) -> None:
    seen: dict[str, CheckedLiteral] = {}
    for literal in literals:
        first = seen.setdefault(literal.name, literal)
        if first.value != literal.value:
            context.report("AS0518", literal.span, name=literal.name)
