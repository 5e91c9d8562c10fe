"""The typed configuration that every learner shares; an algorithm adds its own fields.

Documented in :mod:`agentc.compiler.training_config`; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from gymnasium import Space

from agentc.compiler.settings import Scalar
from agentc.compiler.training_config import TRAINERS
from agentc.runtime.learn.vector import VectorEnv


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """What a run is told. ``discount`` is no setting: it is the reward's.

    ``rollout`` are the steps of each environment between two lines of the log.
    """

    algorithm: ClassVar[str] = ""

    steps: int = 100_000
    seed: int = 0
    rollout: int = 128
    learning_rate: float = 1e-3
    anneal: bool = False
    max_grad_norm: float = 0.5
    hidden: int = 64
    layers: int = 2
    activation: str = "tanh"
    encoder: str = "auto"
    normalize_observations: bool = False
    history: int = 0
    memory: str = "gru"
    symmetry: str = ""
    minutes: float = 0.0
    checkpoint: float = 30.0
    sentinel: str = "stop"
    discount: float = 0.99

    @classmethod
    def of(cls, settings: Mapping[str, Scalar], discount: float = 0.99) -> Self:
        """From a mapping that :func:`agentc.compiler.training_config.check_settings` has validated."""
        values: dict[str, Any] = dict(settings)
        return cls(**values, discount=discount)

    def to_data(self) -> dict[str, Scalar]:
        """What the schema of the algorithm names, and the discount, as JSON-ready data."""
        named = [setting.name for setting in TRAINERS[self.algorithm].settings]
        return {name: getattr(self, name) for name in (*named, "discount")}

    def refuse(self, env: VectorEnv) -> None:
        """Raise :class:`AgentcError` where this cannot be learned in an environment."""

    def unseen(self, observed: Space[Any]) -> tuple[str, ...]:
        """The parts of the observation that the policy does not read: the ``privileged`` ones."""
        return tuple(str(getattr(self, "privileged", "")).split())

    def rate(self, steps: int) -> float:
        """The step size after ``steps`` steps."""
        return self.learning_rate * (1.0 - steps / self.steps if self.anneal else 1.0)


@dataclass(frozen=True, slots=True)
class CollectingConfig(TrainingConfig):
    """What learners that act in environments are told besides."""

    envs: int = 8
    normalize_rewards: bool = False
    novelty: float = 0.0
    tasks: str = "together"


@dataclass(frozen=True, slots=True)
class StartingConfig(CollectingConfig):
    """What learners are told besides that can choose tasks and states to begin in; see ``starts.py``.

    ``workers`` are the processes that their environments are in, 0 for this one.
    """

    workers: int = 0
    teacher: str = "none"
    stages: str = ""
    stage_threshold: float = 0.9
    stage_every: int = 0
    fit_every: int = 250
    random_tasks: float = 0.2
    reset: str = "task"
    reset_data: str = ""
    reset_clusters: int = 6
    reset_until: int = 100_000
    reset_steps: int = 0
