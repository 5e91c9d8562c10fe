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


@dataclass(frozen=True)
class Band:
    """What lies between two curves: points ``(x, low, high)`` in order of x."""

    name: str
    points: tuple[tuple[float, float, float], ...]


def line_chart(
    series: Sequence[Series], *, x_label: str, y_label: str, bounds: tuple[float, float] | None = None
) -> str:
    """The chart of some curves as an ``<svg>`` element with a text for screen readers.

    ``bounds`` fixes the vertical axis (rates are drawn over ``(0, 1)``). Without a point the chart says so.
    """
    kept = [
        Series(s.name, tuple((x, y) for x, y in s.points if math.isfinite(x) and math.isfinite(y))) for s in series
    ]
    frame = _Frame([p for s in kept for p in s.points], x_label, y_label, bounds)
    if frame.empty:
        return frame.finished([])
    return frame.finished([
        f'<polyline points="{frame.path(s.points)}" class="curve c{k % 6}"><title>{escape(s.name)}</title></polyline>'
        for k, s in enumerate(kept) if s.points
    ])  # fmt: skip


def band_chart(bands: Sequence[Band], *, x_label: str, y_label: str) -> str:
    """The chart of some bands, as :func:`line_chart`; points that are not finite are left out."""
    kept = [Band(b.name, tuple(p for p in b.points if all(map(math.isfinite, p)))) for b in bands]
    frame = _Frame([(x, y) for b in kept for x, *ys in b.points for y in ys], x_label, y_label, None)
    if frame.empty:
        return frame.finished([])
    drawn = []
    for k, band in enumerate(kept):
        around = [(x, high) for x, _, high in band.points] + [(x, low) for x, low, _ in reversed(band.points)]
        title = f"<title>{escape(band.name)}</title>"
        drawn.append(f'<polygon points="{frame.path(around)}" class="band c{k % 6}">{title}</polygon>')
    return frame.finished(drawn)


class _Frame:
    """Axes with round numbers around some points."""

    def __init__(
        self, points: Sequence[tuple[float, float]], x_label: str, y_label: str, bounds: tuple[float, float] | None
    ) -> None:
        self.empty = not points
        self._labels = x_label, y_label
        if self.empty:
            return
        self._xs = nice_ticks(min(x for x, _ in points), max(x for x, _ in points))
        y_lo, y_hi = bounds or (min(y for _, y in points), max(y for _, y in points))
        self._ys = nice_ticks(y_lo, y_hi, 4)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of a point."""
        x0, x1, y0, y1 = self._xs[0], self._xs[-1], self._ys[0], self._ys[-1]
        return (
            LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - TOP - BOTTOM),
        )

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """Points in pixels, as an attribute."""
        return " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(x, y) for x, y in points))

    def finished(self, drawn: Sequence[str]) -> str:
        """The chart with what was drawn in it."""
        x_label, y_label = self._labels
        head = (
            f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(y_label)} against {escape(x_label)}">'
        )
        if self.empty:
            middle = f'x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}"'
            return f'{head}<text {middle} class="axis" text-anchor="middle">no data</text></svg>'
        parts = [head]
        for y in self._ys:
            _, py = self.at(self._xs[0], y)
            parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{py:.1f}" y2="{py:.1f}" class="grid"/>')
            parts.append(f'<text x="{LEFT - 7}" y="{py + 4:.1f}" class="axis" text-anchor="end">{_label(y)}</text>')
        for x in self._xs:
            px, _ = self.at(x, self._ys[0])
            place = f'x="{px:.1f}" y="{HEIGHT - BOTTOM + 17}"'
            parts.append(f'<text {place} class="axis" text-anchor="middle">{_label(x)}</text>')
        parts.append(
            f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{HEIGHT - 5}" class="axis" text-anchor="middle">'
            f"{escape(x_label)}</text>"
        )
        return "".join([*parts, *drawn, "</svg>"])
