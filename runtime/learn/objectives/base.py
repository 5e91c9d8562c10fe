"""What off-policy and offline objectives share: a step on a batch, and the networks that it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch

from agentc.runtime.learn.acting import Actor
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class BatchObjective(Protocol):
    """M4 objective of a learner that replays: networks, loss, optimiser, and how it explores."""

    @property
    def network(self) -> ActorCritic:
        """The deployed policy."""
        ...

    @property
    def actor(self) -> Actor:
        """How it explores."""
        ...

    def step(
        self, batch: Transitions, learning_rate: float, randomness: np.random.Generator, at: tuple[int, int]
    ) -> Mapping[str, float]:
        """One gradient step; figures for the log. Raises AS0942 before a bad number reaches the weights."""
        ...

    def state(self) -> dict[str, Array]:
        """All that it changes, the deployed weights as ``network/...``."""
        ...

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        ...


def part(state: State, name: str) -> dict[str, Array]:
    """The arrays whose names begin with ``name/``, without that."""
    return {key[len(name) + 1 :]: array for key, array in state.items() if key.startswith(f"{name}/")}


def named(name: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays under ``name/``."""
    return {f"{name}/{key}": array for key, array in arrays.items()}


def tensor(array: Array | None) -> torch.Tensor | None:
    """As a tensor that shares memory; None stays None."""
    return None if array is None else torch.from_numpy(array)


def column(array: Array) -> torch.Tensor:
    """As a tensor that shares memory."""
    return torch.from_numpy(array)
