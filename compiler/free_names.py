"""The names that a formula leaves open, for formulas that stand without a spec."""

from __future__ import annotations

from agentc.lang import ast
from agentc.lang.check_context import children

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
            case ast.Attribute():
                path = _dotted(node)
                if path is not None:
                    found[path] = found.get(path, False) or numeric
                    continue
            case ast.Each(names=names):
                bound.update(names)
            case ast.Compare() | ast.Member():
                numeric = True
            case ast.Binary(op=op) | ast.Nary(op=op) | ast.Unary(op=op):
                numeric = numeric or op in ("-", "/", "**", "+", "*")
            case ast.Call():
                numeric = True
        below = list(children(node))
        if isinstance(node, ast.Call) and isinstance(node.function, ast.Name):
            below.remove(node.function)
        stack.extend((child, numeric) for child in reversed(below))
    return {name: numeric for name, numeric in found.items() if name not in bound}


def _dotted(node: ast.Expr) -> str | None:
    """``a.b.c`` as one name, without a leading ``prev``; None if it is no such path."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.name)
        node = node.base
    if not isinstance(node, ast.Name):
        return None
    if node.id != "prev":
        parts.append(node.id)
    return ".".join(reversed(parts))
