"""The gradient of robustness through the simulator: points of a search are moved downhill all at once.

Projected steps along the sign of the gradient, as attacks on networks make them (Madry et al., "Towards Deep Learning
Models Resistant to Adversarial Attacks", 2018). Robustness is piecewise smooth: where it has no gradient a point stays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from agentc.compiler.signals.gradients import value_and_gradient
from agentc.compiler.signals.robustness import Robustness
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.simulate import noise_bounds
from agentc.runtime.verify.search_space import Space
from agentc.runtime.verify.simulation import Floats, Simulation

STEPS = 12
LONGEST = 500
"""The longest run whose gradient is followed."""


class Descent:
    """Moves points of a search downhill; ``runs`` counts what was simulated."""

    def __init__(self, simulation: Simulation, space: Space, robust: Robustness) -> None:
        from agentc.runtime.simulate import TorchSimulator

        self._simulation, self._space, self._robust = simulation, space, robust
        self._torch = TorchSimulator(simulation.system)
        self._lo, self._hi = bounds(simulation.system.inputs)
        self._noise_lo, self._noise_hi = noise_bounds(simulation.system)
        self.runs = 0

    @staticmethod
    def of(simulation: Simulation, space: Space, robust: Robustness) -> Descent | None:
        """A descent, or None where there is no gradient to follow or torch is not installed."""
        system = simulation.system
        odd = bool(system.modes) or any(v.kind != "real" for v in system.variables)
        outside = simulation.controller.planned is not None
        if not 0 < simulation.steps <= LONGEST or not space.size or odd or outside:
            return None
        try:
            return Descent(simulation, space, robust)
        except ImportError:
            return None

    def improved(self, points: Floats) -> Floats:
        """The best points ``(batch, size)`` on the way down from each."""
        import torch

        best, least = points.copy(), np.full(len(points), np.inf)
        here = points.copy()
        for k in range(STEPS + 1):
            x = torch.tensor(here, dtype=torch.float64, requires_grad=True)
            signals = self._signals(x)
            values, weights = value_and_gradient(self._robust, {n: s.detach().numpy() for n, s in signals.items()})
            self.runs += len(here)
            now = np.nan_to_num(np.asarray(values, float), nan=np.inf)
            better = now < least
            best[better], least[better] = here[better], now[better]
            total = sum(
                (signals[n] * torch.as_tensor(np.nan_to_num(w))).nansum() for n, w in weights.items() if n in signals
            )
            if k == STEPS or not isinstance(total, torch.Tensor) or not total.requires_grad:
                break
            total.backward()  # type: ignore[no-untyped-call]
            slope = np.zeros_like(here) if x.grad is None else np.nan_to_num(x.grad.numpy())
            here = np.clip(here - 0.2 * 0.75**k * np.sign(slope), 0.0, 1.0)
        return best

    def _signals(self, points: Any) -> dict[str, Any]:
        """The signals ``(batch, steps + 1)`` of the runs of points."""
        import torch

        simulation, system = self._simulation, self._simulation.system
        start, noise = self._space.torch_runs(points)
        k = len(system.disturbances)
        lo, hi = torch.tensor(self._noise_lo), torch.tensor(self._noise_hi)
        disturbances = lo + noise[:, :, :k] * (hi - lo)
        begin = (start, torch.zeros(len(points), dtype=torch.int64))
        made = self._torch.run(begin, self._policy(noise[:, :, k:]), disturbances, simulation.steps)
        signals: dict[str, Any] = {v.name: made.states[:, :, i] for i, v in enumerate(system.states)}
        for i, v in enumerate(system.inputs):
            missing = torch.full((len(points), 1), torch.nan, dtype=torch.float64)
            signals[f"action.{v.name}"] = torch.cat([missing, made.inputs[:, :, i]], dim=1)
        return signals

    def _policy(self, free: Any) -> Any:
        import torch

        controller = self._simulation.controller
        lo, hi = torch.tensor(self._lo), torch.tensor(self._hi)
        if controller.reading is not None:
            layers = [
                (torch.tensor(layer.weight), torch.tensor(layer.bias), layer.activation)
                for layer in controller.reading.network.layers
            ]  # fmt: skip
            kinds: dict[str, Any] = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}

            def network(state: Any, _: int) -> Any:
                for weight, bias, kind in layers:
                    state = state @ weight.T + bias
                    state = state if kind == "identity" else kinds[kind](state)
                return torch.clamp(state, lo, hi)

            return network
        if controller.name:
            return controller.name
        if not self._simulation.free:
            return torch.zeros((*free.shape[:2], 0), dtype=torch.float64)
        return lo + free * (hi - lo)
