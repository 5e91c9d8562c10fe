"""M9 relabel: counterfactual experience for learners that replay.

Source: Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR 73, 2022, section 4.2: in place of a step,
what it would have been in every state in which a machine could have been: the same observations and action, with the
state that is observed, what is paid and where the episode ends of that state. What is paid includes the shaping, if
the spec declares one. ``train crm`` does the same at a fraction of the cost for discrete actions.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.machine_table import MachineTable

AUTOMATON = "automaton"


class Counterfactual:
    """A :class:`~agentc.runtime.learn.slots.Relabel` of steps in environments with the table of their machines."""

    def __init__(self, machine: MachineTable, discount: float) -> None:
        self._machine, self._discount = machine, discount
        self._onehot = np.eye(machine.size, dtype=np.float32)

    def __call__(self, trajectory: Trajectory, transitions: Transitions) -> Transitions:
        """One transition for every step and every state that was possible before it, step by step."""
        m = self._machine
        read = {name: array.reshape(-1) for name, array in trajectory.monitors.items()}
        letter = read["letter"]
        reward, shaping, following, ends = m.relabel(letter, read["over"].astype(np.bool_))
        rows, states = np.nonzero(m.could_be(read["earlier"]) & m.possible.T[letter])
        many = transitions.take(rows)
        return replace(
            many,
            observations={**many.observations, AUTOMATON: self._onehot[states]},
            next_observations={**many.next_observations, AUTOMATON: self._onehot[following[rows, states]]},
            rewards=(reward + shaping)[rows, states].astype(np.float32),
            discounts=np.where(ends[rows, states], 0.0, self._discount).astype(np.float32),
        )
