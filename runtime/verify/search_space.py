"""What a search over runs of a declared system chooses: a point of the unit cube for each run."""

from __future__ import annotations

from typing import Any

import numpy as np

from agentc.compiler.systems.initial import initial_boxes
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.simulation import Floats, Simulation


class Space:
    """Points of the unit cube as starts and noise of runs: the start's sides, then the noise of all steps."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._boxes = initial_boxes(simulation.system)
        self._first = self._boxes[0]
        self.starts = int((self._first.hi > self._first.lo).sum())
        # noise is piecewise constant: at most so many pieces that the search stays small
        self._pieces = min(simulation.steps, max(1, 24 // max(simulation.width, 1))) if simulation.width else 0
        self.size = self.starts + self._pieces * simulation.width

    def random(self, rng: np.random.Generator, count: int, *, corners: bool) -> Floats:
        """Uniform points; among the first some corners of the starts."""
        points = rng.random((count, self.size))
        if corners:
            some = count // 2
            points[:some, : self.starts] = rng.integers(0, 2, (some, self.starts))
            width = self._simulation.width
            if width:  # each disturbance at one end all the time
                held = rng.integers(0, 2, (some, 1, width))
                points[:some, self.starts :] = np.tile(held, (1, self._pieces, 1)).reshape(some, -1)
        return points

    def runs(self, points: Floats) -> tuple[Floats, Floats]:
        """Starts ``(batch, n)`` and noise ``(batch, steps, k)``."""
        lo, hi = self._first.lo, self._first.hi
        wide = np.flatnonzero(hi > lo)
        start = np.tile(lo, (len(points), 1))
        span = np.where(np.isfinite(lo) & np.isfinite(hi), hi - lo, 0.0)
        low = np.where(np.isfinite(lo), lo, 0.0)
        start[:, wide] = np.clip(low[wide] + points[:, : self.starts] * span[wide], lo[wide], hi[wide])
        simulation = self._simulation
        noise = np.zeros((len(points), simulation.steps, simulation.width))
        if self._pieces:
            pieces = np.clip(points[:, self.starts :], 0, 1 - 1e-12).reshape(len(points), self._pieces, -1)
            noise = pieces[:, np.arange(simulation.steps) * self._pieces // max(simulation.steps, 1)]
        return start, noise

    def torch_runs(self, points: Any) -> tuple[Any, Any]:
        """The same of a tensor of points, with its gradient."""
        import torch

        lo, hi = torch.tensor(self._first.lo), torch.tensor(self._first.hi)
        wide = torch.tensor(np.flatnonzero(self._first.hi > self._first.lo))
        start = lo.expand(len(points), -1).clone()
        start[:, wide] = lo[wide] + points[:, : self.starts] * (hi - lo)[wide]
        simulation = self._simulation
        if not self._pieces:
            return start, torch.zeros((len(points), simulation.steps, simulation.width), dtype=torch.float64)
        pieces = points[:, self.starts :].reshape(len(points), self._pieces, -1)
        return start, pieces[:, np.arange(simulation.steps) * self._pieces // max(simulation.steps, 1)]

    def stays(self, point: Floats) -> bool:
        """Whether the run of a point keeps what the system promises."""
        start, noise = self.runs(point[None])
        try:
            self._simulation.rollouts(start, noise)
        except AgentcError:
            return False
        return True
