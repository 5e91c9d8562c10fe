"""Where episodes of MiniGrid begin: drawn by the package itself, kept as bytes.

An episode's layout is what the package's own ``reset`` makes of a random generator; nothing of how worlds are drawn
is built again here. What remains is reading the objects that it placed.
"""

from __future__ import annotations

from dataclasses import dataclass

import gymnasium
import numpy as np
from minigrid.core.world_object import Door, WorldObj
from minigrid.minigrid_env import MiniGridEnv
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.envs.minigrid_cells import EMPTY, OUTSIDE, code_of, contents_of
from agentc.runtime.envs.minigrid_rules import Rule

MARGIN = 6
"""Cells of wall around every grid: as far as the agent looks, so that no view leaves the array."""

UNDRAWN = (gymnasium.error.DependencyNotInstalled, OSError)
"""What drawing a world of the WFC family may raise: a package is missing, or its patterns."""


def undrawn(env: MiniGridEnv, error: Exception) -> AgentcError:
    """The error (AS0910) for a world that could not be drawn."""
    return AgentcError([report("AS0910", None, name=env, reason=error)])


@dataclass(frozen=True)
class Layout:
    """The beginning of an episode.

    ``cells`` and ``hidden`` uint8 ``((height + 12) * (width + 12),)``, row by row; ``hidden`` is what boxes contain.
    ``at`` and ``doors`` are indices into them, doors in reading order; ``goal`` is for the task's rule.
    """

    cells: NDArray[np.uint8]
    hidden: NDArray[np.uint8]
    at: int
    direction: int
    doors: tuple[int, ...]
    mission: str
    goal: tuple[int, ...]


class Layouts:
    """Draws the beginnings of episodes with one environment of the package, ``env``, which is used for nothing else."""

    def __init__(self, env: MiniGridEnv, rule: Rule) -> None:
        self._env, self._rule = env, rule
        self.width, self.height = env.width, env.height
        self.stride = env.width + 2 * MARGIN
        self.size = self.stride * (env.height + 2 * MARGIN)
        self.max_steps = env.max_steps
        env.gen_obs = dict  # type: ignore[method-assign]  # nobody looks

    def draw(self, generator: np.random.Generator) -> Layout:
        """The next episode of this generator, as the package begins it. Raises ``AgentcError`` (AS0910)."""
        env = self._env
        env.np_random = generator
        try:
            env.reset()
        except UNDRAWN as error:
            raise undrawn(env, error) from error
        wanted = None if self._rule.wanted is None else getattr(env, self._rule.wanted)
        found: list[WorldObj | None] = env.grid.grid
        inner = np.fromiter((_code(cell, wanted) for cell in found), np.uint8, len(found))
        cells = np.full((self.height + 2 * MARGIN, self.stride), OUTSIDE, np.uint8)
        cells[MARGIN:-MARGIN, MARGIN:-MARGIN] = inner.reshape(self.height, self.width)
        hidden = np.full(self.size, EMPTY, np.uint8)
        doors = []
        for i, cell in enumerate(found):
            if cell is None or cell.type == "wall":
                continue
            if isinstance(cell, Door):
                doors.append(self.index(i % self.width, i // self.width))
            elif cell.type == "box":
                hidden[self.index(i % self.width, i // self.width)] = contents_of(cell, wanted)
        x, y = env.agent_pos
        return Layout(
            cells.reshape(-1), hidden, self.index(int(x), int(y)), int(env.agent_dir), tuple(doors), env.mission,
            self._rule.goal(env, self.index),
        )  # fmt: skip

    def index(self, x: int, y: int) -> int:
        """The index of a cell by its column and row."""
        return (y + MARGIN) * self.stride + x + MARGIN


def _code(cell: WorldObj | None, wanted: WorldObj | None) -> int:
    return EMPTY if cell is None else code_of(cell, cell is wanted)
