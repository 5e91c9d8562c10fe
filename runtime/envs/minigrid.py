"""The binding of MiniGrid and BabyAI (Chevalier-Boisvert et al., NeurIPS 2023), and their observations for learners.

MiniGrid observes a symbolic image, the direction and the mission as a text. Learners read arrays, so the mission
becomes the words in it (a bag of words) where it varies, and is left out where it is always the same. With
``view = full`` the image is the whole grid with the agent in it, and what it carries is observed beside it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, cast

import gymnasium
import minigrid
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import load_env_creator
from gymnasium.utils import RecordConstructorArgs
from minigrid.core.constants import COLOR_NAMES, COLOR_TO_IDX, DIR_TO_VEC, OBJECT_TO_IDX
from minigrid.core.world_object import Door
from minigrid.envs.babyai.core.roomgrid_level import BabyAIMissionSpace, RoomGridLevel
from minigrid.minigrid_env import MiniGridEnv

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.envs.minigrid_batch import VIEW, GridWorld, in_port, kind_in_port
from agentc.runtime.envs.minigrid_layouts import UNDRAWN, undrawn
from agentc.runtime.envs.minigrid_signals import MEMBERS
from agentc.runtime.envs.minigrid_view import can_replace, egocentric
from agentc.runtime.envs.minigrid_words import COLOURS, WORDS, named, words
from agentc.runtime.envs.registry import EngineArgument, SignalReader, unknown_id

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish
    from agentc.compiler.logic.ir import Value

ACTIONS = ("left", "right", "forward", "pickup", "drop", "toggle", "done")
DIRECTIONS = ("right", "down", "left", "up")
CARRIED = ("key", "ball", "box")


class MiniGridReader:
    """Reads the signals of one MiniGrid environment.

    ``door`` is the door nearest to the agent by Manhattan distance, the first in reading order among equals: in an
    environment with one door, that door.
    """

    def __init__(self, env: MiniGridEnv, names: Sequence[str]) -> None:
        self._env = env
        self._functions: list[Callable[[], Value]] = [getattr(self, f"_{name}") for name in names]
        self._needs_doors = bool({"door", "doors", "open_doors", "locked_doors"}.intersection(names))
        self._placed_doors: list[tuple[int, int, Door]] = []
        self._last_action: int | None = None
        self._paid = False

    def reset(self) -> list[Value]:
        """The signals at step 0."""
        self._last_action, self._paid = None, False
        if self._needs_doors:  # doors neither move nor vanish within an episode
            grid = self._env.grid
            self._placed_doors = [
                (i % grid.width, i // grid.width, cell) for i, cell in enumerate(grid.grid) if isinstance(cell, Door)
            ]
        return [function() for function in self._functions]

    def step(self, action: Any, reward: float) -> list[Value]:
        """The signals after an action."""
        self._last_action, self._paid = action, reward > 0
        return [function() for function in self._functions]

    def _carrying(self) -> Value:
        held = self._env.carrying
        return "none" if held is None else held.type

    def _carrying_color(self) -> Value:
        held = self._env.carrying
        return "none" if held is None else held.color

    def _door(self) -> Value:
        doors = self._placed_doors
        if not doors:
            return "none"
        if len(doors) == 1:
            door = doors[0][2]
        else:
            x, y = self._env.agent_pos
            door = min(doors, key=lambda d: abs(d[0] - x) + abs(d[1] - y))[2]
        return "open" if door.is_open else "locked" if door.is_locked else "closed"

    def _doors(self) -> Value:
        return len(self._placed_doors)

    def _open_doors(self) -> Value:
        return sum(1 for _, _, door in self._placed_doors if door.is_open)

    def _locked_doors(self) -> Value:
        return sum(1 for _, _, door in self._placed_doors if door.is_locked and not door.is_open)

    def _tile(self) -> Value:
        under = self._env.grid.get(*self._env.agent_pos)
        return "empty" if under is None else under.type

    def _front(self) -> Value:
        ahead = self._ahead()
        return "empty" if ahead is None else ahead.type

    def _front_color(self) -> Value:
        ahead = self._ahead()
        return "none" if ahead is None else ahead.color

    def _front_named(self) -> Value:
        ahead = self._ahead()
        return ahead is not None and bool(named(self._env.mission)[COLOURS.index(ahead.color)])

    def _ahead(self) -> Any:
        (x, y), (dx, dy) = self._env.agent_pos, _STEPS[self._env.agent_dir]
        return self._env.grid.get(x + dx, y + dy)

    def _x(self) -> Value:
        return int(self._env.agent_pos[0])

    def _y(self) -> Value:
        return int(self._env.agent_pos[1])

    def _direction(self) -> Value:
        return DIRECTIONS[self._env.agent_dir]

    def _mission(self) -> Value:
        return self._env.mission

    def _steps(self) -> Value:
        return self._env.step_count

    def _solved(self) -> Value:
        return self._paid

    def _action(self) -> Value:
        return None if self._last_action is None else ACTIONS[self._last_action]


_STEPS = tuple((int(dx), int(dy)) for dx, dy in DIR_TO_VEC)


class ArrayObservation(gymnasium.ObservationWrapper[dict[str, Any], int, dict[str, Any]], RecordConstructorArgs):
    """MiniGrid's observations as a flat ``Dict`` of arrays.

    ``image`` uint8 ``(7, 7, 3)`` or, with ``full``, ``(width, height, 3)``; ``direction`` in ``Discrete(4)``;
    ``carrying`` in ``Discrete(19)`` with ``full`` (0 nothing, else ``1 + 6 * kind + colour``); ``mission`` float32
    ``(54,)`` of zeros and ones where the mission varies.
    """

    def __init__(self, env: gymnasium.Env[dict[str, Any], int], full: bool = False) -> None:
        RecordConstructorArgs.__init__(self, full=full)
        gymnasium.ObservationWrapper.__init__(self, env)
        self._bare = cast(MiniGridEnv, env.unwrapped)
        self._full = full
        given = env.observation_space
        assert isinstance(given, spaces.Dict)
        shape = (self._bare.width, self._bare.height, 3) if full else given["image"].shape
        parts: dict[str, spaces.Space[Any]] = {
            "image": spaces.Box(0, 255, shape, np.uint8),
            "direction": spaces.Discrete(4),
        }
        if full:
            parts["carrying"] = spaces.Discrete(1 + len(CARRIED) * len(COLOR_NAMES))
        mission = given["mission"]
        self._tells = (
            isinstance(mission, BabyAIMissionSpace) or getattr(mission, "ordered_placeholders", None) is not None
        )
        if self._tells:
            parts["mission"] = spaces.Box(0.0, 1.0, (len(WORDS) + 1,), np.float32)
        self.observation_space = spaces.Dict(parts)
        self._silent = isinstance(self._bare, RoomGridLevel)
        self._replaced = can_replace(type(self._bare))
        if self._replaced:
            # what `step` and `reset` of MiniGrid call for their observation
            self._bare.gen_obs = self._observe  # type: ignore[method-assign]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode. What BabyAI prints while it draws levels is dropped."""
        try:
            if not self._silent:
                return super().reset(seed=seed, options=options)
            with redirect_stdout(io.StringIO()):
                return super().reset(seed=seed, options=options)
        except UNDRAWN as error:
            raise undrawn(self._bare, error) from error

    def look(self) -> dict[str, Any]:
        """The observation of the present state."""
        return self.observation(self._observe())

    def _observe(self) -> dict[str, Any]:
        bare = self._bare
        image = self._whole_grid() if self._full else egocentric(bare)
        return {"image": image, "direction": bare.agent_dir, "mission": bare.mission}

    def observation(self, observation: dict[str, Any]) -> dict[str, Any]:
        """The arrays of an observation of MiniGrid."""
        made: dict[str, Any] = {
            "image": observation["image"],
            "direction": np.int64(observation["direction"]),
        }
        if self._full:
            if not self._replaced:
                made["image"] = self._whole_grid()
            held = self._bare.carrying
            code = 0 if held is None else 1 + 6 * CARRIED.index(held.type) + COLOR_TO_IDX[held.color]
            made["carrying"] = np.int64(code)
        if self._tells:
            made["mission"] = words(observation["mission"]).copy()
        return made

    def _whole_grid(self) -> Any:
        image = self._bare.grid.encode()
        x, y = self._bare.agent_pos
        image[x, y] = (OBJECT_TO_IDX["agent"], 0, self._bare.agent_dir)
        return image


class MiniGridBinding:
    """``engine minigrid(id = ..., max_steps = ..., view = ...)``."""

    engine = "minigrid"
    arguments = (
        EngineArgument("id", "text"),
        EngineArgument("max_steps", "int", 250, low=1),
        EngineArgument("view", "text", "partial", choices=("partial", "full")),
    )
    signals = (
        "carrying", "carrying_color", "door", "doors", "open_doors", "locked_doors", "tile", "front", "front_color",
        "front_named", "x", "y", "direction", "mission", "steps", "solved", "action",
    )  # fmt: skip

    def ids(self) -> tuple[str, ...]:
        """All environments that MiniGrid has registered."""
        if "MiniGrid-Empty-5x5-v0" not in gymnasium.registry:  # a program may have cleared the registry
            minigrid.register_minigrid_envs()  # type: ignore[no-untyped-call]
        return tuple(name for name in gymnasium.registry if name.startswith(("MiniGrid-", "BabyAI-")))

    def vectorised(self) -> tuple[str, ...]:
        """Those of them that :class:`GridWorld` steps at once."""
        kinds: dict[str, object] = {
            name: load_env_creator(str(gymnasium.spec(name).entry_point)) for name in self.ids()
        }
        return tuple(
            name
            for name, kind in kinds.items()
            if isinstance(kind, type)
            and issubclass(kind, MiniGridEnv)
            and kind_in_port(kind)
            and gymnasium.spec(name).kwargs.get("agent_view_size", VIEW) == VIEW
        )

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new environment whose observations are arrays."""
        name, ids = str(arguments["id"]), self.ids()
        if name not in ids:
            raise unknown_id(self.engine, name, ids)
        try:
            env = gymnasium.make(
                name, max_steps=arguments["max_steps"], render_mode=render_mode, disable_env_checker=True
            )
        except (gymnasium.error.Error, ImportError, TypeError, ValueError) as error:
            raise AgentcError([report("AS0910", None, name=name, reason=error)]) from error
        return ArrayObservation(env, full=arguments["view"] == "full")

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is a MiniGrid environment, with whatever wrappers."""
        return isinstance(env.unwrapped, MiniGridEnv)

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return int(cast(int, arguments["max_steps"]))

    def rows(self, env: gymnasium.Env[Any, Any], num_envs: int) -> GridWorld | None:
        """The world of N environments like ``env``, where the vectorised port has its task."""
        return GridWorld(env, num_envs) if in_port(env) else None

    def members(self, name: str) -> tuple[str, ...] | None:
        """The members of an enum signal, in the order of the world's codes."""
        return MEMBERS.get(name)

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads the grid and what is in it."""
        return MiniGridReader(cast(MiniGridEnv, env.unwrapped), names)


BINDING = MiniGridBinding()
