"""What every benchmark prints, and how it measures: interleaved rounds, medians, ratios."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One case. ``ratio`` is ours / peer; ``holds`` is None where the target was not measured.

    ``ours`` and ``peer`` are medians in ``unit``; ``peer`` is None where the peer is missing, and
    ``note`` says why.
    """

    case: str
    ours: float | None
    peer: float | None
    peer_name: str
    ratio: float | None
    unit: str
    target: str
    holds: bool | None
    note: str = ""

    def data(self) -> dict[str, Any]:
        """The row as plain data."""
        return asdict(self)


def interleaved(measures: Sequence[Callable[[], float]], rounds: int, warm: int = 1) -> list[list[float]]:
    """Measure several things in turn, A B A B ..., after ``warm`` rounds that are not counted.

    Each callable returns its own figure (seconds, say). Returns a list of figures per callable.
    """
    figures: list[list[float]] = [[] for _ in measures]
    for turn in range(warm + rounds):
        for measure, found in zip(measures, figures, strict=True):
            figure = measure()
            if turn >= warm:
                found.append(figure)
    return figures


def compared(
    case: str,
    ours: Sequence[float],
    peer: Sequence[float] | None,
    *,
    peer_name: str,
    unit: str,
    target: str = "",
    holds: Callable[[float], bool] | None = None,
    note: str = "",
) -> Row:
    """The row of two interleaved series; ``holds`` judges the median of the pairwise ratios."""
    mine = statistics.median(ours)
    if peer is None:
        return Row(case, mine, None, peer_name, None, unit, target, None, note)
    ratio = statistics.median(a / b for a, b in zip(ours, peer, strict=True))
    judged = None if holds is None else holds(ratio)
    return Row(case, mine, statistics.median(peer), peer_name, ratio, unit, target, judged, note)


def table(rows: Sequence[Row]) -> str:
    """The rows as text for people."""
    lines = [("case", "ours", "peer", "ours/peer", "unit", "target", "holds")]
    for row in rows:
        peer = "-" if row.peer is None else f"{row.peer:.4g} ({row.peer_name})"
        lines.append(
            (
                row.case,
                "-" if row.ours is None else f"{row.ours:.4g}",
                peer,
                "-" if row.ratio is None else f"{row.ratio:.3g}",
                row.unit,
                row.target or "-",
                {True: "yes", False: "NO", None: "-"}[row.holds],
            )
        )
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    text += [f"note: {row.case}: {row.note}" for row in rows if row.note]
    return "\n".join(text)
