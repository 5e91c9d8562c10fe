"""Where episodes begin (M7) and on which task (M8): both go to the environment as ``options`` of its reset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.episodes import generator_state, packed, restore_generator, unpacked
from agentc.runtime.learn.slots import Reset, State, Stateful, Teacher
from agentc.runtime.learn.vector import Array


class Starts:
    """Asks a teacher for tasks and a reset for states, and tells the teacher how its episodes ended."""

    def __init__(self, teacher: Teacher | None = None, reset: Reset | None = None, seed: int = 0) -> None:
        self._teacher, self._reset = teacher, reset
        self._randomness = np.random.default_rng([seed, 7])
        self._now: dict[int, list[float]] = {}
        self._before: dict[int, list[float]] = {}
        self.taken = 0
        """Environment steps of the run so far; the loop counts them."""

    def options(self, env: int) -> dict[str, Any] | None:
        """For the next episode of an environment; None if there is nothing to say."""
        made: dict[str, Any] = {}
        if self._teacher is not None:
            task = [float(x) for x in self._teacher.propose(self.taken, self._randomness)]
            if env in self._now:
                self._before[env] = self._now[env]
            self._now[env] = task
            made["task"] = task
        if self._reset is not None:
            state = self._reset.choose(self.taken, self._randomness)
            if state is not None:
                made["snapshot"] = dict(state)
        return made or None

    def ended(self, ended: NDArray[np.bool_], info: Mapping[str, Array]) -> None:
        """Episodes have ended on this step, and their environments have begun the next."""
        if self._teacher is None:
            return
        for env in np.flatnonzero(ended).tolist():
            task = self._before.get(env)
            if task is not None and "return" in info:
                self._teacher.learn(np.array(task), float(info["return"][env]))

    def state(self) -> dict[str, Array]:
        """The tasks under way, the generator, and what teacher and reset remember."""
        own = {"now": self._now, "before": self._before, "generator": generator_state(self._randomness)}
        state = {"own": packed(own), "taken": np.array([self.taken])}
        for name, part in (("teacher", self._teacher), ("reset", self._reset)):
            if isinstance(part, Stateful):
                state |= {f"{name}/{k}": a for k, a in part.state().items()}
        return state

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        own = unpacked(state["own"])
        self._now = {int(k): v for k, v in own["now"].items()}
        self._before = {int(k): v for k, v in own["before"].items()}
        restore_generator(self._randomness, own["generator"])
        self.taken = int(state["taken"][0])
        for name, part in (("teacher", self._teacher), ("reset", self._reset)):
            if isinstance(part, Stateful):
                part.restore({k[len(name) + 1 :]: a for k, a in state.items() if k.startswith(f"{name}/")})
