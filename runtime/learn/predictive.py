"""The configuration of ``train npc``; its learner is in :mod:`agentc.runtime.predictive`, for it needs a system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.planning.problem import Problem


@dataclass(frozen=True, slots=True)
class NPCConfig(TrainingConfig):
    """The settings of ``train npc``, documented in :data:`agentc.compiler.training_systems.NPC`."""

    algorithm: ClassVar[str] = "npc"

    steps: int = 2000
    rollout: int = 20
    learning_rate: float = 3e-3
    anneal: bool = True
    normalize_observations: bool = True
    max_grad_norm: float = 1.0
    batch: int = 128
    starts: int = 0
    ahead: int = 1
    margin: float = 0.1
    sharpness: float = 10.0
    predict_every: int = 5
    search: int = 0
    refine: int = 60
    backup: str = ""


@runtime_checkable
class Modelled(Protocol):
    """An environment whose problem, a declared system and formulas, is known to who learns in it."""

    @property
    def problem(self) -> Problem:
        """The problem."""
        ...
