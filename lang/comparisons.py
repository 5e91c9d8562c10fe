"""Comparisons and memberships: the atoms of formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from agentc.lang import ast
from agentc.lang.context import Context, described, nearest
from agentc.lang.names import FORMULAS, Names, enum_with, kind_in_words
from agentc.lang.quantities import coordinate_types
from agentc.lang.scope import READABLE, Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.terms import Terms
from agentc.lang.typed import Typed
from agentc.lang.types import BOOL, TEXT, Type, real
from agentc.lang.units import Unit

_VALUES = (*READABLE, "const", "param", "parameter", "phase", "tool")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


class Judge(Protocol):
    """Turns Boolean terms into formulas."""

    def judged(self, typed: Typed, span: Span) -> Typed:
        """The formula that a term is."""


class Comparisons:
    """Elaborates comparisons, ``in`` and ``from``."""

    def __init__(self, context: Context, names: Names, terms: Terms, judge: Judge) -> None:
        self.context, self.names, self.terms, self.judge = context, names, terms, judge

    # ---------------------------------------------------------------- comparisons

    def compare(self, expr: ast.Compare, scope: Scope) -> Typed:
        """``a < b``; a chain ``0 <= x < 5`` is the conjunction of its links."""
        operands = self._operands(expr, scope)
        links = []
        for i, op in enumerate(expr.ops):
            span = expr.operands[i].span.to(expr.operands[i + 1].span) if len(expr.ops) > 1 else expr.span
            links.append(self._link(op, operands[i], operands[i + 1], span))
        if len(links) == 1:
            return links[0]
        return self.context.make("and", tuple(links), BOOL, expr.span)

    def _operands(self, expr: ast.Compare, scope: Scope) -> list[Typed]:
        """The operands; names among them are members of the enum that another one is of."""
        found: dict[int, Typed] = {}
        names = {i: o for i, o in enumerate(expr.operands) if isinstance(o, ast.Name)}
        for i, operand in enumerate(expr.operands):
            if i not in names or self._untyped(names[i], scope) is not None:
                continue
            symbol = scope.find(names[i].id)
            # what is not a value is read only if it is not the name of a member
            if symbol is not None and symbol.kind in _VALUES:
                found[i] = self.terms.term(operand, scope)
        for i, operand in enumerate(expr.operands):
            if i not in names:
                found[i] = self.terms.term(operand, scope)
        enum = self._enum(found, names)
        bad = any(t.type.kind == "error" for t in found.values())
        known = [t.type for t in found.values() if t.type.kind not in ("error", "enum")]
        # of two unknown names, the one that can be a member is not the one that is wrong
        for i, name in sorted(names.items(), key=lambda item: enum_with(item[1].id, scope) is not None):
            member = enum is not None and name.id in enum.members
            if i in found and not (member and found[i].type != enum):
                continue
            each = self._untyped(name, scope)
            if each is not None and (enum is not None or known):
                self.context.each_types[id(each)] = enum if enum is not None else replace(known[0], lo=None, hi=None)
            symbol = scope.find(name.id)
            if bad and (symbol is None or symbol.kind not in (*_VALUES, *FORMULAS)):
                found[i] = self.context.error(name.span)  # it may be a member of what was not understood
            else:
                found[i] = self.terms.name(name, scope, enum)
                bad = bad or found[i].type.kind == "error"
        return [found[i] for i in range(len(expr.operands))]

    def _enum(self, found: dict[int, Typed], names: dict[int, ast.Name]) -> Type | None:
        """The enum whose members the names can be: one that has a member of another operand's name comes first."""
        enums = [(i, t.type) for i, t in found.items() if t.type.kind == "enum"]
        for i, enum in enums:
            if any(name.id in enum.members for j, name in names.items() if j != i):
                return enum
        return enums[0][1] if enums else None

    def _untyped(self, name: ast.Name, scope: Scope) -> Symbol | None:
        """The symbol of a parameter of ``each`` of which no type is known yet."""
        symbol = scope.find(name.id)
        if symbol is None or symbol.type is not None or symbol.kind != "signal":
            return None
        return None if id(symbol) in self.context.each_types else symbol

    def _link(self, op: str, left: Typed, right: Typed, span: Span) -> Typed:
        context, kinds = self.context, {left.type.kind, right.type.kind}
        if "error" in kinds:
            return context.error(span)
        if kinds <= {"int", "real"}:
            return self._numbers(op, left, right, span)
        if left.type.is_formula and right.type.is_formula:
            return self._truths(op, left, right, span)
        same = len(kinds) == 1
        if kinds == {"enum"}:
            same = left.type == right.type or any(
                one.is_constant and one.value in other.type.members for one, other in ((left, right), (right, left))
            )
        if not same or kinds <= {"region", "set"}:
            return self._incomparable(left, right, span)
        if op not in ("==", "!="):
            return context.failed("AS0303", span, op=op, found=described(left.type))
        if kinds == {"vector"}:
            return self._vectors(op, left, right, span)
        if left.is_constant and right.is_constant:
            context.report("AS0322", span, value=_truth(op == "==" if left.value == right.value else op == "!="))
        return self._atom(op, left, right, span)

    def _incomparable(self, left: Typed, right: Typed, span: Span) -> Typed:
        suggestion = where = None
        for enum, text in ((left, right), (right, left)):
            if enum.type.kind == "enum" and text.type.kind == "text" and text.is_constant:
                suggestion, where = nearest(str(text.value), enum.type.members), text.span
        return self.context.failed(
            "AS0302", span, left=described(left.type), right=described(right.type), suggestion=suggestion,
            suggestion_span=where,
        )  # fmt: skip

    def _atom(self, op: str, left: Typed, right: Typed, span: Span) -> Typed:
        return self.context.make("atom", (self.context.make("compare", (left, right), BOOL, span, op),), BOOL, span)

    def _numbers(self, op: str, left: Typed, right: Typed, span: Span) -> Typed:
        both = self.terms.quantities.alike((left, right), op, span)
        if both is None:
            return self.context.error(span)
        (left, right), _ = both
        value = _known(op, left, right)
        if value is not None:
            self.context.report("AS0322", span, value=_truth(value))
        elif op in ("==", "!=") and "real" in (left.type.kind, right.type.kind):
            texts = [" ".join(t.span.text.split()) for t in (left, right)]
            self.context.report("AS0321", span, left=texts[0], right=texts[1])
        return self._atom(op, left, right, span)

    def _vectors(self, op: str, left: Typed, right: Typed, span: Span) -> Typed:
        if left.type.size != right.type.size and None not in (left.type.size, right.type.size):
            assert left.type.size is not None and right.type.size is not None
            return self.context.failed(
                "AS0313", span, left="the left side", left_size=left.type.size[0], right="the right side",
                right_size=right.type.size[0],
            )  # fmt: skip
        both = self.terms.quantities.alike((left, right), op, span)
        if both is None:
            return self.context.error(span)
        self.context.report("AS0321", span, left="x", right="y")
        return self._atom(op, both[0][0], both[0][1], span)

    def _truths(self, op: str, left: Typed, right: Typed, span: Span) -> Typed:
        if op not in ("==", "!="):
            return self.context.failed("AS0303", span, op=op, found=described(left.type))
        terms = [t.args[0] if t.op == "atom" and t.args[0].op in ("signal", "prev") else t for t in (left, right)]
        if all(t.op in ("signal", "prev", "const") for t in terms):
            return self._atom(op, terms[0], terms[1], span)
        kind = left.type if left.type.kind == "formula" else right.type
        sides = tuple(self.judge.judged(t, t.span) for t in (left, right))
        return self.context.make("iff" if op == "==" else "xor", sides, kind, span)

    # ---------------------------------------------------------------- membership

    def member(self, expr: ast.Member, scope: Scope) -> Typed:
        """``x in domain``, ``x not in domain``."""
        match expr.domain:
            case ast.SetExpr():
                return self._in_set(expr, expr.domain, scope)
            case ast.Range():
                return self._in_range(expr, expr.domain, scope)
            case ast.Call(function=ast.Name(id="seen")) if scope.find("seen") is None:
                return self._in_seen(expr, expr.domain, scope)
            case ast.ErrorExpr():
                return self.context.error(expr.span)
            case _:
                return self._in_region(expr, scope)

    def _predicate(self, op: str, args: tuple[Typed, ...], expr: ast.Member) -> Typed:
        predicate = self.context.make(op, args, BOOL, expr.span, expr.negated)
        return self.context.make("atom", (predicate,), BOOL, expr.span)

    def _in_set(self, expr: ast.Member, domain: ast.SetExpr, scope: Scope) -> Typed:
        item = self.terms.term(expr.item, scope)
        if item.type.kind == "error":
            return self.context.error(expr.span)
        if item.type.kind == "vector" or item.type.is_formula:
            return self.context.failed(
                "AS0301", expr.item.span, found=described(item.type), wanted="a number, a text or a value of an enum"
            )
        members = []
        for written in domain.items:
            member = self.terms.term(written, scope, item.type if item.type.kind in ("enum", "text") else None)
            if item.type.is_number and member.type.kind != "error":
                both = self.terms.quantities.alike((item, member), "in", written.span)
                if not member.type.is_number:
                    member = self.terms.checked_number(member, written.span)
                else:
                    member = self.context.error(written.span) if both is None else both[0][1]
            members.append(member)
        return self._predicate("in_set", (item, *members), expr)

    def _in_range(self, expr: ast.Member, domain: ast.Range, scope: Scope) -> Typed:
        item = self.terms.number(expr.item, scope)
        bounds: list[tuple[str, Typed]] = []
        for op, written in ((">=", domain.lo), ("<=", domain.hi)):
            inner = written.operand if isinstance(written, ast.Unary) else written
            if not isinstance(inner, ast.Infinity):
                bounds.append((op, self.terms.number(written, scope)))
        terms = (item, *(b for _, b in bounds))
        if any(t.type.kind == "error" for t in terms):
            return self.context.error(expr.span)
        both = self.terms.quantities.alike(terms, "in", expr.span)
        if both is None:
            return self.context.error(expr.span)
        args = both[0]
        if len(args) == 3:
            lo, hi = args[1].value, args[2].value
            if isinstance(lo, int | float) and isinstance(hi, int | float) and lo > hi:
                texts = (" ".join(b.span.text.split()) for b in (domain.lo, domain.hi))
                return self.context.failed("AS0314", domain.span, lo=next(texts), hi=next(texts))
            return self._predicate("in_range", args, expr)
        if len(args) == 1:
            return self.context.failed("AS0325", domain.span, what="a range without bounds", mend="give it one")
        op = bounds[0][0]
        if expr.negated:
            op = {">=": "<", "<=": ">"}[op]
        return self._atom(op, args[0], args[1], expr.span)

    def _in_seen(self, expr: ast.Member, domain: ast.Call, scope: Scope) -> Typed:
        context = self.context
        if len(domain.arguments) != 1 or domain.arguments[0].name is not None:
            found = f"are {len(domain.arguments)}" if len(domain.arguments) != 1 else "is a keyword"
            return context.failed("AS0304", domain.span, name="seen", wanted="1 argument", found=found)
        source = domain.arguments[0].value
        if not isinstance(source, ast.Name | ast.Attribute):
            return context.failed("AS0301", source.span, found="an expression", wanted="a phase or a signal")
        item = self.terms.term(expr.item, scope)
        symbol = self.names.symbol(source, scope, "phase or signal")
        if symbol is None or item.type.kind == "error":
            return context.error(expr.span)
        if symbol.kind == "parameter" and isinstance(symbol.value, Typed):
            atom = symbol.value
            seen = atom.args[0] if atom.op == "atom" else atom
            phase = scope_phase(seen, scope)
            seen = replace(seen, value=f"{seen.value}.text", type=TEXT) if phase else seen
        elif symbol.kind in ("phase", *READABLE, "parameter"):
            seen = self.names.read(symbol, source.span, scope, TEXT if symbol.kind == "phase" else None)
        else:
            seen = context.failed(
                "AS0208", source.span, name=symbol.name, found=kind_in_words(symbol), wanted="a phase or a signal"
            )
        if seen.type.kind == "error":
            return context.error(expr.span)
        if seen.type.kind == "enum" and item.type.kind != "enum":
            item = self.terms.coerced(item, seen.type, expr.item.span)
        if item.type.kind == seen.type.kind == "text":
            return self._predicate("occurs_in_seen", (item, seen), expr)
        if item.type.is_number and seen.type.is_number:
            both = self.terms.quantities.alike((item, seen), "in", expr.span)
            return context.error(expr.span) if both is None else self._predicate("in_seen", both[0], expr)
        if item.type.kind != seen.type.kind:
            return self._incomparable(item, seen, expr.span)
        return self._predicate("in_seen", (item, seen), expr)

    def _in_region(self, expr: ast.Member, scope: Scope) -> Typed:
        context = self.context
        point = self.terms.term(expr.item, scope)
        if point.type.kind == "error":
            context.region(expr.domain, scope, None)
            return context.error(expr.span)
        if point.type.kind != "vector" and not point.type.is_number:
            return context.failed("AS0301", expr.item.span, found=described(point.type), wanted="a point")
        units = tuple(t.unit for t in coordinate_types(point))
        size = context.region(expr.domain, scope, None)[0].type.size
        if size is not None and point.op != "parameter" and size[0] != len(units):
            text = " ".join(expr.item.span.text.split())
            return context.failed(
                "AS0313", expr.span, left=f"`{text}`", left_size=len(units), right="the region", right_size=size[0]
            )
        region, scales = context.region(expr.domain, scope, units)
        if region.type.kind == "error":
            return context.error(expr.span)
        if len(set(units)) > 1 and scales is None:
            return context.failed(
                "AS0404", expr.span, units=" and ".join(dict.fromkeys(str(u) or "pure numbers" for u in units)),
                scales=", ".join(f"1{u}" for u in units),
            )  # fmt: skip
        return self._predicate("in_region", (self._scaled(point, units, scales), region), expr)

    def _scaled(self, point: Typed, units: tuple[Unit, ...], scales: tuple[float, ...] | None) -> Typed:
        """The point as a vector, each coordinate divided by its scale."""
        context, span = self.context, point.span
        if point.type.kind == "vector" and scales is None:
            return point
        if point.type.kind != "vector":
            coordinates: tuple[Typed, ...] = (point,)
        elif point.op == "tuple":
            coordinates = point.args
        elif isinstance(point.value, tuple):
            coordinates = tuple(context.make("const", (), real(units[0]), span, v) for v in point.value)
        else:
            coordinates = tuple(context.make("index", (point,), real(u), span, i) for i, u in enumerate(units))
        if scales is not None:
            ones = (context.make("const", (), real(u), span, s) for u, s in zip(units, scales, strict=True))
            coordinates = tuple(
                self.terms.apply("div", (c, one), real(), span) for c, one in zip(coordinates, ones, strict=True)
            )
        size = (len(coordinates), len(coordinates))
        return context.make("tuple", coordinates, Type("vector", unit=coordinates[0].type.unit, size=size), span)

    # ---------------------------------------------------------------- origins

    def origin(self, expr: ast.From, scope: Scope) -> Typed:
        """``x from source``: where a value came from is the signal ``x@from``."""
        context = self.context
        item = self.terms.term(expr.item, scope)
        if not isinstance(expr.source, ast.Name):
            return context.failed("AS0301", expr.source.span, found="an expression", wanted="a phase, a tool or `user`")
        source = expr.source.id
        symbol = scope.lookup(source)
        if symbol is not None and symbol.kind == "parameter" and isinstance(symbol.value, Typed):
            term = symbol.value.args[0] if symbol.value.op == "atom" else symbol.value
            source, symbol = str(term.value), scope.find(str(term.value))
        if symbol is None and source != "user":
            labels = [*scope.names("phase", "tool"), "user"]
            return context.failed(
                "AS0203", expr.source.span, kind="phase", name=source, suggestion=nearest(source, labels)
            )
        if symbol is not None and symbol.kind not in ("phase", "tool", "error", "parameter"):
            return context.failed(
                "AS0208", expr.source.span, name=source, found=kind_in_words(symbol), wanted="a phase or `user`"
            )
        if item.type.kind == "error" or (symbol is not None and symbol.kind == "error"):
            return context.error(expr.span)
        if item.op != "signal":
            return context.failed("AS0301", expr.item.span, found=described(item.type), wanted="a signal")
        origins = context.make("signal", (), Type("set"), expr.item.span, f"{item.value}@from")
        label = context.make("const", (), TEXT, expr.source.span, source)
        predicate = context.make("from", (origins, label), BOOL, expr.span, False)
        return context.make("atom", (predicate,), BOOL, expr.span)


def scope_phase(term: Typed, scope: Scope) -> bool:
    """Whether a Boolean signal is a phase."""
    symbol = scope.find(str(term.value)) if term.op == "signal" and term.type.kind == "bool" else None
    return symbol is not None and symbol.kind == "phase"


def _truth(value: bool) -> str:
    return "true" if value else "false"


def _known(op: str, left: Typed, right: Typed) -> bool | None:
    """What a comparison always is: of two constants, or of a signal with a constant outside of its range."""
    if isinstance(left.value, int | float) and isinstance(right.value, int | float):
        return _COMPARE[op](left.value, right.value) if left.is_constant and right.is_constant else None
    for signal, constant, direct in ((left, right, True), (right, left, False)):
        if signal.op != "signal" or not constant.is_constant or not isinstance(constant.value, int | float):
            continue
        lo, hi, value = signal.type.lo, signal.type.hi, constant.value
        if lo is None or hi is None or lo > hi:
            continue
        ends = {_COMPARE[op](end, value) if direct else _COMPARE[op](value, end) for end in (lo, hi)}
        outside = not lo <= value <= hi
        if len(ends) == 1 and (outside or op not in ("==", "!=")):
            return ends.pop()
    return None
