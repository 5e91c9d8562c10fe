"""The declared system of a problem under a policy that is told the time, in torch: rollouts with gradients."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from agentc.compiler.signals.robustness import Robustness, compile_robustness
from agentc.compiler.signals.smooth import smooth_value_and_gradient
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.learn.closed_loop import ClosedLoop
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.vector import Array, Observation, StepBatch
from agentc.runtime.planning.problem import Problem
from agentc.runtime.simulate import TorchSimulator

Floats = NDArray[np.float64]


class Model:
    """A problem's system and formulas, for many trajectories at once."""

    def __init__(self, problem: Problem, sharpness: float = 10.0) -> None:
        self.problem, self.sharpness = problem, sharpness
        self.simulator = TorchSimulator(problem.system)
        self.formula: Robustness = compile_robustness(problem.formula, problem.signals)
        core = problem.core
        self.parts = [compile_robustness(f, problem.signals) for f in (core.args if core.op == "and" else (core,))]
        """What the formulas are the conjunction of."""
        self.outputs = [i for i, v in enumerate(problem.system.states) if v.name in problem.system.outputs]
        self.loop = ClosedLoop(self.simulator, lambda state, t: (self.seen(state, t),))
        self.last = problem.last

    @property
    def size(self) -> int:
        """How many numbers a policy reads: the outputs, and the share of the time that has passed."""
        return len(self.outputs) + 1

    def seen(self, state: Tensor, t: int) -> Tensor:
        """What a policy reads, ``(batch, size)`` float32."""
        passed = torch.full((len(state), 1), t / max(self.last, 1), dtype=state.dtype)
        return torch.cat([state[:, self.outputs], passed], dim=1).float()

    def rollout(
        self, state: Tensor, first: int, policy: ActorCritic | Tensor, noise: Tensor | None = None, asked: int = 0
    ) -> tuple[Tensor, Tensor]:
        """States ``(batch, steps + 1, n)`` and inputs ``(batch, steps, m)`` from step ``first`` to the last one.

        ``policy`` is a network, or inputs ``(batch, steps, m)``; without ``noise`` disturbances are nominal. ``asked``:
        see :meth:`~agentc.runtime.learn.closed_loop.ClosedLoop.run`.
        """
        if noise is None:
            noise = torch.tensor(self.problem.disturbance).expand(len(state), self.last - first, -1)
        return self.loop.run(policy, state, noise, first, asked)

    def trace(self, states: Tensor, inputs: Tensor) -> Tensor:
        """Traces ``(batch, time, n + m)``, as the formulas read them: an input has the value that led to a step."""
        first = torch.zeros((len(states), 1, inputs.shape[2]), dtype=states.dtype)
        return torch.cat([states, torch.cat([first, inputs], dim=1)], dim=2)

    def robustness(self, trace: Tensor) -> Floats:
        """The exact robustness of whole traces, ``(batch,)``."""
        found: Floats = self.formula.robustness_at(trace.detach().numpy())
        return found

    def smooth(self, trace: Tensor) -> Tensor:
        """The smooth robustness (log-sum-exp) of each part, ``(parts, batch)``; gradients go through."""
        each = [_Smooth.apply(trace, part, self.sharpness) for part in self.parts]  # type: ignore[no-untyped-call]
        return torch.stack(each)

    def short(self, trace: Tensor, margin: float) -> Tensor:
        """How far each part falls short of a margin, summed, ``(batch,)``; gradients go through."""
        return torch.relu(margin - self.smooth(trace)).sum(0)


class _Smooth(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, trace: Tensor, formula: Robustness, sharpness: float) -> Tensor:
        value, gradient = smooth_value_and_gradient(formula, trace.detach().numpy(), beta=sharpness)
        ctx.gradient = torch.from_numpy(np.ascontiguousarray(gradient))
        return torch.from_numpy(np.ascontiguousarray(value))

    @staticmethod
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor, None, None]:
        return weights[:, None, None] * ctx.gradient, None, None


class ModelEnv:
    """The spaces of a policy that is trained in a model; it is never stepped.

    Its actions are the inputs of ``ahead`` steps (0: of all), each ``(m,)`` where they are of one step, else
    ``(ahead, m)``.

    A :class:`~agentc.runtime.learn.vector.VectorEnv` in form, so that the loop is the one of every learner.
    """

    num_envs = 1
    action_mask: NDArray[np.bool_] | None = None

    def __init__(self, problem: Problem, ahead: int = 1) -> None:
        self.problem = problem
        size = len([v for v in problem.system.states if v.name in problem.system.outputs]) + 1
        self.observation_space: gymnasium.Space[Any] = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        one = DeclaredEnv(problem.system, problem.last).action_space
        self.action_space: gymnasium.Space[Any] = repeated(one, min(ahead or problem.last, problem.last))

    def reset(self, seed: int | None) -> Observation:
        """Not asked for: the learner simulates."""
        raise RuntimeError("a model is simulated, not stepped")

    def step(self, actions: Array) -> StepBatch:
        """Not asked for: the learner simulates."""
        raise RuntimeError("a model is simulated, not stepped")

    def close(self) -> None:
        """Nothing is held."""


def repeated(space: gymnasium.Space[Any], steps: int) -> gymnasium.Space[Any]:
    """The space of the inputs of so many steps, of the space of those of one."""
    if steps == 1 or not isinstance(space, spaces.Box):
        return space
    low, high = (np.repeat(b[None], steps, 0) for b in (space.low, space.high))
    return spaces.Box(low, high, dtype=np.float32)
