"""Formulas: connectives, temporal operators, and the atoms below them."""

from __future__ import annotations

from dataclasses import replace

from agentc.lang import ast
from agentc.lang.comparisons import Comparisons
from agentc.lang.context import MAX_NESTING, Context, described
from agentc.lang.intervals import Intervals
from agentc.lang.lints import chain_reading
from agentc.lang.names import Names
from agentc.lang.scope import Scope
from agentc.lang.source import Span
from agentc.lang.terms import Terms
from agentc.lang.typed import Typed, postorder
from agentc.lang.types import BOOL, FORMULA, Type

_CONNECTIVES = {"->": "implies", "<->": "iff", "xor": "xor", "&": "and", "|": "or"}
_TEMPORAL = frozenset((*ast.UNARY_TEMPORAL, *ast.BINARY_TEMPORAL, "first", "last"))


def as_term(formula: Typed) -> Typed:
    """The Boolean term that an atom consists of, if it does."""
    if formula.op == "atom" and formula.args[0].op in ("signal", "prev"):
        return formula.args[0]
    if formula.op in ("true", "false"):
        return replace(formula, op="const", value=formula.op == "true")
    return formula


class Formulas:
    """Elaborates formulas; the operators are walked with an explicit stack, however deep they are nested."""

    def __init__(self, context: Context, names: Names, terms: Terms) -> None:
        self.context, self.terms = context, terms
        self.intervals = Intervals(context)
        self.comparisons = Comparisons(context, names, terms, self)

    def formula(self, expr: ast.Expr, scope: Scope) -> Typed:
        """The typed formula of an expression."""
        context, depth = self.context, self.context.depth
        results: list[Typed] = []
        chained: set[int] = set()
        stack: list[tuple[ast.Expr, int, bool]] = [(expr, 0, False)]
        while stack:
            node, level, done = stack.pop()
            parts = self._parts(node)
            if parts is None:
                results.append(self._leaf(node, scope))
            elif not done:
                if level > MAX_NESTING:
                    context.report("AS0219", node.span, limit=MAX_NESTING)
                    results.append(context.error(node.span))
                    continue
                self._lint_chain(node, chained)
                stack.append((node, level, True))
                stack.extend((part, level + 1, False) for part in reversed(parts))
            else:
                args = tuple(results[-len(parts) :])
                del results[-len(parts) :]
                results.append(self._combined(node, args, scope))
        context.depth = depth
        return results[0]

    def proposition(self, expr: ast.Expr, scope: Scope, place: str = "a proposition") -> Typed:
        """A formula of one step; ``place`` says, for the report, where temporal operators cannot stand."""
        typed = self.formula(expr, scope)
        if typed.type.kind != "formula":
            return typed
        found = next((n for n in postorder(typed) if n.op in _TEMPORAL), typed)
        if found.op == "parameter" or (found is typed and found.op not in _TEMPORAL):
            return self.context.failed("AS0301", expr.span, found=described(FORMULA), wanted=described(BOOL))
        here = found.span.source is expr.span.source and expr.span.start <= found.span.start < expr.span.stop
        where = found.span if here else expr.span
        return self.context.failed("AS0312", where, op=found.op, place=place)

    def _parts(self, expr: ast.Expr) -> tuple[ast.Expr, ...] | None:
        """The formulas that an operator joins; None for what is no such operator."""
        match expr:
            case ast.Unary(op="!") | ast.Temporal():
                return (expr.operand,)
            case ast.Nary(op="&" | "|"):
                return expr.operands
            case ast.Binary(op="->" | "<->" | "xor") | ast.TemporalBinary():
                return (expr.left, expr.right)
            case _:
                return None

    def _combined(self, expr: ast.Expr, args: tuple[Typed, ...], scope: Scope) -> Typed:
        context = self.context
        kind = FORMULA if any(a.type.kind == "formula" for a in args) else BOOL
        match expr:
            case ast.Unary():
                return context.make("not", args, kind, expr.span)
            case ast.Nary(op=op) | ast.Binary(op=op):
                return context.make(_CONNECTIVES[op], args, kind, expr.span)
            case ast.Temporal(op=op) | ast.TemporalBinary(op=op):
                window = self.intervals.window(expr.interval, op, scope)
                if window is None:
                    return context.error(expr.span)
                if window.turns and (window.lo > 0 or not window.hi) and expr.interval is not None:
                    return context.failed("AS0713", expr.interval.span)
                value = "turns" if window.turns else None
                return context.make(op, args, FORMULA, expr.span, value, (window.lo, window.hi))
            case _:
                raise AssertionError(expr)

    def _leaf(self, expr: ast.Expr, scope: Scope) -> Typed:
        context = self.context
        if not context.descend(expr.span):
            context.depth -= 1
            return context.error(expr.span)
        try:
            match expr:
                case ast.Compare():
                    return self.comparisons.compare(expr, scope)
                case ast.Member():
                    return self.comparisons.member(expr, scope)
                case ast.From():
                    return self.comparisons.origin(expr, scope)
                case ast.Name(id="first" | "last") if scope.find(expr.id) is None:
                    return context.make(expr.id, (), FORMULA, expr.span)
                case ast.Each():
                    mend = "it stands at the head of a formula: `each id : ...`"
                    return context.failed("AS0325", expr.span, what="`each`", mend=mend)
                case ast.ErrorExpr():
                    return context.error(expr.span)
            return self.judged(self.terms.term(expr, scope), expr.span)
        finally:
            context.depth -= 1

    def judged(self, typed: Typed, span: Span) -> Typed:
        """The formula that a term is: a Boolean signal is an atom. Anything else is an error."""
        if typed.type.kind == "error" or typed.type.kind == "formula":
            return typed
        if typed.type.kind == "bool":
            if typed.op in ("signal", "prev"):
                return self.context.make("atom", (typed,), BOOL, span)
            if typed.op == "const":
                return self.context.make("true" if typed.value else "false", (), BOOL, span)
            return typed
        return self.context.failed("AS0311", span, found=described(typed.type), mend=_comparison_of(typed.type, span))

    def _lint_chain(self, expr: ast.Expr, chained: set[int]) -> None:
        reading = None if id(expr) in chained else chain_reading(expr)
        if isinstance(expr, ast.Binary | ast.TemporalBinary) and (reading or id(expr) in chained):
            chained.add(id(expr.right))
        if reading is not None:
            self.context.report("AS0581", expr.span, reading=reading)


def _comparison_of(type: Type, span: Span) -> str:
    text = " ".join(span.text.split())
    if len(text) > 40:
        text = "it"
    if type.kind == "enum":
        return f"compare it: `{text} == {type.members[0]}`"
    if type.is_number:
        return f"compare it: `{text} > 0`"
    if type.kind == "text":
        return f'compare it: `{text} == "..."`, or `contains({text}, "...")`'
    return "compare it, or ask whether it is `in` a set"
