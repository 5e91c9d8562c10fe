"""The configurations of the learners that replay: DQN, SAC, TD3 and RLPD."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agentc.runtime.learn.configuration import StartingConfig, TrainingConfig


@dataclass(frozen=True, slots=True)
class OffPolicyConfig(StartingConfig):
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
    outcome_share: float = 0.25
    counterfactual: bool = False


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
    shield: bool = False


@dataclass(frozen=True, slots=True)
class SoftConfig(OffPolicyConfig):
    """What ``sac`` and ``rlpd`` are told."""

    critics: int = 2
    layer_norm: bool = False
    entropy_weight: float = 0.0
    initial_temperature: float = 1.0
    target_entropy: float = 0.6
    privileged: str = ""


@dataclass(frozen=True, slots=True)
class SACConfig(SoftConfig):
    """``train sac``."""

    algorithm: ClassVar[str] = "sac"

    box: str = ""
    box_width: float = 0.2
    box_share: float = 0.5
    budget_kp: float = 0.1
    budget_ki: float = 0.01
    budget_kd: float = 0.01


@dataclass(frozen=True, slots=True)
class RLPDConfig(SoftConfig):
    """``train rlpd``: ``data`` fills ``prior_share`` of each batch."""

    algorithm: ClassVar[str] = "rlpd"

    critics: int = 10
    layer_norm: bool = True
    updates: int = 10
    data: str = ""
    prior_share: float = 0.5


@dataclass(frozen=True, slots=True)
class TD3Config(OffPolicyConfig):
    """``train td3``."""

    algorithm: ClassVar[str] = "td3"

    policy_delay: int = 2
    target_noise: float = 0.2
    target_clip: float = 0.5
    exploration_noise: float = 0.1
    bc_alpha: float = 0.0
    box: str = ""
    box_width: float = 0.2
    box_share: float = 0.5
    privileged: str = ""


@dataclass(frozen=True, slots=True)
class OfflineConfig(TrainingConfig):
    """What learners from recorded data are told; ``steps`` are gradient steps.

    ``weighting`` draws ``uniform``, or by ``return`` or ``advantage`` with ``softmax(x / weight_alpha)``.
    """

    rollout: int = 500
    learning_rate: float = 3e-4
    max_grad_norm: float = 0.0
    hidden: int = 256
    activation: str = "relu"
    batch: int = 256
    data: str = ""
    weighting: str = "uniform"
    weight_alpha: float = 0.1


@dataclass(frozen=True, slots=True)
class BCConfig(OfflineConfig):
    """``train bc``."""

    algorithm: ClassVar[str] = "bc"


@dataclass(frozen=True, slots=True)
class DTConfig(OfflineConfig):
    """``train dt``; ``history`` are the steps of a window."""

    algorithm: ClassVar[str] = "dt"

    learning_rate: float = 1e-3
    max_grad_norm: float = 0.25
    hidden: int = 64
    layers: int = 3
    batch: int = 64
    history: int = 20
    target: str = "best"
    target_return: float = 0.0


@dataclass(frozen=True, slots=True)
class IQLConfig(OfflineConfig):
    """``train iql``."""

    algorithm: ClassVar[str] = "iql"

    expectile: float = 0.7
    beta: float = 3.0
    tau: float = 0.005


@dataclass(frozen=True, slots=True)
class TD3BCConfig(OfflineConfig):
    """``train td3_bc``."""

    algorithm: ClassVar[str] = "td3_bc"

    policy_delay: int = 2
    target_noise: float = 0.2
    target_clip: float = 0.5
    bc_alpha: float = 2.5
    tau: float = 0.005
