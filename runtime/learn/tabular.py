"""Q-learning in tables, with counterfactual experience.

Source: Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR 73, 2022: algorithm 1 (Q-learning on the
product of environment and machine) and section 4.2 (CRM: the update is made for every state in which a machine could
have been). Epsilon-greedy, optimistic initial values.

Vectorised over the automaton states and over the environments. Environments may share one table or have one each
(independent runs in step: what the benchmark does with seeds and maps). Deviation: environments that share a table and
meet the same entry on the same step make one update of it, the last one's; with one environment a table it is the
published algorithm, update by update.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.machine_table import MachineTable

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class QConfig:
    """Settings of tabular Q-learning; the defaults are those of the published experiments on grids."""

    learning_rate: float = 0.5
    epsilon: float = 0.1
    initial: float = 2.0
    discount: float = 0.9
    counterfactual: bool = True
    shaping: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One step of N environments on a machine table; arrays ``(N, ...)``.

    ``cells`` and ``next_cells`` are the observations before and after, ``states`` the machines' states before,
    ``classes`` the letters that were read, ``earlier`` those before them (-1 for none), ``over`` where the environment
    ended the episode.
    """

    cells: Ints
    states: Ints
    actions: Ints
    next_cells: Ints
    classes: Ints
    earlier: Ints
    over: Mask


class QTables:
    """``tables`` tables of values ``(S, U, A)``; environment ``i`` reads and writes table ``owner[i]``."""

    def __init__(self, machine: MachineTable, cells: int, actions: int, config: QConfig, owner: Ints) -> None:
        self.machine, self.config, self.owner = machine, config, owner
        self.values = np.full((int(owner.max()) + 1, cells, machine.size, actions), config.initial, np.float64)
        self._rows = self.values.reshape(-1, machine.size, actions)
        self._flat = self.values.reshape(-1)
        self._first = owner * cells
        self._stride = machine.size * actions
        self._states = np.arange(machine.size) * actions

    def act(self, cells: Ints, states: Ints, randomness: np.random.Generator) -> Ints:
        """Epsilon-greedy actions ``(N,)``; ties are broken at random."""
        q = self.values[self.owner, cells, states]
        return epsilon_greedy(q, self.config.epsilon, randomness.random((len(q), q.shape[1] + 1)))

    def greedy(self, cells: Ints, states: Ints) -> Ints:
        """The first best action."""
        best: Ints = self.values[self.owner, cells, states].argmax(axis=1)
        return best

    def update(self, step: Step) -> None:
        """Learn from one step."""
        c = self.config
        reward, shaping, following, ends = self.machine.relabel(step.classes, step.over)
        if c.shaping:
            reward = reward + shaping
        best = self._rows[self._first + step.next_cells].max(axis=2)  # (N, U)
        first = (self._first + step.cells) * self._stride + step.actions
        if not c.counterfactual:
            rows, u = np.arange(len(step.cells)), step.states
            target = reward[rows, u] + c.discount * np.where(ends[rows, u], 0.0, best[rows, following[rows, u]])
            at = first + self._states[u]
            self._flat[at] += c.learning_rate * (target - self._flat[at])
            return
        following += np.arange(len(best))[:, None] * best.shape[1]
        target = reward + c.discount * np.where(ends, 0.0, best.take(following))
        every = first[:, None] + self._states
        old = self._flat.take(every)
        possible = self.machine.could_be(step.earlier) & self.machine.possible.T[step.classes]
        self._flat[every] = old + np.where(possible, c.learning_rate * (target - old), 0.0)


def epsilon_greedy(q: Floats, epsilon: float, ranks: Floats) -> Ints:
    """Actions ``(N,)`` for values ``(N, A)``: with probability ``epsilon`` any, else a best one drawn at random.

    ``ranks`` ``(N, A + 1)`` are uniform numbers: one for every action, and one that decides whether to explore.
    """
    actions = q.shape[1]
    best = q == q.max(axis=1, keepdims=True)
    best |= (ranks[:, actions] < epsilon)[:, None]
    chosen: Ints = np.where(best, ranks[:, :actions], -1.0).argmax(axis=1)
    return chosen
