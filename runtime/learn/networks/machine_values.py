"""A network of action values with one output for every state of the reward machines, over shared layers.

The parts of its observation are the environment's own and the state of the machines, one-hot; the state selects the
outputs and is read by no layer.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.distributions import Distribution, Point
from agentc.runtime.learn.networks.actor_critic import ActorCritic, Inputs
from agentc.runtime.learn.networks.encoders import encoder_of
from agentc.runtime.learn.vector import Array

OBSERVATION, AUTOMATON = "observation", "automaton"


class MachineValues(nn.Module):
    """Values ``(batch, U, A)`` of observations ``(batch, size)``."""

    def __init__(self, size: int, states: int, actions: int, hidden: int, layers: int) -> None:
        super().__init__()
        widths = [size, *[hidden] * layers]
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            blocks += [nn.Linear(before, after), nn.ReLU()]
        self.body = nn.Sequential(*blocks)
        self.heads = nn.Linear(widths[-1], states * actions)
        self.shape = states, actions

    def forward(self, observation: Tensor) -> Tensor:
        """All values."""
        out: Tensor = self.heads(self.body(observation))
        return out.reshape(*out.shape[:-1], *self.shape)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights; the values begin small."""
        with torch.no_grad():
            for weight in self.parameters():
                if weight.dim() == 2:
                    nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=generator)
                else:
                    weight.zero_()
            self.heads.weight.mul_(0.1)


class MachineNetwork(ActorCritic):
    """The deployed policy: greedy on the values of the machines' present states."""

    def __init__(self, architecture: Architecture, machine_values: MachineValues | None = None) -> None:
        nn.Module.__init__(self)
        self.architecture = architecture
        sizes = {p.key: p.size for p in architecture.parts}
        self._at = [p.key for p in architecture.parts].index(OBSERVATION)
        self._automaton = [p.key for p in architecture.parts].index(AUTOMATON)
        if machine_values is None:
            machine_values = MachineValues(
                sizes[OBSERVATION], sizes[AUTOMATON], architecture.action.size, architecture.hidden,
                architecture.layers,
            )  # fmt: skip
        self.machine_values = machine_values
        # Numbers of cells and codes become zeros and ones; these encoders have no weights.
        self._reader = encoder_of(architecture.parts[self._at], replace(architecture, encoder="dense"))[0]

    def rows(self, observation: Array) -> NDArray[np.float32]:
        """A batch of the environment's own observations as the layers read them, ``(batch, size)``."""
        part = self.architecture.parts[self._at]
        (made,) = self._inputs_of((part,), {part.key: observation})
        read: NDArray[np.float32] = self._reader(made).flatten(1).numpy()
        return read

    def values(self, inputs: Inputs) -> Tensor:
        """The values ``(batch, A)`` in the present states."""
        every = self.machine_values(self._reader(inputs[self._at]).flatten(1))
        chosen: Tensor = (every * inputs[self._automaton].unsqueeze(-1)).sum(1)
        return chosen

    def policy(self, inputs: Inputs, mask: Tensor | None = None) -> Distribution:
        """The best actions."""
        output = self.values(inputs)
        return Point(output if mask is None else output.masked_fill(~mask, -math.inf)).greedy()
