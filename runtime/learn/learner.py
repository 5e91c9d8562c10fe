"""What the training loop drives: one composition of slot values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from agentc.runtime.learn.acting import Actor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.slots import Reset, State
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a run is: environment steps taken (this trajectory's included), all of them, and the update's number."""

    steps: int
    total: int
    updates: int


@runtime_checkable
class Preparing(Protocol):
    """A learner that does something once, before the first step of a run: learn from demonstrations, say."""

    def prepare(self, randomness: np.random.Generator) -> None:
        """What comes before the first step; a resumed run has its outcome in its weights."""
        ...


@runtime_checkable
class Beginning(Protocol):
    """A learner that makes its own runs and asks where they are to begin."""

    def begins(self, reset: Reset | None) -> None:
        """What chooses the states."""
        ...


class Learner(Protocol):
    """A composition: it acts, and learns from what came of it.

    ``network`` is the policy that is saved and deployed, ``architecture`` that network as data. ``cycle`` are the
    steps of each environment between two calls of :meth:`learn`; 0 for one that learns from recorded data alone.
    """

    @property
    def architecture(self) -> Architecture:
        """The deployed network as data."""
        ...

    @property
    def network(self) -> ActorCritic:
        """The deployed network; its weights are ``network/...`` in :meth:`state`."""
        ...

    @property
    def actor(self) -> Actor:
        """Who acts while experience is collected."""
        ...

    @property
    def cycle(self) -> int:
        """Steps of each environment between two updates."""
        ...

    def learn(self, trajectory: Trajectory | None, randomness: np.random.Generator, at: Moment) -> Mapping[str, float]:
        """Take in experience (None where there is none) and improve; figures for the log, none if nothing was learned.

        The arrays of ``trajectory`` are overwritten by the next one: what is kept is copied.
        """
        ...

    def state(self) -> dict[str, Array]:
        """Weights, optimisers, targets, replay: everything that later behaviour depends on."""
        ...

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        ...
