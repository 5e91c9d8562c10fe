"""Differentiable simulation of declared systems in torch, on the expression graph that numpy and verification walk.

Steps are those of :class:`agentc.compiler.systems.simulate.Simulator`: the same methods, the same jumps at samples. A
gradient goes through the equations, the resets and the feedback laws; which mode a row is in is decided by its
values and has no gradient. Nothing is checked on the way: what has no value is not-a-number in the result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random import Generator

from agentc.compiler.agent import SystemIR
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.graph import Graph
from agentc.compiler.systems.integrators import runge_kutta
from agentc.compiler.systems.simulate import Simulator

Tensor = torch.Tensor
Policy = Callable[[Tensor, int], Tensor]
"""Inputs ``(batch, m)`` of states ``(batch, n)`` at a step."""

_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "neg": torch.neg, "abs": torch.abs, "sqrt": torch.sqrt, "sin": torch.sin, "cos": torch.cos, "tan": torch.tan,
    "exp": torch.exp, "log": torch.log,
}  # fmt: skip
_BINARY: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": torch.pow, "atan2": torch.atan2,
}  # fmt: skip
_FOLDS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "min": torch.minimum, "max": torch.maximum, "norm": torch.hypot, "and": torch.logical_and, "or": torch.logical_or,
}  # fmt: skip
_LOSING = frozenset(("sqrt", "tan", "exp", "log", "div", "pow"))
_COMPARISONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "==": torch.eq, "!=": torch.ne, "<": torch.lt, "<=": torch.le, ">": torch.gt, ">=": torch.ge,
}  # fmt: skip


class TorchArithmetic:
    """Numbers and truth values are tensors of one type on one device."""

    def __init__(self, dtype: torch.dtype, device: torch.device) -> None:
        self._dtype, self._device = dtype, device

    def const(self, value: float) -> Tensor:
        """A constant."""
        return torch.tensor(value, dtype=self._dtype, device=self._device)

    def truth(self, value: bool) -> Tensor:
        """A constant truth value."""
        return torch.tensor(value, device=self._device)

    def apply(self, op: str, args: Sequence[Tensor], value: float | str | None) -> Tensor:
        """An operator of the graph, element by element; what has no finite value is not-a-number."""
        if op == "compare":
            present = torch.isfinite(args[0]) & torch.isfinite(args[1])
            return _COMPARISONS[str(value)](args[0], args[1]) & present
        if op == "truth":
            return args[0] != 0
        if op == "not":
            return ~args[0]
        if op in _FOLDS:
            found = args[0].abs() if op == "norm" and len(args) == 1 else args[0]
            for arg in args[1:]:
                found = _FOLDS[op](found, arg)
            return found
        found = _UNARY[op](args[0]) if op in _UNARY else _BINARY[op](args[0], args[1])
        if op not in _LOSING:
            return found
        present = torch.isfinite(found)
        for arg in args:
            present = present & torch.isfinite(arg)
        return torch.where(present, found, torch.nan)


@dataclass(frozen=True)
class TorchTrajectories:
    """States ``(batch, steps + 1, n)``, modes ``(batch, steps + 1)`` and inputs ``(batch, steps, m)``."""

    states: Tensor
    modes: Tensor
    inputs: Tensor


class TorchSimulator:
    """Steps a system of equations in torch; raises as :class:`~agentc.compiler.systems.simulate.Simulator` does."""

    def __init__(
        self, system: SystemIR, *, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu"
    ) -> None:
        self.numpy = Simulator(system)
        """The same simulator in numpy, which draws the random parts."""
        self.system, self.dynamics = system, self.numpy.dynamics
        self._dtype, self._device = dtype, torch.device(device)
        self._arithmetic = TorchArithmetic(dtype, self._device)
        self._states = [v.name for v in system.states]
        self._held = [v.name for v in (*system.inputs, *system.disturbances)]
        self._lo, self._hi = (self._tensor(b) for b in bounds(system.inputs))
        self._exact = tuple(self._tensor(np.hstack(pair)) for pair in self.numpy.exact)

    def start(self, rng: Generator, batch: int) -> tuple[Tensor, Tensor]:
        """Initial states ``(batch, n)`` and modes ``(batch,)``: those that numpy draws."""
        state, mode = self.numpy.start(rng, batch)
        return self._tensor(state), torch.from_numpy(mode).to(self._device)

    def noise(self, rng: Generator, batch: int) -> Tensor:
        """Disturbances ``(batch, k)``: those that numpy draws."""
        return self._tensor(self.numpy.noise(rng, batch))

    def control(self, name: str, state: Tensor) -> Tensor:
        """The inputs ``(batch, m)`` of a controller at states, clipped to their ranges. Raises ``KeyError``."""
        columns = dict(zip(self._states, state.unbind(1), strict=True))
        found = self._values(self.dynamics.law(name), columns, len(state))
        return torch.clamp(found.T, self._lo, self._hi)

    def step(self, state: Tensor, mode: Tensor, input: Tensor, disturbance: Tensor) -> tuple[Tensor, Tensor]:
        """States and modes one step later."""
        held = dict(zip(self._held, torch.cat([input, disturbance], dim=1).unbind(1), strict=True))
        x = state.T
        after = self._advanced(0, x, held)
        for index in range(1, len(self.dynamics.rates)):
            after = torch.where(mode == index, self._advanced(index, x, held), after)
        if any(self.dynamics.jumps):
            after, mode = self._jumped(after, mode, held)
        return after.T, mode

    def run(
        self, start: tuple[Tensor, Tensor], policy: Policy | Tensor | str, disturbances: Tensor, steps: int
    ) -> TorchTrajectories:
        """Trajectories under a policy, inputs ``(batch, steps, m)`` or the controller of a name.

        ``disturbances`` are ``(batch, steps, k)``.
        """
        state, mode = start
        states, modes, inputs = [state], [mode], []
        for t in range(steps):
            if isinstance(policy, str):
                now = self.control(policy, state)
            else:
                now = policy[:, t] if isinstance(policy, Tensor) else policy(state, t)
            state, mode = self.step(state, mode, now, disturbances[:, t])
            states.append(state)
            modes.append(mode)
            inputs.append(now)
        return TorchTrajectories(torch.stack(states, 1), torch.stack(modes, 1), torch.stack(inputs, 1))

    # ------------------------------------------------------------ parts

    def _tensor(self, array: Any) -> Tensor:
        return torch.as_tensor(array, dtype=self._dtype, device=self._device)

    def _values(self, graph: Graph, columns: Mapping[str, Tensor], batch: int) -> Tensor:
        """The roots of a graph, ``(roots, batch)``, truth values as numbers."""
        found = graph.walk(self._arithmetic, columns)
        return torch.stack([value.to(self._dtype).expand(batch) for value in found])

    def _advanced(self, index: int, x: Tensor, held: Mapping[str, Tensor]) -> Tensor:
        batch = x.shape[1]
        if self._exact:
            one = torch.ones((1, batch), dtype=self._dtype, device=self._device)
            return self._exact[index] @ torch.cat([x, *(held[name][None] for name in self._held), one])
        graph = self.dynamics.rates[index]

        def rate(x: Tensor) -> Tensor:
            return self._values(graph, {**held, **dict(zip(self._states, x, strict=True))}, batch)

        if self.dynamics.discrete:
            return rate(x)
        return runge_kutta(self.system.integrator, rate, x, self.numpy.step_size)

    def _jumped(self, x: Tensor, mode: Tensor, held: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """After the first transition of each row's mode whose guard holds."""
        columns = {**held, **dict(zip(self._states, x, strict=True))}
        after, later = x, mode
        open_ = torch.ones_like(mode, dtype=torch.bool)
        for index, jumps in enumerate(self.dynamics.jumps):
            for jump in jumps:
                guard, *values = jump.graph.walk(self._arithmetic, columns)
                taken = open_ & (mode == index) & guard
                reset = torch.stack([value.to(self._dtype).expand(len(mode)) for value in values])
                after = torch.where(taken, reset, after)
                later = torch.where(taken, jump.target, later)
                open_ = open_ & ~taken
        return after, later
