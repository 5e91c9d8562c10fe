"""The best that can be had on a product of a known deterministic world and reward machines, by value iteration.

It is what the learning curves of Toro Icarte et al. (JAIR 73, 2022, section 6) are normalised by: the reward per step
of the optimal policy, acting epsilon-greedily as the learner does, per task.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.machine_table import MachineTable

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def value_iteration(
    table: MachineTable, moves: Ints, classes: Ints, discount: float, tolerance: float = 1e-7
) -> Floats:
    """The optimal action values ``(S, U, A)``.

    ``moves`` ``(S, A)`` are the cells that actions lead to, ``classes`` ``(S,)`` the letter classes of the cells.
    """
    c = classes[moves]  # (S, A)
    reward = np.moveaxis(table.reward[:, c], 0, 1)  # (S, U, A)
    ends = np.moveaxis(table.ends[:, c], 0, 1)
    following = np.moveaxis(table.next[:, c], 0, 1)
    cells = np.broadcast_to(moves[:, None, :], following.shape)
    q = np.zeros(following.shape)
    while True:
        values = q.max(axis=2)
        new = reward + discount * np.where(ends, 0.0, values[cells, following])
        change = float(np.abs(new - q).max())
        q = new
        if change <= tolerance:
            return q


def reward_per_step(
    table: MachineTable,
    moves: Ints,
    classes: Ints,
    start: int,
    q: Floats,
    epsilon: float,
    *,
    horizon: int = 1000,
) -> Floats:
    """The expected reward per step of an episode, for each task, ``(tasks,)``, of acting epsilon-greedily on ``q``.

    Exact, not sampled: the distribution over cells and states is propagated, and an episode of ``t`` steps that earned
    ``r`` counts ``r / t``. Of actions of equal value the last is taken, as in the published code. For machines that pay
    when they end.
    """
    cells, _, actions = q.shape
    choice = actions - 1 - q[:, :, ::-1].argmax(axis=2)
    found = np.zeros(len(table.tasks))
    c = classes[moves]
    for task in range(len(table.tasks)):
        mine = table.task_of == task
        mass = np.zeros((cells, table.size))
        mass[start, table.start[task, classes[start]]] = 1.0
        for t in range(1, horizon + 1):
            s, u = np.nonzero(mass)
            here = mass[s, u]
            new = np.zeros_like(mass)
            for a in range(actions):
                weight = here * (epsilon / actions + (1 - epsilon) * (choice[s, u] == a))
                column = c[s, a]
                found[task] += float((weight * table.reward[u, column]).sum()) / t
                stays = ~table.ends[u, column]
                np.add.at(new, (moves[s[stays], a], table.next[u[stays], column[stays]]), weight[stays])
            mass = new
            if mass[:, mine].sum() < 1e-9:
                break
    return found
