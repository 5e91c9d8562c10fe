"""Failure replay and success replay: a share of every batch from episodes that went badly, or well.

After Tang et al., "DeepTravel" (2025), whose failures are learned from again and again, and GUI-Owl (Ye et al.,
2025), which keeps successes of hard tasks. An episode went well if its return is above the mean of the last 100
episodes that ended before it, badly otherwise.

Deviation: transitions are drawn, not whole episodes.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from agentc.runtime.learn.objectives.base import named, part
from agentc.runtime.learn.replay.uniform import UniformReplay
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions, joined
from agentc.runtime.learn.vector import Array


class OutcomeReplay:
    """A ring of everything, and one of the episodes of one outcome, which fills ``share`` of a batch.

    Rows come step by step, ``envs`` at a time, with ``ended`` set.
    """

    def __init__(self, capacity: int, envs: int, share: float, *, failures: bool) -> None:
        self._every, self._chosen = UniformReplay(capacity), UniformReplay(max(1, capacity // 4))
        self._envs, self._share, self._failures = envs, share, failures
        self._open: list[list[Transitions]] = [[] for _ in range(envs)]
        self._returns: deque[float] = deque(maxlen=100)

    def __len__(self) -> int:
        return len(self._every)

    def add(self, transitions: Transitions) -> None:
        """Take in a batch; episodes that end go to the second ring if theirs is the outcome."""
        self._every.add(transitions)
        assert transitions.ended is not None
        for row in range(len(transitions)):
            episode = self._open[row % self._envs]
            episode.append(transitions.take(np.array([row])))
            if transitions.ended[row]:
                whole = joined(episode)
                total = float(whole.rewards.sum(dtype=np.float64))
                well = total > (float(np.mean(self._returns)) if self._returns else 0.0)
                self._returns.append(total)
                if well != self._failures:
                    self._chosen.add(whole)
                self._open[row % self._envs] = []

    def sample(self, size: int, randomness: np.random.Generator) -> Transitions:
        """A share of the chosen episodes' transitions, the rest of all."""
        chosen = round(size * self._share) if len(self._chosen) else 0
        batches = [self._chosen.sample(chosen, randomness)] if chosen else []
        if chosen < size:
            batches.append(self._every.sample(size - chosen, randomness))
        return joined(batches)

    def state(self) -> dict[str, Array]:
        """Both rings, the episodes under way, the last returns."""
        state = named("every", self._every.state()) | named("chosen", self._chosen.state())
        for i, episode in enumerate(self._open):
            if episode:
                state |= named(f"open{i}", joined(episode).columns())
        return state | {"returns": np.array(self._returns)}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        self._every.restore(part(state, "every"))
        self._chosen.restore(part(state, "chosen"))
        self._returns = deque(state["returns"].tolist(), maxlen=100)
        self._open = []
        for i in range(self._envs):
            columns = part(state, f"open{i}")
            self._open.append([Transitions.of(columns)] if columns else [])
