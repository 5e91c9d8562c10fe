"""One environment on which an agent is judged in one of its tasks, with the table of its machines."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Observation
from agentc.runtime.machine_table import MachineTable
from agentc.runtime.task_vector import TaskVectorEnv


class TaskEnv(gymnasium.Env[Any, Any]):
    """An episode of task number ``task`` after the other.

    On its last step, ``info["agentc"]`` holds ``satisfied`` (of that task and of behaviors) and ``violated`` as
    :class:`agentc.runtime.spec_env.SpecEnv` says them. Rewards are without shaping.
    """

    def __init__(self, compiled: CompiledAgent, table: MachineTable, task: int, *, product: bool = False) -> None:
        self._vector = TaskVectorEnv(compiled, table, 1, shaping=False, product=product, turns=(task,))
        self.observation_space, self.action_space = self._vector.observation_space, self._vector.action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """A new episode; the seed is that of the world itself."""
        return _row(self._vector.begin([seed])), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act."""
        batch = self._vector.step(np.asarray([action]))
        info: dict[str, Any] = {}
        if batch.info:
            said: dict[str, dict[str, bool]] = {"satisfied": {}, "violated": {}}
            for key, array in batch.info.items():
                kind, _, name = key.partition("/")
                if name and array[0] == array[0]:
                    said[kind][name] = bool(array[0])
            info["agentc"] = said
        return (
            _row(batch.final_observation), float(batch.reward[0]), bool(batch.terminated[0]),
            bool(batch.truncated[0]), info,
        )  # fmt: skip

    def close(self) -> None:
        """Close the world."""
        self._vector.close()


def _row(observation: Observation) -> Any:
    found = parts(observation)
    return found[""][0] if set(found) == {""} else {key: array[0] for key, array in found.items()}
