"""Calls in terms: the built-in functions, predicates of texts, and aggregates over the past."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agentc.lang import ast
from agentc.lang.automata import HOA, automaton
from agentc.lang.context import Context, described, measured
from agentc.lang.intervals import Intervals
from agentc.lang.names import Names, counted, kind_in_words
from agentc.lang.quantities import coordinate_types
from agentc.lang.scope import FUNCTIONS, Scope, Symbol
from agentc.lang.terms import Terms
from agentc.lang.typed import Typed
from agentc.lang.types import BOOL, REAL, TEXT, Type, real, unbounded
from agentc.lang.units import parse_unit

TEXT_PREDICATES = ("contains", "starts_with", "ends_with", "matches")
AGGREGATES = ("count", "sum", "rate")
REGIONS = ("box", "ball", "circle", "halfspace", "polytope", "ellipsoid", "union", "intersection", "complement")


class Signature(NamedTuple):
    """How many arguments a function takes (``most`` None: any number), and the rule that types it."""

    least: int
    most: int | None
    rule: Callable[[Functions, ast.Call, str, Scope], Typed]


class Functions:
    """Elaborates calls of built-in functions, and hands those of definitions on."""

    def __init__(self, context: Context, names: Names, terms: Terms) -> None:
        self.context, self.names, self.terms = context, names, terms
        self.intervals = Intervals(context)

    def call(self, expr: ast.Call, scope: Scope) -> Typed:
        """The term (or proposition) that a call stands for."""
        context, function = self.context, expr.function
        if not isinstance(function, ast.Name | ast.Attribute):
            return context.failed("AS0325", function.span, what="this", mend="only names can be called")
        if isinstance(function, ast.Name) and scope.find(function.id) is None:
            return automaton(context, expr, scope) if function.id == HOA else self._built_in(expr, function.id, scope)
        symbol = self._called(function, scope)
        if symbol is None or symbol.kind == "error":
            return context.error(expr.span)
        if symbol.kind in ("pattern", "prop"):
            return context.expand(symbol, expr, expr.span, scope)
        if isinstance(function, ast.Name) and function.id in SIGNATURES:
            return self._built_in(expr, function.id, scope)
        return context.failed(
            "AS0208", function.span, name=symbol.name, found=kind_in_words(symbol), wanted="a function or a pattern"
        )

    def _called(self, function: ast.Name | ast.Attribute, scope: Scope) -> Symbol | None:
        return self.names.symbol(function, scope, "function")

    def _built_in(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        context = self.context
        signature = SIGNATURES.get(name)
        if signature is None:
            if name in REGIONS:
                return context.failed("AS0325", expr.span, what="a region", mend="write `(x, y) in " + name + "(...)`")
            if name == "seen":
                return context.failed("AS0325", expr.span, what="`seen`", mend="write `x in seen(p)`")
            if name == "prev":
                mend = "write `prev.x` for a signal, `Y f` for a formula"
                return context.failed("AS0325", expr.span, what="`prev(...)`", mend=mend)
            functions = [f for f in FUNCTIONS if f not in REGIONS or f == name]
            self.names.unknown_function(name, expr.function.span, scope, functions)
            return context.error(expr.span)
        for argument in expr.arguments:
            if argument.name is not None:
                return context.failed(
                    "AS0305", argument.name_span or argument.span, function=name, name=argument.name,
                    known="positional parameters only",
                )  # fmt: skip
            if argument.when is not None and name != "sum":
                return context.failed("AS0325", argument.span, what="`when`", mend="it stands in `sum(x when p)`")
        if expr.interval is not None and name not in ("count", "sum"):
            return context.failed("AS0325", expr.interval.span, what="an interval", mend="`count` and `sum` have one")
        if not (signature.least <= len(expr.arguments) <= (signature.most or len(expr.arguments))):
            wanted = counted(signature.least, signature.most)
            found = f"are {len(expr.arguments)}" if len(expr.arguments) != 1 else "is 1"
            return context.failed("AS0304", expr.span, name=name, wanted=wanted, found=found)
        return signature.rule(self, expr, name, scope)

    # ---------------------------------------------------------------- numbers

    def _numbers(self, expr: ast.Call, scope: Scope) -> tuple[Typed, ...] | None:
        numbers = tuple(self.terms.number(a.value, scope) for a in expr.arguments)
        return None if any(n.type.kind == "error" for n in numbers) else numbers

    def absolute(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``abs``."""
        operand = self.terms.number(expr.arguments[0].value, scope)
        return self.terms.apply(name, (operand,), unbounded(operand.type), expr.span)

    def root(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``sqrt``, which halves the exponents of the unit."""
        operand = self.terms.number(expr.arguments[0].value, scope)
        return self.terms.apply(name, (operand,), real(operand.type.unit**0.5), expr.span)

    def of_angle(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``sin cos tan`` of an angle, ``exp log`` of a pure number."""
        operand = self.terms.number(expr.arguments[0].value, scope)
        if not operand.type.unit.dimensionless and operand.type.kind != "error":
            wanted = "a pure number" if name in ("exp", "log") else "an angle"
            return self.context.failed(
                "AS0403", expr.arguments[0].span, function=name, wanted=wanted, found=measured(operand.type.unit)
            )
        return self.terms.apply(name, (operand,), REAL, expr.span)

    def extremum(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``min max``: the arguments have one unit, and so has the result."""
        numbers = self._numbers(expr, scope)
        both = self.terms.quantities.alike(numbers, name, expr.span) if numbers is not None else None
        if both is None:
            return self.context.error(expr.span)
        args, unit = both
        kind = Type("int" if all(a.type.kind == "int" for a in args) else "real", unit=unit)
        return self.terms.apply(name, args, kind, expr.span)

    def angle(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``atan2``, in radians."""
        numbers = self._numbers(expr, scope)
        both = self.terms.quantities.alike(numbers, name, expr.span) if numbers is not None else None
        if both is None:
            return self.context.error(expr.span)
        return self.terms.apply(name, both[0], real(parse_unit("rad")), expr.span)

    # ---------------------------------------------------------------- vectors and texts

    def vector(self, expr: ast.Expr, scope: Scope) -> Typed:
        """A vector whose coordinates have one unit."""
        typed = self.terms.term(expr, scope)
        if typed.type.kind == "error":
            return typed
        if typed.type.kind != "vector":
            return self.context.failed("AS0301", expr.span, found=described(typed.type), wanted="a vector")
        if typed.op == "tuple" and len({c.unit for c in coordinate_types(typed)}) > 1:
            both = self.terms.quantities.alike(typed.args, "(,)", expr.span)
            if both is None:
                return self.context.error(expr.span)
            size = (len(both[0]), len(both[0]))
            return self.context.make("tuple", both[0], Type("vector", unit=both[1], size=size), expr.span)
        return typed

    def length_of(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``norm``."""
        operand = self.vector(expr.arguments[0].value, scope)
        return self.terms.apply(name, (operand,), real(operand.type.unit), expr.span)

    def distance(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``dist``."""
        points = tuple(self.vector(a.value, scope) for a in expr.arguments)
        if any(p.type.kind == "error" for p in points):
            return self.context.error(expr.span)
        sizes = [p.type.size[0] if p.type.size else None for p in points]
        if None not in sizes and sizes[0] != sizes[1]:
            left, right = (" ".join(a.span.text.split()) for a in expr.arguments)
            return self.context.failed(
                "AS0313", expr.span, left=f"`{left}`", left_size=sizes[0], right=f"`{right}`", right_size=sizes[1]
            )
        both = self.terms.quantities.alike(points, name, expr.span)
        return self.context.error(expr.span) if both is None else self.terms.apply(
            name, both[0], real(both[1]), expr.span
        )  # fmt: skip

    def text_length(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``length`` of a text."""
        operand = self.terms.term(expr.arguments[0].value, scope, TEXT)
        return self.terms.apply(name, (operand,), Type("int", lo=0), expr.span)

    def text_predicate(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``contains starts_with ends_with matches``: atoms."""
        texts = tuple(self.terms.term(a.value, scope, TEXT) for a in expr.arguments)
        if name == "matches" and texts[1].type.kind != "error":
            where = expr.arguments[1].span
            if not texts[1].is_constant and texts[1].op != "parameter":
                return self.context.failed("AS0308", where, name=" ".join(where.text.split()))
            import re  # lark has it loaded already

            try:
                re.compile(str(texts[1].value))
            except (re.error, RecursionError, OverflowError) as error:
                return self.context.failed("AS0318", where, reason=str(error))
        predicate = self.context.make(name, texts, BOOL, expr.span, False)
        return self.context.make("atom", (predicate,), BOOL, expr.span)

    # ---------------------------------------------------------------- aggregates

    def count(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``count(p)``, ``count[<= 10](p)``: at how many steps it held."""
        window = self._window(expr, name, scope)
        held = self.context.proposition(expr.arguments[0].value, scope, "an aggregate")
        if window is None:
            return self.context.error(expr.span)
        return self.context.make("count", (held,), Type("int", lo=0), expr.span, interval=window)

    def rate(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``rate(p, d)``: how often it held within the last ``d``."""
        held = self.context.proposition(expr.arguments[0].value, scope, "an aggregate")
        duration = self.terms.number(expr.arguments[1].value, scope)
        if "error" in (duration.type.kind, held.type.kind):
            return self.context.error(expr.span)
        where = expr.arguments[1]
        if not duration.is_constant:
            if duration.op == "parameter":
                return self.context.error(expr.span)
            return self.context.failed("AS0308", where.span, name=" ".join(where.span.text.split()))
        steps = self.intervals.steps(duration, where.value, scope)
        if steps is None:
            return self.context.error(expr.span)
        if steps < 0:
            return self.context.failed("AS0409", where.span, lo=0, hi=steps)
        return self.context.make("count", (held,), Type("int", lo=0), expr.span, interval=(0, steps))

    def total(self, expr: ast.Call, name: str, scope: Scope) -> Typed:
        """``sum(x when p)``, over the past."""
        window, argument = self._window(expr, name, scope), expr.arguments[0]
        term = self.terms.number(argument.value, scope)
        held = (
            self.context.make("true", (), BOOL, argument.span) if argument.when is None
            else self.context.proposition(argument.when, scope, "an aggregate")
        )  # fmt: skip
        if window is None:
            return self.context.error(expr.span)
        return self.context.make("sum", (term, held), unbounded(term.type), expr.span, interval=window)

    def _window(self, expr: ast.Call, name: str, scope: Scope) -> tuple[int, int | None] | None:
        window = self.intervals.window(expr.interval, name, scope)
        if window is not None and window.turns and expr.interval is not None:
            self.context.report("AS0412", expr.interval.span, value=" ".join(expr.interval.span.text.split()))
            return None
        return None if window is None else (window.lo, window.hi)


SIGNATURES = {
    "abs": Signature(1, 1, Functions.absolute),
    "sqrt": Signature(1, 1, Functions.root),
    **{name: Signature(1, 1, Functions.of_angle) for name in ("sin", "cos", "tan", "exp", "log")},
    "min": Signature(2, None, Functions.extremum),
    "max": Signature(2, None, Functions.extremum),
    "atan2": Signature(2, 2, Functions.angle),
    "norm": Signature(1, 1, Functions.length_of),
    "dist": Signature(2, 2, Functions.distance),
    "length": Signature(1, 1, Functions.text_length),
    **{name: Signature(2, 2, Functions.text_predicate) for name in TEXT_PREDICATES},
    "count": Signature(1, 1, Functions.count),
    "rate": Signature(2, 2, Functions.rate),
    "sum": Signature(1, 1, Functions.total),
}
