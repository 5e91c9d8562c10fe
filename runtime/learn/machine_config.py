"""The configurations of the learners that read the table of a reward machine: ``train q`` and ``train crm``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from agentc.runtime.learn.configuration import CollectingConfig
from agentc.runtime.learn.vector import VectorEnv
from agentc.runtime.machine_table import MachineTable


@runtime_checkable
class WithMachines(Protocol):
    """An environment that follows the machines of a table and says of every step what they read."""

    @property
    def table(self) -> MachineTable:
        """The machines."""
        ...


def table_of(env: VectorEnv, algorithm: str) -> MachineTable:
    """The machines of an environment. Raises ``TypeError`` where it follows none."""
    if not isinstance(env, WithMachines):
        raise TypeError(f"`{algorithm}` learns from reward machines: the environment has no table of them")
    return env.table


@dataclass(frozen=True, slots=True)
class MachineConfig(CollectingConfig):
    """What both are told; see :data:`agentc.compiler.training_config.TRAINERS`."""

    counterfactual: bool = True


@dataclass(frozen=True, slots=True)
class QConfig(MachineConfig):
    """``train q``; the rates are those of the published experiments on grids."""

    algorithm: ClassVar[str] = "q"

    envs: int = 1
    rollout: int = 1000
    learning_rate: float = 0.5
    epsilon: float = 0.1
    initial: float = 1.0
    hierarchy: str = "none"
    layers: int = 0


@dataclass(frozen=True, slots=True)
class CRMConfig(MachineConfig):
    """``train crm``."""

    algorithm: ClassVar[str] = "crm"

    envs: int = 32
    learning_rate: float = 5e-4
    max_grad_norm: float = 10.0
    hidden: int = 256
    layers: int = 3
    activation: str = "relu"
    replay_size: int = 200_000
    batch: int = 64
    warmup: int = 2000
    exploration: float = 0.1
    epsilon_end: float = 0.02
    tau: float = 0.005
