"""Policies of continuous actions inside a box that the state allows, with the densities of what is really done.

Two ways to keep an action in the box ``[low, high]``, which may be another in every state. *Squeezed*: the policy's
range is mapped onto the box (:class:`BoxedGaussian`); every action of the box has a density, that of ``tanh`` of a
normal over the half-width. *Projected*: what the policy wants is moved to the nearest point of the box
(:class:`ProjectedGaussian`); the bounds then have probabilities of their own, the mass beyond them, and gradients
through them have less variance than with the density of the wanted action (Fujita and Maeda, "Clipped Action Policy
Gradient", 2018, section 4). ``train sac`` acts by the former: its gradients go through the action, and would end at a
bound. ``train ppo`` acts by the latter: its mode, under a shield that projects, is what the
shield makes of it.

:class:`BoxSchedule` makes the box of a suboptimal controller: Lin et al., "CAMEL: Continuous Action Masking Enabled by
Large Language Models" (2025): around its action, as wide as ``epsilon`` says, which grows to the whole range, so that
the learned policy needs no box in the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.acting import recorded
from agentc.runtime.learn.architecture import ActionHead
from agentc.runtime.learn.distributions import DiagonalGaussian, SquashedGaussian
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

    def rsample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions from standard normal ``noise`` ``(batch, d)``, with their log-densities ``(batch,)``."""
        inner, log_prob = SquashedGaussian(self.mean, self.log_std).rsample(noise)
        return self._placed(inner), log_prob - self.log_volume

    @property
    def log_volume(self) -> Tensor:
        """The logarithm of what the boxes are of ``[-1, 1]``, ``(batch,)``."""
        return torch.log(0.5 * (self.high - self.low)).sum(-1)

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

    def entropy(self) -> Tensor:
        """That of the normals before they are moved, ``(batch,)``: the mass at the bounds has no differential one."""
        return (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).expand(self.mean.shape).sum(-1)

    def kl(self, other: ProjectedGaussian) -> Tensor:
        """The divergence from ``other`` of the normals before they are moved, ``(batch,)``: no less than after it."""
        return DiagonalGaussian(self.mean, self.log_std).kl(DiagonalGaussian(other.mean, other.log_std))


class Box(Protocol):
    """M11, continuous: the actions that may be taken, as a box that depends on what is seen and on the time."""

    def bounds(self, observation: Mapping[str, Array], taken: int) -> tuple[Array, Array]:
        """The boxes ``(batch, d)``, lowest and highest, in the units of the space, after ``taken`` steps of the run."""
        ...


@runtime_checkable
class Confined(Protocol):
    """An environment whose shield says a box of safe actions for what is seen; it takes no other ones."""

    @property
    def action_box(self) -> Box | None:
        """The box."""
        ...


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


def boxed(box: Box, head: ActionHead, actions: Tensor, observation: Mapping[str, Array], taken: int) -> Tensor:
    """Actions ``(batch, d)`` in [-1, 1] mapped onto the boxes after ``taken`` steps, in the same scale."""
    if isinstance(box, BoxSchedule) and box.epsilon(taken) >= 1.0:
        return actions  # exactly
    low, high = inner_bounds(box, head, observation, taken)
    return low + (actions + 1.0) * (0.5 * (high - low))


def inner_bounds(box: Box, head: ActionHead, observation: Mapping[str, Array], taken: int) -> tuple[Tensor, Tensor]:
    """The boxes ``(batch, d)`` in the scale of a squashed policy, in which the space's bounds are -1 and 1."""
    low, high = (torch.from_numpy(recorded(head, bound)) for bound in box.bounds(observation, taken))
    return low, high


def box_of(env: VectorEnv, name: str, width: float, steps: int) -> Box | None:
    """The box that actions are kept in: around the controller of that name, or the one that the environment has.

    None where there is neither. Raises AS1508 where the environment has no such controller.
    """
    if name:
        space = env.action_space
        assert isinstance(space, spaces.Box)
        low, high = (np.ravel(b) for b in (space.low, space.high))
        return BoxSchedule(controller_of(env, name), low, high, width, max(1, steps))
    return env.action_box if isinstance(env, Confined) else None


def controller_of(env: VectorEnv, name: str) -> Controller:
    """The feedback law of that name. Raises AS1508 where the environment has none."""
    controller = env.controller(name) if isinstance(env, Controlled) else None
    if controller is None:
        why = f"{type(env).__name__} has no such controller"
        raise AgentcError([report("AS1508", None, setting=f"box = {name}", agent="it", reason=why)])
    return controller
