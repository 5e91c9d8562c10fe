"""Environments as worlds that can be explored: put into a state, asked what every action may lead to.

A world tells its state without the clock and without its generator of random numbers, as named parts; two states with
equal parts have the same future but for when the time is over. Chance in a step is enumerated (a grid that slips),
chance at the reset is a set of starts: all of them where the world can list them, else those that some seeds lead to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.compiler.systems.commands import Numbering
from agentc.compiler.systems.transitions import ExplicitModel
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.envs.declared_batch import Situation
from agentc.runtime.envs.registry import SYSTEM, binding, environment_of, installed
from agentc.runtime.learn.seeding import evaluation_seeds

Parts = Mapping[str, Hashable]


@dataclass(frozen=True)
class Outcome:
    """What an action may lead to: with which probability, where, and whether the episode is over there."""

    probability: float
    saved: Any
    terminated: bool = False
    reward: float = 0.0


@dataclass(frozen=True)
class Start:
    """Where an episode may begin; ``seed`` is one that leads there, None where starts are listed."""

    weight: float
    saved: Any
    seed: int | None = None


class World(Protocol):
    """An environment that can be explored."""

    env: gymnasium.Env[Any, Any]
    actions: tuple[str, ...]

    def starts(self, count: int) -> tuple[list[Start], bool]:
        """Starts, distinct ones, and whether they are all there are; where not, those of ``count`` seeds."""
        ...

    def load(self, saved: Any) -> None:
        """Put the environment into a state."""
        ...

    def parts(self) -> Parts:
        """The present state."""
        ...

    def code(self) -> int:
        """A number for the present state, as a shield calls it."""
        ...

    def outcomes(self, saved: Any, action: int) -> list[Outcome]:
        """What an action may lead to from a state; nothing if it cannot be taken there."""
        ...

    def observe(self) -> Any:
        """What the environment shows in the present state."""
        ...


def world_of(agent: AgentIR) -> World:
    """The world of an agent's environment. Raises :class:`AgentcError` (AS1347) for one that cannot be explored."""
    if agent.environment is None or agent.environment.engine == SYSTEM:
        raise unexplorable(agent.name, "it has no environment of an engine")
    engine = agent.environment.engine
    if engine not in WORLDS:
        known = ", ".join(f"`{name}`" for name in WORLDS)
        raise unexplorable(agent.name, f"`{engine}` cannot be copied and enumerated; {known} can, and declared systems")
    world = WORLDS[engine](environment_of(agent))
    if isinstance(world, MiniGridWorld):
        world.bare.gen_obs = dict  # nobody looks
    return world


def world_around(env: gymnasium.Env[Any, Any]) -> World | None:
    """The world of an environment that is at work; None if it is of none of the engines."""
    for engine, world in WORLDS.items():
        if installed(engine) and binding(engine).accepts(env):
            return world(env)
    return None


def code_of(parts: Parts) -> int:
    """A number for a state of a world, of 63 bits."""
    digest = hashlib.blake2b(repr(tuple(parts.values())).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def unexplorable(name: str, why: str) -> AgentcError:
    """The error for an environment that is no finite model."""
    return AgentcError([report("AS1347", None, agent=name, why=why)])


def _sampled(world: World, count: int, save: Callable[[], Any]) -> list[Start]:
    """The distinct starts of the first ``count`` evaluation seeds, by how often they came."""
    found: dict[tuple[Hashable, ...], tuple[int, Any, int]] = {}
    for seed in evaluation_seeds(0, count):
        world.env.unwrapped.reset(seed=seed)
        key = tuple(world.parts().values())
        times, saved, first = found.get(key) or (0, save(), seed)
        found[key] = (times + 1, saved, first)
    return [Start(times / count, saved, first) for times, saved, first in found.values()]


class CellsWorld:
    """The office and craft worlds: a cell is the state, a move may slip."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env: gymnasium.Env[Any, Any] = env
        self.bare: Any = env.unwrapped
        from agentc.runtime.envs.cell_world import ACTIONS, CellWorld

        self.actions: tuple[str, ...] = ACTIONS
        bare: Any = env.unwrapped
        self._next: list[list[int]] = bare.world.following if isinstance(bare, CellWorld) else bare.moves

    def starts(self, count: int) -> tuple[list[Start], bool]:
        """The one start, or every cell."""
        cells = range(len(self._next)) if getattr(self.bare, "random_start", False) else None
        if cells is None:
            self.bare.reset(seed=0)
            return [Start(1.0, self.bare.cell)], True
        return [Start(1.0 / len(cells), cell) for cell in cells], True

    def load(self, saved: Any) -> None:
        """Go to a cell."""
        self.bare.cell = saved

    def parts(self) -> Parts:
        """The cell."""
        return {"cell": self.bare.cell}

    def code(self) -> int:
        """A digest of the state."""
        return code_of(self.parts())

    def observe(self) -> Any:
        """The cell."""
        return np.int64(self.bare.cell)

    def outcomes(self, saved: Any, action: int) -> list[Outcome]:
        """Where the action leads; with ``slip`` also where the others do."""
        row, slip = self._next[saved], float(self.bare.slip)
        chances = dict.fromkeys(row, 0.0)
        for other, cell in enumerate(row):
            chances[cell] += slip / len(row) + (1.0 - slip if other == action else 0.0)
        return [Outcome(p, cell) for cell, p in chances.items() if p > 0.0]


class LettersWorld:
    """The letter world: letters are drawn at the reset, moves are sure."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        from agentc.runtime.envs.letter_world import ACTIONS, NEXT

        self.env: gymnasium.Env[Any, Any] = env
        self.bare: Any = env.unwrapped
        self.actions: tuple[str, ...] = ACTIONS
        self._next: list[list[int]] = NEXT.tolist()

    def starts(self, count: int) -> tuple[list[Start], bool]:
        """Maps that seeds draw."""
        return _sampled(self, count, lambda: (self.bare.tiles, self.bare.cell)), False

    def load(self, saved: Any) -> None:
        """Put down the letters and the agent."""
        self.bare.tiles, self.bare.cell = saved

    def parts(self) -> Parts:
        """The letters and the cell."""
        return {"letters": self.bare.tiles.tobytes(), "cell": self.bare.cell}

    def code(self) -> int:
        """A digest of the state."""
        return code_of(self.parts())

    def observe(self) -> Any:
        """The letters around the agent."""
        from agentc.runtime.envs.letter_world import seen

        return seen(self.bare.tiles, np.asarray(self.bare.cell))

    def outcomes(self, saved: Any, action: int) -> list[Outcome]:
        """One."""
        tiles, cell = saved
        return [Outcome(1.0, (tiles, self._next[cell][action]))]


_OUTSIDE = frozenset(
    "step_count agent_pos agent_dir carrying grid window clock render_size screen_size _np_random_seed".split()
)
"""Attributes of MiniGrid that are told as parts of their own, or do not matter."""


class MiniGridWorld:
    """MiniGrid's environments whose steps draw nothing; BabyAI's instructions have a memory of their own.

    A state is what is in the grid (with what is in its boxes and how its doors stand), where the agent is, what it
    carries, and every plain value that the environment keeps besides; those must not change within an episode.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        from minigrid.core.world_object import Door
        from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel

        from agentc.runtime.envs.minigrid import ACTIONS, ArrayObservation

        self.env: gymnasium.Env[Any, Any] = env
        self.bare: Any = env.unwrapped
        self._door = Door
        view: Any = env
        while not isinstance(view, ArrayObservation):
            view = view.env
        self._view = view
        if isinstance(self.bare, RoomGridLevel):
            raise unexplorable(type(self.bare).__name__, "BabyAI's instructions remember what was done")
        self.actions: tuple[str, ...] = ACTIONS

    def starts(self, count: int) -> tuple[list[Start], bool]:
        """Grids that seeds draw."""
        return _sampled(self, count, self._save), False

    def _save(self) -> Any:
        bare = self.bare
        cells = tuple(bare.grid.grid)
        doors = tuple((d, d.is_open, d.is_locked) for d in cells if isinstance(d, self._door))
        position = tuple(int(x) for x in bare.agent_pos)
        return bare.grid, cells, doors, position, int(bare.agent_dir), bare.carrying, self._besides()

    def load(self, saved: Any) -> None:
        """Put everything in its place."""
        bare = self.bare
        bare.grid, cells, doors, bare.agent_pos, bare.agent_dir, bare.carrying, besides = saved
        bare.grid.grid = list(cells)
        for door, is_open, is_locked in doors:
            door.is_open, door.is_locked = is_open, is_locked
        bare.step_count = 0
        for name, (value, _) in besides.items():
            setattr(bare, name, value)

    def parts(self) -> Parts:
        """Grid, position, direction, what is carried, and what else is kept."""
        bare = self.bare
        return {
            "grid": tuple(_thing(cell) for cell in bare.grid.grid),
            "position": tuple(int(x) for x in bare.agent_pos),
            "direction": int(bare.agent_dir),
            "carrying": _thing(bare.carrying),
            "besides": tuple(key for _, key in self._besides().values()),
        }

    def code(self) -> int:
        """A digest of the state."""
        return code_of(self.parts())

    def observe(self) -> Any:
        """The arrays that learners read."""
        return self._view.look()

    def _besides(self) -> dict[str, tuple[Any, Hashable]]:
        return {name: (v, _plain(v)) for name, v in vars(self.bare).items() if name not in _OUTSIDE and _told(v)}

    def outcomes(self, saved: Any, action: int) -> list[Outcome]:
        """The one that a step leads to. Raises :class:`AgentcError` (AS1347) for a step that draws random numbers."""
        bare = self.bare
        self.load(saved)
        before = repr(bare.np_random.bit_generator.state)
        _, reward, terminated, _, _ = bare.step(action)
        name = type(bare).__name__
        if repr(bare.np_random.bit_generator.state) != before:
            raise unexplorable(name, f"`{self.actions[action]}` draws random numbers that cannot be enumerated")
        after = self._save()
        for attribute, (_, key) in after[-1].items():
            if attribute not in saved[-1] or saved[-1][attribute][1] != key:
                raise unexplorable(name, f"it keeps `{attribute}`, which changes within an episode")
        return [Outcome(1.0, after, bool(terminated), float(reward))]


def _thing(thing: Any) -> Hashable:
    """An object of MiniGrid with what is in it."""
    if thing is None:
        return None
    inside = getattr(thing, "contains", None)
    return (*thing.encode(), None if inside is None else _thing(inside))


_KEPT = (bool, int, float, str, tuple, list, np.ndarray, np.integer)


def _told(value: Any) -> bool:
    return value is None or isinstance(value, _KEPT)


def _plain(value: Any) -> Hashable:
    """A value as something that can be compared; objects of the grid by their looks, other objects not at all."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_plain(v) for v in value)
    if value is None or isinstance(value, bool | int | float | str | np.integer):
        return value
    return _thing(value) if hasattr(value, "encode") and hasattr(value, "color") else type(value).__name__


class DeclaredWorld:
    """A declared transition system, whose model is explored already; a state is a row of it."""

    def __init__(self, env: gymnasium.Env[Any, Any], model: ExplicitModel) -> None:
        assert isinstance(env.unwrapped, DeclaredEnv)
        self.env: gymnasium.Env[Any, Any] = env
        self._batch, self._model = env.unwrapped.batch, model
        self._numbering = Numbering(env.unwrapped.system.states)
        self.actions = model.actions
        self._at = 0

    def starts(self, count: int) -> tuple[list[Start], bool]:
        """The declared ones."""
        rows = zip(self._model.initial.tolist(), self._model.initial_probability.tolist(), strict=True)
        return [Start(weight, (state, None)) for state, weight in rows], True

    def load(self, saved: Any) -> None:
        """Put the system into a state."""
        state, action = saved
        values = tuple(map(float, self._model.values[state]))
        self._batch.place(0, Situation(values, 0, 0, action))
        self._at = state

    def parts(self) -> Parts:
        """The state."""
        return {"state": int(self._at)}

    def code(self) -> int:
        """The number of the state among all valuations."""
        return int(self._numbering.codes(self._model.values[self._at : self._at + 1])[0])

    def observe(self) -> Any:
        """The outputs."""
        return self._batch.observed(0)

    def outcomes(self, saved: Any, action: int) -> list[Outcome]:
        """The branches of the command that the action takes."""
        m, (state, _) = self._model, saved
        for c in range(int(m.choices[state]), int(m.choices[state + 1])):
            if m.action[c] == action:
                given = self._given(action)
                return [
                    Outcome(float(m.probability[b]), (int(m.successor[b]), given))
                    for b in range(int(m.offsets[c]), int(m.offsets[c + 1]))
                ]
        return []

    def _given(self, action: int) -> tuple[float, ...]:
        rows = self._batch.valuations
        return (float(action),) if rows is None else tuple(rows[action].tolist())


WORLDS: dict[str, Callable[[gymnasium.Env[Any, Any]], World]] = {
    "minigrid": MiniGridWorld,
    "office": CellsWorld,
    "craft": CellsWorld,
    "letters": LettersWorld,
}
"""The engines whose environments can be explored."""
