"""Definitions and their uses: patterns, propositions, constants and named formulas are expanded where they stand.

The body of a definition is read in the scope of the definition, with its parameters bound to the arguments, which
are elaborated once, in the scope of the call. The same call of the same definition gives the same object.
"""

from __future__ import annotations

from dataclasses import replace

from agentc.lang import ast
from agentc.lang.context import MAX_EXPANSIONS, Context, described, nearest
from agentc.lang.diagnostics import Annotation
from agentc.lang.names import Names, argument_count, declared
from agentc.lang.regions import RegionArgument
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Source, Span
from agentc.lang.terms import Terms
from agentc.lang.typed import Typed
from agentc.lang.types import ERROR, Type
from agentc.lang.units import SECOND

_Key = tuple[object, ...]


class Expansion:
    """Expands definitions."""

    def __init__(self, context: Context, names: Names, terms: Terms) -> None:
        self.context, self.names, self.terms = context, names, terms
        self._done: dict[_Key, Typed] = {}
        self._kept: list[object] = []  # what the keys of _done identify by id
        self._active: dict[int, Symbol] = {}
        self._cyclic: set[int] = set()  # definitions on a circle that has been reported

    # ---------------------------------------------------------------- formulas

    def expand(self, symbol: Symbol, call: ast.Call | None, span: Span, scope: Scope) -> Typed:
        """The formula that a definition stands for, with the arguments of a call."""
        context, node = self.context, symbol.node
        if id(symbol) in self._active:
            return self._recursive(symbol, span)
        parameters: tuple[ast.Parameter, ...] = getattr(node, "parameters", ())
        inner = self.bind(symbol, parameters, call, span, scope)
        if inner is None:
            return context.error(span)
        arguments = (_identity(inner.symbols[p.name]) for p in parameters)
        key: _Key = (id(symbol), inner.step, inner.trace, context.generic, *arguments)
        self._kept.append(inner)
        found = self._done.get(key)
        if found is not None:
            return found
        context.expansions += 1
        limit = MAX_EXPANSIONS // 10 if context.generic else MAX_EXPANSIONS
        if context.expansions > limit:
            if context.expansions == limit + 1 and not context.generic:
                self._too_large(symbol, span)
            return context.error(span)
        typed = self._body(symbol, inner, () if span is symbol.span else (span,))
        if isinstance(node, ast.Proposition) and not parameters and typed.type.kind != "error":
            typed = _named(typed, symbol.name)
        self._done[key] = typed
        self._kept.append(symbol)
        return typed

    def _too_large(self, symbol: Symbol, span: Span) -> None:
        """Report an expansion without end in sight, at the call that began it."""
        outermost = next((s for s in self._active.values() if s.kind in ("pattern", "prop")), symbol)
        where = self.context.via[0] if self.context.via else span
        via, self.context.via = self.context.via, ()
        self.context.report("AS0218", where, name=outermost.name, limit=MAX_EXPANSIONS, annotations=declared(outermost))
        self.context.via = via

    def definition(self, symbol: Symbol) -> Typed | None:
        """What a definition stands for by itself, its parameters left open; None for what is no expression."""
        node, scope = symbol.node, symbol.scope or Scope()
        span = symbol.span or Span(Source("", ""), 0, 0)
        if symbol.kind in ("const", "param"):
            return self.constant(symbol, span)
        if not isinstance(node, ast.Pattern | ast.Proposition | ast.FormulaItem | ast.RegionItem):
            return None
        parameters: tuple[ast.Parameter, ...] = getattr(node, "parameters", ())
        if not parameters and not isinstance(node, ast.Pattern | ast.RegionItem):
            return self.expand(symbol, None, span, scope)
        generic, self.context.generic = self.context.generic, True
        try:
            inner = self._open(parameters, scope)
            if isinstance(node, ast.RegionItem):
                return self.context.region(node.body, inner, None)[0]
            return self._body(symbol, inner, ())
        finally:
            self.context.generic = generic

    def _open(self, parameters: tuple[ast.Parameter, ...], scope: Scope) -> Scope:
        """The scope of a body whose parameters have no arguments."""
        inner = scope.child()
        for parameter in parameters:
            of = self.context.type(parameter.type, scope, True)
            if of.kind in ("vector", "region") or (of.is_number and of.unit.bare):
                of = ERROR  # what its units allow is known at a call
            twice = inner.define(Symbol(parameter.name, "parameter", of, parameter.name_span, parameter))
            if twice is not None:
                self.context.diagnostics.append(twice)
            elif parameter.default is not None:
                self._argument(parameter, parameter.default, scope, scope)
        return inner

    def each_scope(self, each: ast.Each, scope: Scope) -> Scope:
        """The scope below ``each``: its names are signals whose type the formula tells."""
        inner = scope.child()
        for name, span in zip(each.names, each.name_spans, strict=True):
            twice = inner.define(Symbol(name, "signal", None, span, each))
            if twice is not None:
                self.context.diagnostics.append(twice)
        self._kept.append(inner)
        return inner

    def _body(self, symbol: Symbol, scope: Scope, calls: tuple[Span, ...]) -> Typed:
        context, node = self.context, symbol.node
        assert isinstance(node, ast.Pattern | ast.Proposition | ast.FormulaItem)
        body = node.body
        if isinstance(body, ast.Each):
            scope, body = self.each_scope(body, scope), body.body
        via = context.via
        if isinstance(node, ast.Pattern | ast.Proposition):
            context.via = (*via, *calls)
        self._active[id(symbol)] = symbol
        try:
            if not context.descend(body.span):
                return context.error(body.span)
            if isinstance(node, ast.Proposition):
                return context.proposition(body, scope, "a proposition")
            return context.formula(body, scope)
        finally:
            context.depth -= 1
            context.via = via
            del self._active[id(symbol)]

    def _recursive(self, symbol: Symbol, span: Span) -> Typed:
        members = list(self._active)
        known = id(symbol) in self._cyclic
        self._cyclic.update(members[members.index(id(symbol)) :])
        if known:
            return self.context.error(span)
        circle = [s for s in self._active.values() if s.span is not None and s is not symbol]
        others = tuple(Annotation(s.span, "which is expanded here") for s in circle if s.span is not None)
        return self.context.failed("AS0215", span, name=symbol.name, annotations=(*declared(symbol), *others))

    # ---------------------------------------------------------------- constants

    def constant(self, symbol: Symbol, span: Span) -> Typed:
        """The value of a ``const`` or ``param``, with the type it was declared with."""
        context, node = self.context, symbol.node
        if not isinstance(node, ast.Constant):
            known = symbol.value
            if isinstance(known, bool | int | float | str | tuple) and symbol.type is not None:
                return context.make("const", (), symbol.type, span, known)
            return context.error(span)
        key = (id(symbol),)
        found = self._done.get(key)
        if found is not None:
            return replace(found, span=span) if found.op == "const" else found
        if id(symbol) in self._active:
            return self._recursive(symbol, span)
        self._active[id(symbol)] = symbol
        try:
            if not context.descend(span):
                return context.error(span)
            scope = symbol.scope or Scope()
            given = context.overrides.get(symbol.name) if node.is_param else None
            of = context.type(node.type, scope, False) if node.type is not None else None
            value = given if given is not None else node.value
            typed = context.term(value, scope, of)
            if typed.type.is_formula and typed.op in ("true", "false"):
                typed = replace(typed, op="const", value=typed.op == "true")
            if typed.type.kind != "error" and not typed.is_constant:
                typed = context.failed("AS0308", value.span, name=" ".join(value.span.text.split()))
        finally:
            context.depth -= 1
            del self._active[id(symbol)]
        self._done[key] = typed
        self._kept.append(symbol)
        return replace(typed, span=span)

    # ---------------------------------------------------------------- arguments

    def bind(
        self, symbol: Symbol, parameters: tuple[ast.Parameter, ...], call: ast.Call | None, span: Span, scope: Scope
    ) -> Scope | None:
        """The scope of a body, its parameters bound to the arguments of a call; None if they do not fit.

        That is reported.
        """
        context, home = self.context, symbol.scope or Scope()
        given: dict[str, ast.Argument] = {}
        arguments = call.arguments if call is not None else ()
        if call is not None and call.interval is not None:
            context.report("AS0325", call.interval.span, what="an interval", mend="`count` and `sum` have one")
            return None
        names = [p.name for p in parameters]
        for i, argument in enumerate(arguments):
            name = argument.name
            if argument.when is not None:
                context.report("AS0325", argument.span, what="`when`", mend="it stands in `sum(x when p)`")
                return None
            if name is None:
                if i >= len(names):
                    context.report(
                        "AS0304", span, name=symbol.name, wanted=argument_count(symbol),
                        found=f"are {len(arguments)}" if len(arguments) != 1 else "is 1",
                        annotations=declared(symbol),
                    )  # fmt: skip
                    return None
                name = names[i]
            elif name not in names:
                context.report(
                    "AS0305", argument.name_span or argument.span, function=symbol.name, name=name,
                    known=", ".join(names) or "none", suggestion=nearest(name, names), annotations=declared(symbol),
                )  # fmt: skip
                return None
            if name in given:
                context.report("AS0306", argument.span, function=symbol.name, name=name, annotations=declared(symbol))
                return None
            given[name] = argument
        missing = [p for p in parameters if p.name not in given and p.default is None]
        if missing:
            if not arguments:
                context.report(
                    "AS0304", span, name=symbol.name, wanted=argument_count(symbol), found="no arguments are given",
                    annotations=declared(symbol),
                )  # fmt: skip
            else:
                for parameter in missing:
                    context.report(
                        "AS0307", span, function=symbol.name, name=parameter.name, annotations=declared(symbol)
                    )
            return None
        # the body is read where it was written, but its durations are counted in the steps of the use
        inner = home.child(step=scope.step_duration, trace=scope.trace_kind)
        for parameter in parameters:
            argument_given = given.get(parameter.name)
            if argument_given is not None:
                bound = self._argument(parameter, argument_given.value, scope, home)
            else:
                assert parameter.default is not None
                bound = self._argument(parameter, parameter.default, home, home)
            if bound is None:
                return None
            inner.symbols.setdefault(parameter.name, bound)
        return inner

    def _argument(self, parameter: ast.Parameter, expr: ast.Expr, scope: Scope, home: Scope) -> Symbol | None:
        """The parameter as a symbol with its argument, which is checked against its type."""
        context = self.context
        of = context.type(parameter.type, home, True)
        if of.kind == "error":
            return None
        value: object
        if of.kind == "region":
            value = RegionArgument(expr, scope)
        else:
            if of.kind == "bool":
                typed = context.proposition(expr, scope, f"an argument for `{parameter.name} : prop`")
            elif of.kind == "formula":
                typed = context.formula(expr, scope)
            elif of == DURATION:
                typed = self._duration(expr, scope)
            else:
                typed = context.term(expr, scope, of)
            if typed.type.kind == "error":
                return None
            value = typed
        return Symbol(parameter.name, "parameter", of, parameter.name_span, parameter, home, value)

    def _duration(self, expr: ast.Expr, scope: Scope) -> Typed:
        typed = self.terms.number(expr, scope)
        if typed.type.kind == "error" or typed.type.unit == SECOND:
            return typed
        if typed.type.kind == "int" and typed.type.unit.bare:
            return typed
        return self.context.failed(
            "AS0301", expr.span, found=described(typed.type), wanted="a duration (a time or a number of steps)"
        )


DURATION = Type("real", unit=SECOND, members=("duration",))
"""The type of the parameters of a pattern that are a time or a number of steps."""


def _identity(symbol: Symbol) -> object:
    """What makes two arguments the same: the value of a constant, else the object itself."""
    value = symbol.value
    if isinstance(value, Typed):
        if value.op == "const":
            return ("const", type(value.value), value.value, value.type)
        if value.op in ("atom",) and value.args[0].op in ("signal", "prev"):
            return (value.args[0].op, value.args[0].value)
        return ("id", id(value))
    if isinstance(value, RegionArgument):
        return ("region", id(value.expr), id(value.scope))
    return ("id", id(symbol))


def _named(typed: Typed, name: str) -> Typed:
    """The body of a proposition, marked with its name; one that only renames another keeps that one inside."""
    if typed.proposition is None and typed.op != "parameter":
        return replace(typed, proposition=name)
    return Typed("and", (typed,), typed.type, typed.span, via=typed.via, proposition=name)
