"""Environments of a :class:`~agentc.runtime.spec_vector.SpecVectorEnv` that are stepped at once, as rows of arrays.

:class:`Rows` is what that class asks of them. :class:`~agentc.runtime.spec_declared.DeclaredRows` are those of a
declared system; :class:`WorldRows` those of an engine that has its environments as a
:class:`~agentc.runtime.envs.batch.BatchWorld` whose rows are the single environment's step for step
(:class:`RowBinding`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR
from agentc.runtime.envs.batch import BatchWorld
from agentc.runtime.envs.registry import binding
from agentc.runtime.learn.vector import Options

Array = NDArray[Any]
Mask = NDArray[np.bool_]


class Rows(Protocol):
    """N environments; arrays are valid until the next call."""

    def reset(self, seeds: Sequence[int | None], options: Options | None = None) -> None:
        """Start new episodes everywhere; a row without a seed goes on with its generator."""
        ...

    def restart(self, rows: Iterable[int], options: Options | None = None) -> None:
        """Start new episodes in some rows."""
        ...

    def step(self, actions: Array) -> tuple[Mask, Mask]:
        """Act everywhere; ``(terminated, truncated)``."""
        ...

    def paid(self) -> NDArray[np.float64]:
        """What the environments themselves paid on the last step, ``(N,)``."""
        ...

    def mask(self) -> Mask | None:
        """The legal actions, if they say them."""
        ...

    def observation(self) -> Array | Mapping[str, Array]:
        """What every row shows, ``(N, *shape)``, by part where there are several."""
        ...

    def read(self) -> dict[str, Array]:
        """The signals by name, as :mod:`agentc.runtime.labelling` wants them; they stay as they are."""
        ...

    def shown(self, row: int) -> str:
        """The values of a row in words."""
        ...

    def snapshot(self) -> dict[str, Array]:
        """Everything that later steps depend on, as arrays by name."""
        ...

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`snapshot`."""
        ...

    def controller(self, name: str) -> Callable[[Mapping[str, Array]], Array] | None:
        """A feedback law of that name; None if there is none."""
        ...


class RowWorld(BatchWorld, Protocol):
    """A world that can be kept and brought back."""

    def state(self) -> dict[str, Array]:
        """Everything that later steps depend on."""
        ...

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`."""
        ...


@runtime_checkable
class RowBinding(Protocol):
    """A binding that has some of its environments as worlds of rows."""

    def rows(self, env: gymnasium.Env[Any, Any], num_envs: int) -> RowWorld | None:
        """The world of N environments like ``env``, which is used up; None where there is none."""
        ...

    def members(self, name: str) -> tuple[str, ...] | None:
        """The members of an enum signal in the order of the world's codes; None for other signals."""
        ...


def world_rows(env: gymnasium.Env[Any, Any], agent: AgentIR, names: Sequence[str], num_envs: int) -> WorldRows | None:
    """The rows of ``env``, the environment of an agent whose monitors read the signals ``names``.

    None where the engine steps them one after the other, or where a signal is not the engine's own as it stands.
    """
    if agent.environment is None or agent.system is not None:
        return None
    found = binding(agent.environment.engine)
    if not isinstance(found, RowBinding) or not set(names) <= set(found.signals):
        return None
    declared = {s.name: s for s in agent.declared}
    for name in names:
        signal = declared.get(name)
        if signal is None or signal.definition is not None or signal.extern:
            return None
        if signal.kind == "enum" and signal.members != found.members(name):
            return None
        if signal.hi is not None or (signal.lo or 0) > 0:  # narrower than the engine's: values are to be checked
            return None
    world = found.rows(env, num_envs)
    return None if world is None else WorldRows(world, names)


class WorldRows:
    """The rows of a world, of which the monitors read the signals ``names``."""

    def __init__(self, world: RowWorld, names: Sequence[str]) -> None:
        self.world, self._names = world, tuple(names)
        self._paid = np.zeros(world.num_envs)

    def reset(self, seeds: Sequence[int | None], options: Options | None = None) -> None:
        """Start new episodes everywhere; a row without a seed goes on with its generator."""
        self.world.reset(np.ones(self.world.num_envs, np.bool_), seeds)

    def restart(self, rows: Iterable[int], options: Options | None = None) -> None:
        """Start new episodes in some rows; worlds have no tasks to choose from."""
        where = np.zeros(self.world.num_envs, np.bool_)
        where[list(rows)] = True
        self.world.reset(where)

    def step(self, actions: Array) -> tuple[Mask, Mask]:
        """Act everywhere; ``(terminated, truncated)``."""
        self._paid, terminated, truncated = self.world.step(actions)
        return terminated, truncated

    def paid(self) -> NDArray[np.float64]:
        """What the environments themselves paid on the last step."""
        return self._paid

    def mask(self) -> Mask | None:
        """All actions are legal."""
        return None

    def observation(self) -> Array | Mapping[str, Array]:
        """What every row shows."""
        seen: Array | Mapping[str, Array] = self.world.observation()
        return seen

    def read(self) -> dict[str, Array]:
        """The signals by name."""
        return self.world.signals(self._names)

    def shown(self, row: int) -> str:
        """The values of a row in words."""
        return ", ".join(f"{name} = {values[row]}" for name, values in self.read().items())

    def snapshot(self) -> dict[str, Array]:
        """Everything that later steps depend on."""
        return self.world.state()

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`snapshot`."""
        self.world.restore(state)

    def controller(self, name: str) -> Callable[[Mapping[str, Array]], Array] | None:
        """Worlds know no feedback laws."""
        return None
