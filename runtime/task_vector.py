"""N environments on which several tasks are trained together: one task per episode, in turn.

The published experiments on reward machines train a set of tasks, one machine each, with one episode per task in turn
and a policy that sees the task and the state of its machine (Toro Icarte et al., JAIR 73, 2022, section 6). A spec
says so by ``train q { tasks = each }``. :class:`TaskVectorEnv` is the :class:`~agentc.runtime.learn.vector.VectorEnv`
of that; what a step would have meant in every other state of every machine is in ``StepBatch.monitors`` and
:meth:`~agentc.runtime.machine_table.MachineTable.relabel`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.envs.batch import Array, BatchWorld, CellWorlds, Deterministic, Seeds
from agentc.runtime.envs.registry import horizon_of
from agentc.runtime.labelling import Labeller
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.learn.vector import Observation, StepBatch
from agentc.runtime.machine_table import MachineTable
from agentc.runtime.spec_observation import AUTOMATON, OBSERVATION, TIME_LEFT
from agentc.runtime.spec_signals import needed_signals
from agentc.runtime.task_worlds import make_world

Mask = NDArray[np.bool_]
_REMEMBERED = ("_turn", "task", "state", "_earlier", "_returns", "_lengths")

@dataclass(frozen=True)
class Letter:
    """What the last step said to the machines, arrays ``(N, ...)``.

    ``classes`` are the letter classes, ``earlier`` those of the letters before, -1 on the first step of an episode,
    ``over`` where the environment (or a time limit that is an end) ended the episode.
    """

    classes: NDArray[np.int64]
    earlier: NDArray[np.int64]
    over: Mask


class TaskVectorEnv:
    """N environments that follow the machines of a table.

    Args:
        compiled: the agent; its environment and its signals.
        table: the machines of its tasks.
        num_envs: how many environments, N.
        shaping: whether rewards include the shaping.
        world: the environments; by default those that the spec names.
        product: observe one number, of a cell and a state, where the world observes one of a few cells.
        turns: the tasks that come in turn, by their numbers; by default all.
        same_task: every environment begins with the first task (as independent runs do), not with one of its own.

    Environment ``i`` begins with task ``i`` modulo the number of tasks and takes the next one at each episode.
    Observations are a dict of the environment's own (``observation``), the state of the machines one-hot
    (``automaton``, ``(U,)``; of a single task as of several) and, where a time limit is an end, ``time_left``.
    """

    def __init__(
        self,
        compiled: CompiledAgent,
        table: MachineTable,
        num_envs: int,
        *,
        shaping: bool = True,
        world: BatchWorld | None = None,
        product: bool = False,
        turns: Sequence[int] | None = None,
        same_task: bool = False,
    ) -> None:
        self.compiled, self.table, self.num_envs = compiled, table, num_envs
        self._names = needed_signals(table.atoms)
        self.world = world if world is not None else make_world(compiled, num_envs, self._names)
        self.horizon = horizon_of(compiled.agent.environment) if compiled.agent.environment is not None else None
        if self.horizon is None and table.needs_time_left:
            raise AgentcError([report("AS0915", None, name=compiled.agent.name)])
        self._labeller = Labeller(table.atoms, compiled.agent.declared)
        parts: dict[str, gymnasium.Space[Any]] = {
            OBSERVATION: self.world.observation_space,
            AUTOMATON: spaces.Box(0.0, 1.0, (table.size,), np.float32),
        }
        if table.needs_time_left:
            parts[TIME_LEFT] = spaces.Box(0.0, 1.0, (1,), np.float32)
        self.observation_space: gymnasium.Space[Any] = spaces.Dict(parts)
        self._product = product
        if product:
            base = self.world.observation_space
            if not isinstance(base, spaces.Discrete) or table.needs_time_left:
                raise AgentcError([report("AS1502", None, agent=compiled.agent.name, space=base)])
            self.observation_space = spaces.Discrete(int(base.n) * table.size)
        self.action_space: gymnasium.Space[Any] = self.world.action_space
        self.action_mask: Mask | None = None
        self._shapes = shaping
        self._onehot = np.eye(table.size, dtype=np.float32)
        self._previous: dict[str, Array] = {}
        self._known = self._by_cell()
        self._turns = np.arange(len(table.tasks)) if turns is None else np.array(turns)
        self._first = np.zeros(num_envs, np.int64) if same_task else np.arange(num_envs) % len(self._turns)
        self._turn = self._first.copy()
        self.task = self._turns[self._turn]
        """The task of every environment's present episode."""
        self.state = np.zeros(num_envs, np.int64)
        """The state of every environment's machine, a row of the table."""
        self.letter: Letter | None = None
        self._earlier = np.full(num_envs, -1, np.int64)
        self._safe = [compiled.agent.formula(name).role == "safe" for name in table.names]
        self._returns, self._lengths = np.zeros(num_envs), np.zeros(num_envs, np.int64)

    def reset(self, seed: int | None) -> Observation:
        """Start new episodes; environment ``i`` gets the ``i``-th training seed of ``seed``."""
        return self.begin([None] * self.num_envs if seed is None else training_seeds(seed, self.num_envs))

    def begin(self, seeds: Seeds) -> Observation:
        """Start new episodes everywhere, with these seeds of the environments."""
        everywhere = np.ones(self.num_envs, np.bool_)
        self.world.reset(everywhere, seeds)
        self._turn = self._first.copy()
        self.task = self._turns[self._turn]
        self._begin(everywhere)
        return self._observed()

    def step(self, actions: Array) -> StepBatch:
        """Act in every environment; those that end are reset at once, with the next task."""
        table = self.table
        given, terminated, truncated = self.world.step(actions)
        classes = self._read(np.ones(self.num_envs, np.bool_), first=False)
        self._lengths += 1
        limit = truncated if self.horizon is None else self._lengths >= self.horizon
        over = terminated | limit if table.needs_time_left else terminated
        u = self.state
        if not table.possible[u, classes].all():
            self._impossible(int(np.argmin(table.possible[u, classes])))
        self.letter = Letter(classes, self._earlier, over)
        reward = np.where(over, table.final_reward[u, classes], table.reward[u, classes])
        shaping = np.where(over, table.final_shaping[u, classes], table.shaping[u, classes])
        ends = over | table.ends[u, classes]
        cut = (truncated | limit) & ~ends
        if self.compiled.agent.reward is None:
            reward = given
        self._returns += reward
        paid = (reward + shaping if self._shapes else reward).astype(np.float32)
        self.state = following = table.next[u, classes]
        self._earlier = classes
        observation = self._observed()
        final: Observation = observation
        ended = ends | cut
        info: dict[str, Array] = {}
        if ended.any():
            info = {"return": self._returns.copy(), "length": self._lengths.copy(), "task": self.task.copy()}
            info |= self._judged(u, classes)
            self.world.reset(ended)
            self._turn = np.where(ended, (self._turn + 1) % len(self._turns), self._turn)
            self.task = self._turns[self._turn]
            self._begin(ended)
            observation = self._observed()
        monitors = {
            "state": u, "letter": classes, "earlier": self.letter.earlier, "over": over, "next_state": following,
        }  # fmt: skip
        return StepBatch(observation, final, paid, ends, cut, None, info, monitors=monitors)

    def snapshot(self) -> dict[str, Array] | None:
        """The state of all environments, if the world is deterministic and can tell its own."""
        world = self.world
        if self._labeller.needs_previous or not isinstance(world, Deterministic) or not world.remembered:
            return None
        state = {f"world/{name}": np.array(getattr(world, name)) for name in world.remembered}
        return state | {f"tasks/{name}": np.array(getattr(self, name)) for name in _REMEMBERED}

    def restore(self, state: Mapping[str, Array]) -> Observation:
        """Go on from :meth:`snapshot`. Raises ``KeyError`` or ``ValueError`` for another's."""
        for owner, group, names in (
            (self.world, "world", getattr(self.world, "remembered", ())), (self, "tasks", _REMEMBERED),
        ):  # fmt: skip
            for name in names:
                array = np.array(state[f"{group}/{name}"])
                if array.shape != np.shape(getattr(owner, name)):
                    raise ValueError(f"another number of environments: {name}")
                setattr(owner, name, array)
        return self._observed()

    def _judged(self, states: NDArray[np.int64], classes: NDArray[np.int64]) -> dict[str, Array]:
        """The verdicts of the episodes: of a task NaN where the episode is about another one."""
        table, found = self.table, {}
        for k, (name, safe) in enumerate(zip(table.names, self._safe, strict=True)):
            if safe:
                found[f"violated/{name}"] = table.violates[k, states, classes].astype(np.float64)
                continue
            judged = table.holds[k, states, classes].astype(np.float64)
            if name in table.tasks and len(table.tasks) > 1:
                judged[self.task != table.tasks.index(name)] = np.nan
            found[f"satisfied/{name}"] = judged
        return found

    def close(self) -> None:
        """Close what can be closed."""
        close = getattr(self.world, "close", None)
        if close is not None:
            close()

    def _begin(self, where: Mask) -> None:
        classes = self._read(where, first=True)
        self.state = np.where(where, self.table.start[self.task, np.maximum(classes, 0)], self.state)
        self._earlier = np.where(where, -1, self._earlier)
        self._returns[where] = 0.0
        self._lengths[where] = 0

    def _read(self, where: Mask, *, first: bool) -> NDArray[np.int64]:
        """The letter classes of the rows of ``where``; ``first``: it is step 0 of their traces."""
        if self._known is not None:
            classes: NDArray[np.int64] = self._known[self.world.observation()]
            if not (classes[where] < 0).any():
                return classes
        signals = self.world.signals(self._names)
        started = np.full(self.num_envs, True) & ~(where & first)
        before = self._previous or None
        letters = self._labeller(signals, before, started, np.zeros((self.num_envs, len(self.table.atoms)), np.bool_))
        if self._labeller.needs_previous:
            self._previous = {name: array.copy() for name, array in signals.items()}
        classes = self.table.classes(letters)
        if (classes[where] < 0).any():
            self._impossible(int(np.flatnonzero(where & (classes < 0))[0]))
        return classes

    def _by_cell(self) -> NDArray[np.int64] | None:
        """The letter class of every cell, where a cell is all that is observed and says all that is read."""
        base, world = self.world.observation_space, self.world
        if not isinstance(base, spaces.Discrete) or not isinstance(world, CellWorlds):
            return None
        if self._labeller.needs_previous or not set(self._names) <= world.of_observation:
            return None
        return self.table.classes(self._labeller(world.signals_of(np.arange(int(base.n)), self._names)))

    def _impossible(self, env: int) -> None:
        shown = ", ".join(f"{name} = {values[env]}" for name, values in self.world.signals(self._names).items())
        raise AgentcError([report("AS0708", None, env=env, values=shown)])

    def _observed(self) -> Observation:
        if self._product:
            return np.asarray(self.world.observation() * self.table.size + self.state)
        parts: dict[str, Array] = {OBSERVATION: self.world.observation(), AUTOMATON: self._onehot[self.state]}
        if self.table.needs_time_left:
            assert self.horizon is not None
            left = (self.horizon - self._lengths) / self.horizon
            parts[TIME_LEFT] = np.maximum(0.0, left).astype(np.float32)[:, None]
        return parts
