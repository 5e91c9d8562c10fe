"""Automata as pictures: one self-contained ``<svg>``, drawn without a layout program.

States stand in columns by their distance from the initial one, ordered in a column by the mean place of their
neighbours (the barycenter heuristic: Sugiyama, Tagawa, Toda, 1981). Edges to the next column are straight, all
others bend. Final states are colored; the guard in full is the tooltip of its edge.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

from agentc.compiler.automata.covers import Cube, guard_text, guards
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.logic.verdict import Verdict

MAX_STATES = 40
MAX_LABEL = 34

_R, _COLUMN, _ROW, _MARGIN = 19, 190, 104, 60

_CLASS = {
    Verdict.TRUE: "yes",
    Verdict.FALSE: "no",
    Verdict.PRESUMABLY_TRUE: "open",
    Verdict.PRESUMABLY_FALSE: "open",
}

_STYLE = (
    ".s{fill:var(--paper,#fff);stroke:var(--soft,#5b6472);stroke-width:1.6}"
    ".yes{stroke:var(--good,#1a7f4b)}.no{stroke:var(--bad,#b3382c)}"
    ".e{fill:none;stroke:var(--soft,#5b6472);stroke-width:1.2}.a{fill:var(--soft,#5b6472)}"
    ".t{font:13px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink,#1d2129);text-anchor:middle}"
    ".g{font:11.5px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink,#1d2129);text-anchor:middle;"
    "paint-order:stroke;stroke:var(--paper,#fff);stroke-width:4px;stroke-linejoin:round}"
)


def to_svg(dfa: DFA, name: str) -> str | None:
    """The drawing; None for more than ``MAX_STATES`` states, which nobody could read.

    Raises ``OverBudgetError`` for guards that cannot be said in words.
    """
    if dfa.size > MAX_STATES:
        return None
    edges = {s: guards(dfa, s) for s in range(dfa.size)}
    place, width, height = _layout(edges, dfa.size)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="automaton of {escape(name, quote=True)} with {dfa.size} states"><style>{_STYLE}</style>'
    ]
    x, y = place[0]
    parts.append(_line(x - _R - 30, y, x - _R - 2, y) + _head(x - _R - 2, y, 1, 0))
    labels = []
    for s, targets in edges.items():
        for t, cubes in targets.items():
            text = guard_text(cubes, dfa)
            shape, at = _edge(place[s], place[t], s == t, s in edges[t])
            parts.append(f"<g><title>{escape(text)}</title>{shape}</g>")
            short = text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"
            labels.append(
                f'<text class="g" x="{at[0]:.1f}" y="{at[1]:.1f}"><title>{escape(text)}</title>{escape(short)}</text>'
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


def _layout(
    edges: Mapping[int, Mapping[int, tuple[Cube, ...]]], size: int
) -> tuple[list[tuple[float, float]], int, int]:
    """Places of the states, width and height."""
    depth = {0: 0}
    order = [0]
    for s in order:  # grows as it goes
        for t in edges[s]:
            if t not in depth:
                depth[t] = depth[s] + 1
                order.append(t)
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
    place = [(float(_MARGIN + depth[s] * _COLUMN), _MARGIN + 24 + (row[s] - top) * _ROW) for s in range(size)]
    return place, int(2 * _MARGIN + (len(columns) - 1) * _COLUMN), int(2 * _MARGIN + 44 + rows * _ROW)


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
    a: tuple[float, float], b: tuple[float, float], loop: bool, both_ways: bool
) -> tuple[str, tuple[float, float]]:
    """The drawing of an edge and where its label goes."""
    (x0, y0), (x1, y1) = a, b
    if loop:
        path = (
            f"M{x0 - 9:.1f} {y0 - 17:.1f}C{x0 - 26:.1f} {y0 - 56:.1f} "
            f"{x0 + 26:.1f} {y0 - 56:.1f} {x0 + 9:.1f} {y0 - 17:.1f}"
        )
        return f'<path class="e" d="{path}"/>' + _head(x0 + 9, y0 - 17, -7, 22), (x0, y0 - 52)
    dx, dy = x1 - x0, y1 - y0
    length = math.hypot(dx, dy)
    # straight to the next column; everything else bends to its own left, so that two ways are two curves
    straight = 0 < dx <= _COLUMN and not both_ways
    bend = 0.0 if straight else 26.0 + 0.16 * max(0.0, length - _COLUMN)
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
