"""What single MiniGrid tasks add to a step: when they pay and when they end.

Most tasks have MiniGrid's own ``step`` (a goal square, lava). Others look at the world after it. Each rule here is
the vectorised form of one ``step`` of the package, named by its class; a task whose class has another is not in the
port. The lockstep tests compare every one with the package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from minigrid.core.constants import COLOR_TO_IDX, OBJECT_TO_IDX
from minigrid.minigrid_env import MiniGridEnv
from numpy.typing import NDArray

from agentc.runtime.envs.minigrid_cells import LOOKS, MARKED, OPEN_DOOR

if TYPE_CHECKING:
    from agentc.runtime.envs.minigrid_batch import GridWorld

Mask = NDArray[np.bool_]
PICKUP, DROP, TOGGLE, DONE = 3, 4, 5, 6


@dataclass
class Moment:
    """What a rule sees of a step and may change, arrays ``(N,)``.

    ``carried`` and ``watched`` are from before the step: what was held, and which of the goal's doors were open.
    """

    actions: NDArray[np.int64]
    carried: NDArray[np.uint8]
    watched: NDArray[np.bool_]
    success: Mask
    terminated: Mask


@dataclass(frozen=True)
class Rule:
    """One kind of task. ``goal`` reads what the rule needs off an environment, as ``size`` numbers; ``after`` judges.

    ``wanted`` is the attribute with the object that is to be told apart; ``doors`` says how many of the goal's
    numbers are cells of doors; ``toggles`` that picking up is toggling.
    """

    after: Callable[[GridWorld, Moment], None] | None = None
    goal: Callable[[Any, Callable[[int, int], int]], tuple[int, ...]] = lambda env, index: ()
    size: int = 0
    wanted: str | None = None
    doors: int = 0
    toggles: bool = False


def _pays(moment: Moment, where: Mask) -> None:
    moment.success |= where
    moment.terminated |= where


def _picked(world: GridWorld, m: Moment) -> None:
    _pays(m, (m.actions == PICKUP) & MARKED[world.carrying])


def _unlocked(world: GridWorld, m: Moment) -> None:
    _pays(m, (m.actions == TOGGLE) & OPEN_DOOR[world.at_goal(0)])


def _fetched(world: GridWorld, m: Moment) -> None:
    held, looks = world.carrying != 0, LOOKS[world.carrying]
    right = held & (looks[:, 0] == world.goal[:, 0]) & (looks[:, 1] == world.goal[:, 1])
    m.success[held] = right[held]
    m.terminated |= held


def _gone_to(world: GridWorld, m: Moment) -> None:
    x, y = world.position()
    dx, dy = np.abs(x - world.goal[:, 0]), np.abs(y - world.goal[:, 1])
    done = m.actions == DONE
    m.success |= done & (((dx == 0) & (dy == 1)) | ((dy == 0) & (dx == 1)))
    m.terminated |= done | (m.actions == TOGGLE)


def _put_near(world: GridWorld, m: Moment) -> None:
    looks = LOOKS[world.carrying]
    wrong = (looks[:, 0] != world.goal[:, 0]) | (looks[:, 1] != world.goal[:, 1])
    m.terminated |= (m.actions == PICKUP) & (world.carrying != 0) & wrong
    tried = (m.actions == DROP) & (m.carried != 0)
    x, y = world.position(world.front())
    near = (np.abs(x - world.goal[:, 2]) <= 1) & (np.abs(y - world.goal[:, 3]) <= 1)
    m.success |= tried & (world.carrying == 0) & near
    m.terminated |= tried


def _red_then_blue(world: GridWorld, m: Moment) -> None:
    red, blue = OPEN_DOOR[world.at_goal(0)], OPEN_DOOR[world.at_goal(1)]
    red_before, blue_before = m.watched[:, 0], m.watched[:, 1]
    m.success[blue] = red_before[blue]
    failed = ~blue & red & blue_before
    m.success[failed] = False
    m.terminated |= blue | failed


def _remembered(world: GridWorld, m: Moment) -> None:
    right, wrong = world.at == world.goal[:, 0], world.at == world.goal[:, 1]
    _pays(m, right)
    m.success[wrong] = False
    m.terminated |= wrong


def _memory_goal(env: Any, index: Callable[[int, int], int]) -> tuple[int, ...]:
    return tuple(index(int(x), int(y)) for x, y in (env.success_pos, env.failure_pos))


def _door_cells(*names: str) -> Callable[[Any, Callable[[int, int], int]], tuple[int, ...]]:
    def found(env: Any, index: Callable[[int, int], int]) -> tuple[int, ...]:
        grid = env.grid
        at = [next(i for i, cell in enumerate(grid.grid) if cell is getattr(env, name)) for name in names]
        return tuple(index(i % grid.width, i // grid.width) for i in at)

    return found


def _put_goal(env: Any, index: Callable[[int, int], int]) -> tuple[int, ...]:
    x, y = env.target_pos
    return OBJECT_TO_IDX[env.move_type], COLOR_TO_IDX[env.moveColor], int(x), int(y)


_PICK = Rule(_picked, wanted="obj")
_GO = Rule(_gone_to, lambda env, index: (int(env.target_pos[0]), int(env.target_pos[1])), 2)

_RULES: dict[str, Rule] = {
    "MiniGridEnv": Rule(),
    "KeyCorridorEnv": _PICK,
    "UnlockPickupEnv": _PICK,
    "BlockedUnlockPickupEnv": _PICK,
    "ObstructedMazeEnv": _PICK,
    "UnlockEnv": Rule(_unlocked, _door_cells("door"), 1),
    "FetchEnv": Rule(_fetched, lambda env, index: (OBJECT_TO_IDX[env.targetType], COLOR_TO_IDX[env.targetColor]), 2),
    "GoToDoorEnv": _GO,
    "GoToObjectEnv": _GO,
    "PutNearEnv": Rule(_put_near, _put_goal, 4),
    "RedBlueDoorEnv": Rule(_red_then_blue, _door_cells("red_door", "blue_door"), 2, doors=2),
    "MemoryEnv": Rule(_remembered, _memory_goal, 2, toggles=True),
}
"""By the class of the package whose ``step`` a task has."""


def rule_of(kind: type[MiniGridEnv]) -> Rule | None:
    """The rule of a class of environments, None where the port has none."""
    owner = next(k for k in kind.__mro__ if "step" in vars(k))
    return _RULES.get(owner.__name__) if owner.__module__.startswith("minigrid.") else None
