"""Demonstrations beside an on-policy objective: cloned before the first rollout, and in every gradient step.

After "Using Offline Data to Speed-up Reinforcement Learning in Procedurally Generated Environments" (Andres et al.,
2023, arXiv 2304.09825): a few trajectories are imitated as pre-training, or concurrently with the online objective, the
imitation loss weighted by a coefficient.

Deviations: the coefficient may change linearly over a share of the run; the optimiser's moments begin anew after
pre-training; the value function is not pre-trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.configuration import StartingConfig
from agentc.runtime.learn.demonstrations.recorded import Recorded
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.objectives.bc import imitation
from agentc.runtime.learn.optimizer import FlatAdam


@dataclass(frozen=True, slots=True)
class CloningConfig(StartingConfig):
    """What learners are told that imitate beside their own objective."""

    data: str = ""
    pretrain: int = 0
    imitation: float = 0.0
    imitation_end: float = 0.0
    imitation_share: float = 1.0
    imitation_batch: int = 256
    weighting: str = "uniform"
    weight_alpha: float = 0.1


class Cloning:
    """Recorded steps, and how much it counts to do as they did."""

    def __init__(self, architecture: Architecture, config: CloningConfig) -> None:
        """Raises :class:`AgentcError` (AS1532 to AS1534) for data that cannot be used."""
        self._config = config
        self._data = Recorded.load(
            Path(config.data), architecture, config.discount, config.weighting, config.weight_alpha
        )
        self._randomness = np.random.default_rng(0)
        self.weight = 0.0
        self._sum, self._count = 0.0, 0

    @property
    def concurrent(self) -> bool:
        """Whether gradient steps of the objective imitate too, now or later."""
        return self._config.imitation > 0.0 or self._config.imitation_end > 0.0

    def weight_at(self, steps: int) -> float:
        """The weight after ``steps`` steps."""
        c = self._config
        share = min(1.0, steps / (c.imitation_share * c.steps))
        return c.imitation + share * (c.imitation_end - c.imitation)

    def begin(self, steps: int, randomness: np.random.Generator) -> None:
        """Before an update that begins after ``steps`` steps; batches are drawn with ``randomness``."""
        self.weight, self._randomness = self.weight_at(steps), randomness
        self._sum, self._count = 0.0, 0

    def loss(self, network: ActorCritic) -> Tensor:
        """The mean imitation loss on a batch that is drawn."""
        found = self._loss(network)
        self._sum, self._count = self._sum + float(found.detach()), self._count + 1
        return found

    def _loss(self, network: ActorCritic) -> Tensor:
        batch = self._data.batch(self._config.imitation_batch, self._randomness)
        return imitation(network.policy(network.inputs(batch.observations)), torch.from_numpy(batch.actions)).mean()

    @property
    def mean_loss(self) -> float:
        """The mean of the losses of this update, 0 where there were none."""
        return self._sum / self._count if self._count else 0.0

    def pretrain(self, network: ActorCritic, optimizer: FlatAdam, randomness: np.random.Generator) -> None:
        """The gradient steps before the first rollout. Raises AS0942."""
        c, self._randomness = self._config, randomness
        for k in range(c.pretrain):
            optimizer.descend(self._loss(network), c.learning_rate, c.max_grad_norm, (0, k + 1))
        optimizer.forget()
