"""Drawings of automata as self-contained SVG: layers by distance from the initial state, curved edges, no scripts.

Source of the layering: Sugiyama, Tagawa, Toda, *Methods for visual understanding of hierarchical system structures*,
IEEE Trans. SMC 11(2), 1981 (layers, barycentres). Edges are quadratic curves; of a few bends the one that is nearest
to straight and crosses no state and no label is chosen. The same automaton gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.guards import guards
from agentc.compiler.logic.verdict import Verdict

RADIUS = 21.0
ROW = 104.0
GAP = 74.0
GLYPH = 6.7
LONGEST_LABEL = 44
MOST_STATES = 40
BENDS = (0.0, 26.0, -26.0, 48.0, -48.0, 76.0, -76.0, 110.0, -110.0, 150.0, -150.0, 200.0, -200.0)

CLASS = {
    Verdict.TRUE: "true", Verdict.PRESUMABLY_TRUE: "holds", Verdict.PRESUMABLY_FALSE: "open", Verdict.FALSE: "false",
}  # fmt: skip

STYLE = """
.ag-dfa { --ag-ink: #27313b; --ag-line: #6b7885; --ag-paper: #ffffff; --ag-open: #f3f1ea; --ag-holds: #e2f3e6;
  --ag-true: #9fd8ae; --ag-false: #efb1aa; font: 12px ui-sans-serif, system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .ag-dfa { --ag-ink: #e4e8ec; --ag-line: #97a3af; --ag-paper: #161b20;
  --ag-open: #2b3036; --ag-holds: #23402c; --ag-true: #2f7a45; --ag-false: #8c3a33; } }
.ag-dfa .edge { fill: none; stroke: var(--ag-line); stroke-width: 1.4; }
.ag-dfa .head { fill: var(--ag-line); }
.ag-dfa .state { stroke: var(--ag-ink); stroke-width: 1.5; }
.ag-dfa .ring { fill: none; stroke: var(--ag-ink); stroke-width: 1.2; }
.ag-dfa .open { fill: var(--ag-open); } .ag-dfa .holds { fill: var(--ag-holds); }
.ag-dfa .true { fill: var(--ag-true); } .ag-dfa .false { fill: var(--ag-false); }
.ag-dfa text { fill: var(--ag-ink); text-anchor: middle; dominant-baseline: central; }
.ag-dfa .number { font-weight: 600; }
.ag-dfa .guard { font-family: ui-monospace, SFMono-Regular, Menlo, monospace; font-size: 11px; paint-order: stroke;
  stroke: var(--ag-paper); stroke-width: 4px; stroke-linejoin: round; }
""".strip()

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Edge:
    source: int
    target: int
    label: str
    full: str


def write_svg(dfa: DFA, title: str = "") -> str:
    """The automaton as an SVG document.

    States are filled by their verdict, those that accept have a ring, the initial one an arrow. A long guard is
    shortened and whole in its tooltip; ``else`` stands for the letters that no other edge of the state takes. Of an
    automaton with more than ``MOST_STATES`` states only the measures are shown.
    """
    name = title or "automaton"
    if dfa.size > MOST_STATES:
        return _measures(dfa, name)
    edges = [e for s in range(dfa.size) for e in _edges(dfa, s)]
    place = _placed(dfa, edges)
    drawn: list[str] = []
    boxes: list[Box] = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in place]
    labels: list[str] = []
    extent: list[Point] = []
    for e in (e for e in edges if e.source == e.target):
        _loop(e, place, drawn, labels, boxes)
    reverse = {(e.source, e.target) for e in edges}
    ordered = sorted((e for e in edges if e.source != e.target), key=lambda e: (_length(place, e), e.source, e.target))
    for e in ordered:
        _curve(e, place, (e.target, e.source) in reverse, drawn, labels, boxes, extent)
    x, y = place[0]
    drawn.insert(0, f'<path class="edge" d="M{_n(x - RADIUS - 30)} {_n(y)}H{_n(x - RADIUS - 7)}"/>')
    drawn.insert(1, _head((x - RADIUS, y), (1.0, 0.0)))
    boxes += [(x - RADIUS - 34, y, x, y), *((u, v, u, v) for u, v in extent)]
    for s, (x, y) in enumerate(place):
        verdict = dfa.verdicts[s]
        drawn.append(
            f'<g><title>{_escaped(f"{s}: {verdict.sentence}")}</title>'
            f'<circle class="state {CLASS[verdict]}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(RADIUS)}"/>'
        )
        if dfa.accepting[s]:
            drawn.append(f'<circle class="ring" cx="{_n(x)}" cy="{_n(y)}" r="{_n(RADIUS - 4)}"/>')
        drawn.append(f'<text class="number" x="{_n(x)}" y="{_n(y)}">{s}</text></g>')
    return _document(name, f"{dfa.size} states", [*drawn, *labels], boxes)


def _edges(dfa: DFA, state: int) -> list[_Edge]:
    """The edges of a state; the longest guard is called ``else`` where that is shorter than what it says."""
    found = guards(dfa, state)
    longest = max(found, key=lambda t: (len(found[t]), t == state, t))
    made = []
    for target, full in found.items():
        label = full
        if len(found) > 1 and target == longest and len(full) > 14:
            label = "else"
        elif len(full) > LONGEST_LABEL:
            label = full[: LONGEST_LABEL - 2].rstrip(" &|") + " …"
        made.append(_Edge(state, target, label, full))
    return made


# ---------------------------------------------------------------- places


def _placed(dfa: DFA, edges: Sequence[_Edge]) -> list[Point]:
    """The centre of each state: a column for each distance from the initial state, final states in the last one."""
    layer = [-1] * dfa.size
    layer[0] = 0
    order = [0]
    for s in order:
        for e in edges:
            if e.source == s and layer[e.target] < 0:
                layer[e.target] = layer[s] + 1
                order.append(e.target)
    sinks = [s for s in range(1, dfa.size) if all(e.target == s for e in edges if e.source == s)]
    last = max([layer[s] for s in range(dfa.size) if s not in sinks], default=0) + 1
    for s in sinks:
        layer[s] = last
    columns: list[list[int]] = [[] for _ in range(max(layer) + 1)]
    for s in order:
        columns[layer[s]].append(s)
    columns = [c for c in columns if c]
    height = {0: 0.0}
    for column in columns[1:]:
        def rank(s: int) -> tuple[float, int, int]:
            before = [height[e.source] for e in edges if e.target == s and e.source in height and e.source != s]
            middle = sum(before) / len(before) if before else 0.0
            return middle + (0.6 if dfa.verdicts[s] is Verdict.FALSE else 0.0), -int(dfa.verdicts[s]), s

        column.sort(key=rank)
        for i, s in enumerate(column):
            height[s] = i - (len(column) - 1) / 2
    place: list[Point] = [(0.0, 0.0)] * dfa.size
    x = 0.0
    for i, column in enumerate(columns):
        for s in column:
            place[s] = (x, height[s] * ROW)
        here, there = set(column), set(columns[i + 1]) if i + 1 < len(columns) else set()
        between = [
            e for e in edges if (e.source in here and e.target in there) or (e.source in there and e.target in here)
        ]
        widest = max((len(e.label) for e in between), default=3)
        x += 2 * RADIUS + max(GAP, widest * GLYPH + 34)
    return place


# ---------------------------------------------------------------- edges


def _loop(e: _Edge, place: Sequence[Point], drawn: list[str], labels: list[str], boxes: list[Box]) -> None:
    x, y = place[e.source]
    top = y - RADIUS
    a, b = x - 11, x + 11
    start = y - math.sqrt(RADIUS**2 - 121)
    drawn.append(
        f'<path class="edge" d="M{_n(a)} {_n(start)}C{_n(a - 14)} {_n(top - 30)} {_n(b + 14)} {_n(top - 30)} '
        f'{_n(b + 2)} {_n(start - 5)}"/>'
    )
    drawn.append(_head((b, start), (-0.32, 0.95)))
    _label(e, (x, top - 33), labels, boxes)


def _curve(
    e: _Edge,
    place: Sequence[Point],
    doubled: bool,
    drawn: list[str],
    labels: list[str],
    boxes: list[Box],
    extent: list[Point],
) -> None:
    a, b = place[e.source], place[e.target]
    length = math.dist(a, b)
    normal = (-(b[1] - a[1]) / length, (b[0] - a[0]) / length)
    best: tuple[float, float, Point, Point] | None = None
    for bend in BENDS:
        if doubled and bend >= 0:  # each direction bends to its own left, so that the two do not meet
            continue
        c = ((a[0] + b[0]) / 2 + normal[0] * bend * 2, (a[1] + b[1]) / 2 + normal[1] * bend * 2)
        blocked = sum(
            1
            for s, p in enumerate(place)
            if s not in (e.source, e.target)
            and any(math.dist(_on(a, c, b, k / 16), p) < RADIUS + 7 for k in range(1, 16))
        )
        for t in (0.5, 0.42, 0.58, 0.33, 0.67, 0.25, 0.75):
            at = _on(a, c, b, t)
            box = _box(e.label, at)
            crowded = sum(1 for other in boxes if _overlap(box, other))
            cost = 900.0 * blocked + 260.0 * crowded + abs(bend) + 40 * abs(t - 0.5)
            if best is None or cost < best[0]:
                best = cost, bend, c, at
    assert best is not None
    _, _, c, at = best
    start, stop = _toward(a, c, RADIUS), _toward(b, c, RADIUS + 7)
    curve = f"M{_n(start[0])} {_n(start[1])}Q{_n(c[0])} {_n(c[1])} {_n(stop[0])} {_n(stop[1])}"
    drawn.append(f'<path class="edge" d="{curve}"/>')
    d = math.dist(b, c)
    drawn.append(_head(_toward(b, c, RADIUS), ((b[0] - c[0]) / d, (b[1] - c[1]) / d)))
    _label(e, at, labels, boxes)
    extent.append(_on(a, c, b, 0.5))


def _label(e: _Edge, at: Point, labels: list[str], boxes: list[Box]) -> None:
    boxes.append(_box(e.label, at))
    said = f"<title>{_escaped(e.full)}</title>{_escaped(e.label)}"
    labels.append(f'<text class="guard" x="{_n(at[0])}" y="{_n(at[1])}">{said}</text>')


def _head(tip: Point, direction: Point) -> str:
    """An arrow head with its tip at a point."""
    (x, y), (dx, dy) = tip, direction
    left = (x - 9 * dx - 4 * dy, y - 9 * dy + 4 * dx)
    right = (x - 9 * dx + 4 * dy, y - 9 * dy - 4 * dx)
    return f'<path class="head" d="M{_n(x)} {_n(y)}L{_n(left[0])} {_n(left[1])}L{_n(right[0])} {_n(right[1])}Z"/>'


def _on(a: Point, c: Point, b: Point, t: float) -> Point:
    """The point of a quadratic curve at ``t``."""
    u = 1 - t
    return (u * u * a[0] + 2 * u * t * c[0] + t * t * b[0], u * u * a[1] + 2 * u * t * c[1] + t * t * b[1])


def _toward(a: Point, c: Point, r: float) -> Point:
    d = math.dist(a, c) or 1.0
    return (a[0] + (c[0] - a[0]) * r / d, a[1] + (c[1] - a[1]) * r / d)


def _length(place: Sequence[Point], e: _Edge) -> float:
    return math.dist(place[e.source], place[e.target])


def _box(label: str, at: Point) -> Box:
    half = len(label) * GLYPH / 2 + 3
    return (at[0] - half, at[1] - 8, at[0] + half, at[1] + 8)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


# ---------------------------------------------------------------- document


def _document(title: str, description: str, parts: Sequence[str], boxes: Sequence[Box]) -> str:
    pad = 14.0
    left, top = min(b[0] for b in boxes) - pad, min(b[1] for b in boxes) - pad
    right, bottom = max(b[2] for b in boxes) + pad, max(b[3] for b in boxes) + pad
    width, height = right - left, bottom - top
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ag-dfa" role="img" aria-label="{_escaped(title)}" '
        f'viewBox="{_n(left)} {_n(top)} {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}">'
    )
    lines = [head, f"<title>{_escaped(title)}</title>", f"<desc>{_escaped(description)}</desc>"]
    return "\n".join([*lines, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"


def _measures(dfa: DFA, title: str) -> str:
    accepting = sum(dfa.accepting)
    said = f"{dfa.size} states, {accepting} of them accepting, over {len(dfa.atoms)} propositions"
    width = max(len(said) * GLYPH, len(title) * GLYPH) + 40
    parts = [f'<text x="{_n(width / 2)}" y="26">{_escaped(said)}</text>']
    return _document(title, said, parts, [(0.0, 0.0, width, 52.0)])


def _n(value: float) -> str:
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
