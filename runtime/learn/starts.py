"""Where episodes begin (M7) and on which task (M8): both go to the environment as ``options`` of its reset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.training_fit import stages_of
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.configuration import StartingConfig, TrainingConfig
from agentc.runtime.learn.episodes import generator_state, packed, restore_generator, unpacked
from agentc.runtime.learn.resets.snapshots import Snapshots
from agentc.runtime.learn.slots import Reset, State, Stateful, Teacher
from agentc.runtime.learn.teachers.alp_gmm import ALPGMM
from agentc.runtime.learn.teachers.staged import Staged
from agentc.runtime.learn.teachers.uniform import Uniform
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

    @property
    def reset(self) -> Reset | None:
        """What chooses the states."""
        return self._reset

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
                made[getattr(self._reset, "option", "snapshot")] = dict(state)
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


def _uniform(config: StartingConfig, low: Array, high: Array) -> Teacher:
    return Uniform(low, high)


def _staged(config: StartingConfig, low: Array, high: Array) -> Teacher:
    tasks = stages_of(config.stages)
    if config.stage_every > 0:
        return Staged(tasks, every=config.stage_every)
    return Staged(tasks, threshold=config.stage_threshold)


def _alp_gmm(config: StartingConfig, low: Array, high: Array) -> Teacher:
    return ALPGMM(low, high, config.fit_every, config.random_tasks)


TEACHERS: dict[str, Callable[[StartingConfig, Array, Array], Teacher] | None] = {
    "none": None,
    "uniform": _uniform,
    "staged": _staged,
    "alp_gmm": _alp_gmm,
}
"""M8 by name: from the settings and the bounds of a task's parameters."""


def _snapshots(config: StartingConfig) -> Reset:
    return Snapshots.load(
        Path(config.reset_data), config.reset_clusters, config.reset_until, config.seed, config.reset_steps
    )


RESETS: dict[str, Callable[[StartingConfig], Reset] | None] = {"task": None, "snapshots": _snapshots}
"""M7 by name, from the settings."""


def starts_of(config: TrainingConfig, env: object) -> Starts | None:
    """The teacher and the reset that the settings name; None for the environment's own ways.

    Raises :class:`AgentcError`: AS1508 for a teacher where tasks have no parameters, and what reading a file raises.
    """
    if not isinstance(config, StartingConfig):
        return None
    make_teacher, make_reset = TEACHERS[config.teacher], RESETS[config.reset]
    teacher = None
    if make_teacher is not None:
        space = getattr(env, "task_space", None)
        if space is None:
            why = f"tasks need parameters, and those of {type(env).__name__} have none"
            raise AgentcError([report("AS1508", None, setting=f"teacher = {config.teacher}", agent="it", reason=why)])
        teacher = make_teacher(config, space.low, space.high)
    reset = None if make_reset is None else make_reset(config)
    return None if teacher is None and reset is None else Starts(teacher, reset, config.seed)
