"""The configurations of the learners that replay: DQN, SAC, TD3 and RLPD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agentc.runtime.learn.configuration import TrainingConfig


@dataclass(frozen=True, slots=True)
class OffPolicyConfig(TrainingConfig):
    """What all of them are told; see :data:`agentc.compiler.training_config.TRAINERS`."""

    envs: int = 1
    rollout: int = 500
    learning_rate: float = 3e-4
    max_grad_norm: float = 0.0
    hidden: int = 256
    activation: str = "relu"
    replay: str = "uniform"
    replay_size: int = 100_000
    batch: int = 256
    warmup: int = 1000
    train_every: int = 1
    updates: int = 1
    n_step: int = 1
    tau: float = 0.005


@dataclass(frozen=True, slots=True)
class DQNConfig(OffPolicyConfig):
    """``train dqn``."""

    algorithm: ClassVar[str] = "dqn"

    learning_rate: float = 1e-3
    max_grad_norm: float = 10.0
    hidden: int = 64
    batch: int = 64
    double: bool = True
    target_every: int = 1
    exploration: float = 0.3
    epsilon_start: float = 1.0
    epsilon_end: float = 0.05
