"""Deep Q-learning on counterfactual experience.

Source: Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR 73, 2022, section 4.2: every experience is
relabelled for every state in which a machine could have been, and learned from off-policy. Double Q-learning (van
Hasselt, Guez, Silver, AAAI 2016), a target network that follows slowly, Huber's loss.

Two deviations, for the same experience at a fraction of its cost. The replay keeps a step once, with the class of its
letter, and relabels when it is drawn; the published replay keeps every relabelled copy. And the network has one output
per machine state and action, over shared layers that read the environment's observation, where the published one takes
the state as an input: one pass values all states, so that a batch of B steps teaches B * U experiences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentc.runtime.learn.networks.machine_values import MachineValues
from agentc.runtime.learn.tabular import Step, epsilon_greedy
from agentc.runtime.machine_table import MachineTable

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CounterfactualConfig:
    """Settings of deep Q-learning on a machine table."""

    learning_rate: float = 5e-4
    discount: float = 0.9
    hidden: int = 256
    layers: int = 3
    batch: int = 64
    replay_size: int = 200_000
    tau: float = 0.005
    counterfactual: bool = True
    shaping: bool = False
    max_grad_norm: float = 10.0


_COLUMNS = ("before", "after", "states", "actions", "classes", "earlier", "over")


class StepReplay:
    """The last steps, each once: observations, action, letter class, and which states were possible before."""

    def __init__(self, size: int, observation: int) -> None:
        self.before = np.zeros((size, observation), np.float32)
        self.after = np.zeros((size, observation), np.float32)
        self.states = np.zeros(size, np.int64)
        self.actions = np.zeros(size, np.int64)
        self.classes = np.zeros(size, np.int64)
        self.earlier = np.full(size, -1, np.int64)
        """The class of the letter before; -1 at an episode's begin, where any state may be meant."""
        self.over = np.zeros(size, np.bool_)
        self.count = 0

    def add(self, step: Step, before: NDArray[np.float32], after: NDArray[np.float32]) -> None:
        """Keep N steps."""
        at = (self.count + np.arange(len(step.actions))) % len(self.actions)
        self.before[at], self.after[at] = before, after
        self.states[at], self.actions[at], self.classes[at] = step.states, step.actions, step.classes
        self.earlier[at], self.over[at] = step.earlier, step.over
        self.count += len(at)

    def state(self) -> dict[str, NDArray[Any]]:
        """The steps that are kept."""
        kept = min(self.count, len(self.actions))
        state = {name: getattr(self, name)[:kept] for name in _COLUMNS}
        return {**state, "count": np.array([self.count])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Back from :meth:`state`. Raises ``ValueError`` for another's."""
        for name in _COLUMNS:
            getattr(self, name)[: len(state[name])] = state[name]
        self.count = int(state["count"][0])

    def draw(self, size: int, randomness: np.random.Generator) -> Ints:
        """Rows to learn from."""
        return randomness.integers(min(self.count, len(self.actions)), size=size)


class CounterfactualQ:
    """Deep Q-learning with the machine's table."""

    def __init__(
        self, machine: MachineTable, size: int, actions: int, config: CounterfactualConfig, generator: torch.Generator
    ) -> None:
        self.machine, self.config = machine, config
        self.network = MachineValues(size, machine.size, actions, config.hidden, config.layers)
        self.network.initialise(generator)
        self.target = MachineValues(size, machine.size, actions, config.hidden, config.layers)
        self.target.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.Adam(self.network.parameters(), config.learning_rate)
        self.replay = StepReplay(config.replay_size, size)

    def act(
        self, observation: NDArray[np.float32], states: Ints, epsilon: float, randomness: np.random.Generator
    ) -> Ints:
        """Epsilon-greedy actions ``(N,)``."""
        with torch.inference_mode():
            q = self.network(torch.from_numpy(observation))[torch.arange(len(states)), torch.from_numpy(states)]
        return epsilon_greedy(q.numpy(), epsilon, randomness.random((len(q), q.shape[1] + 1)))

    def improve(self, randomness: np.random.Generator, rate: float | None = None) -> Mapping[str, float]:
        """One gradient step on a drawn batch, of step size ``rate`` (by default the configuration's); figures."""
        c, m, memory = self.config, self.machine, self.replay
        rows = memory.draw(c.batch, randomness)
        classes = memory.classes[rows]
        reward, shaping, following, ends = m.relabel(classes, memory.over[rows])
        if c.shaping:
            reward = reward + shaping
        earlier = memory.earlier[rows]
        if c.counterfactual:
            weight = m.could_be(earlier) & m.possible.T[classes]
        else:
            weight = np.zeros((len(rows), m.size), np.bool_)
            weight[np.arange(len(rows)), memory.states[rows]] = True
        with torch.no_grad():
            after = torch.from_numpy(memory.after[rows])
            best = self.network(after).argmax(2, keepdim=True)
            value = self.target(after).gather(2, best).squeeze(2).gather(1, torch.from_numpy(following))
            paid = torch.from_numpy(reward.astype(np.float32))
            goal = paid + c.discount * value * torch.from_numpy(~ends)
        every = self.network(torch.from_numpy(memory.before[rows]))
        taken = torch.from_numpy(memory.actions[rows])
        q = every[torch.arange(len(rows)), :, taken]
        counted = torch.from_numpy(weight)
        loss = nn.functional.smooth_l1_loss(q[counted], goal[counted], reduction="sum") / max(1, len(rows))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if c.max_grad_norm > 0.0:
            nn.utils.clip_grad_norm_(self.network.parameters(), c.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = c.learning_rate if rate is None else rate
        self.optimizer.step()
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.network.parameters(), strict=True):
                slow.lerp_(fast, c.tau)
        return {"loss": float(loss.detach()), "q": float(q.detach().mean())}

    def state(self) -> dict[str, NDArray[Any]]:
        """The replay, and the optimiser's moments by the number of the weight."""
        state = {f"replay/{name}": array for name, array in self.replay.state().items()}
        for number, values in self.optimizer.state_dict()["state"].items():
            state |= {f"adam/{number}/{name}": value.numpy() for name, value in values.items()}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Back from :meth:`state`."""
        self.replay.restore({k[7:]: a for k, a in state.items() if k.startswith("replay/")})
        moments: dict[int, dict[str, Tensor]] = {}
        for key, array in state.items():
            if key.startswith("adam/"):
                _, number, name = key.split("/")
                moments.setdefault(int(number), {})[name] = torch.from_numpy(np.array(array))
        whole = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**whole, "state": moments})
