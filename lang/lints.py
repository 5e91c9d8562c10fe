"""Lints: what is allowed and yet probably not meant."""

from __future__ import annotations

from collections.abc import Iterator

from agentc.lang import ast
from agentc.lang.diagnostics import Diagnostic, report
from agentc.lang.scope import Scope, SymbolKind
from agentc.lang.source import Span
from agentc.lang.typed import Typed

_LONGEST = 40  # of a part of a formula that is quoted


def _text(span: Span) -> str:
    text = " ".join(span.text.split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _in_parentheses(before: Span, inner: Span) -> bool:
    """Whether ``inner`` stands in parentheses of its own, behind the operator after ``before``."""
    gap = inner.source.text[before.stop : inner.start]
    gap = "\n".join(line.partition("#")[0] for line in gap.split("\n"))
    if "(" in gap:
        return True
    text, depth = inner.text, 0
    if not text.startswith("("):
        return False
    for i, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return i == len(text) - 1
    return False


def chain_reading(expr: ast.Expr) -> str | None:
    """How ``a -> b -> c`` or ``a U b R c`` is read, if it is written without parentheses."""
    match expr:
        case ast.Binary(op="->", right=ast.Binary(op="->") as right):
            word = "->"
        case ast.TemporalBinary(right=ast.TemporalBinary() as right) if right.op != expr.op:
            word = expr.word or expr.op
        case _:
            return None
    assert isinstance(expr, ast.Binary | ast.TemporalBinary)
    if _in_parentheses(expr.left.span, right.span) or right.span.source is not expr.span.source:
        return None
    interval = expr.interval if isinstance(expr, ast.TemporalBinary) else None
    return f"{_text(expr.left.span)} {word}{_text(interval.span) if interval else ''} ({_text(right.span)})"


# ---------------------------------------------------------------- values that are missing at the first step

_PAST = ("O", "H", "Y", "WY", "S", "T")


def unguarded(root: Typed, phases: bool) -> Iterator[tuple[str, Span]]:
    """The atoms that read ``prev`` or ``action`` where the first step can decide by them.

    What stands beside ``first |`` or behind ``!first ->`` is guarded, and so is what begins a step later.
    """
    seen: set[tuple[int, bool]] = set()
    stack = [(root, False)]
    while stack:
        node, guarded = stack.pop()
        if (id(node), guarded) in seen:
            continue
        seen.add((id(node), guarded))
        if node.op == "atom":
            if not guarded:
                yield from _missing(node, phases)
            # the formulas inside aggregates look at the first step whenever they are asked
            stack.extend((f, False) for f in _counted(node))
            continue
        stack.extend(zip(node.args, _guarded(node, guarded), strict=True))


def _guarded(node: Typed, guarded: bool) -> list[bool]:
    """Which arguments cannot matter at the first step."""
    op, args, lo = node.op, node.args, (node.interval or (0, None))[0]
    if op in _PAST:
        return [False] * len(args)
    if guarded or (op in ("X", "WX", "F", "G") and lo >= 1):
        return [True] * len(args)
    if op in ("U", "R"):
        return [False, lo >= 1]
    if op == "implies":
        return [_at_first(args[1]) is True, _at_first(args[0]) is False]
    if op in ("and", "or"):
        decides = [_at_first(a) is (op == "or") for a in args]
        count = sum(decides)
        return [count - d > 0 for d in decides]
    return [False] * len(args)


def _at_first(node: Typed, depth: int = 0) -> bool | None:
    """What a formula is at the first step, as far as a ``first`` near its top decides it."""
    if depth > 4:
        return None
    if node.op == "not":
        inner = _at_first(node.args[0], depth + 1)
        return None if inner is None else not inner
    if node.op in ("first", "true", "WY"):
        return True
    if node.op in ("false", "Y"):
        return False
    if node.op in ("and", "or"):
        decisive = node.op == "or"
        return decisive if any(_at_first(a, depth + 1) is decisive for a in node.args) else None
    return None


def _terms(atom: Typed) -> Iterator[Typed]:
    stack = list(atom.args)
    while stack:
        term = stack.pop()
        yield term
        if term.op not in ("count", "sum"):
            stack.extend(term.args)
        elif term.op == "sum":
            stack.append(term.args[0])


def _counted(atom: Typed) -> Iterator[Typed]:
    for term in _terms(atom):
        if term.op in ("count", "sum"):
            yield term.args[-1]


def _missing(atom: Typed, phases: bool) -> Iterator[tuple[str, Span]]:
    for term in _terms(atom):
        name = str(term.value)
        if term.op == "prev":
            yield f"prev.{name}", atom.span
            return
        if term.op == "signal" and not phases and name.partition(".")[0] == "action":
            yield name, atom.span
            return


# ---------------------------------------------------------------- what is not used

_DEFINED: tuple[SymbolKind, ...] = ("const", "pattern", "prop", "region")


def unused(scope: Scope) -> Iterator[Diagnostic]:
    """Reports of the imports and definitions of this very scope that nothing has looked up; ``_x`` is not asked for."""
    for name, symbol in scope.symbols.items():
        if name in scope.used or name.startswith("_"):
            continue
        if symbol.imported is not None:
            yield report("AS0216", symbol.imported, name=name)
        elif symbol.kind in _DEFINED and symbol.span is not None:
            word = {"const": "constant", "prop": "proposition"}.get(symbol.kind, symbol.kind)
            yield report("AS0217", symbol.span, kind=word, name=name)
