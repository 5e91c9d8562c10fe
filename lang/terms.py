"""Terms: numbers, texts, enum members and vectors, with their types and units."""

from __future__ import annotations

from dataclasses import replace

from agentc.lang import ast
from agentc.lang.context import Context, described, nearest
from agentc.lang.folding import FOLDED, NoValue, fold
from agentc.lang.names import Names
from agentc.lang.quantities import Quantities
from agentc.lang.scope import Scope
from agentc.lang.source import Span
from agentc.lang.typed import Typed, Value
from agentc.lang.types import INT, REAL, TEXT, Type, real, unbounded
from agentc.lang.units import DIMENSIONLESS, UnknownUnit, parse_unit, symbols, to_si


class Terms:
    """Elaborates terms."""

    def __init__(self, context: Context, names: Names) -> None:
        self.context, self.names = context, names
        self.quantities = Quantities(context)

    def term(self, expr: ast.Expr, scope: Scope, expected: Type | None = None) -> Typed:
        """The typed term of an expression; of type ``expected`` if one is given, or an error is reported.

        A proposition comes back as one: where it does not belong, its type tells.
        """
        context = self.context
        if not context.descend(expr.span):
            context.depth -= 1
            return context.error(expr.span)
        try:
            typed = self._term(expr, scope, expected)
        finally:
            context.depth -= 1
        return typed if expected is None else self.coerced(typed, expected, expr.span)

    def _term(self, expr: ast.Expr, scope: Scope, expected: Type | None) -> Typed:
        context, span = self.context, expr.span
        match expr:
            case ast.Number():
                return self.constant(expr.value, INT if isinstance(expr.value, int) else REAL, span)
            case ast.Quantity():
                return self._quantity(expr)
            case ast.String():
                return self.constant(expr.value, TEXT, span)
            case ast.Bool():
                return self.constant(expr.value, Type("bool"), span)
            case ast.Name():
                return self.name(expr, scope, expected)
            case ast.Attribute():
                previous = self.names.previous(expr, scope)
                if previous is not None:
                    return previous
                symbol = self.names.symbol(expr, scope)
                return context.error(span) if symbol is None else self.names.read(symbol, span, scope, expected)
            case ast.TupleExpr():
                return self._tuple(expr, scope)
            case ast.Unary(op="-"):
                operand = self.number(expr.operand, scope)
                return self.apply("neg", (operand,), unbounded(operand.type), span)
            case ast.Unary(op="+"):
                return self.number(expr.operand, scope)
            case ast.Nary(op="+" | "*"):
                return self._chain(expr, scope)
            case ast.Binary(op="-" | "/" | "**"):
                return self._arithmetic(expr, scope)
            case ast.Index():
                return self._index(expr, scope)
            case ast.Call():
                return context.call(expr, scope)
            case ast.ErrorExpr():
                return context.error(span)
            case ast.Infinity():
                return context.failed("AS0325", span, what="`inf`", mend="only a bound of a range can be infinite")
            case ast.ListExpr() | ast.SetExpr() | ast.Range() | ast.Record():
                what = {ast.ListExpr: "a list", ast.SetExpr: "a set", ast.Range: "a range", ast.Record: "a record"}
                return context.failed(
                    "AS0325", span, what=what[type(expr)], mend="a number, a text or a vector can; sets come after `in`"
                )
            case _:
                return context.formula(expr, scope)

    # ---------------------------------------------------------------- leaves

    def constant(self, value: Value, type: Type, span: Span) -> Typed:
        """A constant; one that is not finite is an error."""
        if isinstance(value, float) and not -1.8e308 < value < 1.8e308:
            return self.context.failed("AS0316", span, reason="it is too large")
        return self.context.make("const", (), type, span, value)

    def _quantity(self, expr: ast.Quantity) -> Typed:
        span = expr.span
        unit_span = Span(span.source, max(span.start, span.stop - len(expr.unit)), span.stop)
        try:
            unit = parse_unit(expr.unit)
        except UnknownUnit as unknown:
            self.unknown_unit(unknown, unit_span)
            return self.context.error(span)
        return self.constant(to_si(expr.value, unit), real(unit), span)

    def unknown_unit(self, unknown: UnknownUnit, span: Span) -> None:
        """Report a symbol that is no unit."""
        where, offset = span, span.text.find(unknown.symbol, unknown.offset)
        if offset >= 0 and unknown.symbol:
            start = span.start + offset
            where = Span(span.source, start, start + len(unknown.symbol))
        self.context.report("AS0401", where, name=unknown.symbol, suggestion=nearest(unknown.symbol, symbols()))

    def name(self, expr: ast.Name, scope: Scope, expected: Type | None = None) -> Typed:
        """What a name stands for, a member of the enum that is expected before anything else."""
        if expected is not None and expected.kind == "enum":
            if expr.id in expected.members:
                return self.context.make("const", (), expected, expr.span, expr.id)
            if scope.find(expr.id) is None:
                return self.unknown_member(expr, expected)
        timed = self.names.built_in(expr.id, expr.span, scope)
        if timed is not None:
            return timed
        if expr.id in ("first", "last") and scope.find(expr.id) is None:
            return self.context.formula(expr, scope)
        symbol = self.names.symbol(expr, scope, "signal or definition")
        return self.context.error(expr.span) if symbol is None else self.names.read(symbol, expr.span, scope, expected)

    def unknown_member(self, expr: ast.Name, of: Type) -> Typed:
        """Report a name that is no member of an enum."""
        members = f"{{{', '.join(of.members)}}}"
        return self.context.failed(
            "AS0205", expr.span, name=expr.id, members=members, suggestion=nearest(expr.id, of.members)
        )

    # ---------------------------------------------------------------- composed

    def number(self, expr: ast.Expr, scope: Scope) -> Typed:
        """A term that is a number."""
        return self.checked_number(self.term(expr, scope), expr.span)

    def checked_number(self, typed: Typed, span: Span) -> Typed:
        """The term, if it is a number."""
        if typed.type.kind == "error" or typed.type.is_number:
            return typed
        return self.context.failed("AS0301", span, found=described(typed.type), wanted="a number")

    def apply(self, op: str, args: tuple[Typed, ...], type: Type, span: Span) -> Typed:
        """The function of terms, computed already where they are constants."""
        node = self.context.make(op, args, type, span)
        if node.op == "error" or op not in FOLDED or not all(a.is_constant for a in args):
            return node
        try:
            return self.constant(fold(op, [a.value for a in args]), type, span)
        except NoValue as reason:
            return self.context.failed("AS0316", span, reason=str(reason))

    def _chain(self, expr: ast.Nary, scope: Scope) -> Typed:
        op = "add" if expr.op == "+" else "mul"
        result = self.number(expr.operands[0], scope)
        for operand in expr.operands[1:]:
            span = expr.operands[0].span.to(operand.span)
            result = self._combine(op, expr.op, result, self.number(operand, scope), span)
        return result

    def _arithmetic(self, expr: ast.Binary, scope: Scope) -> Typed:
        left, right = self.number(expr.left, scope), self.number(expr.right, scope)
        op = {"-": "sub", "/": "div", "**": "pow"}[expr.op]
        if op == "pow":
            return self._power(left, right, expr)
        return self._combine(op, expr.op, left, right, expr.span)

    def _combine(self, op: str, written: str, left: Typed, right: Typed, span: Span) -> Typed:
        if "error" in (left.type.kind, right.type.kind):
            return self.context.error(span)
        if op in ("add", "sub"):
            both = self.quantities.alike((left, right), written, span)
            if both is None:
                return self.context.error(span)
            (left, right), unit = both
        else:
            unit = left.type.unit * right.type.unit if op == "mul" else left.type.unit / right.type.unit
        whole = op != "div" and left.type.kind == right.type.kind == "int"
        return self.apply(op, (left, right), Type("int" if whole else "real", unit=unit), span)

    def _power(self, base: Typed, exponent: Typed, expr: ast.Binary) -> Typed:
        if "error" in (base.type.kind, exponent.type.kind):
            return self.context.error(expr.span)
        if not exponent.type.unit.dimensionless:
            return self.context.failed(
                "AS0403", expr.right.span, function="**", wanted="a pure number as exponent", found=exponent.type.unit
            )
        unit = DIMENSIONLESS
        if not base.type.unit.bare:
            if not isinstance(exponent.value, int | float) or not exponent.is_constant:
                if not base.type.unit.dimensionless:
                    text = " ".join(expr.right.span.text.split())
                    return self.context.failed("AS0308", expr.right.span, name=text)
            else:
                try:
                    unit = base.type.unit**exponent.value
                except OverflowError:
                    return self.context.failed("AS0316", expr.span, reason="it is too large")
        return self.apply("pow", (base, exponent), real(unit), expr.span)

    def _tuple(self, expr: ast.TupleExpr, scope: Scope) -> Typed:
        items = tuple(self.number(item, scope) for item in expr.items)
        if any(i.type.kind == "error" for i in items):
            return self.context.error(expr.span)
        first = items[0].type.unit
        unit = first
        for item in items[1:]:
            unit = unit.joined(item.type.unit)
        of = Type("vector", unit=unit if unit == first else first, size=(len(items), len(items)))
        if all(i.is_constant for i in items) and all(i.type.unit == first for i in items):
            return self.constant(tuple(i.value for i in items), of, expr.span)
        return self.context.make("tuple", items, of, expr.span)

    def _index(self, expr: ast.Index, scope: Scope) -> Typed:
        base = self.term(expr.base, scope)
        index = self.number(expr.index, scope)
        if "error" in (base.type.kind, index.type.kind):
            return self.context.error(expr.span)
        if base.type.kind != "vector":
            return self.context.failed("AS0301", expr.base.span, found=described(base.type), wanted="a vector")
        if index.op == "parameter":
            return self.context.error(expr.span)
        if not index.is_constant or not isinstance(index.value, int):
            return self.context.failed("AS0308", expr.index.span, name=" ".join(expr.index.span.text.split()))
        size = base.type.size[0] if base.type.size else None
        if index.value < 0 or (size is not None and index.value >= size):
            return self.context.failed(
                "AS0317", expr.index.span, index=index.value, size=f"a vector of {size or 'some'} coordinates"
            )
        if base.op == "tuple":
            return base.args[index.value]
        of = Type("real", lo=base.type.lo, hi=base.type.hi, unit=base.type.unit)
        if base.is_constant and isinstance(base.value, tuple):
            return self.constant(base.value[index.value], of, expr.span)
        return self.context.make("index", (base,), of, expr.span, index.value)

    # ---------------------------------------------------------------- expected types

    def coerced(self, typed: Typed, wanted: Type, span: Span) -> Typed:
        """The term as one of type ``wanted``: integers are reals, bare constants take the unit that is wanted."""
        found, context = typed.type, self.context
        if "error" in (found.kind, wanted.kind):
            return typed
        if wanted.is_number:
            if not found.is_number or (wanted.kind == "int" and found.kind != "int"):
                return context.failed("AS0301", span, found=described(found), wanted=described(wanted))
            return self.quantities.in_unit(typed, wanted, span)
        if wanted.kind == "vector":
            return self._vector(typed, wanted, span)
        if wanted.kind == "enum":
            if found.kind == "enum" and (typed.value in wanted.members if typed.is_constant else found == wanted):
                return replace(typed, type=wanted) if typed.is_constant else typed
        elif wanted.kind == found.kind:
            if wanted.kind == "text" and typed.is_constant and wanted.size is not None:
                length = len(str(typed.value))
                if not wanted.size[0] <= length <= wanted.size[1]:
                    return context.failed(
                        "AS0315", span, value=f"a text of {length} characters",
                        range=f"text[{wanted.size[0]}..{wanted.size[1]}]",
                    )  # fmt: skip
            return typed
        elif wanted.kind == "formula" and found.kind == "bool":
            return typed
        suggestion = None
        if wanted.kind == "enum" and found.kind == "text" and typed.value in wanted.members:
            suggestion = str(typed.value)
        return context.failed("AS0301", span, found=described(found), wanted=described(wanted), suggestion=suggestion)

    def _vector(self, typed: Typed, wanted: Type, span: Span) -> Typed:
        found = typed.type
        if found.kind != "vector":
            return self.context.failed("AS0301", span, found=described(found), wanted=described(wanted))
        if None not in (found.size, wanted.size) and found.size != wanted.size:
            assert found.size is not None and wanted.size is not None
            return self.context.failed(
                "AS0313", span, left="this", left_size=found.size[0], right="what is needed here",
                right_size=wanted.size[0],
            )  # fmt: skip
        return self.quantities.in_unit(typed, wanted, span)
