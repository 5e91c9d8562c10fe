"""Training, acceptance, verification and deployment: what is asked of an agent.

Which settings an algorithm or a method has is the compiler's knowledge; here the settings get their values.
"""

from __future__ import annotations

from typing import Literal

from agentc.lang import ast
from agentc.lang.check_context import Context, first_line, head, text
from agentc.lang.checked import (
    CheckedDeploy,
    CheckedEquality,
    CheckedExpect,
    CheckedRequirement,
    CheckedShield,
    CheckedTrain,
    CheckedVerify,
)
from agentc.lang.names import kind_in_words
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.types import Type

_JUDGED = ("task", "safe", "behavior")
_EQUATED = ("task", "safe", "behavior", "assume", "machine")
_EQUATED_WORDS = "a machine, a task, a safe or a behavior"
_WANTED = "a task, a safe or a behavior"


def check_train(context: Context, item: ast.Train, scope: Scope) -> CheckedTrain:
    """A ``train`` item; the condition behind ``until`` is an expectation."""
    until: str | None = None
    if item.until is not None and not isinstance(item.until, ast.ErrorExpr):
        until = _until(context, item.until, scope)
    settings = context.settings(item.settings, scope)
    algorithm = item.algorithm
    symbol = scope.find(algorithm)
    if symbol is not None and isinstance(symbol.node, ast.Recipe):
        scope.lookup(algorithm)
        recipe = check_recipe(context, symbol.node, symbol.scope or scope)
        own = {s.name for s in settings}
        settings = (*(s for s in recipe.settings if s.name not in own), *settings)
        algorithm = recipe.algorithm
    return CheckedTrain(algorithm, item.algorithm_span, until, settings, item.span)


def check_recipe(context: Context, item: ast.Recipe, scope: Scope) -> CheckedTrain:
    """A ``recipe`` item: the settings that ``train name`` begins with."""
    return CheckedTrain(item.algorithm, item.algorithm_span, None, context.settings(item.settings, scope), item.span)


def _until(context: Context, expr: ast.Expr, scope: Scope) -> str | None:
    """The condition as text: an expectation, or ``proved(f)``, several of them joined by ``&``."""
    parts = expr.operands if isinstance(expr, ast.Nary) and expr.op == "&" else (expr,)
    calls = [p for p in parts if isinstance(p, ast.Call) and isinstance(p.function, ast.Name)]
    proved = [c for c in calls if isinstance(c.function, ast.Name) and c.function.id == "proved"]
    if not proved:
        condition = _expectation(context, expr, None, scope, expr.span)
        return None if condition is None else condition.source
    names = [_subject(context, call, "proved", scope) for call in proved]
    if len(proved) < len(parts):
        context.report("AS1360", expr.span, source=text(expr.span))
        return None
    return None if None in names else " & ".join(f"proved({name})" for name in names)


# ---------------------------------------------------------------- expectations

_FLIPPED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "==": "==", "!=": "!="}


def check_expect(context: Context, item: ast.Expect, scope: Scope) -> CheckedExpect | None:
    """An acceptance criterion, None if it is not one (which was reported)."""
    if isinstance(item.condition, ast.ErrorExpr):
        return None
    return _expectation(context, item.condition, item.confidence, scope, item.span)


def is_equality(item: ast.Expect, scope: Scope) -> bool:
    """Whether an item is ``expect a == b`` of two names, one of which is a machine or a formula."""
    condition = item.condition
    if not isinstance(condition, ast.Compare) or condition.ops != ("==",):
        return False
    names = [o for o in condition.operands if isinstance(o, ast.Name)]
    symbols = [scope.find(n.id) for n in names]
    return len(names) == 2 and any(s is not None and s.kind in _EQUATED for s in symbols)


def check_equality(context: Context, item: ast.Expect, scope: Scope) -> CheckedEquality | None:
    """``expect a == b``, None if one of them is neither machine nor formula (which was reported)."""
    assert isinstance(item.condition, ast.Compare)
    names: list[str] = []
    for operand in item.condition.operands:
        symbol = context.symbol(operand, scope, _EQUATED_WORDS)
        if symbol is None:
            continue
        if symbol.kind not in _EQUATED or symbol.name not in scope.symbols:  # one of this agent
            found = kind_in_words(symbol)
            context.report("AS0208", operand.span, name=symbol.name, found=found, wanted=_EQUATED_WORDS)
            continue
        names.append(symbol.name)
    if item.confidence is not None:
        context.report("AS1628", item.confidence.span, source=text(item.condition.span))
        return None
    if len(names) < 2:
        return None
    return CheckedEquality(names[0], names[1], text(item.condition.span), item.span)


def _expectation(
    context: Context, condition: ast.Expr, confidence: ast.Expr | None, scope: Scope, span: Span
) -> CheckedExpect | None:
    if not isinstance(condition, ast.Compare) or len(condition.ops) != 1:
        context.report("AS0512", condition.span)
        return None
    left, right = condition.operands
    op = condition.ops[0]
    if _measured(left) is None and _measured(right) is not None:
        left, right, op = right, left, _FLIPPED[op]
    kind = _measured(left)
    if kind is None or op != ("<=" if kind == "violations" else ">="):
        context.report("AS0512", condition.span)
        return None
    subject = ""
    if isinstance(left, ast.Call):
        found = _subject(context, left, kind, scope)
        if found is None:
            return None
        subject = found
    threshold: float | None
    if kind == "satisfaction":
        threshold = context.number(right, scope, "satisfaction", 0, 1)
    elif kind == "violations":
        threshold = context.whole(right, scope, "violations", 0)
    else:
        threshold = context.number(right, scope, "return")
    sure: float | None = None
    if confidence is not None:
        sure = context.number(confidence, scope, "confidence", 0, 1, lo_open=True, hi_open=True)
        if sure is None:
            return None
    if threshold is None:
        return None
    return CheckedExpect(kind, op, threshold, subject, sure, text(condition.span), span)  # type: ignore[arg-type]


def _measured(expr: ast.Expr) -> str | None:
    """What an expectation can measure: ``satisfaction(f)``, ``violations(f)``, ``return``."""
    if isinstance(expr, ast.Name) and expr.id == "return":
        return "return"
    if isinstance(expr, ast.Call) and isinstance(expr.function, ast.Name):
        return expr.function.id if expr.function.id in ("satisfaction", "violations") else None
    return None


def _subject(context: Context, call: ast.Call, kind: str, scope: Scope) -> str | None:
    if len(call.arguments) != 1 or call.arguments[0].name or call.arguments[0].when:
        count = len(call.arguments)
        found = "is something else" if count == 1 else "no arguments are given" if count == 0 else f"are {count}"
        context.report("AS0304", call.span, name=kind, wanted="the name of one formula", found=found)
        return None
    return judged_name(context, call.arguments[0].value, scope)


def judged_name(context: Context, expr: ast.Expr, scope: Scope) -> str | None:
    """The name of a task, safe or behavior, None if it is not one (which was reported)."""
    symbol = context.symbol(expr, scope, _WANTED)
    return None if symbol is None else _judged(context, symbol, expr.span)


def _judged(context: Context, symbol: Symbol, span: Span) -> str | None:
    if symbol.kind not in _JUDGED:
        context.report("AS0208", span, name=symbol.name, found=kind_in_words(symbol), wanted=_WANTED)
        return None
    return symbol.name


# ---------------------------------------------------------------- verification


def check_verify(context: Context, item: ast.Verify, scope: Scope) -> CheckedVerify | None:
    """A verification item, None if its formula or bound is wrong (which was reported)."""
    if isinstance(item.subject, ast.ErrorExpr):
        return None
    bound: tuple[str, float] | None = None
    if item.bound is not None:
        op, limit = item.bound
        if op not in (">=", "<="):
            context.report("AS0552", limit.span, measure=item.measure, op=op, value=text(limit.span))
            return None
        value = context.number(limit, scope, "P", 0, 1) if item.measure == "P" else context.number(limit, scope, "E", 0)
        if value is None:
            return None
        bound = (op, value)
    if item.measure == "E" and bound is not None:
        return _expected_sum(context, item, scope, bound)
    symbol = scope.lookup(item.subject.id) if isinstance(item.subject, ast.Name) else None
    name = symbol.name if symbol is not None and symbol.kind in _JUDGED else None
    typed = context.elaborator.formula(item.subject, scope)
    settings = context.settings(item.settings, scope)
    if typed.type.kind == "error":
        return None
    source = text(item.subject.span)
    return CheckedVerify(typed, source, name, bound, item.method, item.method_span, settings, item.span)


def _expected_sum(context: Context, item: ast.Verify, scope: Scope, bound: tuple[str, float]) -> CheckedVerify | None:
    """``E <= b [x until g]``: of a number that is read at every step; ``steps`` is 1 where nothing else is named so."""
    summed: ast.Expr = item.subject
    until: ast.Expr | None = None
    if isinstance(item.subject, ast.TemporalBinary) and item.subject.op == "U" and item.subject.interval is None:
        summed, until = item.subject.left, item.subject.right
    if isinstance(summed, ast.Name) and summed.id == "steps" and scope.lookup("steps") is None:
        summed = ast.Number(1, "1", span=summed.span)
    before = len(context.diagnostics)
    total = context.elaborator.term(summed, scope, Type("real"))
    goal: ast.Expr = until if until is not None else ast.Bool(False, span=item.subject.span)
    typed = context.elaborator.formula(ast.Temporal("F", None, goal, "", span=goal.span), scope)
    if len(context.diagnostics) > before or typed.type.kind == "error" or total.type.kind == "error":
        return None
    settings = context.settings(item.settings, scope)
    source = text(item.subject.span)
    return CheckedVerify(typed, source, None, bound, item.method, item.method_span, settings, item.span, total)


# ---------------------------------------------------------------- deployment


def check_deploy(context: Context, item: ast.Block, scope: Scope, controllers: tuple[str, ...]) -> CheckedDeploy:
    """A ``deploy`` block; ``controllers`` are those that the agent's system has."""
    required: list[CheckedRequirement] = []
    shields: list[CheckedShield] = []
    monitors: list[str] = []
    fallback: str | None = None
    fallbacks = [i for i in item.items if isinstance(i, ast.Setting) and i.word == "fallback"]
    context.single(fallbacks, "fallback", "`deploy`")
    for part in item.items:
        if isinstance(part, ast.Shield):
            symbol = context.named(part.formula, part.formula_span, scope, _WANTED)
            if symbol is not None and _judged(context, symbol, part.formula_span) is not None:
                settings = context.settings(part.settings, scope)
                where = part.method_span or part.formula_span
                shields.append(CheckedShield(symbol.name, part.method, settings, where))
        elif isinstance(part, ast.Setting) and part.word == "require":
            required.extend(_requirements(context, part.value, scope))
        elif isinstance(part, ast.Setting) and part.word == "monitor":
            name = judged_name(context, part.value, scope)
            if name is not None:
                monitors.append(name)
        elif isinstance(part, ast.Setting) and part.word == "fallback":
            if not isinstance(part.value, ast.Name) or part.value.id not in controllers:
                context.unknown("controller", text(part.value.span), controllers, part.value.span)
            elif part is fallbacks[0]:
                fallback = part.value.id
    if not item.items:
        context.report("AS0510", head(item), block="`deploy`", mend="write `require proved(f)`")
    return CheckedDeploy(tuple(required), tuple(shields), tuple(monitors), fallback, first_line(item.span))


_REQUIREMENTS: tuple[Literal["proved", "met"], ...] = ("proved", "met")


def _requirements(context: Context, expr: ast.Expr, scope: Scope) -> list[CheckedRequirement]:
    """``proved(f)`` and ``met(f)`` joined by ``&``; ``proved(f, unchecked)`` accepts a proof that no checker saw."""
    parts = expr.operands if isinstance(expr, ast.Nary) and expr.op == "&" else (expr,)
    found: list[CheckedRequirement] = []
    for part in parts:
        if isinstance(part, ast.ErrorExpr):
            continue
        call = part if isinstance(part, ast.Call) and isinstance(part.function, ast.Name) else None
        word = call.function.id if call is not None and isinstance(call.function, ast.Name) else ""
        what = next((w for w in _REQUIREMENTS if w == word), None)
        extra = call.arguments[1:] if call is not None else ()
        unchecked = len(extra) == 1 and isinstance(extra[0].value, ast.Name) and extra[0].value.id == "unchecked"
        if call is None or what is None or not call.arguments or (extra and not unchecked):
            context.report("AS0553", part.span)
            continue
        name = judged_name(context, call.arguments[0].value, scope)
        if name is not None:
            found.append(CheckedRequirement(what, name, unchecked, part.span))
    return found
