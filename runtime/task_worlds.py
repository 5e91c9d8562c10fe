"""The worlds that a spec with tasks runs on: arrays where the engine steps many at once, else a loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.compiler.logic.ir import Value
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.envs.batch import Array, BatchBinding, BatchWorld, Mask, Seeds
from agentc.runtime.envs.registry import binding, complete_arguments, make_environment
from agentc.runtime.labelling import encode
from agentc.runtime.spec_signals import SignalSource


def make_world(compiled: CompiledAgent, num_envs: int, names: Sequence[str]) -> BatchWorld:
    """N environments of an agent whose signals ``names`` can be read.

    Raises :class:`AgentcError` (AS0911) if the agent has none, and what the registry raises.
    """
    environment = compiled.agent.environment
    if environment is None:
        raise AgentcError([report("AS0911", None, name=compiled.agent.name)])
    found = binding(environment.engine)
    declared = {s.name: s for s in compiled.agent.declared}
    plain = all(n not in declared or (declared[n].definition is None and not declared[n].extern) for n in names)
    if plain and isinstance(found, BatchBinding) and set(names) <= set(found.signals):
        arguments = complete_arguments(found.engine, found.arguments, environment.arguments)
        return found.batch(arguments, num_envs)
    return ListedWorld([make_environment(environment) for _ in range(num_envs)], compiled, names)


class ListedWorld:
    """N Gymnasium environments, stepped one after the other, as a :class:`~agentc.runtime.envs.batch.BatchWorld`."""

    def __init__(
        self, envs: Sequence[gymnasium.Env[Any, Any]], compiled: CompiledAgent, names: Sequence[str]
    ) -> None:
        self._envs = list(envs)
        self.num_envs = len(self._envs)
        self.observation_space: gymnasium.Space[Any] = envs[0].observation_space
        self.action_space: gymnasium.Space[Any] = envs[0].action_space
        if isinstance(self.observation_space, spaces.Dict):
            raise AgentcError([report("AS1501", None, agent=compiled.agent.name, space=self.observation_space)])
        self._sources = [SignalSource(env, compiled, names) for env in self._envs]
        self._values: list[list[Value]] = [[] for _ in self._envs]
        self._observation = np.zeros(
            (self.num_envs, *(self.observation_space.shape or ())), self.observation_space.dtype
        )
        space = self.action_space
        self._discrete = isinstance(space, spaces.Discrete)
        self._first = int(space.start) if isinstance(space, spaces.Discrete) else 0

    def reset(self, where: Mask, seeds: Seeds | None = None) -> None:
        """Begin episodes in the rows of ``where``."""
        self._observation = self._observation.copy()  # what was returned last stays as it was
        for i in np.flatnonzero(where).tolist():
            row, _ = self._envs[i].reset(seed=None if seeds is None else seeds[i])
            self._observation[i] = row
            self._read(i, self._sources[i].reset(row))

    def step(self, actions: Array) -> tuple[NDArray[np.float64], Mask, Mask]:
        """Act in every row."""
        paid = np.zeros(self.num_envs)
        terminated, truncated = np.zeros(self.num_envs, np.bool_), np.zeros(self.num_envs, np.bool_)
        chosen: Any = (actions + self._first).tolist() if self._discrete else actions
        self._observation = np.empty_like(self._observation)
        for i, env in enumerate(self._envs):
            row, reward, stop, cut, _ = env.step(chosen[i])
            self._observation[i] = row
            paid[i], terminated[i], truncated[i] = reward, stop, cut
            self._read(i, self._sources[i].step(chosen[i], float(reward), row))
        return paid, terminated, truncated

    def observation(self) -> Array:
        """What every row shows."""
        return self._observation

    def signals(self, names: Iterable[str]) -> dict[str, Array]:
        """The values that were read, as arrays."""
        source = self._sources[0]
        columns = list(zip(*self._values, strict=True))
        wanted = set(names)
        return {
            name: encode(name, signal, column)
            for name, signal, column in zip(source.names, source.signals, columns, strict=True)
            if name in wanted
        }

    def close(self) -> None:
        """Close every environment."""
        for env in self._envs:
            env.close()

    def _read(self, row: int, values: list[Value]) -> None:
        self._sources[row].check(values)
        self._values[row] = values
