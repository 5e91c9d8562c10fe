"""Type expressions: ``real in [0, 1] [m/s]``, ``enum {a, b}``, ``text[1..80]``, ``vec[2] [m]``."""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.context import Context, nearest
from agentc.lang.expansion import DURATION
from agentc.lang.scope import Scope
from agentc.lang.source import Span
from agentc.lang.terms import Terms
from agentc.lang.typed import postorder
from agentc.lang.types import BOOL, ERROR, FORMULA, REGION, TEXT, Type
from agentc.lang.units import DIMENSIONLESS, Unit, UnknownUnit, parse_unit

_NAMES = ("bool", "int", "real", "enum", "text", "vec")
_PARAMETERS: dict[str, Type] = {"prop": BOOL, "formula": FORMULA, "region": REGION, "duration": DURATION}
_FOREIGN = {
    "float": "real", "double": "real", "number": "real", "integer": "int", "boolean": "bool", "string": "text",
    "str": "text", "vector": "vec",
}  # fmt: skip


class DeclaredTypes:
    """Elaborates type expressions."""

    def __init__(self, context: Context, terms: Terms) -> None:
        self.context, self.terms = context, terms

    def type(self, written: ast.TypeExpr, scope: Scope, parameter: bool = False) -> Type:
        """The type that is meant. ``prop formula region duration`` are types of parameters alone."""
        name = written.name or ("enum" if written.members else "real")
        where = written.name_span or written.span
        if parameter and name in _PARAMETERS:
            for what, given in (("a size", written.size), ("a range", written.domain), ("a unit", written.unit)):
                if given is not None:
                    return self._bad(written.span, name, what)
            return _PARAMETERS[name]
        match name:
            case "bool":
                plain = self._plain(written, name, ("a size", "a range", "a unit"))
                return BOOL if plain else ERROR
            case "int" | "real":
                return self._number(written, name, scope) if self._plain(written, name, ("a size",)) else ERROR
            case "enum":
                return self._enum(written) if self._plain(written, name, ("a size", "a range", "a unit")) else ERROR
            case "text":
                if not self._plain(written, name, ("a range", "a unit")):
                    return ERROR
                if written.size is not None and written.size[0] > written.size[1]:
                    self.context.report("AS0314", written.span, lo=written.size[0], hi=written.size[1])
                    return ERROR
                return Type("text", size=written.size) if written.size is not None else TEXT
            case "vec":
                return self._vector(written, scope)
        known = [*_NAMES, *_PARAMETERS] if parameter else list(_NAMES)
        self.context.report("AS0309", where, name=name, suggestion=_FOREIGN.get(name.lower()) or nearest(name, known))
        return ERROR

    def _plain(self, written: ast.TypeExpr, name: str, refused: tuple[str, ...]) -> bool:
        for what, given in (("a size", written.size), ("a range", written.domain), ("a unit", written.unit)):
            if given is not None and what in refused:
                self._bad(written.span, name, what)
                return False
        return True

    def _bad(self, span: Span, name: str, what: str) -> Type:
        mends = {"a size": "only `text` and `vec` have one", "a range": "only numbers have one"}
        self.context.report("AS0310", span, type=name, what=what, mend=mends.get(what, "only numbers have one"))
        return ERROR

    def unit(self, written: ast.TypeExpr) -> Unit | None:
        """The unit of a type; None, and a report, if it is none."""
        if written.unit is None:
            return DIMENSIONLESS
        try:
            return parse_unit(written.unit)
        except UnknownUnit as unknown:
            self.terms.unknown_unit(unknown, written.unit_span or written.span)
            return None

    def _number(self, written: ast.TypeExpr, name: str, scope: Scope) -> Type:
        unit = self.unit(written)
        if unit is None:
            return ERROR
        bounds = self._bounds(written.domain, unit, scope)
        if bounds is None:
            return ERROR
        return Type("int" if name == "int" else "real", lo=bounds[0], hi=bounds[1], unit=unit)

    def _bounds(self, domain: ast.Expr | None, unit: Unit, scope: Scope) -> tuple[float | None, float | None] | None:
        """Least and greatest value of a domain, in SI base units; None, and a report, if it is no domain."""
        if domain is None:
            return None, None
        written: list[ast.Expr | None]
        if isinstance(domain, ast.Range):
            written = [domain.lo, domain.hi]
        elif isinstance(domain, ast.SetExpr | ast.ListExpr) and domain.items:
            written = list(domain.items)
        else:
            self.context.report("AS0325", domain.span, what="this", mend="a domain is `[lo, hi]` or `{a, b}`")
            return None
        values: list[float | None] = []
        for bound in written:
            inner = bound.operand if isinstance(bound, ast.Unary) else bound
            if bound is None or isinstance(inner, ast.Infinity):
                values.append(None)
                continue
            typed = self.terms.term(bound, scope, Type("real", unit=unit))
            if typed.type.kind == "error":
                return None
            if not typed.is_constant or not isinstance(typed.value, int | float):
                if not any(node.op == "parameter" for node in postorder(typed)):  # which has a value when it is used
                    self.context.report("AS0308", bound.span, name=" ".join(bound.span.text.split()))
                    return None
                values.append(None)
                continue
            values.append(float(typed.value))
        if not isinstance(domain, ast.Range):
            known = [v for v in values if v is not None]
            return (min(known), max(known)) if len(known) == len(values) else (None, None)
        lo, hi = values
        if lo is not None and hi is not None and lo > hi:
            texts = (" ".join(b.span.text.split()) for b in (domain.lo, domain.hi))
            self.context.report("AS0314", domain.span, lo=next(texts), hi=next(texts))
            return None
        return lo, hi

    def _enum(self, written: ast.TypeExpr) -> Type:
        seen: set[str] = set()
        for i, member in enumerate(written.members):
            if member in seen:
                where = written.member_spans[i] if i < len(written.member_spans) else written.span
                self.context.report("AS0320", where, name=member)
            seen.add(member)
        if not written.members:
            self.context.report("AS0310", written.span, type="enum", what="no members", mend="write `enum {a, b}`")
            return ERROR
        return Type("enum", members=tuple(dict.fromkeys(written.members)))

    def _vector(self, written: ast.TypeExpr, scope: Scope) -> Type:
        unit = self.unit(written)
        if unit is None:
            return ERROR
        if written.size is None or written.size[0] != written.size[1] or written.size[0] < 1:
            what = "no length" if written.size is None else "this length"
            self.context.report("AS0310", written.span, type="vec", what=what, mend="write `vec[2]`")
            return ERROR
        bounds = self._bounds(written.domain, unit, scope)
        if bounds is None:
            return ERROR
        return Type("vector", lo=bounds[0], hi=bounds[1], unit=unit, size=written.size)
