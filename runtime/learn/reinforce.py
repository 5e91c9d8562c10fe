"""The policy gradient of whole returns: ``train reinforce``.

Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning" (1992), with the
return that is still to come (Sutton and Barto, "Reinforcement Learning: An Introduction", 2018, section 13.3) and,
unless ``baseline = false``, a learned value subtracted from it (section 13.4).

It is PPO's learner with one gradient step on all of a rollout: the ratio is 1 there, so that no clip is reached and the
gradient of the surrogate is that of the log-probabilities times the advantages (a test compares them).

Deviations: a return that the end of a rollout or a limit of time cuts is completed by the critic, with a baseline or
without; advantages are normalised over the rollout; every step counts alike, whatever its discount.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.ppo import PPOConfig, PPOLearner
from agentc.runtime.learn.vector import VectorEnv


@dataclass(frozen=True, slots=True)
class ReinforceConfig(PPOConfig):
    """The settings of ``train reinforce``; of PPO's, those that its schema does not name are fixed."""

    algorithm: ClassVar[str] = "reinforce"

    epochs: int = 1
    minibatches: int = 1
    credit: str = "return_to_go"
    baseline: bool = True


def reinforce(
    architecture: Architecture, config: ReinforceConfig, generator: torch.Generator, env: VectorEnv
) -> PPOLearner:
    """The learner of ``train reinforce``."""
    learner = PPOLearner(architecture, config, generator)
    learner.baseline = config.baseline
    return learner
