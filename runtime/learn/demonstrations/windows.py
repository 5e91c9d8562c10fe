"""Recorded episodes as windows of returns to go, observations and actions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.context.returns import encoded, flattened
from agentc.runtime.learn.demonstrations.recorded import Recorded, actions_of, mismatch, read_columns
from agentc.runtime.learn.demonstrations.weighting import Episodes
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class RecordedWindows:
    """Windows that end in a drawn step.

    Of a batch, ``observations[""]`` are the windows ``(B, steps, numbers)``, ``actions`` ``(B, steps, ...)`` what was
    done in each step and ``weights`` ``(B, steps)`` 1 where the step is one of the episode.
    """

    def __init__(
        self,
        seen: NDArray[np.float32],
        actions: Array,
        rewards: NDArray[np.float32],
        ended: NDArray[np.bool_],
        architecture: Architecture,
        weighting: str = "uniform",
        alpha: float = 0.1,
    ) -> None:
        """``seen`` ``(T, numbers)``, the others ``(T, ...)``, are steps in order, episodes one after the other."""
        episodes = Episodes.of(rewards, ended)
        self.best = float(episodes.returns.max())
        """The best return of an episode."""
        self.scale = max(float(np.abs(episodes.returns).max()), 1e-6)
        """What returns are divided by: the largest in size of an episode."""
        self._steps = architecture.parts[0].shape[0]
        self._actions = actions
        self._begin = np.repeat(episodes.begin, episodes.length)
        self.returns = to_go(rewards, episodes)
        left = (self.returns / self.scale).astype(np.float32)[:, None]
        one = np.ones_like(left)
        self._rows = np.concatenate([left, seen, encoded(architecture.action, actions), one], axis=1)
        flat = Transitions({"": seen}, actions, rewards, one[:, 0], {"": seen})
        self._drawn = Recorded(flat, episodes, weighting, alpha)

    @staticmethod
    def load(path: Path, architecture: Architecture, weighting: str = "uniform", alpha: float = 0.1) -> RecordedWindows:
        """Read a file. Raises AS1532 to AS1534."""
        columns = read_columns(path)
        group = "observations/"
        observation = {k[len(group) :]: a for k, a in columns.items() if k.startswith(group)}
        room = architecture.parts[0].shape[1] - architecture.action.size - 2
        held = sum(int(np.prod(a.shape[1:])) for a in observation.values())
        if held != room or any(a.dtype.kind != "f" for a in observation.values()):
            raise mismatch(path, "the observation", f"{held} numbers", f"{room} numbers in vectors")
        actions = actions_of(path, columns["actions"], architecture)
        ended = columns["terminated"].astype(np.bool_) | columns["truncated"].astype(np.bool_)
        seen, rewards = flattened(observation, batch=True), columns["rewards"].astype(np.float32)
        return RecordedWindows(seen, actions, rewards, ended, architecture, weighting, alpha)

    def batch(self, size: int, randomness: np.random.Generator) -> Transitions:
        """Draw steps with replacement, each with what came before it."""
        return self.ending_in(self._drawn.rows(size, randomness))

    def ending_in(self, rows: NDArray[np.int64]) -> Transitions:
        """The windows that end in these steps."""
        index = rows[:, None] + np.arange(1 - self._steps, 1)
        there = index >= self._begin[rows][:, None]
        at = np.maximum(index, 0)
        windows = {"": self._rows[at] * there[..., None]}
        weights = there.astype(np.float32)
        return Transitions(windows, self._actions[at], weights[:, -1], weights[:, -1], windows, weights=weights)


def to_go(rewards: NDArray[np.float32], episodes: Episodes) -> NDArray[np.float64]:
    """What each step and those behind it were paid, to the end of the episode, undiscounted."""
    found = np.empty(len(rewards))
    for begin, length in zip(episodes.begin.tolist(), episodes.length.tolist(), strict=True):
        rows = slice(begin, begin + length)
        found[rows] = np.cumsum(rewards[rows][::-1].astype(np.float64))[::-1]
    return found
