"""The rows of a :class:`~agentc.runtime.spec_vector.SpecVectorEnv` whose environment is a declared system.

They are stepped at once, and their signals are columns of the state: nothing here is a loop over rows but the
drawing of random numbers, for each row has a generator of its own, as it would have alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.utils import seeding
from numpy.typing import NDArray

from agentc.compiler.agent import VariableIR
from agentc.compiler.systems.dynamics import Dynamics
from agentc.runtime.envs.declared import DeclaredEnv, task_space_of, with_task
from agentc.runtime.envs.declared_batch import DeclaredBatch, Situation, situation_in_words
from agentc.runtime.learn.episodes import generator_state, packed, restore_generator, unpacked
from agentc.runtime.learn.vector import Options
from agentc.runtime.spec_observation import OBSERVATION

Array = NDArray[Any]


class DeclaredRows:
    """N environments of the system of ``env``, of which the monitors read the signals ``names``."""

    def __init__(self, env: DeclaredEnv, names: Sequence[str], num_envs: int) -> None:
        self.batch = DeclaredBatch(env.system, env.batch.horizon, num_envs)
        self.task_space = task_space_of(env.system)
        self._player = env
        self._played: dict[tuple[int, bytes], list[Situation]] = {}
        self._left = np.zeros(num_envs, np.int64)
        self._generators: list[np.random.Generator] = []
        self._names = names
        self._states = {v.name: (i, v) for i, v in enumerate(env.system.states)}
        self._inputs = {f"action.{v.name}": (i, v) for i, v in enumerate(env.system.inputs)}

    def reset(self, seeds: Sequence[int | None], options: Options | None = None) -> None:
        """Start new episodes everywhere; a row without a seed goes on with its generator."""
        for i, seed in enumerate(seeds):
            if seed is not None or i >= len(self._generators):
                self._generators[i : i + 1] = [seeding.np_random(seed)[0]]
        self.restart(range(len(seeds)), options)

    def restart(self, rows: Iterable[int], options: Options | None = None) -> None:
        """Start new episodes in some rows, on the task or in the snapshot that ``options`` says."""
        for row in rows:
            self.batch.reset(row, self._generators[row])
            said = {} if options is None else options(row) or {}
            self._left[row] = 0
            if "task" in said:
                self.batch.place(row, with_task(self.batch.system, self.batch.situation(row), said["task"]))
            if "state" in said:
                self.batch.place(row, self._begun(self.batch.situation(row), said["state"]))
            if "snapshot" in said:
                self.batch.place(row, self._state_of(said["snapshot"]))
                self._left[row] = said["snapshot"].get("limit", 0)

    def step(self, actions: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Act everywhere; ``(terminated, truncated)``."""
        terminated, truncated = self.batch.step(actions)
        if self._left.any():
            truncated = truncated | (self._left == 1)
            self._left = np.maximum(self._left - 1, 0)
        return terminated, truncated

    def paid(self) -> NDArray[np.float64]:
        """Systems pay nothing themselves."""
        return np.zeros(len(self._left))

    def mask(self) -> NDArray[np.bool_] | None:
        """The legal commands, where a system has some."""
        return self.batch.mask()

    def observation(self) -> Array:
        """What every row shows, ``(N, d)``."""
        return self.batch.observation()

    def _begun(self, drawn: Situation, values: Mapping[str, Any]) -> Situation:
        """The start that was drawn, with some states as they are told by name."""
        state = [float(values.get(name, x)) for name, x in zip(self._states, drawn.state, strict=True)]
        return Situation(tuple(state), drawn.mode, drawn.steps, drawn.action)

    def _state_of(self, snapshot: Mapping[str, Any]) -> Situation:
        """Where a recorded episode was after its first actions; played once and kept."""
        seed, actions = int(snapshot["seed"]), np.asarray(snapshot["actions"])
        key = (seed, actions.tobytes())
        if key not in self._played:
            self._player.reset(seed=seed)
            at = [self._player.batch.situation(0)]
            for k, action in enumerate(actions):
                self._player.step(action)
                at.append(self._player.batch.situation(0))
                self._played.setdefault((seed, actions[: k + 1].tobytes()), at[k + 1 : k + 2])
        situation = self._played[key][0]
        return Situation(situation.state, situation.mode, 0, None)

    def controller(self, name: str) -> Callable[[Mapping[str, Array]], Array] | None:
        """A feedback law, from observations (all states, in their order) to inputs ``(batch, m)`` in their ranges."""
        if name not in [c.name for c in self.batch.system.controllers] or self.batch.system.commands:
            return None
        dynamics = Dynamics(self.batch.system)

        def law(observation: Mapping[str, Array]) -> Array:
            state = observation[OBSERVATION] if OBSERVATION in observation else observation[""]
            return dynamics.control(name, np.asarray(state, np.float64))

        return law

    def snapshot(self) -> dict[str, Array]:
        """Everything that later steps depend on, as arrays by name."""
        generators = packed([generator_state(g) for g in self._generators])
        b = self.batch
        arrays = {"state": b.state, "mode": b.mode, "steps": b.steps, "action": b.action, "left": self._left}
        return {**{name: array.copy() for name, array in arrays.items()}, "generators": generators}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`snapshot`."""
        self._left = state["left"].copy()
        self._generators = []
        for given in unpacked(state["generators"]):
            self._generators.append(seeding.np_random(0)[0])
            restore_generator(self._generators[-1], given)
        for row, generator in enumerate(self._generators):
            action = state["action"][row]
            given = None if np.isnan(action).any() else tuple(action.tolist())
            was = Situation(
                tuple(state["state"][row].tolist()), int(state["mode"][row]), int(state["steps"][row]), given
            )
            self.batch.place(row, was, generator)

    def read(self) -> dict[str, Array]:
        """The signals by name, as :mod:`agentc.runtime.labelling` wants them; they stay as they are."""
        found: dict[str, Array] = {}
        for name in self._names:
            if name in self._states:
                i, variable = self._states[name]
                found[name] = _column(self.batch.state[:, i], variable)
            elif name in self._inputs:
                i, variable = self._inputs[name]
                found[name] = _column(self.batch.action[:, i], variable)
            elif name == "mode":
                found[name] = self.batch.mode.copy()
            else:
                found[name] = np.nan_to_num(self.batch.action[:, 0], nan=-1).astype(np.int64)
        return found

    def shown(self, row: int) -> str:
        """The values of a row in words."""
        return situation_in_words(self.batch, row)


def _column(values: Array, variable: VariableIR) -> Array:
    """The values of a variable; what has none is -1 of an enum, false of a Boolean."""
    if variable.kind == "enum":
        return np.nan_to_num(values, nan=-1).astype(np.int64)
    if variable.kind == "bool":
        found: Array = np.nan_to_num(values) != 0
        return found
    return values.copy()
