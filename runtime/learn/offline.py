"""Learning from recorded data alone as a composition: data, weights, an objective on batches. It never acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.demonstrations.recorded import Recorded
from agentc.runtime.learn.demonstrations.windows import RecordedWindows
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.objectives.base import BatchObjective
from agentc.runtime.learn.objectives.bc import BC
from agentc.runtime.learn.objectives.decision import DecisionObjective
from agentc.runtime.learn.objectives.iql import IQL
from agentc.runtime.learn.objectives.td3 import TD3
from agentc.runtime.learn.off_policy_config import BCConfig, DTConfig, IQLConfig, OfflineConfig, TD3BCConfig
from agentc.runtime.learn.slots import Demonstrations, State
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array, VectorEnv


class OfflineLearner:
    """A file and an objective; one call of :meth:`learn` is one gradient step."""

    def __init__(
        self,
        architecture: Architecture,
        config: OfflineConfig,
        objective: BatchObjective,
        data: Demonstrations | None = None,
    ) -> None:
        """``data`` in place of single steps of the file; raises AS1532 to AS1534 for data that cannot be used."""
        self.architecture = architecture
        self.config = config
        self.objective = objective
        self.network, self.actor = objective.network, objective.actor
        self.cycle = 0
        self.data: Demonstrations
        if data is not None:
            self.data = data
            return
        self.data = recorded = Recorded.load(
            Path(config.data), architecture, config.discount, config.weighting, config.weight_alpha
        )
        if architecture.normalize:
            vectors = [p for p in architecture.parts if p.kind == "vector"]
            rows = [recorded.transitions.observations[p.key].reshape(len(recorded), p.size) for p in vectors]
            whole = np.concatenate(rows, axis=1).astype(np.float64)
            self.network.input_mean.copy_(torch.from_numpy(whole.mean(0)))
            self.network.input_scale.copy_(torch.from_numpy(1.0 / np.sqrt(whole.var(0) + 1e-8)))

    def learn(self, trajectory: Trajectory | None, randomness: np.random.Generator, at: Moment) -> Mapping[str, float]:
        """One gradient step on a drawn batch."""
        c = self.config
        batch = self.data.batch(c.batch, randomness)
        return self.objective.step(batch, c.rate(at.steps - 1), randomness, (at.steps, at.updates))

    def state(self) -> dict[str, Array]:
        """The objective's."""
        return self.objective.state()

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        self.objective.restore(state)


def bc(architecture: Architecture, config: BCConfig, generator: torch.Generator, env: VectorEnv) -> OfflineLearner:
    """The learner of ``train bc``."""
    return OfflineLearner(architecture, config, BC(architecture, config, generator))


def iql(architecture: Architecture, config: IQLConfig, generator: torch.Generator, env: VectorEnv) -> OfflineLearner:
    """The learner of ``train iql``."""
    return OfflineLearner(architecture, config, IQL(architecture, config, generator))


def dt(architecture: Architecture, config: DTConfig, generator: torch.Generator, env: VectorEnv) -> OfflineLearner:
    """The learner of ``train dt``, which is asked for the best return that was recorded, or for the one given."""
    data = RecordedWindows.load(Path(config.data), architecture, config.weighting, config.weight_alpha)
    wanted = data.best if config.target == "best" else config.target_return
    architecture = replace(architecture, target_return=wanted, return_scale=data.scale)
    return OfflineLearner(architecture, config, DecisionObjective(architecture, config, generator), data)


def td3_bc(
    architecture: Architecture, config: TD3BCConfig, generator: torch.Generator, env: VectorEnv
) -> OfflineLearner:
    """The learner of ``train td3_bc``."""
    return OfflineLearner(architecture, config, TD3(architecture, config, generator))
