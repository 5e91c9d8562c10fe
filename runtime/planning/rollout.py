"""Differentiable trajectories of a declared system, many at once, through its simulator in torch.

Linear systems need no loop over time: their states are one product of the inputs with a matrix of impulse responses.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from agentc.runtime.planning.halfspaces import NotLinearError
from agentc.runtime.planning.linear import linear_steps
from agentc.runtime.planning.problem import Problem
from agentc.runtime.simulate import TorchSimulator


class Rollout:
    """Trajectories of a problem's system from its start under inputs ``(batch, last, m)``."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.simulator = TorchSimulator(problem.system)
        lo, hi = problem.input_range
        self.lo, self.hi = torch.tensor(lo), torch.tensor(hi)
        self.bounded = torch.isfinite(self.lo) & torch.isfinite(self.hi)
        self.middle = torch.where(self.bounded, (self.lo + self.hi) / 2, torch.zeros_like(self.lo))
        self.half = torch.where(self.bounded, (self.hi - self.lo) / 2, torch.ones_like(self.lo))
        s_lo, s_hi = problem.state_range
        self.s_lo, self.s_hi = torch.tensor(s_lo), torch.tensor(s_hi)
        self.limited = torch.isfinite(self.s_lo) | torch.isfinite(self.s_hi)
        self.start = torch.tensor(problem.start)
        self.step = problem.simulator.step_size
        self.linear = self._impulse_responses()

    def _impulse_responses(self) -> tuple[torch.Tensor, torch.Tensor] | None:
        """``(T, n)`` free motion and ``(T, T, n, m)`` responses, for a linear system."""
        try:
            steps = linear_steps(self.problem.system, self.problem.disturbance, self.step)
        except NotLinearError:
            return None
        last, (n, m) = self.problem.last, steps.input.shape
        free = np.empty((last + 1, n))
        free[0] = self.problem.start
        for t in range(last):
            free[t + 1] = steps.state @ free[t] + steps.constant
        response = np.zeros((last + 1, last, n, m))
        power = steps.input
        for delay in range(1, last + 1):
            for t in range(delay, last + 1):
                response[t, t - delay] = power
            power = steps.state @ power
        matrix = response.transpose(1, 3, 0, 2).reshape(last * m, (last + 1) * n)
        return torch.tensor(free), torch.tensor(matrix)

    # ---------------------------------------------------------------- inputs

    def random_inputs(self, batch: int, generator: torch.Generator) -> torch.Tensor:
        """Unbounded parameters ``(batch, last, m)``: smooth in time, of all sizes."""
        last, m = self.problem.last, len(self.lo)
        knots = max(2, last // 6)
        coarse = torch.randn(batch, m, knots, generator=generator, dtype=torch.float64)
        smooth = torch.nn.functional.interpolate(coarse, size=last, mode="linear", align_corners=True)
        size = torch.rand(batch, 1, 1, generator=generator, dtype=torch.float64)
        return (smooth * size).transpose(1, 2).contiguous()

    def squash(self, raw: torch.Tensor) -> torch.Tensor:
        """Parameters as inputs within their ranges."""
        bounded = self.middle + self.half * torch.tanh(raw)
        return torch.clamp(torch.where(self.bounded, bounded, raw), self.lo, self.hi)

    # ---------------------------------------------------------------- trajectories

    def traces(self, inputs: torch.Tensor) -> torch.Tensor:
        """States, and the inputs that led to them, ``(batch, last + 1, n + m)``; no input at step 0."""
        states = self._linear(inputs) if self.linear is not None else self._stepped(inputs)
        missing = torch.full_like(inputs[:, :1], torch.nan)
        return torch.cat([states, torch.cat([missing, inputs], dim=1)], dim=2)

    def _linear(self, inputs: torch.Tensor) -> torch.Tensor:
        assert self.linear is not None
        free, matrix = self.linear
        moved = inputs.reshape(len(inputs), -1) @ matrix
        return free[None] + moved.reshape(len(inputs), *free.shape)

    def _stepped(self, inputs: torch.Tensor) -> torch.Tensor:
        batch, last = inputs.shape[:2]
        start = self.start.expand(batch, -1), torch.zeros(batch, dtype=torch.int64)
        noise = torch.tensor(self.problem.disturbance).expand(batch, last, -1)
        return self.simulator.run(start, inputs, noise, last).states

    def leaving(self, traces: torch.Tensor, margin: float) -> torch.Tensor:
        """How far each trajectory leaves the declared ranges of the states, ``(batch,)``."""
        n = len(self.s_lo)
        states = traces[:, 1:, :n][:, :, self.limited]
        lo, hi = self.s_lo[self.limited], self.s_hi[self.limited]
        small = torch.clamp((hi - lo) * 0.01, max=margin)
        short = torch.relu(lo + small - states) + torch.relu(states - (hi - small))
        return (short + 0.5 * short.square()).sum(dim=(1, 2))

    def within(self, traces: torch.Tensor) -> NDArray[np.bool_]:
        """Whether each trajectory stays within the declared ranges."""
        n = len(self.s_lo)
        states = traces[:, :, :n]
        inside: NDArray[np.bool_] = ((states >= self.s_lo) & (states <= self.s_hi)).all(dim=(1, 2)).numpy()
        return inside
