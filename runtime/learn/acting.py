"""From a network to actions: the noise they are drawn with, and what the environment is given.

Randomness is drawn in blocks, for all steps of a rollout at once, from the run's one generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from agentc.runtime.learn.architecture import ActionHead
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.vector import Array


class Actor(Protocol):
    """Who acts during a rollout."""

    @property
    def head(self) -> ActionHead:
        """What its actions are."""
        ...

    def noise(self, steps: int, num_envs: int, taken: int, randomness: np.random.Generator) -> Array:
        """Randomness ``(steps, num_envs, ...)`` for the next steps; ``taken`` were taken in the run before."""
        ...

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """One action per row, as it is recorded; ``noise`` is that of this step."""
        ...


def draw(head: ActionHead, shape: tuple[int, ...], randomness: np.random.Generator) -> NDArray[np.float32]:
    """The noise that a head's distribution samples with, for rows of shape ``shape``."""
    if head.discrete:
        return randomness.random(shape, np.float32)
    if head.kind == "multi":
        return randomness.random((*shape, head.size), np.float32)
    return randomness.standard_normal((*shape, head.size), np.float32)


def enacted(head: ActionHead, action: Array) -> Array:
    """What the environment is given for recorded actions ``(batch, ...)``: within the bounds of its space."""
    if head.discrete or head.kind == "multi":
        return action
    low, high, half = _bounds(head.low, head.high)
    if head.kind in ("squashed", "deterministic"):
        action = low + (action + 1.0) * half
    kept = np.minimum(np.maximum(action, low), high)
    return kept.astype(np.float32, copy=False).reshape(len(action), *head.shape)


@lru_cache(maxsize=64)
def _bounds(low: tuple[float, ...], high: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """The bounds of a space as arrays, and half of what is between them."""
    least, most = np.array(low, np.float32), np.array(high, np.float32)
    return least, most, 0.5 * (most - least)


def recorded(head: ActionHead, action: Array) -> Array:
    """The inverse of :func:`enacted`, for actions of the environment's space, as in recorded data."""
    if head.discrete or head.kind == "multi":
        return action
    flat = np.asarray(action, np.float32).reshape(len(action), head.size)
    if head.kind not in ("squashed", "deterministic"):
        return flat
    low, high = np.array(head.low, np.float32), np.array(head.high, np.float32)
    scaled: Array = np.clip(2.0 * (flat - low) / (high - low) - 1.0, -1.0, 1.0).astype(np.float32)
    return scaled


class StochasticActor:
    """Samples from the policy of a network."""

    def __init__(self, network: ActorCritic) -> None:
        self._network = network
        self.head = network.architecture.action

    def noise(self, steps: int, num_envs: int, taken: int, randomness: np.random.Generator) -> Array:
        """What the policy's distribution samples with."""
        return draw(self.head, (steps, num_envs), randomness)

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """Sampled actions."""
        network = self._network
        policy = network.policy(network.inputs(observation), None if mask is None else torch.from_numpy(mask))
        action: Array = policy.sample(torch.from_numpy(noise)).numpy()
        return action


class GreedyActor(StochasticActor):
    """Takes the likeliest or best action."""

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """The mode of the policy's distribution."""
        network = self._network
        policy = network.policy(network.inputs(observation), None if mask is None else torch.from_numpy(mask))
        action: Array = policy.mode().numpy()
        return action
