"""``train q``: tabular learning as a composition for the loop.

The environment observes one number, of a cell and a machine state. The deployed network is one linear layer on that
number, one-hot, which is a table; it is filled from the learner's values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agentc.runtime.learn.acting import Actor
from agentc.runtime.learn.architecture import ActionHead, Architecture
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.machine_config import QConfig, table_of
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.objectives.base import named
from agentc.runtime.learn.optimizer import weights_of
from agentc.runtime.learn.options import OptionTables
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.tabular import QTables, Step, epsilon_greedy
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array, VectorEnv
from agentc.runtime.machine_table import MachineTable


class TableActor:
    """Acts from the tables."""

    def __init__(self, head: ActionHead, tables: QTables | OptionTables) -> None:
        self.head, self._tables = head, tables

    def noise(self, steps: int, num_envs: int, taken: int, randomness: np.random.Generator) -> Array:
        """Uniform numbers for the choices, ``(steps, num_envs, ranks)``."""
        ranks = self._tables.ranks if isinstance(self._tables, OptionTables) else self.head.size + 1
        return randomness.random((steps, num_envs, ranks))

    def act(self, observation: Mapping[str, Array], mask: NDArray[np.bool_] | None, noise: Array) -> Array:
        """Epsilon-greedy."""
        tables = self._tables
        cells, states = np.divmod(observation[""].astype(np.int64), tables.machine.size)
        if isinstance(tables, OptionTables):
            return tables.choose(cells, states, noise)
        return epsilon_greedy(tables.values[tables.owner, cells, states], tables.config.epsilon, noise)


class TableLearner:
    """Q-learning with counterfactual experience, or options for the edges of the machines (``hierarchy = hrm``)."""

    cycle = 1

    def __init__(
        self, architecture: Architecture, config: QConfig, generator: torch.Generator, machine: MachineTable
    ) -> None:
        from agentc.runtime.learn.tabular import QConfig as Rates

        self.architecture, self.config, self.machine = architecture, config, machine
        (part,) = architecture.parts
        cells, actions = part.size // machine.size, architecture.action.size
        rates = Rates(
            config.learning_rate, config.epsilon, config.initial, config.discount, config.counterfactual,
            bool(np.any(machine.shaping)),
        )  # fmt: skip
        owner = np.zeros(config.envs, np.int64)
        self.tables: QTables | OptionTables
        if config.hierarchy == "hrm":
            self.tables = OptionTables(machine, cells, actions, rates, owner)
        else:
            self.tables = QTables(machine, cells, actions, rates, owner)
        self.actor: Actor = TableActor(architecture.action, self.tables)
        self._network = ActorCritic(architecture, generator)

    @property
    def network(self) -> ActorCritic:
        """The values as a linear layer on the one-hot observation."""
        layer: Any = self._network.actor[-1]
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self._values().reshape(-1, self.architecture.action.size).T))
            layer.bias.zero_()
        return self._network

    def learn(self, trajectory: Trajectory | None, randomness: np.random.Generator, at: Moment) -> Mapping[str, float]:
        """One update per step."""
        assert trajectory is not None
        read = trajectory.monitors
        for t in range(trajectory.steps):
            cells = trajectory.observations[""][t].astype(np.int64) // self.machine.size
            later = trajectory.observations[""][t + 1] if t + 1 < trajectory.steps else trajectory.last_observation[""]
            following = later.astype(np.int64) // self.machine.size
            cut = trajectory.finals.step == t
            following[trajectory.finals.env[cut]] = (
                trajectory.finals.observation[""][cut].astype(np.int64) // self.machine.size
            )
            step = Step(
                cells, read["state"][t], trajectory.actions[t].astype(np.int64), following, read["letter"][t],
                read["earlier"][t], read["over"][t],
            )  # fmt: skip
            if isinstance(self.tables, OptionTables):
                ended = trajectory.terminated[t] | trajectory.truncated[t]
                self.tables.update(step, read["next_state"][t], ended)
            else:
                self.tables.update(step)
        return {}

    def state(self) -> dict[str, Array]:
        """The tables, and the network that is read off them."""
        tables = self.tables
        state = named("network", weights_of(self.network))
        if isinstance(tables, OptionTables):
            return state | named("table", tables.state())
        return state | {"table/values": tables.values}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        tables = self.tables
        if isinstance(tables, OptionTables):
            tables.restore({k[6:]: a for k, a in state.items() if k.startswith("table/")})
        else:
            if state["table/values"].shape != tables.values.shape:
                raise ValueError("another table of values")
            tables.values[:] = state["table/values"]

    def _values(self) -> NDArray[np.float64]:
        """``(S, U, A)``: of options, those of the option that the controller would choose."""
        tables = self.tables
        if isinstance(tables, QTables):
            return np.asarray(tables.values[0])
        legal = tables.edges.of_state[None]
        best = np.where(legal, tables.controller[0], -np.inf).argmax(axis=2)
        return np.asarray(tables.options[0][np.arange(len(best))[:, None], best])


def q(architecture: Architecture, config: QConfig, generator: torch.Generator, env: VectorEnv) -> TableLearner:
    """The learner of ``train q``."""
    return TableLearner(architecture, config, generator, table_of(env, config.algorithm))
