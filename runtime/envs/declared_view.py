"""Drawings of a declared system: regions, obstacles, initial sets and trails, as SVG and as images.

The plane is the one in which the spec's regions lie, else the first two states; a system of one state is drawn over
time. A region that a formula wants is green, one that it forbids is red. Nothing but numpy is needed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR, SystemIR, VariableIR
from agentc.compiler.logic.ir import Formula, Node, Term, atom, postorder, signal, term
from agentc.compiler.logic.semantics import apply
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.graph import graph_of
from agentc.compiler.systems.initial import initial_boxes

Floats = NDArray[np.float64]
Box = tuple[float, float, float, float]
"""Left, right, bottom, top."""

COLOURS = {"goal": (84, 160, 92), "avoid": (196, 78, 62), "start": (120, 120, 120), "trail": (44, 98, 168)}
SIZE = 480
"""Pixels of the longer side."""

_PLANE = (VariableIR("px", "state", "real"), VariableIR("py", "state", "real"))


@dataclass(frozen=True)
class Shape:
    """A region of the plane: ``goal``, ``avoid`` or ``start``."""

    role: str
    region: Term


@dataclass(frozen=True)
class Drawing:
    """What is drawn: the indices of two states (of one, over time), their names, shapes, seconds a step."""

    axes: tuple[int, ...]
    labels: tuple[str, str]
    shapes: tuple[Shape, ...]
    step: float
    ranges: Box
    """What is in the picture whatever the trails are; infinite where nothing says it."""


def drawing_of_system(system: SystemIR, plane: tuple[str, str] | None = None, shapes: Sequence[Shape] = ()) -> Drawing:
    """The drawing of a system in a plane, with its initial sets."""
    states = system.states
    names = [v.name for v in states]
    axes = tuple(names.index(n) for n in plane) if plane is not None else tuple(range(min(2, len(states))))
    shown = [f"{states[i].name}{f' [{states[i].unit}]' if states[i].unit else ''}" for i in axes]
    starts = []
    for box in initial_boxes(system) if len(axes) == 2 else ():
        corners = [(float(v[axes[0]]), float(v[axes[1]])) for v in (box.lo, box.hi)]
        if np.isfinite(corners).all():
            starts.append(Shape("start", term("box", [term("const", value=c) for c in corners])))
    bounds = [(states[i].lo, states[i].hi) for i in axes]
    (left, right), (bottom, top) = ((None, None), bounds[0]) if len(axes) == 1 else (bounds[0], bounds[1])
    ranges = tuple(np.nan if v is None else float(v) for v in (left, right, bottom, top))
    labels = ("time [s]", shown[0]) if len(axes) == 1 else (shown[0], shown[1])
    return Drawing(axes, labels, (*starts, *shapes), system.step or 1.0, ranges)  # type: ignore[arg-type]


def drawing_of_agent(agent: AgentIR) -> Drawing:
    """The drawing of an agent's system: in the plane of its regions, which are wanted or forbidden."""
    assert agent.system is not None
    names = {v.name for v in agent.system.states}
    planes: dict[tuple[str, str], list[Shape]] = {}
    for item in agent.formulas:
        for predicate, wanted in _memberships(item.formula):
            point, region = predicate.args
            coordinates = [a.value for a in point.args] if point.op == "tuple" else []
            is_plane = len(coordinates) == 2 and all(a.op == "signal" for a in point.args) and names >= set(coordinates)
            if is_plane and isinstance(region, Term) and not any(n.op == "signal" for n in postorder(region)):
                shapes = planes.setdefault((str(coordinates[0]), str(coordinates[1])), [])
                shape = Shape("goal" if wanted else "avoid", region)
                if shape not in shapes:
                    shapes.append(shape)
    if not planes:
        return drawing_of_system(agent.system)
    plane = max(planes, key=lambda p: len(planes[p]))
    return drawing_of_system(agent.system, plane, planes[plane])


def _memberships(root: Formula) -> Iterable[tuple[Term, bool]]:
    """The memberships in regions below a formula, and whether the formula wants them."""
    stack: list[tuple[Node, bool]] = [(root, True)]
    seen: set[tuple[Node, bool]] = set()
    while stack:
        node, wanted = stack.pop()
        if (node, wanted) in seen:
            continue
        seen.add((node, wanted))
        if isinstance(node, Term):
            if node.op == "in_region":
                yield node, wanted != (node.value is True)
        elif node.op == "not":
            stack.append((node.args[0], not wanted))
        elif node.op == "implies":
            stack += [(node.args[1], wanted), (node.args[0], not wanted)]
        else:
            stack += [(a, wanted) for a in reversed(node.args)]


# ---------------------------------------------------------------- geometry


def _points(drawing: Drawing, trails: Floats) -> Floats:
    """Trails ``(batch, time, n)`` as points ``(batch, time, 2)``."""
    if len(drawing.axes) == 2:
        return trails[:, :, list(drawing.axes)]
    times = np.broadcast_to(np.arange(trails.shape[1]) * drawing.step, trails.shape[:2])
    return np.stack([times, trails[:, :, drawing.axes[0]]], axis=2)


def _extent(drawing: Drawing, points: Floats) -> Box:
    """What the picture shows, with a margin."""
    found = [points.reshape(-1, 2)]
    for shape in drawing.shapes:
        box = _bounds(_numbers(shape.region))
        if box is not None:
            found.append(np.array([[box[0], box[2]], [box[1], box[3]]]))
    whole = np.concatenate(found)
    whole = whole[np.isfinite(whole).all(axis=1)]
    (left, bottom), (right, top) = (whole.min(axis=0), whole.max(axis=0)) if len(whole) else ((0.0, 0.0), (1.0, 1.0))
    a, b, c, d = drawing.ranges
    left, right = np.nanmin([left, a]), np.nanmax([right, b])
    bottom, top = np.nanmin([bottom, c]), np.nanmax([top, d])
    x, y = max(right - left, 1e-6) * 0.06, max(top - bottom, 1e-6) * 0.06
    return float(left - x), float(right + x), float(bottom - y), float(top + y)


def _numbers(region: Term) -> Any:
    """A constant region as ``(kind, parameters)``."""
    table: dict[Node, Any] = {}
    for node in postorder(region):
        assert isinstance(node, Term)
        table[node] = node.value if node.op == "const" else apply(node, [table[a] for a in node.args])
    return table[region]


def _bounds(region: Any) -> Box | None:
    match region:
        case ("box", (x0, y0), (x1, y1)):
            return x0, x1, y0, y1
        case ("ball", (x, y), r):
            return x - r, x + r, y - r, y + r
        case ("ellipsoid", (x, y), (a, b)):
            return x - a, x + a, y - b, y + b
        case ("union" | "intersection", *parts):
            boxes = [b for b in map(_bounds, parts) if b is not None]
            if boxes:
                a = np.array(boxes)
                return float(a[:, 0].min()), float(a[:, 1].max()), float(a[:, 2].min()), float(a[:, 3].max())
    return None


def _inside(region: Term, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Whether points are in a region, by the expression graph."""
    point = term("tuple", (signal("px"), signal("py")))
    graph = graph_of([atom(term("in_region", (point, region)))], _PLANE)
    (found,) = evaluate(graph, {"px": x.ravel(), "py": y.ravel()})
    return np.broadcast_to(np.asarray(found, bool), x.size).reshape(x.shape)


# ---------------------------------------------------------------- SVG


class _Canvas:
    """From the plane to pixels."""

    def __init__(self, extent: Box, square: bool) -> None:
        self.left, self.right, self.bottom, self.top = extent
        wide, high = self.right - self.left, self.top - self.bottom
        if square:
            scale = SIZE / max(wide, high)
            self.sx = self.sy = scale
        else:
            self.sx, self.sy = SIZE / wide, 0.6 * SIZE / high
        self.width, self.height = max(2, round(wide * self.sx)), max(2, round(high * self.sy))

    def x(self, value: Any) -> Any:
        """Pixels from the left."""
        return (value - self.left) * self.sx

    def y(self, value: Any) -> Any:
        """Pixels from the top."""
        return (self.top - value) * self.sy


def _canvas(drawing: Drawing, points: Floats) -> _Canvas:
    extent = _extent(drawing, points)
    wide, high = extent[1] - extent[0], extent[3] - extent[2]
    regions = any(shape.role != "start" for shape in drawing.shapes)
    return _Canvas(extent, square=len(drawing.axes) == 2 and (regions or 0.2 < wide / high < 5))


def svg(drawing: Drawing, trails: Floats, *, every: int | None = None) -> str:
    """The drawing with trails ``(batch, time, n)`` as an SVG document; what the trails leave out is white.

    With ``every``, each step is a dot, and every so many steps the dot has its number.
    """
    points = _points(drawing, trails)
    canvas = _canvas(drawing, points)
    width, height = canvas.width + 60, canvas.height + 44
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<g transform="translate(48 8)">',
        f'<clipPath id="plane"><rect width="{canvas.width}" height="{canvas.height}"/></clipPath>',
        f'<rect width="{canvas.width}" height="{canvas.height}" fill="#fafafa" stroke="#888"/>',
        '<g clip-path="url(#plane)">',
    ]
    for shape in drawing.shapes:
        out.append(_svg_shape(shape, canvas))
    opacity = max(0.15, min(0.9, 4 / max(1, len(points))))
    for trail in points:
        good = trail[np.isfinite(trail).all(axis=1)]
        path = " ".join(f"{canvas.x(x):.1f},{canvas.y(y):.1f}" for x, y in good)
        colour = _hex("trail")
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-opacity="{opacity:.2f}"/>')
        if every is not None:
            out += _marks(good, canvas, every, colour)
        if len(good):
            x, y = good[-1]
            out.append(f'<circle cx="{canvas.x(x):.1f}" cy="{canvas.y(y):.1f}" r="2.5" fill="{colour}"/>')
    out.append("</g>")
    out += _axes(drawing, canvas)
    out.append("</g></svg>")
    return "\n".join(out) + "\n"


def _marks(points: Floats, canvas: _Canvas, every: int, colour: str) -> list[str]:
    """A dot for each step, numbers on some of them."""
    out = []
    for t, (x, y) in enumerate(points):
        left, top = float(canvas.x(x)), float(canvas.y(y))
        out.append(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="{2 if t % every == 0 else 1.2}" fill="{colour}"/>')
        if t % every == 0:
            out.append(f'<text x="{left + 4:.1f}" y="{top - 4:.1f}" font-size="9" fill="{colour}">{t}</text>')
    return out


def _axes(drawing: Drawing, canvas: _Canvas) -> list[str]:
    out = []
    for value in _ticks(canvas.left, canvas.right):
        x = canvas.x(value)
        out.append(f'<text x="{x:.1f}" y="{canvas.height + 14}" text-anchor="middle" fill="#555">{value:g}</text>')
    for value in _ticks(canvas.bottom, canvas.top):
        y = canvas.y(value) + 4
        out.append(f'<text x="-5" y="{y:.1f}" text-anchor="end" fill="#555">{value:g}</text>')
    across, up = (escape(label) for label in drawing.labels)
    out.append(f'<text x="{canvas.width / 2:.0f}" y="{canvas.height + 30}" text-anchor="middle">{across}</text>')
    middle = canvas.height / 2
    turned = f'transform="rotate(-90 -36 {middle:.0f})"'
    out.append(f'<text x="-36" y="{middle:.0f}" text-anchor="middle" {turned}>{up}</text>')
    return out


def _ticks(lo: float, hi: float) -> list[float]:
    """Some round numbers in a range."""
    step = 10.0 ** np.floor(np.log10((hi - lo) / 4))
    step *= next(m for m in (1, 2, 5, 10) if (hi - lo) / (step * m) <= 6)
    return [round(float(k * step), 12) for k in range(int(np.ceil(lo / step)), int(np.floor(hi / step)) + 1)]


def _hex(role: str) -> str:
    return "#{:02x}{:02x}{:02x}".format(*COLOURS[role])


def _svg_shape(shape: Shape, canvas: _Canvas) -> str:
    style = f'fill="{_hex(shape.role)}" fill-opacity="0.3" stroke="{_hex(shape.role)}"'
    if shape.role == "start":
        style = f'fill="none" stroke="{_hex(shape.role)}" stroke-dasharray="3 2"'
    match _numbers(shape.region):
        case ("box", (x0, y0), (x1, y1)):
            x, y, w, h = canvas.x(x0), canvas.y(y1), (x1 - x0) * canvas.sx, (y1 - y0) * canvas.sy
            return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" {style}/>'
        case ("ball", (cx, cy), r):
            return _ellipse(canvas, cx, cy, r, r, style)
        case ("ellipsoid", (cx, cy), (a, b)):
            return _ellipse(canvas, cx, cy, a, b, style)
    return _runs(shape, canvas, style.replace(f'stroke="{_hex(shape.role)}"', 'stroke="none"'))


def _ellipse(canvas: _Canvas, x: float, y: float, a: float, b: float, style: str) -> str:
    return (
        f'<ellipse cx="{canvas.x(x):.1f}" cy="{canvas.y(y):.1f}" rx="{a * canvas.sx:.1f}" '
        f'ry="{b * canvas.sy:.1f}" {style}/>'
    )


def _runs(shape: Shape, canvas: _Canvas, style: str) -> str:
    """Any region, as runs of pixels."""
    cells = 160
    xs = canvas.left + (np.arange(cells) + 0.5) / cells * (canvas.right - canvas.left)
    ys = canvas.top - (np.arange(cells) + 0.5) / cells * (canvas.top - canvas.bottom)
    inside = _inside(shape.region, *np.meshgrid(xs, ys))
    path = []
    dx, dy = canvas.width / cells, canvas.height / cells
    for row, line in enumerate(inside):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(int)))
        for a, b in edges.reshape(-1, 2):
            path.append(f"M{a * dx:.1f} {row * dy:.1f}h{(b - a) * dx:.1f}v{dy:.2f}h{-(b - a) * dx:.1f}z")
    return f'<path d="{"".join(path)}" {style}/>'


# ---------------------------------------------------------------- images


def image(drawing: Drawing, trails: Floats) -> NDArray[np.uint8]:
    """The drawing as pixels ``(height, width, 3)``: regions by membership, trails as lines."""
    points = _points(drawing, trails)
    canvas = _canvas(drawing, points)
    pixels = np.full((canvas.height, canvas.width, 3), 250.0)
    xs = canvas.left + (np.arange(canvas.width) + 0.5) / canvas.sx
    ys = canvas.top - (np.arange(canvas.height) + 0.5) / canvas.sy
    grid = np.meshgrid(xs, ys)
    for shape in drawing.shapes:
        inside, weight = _inside(shape.region, *grid), 0.15 if shape.role == "start" else 0.35
        pixels[inside] += (np.array(COLOURS[shape.role]) - pixels[inside]) * weight
    for trail in points:
        good = trail[np.isfinite(trail).all(axis=1)]
        for a, b in itertools.pairwise(good):
            _line(pixels, canvas, a, b, 1)
        if len(good):
            _line(pixels, canvas, good[-1], good[-1], 3)
    return pixels.astype(np.uint8)


def _line(pixels: Floats, canvas: _Canvas, a: Floats, b: Floats, width: int) -> None:
    start = np.array([canvas.x(a[0]), canvas.y(a[1])])
    end = np.array([canvas.x(b[0]), canvas.y(b[1])])
    count = int(min(2 * SIZE, np.abs(end - start).max())) + 1
    for x, y in start + (end - start) * np.linspace(0, 1, count)[:, None]:
        top, left = int(y) - width // 2, int(x) - width // 2
        pixels[max(0, top) : max(0, top + width), max(0, left) : max(0, left + width)] = COLOURS["trail"]
