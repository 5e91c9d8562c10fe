"""Automata as pictures: one self-contained ``<svg>``, drawn without a layout program.

States stand in columns by the longest way to them that repeats none, ordered in a column by the mean place of their
neighbours (Sugiyama, Tagawa, Toda, 1981: layers and the barycenter heuristic). Edges to the next column are straight,
all others bend. Final states are colored; the guard in full is the tooltip of its edge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.guards import covers, text
from agentc.compiler.logic.ir import Formula, prop
from agentc.compiler.logic.verdict import Verdict

MAX_STATES = 40
MAX_LABEL = 34

_R, _ROW, _MARGIN = 19, 112, 60
_CHARACTER = 6.9  # the width of a letter of a label

_CLASS = {
    Verdict.TRUE: "yes",
    Verdict.FALSE: "no",
    Verdict.PRESUMABLY_TRUE: "open",
    Verdict.PRESUMABLY_FALSE: "open",
}

_STYLE = (
    ".s{fill:var(--paper,#fff);stroke:var(--soft,#5b6472);stroke-width:1.6}"
    ".yes{stroke:var(--good,#1a7f4b);stroke-width:2.4}.no{stroke:var(--bad,#b3382c);stroke-width:2.4}"
    ".e{fill:none;stroke:var(--soft,#5b6472);stroke-width:1.2}.a{fill:var(--soft,#5b6472)}"
    ".t{font:13px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink,#1d2129);text-anchor:middle}"
    ".g{font:11.5px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink,#1d2129);text-anchor:middle;"
    "paint-order:stroke;stroke:var(--paper,#fff);stroke-width:4px;stroke-linejoin:round}"
)


def write_svg(dfa: DFA, name: str, named: Mapping[Formula, str] | None = None) -> str | None:
    """The drawing; None for more than ``MAX_STATES`` states, which nobody could read.

    Atoms that are ``named`` propositions go by their names.
    """
    if dfa.size > MAX_STATES:
        return None
    edges = {s: covers(dfa, s) for s in range(dfa.size)}
    shown = [prop(named[a]) if named and a in named else a for a in dfa.atoms]
    texts = {(s, t): text(cover, shown) for s, targets in edges.items() for t, cover in targets.items()}
    longest = max((min(len(t), MAX_LABEL) for t in texts.values()), default=0)
    column = max(130.0, longest * _CHARACTER + 66)
    place, width, height = _layout(edges, dfa.size, column)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="automaton of {escape(name, quote=True)} with {dfa.size} states"><style>{_STYLE}</style>'
    ]
    x, y = place[0]
    parts.append(_line(x - _R - 30, y, x - _R - 2, y) + _head(x - _R - 2, y, 1, 0))
    labels = []
    for s, targets in edges.items():
        for t in targets:
            guard = texts[s, t]
            shape, at = _edge(place[s], place[t], s in edges[t], column)
            parts.append(f"<g><title>{escape(guard)}</title>{shape}</g>")
            short = guard if len(guard) <= MAX_LABEL else guard[: MAX_LABEL - 1] + "…"
            labels.append(
                f'<text class="g" x="{at[0]:.1f}" y="{at[1]:.1f}"><title>{escape(guard)}</title>{escape(short)}</text>'
            )
    for s in range(dfa.size):
        x, y = place[s]
        kind = _CLASS[dfa.verdicts[s]]
        ring = f'<circle class="s {kind}" cx="{x}" cy="{y}" r="{_R - 4}"/>' if dfa.accepting[s] else ""
        parts.append(
            f'<g><title>state {s}: {escape(dfa.verdicts[s].sentence)}</title>'
            f'<circle class="s {kind}" cx="{x}" cy="{y}" r="{_R}"/>{ring}'
            f'<text class="t" x="{x}" y="{y + 4}">{s}</text></g>'
        )
    return "".join([*parts, *labels, "</svg>\n"])


def _layers(edges: Mapping[int, Mapping[int, object]]) -> dict[int, int]:
    """The column of every state: the longest way to it along edges that do not go back."""
    order: list[int] = []  # finished last, first
    state: dict[int, int] = {0: 1}
    stack = [(0, iter(sorted(edges[0])))]
    forward: dict[int, list[int]] = {s: [] for s in edges}
    while stack:
        s, rest = stack[-1]
        t = next(rest, None)
        if t is None:
            stack.pop()
            state[s] = 2
            order.append(s)
        elif state.get(t) != 1:  # an edge to a state that is being left is a way back
            forward[s].append(t)
            if t not in state:
                state[t] = 1
                stack.append((t, iter(sorted(edges[t]))))
    depth = dict.fromkeys(order, 0)
    for s in reversed(order):
        for t in forward[s]:
            depth[t] = max(depth[t], depth[s] + 1)
    return depth


def _layout(
    edges: Mapping[int, Mapping[int, object]], size: int, step: float
) -> tuple[list[tuple[float, float]], int, int]:
    """Places of the states, width and height; ``step`` is the width of a column."""
    depth = _layers(edges)
    order = sorted(depth)
    columns: list[list[int]] = [[] for _ in range(max(depth.values()) + 1)]
    for s in order:
        columns[depth[s]].append(s)
    near: dict[int, list[int]] = {s: [] for s in range(size)}
    for s, targets in edges.items():
        for t in targets:
            if s != t:
                near[s].append(t)
                near[t].append(s)
    row: dict[int, float] = {s: i - (len(c) - 1) / 2 for c in columns for i, s in enumerate(c)}
    for _ in range(4):
        for column in columns[1:]:
            column.sort(key=lambda s: (sum(row[n] for n in near[s]) / max(1, len(near[s])), s))
            for i, s in enumerate(column):
                row[s] = i - (len(column) - 1) / 2
    top = min(row.values())
    rows = max(row.values()) - top
    # the ways that skip columns bend above their states, the ways back below
    skip = max((depth[t] - depth[s] for s in edges for t in edges[s]), default=0)
    back = max((depth[s] - depth[t] for s in edges for t in edges[s]), default=0)
    above = 30 + (_bend(skip * step, step) if skip > 1 else 0)
    below = _bend(back * step, step) if back > 0 else 0
    place = [(float(_MARGIN + depth[s] * step), _MARGIN + above + (row[s] - top) * _ROW) for s in range(size)]
    height = 2 * _MARGIN + above + below + rows * _ROW
    return place, int(2 * _MARGIN + (len(columns) - 1) * step), int(height)


def _bend(length: float, column: float) -> float:
    """How far the middle of a curve of that length is from the straight line."""
    return 30.0 + 0.17 * max(0.0, length - column)


def _line(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<path class="e" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>'


def _head(x: float, y: float, dx: float, dy: float) -> str:
    """An arrow head that points along ``(dx, dy)`` with its tip at ``(x, y)``."""
    length = math.hypot(dx, dy) or 1.0
    dx, dy = dx / length, dy / length
    left = (x - 8 * dx + 3.5 * dy, y - 8 * dy - 3.5 * dx)
    right = (x - 8 * dx - 3.5 * dy, y - 8 * dy + 3.5 * dx)
    return (
        f'<path class="a" d="M{x:.1f} {y:.1f}L{left[0]:.1f} {left[1]:.1f}L{right[0]:.1f} {right[1]:.1f}Z"/>'
    )


def _edge(
    a: tuple[float, float], b: tuple[float, float], both_ways: bool, column: float
) -> tuple[str, tuple[float, float]]:
    """The drawing of an edge and where its label goes."""
    (x0, y0), (x1, y1) = a, b
    if a == b:
        path = (
            f"M{x0 - 9:.1f} {y0 - 17:.1f}C{x0 - 26:.1f} {y0 - 56:.1f} "
            f"{x0 + 26:.1f} {y0 - 56:.1f} {x0 + 9:.1f} {y0 - 17:.1f}"
        )
        return f'<path class="e" d="{path}"/>' + _head(x0 + 9, y0 - 17, -7, 22), (x0, y0 - 52)
    dx, dy = x1 - x0, y1 - y0
    length = math.hypot(dx, dy)
    # straight to the next column; everything else bends to its own left, so that two ways are two curves
    straight = 0 < dx <= column and not both_ways
    bend = 0.0 if straight else _bend(length, column)
    nx, ny = dy / length, -dx / length
    cx, cy = (x0 + x1) / 2 + 2 * bend * nx, (y0 + y1) / 2 + 2 * bend * ny
    sx, sy = _rim(x0, y0, cx, cy)
    ex, ey = _rim(x1, y1, cx, cy)
    shape = f'<path class="e" d="M{sx:.1f} {sy:.1f}Q{cx:.1f} {cy:.1f} {ex:.1f} {ey:.1f}"/>'
    middle = ((x0 + x1) / 2 + bend * nx, (y0 + y1) / 2 + bend * ny - 5)
    return shape + _head(ex, ey, ex - cx, ey - cy), middle


def _rim(x: float, y: float, towards_x: float, towards_y: float) -> tuple[float, float]:
    dx, dy = towards_x - x, towards_y - y
    length = math.hypot(dx, dy) or 1.0
    return x + dx / length * (_R + 1), y + dy / length * (_R + 1)
