"""Recorded data in every batch, beside what is collected: symmetric sampling.

Ball et al., "Efficient Online Reinforcement Learning with Offline Data" (2023), section 4.1: half of each batch is
drawn from the data and half from replay, from the first gradient step on.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agentc.runtime.learn.demonstrations.recorded import Recorded
from agentc.runtime.learn.objectives.base import named, part
from agentc.runtime.learn.slots import Replay, State, Stateful
from agentc.runtime.learn.transitions import Transitions, joined
from agentc.runtime.learn.vector import Array


class PriorReplay:
    """Another replay, with ``share`` of each batch drawn from recorded data."""

    def __init__(self, replay: Replay, prior: Recorded, share: float) -> None:
        self._replay, self._prior, self._share = replay, prior, share

    def __len__(self) -> int:
        return len(self._replay)

    def add(self, transitions: Transitions) -> None:
        """To the other replay."""
        self._replay.add(transitions)

    def sample(self, size: int, randomness: np.random.Generator) -> Transitions:
        """Both together; recorded rows carry no masks, so neither do these."""
        from_data = round(size * self._share)
        batches = [self._prior.batch(from_data, randomness)] if from_data else []
        if from_data < size:
            collected = self._replay.sample(size - from_data, randomness)
            batches.append(replace(collected, constraint=None, next_constraint=None) if batches else collected)
        return joined(batches)

    def state(self) -> dict[str, Array]:
        """The other replay's; the data is in its file."""
        return named("replay", self._replay.state()) if isinstance(self._replay, Stateful) else {}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        if isinstance(self._replay, Stateful):
            self._replay.restore(part(state, "replay"))
