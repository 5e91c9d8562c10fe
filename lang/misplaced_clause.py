"""A clause in the wrong place of its item: ``train ppo { ... } until proved(f)``."""

from __future__ import annotations

from agentc.lang.diagnostics import Diagnostic, Edit, Fix, report
from agentc.lang.lalr import END
from agentc.lang.layout import SEPARATOR
from agentc.lang.parse_state import ParseState
from agentc.lang.source import Span

_OPENERS, _CLOSERS = ("LPAR", "LSQB", "LBRACE"), ("RPAR", "RSQB", "RBRACE")


def condition_behind_block(state: ParseState, i: int) -> tuple[int, Diagnostic] | None:
    """Where the condition behind ``until`` at ``i`` ends, and the report that moves it; None if it is none such."""
    tokens, first = state.tokens, state.frames[-1].item
    if i >= len(tokens) or tokens[i].kind != "UNTIL" or i - first < 3 or tokens[first].text != "train":
        return None
    if tokens[i - 1].kind != "RBRACE":
        return None
    brace = next((t for t in tokens[first:i] if t.kind == "LBRACE"), None)
    stop, depth = i + 1, 0
    while stop < len(tokens) and tokens[stop].kind != END:
        kind = tokens[stop].kind
        if depth == 0 and kind in (SEPARATOR, *_CLOSERS):
            break
        depth += (kind in _OPENERS) - (kind in _CLOSERS)
        stop += 1
    if brace is None or stop == i + 1:
        return None
    source = state.source
    condition = source.text[tokens[i].start : tokens[stop - 1].stop]
    edits = (
        Edit(Span(source, brace.start, brace.start), f"{condition} "),
        Edit(Span(source, tokens[i - 1].stop, tokens[stop - 1].stop), ""),
    )
    fix = Fix("move it before the block", edits)
    algorithm = tokens[first + 1].text
    span = Span(source, tokens[i].start, tokens[stop - 1].stop)
    return stop, report("AS0135", span, fix=fix, algorithm=algorithm, condition=condition)
