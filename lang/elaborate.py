"""Elaboration: from expressions as written to typed ones, with names, types and units checked.

The rules live beside each other: :mod:`agentc.lang.formulas`, :mod:`agentc.lang.terms`,
:mod:`agentc.lang.regions`, :mod:`agentc.lang.intervals` and :mod:`agentc.lang.expansion`.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentc.lang import ast
from agentc.lang.diagnostics import Diagnostic
from agentc.lang.scope import Scope
from agentc.lang.typed import Typed, Value
from agentc.lang.types import Type

Configuration = Value | tuple["Configuration", ...] | Mapping[str, "Configuration"]
"""Scalars, lists (as tuples) and records."""


class Elaborator:
    """Elaborates expressions, collecting diagnostics; one serves a whole run of ``check``.

    ``overrides`` are the values of ``param``s that were given from outside.
    """

    def __init__(self, overrides: Mapping[str, ast.Expr] | None = None) -> None:
        self.diagnostics: list[Diagnostic] = []

    def formula(self, expr: ast.Expr, scope: Scope) -> Typed:
        """A whole formula: its type is ``bool`` (a proposition), ``formula`` or ``error``."""
        raise NotImplementedError

    def proposition(self, expr: ast.Expr, scope: Scope) -> Typed:
        """A formula without temporal operators."""
        raise NotImplementedError

    def term(self, expr: ast.Expr, scope: Scope, expected: Type | None = None) -> Typed:
        """A number, text, enum member or vector; of type ``expected``, if that is given."""
        raise NotImplementedError

    def region(self, expr: ast.Expr, scope: Scope) -> Typed:
        """A region."""
        raise NotImplementedError

    def constant(self, expr: ast.Expr, scope: Scope, expected: Type | None = None) -> Value | None:
        """A value known at compile time, in SI base units; None if that was reported as an error."""
        raise NotImplementedError

    def type(self, written: ast.TypeExpr, scope: Scope) -> Type:
        """The type that a type expression denotes."""
        raise NotImplementedError

    def setting(self, expr: ast.Expr, scope: Scope) -> Configuration:
        """A configuration value: scalars, lists, records; a name that means nothing here is its own text."""
        raise NotImplementedError

    def interval(self, interval: ast.Interval, op: str, scope: Scope) -> tuple[int, int | None] | None:
        """The interval of an operator in steps; None if that was reported as an error."""
        raise NotImplementedError
