"""Hierarchical learning from reward machines: an option for every edge, and a controller that chooses among them.

Source: Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR 73, 2022, section 4.3 (HRM). An option for
the edge from ``u`` to ``v`` ends when the machine leaves ``u``; it is paid 1 more if the edge was taken, and it
learns from every step, whatever option was acting. The controller's values are over pairs of observation and machine
state, and are updated when an option has ended, by what it earned and how long it took (Sutton, Precup, Singh, 1999).

Edges into the end of the episode have an option if they pay; edges into a state from which nothing more can be earned
have none. With ties and random choices as in :mod:`agentc.runtime.learn.tabular`. HRM need not find the optimal
policy: an option goes for its edge by the shortest way, whatever comes next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.tabular import QConfig, Step, epsilon_greedy
from agentc.runtime.machine_table import MachineTable

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
END = -1


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges that have options: ``source`` and ``target`` ``(K,)``, a target of -1 is the end of the episode.

    ``taken`` ``(K, C)`` is where a letter takes the edge, ``leaves`` ``(K, C)`` where it leaves the source by any edge.
    ``of_state`` ``(U, K)`` says which options can begin in a state.
    """

    source: Ints
    target: Ints
    taken: Mask
    leaves: Mask
    of_state: Mask


def edges_of(table: MachineTable) -> Edges:
    """The edges of the machines of a table."""
    promising = _promising(table)
    pairs: list[tuple[int, int]] = []
    for u in range(table.size):
        possible = table.possible[u]
        stays = possible & ~table.ends[u]
        pairs += [(u, int(v)) for v in np.unique(table.next[u, stays]) if v != u and promising[v]]
        if (possible & table.ends[u] & (table.reward[u] > 0)).any():
            pairs.append((u, END))
    source, target = (np.array(column, np.int64) for column in zip(*pairs, strict=True))
    ends, possible = table.ends[source], table.possible[source]
    moves = (table.next[source] != source[:, None]) & ~ends
    to_end = ends & (table.reward[source] > 0)
    taken = possible & np.where((target == END)[:, None], to_end, moves & (table.next[source] == target[:, None]))
    return Edges(source, target, taken, possible & (moves | ends), source[None, :] == np.arange(table.size)[:, None])


def _promising(table: MachineTable) -> Mask:
    """The states from which something can still be earned."""
    good: Mask = np.asarray((table.possible & (table.reward > 0)).any(axis=1))
    while True:
        more: Mask = np.asarray(good | (table.possible & ~table.ends & good[table.next]).any(axis=1))
        if (more == good).all():
            return good
        good = more


class OptionTables:
    """Tables of the options' and of the controller's values; environment ``i`` has table ``owner[i]``."""

    def __init__(self, machine: MachineTable, cells: int, actions: int, config: QConfig, owner: Ints) -> None:
        self.machine, self.config, self.owner = machine, config, owner
        self.edges = edges_of(machine)
        tables, k = int(owner.max()) + 1, len(self.edges.source)
        self.options = np.full((tables, cells, k, actions), config.initial, np.float64)
        self.controller = np.full((tables, cells, machine.size, k), config.initial, np.float64)
        n = len(owner)
        self.acting = np.full(n, -1, np.int64)
        """The option that acts in each environment, -1 where one is to be chosen."""
        self._began_cell, self._began_state = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._earned, self._weight = np.zeros(n), np.ones(n)
        self._rows = np.arange(n)

    def act(self, cells: Ints, states: Ints, randomness: np.random.Generator) -> Ints:
        """Choose an option where none acts, then an action; both epsilon-greedily."""
        return self.choose(cells, states, randomness.random((len(cells), self.ranks)))

    @property
    def ranks(self) -> int:
        """How many uniform numbers a choice takes."""
        return self.options.shape[3] + 1 + len(self.edges.source) + 2

    def choose(self, cells: Ints, states: Ints, ranks: Floats) -> Ints:
        """:meth:`act` with the randomness given, ``(N, ranks)``."""
        free = self.acting < 0
        actions = self.options.shape[3]
        if free.any():
            q = self.controller[self.owner[free], cells[free], states[free]].copy()
            legal = self.edges.of_state[states[free]]
            explores = ranks[free, -1] < self.config.epsilon
            q = np.where(legal, np.where(explores[:, None], 0.0, q), -np.inf)
            self.acting[free] = epsilon_greedy(q, 0.0, ranks[free, actions + 1 :])
            self._began_cell[free], self._began_state[free] = cells[free], states[free]
            self._earned[free], self._weight[free] = 0.0, 1.0
        q = self.options[self.owner, cells, self.acting]
        return epsilon_greedy(q, self.config.epsilon, ranks[:, : actions + 1])

    def update(self, step: Step, next_states: Ints, ended: Mask) -> None:
        """Learn from one step; ``next_states`` are the machines' states, ``ended`` is where an episode stopped."""
        self._learn_options(step)
        c, table = self.config, self.machine
        reward = np.where(
            step.over, table.final_reward[step.states, step.classes], table.reward[step.states, step.classes]
        )
        if c.shaping:
            reward = reward + np.where(
                step.over, table.final_shaping[step.states, step.classes], table.shaping[step.states, step.classes]
            )
        self._earned += self._weight * reward
        self._weight *= c.discount
        over = step.over | table.ends[step.states, step.classes]
        left = over | (next_states != step.states)
        rows = np.flatnonzero(left)
        if len(rows):
            q = self.controller[self.owner[rows], step.next_cells[rows], next_states[rows]]
            q = np.where(self.edges.of_state[next_states[rows]], q, -np.inf)
            best = np.where(over[rows], 0.0, q.max(axis=1))
            target = self._earned[rows] + self._weight[rows] * np.where(np.isfinite(best), best, 0.0)
            at = (self.owner[rows], self._began_cell[rows], self._began_state[rows], self.acting[rows])
            self.controller[at] += c.learning_rate * (target - self.controller[at])
        self.acting[left | ended] = -1

    def state(self) -> dict[str, NDArray[np.float64] | Ints]:
        """The tables and the options under way."""
        return {
            "options": self.options, "controller": self.controller, "acting": self.acting,
            "began_cell": self._began_cell, "began_state": self._began_state,
            "earned": self._earned, "weight": self._weight,
        }  # fmt: skip

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Back from :meth:`state`. Raises ``ValueError`` for another's."""
        for name, array in self.state().items():
            if state[name].shape != array.shape:
                raise ValueError(f"another table of {name}")
            array[...] = state[name]

    def _learn_options(self, step: Step) -> None:
        c, table, edges = self.config, self.machine, self.edges
        over = step.over[:, None]
        reward = np.where(over, table.final_reward.T[step.classes], table.reward.T[step.classes])[:, edges.source]
        if c.shaping:
            shaping = np.where(over, table.final_shaping.T[step.classes], table.shaping.T[step.classes])
            reward = reward + shaping[:, edges.source]
        taken = edges.taken.T[step.classes]
        reward = reward + taken
        done = edges.leaves.T[step.classes] | over
        best = self.options[self.owner, step.next_cells].max(axis=2)
        target = reward + c.discount * np.where(done, 0.0, best)
        every = (self.owner[:, None], step.cells[:, None], np.arange(len(edges.source)), step.actions[:, None])
        old = self.options[every]
        possible = (table.could_be(step.earlier) & table.possible.T[step.classes])[:, edges.source]
        self.options[every] = old + np.where(possible, c.learning_rate * (target - old), 0.0)
