"""Training through the declared system: gradient ascent on the robustness of whole rollouts.

Source: Meng, Fan, *Signal Temporal Logic Neural Predictive Control*, arXiv 2309.05131, section IV: from a state, and
what else is given of the task, the network says the inputs of the whole horizon; they are rolled out through known
dynamics, and the smoothed robustness of the rollout is raised up to a margin. ``ahead = 0`` is that; with ``ahead =
k`` the network is asked again every ``k`` steps; with ``ahead = 1``, the default, it is a feedback law. Deviations: it
is told the time, because a formula is judged on the whole trace and not anew from every state; in half of the batches
it is asked again after a random number of steps, before its inputs are used up, so that a run can ask whenever it
likes; starts are drawn anew for every batch unless ``starts`` says how many there are (the paper's 50,000), and so are
disturbances.

Reproduce: ``agentc bench methods 30``, ``agentc bench npc``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from agentc.runtime.learn.acting import Actor, GreedyActor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.optimizer import FlatAdam, learned, restore_learned
from agentc.runtime.learn.predictive import Modelled, NPCConfig
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Array, VectorEnv
from agentc.runtime.planning.problem import Problem
from agentc.runtime.predictive.model import Model

SCALING = 256
"""Random rollouts that the inputs are scaled by."""
AGAIN = 0.5
"""How often a network that says the inputs of several steps is asked before they are used up."""


class PredictiveLearner:
    """A controller and its model; one call of :meth:`learn` is one gradient step over a batch of rollouts."""

    def __init__(
        self, architecture: Architecture, config: NPCConfig, generator: torch.Generator, problem: Problem
    ) -> None:
        self.architecture, self.config = architecture, config
        self.network = ActorCritic(architecture, generator)
        self.optimizer = FlatAdam(self.network)
        self.actor: Actor = GreedyActor(self.network)
        self.cycle = 0
        self.model = Model(problem, config.sharpness)
        drawn = self.model.simulator.start(np.random.default_rng([config.seed, 14]), config.starts)[0]
        self._kept = drawn if config.starts else None
        self._scale(problem, config.seed)

    def learn(self, trajectory: Trajectory | None, randomness: np.random.Generator, at: Moment) -> Mapping[str, float]:
        """One step up the robustness of a batch of rollouts, of each part as far as it is below the margin."""
        c, model, simulator = self.config, self.model, self.model.simulator
        start = self._starts(randomness)
        noise = torch.stack([simulator.noise(randomness, c.batch) for _ in range(model.last)], 1)
        ahead = min(self.network.architecture.action.size // len(model.problem.system.inputs), model.last)
        again = ahead > 1 and randomness.random() < AGAIN
        asked = int(randomness.integers(1, ahead)) if again else 0
        states, inputs = model.rollout(start, 0, self.network, noise, asked)
        trace = model.trace(states, inputs)
        loss = model.short(trace, c.margin).mean()
        norm = self.optimizer.descend(loss, c.rate(at.steps - 1), c.max_grad_norm, (at.steps, at.updates))
        exact = model.robustness(trace)
        return {
            "loss": float(loss.detach()),
            "robustness": float(exact.mean()),
            "satisfied": float((exact >= 0.0).mean()),
            "grad_norm": norm,
            "learning_rate": c.rate(at.steps - 1),
        }

    def state(self) -> dict[str, Array]:
        """Weights and optimiser."""
        return learned(self.network, self.optimizer)

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_learned(self.network, self.optimizer, state)

    def _starts(self, randomness: np.random.Generator) -> torch.Tensor:
        """Where the rollouts of a batch begin, ``(batch, n)``."""
        batch = self.config.batch
        if self._kept is None:
            return self.model.simulator.start(randomness, batch)[0]
        return self._kept[randomness.integers(len(self._kept), size=batch)]

    def _scale(self, problem: Problem, seed: int) -> None:
        """Scale what is read by the spread of rollouts with constant random inputs."""
        rng = np.random.default_rng([seed, 13])
        lo, hi = problem.input_range
        model = self.model
        start, _ = model.simulator.start(rng, SCALING)
        held = torch.tensor(rng.uniform(lo, hi, (SCALING, 1, len(lo)))).expand(-1, model.last, -1)
        with torch.no_grad():
            states, _ = model.rollout(start, 0, held)
            rows = torch.cat([model.seen(states[:, t], t) for t in range(model.last + 1)])
            spread = torch.quantile(rows[:: max(1, len(rows) // 10_000)].double(), 0.9, dim=0).abs()
            self.network.input_scale.copy_((1.0 / spread.clamp(0.1, 10.0)).float())


def npc(architecture: Architecture, config: NPCConfig, generator: torch.Generator, env: VectorEnv) -> PredictiveLearner:
    """The learner of ``train npc``. Raises ``TypeError`` where the environment has no problem."""
    if not isinstance(env, Modelled):
        raise TypeError("`npc` learns through a declared system: the environment has none")
    return PredictiveLearner(architecture, config, generator, env.problem)
