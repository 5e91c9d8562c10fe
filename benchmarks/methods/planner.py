"""A planner for MiniGrid's DoorKey tasks: the shortest way to key, door and goal, as demonstrations.

Breadth-first search over where the agent is, where it looks, whether it has the key and whether the door is open. It
reads the grid, which the learner does not see.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.compiled import CompiledAgent

LEFT, RIGHT, FORWARD, PICKUP, TOGGLE = 0, 1, 2, 3, 5
STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))

Place = tuple[int, int, int, bool, bool]


class Planner:
    """Acts by the shortest plan of an episode; ``slip`` of its actions are drawn at random, and it plans anew."""

    def __init__(self, compiled: CompiledAgent, slip: float = 0.0) -> None:
        self._compiled, self._slip = compiled, slip
        self._world: Any = None

    def make(self) -> Any:
        """The environment of the spec, whose grid it reads from now on."""
        from agentc.runtime.spec_env import SpecEnv

        env = SpecEnv.make(self._compiled)
        self._world = env.unwrapped
        while not hasattr(self._world, "grid"):
            self._world = self._world.env.unwrapped
        return env

    def act(self, observation: Any, mask: Any, randomness: np.random.Generator | None) -> NDArray[np.int64]:
        """The next action of a shortest plan, ``(1,)``."""
        if randomness is not None and randomness.random() < self._slip:
            return np.array([int(randomness.integers(6))])
        return np.array([plan(self._world)[0]])


def plan(world: Any) -> list[int]:
    """Actions to the goal from where the agent is. Raises ``ValueError`` if there are none."""
    cells = {(i % world.grid.width, i // world.grid.width): cell for i, cell in enumerate(world.grid.grid) if cell}
    door = next(((at, cell) for at, cell in cells.items() if cell.type == "door"), None)
    x, y = (int(k) for k in world.agent_pos)
    start = (x, y, int(world.agent_dir), world.carrying is not None, door is None or bool(door[1].is_open))
    before: dict[Place, tuple[Place, int]] = {}
    queue, seen = deque([start]), {start}
    while queue:
        here = queue.popleft()
        x, y, direction, key, opened = here
        inside = cells.get((x, y))
        if inside is not None and inside.type == "goal":
            actions = []
            while here != start:
                here, action = before[here]
                actions.append(action)
            return actions[::-1]
        ahead = (x + STEPS[direction][0], y + STEPS[direction][1])
        front = cells.get(ahead)
        kind = "empty" if front is None or (front.type == "key" and key) else front.type
        moves = [((x, y, (direction - 1) % 4, key, opened), LEFT), ((x, y, (direction + 1) % 4, key, opened), RIGHT)]
        if kind in ("empty", "goal") or (kind == "door" and opened):
            moves.append(((*ahead, direction, key, opened), FORWARD))
        if kind == "key":
            moves.append(((x, y, direction, True, opened), PICKUP))
        if kind == "door" and key and not opened:
            moves.append(((x, y, direction, key, True), TOGGLE))
        for there, action in moves:
            if there not in seen:
                seen.add(there)
                before[there] = (here, action)
                queue.append(there)
    raise ValueError("the planner finds no way")


def demonstrations(compiled: CompiledAgent, episodes: int, seed: int, path: Path) -> Path:
    """Write as many planned episodes, each of a layout of its own, and say where."""
    from agentc.runtime.learn.demonstrations.recording import record

    planner = Planner(compiled)
    record(planner.make, planner, episodes, 1000 + seed, path)
    return path
