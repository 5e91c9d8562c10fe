"""Bayesian search of the unit cube: a Gaussian process of the values, and the greatest expected improvement.

Jasper Snoek, Hugo Larochelle, Ryan Adams, "Practical Bayesian Optimization of Machine Learning Algorithms", NIPS 2012:
the Matérn 5/2 kernel (section 3.1), expected improvement (equation 2). Deviations: one length for all coordinates, that
of the greatest marginal likelihood among a few; expected improvement is sought among random points and steps around the
best; the points of a batch are chosen one after the other, each as if the mean had been seen at those before (the
"kriging believer" of Ginsbourger, Le Riche, Carraro, 2010). For runs that are dear: of cheap ones CMA-ES tries more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KEPT = 200
"""Values that the process knows: the least ones, and of the others the latest."""
CANDIDATES, BATCH = 600, 4
LENGTHS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Of the kernel, in units of the cube's diagonal over two."""
NOISE = 1e-6


class Bayesian:
    """Proposes points by what is expected of them."""

    def __init__(self, size: int, batch: int = BATCH) -> None:
        self._size, self._batch = size, batch
        self._points, self._values = np.zeros((0, size)), np.zeros(0)

    def ask(self, rng: np.random.Generator, best: Floats | None) -> Floats:
        """Points ``(batch, size)``; before anything is known, random ones."""
        if len(self._values) < 4:
            return rng.random((self._batch, self._size))
        process = Process.fitted(self._points, self._values)
        least = self._points[int(self._values.argmin())] if best is None else best
        chosen: list[Floats] = []
        for _ in range(self._batch):
            candidates = self._candidates(rng, least)
            mean, spread = process.at(candidates)
            point = candidates[int(improvement(process.least - mean, spread).argmax())]
            chosen.append(point)
            process = process.believing(point)
        return np.stack(chosen)

    def _candidates(self, rng: np.random.Generator, best: Floats) -> Floats:
        """Random points, and steps from the best: of all coordinates, and of some."""
        third = CANDIDATES // 3
        far = rng.random((third, self._size))
        scale = 10.0 ** rng.uniform(-3, -0.5, (2 * third, 1))
        steps = rng.normal(0, 1, (2 * third, self._size)) * scale
        steps[third:] *= rng.random((third, self._size)) < max(0.2, 1.5 / self._size)
        return np.concatenate([far, np.clip(best + steps, 0, 1)])

    def tell(self, points: Floats, values: Floats) -> None:
        """The values ``(batch,)`` of points."""
        points, values = np.concatenate([self._points, points]), np.concatenate([self._values, values])
        if len(values) > KEPT:
            least = np.argsort(values, kind="stable")[: KEPT // 2]
            others = np.setdiff1d(np.arange(len(values)), least)[-(KEPT - len(least)) :]
            keep = np.sort(np.concatenate([least, others]))
            points, values = points[keep], values[keep]
        self._points, self._values = points, values


class Process:
    """A Gaussian process with one length, of values that are scaled to mean 0 and deviation 1."""

    def __init__(self, points: Floats, values: Floats, length: float) -> None:
        self._points, self._values, self._length = points, values, length
        self.least = float(values.min())
        kernel = matern(points, points, length) + NOISE * np.eye(len(points))
        self._factor = np.linalg.cholesky(kernel)
        self._weights = np.linalg.solve(self._factor.T, np.linalg.solve(self._factor, values))

    @classmethod
    def fitted(cls, points: Floats, values: Floats) -> Process:
        """With the likeliest length; values beyond three deviations are drawn in, ranks being what matters."""
        middle, spread = float(np.median(values)), float(values.std())
        scaled = np.clip((values - middle) / max(spread, 1e-12), -np.inf, 3.0)
        unit = np.sqrt(points.shape[1]) / 2
        return max((cls(points, scaled, length * unit) for length in LENGTHS), key=lambda p: p.likelihood)

    @property
    def likelihood(self) -> float:
        """The logarithm of the marginal likelihood, but for a constant."""
        return float(-0.5 * self._values @ self._weights - np.log(np.diag(self._factor)).sum())

    def at(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean and deviation at points."""
        kernel = matern(points, self._points, self._length)
        lost = np.linalg.solve(self._factor, kernel.T)
        return kernel @ self._weights, np.sqrt(np.maximum(1 + NOISE - (lost**2).sum(axis=0), 1e-12))

    def believing(self, point: Floats) -> Process:
        """As if the mean at a point had been seen there."""
        mean, _ = self.at(point[None])
        process = Process(np.concatenate([self._points, point[None]]), np.append(self._values, mean), self._length)
        process.least = self.least
        return process


def matern(a: Floats, b: Floats, length: float) -> Floats:
    """The Matérn kernel of smoothness 5/2, ``(a, b)``."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    r = np.sqrt(5 * np.maximum(squares, 0)) / length
    found: Floats = (1 + r + r * r / 3) * np.exp(-r)
    return found


def improvement(gain: Floats, spread: Floats) -> Floats:
    """The expected improvement where the mean is ``gain`` below the least value and the deviation is ``spread``."""
    from scipy.special import ndtr  # type: ignore[import-untyped]

    z = gain / spread
    found: Floats = gain * ndtr(z) + spread * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return found
