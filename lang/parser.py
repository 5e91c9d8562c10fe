"""Text to syntax tree: lexer, separators, LALR machine with recovery, builder."""

from __future__ import annotations

from typing import NamedTuple

from agentc.lang import ast
from agentc.lang.builder import Builder
from agentc.lang.diagnostics import Diagnostic
from agentc.lang.lalr import Stack
from agentc.lang.layout import SEPARATOR
from agentc.lang.lexer import tokenize
from agentc.lang.recovery import MAX_REPORTS, Recovery
from agentc.lang.source import Source, Span
from agentc.lang.table import load_table


class ParseResult(NamedTuple):
    """A tree, with error nodes where something could not be parsed, and what was found wrong, in the text's order."""

    module: ast.Module
    diagnostics: tuple[Diagnostic, ...]


def parse(source: Source) -> ParseResult:
    """Parse a file. Never raises: whatever is wrong with the text is in the diagnostics."""
    value, diagnostics = _parse(source, "start")
    if not isinstance(value, ast.Module):
        value = ast.Module((), span=Span(source, 0, len(source.text)))
    return ParseResult(value, diagnostics)


def parse_formula(source: Source) -> tuple[ast.Expr | None, tuple[Diagnostic, ...]]:
    """Parse one formula (newlines in it mean nothing). None if there is no telling what it is."""
    value, diagnostics = _parse(source, "formula")
    return (value if isinstance(value, ast.Expr) else None), diagnostics


def _parse(source: Source, start: str) -> tuple[object, tuple[Diagnostic, ...]]:
    lexed = tokenize(source)
    builder = Builder(source)
    stack = Stack(load_table(), builder, start)
    recovery = Recovery(source, lexed.tokens, lexed.broken, stack)
    if start == "formula":
        state = recovery.state
        state.whole_file = False
        state.tokens = [token for token in state.tokens if token.kind != SEPARATOR or token.text == ";"]
    complete = recovery.run()
    value = stack.values[-1] if complete else None
    found: list[Diagnostic] = []
    seen = set()
    for diagnostic in [*lexed.diagnostics, *recovery.diagnostics, *builder.diagnostics]:
        place = (diagnostic.code, diagnostic.span and (diagnostic.span.start, diagnostic.span.stop))
        if diagnostic.code == "AS0105" or place not in seen:  # items are read again behind a mend
            found.append(diagnostic)
        seen.add(place)
    found.sort(key=_place)
    return value, tuple(found[: MAX_REPORTS + 1])


def _place(diagnostic: Diagnostic) -> tuple[int, str]:
    return (diagnostic.span.start if diagnostic.span else 0), diagnostic.code
