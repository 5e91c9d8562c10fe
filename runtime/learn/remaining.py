"""How long a run will still take: what is left of it, at the speed of its last half minute.

The mean speed since the beginning would promise too much: before the first gradient step, steps are cheap. So what
was measured before learning began is forgotten, and until the first line with learning nothing is promised.
"""

from __future__ import annotations

from collections import deque

RECENT = 30.0
"""Seconds that the speed is measured over, at least two lines of the log."""


class RemainingTime:
    """Told where the run is after every line; seconds are those of this process."""

    def __init__(self, total: int, limit: float = 0.0, first: int = 0) -> None:
        """``total`` steps are to be made, ``first`` of them were before; ``limit`` seconds end the run, 0 for none."""
        self._total, self._limit = total, limit
        self._points: deque[tuple[float, int]] = deque([(0.0, first)])

    def __call__(self, steps: int, seconds: float, learning: bool) -> float | None:
        """Seconds that are left after ``steps`` steps; None while nothing has been learned."""
        points = self._points
        if not learning:
            points.clear()
            points.append((seconds, steps))
            return None
        points.append((seconds, steps))
        while len(points) > 2 and seconds - points[1][0] >= RECENT:
            points.popleft()
        (began, at), left = points[0], max(0, self._total - steps)
        if steps <= at or seconds <= began:
            return 0.0 if left == 0 else None
        needed = left * (seconds - began) / (steps - at)
        return min(needed, max(0.0, self._limit - seconds)) if self._limit > 0.0 else needed
