"""Temporally grounded policy optimisation: PPO of a low level that is told plans, whose critic chooses among them.

Source: Meng, Chen, Fan, *TGPO: Temporal Grounded Policy Optimization for Signal Temporal Logic Tasks*,
arXiv 2510.00225. A composition: the plans, the observation and the reward are an environment
(:mod:`agentc.runtime.subgoals.vector`, slot M12), the objective is PPO's. What is here is where the two meet: the
environment asks the critic what a plan is worth. Reproduce: ``agentc bench stl-learning``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.ppo import PPOConfig, PPOLearner
from agentc.runtime.learn.slots import Worth
from agentc.runtime.learn.vector import VectorEnv


@dataclass(frozen=True, slots=True)
class TGPOConfig(PPOConfig):
    """The settings of ``train tgpo``, documented in :data:`agentc.compiler.training_systems.TGPO`."""

    algorithm: ClassVar[str] = "tgpo"

    envs: int = 64
    rollout: int = 64
    learning_rate: float = 1e-3
    normalize_observations: bool = True
    entropy_coef: float = 0.003
    pool: int = 512
    chain: int = 8
    temperature: float = 0.3
    fresh: float = 0.5
    explore: float = 0.2
    scored: int = 256
    rolled: int = 16


@runtime_checkable
class Guided(Protocol):
    """An environment that chooses by what the critic makes of the choices."""

    worth: Worth | None


def tgpo(architecture: Architecture, config: TGPOConfig, generator: torch.Generator, env: VectorEnv) -> PPOLearner:
    """The learner of ``train tgpo``: that of PPO, whose critic the environment asks."""
    learner = PPOLearner(architecture, config, generator)
    if isinstance(env, Guided):
        env.worth = learner.worth
    return learner
