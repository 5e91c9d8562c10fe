"""Learning by gradients through the declared dynamics: a small policy of the state whose runs have robustness to spare.

K. Leung, N. Arechiga, M. Pavone: "Backpropagation through signal temporal logic specifications", IJRR 42, 2023:
gradients of robustness through a simulator. Deviations: the loss of a run is how far its robustness falls short of a
margin, mean and worst of a batch together; a part of each batch begins in states that a verifier could not prove or has
refuted (:class:`~agentc.runtime.learn.resets.counterexamples.Counterexamples`), after the loop of counterexamples of
Chang, Roohi, Gao, "Neural Lyapunov Control", NeurIPS 2019, section 3.

The policy reads the states in the order of their declaration and nothing else, so that what is trained is what a
verifier of closed loops reads. A disturbance is drawn anew for each step of each run, at its ends half of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from agentc.compiler.agent import AgentIR, FormulaIR
from agentc.compiler.logic.ir import and_
from agentc.compiler.signals.robustness import compile_robustness
from agentc.compiler.signals.torch_robustness import robustness_at
from agentc.compiler.systems.initial import initial_boxes
from agentc.compiler.training_config import proved_names
from agentc.runtime.learn.acting import Actor, GreedyActor
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.closed_loop import ClosedLoop
from agentc.runtime.learn.descent_config import DescentConfig, agent_of
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.networks.actor_critic import ActorCritic, Inputs
from agentc.runtime.learn.optimizer import FlatAdam, learned, restore_learned
from agentc.runtime.learn.resets.counterexamples import Counterexamples
from agentc.runtime.learn.slots import Reset, State
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.tube import TubeBound, Zonotope, activated, through
from agentc.runtime.learn.vector import Array, VectorEnv
from agentc.runtime.simulate import TorchSimulator

SINGLE = torch.float32

FAR = 10.0
"""An overlap beyond which tubes have grown out of use: no gradient goes back from there."""


class DescentLearner:
    """Runs of the declared system under the policy, and the robustness of the agent's formulas."""

    def __init__(
        self, architecture: Architecture, config: DescentConfig, generator: torch.Generator, agent: AgentIR
    ) -> None:
        """``agent`` is one that :func:`~agentc.runtime.learn.descent_config.refusal` has nothing against."""
        self.architecture, self.config = architecture, config
        self.network = ActorCritic(architecture, generator)
        self.actor: Actor = GreedyActor(self.network)
        self.cycle = 0
        self.starts: Counterexamples | None = None
        assert agent.system is not None and agent.environment is not None and agent.environment.horizon is not None
        self._simulator = TorchSimulator(agent.system, dtype=SINGLE)
        self._steps = agent.environment.horizon
        names = [v.name for v in agent.system.states]
        signals = {s.name: s for s in agent.declared}
        whole = and_(*(f.formula for f in judged(agent)))
        self._boxes = initial_boxes(agent.system)
        self._tube = TubeBound(agent, whole, self._simulator, self._steps) if config.tube > 0 else None
        self._robustness = compile_robustness(whole, [signals[name] for name in names])
        self._loop = ClosedLoop(self._simulator, self._seen, SINGLE)
        self._scaled(architecture, agent)
        self._optimizer = FlatAdam(self.network)

    def _scaled(self, architecture: Architecture, agent: AgentIR) -> None:
        """States that begin far from zero are read on the scale of where they begin."""
        if not architecture.normalize:
            return
        assert agent.system is not None
        boxes = initial_boxes(agent.system)
        reach = np.max([np.maximum(np.abs(b.lo), np.abs(b.hi)) for b in boxes], axis=0)
        at = 0
        for part in architecture.parts:
            if part.kind == "vector":
                if part.key not in architecture.privileged:
                    scale = torch.from_numpy(1.0 / np.maximum(reach, 1.0))
                    self.network.input_scale[at : at + part.size] = scale.to(SINGLE)
                at += part.size

    def learn(self, trajectory: Trajectory | None, randomness: np.random.Generator, at: Moment) -> Mapping[str, float]:
        """One step down the gradient of a batch of runs."""
        c = self.config
        states = self.runs(self._begun(randomness), randomness)
        value = robustness_at(self._robustness, states)
        wanted = c.margin * (1.0 if self.starts is None else self.starts.pressure)
        short = torch.relu(wanted - value)
        loss = short.mean() + short.max()
        worst = float(value.detach().min())
        figures = {"robustness": float(value.detach().mean()), "worst": worst}
        if self._tube is not None:
            sure = self._tube(*self._cells(randomness), self._inputs_of_set)
            overlap = torch.relu(-sure).clamp(max=FAR)
            loss = loss + c.tube * overlap.mean()
            figures["tube"] = float(sure.detach().min())
        figures = {"loss": float(loss.detach()), **figures}
        if float(loss.detach()) == 0.0:
            return figures
        rate = c.rate(at.steps - 1)
        norm = self._optimizer.descend(loss, rate, c.max_grad_norm, (at.steps, at.updates))
        return {**figures, "gradient_norm": norm}

    def begins(self, reset: Reset | None) -> None:
        """Starts in which proofs have failed, to begin in besides."""
        self.starts = reset if isinstance(reset, Counterexamples) else None

    def runs(self, start: torch.Tensor, randomness: np.random.Generator) -> torch.Tensor:
        """States ``(batch, steps + 1, n)`` of runs from ``(batch, n)`` under the policy as it is."""
        noise = torch.stack([self._disturbed(randomness, len(start)) for _ in range(self._steps)], 1)
        return self._loop.run(self.network, start, noise)[0]

    def _seen(self, x: torch.Tensor, t: int) -> Inputs:
        """The states, whatever the time; what is privileged is blank."""
        given: list[torch.Tensor] = []
        for part in self.architecture.parts:
            hidden = part.key in self.architecture.privileged
            given.append(torch.zeros((len(x), *part.read), dtype=SINGLE) if hidden else x)
        return tuple(given)

    def _inputs_of_set(self, x: Zonotope) -> Zonotope:
        """The inputs of the policy, of a set of states ``(n, batch)``."""
        if self.architecture.normalize:
            n = len(x.c)
            at = sum(p.size for p in self.architecture.parts[: self._shown()] if p.kind == "vector")
            scale = self.network.input_scale[at : at + n, None]
            mean = self.network.input_mean[at : at + n, None]
            x = Zonotope((x.c - mean) * scale, x.g * scale[..., None], x.r * scale)
        out = activated(through(self.network.actor, x), tanh=True)
        half = self._loop.half[:, None]
        return Zonotope(self._loop.middle[:, None] + half * out.c, half[..., None] * out.g, half * out.r)

    def _shown(self) -> int:
        """Which part of what is read is the state."""
        return next(i for i, p in enumerate(self.architecture.parts) if p.key not in self.architecture.privileged)

    def _cells(self, randomness: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Parts of the starts for tubes, both ``(tubes, n)``; half of them where a proof has failed."""
        c = self.config
        lo, hi = np.empty((2, c.tubes, self._boxes[0].lo.size))
        for row in range(c.tubes):
            box = self._boxes[int(randomness.integers(len(self._boxes)))]
            middle = box.lo + randomness.random(box.lo.shape) * (box.hi - box.lo)
            if self.starts is not None and len(self.starts.states) and row % 2:
                middle = self.starts.states[int(randomness.integers(len(self.starts.states)))]
            half = (box.hi - box.lo) / (2 * c.cells)
            middle = np.clip(middle, box.lo + half, box.hi - half)
            lo[row], hi[row] = middle - half, middle + half
        return torch.from_numpy(lo).to(SINGLE), torch.from_numpy(hi).to(SINGLE)

    def _begun(self, randomness: np.random.Generator) -> torch.Tensor:
        """Where the runs of a batch begin: where the system begins, and where a proof failed."""
        start, _ = self._simulator.numpy.start(randomness, self.config.batch)
        if self.starts is not None and len(self.starts.states):
            hard = int(self.config.hard * self.config.batch)
            rows = randomness.integers(len(self.starts.states), size=hard)
            start[:hard] = self.starts.states[rows]
        return torch.from_numpy(start).to(SINGLE)

    def _disturbed(self, randomness: np.random.Generator, batch: int) -> torch.Tensor:
        uniform = randomness.random((batch, len(self._simulator.system.disturbances)))
        ends = randomness.random(uniform.shape) < 0.5
        drawn = np.where(ends, np.where(uniform < 0.5, 0.0, np.nextafter(1.0, 0.0)), uniform)
        return torch.from_numpy(self._simulator.numpy.noise_of(drawn)).to(SINGLE)

    def state(self) -> dict[str, Array]:
        """The weights and the optimiser's moments."""
        return learned(self.network, self._optimizer)

    def restore(self, state: State) -> None:
        """Back from :meth:`state`."""
        restore_learned(self.network, self._optimizer, state)


def descent(
    architecture: Architecture, config: DescentConfig, generator: torch.Generator, env: VectorEnv
) -> DescentLearner:
    """The learner of ``train descent``."""
    return DescentLearner(architecture, config, generator, agent_of(env))


def judged(agent: AgentIR) -> Sequence[FormulaIR]:
    """The formulas whose robustness is trained: those that the training is to end with proved, else tasks and safes."""
    names = proved_names(None if agent.train is None else agent.train.until)
    return [f for f in agent.of_role("task", "safe") if not names or f.name in names]
