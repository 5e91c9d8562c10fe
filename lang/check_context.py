"""What all parts of the checker share: where they report, and how they read names, texts and settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from agentc.lang import ast
from agentc.lang.checked import CheckedSetting, Content
from agentc.lang.context import nearest
from agentc.lang.diagnostics import Annotation, Diagnostic, Severity, report
from agentc.lang.elaborate import Elaborator
from agentc.lang.imports import Library
from agentc.lang.scope import Scope, Symbol
from agentc.lang.source import Span
from agentc.lang.types import Type
from agentc.lang.units import SECOND

DURATION = Type("real", unit=SECOND)



class Context:
    """The state of one run of the checker: the elaborator, the library, and the findings in order."""

    def __init__(self, elaborator: Elaborator, library: Library, allow_extern: Iterable[str] = ()) -> None:
        self.elaborator = elaborator
        self.library = library
        self.allow_extern = frozenset(allow_extern)
        self.diagnostics: list[Diagnostic] = elaborator.diagnostics
        self.broken = False

    @property
    def failed(self) -> bool:
        """Whether there is an error so far: then what seems unused may be used by what was not understood."""
        return self.broken or any(d.severity is Severity.ERROR for d in self.diagnostics)

    def report(self, code: str, span: Span | None, **values: object) -> None:
        """Add a finding; see :func:`agentc.lang.diagnostics.report`."""
        self.diagnostics.append(report(code, span, **values))  # type: ignore[arg-type]

    def unknown(
        self, kind: str, name: str, known: Iterable[str], span: Span, scope: Scope | None = None
    ) -> None:  # fmt: skip
        """Report a name that is not among ``known``; with a ``scope``, once for each agent."""
        if scope is None or self.elaborator.is_first_unknown(name, scope):
            self.report("AS0203", span, kind=kind, name=name, suggestion=nearest(name, known))

    def define(self, scope: Scope, symbol: Symbol) -> bool:
        """Declare a name, reporting a second declaration; whether it was the first."""
        found = scope.define(symbol)
        if found is not None:
            self.diagnostics.append(found)
        return found is None

    def symbol(self, expr: ast.Expr, scope: Scope, wanted: str) -> Symbol | None:
        """What a bare name means; anything else, and an unknown name, is reported as not being ``wanted``."""
        if isinstance(expr, ast.ErrorExpr):
            return None
        if not isinstance(expr, ast.Name):
            self.report("AS0208", expr.span, name=text(expr.span), found="no name", wanted=wanted)
            return None
        return self.named(expr.id, expr.span, scope, wanted)

    def named(self, name: str, span: Span, scope: Scope, wanted: str) -> Symbol | None:
        """What a name means; an unknown one is reported."""
        symbol = scope.lookup(name)
        if symbol is None:
            kind = wanted.removeprefix("a ").removeprefix("an ").replace(", a ", ", ").replace(" a ", " ")
            meant = nearest(name, scope.names())
            known = meant is not None or not scope.incomplete
            if known and self.elaborator.is_first_unknown(name, scope):
                self.report("AS0203", span, kind=kind, name=name, suggestion=meant)
        return None if symbol is None or symbol.kind == "error" else symbol

    def number(
        self, expr: ast.Expr, scope: Scope, name: str, lo: float | None = None, hi: float | None = None,
        lo_open: bool = False, hi_open: bool = False,
    ) -> float | None:
        """A constant real number in a range, None if it is not (which was reported)."""
        value = self.elaborator.constant(expr, scope, Type("real"))
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            return None
        low = lo is not None and (value < lo or (lo_open and value == lo))
        if low or (hi is not None and (value > hi or (hi_open and value == hi))):
            domain = f"a number {'above' if lo_open else 'of at least'} {lo:g}" if lo is not None else "a number"
            if hi is not None:
                domain = f"a number in {'(' if lo_open else '['}{lo:g}, {hi:g}{')' if hi_open else ']'}"
            self.report("AS0614", expr.span, name=name, value=text(expr.span), domain=domain)
            return None
        return float(value)

    def whole(self, expr: ast.Expr, scope: Scope, name: str, lo: int) -> int | None:
        """A constant whole number of at least ``lo``, None if it is not (which was reported)."""
        value = self.elaborator.constant(expr, scope, Type("int"))
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if value < lo:
            self.report("AS0614", expr.span, name=name, value=text(expr.span), domain=f"an int of at least {lo}")
            return None
        return int(value)

    def settings(self, record: ast.Record | None, scope: Scope) -> tuple[CheckedSetting, ...]:
        """The entries of a block of settings, each once."""
        found: dict[str, CheckedSetting] = {}
        for entry in record.entries if record else ():
            if isinstance(entry.value, ast.ErrorExpr):
                continue
            if entry.key is None:
                self.report("AS0608", entry.span)
                continue
            key_span = entry.key_span or entry.span
            if entry.key in found:
                first = Annotation(found[entry.key].key_span, "first set here")
                self.report("AS0609", key_span, name=entry.key, annotations=(first,))
                continue
            is_duration = isinstance(entry.value, ast.Quantity)
            value = self.content(entry.value, scope)
            if value is not None:
                found[entry.key] = CheckedSetting(entry.key, value, is_duration, key_span, entry.value.span)
        return tuple(found.values())

    def content(self, expr: ast.Expr, scope: Scope) -> Content:
        """A configuration value; None if that was reported as an error."""
        return self.elaborator.setting(expr, scope)

    def single(self, items: Iterable[ast.Item], word: str, block: str) -> ast.Item | None:
        """The first of items of which there may be one; the others are reported."""
        first: ast.Item | None = None
        for item in items:
            if first is None:
                first = item
            else:
                there = (Annotation(head(first), "first here"),)
                self.report("AS0502", head(item), word=word, block=block, annotations=there)
        return first


def head(item: ast.Item) -> Span:
    """Where an item begins: its name if it has one, else its first line."""
    for attribute in ("name_span", "target_span", "word_span", "algorithm_span", "title_span"):
        span = getattr(item, attribute, None)
        if isinstance(span, Span) and span is not item.span:
            return span
    return first_line(item.span)


def first_line(span: Span) -> Span:
    """The part of a span on its first line."""
    end = span.source.text.find("\n", span.start, span.stop)
    return span if end < 0 else Span(span.source, span.start, end)


def text(span: Span) -> str:
    """What a span covers, on one line and without comments."""
    lines = (_without_comment(line).strip() for line in span.text.split("\n"))
    return " ".join(line for line in lines if line)


def _without_comment(line: str) -> str:
    quoted = False
    for i, character in enumerate(line):
        if character == '"' and (i == 0 or line[i - 1] != "\\"):
            quoted = not quoted
        elif character == "#" and not quoted:
            return line[:i]
    return line


def listed(names: Iterable[str]) -> str:
    """Names as a phrase: ```a`, `b` and `c```."""
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}" if len(quoted) > 1 else "".join(quoted) or "none"


def names_in(nodes: Iterable[ast.Node]) -> set[str]:
    """The names that expressions below these nodes mention."""
    found: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        stack.extend(children(node))
    return found


def children(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes right below a node."""
    for field in fields(node):
        value = getattr(node, field.name)
        if isinstance(value, ast.Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, ast.Node))


def of_type(items: Iterable[ast.Item], *types: type) -> Iterator[ast.Item]:
    """The items of these types."""
    return (item for item in items if isinstance(item, types))
