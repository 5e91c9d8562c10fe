"""Policies of continuous actions inside a box that the state allows, with the densities of what is really done.

Two ways to keep an action in the box ``[low, high]``, which may be another in every state. *Squeezed*: the policy's
range is mapped onto the box (:class:`BoxedGaussian`); every action of the box has a density, that of ``tanh`` of a
normal over the half-width. *Projected*: what the policy wants is moved to the nearest point of the box
(:class:`ProjectedGaussian`); the bounds then have probabilities of their own, the mass beyond them, and gradients
through them have less variance than with the density of the wanted action (Fujita and Maeda, "Clipped Action Policy
Gradient", 2018, section 4).

:class:`BoxSchedule` makes the box of a suboptimal controller: Lin et al., "CAMEL: Continuous Action Masking Enabled by
Large Language Models" (2025): around its action, as wide as ``epsilon`` says, which grows to the whole range, so that
the learned policy needs no box in the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.distributions import SquashedGaussian
from agentc.runtime.learn.vector import Array, Controlled, VectorEnv

Controller = Callable[[Mapping[str, Array]], Array]
"""A feedback law: from observations to actions ``(batch, d)``."""


@dataclass(frozen=True, slots=True)
class BoxedGaussian:
    """``tanh`` of independent normals, mapped onto boxes; all ``(batch, d)``."""

    mean: Tensor
    log_std: Tensor
    low: Tensor
    high: Tensor

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-density of actions in the box, ``(batch,)``."""
        half = 0.5 * (self.high - self.low)
        inner = (actions - self.low) / half - 1.0
        return SquashedGaussian(self.mean, self.log_std).log_prob(inner) - torch.log(half).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        """From standard normal noise ``(batch, d)``."""
        return self._placed(SquashedGaussian(self.mean, self.log_std).sample(noise))

    def mode(self) -> Tensor:
        """The squashed mean in the box."""
        return self._placed(torch.tanh(self.mean))

    def _placed(self, inner: Tensor) -> Tensor:
        return self.low + (inner + 1.0) * (0.5 * (self.high - self.low))


@dataclass(frozen=True, slots=True)
class ProjectedGaussian:
    """Independent normals, each moved to the nearest point of its interval; all ``(batch, d)``."""

    mean: Tensor
    log_std: Tensor
    low: Tensor
    high: Tensor

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-density inside, log-probability at a bound: the mass beyond it. ``(batch,)``."""
        scale = torch.exp(-self.log_std)
        scaled = (actions - self.mean) * scale
        inside = -0.5 * scaled.square() - self.log_std - 0.5 * math.log(2 * math.pi)
        below = torch.special.log_ndtr((self.low - self.mean) * scale)
        above = torch.special.log_ndtr((self.mean - self.high) * scale)
        return torch.where(actions <= self.low, below, torch.where(actions >= self.high, above, inside)).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        """From standard normal noise ``(batch, d)``."""
        wanted = self.mean + torch.exp(self.log_std) * noise
        return torch.minimum(torch.maximum(wanted, self.low), self.high)

    def mode(self) -> Tensor:
        """The mean, moved into the box."""
        return torch.minimum(torch.maximum(self.mean, self.low), self.high)


class BoxSchedule:
    """The box around a controller's action, growing from ``start`` of the whole range to all of it over ``steps``."""

    def __init__(
        self,
        controller: Controller,
        low: Array,
        high: Array,
        start: float = 0.2,
        steps: int = 10_000,
    ) -> None:
        self._controller = controller
        self._low, self._high = np.asarray(low, np.float32), np.asarray(high, np.float32)
        self._start, self._steps = start, steps

    def epsilon(self, taken: int) -> float:
        """The share of the range after ``taken`` steps."""
        return min(1.0, self._start + (1.0 - self._start) * taken / self._steps)

    def bounds(self, observation: Mapping[str, Array], taken: int) -> tuple[Array, Array]:
        """The boxes ``(batch, d)``: within the range, as wide as there is room around the controller's action."""
        centre = np.asarray(self._controller(observation), np.float32)
        share = self.epsilon(taken)
        if share >= 1.0:
            return np.broadcast_to(self._low, centre.shape), np.broadcast_to(self._high, centre.shape)
        half = 0.5 * share * (self._high - self._low)
        return np.maximum(centre - half, self._low), np.minimum(centre + half, self._high)


def controller_of(env: VectorEnv, name: str) -> Controller:
    """The feedback law of that name. Raises AS1508 where the environment has none."""
    controller = env.controller(name) if isinstance(env, Controlled) else None
    if controller is None:
        why = f"{type(env).__name__} has no such controller"
        raise AgentcError([report("AS1508", None, setting=f"box = {name}", agent="it", reason=why)])
    return controller
