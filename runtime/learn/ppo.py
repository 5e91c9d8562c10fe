"""Proximal policy optimisation.

Schulman et al., "Proximal Policy Optimization Algorithms" (2017): the clipped objective is equation 7, its
lower and upper clip may differ (``clip_low``, ``clip_high``; Yu et al., "DAPO", 2025, section 3.1). Details
after Huang et al., "The 37 Implementation Details of Proximal Policy Optimization" (2022): orthogonal
initial weights, Adam with epsilon 1e-5, annealed step size, advantages normalised per minibatch, gradient
norm clipped, value clipping off unless asked for, entropy bonus.

Deviations: values and log-probabilities of a rollout are computed in one pass after it, with the weights
that acted; illegal actions are masked out of the distribution (Huang and Ontañón, 2022).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentc.compiler.training_config import Scalar
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.advantages import generalized_advantages
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.networks import ActorCritic, check_codes
from agentc.runtime.learn.trajectory import Evaluation, Trajectory


@dataclass(frozen=True, slots=True)
class PPOConfig:
    """The settings of ``train ppo``, documented in :data:`agentc.compiler.training_config.PPO`.

    ``discount`` is no setting: it is the reward's.
    """

    steps: int = 100_000
    envs: int = 8
    seed: int = 0
    rollout: int = 128
    epochs: int = 4
    minibatches: int = 8
    learning_rate: float = 1e-3
    anneal: bool = True
    gae_lambda: float = 0.95
    clip_low: float = 0.2
    clip_high: float = 0.2
    value_clip: float = 0.0
    value_coef: float = 0.5
    entropy_coef: float = 0.01
    target_kl: float = 0.0
    novelty: float = 0.0
    max_grad_norm: float = 0.5
    hidden: int = 64
    layers: int = 2
    activation: str = "tanh"
    encoder: str = "auto"
    normalize_observations: bool = False
    normalize_rewards: bool = False
    minutes: float = 0.0
    checkpoint: float = 30.0
    discount: float = 0.99

    @staticmethod
    def of(settings: Mapping[str, Scalar], discount: float = 0.99) -> PPOConfig:
        """From a mapping that :func:`agentc.compiler.training_config.check_settings` has validated."""
        values: dict[str, Any] = dict(settings)
        return PPOConfig(**values, discount=discount)

    def to_data(self) -> dict[str, Scalar]:
        """As JSON-ready data."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def clipped_objective(log_ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float) -> Tensor:
    """The surrogate to be *maximised*, per sample (equation 7).

    ``log_ratio`` is the new log-probability minus the old one.
    """
    ratio = log_ratio.exp()
    return torch.minimum(ratio * advantages, ratio.clamp(1.0 - clip_low, 1.0 + clip_high) * advantages)


def value_loss(values: Tensor, targets: Tensor, old_values: Tensor, value_clip: float) -> Tensor:
    """The squared error, per sample; with ``value_clip`` the worse of it and that of the clipped value."""
    loss = (values - targets).square()
    if value_clip > 0.0:
        near = old_values + (values - old_values).clamp(-value_clip, value_clip)
        loss = torch.maximum(loss, (near - targets).square())
    return loss


def normalized(advantages: Tensor) -> Tensor:
    """Zero mean and unit (sample) deviation; a single one stays as it is."""
    if advantages.numel() < 2:
        return advantages
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


@dataclass(frozen=True, slots=True)
class UpdateStatistics:
    """Means over the minibatches of one update, and what was explained of the returns before it."""

    policy_loss: float
    value_loss: float
    entropy: float
    kl: float
    clip_fraction: float
    grad_norm: float
    explained_variance: float
    learning_rate: float
    epochs: int


class FlatAdam:
    """Adam (Kingma and Ba, 2015) over all parameters of a network as one flat vector.

    The parameters and their gradients become views of two vectors, so that a step and the norm of the
    gradient cost a few operations, however many layers there are.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        parameters = list(network.parameters())
        total = sum(p.numel() for p in parameters)
        self.weights = torch.empty(total)
        self.gradient = torch.zeros(total)
        at = 0
        for p in parameters:
            stop = at + p.numel()
            self.weights[at:stop] = p.detach().reshape(-1)
            p.data = self.weights[at:stop].view_as(p)
            p.grad = self.gradient[at:stop].view_as(p)
            at = stop
        self.first = torch.zeros(total)
        self.second = torch.zeros(total)
        self.count = 0

    def step(self, learning_rate: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-5) -> None:
        """One step down ``gradient``, which is left as it is."""
        self.count += 1
        self.first.lerp_(self.gradient, 1 - beta1)
        self.second.mul_(beta2).addcmul_(self.gradient, self.gradient, value=1 - beta2)
        denominator = self.second.sqrt().div_(math.sqrt(1 - beta2**self.count)).add_(epsilon)
        self.weights.addcdiv_(self.first, denominator, value=-learning_rate / (1 - beta1**self.count))


class PPOLearner:
    """Weights and optimiser, and how a trajectory changes them."""

    def __init__(self, architecture: Architecture, config: PPOConfig, generator: torch.Generator) -> None:
        """Build a network with weights drawn from ``generator``."""
        self.config = config
        self.network = ActorCritic(architecture, generator)
        self.optimizer = FlatAdam(self.network)

    def evaluate(self, trajectory: Trajectory) -> Evaluation:
        """Log-probabilities and values of a trajectory under the present weights."""
        steps, envs = trajectory.steps, trajectory.num_envs
        network = self.network
        with torch.inference_mode():
            inputs = network.inputs({k: a.reshape(-1, *a.shape[2:]) for k, a in trajectory.observations.items()})
            policy, values = network.both(inputs, _flat(trajectory.masks))
            log_probs = policy.log_prob(_flat(trajectory.actions))
            bootstrap = np.zeros((steps, envs), np.float32)
            finals = trajectory.finals
            if len(finals.step):
                bootstrap[finals.step, finals.env] = network.value(network.inputs(finals.observation)).numpy()
            last = network.value(network.inputs(trajectory.last_observation)).numpy()
        return Evaluation(log_probs.numpy().reshape(steps, envs), values.numpy().reshape(steps, envs), bootstrap, last)

    def update(
        self,
        trajectory: Trajectory,
        rewards: NDArray[np.float32],
        learning_rate: float,
        randomness: np.random.Generator,
        at: tuple[int, int],
    ) -> UpdateStatistics:
        """Improve the policy on ``trajectory``, with ``rewards`` in place of its own.

        ``at`` is ``(steps, update)`` for a diagnostic: AS0942 is raised before a loss or gradient that is not
        finite reaches the weights.
        """
        c = self.config
        check_codes(self.network.architecture, trajectory.observations)
        before = self.evaluate(trajectory)
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is found in the loss, and named
            advantages = generalized_advantages(
                rewards,
                before.values,
                trajectory.terminated,
                trajectory.truncated,
                before.bootstrap,
                before.last_value,
                c.discount,
                c.gae_lambda,
            )
            targets = advantages + before.values
        flat = {k: a.reshape(-1, *a.shape[2:]) for k, a in trajectory.observations.items()}
        inputs = self.network.inputs(flat)
        mask, actions = _flat(trajectory.masks), _flat(trajectory.actions)
        columns = tuple(torch.from_numpy(a.reshape(-1)) for a in (before.log_probs, advantages, targets, before.values))
        total = len(actions)
        size = -(-total // min(c.minibatches, total))
        sums = np.zeros(6)
        count = 0
        epochs = 0
        for _ in range(c.epochs):
            order = torch.from_numpy(randomness.permutation(total))
            shuffled = tuple(x[order] for x in inputs)
            shuffled_mask = None if mask is None else mask[order]
            shuffled_actions = actions[order]
            shuffled_columns = tuple(x[order] for x in columns)
            epochs += 1
            moved = 0.0
            batches = 0
            for start in range(0, total, size):
                rows = slice(start, start + size)
                row = self._minibatch(
                    tuple(x[rows] for x in shuffled),
                    None if shuffled_mask is None else shuffled_mask[rows],
                    shuffled_actions[rows],
                    tuple(x[rows] for x in shuffled_columns),
                    learning_rate,
                    at,
                )
                sums += row
                moved += row[3]
                batches += 1
            count += batches
            if c.target_kl > 0.0 and moved / batches > c.target_kl:
                break
        policy_loss, error, entropy, kl, clip_fraction, grad_norm = (sums / count).tolist()
        spread = float(targets.var())
        explained = 1.0 - float(advantages.var()) / spread if spread > 0.0 else 0.0
        return UpdateStatistics(
            policy_loss, error, entropy, kl, clip_fraction, grad_norm, explained, learning_rate, epochs
        )

    def _minibatch(
        self,
        inputs: tuple[Tensor, ...],
        mask: Tensor | None,
        actions: Tensor,
        columns: tuple[Tensor, ...],
        learning_rate: float,
        at: tuple[int, int],
    ) -> NDArray[np.float64]:
        c = self.config
        old_log_probs, advantages, targets, old_values = columns
        policy, values = self.network.both(inputs, mask)
        log_ratio = policy.log_prob(actions) - old_log_probs
        policy_loss = -clipped_objective(log_ratio, normalized(advantages), c.clip_low, c.clip_high).mean()
        error = value_loss(values, targets, old_values, c.value_clip).mean()
        entropy = policy.entropy().mean()
        loss = policy_loss + c.value_coef * error - c.entropy_coef * entropy
        self.optimizer.gradient.zero_()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(self.optimizer.gradient.norm())
        for name, value in (("loss", float(loss.detach())), ("gradient", norm)):
            if not math.isfinite(value):
                raise AgentcError([report("AS0942", None, array=name, value=value, step=at[0], update=at[1])])
        if norm > c.max_grad_norm:
            self.optimizer.gradient.mul_(c.max_grad_norm / (norm + 1e-6))
        self.optimizer.step(learning_rate)
        with torch.no_grad():
            change = log_ratio.detach()
            kl = (change.exp() - 1 - change).mean()  # Schulman's estimator k3, never negative
            # `exp` first, as the objective clips the ratio and not its logarithm.
            ratio = change.exp()
            clipped = ((ratio < 1 - c.clip_low) | (ratio > 1 + c.clip_high)).float().mean()
        return np.array([policy_loss.item(), error.item(), entropy.item(), kl.item(), clipped.item(), norm])


def _flat(array: Any) -> Any:
    return None if array is None else torch.from_numpy(array.reshape(-1, *array.shape[2:]))
