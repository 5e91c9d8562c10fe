"""Returns over ``n`` steps: a transition reaches ``n`` steps ahead, or to the end of its episode.

Sutton and Barto, "Reinforcement Learning: An Introduction" (2018), section 7.1, as in Hessel et al., "Rainbow"
(2018). Off-policy, without correction: that is what these learners do with it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions, joined
from agentc.runtime.learn.vector import Array


class NStep:
    """Turns the one-step transitions of ``envs`` environments, batch by batch, into those over ``n`` steps."""

    def __init__(self, steps: int, envs: int) -> None:
        self._n, self._envs = steps, envs
        self._waiting: list[dict[str, Array]] = []  # the last n - 1 rows (envs, ...), oldest first
        self._alive: list[Array] = []

    def __call__(self, one: Transitions, ended: Array, lost: Array | None = None) -> Transitions | None:
        """Take in the transitions of one step of every environment; those that are complete, if there are any.

        ``ended`` bool ``(envs,)``: where the episode ended on this step; ``lost`` bool ``(envs,)``: where this step
        is not known, and with it what the rows that wait would have earned.
        """
        if self._n == 1:
            return one
        now = one.columns()
        done: list[Transitions] = []
        known = np.ones(self._envs, np.bool_) if lost is None else ~lost
        for alive in self._alive:
            alive &= known
        # Every waiting row grows by this step where its episode still runs.
        for row, alive in zip(self._waiting, self._alive, strict=True):
            row["rewards"][alive] += row["discounts"][alive] * now["rewards"][alive]
            if "costs" in now:
                row["costs"][alive] += row["discounts"][alive, None] * now["costs"][alive]
            for name, array in now.items():
                if name.startswith("next_"):
                    row[name][alive] = array[alive]
            row["discounts"][alive] *= now["discounts"][alive]
        self._waiting.append({name: array.copy() for name, array in now.items()})
        self._alive.append(known.copy())
        if ended.any():
            for row, alive in zip(self._waiting, self._alive, strict=True):
                done += _taken(row, alive & ended)
                alive &= ~ended
        if len(self._waiting) == self._n:
            done += _taken(self._waiting.pop(0), self._alive.pop(0))
        return joined(done) if done else None

    def state(self) -> dict[str, Array]:
        """The rows that wait."""
        rows = {f"{i}/{name}": a for i, row in enumerate(self._waiting) for name, a in row.items()}
        return rows | {f"{i}/alive": a for i, a in enumerate(self._alive)}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        count = 1 + max((int(key.split("/")[0]) for key in state), default=-1)
        self._waiting, self._alive = [{} for _ in range(count)], [np.zeros(0)] * count
        for key, array in state.items():
            number, _, name = key.partition("/")
            if name == "alive":
                self._alive[int(number)] = array.copy()
            else:
                self._waiting[int(number)][name] = array.copy()


def _taken(row: Mapping[str, Array], where: Array) -> list[Transitions]:
    if not where.any():
        return []
    return [Transitions.of({name: array[where] for name, array in row.items()})]
