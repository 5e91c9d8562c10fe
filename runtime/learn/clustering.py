"""Clusters of rows: seeds far from each other, and Lloyd's algorithm from them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def distant_rows(rows: Floats, count: int, randomness: np.random.Generator) -> Floats:
    """``count`` of the rows ``(n, d)``, each drawn in proportion to its squared distance from those before it.

    Arthur and Vassilvitskii, "k-means++: The Advantages of Careful Seeding" (2007).
    """
    found = rows[randomness.integers(len(rows), size=1)]
    while len(found) < count:
        gaps = np.square(rows[:, None] - found[None]).sum(axis=2).min(axis=1) + 1e-12
        found = np.concatenate([found, rows[randomness.choice(len(rows), 1, p=gaps / gaps.sum())]])
    return found


def k_means(rows: Floats, clusters: int, randomness: np.random.Generator, rounds: int = 50) -> NDArray[np.int64]:
    """The cluster of every row ``(n, d)``, by at most ``rounds`` rounds of Lloyd's algorithm."""
    centres = distant_rows(rows, min(clusters, len(np.unique(rows, axis=0))), randomness)
    nearest = np.full(len(rows), -1, np.int64)
    for _ in range(rounds):
        now = np.square(rows[:, None] - centres[None]).sum(axis=2).argmin(axis=1)
        if np.array_equal(now, nearest):
            break
        nearest = now
        centres = np.array([rows[nearest == k].mean(0) if (nearest == k).any() else c for k, c in enumerate(centres)])
    return nearest
