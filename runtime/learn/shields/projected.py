"""Acting and learning with numbers that are projected onto boxes: what is done has the density of what is done.

The policy that acts is the Gaussian moved into the box of each state
(:class:`~agentc.runtime.learn.shields.box.ProjectedGaussian`); the boxes are functions of the observation and of the
steps taken when a rollout began, so that they are computed again, and not stored, where the rollout is learned of.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.distributions import DiagonalGaussian, Distribution
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.shields.box import Box, ProjectedGaussian
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array

Boxes = tuple[Tensor, Tensor]
"""Lowest and highest actions ``(batch, d)``, float32."""


class ProjectedActor(StochasticActor):
    """Samples from the policy in the boxes of what is seen."""

    def __init__(self, network: ActorCritic, box: Box) -> None:
        super().__init__(network)
        self._box, self._taken = box, 0

    def noise(self, steps: int, num_envs: int, taken: int, randomness: np.random.Generator) -> Array:
        """What the policy's distribution samples with; the boxes are those after ``taken`` steps."""
        self._taken = taken
        return super().noise(steps, num_envs, taken, randomness)

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """Sampled actions, inside the boxes."""
        network = self._network
        policy = in_box(network.policy(network.inputs(observation)), bounds_of(self._box, observation, self._taken))
        action: Array = policy.sample(torch.from_numpy(noise)).numpy()
        return action


def bounds_of(box: Box, observation: Mapping[str, Array], taken: int) -> Boxes:
    """The boxes of a batch of observations."""
    low, high = (np.ascontiguousarray(bound, np.float32) for bound in box.bounds(observation, taken))
    return torch.from_numpy(low.reshape(len(low), -1)), torch.from_numpy(high.reshape(len(high), -1))


def boxes_of(box: Box | None, trajectory: Trajectory, taken: int) -> Boxes | None:
    """The boxes ``(T * N, d)`` of a trajectory that began after ``taken`` steps; None without a box."""
    if box is None:
        return None
    return bounds_of(box, {k: a.reshape(-1, *a.shape[2:]) for k, a in trajectory.observations.items()}, taken)


def in_box(policy: Distribution, boxes: Boxes | None) -> Distribution:
    """A Gaussian moved into boxes; any other policy, and without boxes, as it is."""
    if boxes is None or not isinstance(policy, DiagonalGaussian):
        return policy
    return ProjectedGaussian(policy.mean, policy.log_std.expand(policy.mean.shape), *boxes)
