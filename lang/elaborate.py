"""Elaboration: from expressions as written to typed ones, with names, types and units checked.

The rules live beside each other and call each other through one :class:`~agentc.lang.context.Context`:
:mod:`~agentc.lang.names`, :mod:`~agentc.lang.terms`, :mod:`~agentc.lang.quantities`, :mod:`~agentc.lang.functions`,
:mod:`~agentc.lang.formulas`, :mod:`~agentc.lang.comparisons`, :mod:`~agentc.lang.regions`,
:mod:`~agentc.lang.intervals`, :mod:`~agentc.lang.expansion`, :mod:`~agentc.lang.declared_types`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agentc.lang import ast
from agentc.lang.context import Context, nearest, no_file
from agentc.lang.declared_types import DeclaredTypes
from agentc.lang.diagnostics import Diagnostic
from agentc.lang.expansion import Expansion
from agentc.lang.formulas import Formulas
from agentc.lang.functions import Functions
from agentc.lang.lints import unguarded
from agentc.lang.names import Names, path_of
from agentc.lang.regions import Regions
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.terms import Terms
from agentc.lang.typed import Typed, Value
from agentc.lang.types import Type

Configuration = bool | int | float | str | None | tuple["Configuration", ...] | Mapping[str, "Configuration"]
"""Scalars, lists (as tuples) and records."""


class Elaborator:
    """Elaborates expressions, collecting diagnostics; one serves a whole run of ``check``.

    ``overrides`` are the values of ``param``s that were given from outside; ``read`` gives the text of a file of the
    project, or raises ``AgentcError``. No method raises for what a person may have written: each mistake is one entry
    of ``diagnostics``, and what it leaves behind has type ``error``.
    """

    def __init__(
        self, overrides: Mapping[str, ast.Expr] | None = None, read: Callable[[str, Span], str] = no_file
    ) -> None:
        self._context = context = Context(overrides or {})
        context.read = read
        self._names = Names(context)
        self._terms = Terms(context, self._names)
        self._formulas = Formulas(context, self._names, self._terms)
        self._regions = Regions(context, self._names, self._terms)
        self._expansion = Expansion(context, self._names, self._terms)
        self._types = DeclaredTypes(context, self._terms)
        context.term = self._terms.term
        context.call = Functions(context, self._names, self._terms).call
        context.formula = self._formulas.formula
        context.proposition = self._formulas.proposition
        context.region = self._regions.region
        context.expand = self._expansion.expand
        context.bind = self._expansion.bind
        context.constant_of = self._expansion.constant
        context.type = self._types.type

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """What has been found so far, in order of discovery."""
        return self._context.diagnostics

    # ---------------------------------------------------------------- expressions

    def formula(self, expr: ast.Expr, scope: Scope) -> Typed:
        """A whole formula: its type is ``bool`` (a proposition), ``formula`` or ``error``.

        Warns where the first step decides by a value that does not exist yet. Below ``each``, its names are
        signals of the body.
        """
        self._context.begin()
        if isinstance(expr, ast.Each):
            scope, expr = self._expansion.each_scope(expr, scope), expr.body
        return self._linted(self._formulas.formula(expr, scope), expr, scope)

    def _linted(self, typed: Typed, expr: ast.Expr, scope: Scope) -> Typed:
        if typed.type.kind != "error":
            for name, span in unguarded(typed, scope.trace_kind == "phases"):
                self._context.report("AS0580", span if span.source is expr.span.source else expr.span, name=name)
        return typed

    def proposition(self, expr: ast.Expr, scope: Scope, place: str = "a proposition") -> Typed:
        """A formula without temporal operators; ``place`` says where it stands (``a guard``)."""
        self._context.begin()
        return self._formulas.proposition(expr, scope, place)

    def term(self, expr: ast.Expr, scope: Scope, expected: Type | None = None) -> Typed:
        """A number, text, enum member or vector; of type ``expected``, if that is given.

        A bare constant counts in the unit that is expected; without an expected type a proposition may come back.
        """
        self._context.begin()
        return self._terms.term(expr, scope, expected)

    def region(self, expr: ast.Expr, scope: Scope) -> Typed:
        """A region by itself; where a point is asked about, it is read again in the units of the point."""
        return self._regions.region(expr, scope)[0]

    def constant(self, expr: ast.Expr, scope: Scope, expected: Type | None = None) -> Value | None:
        """A value known at compile time, in SI base units; None if that was reported as an error."""
        typed = self.term(expr, scope, expected)
        if typed.type.kind == "error":
            return None
        if typed.op in ("true", "false"):
            return typed.op == "true"
        if not typed.is_constant:
            self._context.report("AS0308", expr.span, name=" ".join(expr.span.text.split()))
            return None
        return typed.value

    def type(self, written: ast.TypeExpr, scope: Scope) -> Type:
        """The type that a type expression denotes."""
        return self._types.type(written, scope, False)

    def interval(self, interval: ast.Interval, op: str, scope: Scope) -> tuple[int, int | None] | None:
        """The interval of an operator in steps; None if that was reported as an error."""
        window = self._formulas.intervals.window(interval, op, scope)
        return None if window is None else (window.lo, window.hi)

    # ---------------------------------------------------------------- definitions

    def definition(self, symbol: Symbol) -> Typed | None:
        """What a ``const param prop pattern region task safe behavior assume`` stands for, its parameters left open.

        Reports what is wrong in it even if nothing uses it, and warns as :meth:`formula` does.
        """
        self._context.begin()
        typed = self._expansion.definition(symbol)
        if typed is not None and isinstance(symbol.node, ast.FormulaItem):
            return self._linted(typed, symbol.node.body, symbol.scope or Scope())
        return typed

    def bind(
        self, symbol: Symbol, parameters: tuple[ast.Parameter, ...], call: ast.Call | None, at: ast.Node, scope: Scope
    ) -> Scope | None:
        """The scope of the body of what ``symbol`` names, its parameters bound to the arguments of a call.

        The bound symbols have a ``Typed`` as value. None if the arguments do not fit, which is reported.
        """
        return self._expansion.bind(symbol, parameters, call, at.span, scope)

    def symbol(self, expr: ast.Expr, scope: Scope, wanted: str) -> Symbol | None:
        """The symbol that a name or dotted path stands for; ``wanted`` says what is looked for, in a report."""
        if not isinstance(expr, ast.Name | ast.Attribute) or path_of(expr) is None:
            self._context.report("AS0325", expr.span, what="this", mend=f"write the name of a {wanted}")
            return None
        return self._names.symbol(expr, scope, wanted)

    def is_first_unknown(self, name: str, scope: Scope) -> bool:
        """Whether an unknown name has not been reported in this agent yet; asking counts as reporting it."""
        return self._context.is_first(name, scope)

    def each_type(self, symbol: Symbol) -> Type | None:
        """The type that was found for a name of ``each``."""
        return self._context.each_types.get(id(symbol))

    # ---------------------------------------------------------------- configuration

    def setting(self, expr: ast.Expr, scope: Scope, names: Iterable[str] = ()) -> Configuration:
        """A configuration value: scalars, lists (as tuples), records (as mappings); numbers in SI base units.

        A name that is no constant is its own text; if ``names`` are given, it has to be one of those. An entry
        ``x in [lo, hi]`` of a record is ``{"x": {"in": (lo, hi)}}``, a call ``f(a, b = c)``
        ``{"call": "f", "arguments": (a,), "b": c}``. None stands for what was reported.
        """
        context = self._context
        if not context.descend(expr.span):
            context.depth -= 1
            return None
        try:
            return self._setting(expr, scope, tuple(names))
        finally:
            context.depth -= 1

    def _setting(self, expr: ast.Expr, scope: Scope, names: tuple[str, ...]) -> Configuration:
        context = self._context
        match expr:
            case ast.Name(id=name):
                symbol = scope.find(name)
                if name in names or symbol is None or symbol.kind not in ("const", "param", "parameter"):
                    if names and name not in names:
                        context.report(
                            "AS0203", expr.span, kind="value here", name=name, suggestion=nearest(name, names)
                        )
                        return None
                    return name
                return self.constant(expr, scope)
            case ast.Attribute():
                path = path_of(expr)
                return ".".join(name for name, _ in path) if path is not None else self.constant(expr, scope)
            case ast.ListExpr(items=items) | ast.TupleExpr(items=items) | ast.SetExpr(items=items):
                return tuple(self.setting(item, scope, names) for item in items)
            case ast.Range(lo=lo, hi=hi):
                return tuple(None if isinstance(b, ast.Infinity) else self.setting(b, scope) for b in (lo, hi))
            case ast.Record():
                return self._record(expr, scope)
            case ast.Call(function=ast.Name(id=name)) if scope.find(name) is None and name not in _COMPUTED:
                record: dict[str, Configuration] = {"call": name}
                record["arguments"] = tuple(self.setting(a.value, scope) for a in expr.arguments if a.name is None)
                record.update({a.name: self.setting(a.value, scope) for a in expr.arguments if a.name is not None})
                return record
            case _:
                return self.constant(expr, scope)

    def _record(self, expr: ast.Record, scope: Scope) -> Configuration:
        record: dict[str, Configuration] = {}
        for entry in expr.entries:
            key, value, where = entry.key, entry.value, entry.key_span or entry.span
            inner: ast.Expr = value
            if key is None:
                if isinstance(value, ast.ErrorExpr):
                    continue
                if not isinstance(value, ast.Member) or not isinstance(value.item, ast.Name) or value.negated:
                    mend = "write `key = value` or `x in [lo, hi]`"
                    self._context.report("AS0325", entry.span, what="this", mend=mend)
                    continue
                key, inner, where = value.item.id, value.domain, value.item.span
            if key in record:
                self._context.report("AS0306", where, function="the record", name=key)
                continue
            found = self.setting(inner, scope)
            record[key] = found if entry.key is not None else {"in": found}
        return record


_COMPUTED = ("abs", "min", "max", "sqrt", "sin", "cos", "tan", "exp", "log", "atan2", "norm", "dist", "length")
"""Calls that are computed in a configuration; all others are data."""
