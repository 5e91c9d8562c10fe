"""The names that a formula leaves open, for formulas that stand without a spec."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from agentc.lang import ast

_BUILT_IN = ("first", "last", "time", "prev")


def free_names(root: ast.Expr) -> dict[str, bool]:
    """Names that stand for signals, in order of occurrence; True for those that a number is asked of."""
    found: dict[str, bool] = {}
    bound: set[str] = set()
    stack: list[tuple[ast.Node, bool]] = [(root, False)]
    while stack:
        node, numeric = stack.pop()
        match node:
            case ast.Name(id=name):
                if name not in _BUILT_IN:
                    found[name] = found.get(name, False) or numeric
                continue
            case ast.Each(names=names):
                bound.update(names)
            case ast.Compare() | ast.Member():
                numeric = True
            case ast.Binary(op=op) | ast.Nary(op=op) | ast.Unary(op=op):
                numeric = numeric or op in ("-", "/", "**", "+", "*")
            case ast.Call():
                numeric = True
        children = list(_children(node))
        if isinstance(node, ast.Call) and isinstance(node.function, ast.Name):
            children.remove(node.function)
        stack.extend((child, numeric) for child in reversed(children))
    return {name: numeric for name, numeric in found.items() if name not in bound}


def _children(node: ast.Node) -> Iterator[ast.Node]:
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, ast.Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, ast.Node))
