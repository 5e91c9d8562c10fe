"""Line charts as SVG text: learning curves with the spread over seeds.

Colors come from CSS variables of the page, so that one drawing serves light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 14, 40


@dataclass(frozen=True)
class Series:
    """One curve: points ``(x, y)`` in order of x; NaN and infinite points are left out."""

    name: str
    points: tuple[tuple[float, float], ...]


def nice_ticks(lo: float, hi: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers that cover ``[lo, hi]``.

    Source: Heckbert, Nice Numbers for Graph Labels, Graphics Gems (1990).
    """
    if not (math.isfinite(lo) and math.isfinite(hi)):
        return [0.0, 1.0]
    if hi - lo < 1e-12 * max(1.0, abs(lo), abs(hi)):
        lo, hi = lo - 0.5, hi + 0.5
    raw = (hi - lo) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((m * power for m in (1, 2, 2.5, 5) if m * power >= raw * 0.999), 10 * power)
    first, last = math.floor(lo / step + 1e-9), math.ceil(hi / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def _label(value: float) -> str:
    if value == 0:
        return "0"
    for scale, suffix in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= scale:
            return f"{value / scale:g}{suffix}"
    return f"{value:.6g}"


def line_chart(
    series: Sequence[Series], *, x_label: str, y_label: str, bounds: tuple[float, float] | None = None
) -> str:
    """The chart of some curves as an ``<svg>`` element with a text for screen readers.

    ``bounds`` fixes the vertical axis (rates are drawn over ``(0, 1)``). Without a point the chart says so.
    """
    kept = [
        Series(s.name, tuple((x, y) for x, y in s.points if math.isfinite(x) and math.isfinite(y))) for s in series
    ]
    points = [p for s in kept for p in s.points]
    head = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(y_label)} against {escape(x_label)}">'
    )
    if not points:
        middle = f'x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}"'
        return f'{head}<text {middle} class="axis" text-anchor="middle">no data</text></svg>'
    xs = nice_ticks(min(x for x, _ in points), max(x for x, _ in points))
    y_lo, y_hi = bounds or (min(y for _, y in points), max(y for _, y in points))
    ys = nice_ticks(y_lo, y_hi, 4)
    x0, x1, y0, y1 = xs[0], xs[-1], ys[0], ys[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [head]
    for y in ys:
        _, py = at(x0, y)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py:.1f}" y2="{py:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{py + 4:.1f}" class="axis" text-anchor="end">{_label(y)}</text>')
    for x in xs:
        px, _ = at(x, y0)
        place = f'x="{px:.1f}" y="{HEIGHT - BOTTOM + 17}"'
        parts.append(f'<text {place} class="axis" text-anchor="middle">{_label(x)}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 5}" class="axis" text-anchor="middle">'
        f"{escape(x_label)}</text>"
    )
    for k, s in enumerate(kept):
        if not s.points:
            continue
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (at(x, y) for x, y in s.points))
        parts.append(f'<polyline points="{path}" class="curve c{k % 6}"><title>{escape(s.name)}</title></polyline>')
    parts.append("</svg>")
    return "".join(parts)
