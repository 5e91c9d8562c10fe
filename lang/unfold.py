"""A formula with the bodies of its patterns in place of their calls, as it is read out.

The meaning of a call is made elsewhere (:mod:`.expansion`); this is the same on the syntax tree, so that
:mod:`.english` can say what a pattern asks for and not only what it is called. Arguments take the place of parameters,
sums and products of whole numbers are worked out, and conditions that are simply ``true`` are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from math import prod

from agentc.lang import ast
from agentc.lang.names import path_of
from agentc.lang.scope import Scope, Symbol

DEPTH = 60
MAX_NODES = 2_000
"""A formula that is nested deeper, or would be longer, keeps its calls: nobody reads it."""

_Arguments = Mapping[str, tuple[ast.Expr, int]]
"""By parameter, the argument and its size."""


def unfolded(expr: ast.Expr, scope: Scope) -> ast.Expr:
    """The formula ``expr`` of a scope without calls of patterns; as it is, where that would be too long to read.

    The calls must be well-typed: what the checker has refused is not looked at again.
    """
    unfolding = _Unfolding()
    try:
        made = unfolding.of(expr, scope, {}, DEPTH)
    except _TooLongError:
        return expr
    assert isinstance(made, ast.Expr)
    return made if unfolding.calls else expr


class _TooLongError(Exception):
    """More than :data:`MAX_NODES`."""


class _Unfolding:
    """One formula; counts what it makes, and the calls that it took the place of."""

    def __init__(self) -> None:
        self.nodes = self.calls = 0

    def of(self, node: ast.Node, scope: Scope, arguments: _Arguments, depth: int) -> ast.Node:
        """The node with ``arguments`` for the parameters of that name."""
        made, size = arguments.get(node.id, (node, 1)) if isinstance(node, ast.Name) else (node, 1)
        self.nodes += size
        if self.nodes > MAX_NODES or depth <= 0:
            raise _TooLongError
        if isinstance(node, ast.Name):
            return made
        if isinstance(node, ast.Call):
            pattern = _pattern(node, scope)
            if pattern is not None:
                self.calls += 1
                return self._body(pattern, node, scope, arguments, depth - 1)
        changes: dict[str, object] = {}
        for field in fields(node):
            if field.name == "function" or field.name.endswith("span"):
                continue
            value = getattr(node, field.name)
            if isinstance(value, ast.Node):
                changes[field.name] = self.of(value, scope, arguments, depth - 1)
            elif isinstance(value, tuple) and any(isinstance(x, ast.Node) for x in value):
                changes[field.name] = tuple(
                    self.of(x, scope, arguments, depth - 1) if isinstance(x, ast.Node) else x for x in value
                )
        return _simple(replace(node, **changes)) if changes else node  # type: ignore[arg-type]

    def _body(self, symbol: Symbol, call: ast.Call, scope: Scope, arguments: _Arguments, depth: int) -> ast.Node:
        pattern = symbol.node
        assert isinstance(pattern, ast.Pattern)
        inner = {p.name: (p.default, 1) for p in pattern.parameters if p.default is not None}
        for place, argument in enumerate(call.arguments):
            before = self.nodes
            value = self.of(argument.value, scope, arguments, depth)
            assert isinstance(value, ast.Expr)
            inner[argument.name or pattern.parameters[place].name] = (value, self.nodes - before)
        return self.of(pattern.body, symbol.scope or scope, inner, depth)


def _pattern(call: ast.Call, scope: Scope) -> Symbol | None:
    """The pattern that a call names."""
    path = path_of(call.function)
    if path is None:
        return None
    symbol: Symbol | None = None
    inside: Scope | None = scope
    for name, _ in path:
        symbol = None if inside is None else inside.find(name)
        inside = None if symbol is None else symbol.exports
    return symbol if symbol is not None and isinstance(symbol.node, ast.Pattern) else None


def _simple(node: ast.Node) -> ast.Node:
    """Without operands that say nothing, and with whole numbers worked out."""
    match node:
        case ast.Nary(op="&" | "|" as op, operands=operands, span=span):
            flat = [y for x in operands for y in (x.operands if isinstance(x, ast.Nary) and x.op == op else (x,))]
            neutral = op == "&"
            if any(isinstance(x, ast.Bool) and x.value is not neutral for x in flat):
                return ast.Bool(not neutral, span=span)
            flat = [x for x in flat if not isinstance(x, ast.Bool)]
            if len(flat) < 2:
                return flat[0] if flat else ast.Bool(neutral, span=span)
            return ast.Nary(op, tuple(flat), span=span)
        case ast.Temporal(op="F" | "G" | "O" | "H", interval=None, operand=ast.Bool() as truth):
            return truth
        case ast.Nary(op="+" | "*" as op, operands=operands, span=span):
            values = [x.value for x in operands if isinstance(x, ast.Number) and isinstance(x.value, int)]
            if len(values) == len(operands):
                value = sum(values) if op == "+" else prod(values)
                return ast.Number(value, str(value), span=span)
    return node
