"""Stages: the next one when the last episodes of this one went well enough, or after so many steps.

A list of tasks from easy to hard, as in ScalingInter-RL (Xi et al., "AgentGym-RL", 2025), whose cap on turns is a step
schedule, or with a threshold on the mean return of the last episodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from agentc.runtime.learn.slots import State
from agentc.runtime.learn.vector import Array


class Staged:
    """``tasks`` one after the other; ``threshold`` of the mean of ``window`` returns, or ``every`` steps, moves on."""

    def __init__(
        self, tasks: Sequence[Sequence[float]], threshold: float | None = None, window: int = 20, every: int = 0
    ) -> None:
        """Raises ``ValueError`` for no tasks, or neither a threshold nor a number of steps."""
        if not tasks or (threshold is None) == (every == 0):
            raise ValueError(f"{len(tasks)} stages with threshold {threshold} and every {every} steps")
        self._tasks = [np.asarray(t, np.float64) for t in tasks]
        self._threshold, self._every = threshold, every
        self._returns: deque[float] = deque(maxlen=window)
        self.stage = 0

    def propose(self, taken: int, randomness: np.random.Generator) -> Array:
        """The present stage's task."""
        if self._every:
            self.stage = min(taken // self._every, len(self._tasks) - 1)
        return self._tasks[self.stage]

    def learn(self, task: Array, outcome: float) -> None:
        """Count an episode, if it was of the present stage."""
        if self._threshold is None or not np.array_equal(task, self._tasks[self.stage]):
            return
        self._returns.append(outcome)
        full = len(self._returns) == self._returns.maxlen
        if full and float(np.mean(self._returns)) >= self._threshold and self.stage + 1 < len(self._tasks):
            self.stage += 1
            self._returns.clear()

    def state(self) -> dict[str, Array]:
        """The stage and its returns."""
        return {"stage": np.array([self.stage]), "returns": np.array(self._returns)}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        self.stage = int(state["stage"][0])
        self._returns = deque(state["returns"].tolist(), maxlen=self._returns.maxlen)
