"""MiniGrid worlds, N at once: step-identical to the package, in numpy.

:class:`GridWorld` has the rows of the package's environments (Chevalier-Boisvert et al., *Minigrid & Miniworld*,
NeurIPS 2023) as arrays: row ``i``, seeded as Gymnasium seeds it and given the same actions, shows, pays and ends as
``gymnasium.make(id)`` does. ``step`` is ``MiniGridEnv.step`` with the task's rule (``minigrid_rules.py``), the view is
``MiniGridEnv.gen_obs``, and beginnings of episodes are the package's own (``minigrid_layouts.py``). Cells are bytes
(``minigrid_cells.py``), so that the view of a row of seven cells is one word of eight bytes and what hides it a table.

``tests/runtime/envs/test_minigrid_batch.py`` steps both in lockstep.

Deviation: ``pool`` draws that many beginnings once and lets episodes begin in one of them, drawn by the row's
generator; without it every episode is drawn anew, as in the package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils.seeding import np_random
from minigrid.core.constants import DIR_TO_VEC, OBJECT_TO_IDX
from minigrid.minigrid_env import MiniGridEnv
from numpy.typing import NDArray

from agentc.runtime.envs import minigrid_cells as cell
from agentc.runtime.envs.batch import Array, Mask, Seeds
from agentc.runtime.envs.minigrid_layouts import MARGIN, Layout, Layouts
from agentc.runtime.envs.minigrid_rules import DROP, PICKUP, TOGGLE, Moment, rule_of
from agentc.runtime.envs.minigrid_signals import GridSignals
from agentc.runtime.envs.minigrid_view import can_replace
from agentc.runtime.envs.minigrid_words import COLOURS, named, words
from agentc.runtime.learn.episodes import generator_state, packed, restore_generator, unpacked

VIEW = 7
FORWARD = 2
_TURNS = np.array([3, 1, 0, 0, 0, 0, 0])
_STATE = ("cells", "hidden", "at", "direction", "carrying", "steps", "goal", "doors", "paid", "action")


def in_port(env: gymnasium.Env[Any, Any]) -> bool:
    """Whether :class:`GridWorld` has the task of ``env``: the standard view, and a rule for its ``step``."""
    bare = env.unwrapped
    return isinstance(bare, MiniGridEnv) and kind_in_port(type(bare)) and bare.agent_view_size == VIEW


def kind_in_port(kind: type[MiniGridEnv]) -> bool:
    """The same of a class of environments that look seven cells far."""
    return rule_of(kind) is not None and can_replace(kind) and kind.reset is MiniGridEnv.reset


class GridWorld:
    """N environments of the kind of ``env``, which :func:`in_port` accepts; ``env`` draws the layouts from now on.

    Args:
        env: an ``ArrayObservation`` of the package's environment; it is not to be stepped any more.
        num_envs: how many environments, N.
        pool: how many beginnings of episodes there are; 0 draws each anew.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], num_envs: int, *, pool: int = 0) -> None:
        bare = env.unwrapped
        assert isinstance(bare, MiniGridEnv)
        rule = rule_of(type(bare))
        assert rule is not None
        self.num_envs, self.rule = num_envs, rule
        self.observation_space, self.action_space = env.observation_space, env.action_space
        assert isinstance(env.observation_space, spaces.Dict)
        parts = env.observation_space.spaces
        self._full, self._tells = "carrying" in parts, "mission" in parts
        self._through = bare.see_through_walls
        self.layouts = Layouts(bare, rule)
        self.stride, self._size = self.layouts.stride, self.layouts.size
        n = num_envs
        self._base = np.arange(n) * self._size
        self.cells = np.full((n, self._size), cell.OUTSIDE, np.uint8)
        self.hidden = np.full((n, self._size), cell.EMPTY, np.uint8)
        self._flat, self._inside = self.cells.reshape(-1), self.hidden.reshape(-1)
        self.at, self.direction = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.carrying = np.zeros(n, np.uint8)
        """The byte of what each holds, 0 for nothing."""
        self._held_inside = np.full(n, cell.EMPTY, np.uint8)
        self.steps = np.zeros(n, np.int64)
        self.goal = np.zeros((n, rule.size), np.int64)
        self.doors = np.full((n, 1), -1, np.int64)
        """The cells of the doors of each row, in reading order; -1 where there are no more."""
        self.missions: list[str] = [""] * n
        self.named = np.zeros((n, len(COLOURS)), np.bool_)
        """Which colours the missions name."""
        self.paid, self.action = np.zeros(n, np.bool_), np.full(n, -1, np.int64)
        """Whether the task paid on the last step, and the last action (-1 at the beginning)."""
        self._words = np.zeros((n, *(parts["mission"].shape or ())), np.float32) if self._tells else None
        self._generators: list[np.random.Generator | None] = [None] * n
        self._pool_size, self._pool = pool, list[Layout]()
        self._ahead = np.array([dx + dy * self.stride for dx, dy in (v.tolist() for v in DIR_TO_VEC)])
        self._view = _view_offsets(self.stride)
        self._sight = cell.sight(VIEW)
        self._signals = GridSignals(self)

    # ------------------------------------------------------------ stepping

    def reset(self, where: Mask, seeds: Seeds | None = None) -> None:
        """Begin episodes in the rows of ``where``, with new generators for the ``seeds`` that are not None."""
        for row in np.flatnonzero(where).tolist():
            seed = None if seeds is None else seeds[row]
            generator = self._generators[row]
            if seed is not None or generator is None:
                generator = self._generators[row] = np_random(seed)[0]
            self._begin(row, self._drawn(generator))

    def step(self, actions: Array) -> tuple[NDArray[np.float64], Mask, Mask]:
        """Act in every row: what the task pays, ``terminated`` and ``truncated``, each ``(N,)``."""
        given = np.asarray(actions, np.int64)
        acting = np.where(given == PICKUP, TOGGLE, given) if self.rule.toggles else given
        self.steps += 1
        ahead = self.front()
        index = self._base + ahead
        met = self._flat[index]
        moment = Moment(
            given, self.carrying.copy() if self.rule.size else self.carrying,
            cell.OPEN_DOOR[np.stack([self.at_goal(k) for k in range(self.rule.doors)], 1)]
            if self.rule.doors else np.zeros((0, 0), np.bool_),
            np.zeros(self.num_envs, np.bool_), np.zeros(self.num_envs, np.bool_),
        )  # fmt: skip
        self.direction = (self.direction + _TURNS[acting]) & 3
        moves = (acting == FORWARD) & cell.WALKABLE[met]
        self.at = np.where(moves, ahead, self.at)
        moment.success |= moves & cell.GOAL[met]
        moment.terminated |= moves & cell.ENDS[met]
        self._handle(acting, index, met)
        if self.rule.after is not None:
            self.rule.after(self, moment)
        self.paid, self.action = moment.success, given.copy()
        limit = self.layouts.max_steps
        reward = np.where(moment.success, 1 - 0.9 * (self.steps / limit), 0.0)
        return reward, moment.terminated, self.steps >= limit

    def _handle(self, actions: NDArray[np.int64], index: NDArray[np.int64], met: NDArray[np.uint8]) -> None:
        """Pick up, drop and toggle, in the rows that do."""
        hands = np.flatnonzero((actions >= PICKUP) & (actions <= TOGGLE))
        action, seen, held = actions[hands], met[hands], self.carrying[hands]
        picks = (action == PICKUP) & cell.PORTABLE[seen] & (held == 0)
        if picks.any():
            rows = hands[picks]
            self.carrying[rows], self._held_inside[rows] = seen[picks], self._inside[index[rows]]
            self._flat[index[rows]] = self._inside[index[rows]] = cell.EMPTY
        drops = (action == DROP) & (seen == cell.EMPTY) & (held != 0)
        if drops.any():
            rows = hands[drops]
            self._flat[index[rows]], self._inside[index[rows]] = self.carrying[rows], self._held_inside[rows]
            self.carrying[rows], self._held_inside[rows] = 0, cell.EMPTY
        toggles = action == TOGGLE
        if toggles.any():
            rows, seen, held = hands[toggles], seen[toggles], held[toggles]
            opens = cell.KEY_FOR[seen] == cell.KEY_COLOUR[held]
            after = np.where(opens, cell.UNLOCKED[seen], cell.TOGGLED[seen])
            boxes = cell.BOX[seen]
            after[boxes] = self._inside[index[rows[boxes]]]
            self._flat[index[rows]] = after
            self._inside[index[rows[boxes]]] = cell.EMPTY

    def front(self) -> NDArray[np.int64]:
        """The index of the cell before each agent."""
        found: NDArray[np.int64] = self.at + self._ahead[self.direction]
        return found

    def position(self, at: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Column and row of the agents, or of other indices ``(N,)`` or ``(N, k)``."""
        where = self.at if at is None else at
        return where % self.stride - MARGIN, where // self.stride - MARGIN

    def at_goal(self, k: int) -> NDArray[np.uint8]:
        """The cells at the ``k``-th index of the goals."""
        return self.look(self.goal[:, k])

    def look(self, at: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The cells at one index ``(N,)`` or several ``(N, k)`` of every row."""
        found: NDArray[np.uint8] = self._flat[(self._base if at.ndim == 1 else self._base[:, None]) + at]
        return found

    # ------------------------------------------------------------ what is seen

    def observation(self) -> dict[str, Array]:
        """What every row shows, by part, as ``ArrayObservation`` does."""
        made: dict[str, Array] = {"image": self._whole() if self._full else self._egocentric()}
        made["direction"] = self.direction
        if self._full:
            made["carrying"] = cell.HELD[self.carrying]
        if self._words is not None:
            made["mission"] = self._words
        return made

    def signals(self, names: Iterable[str]) -> dict[str, Array]:
        """The signals of ``std.env.minigrid`` as :mod:`agentc.runtime.labelling` takes them."""
        return self._signals.read(names)

    def _egocentric(self) -> NDArray[np.uint8]:
        """The images ``(N, 7, 7, 3)``, by column and row of the view."""
        seen = self._flat[np.take(self._view, self.direction, axis=0) + (self._base + self.at)[:, None]]
        rows = seen.view(np.uint64)  # (N, 7), a row of the view each
        if not self._through:
            rows &= self._visible(rows)
        images = seen.reshape(self.num_envs, VIEW, 8)[:, :, :VIEW].transpose(0, 2, 1)
        codes = np.ascontiguousarray(images)
        codes[:, VIEW // 2, VIEW - 1] = np.where(self.carrying == 0, cell.EMPTY, self.carrying)
        return np.take(cell.LOOKS, codes, axis=0)

    def _visible(self, rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Masks of the bytes that are seen, sight spreading from the agent's own row ahead."""
        spread, ahead = self._sight
        # the highest bits of eight bytes, gathered into one: bit i says that cell i hides what is behind it
        clear = (((~rows & _HIGH) >> np.uint64(7)) * _GATHER >> np.uint64(56)).astype(np.int64) & (1 << VIEW) - 1
        reached = np.full(self.num_envs, 1 << VIEW // 2, np.int64)
        masks = np.empty_like(rows)
        for j in reversed(range(VIEW)):
            key = reached << VIEW | clear[:, j]
            masks[:, j] = _BYTES[spread[key]]
            reached = ahead[key].astype(np.int64)
        return masks

    def _whole(self) -> NDArray[np.uint8]:
        """The whole grids ``(N, width, height, 3)`` with the agents in them."""
        width, height = self.layouts.width, self.layouts.height
        grids = self.cells.reshape(self.num_envs, -1, self.stride)[:, MARGIN : MARGIN + height, MARGIN : MARGIN + width]
        image = np.take(cell.LOOKS, grids.transpose(0, 2, 1), axis=0)
        x, y = self.position()
        rows = np.arange(self.num_envs)
        image[rows, x, y, 0], image[rows, x, y, 1] = OBJECT_TO_IDX["agent"], 0
        image[rows, x, y, 2] = self.direction
        return image

    # ------------------------------------------------------------ beginnings

    def _drawn(self, generator: np.random.Generator) -> Layout:
        if not self._pool_size:
            return self.layouts.draw(generator)
        while len(self._pool) < self._pool_size:  # one stream for all of it, of no row
            self._pool.append(self.layouts.draw(np_random(len(self._pool))[0]))
        return self._pool[int(generator.integers(self._pool_size))]

    def _begin(self, row: int, layout: Layout) -> None:
        self.cells[row], self.hidden[row] = layout.cells, layout.hidden
        self.at[row], self.direction[row] = layout.at, layout.direction
        self.carrying[row], self._held_inside[row], self.steps[row] = 0, cell.EMPTY, 0
        self.paid[row], self.action[row] = False, -1
        self.goal[row] = layout.goal
        more = len(layout.doors) - self.doors.shape[1]
        if more > 0:
            self.doors = np.pad(self.doors, ((0, 0), (0, more)), constant_values=-1)
        self.doors[row] = -1
        self.doors[row, : len(layout.doors)] = layout.doors
        self.missions[row], self.named[row] = layout.mission, named(layout.mission)
        if self._words is not None:
            self._words[row] = words(layout.mission)

    # ------------------------------------------------------------ going on

    def state(self) -> dict[str, Array]:
        """Everything that later steps depend on, as arrays by name."""
        kept = {name: getattr(self, name).copy() for name in _STATE} | {"inside": self._held_inside.copy()}
        generators = [None if g is None else generator_state(g) for g in self._generators]
        return kept | {"generators": packed(generators), "missions": packed(self.missions)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        if state["cells"].shape != self.cells.shape:
            raise ValueError(f"{len(state['cells'])} grids of {state['cells'].shape[1:]}, not {self.cells.shape}")
        for name in _STATE:
            setattr(self, name, np.array(state[name]))
        self._flat, self._inside = self.cells.reshape(-1), self.hidden.reshape(-1)
        self._held_inside = np.array(state["inside"])
        self.missions = list(unpacked(state["missions"]))
        self.named = np.stack([named(mission) for mission in self.missions])
        if self._words is not None:
            self._words = np.stack([words(mission) for mission in self.missions])
        for row, given in enumerate(unpacked(state["generators"])):
            generator = None if given is None else np_random(0)[0]
            if generator is not None:
                restore_generator(generator, given)
            self._generators[row] = generator


def _view_offsets(stride: int) -> NDArray[np.int64]:
    """From an agent's index to the cells in view, ``(4, 56)`` by direction: seven rows of eight, the farthest first."""
    found = []
    for dx, dy in (v.tolist() for v in DIR_TO_VEC):
        rx, ry = -dy, dx
        for forward in reversed(range(VIEW)):
            # the eighth cell of a row only fills the word; its bit is cut off
            for side in (*range(-(VIEW // 2), VIEW // 2 + 1), 0):
                found.append(dx * forward + rx * side + (dy * forward + ry * side) * stride)
    return np.array(found).reshape(4, VIEW * 8)


_HIGH = np.uint64(0x8080808080808080)
# bit 8 i of a word of zeros and ones moves to bit 56 + i: the sum over i of 2 ** (56 - 7 i)
_GATHER = np.uint64(sum(1 << 56 - 7 * i for i in range(8)))
_BYTES: NDArray[np.uint64] = np.array(
    [sum(0xFF << 8 * i for i in range(VIEW) if seen >> i & 1) for seen in range(1 << VIEW)], np.uint64
)
"""From the bits of the cells of a row to the bytes that they keep."""
