"""The gradient of the clipped objective by hand, for :class:`DenseActorCritic`; the loss is that of ``ppo.py``.

By the chain rule: the surrogate's derivative by the log-probability is ``ratio * advantage`` where the unclipped term
counts and 0 where the clipped one does; of a softmax ``d log p(a) / d logit(b) = [a = b] - p(b)`` and
``d H / d logit(b) = -p(b) (log p(b) + H)``; of the logarithm of the legal mass ``p(b) - q(b)`` with ``q`` unmasked.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.networks.dense import DenseActorCritic, log_softmax
from agentc.runtime.learn.optimizer import FlatAdam, refuse
from agentc.runtime.learn.vector import Array

Floats = NDArray[np.float32]


class ClippedSettings(Protocol):
    """What is read of a configuration."""

    @property
    def clip_low(self) -> float: ...  # noqa: D102
    @property
    def clip_high(self) -> float: ...  # noqa: D102
    @property
    def dual_clip(self) -> float: ...  # noqa: D102
    @property
    def value_clip(self) -> float: ...  # noqa: D102
    @property
    def value_coef(self) -> float: ...  # noqa: D102
    @property
    def entropy_coef(self) -> float: ...  # noqa: D102
    @property
    def legal_coef(self) -> float: ...  # noqa: D102
    @property
    def max_grad_norm(self) -> float: ...  # noqa: D102


class DenseClipped:
    """One gradient step on a minibatch, without torch's graph."""

    def __init__(self, dense: DenseActorCritic, optimizer: FlatAdam, settings: ClippedSettings) -> None:
        self._dense, self._optimizer, self._settings = dense, optimizer, settings
        self._gradient = optimizer.gradient.numpy()

    def log_probs(self, x: Floats, actions: Array, mask: NDArray[np.bool_] | None) -> Floats:
        """Of actions, ``(batch,)``."""
        return self._policy(self._dense.actor.forward(x)[-1], actions, mask)[0]

    def values(self, x: Floats) -> Floats:
        """Of observations, ``(batch,)``."""
        return self._dense.critic.forward(x)[-1][:, 0]

    def step(
        self,
        x: Floats,
        mask: NDArray[np.bool_] | None,
        actions: Array,
        columns: tuple[Floats, Floats, Floats, Floats],
        decided: NDArray[np.bool_] | None,
        learning_rate: float,
        at: tuple[int, int],
    ) -> NDArray[np.float64]:
        """As the minibatch of ``PPOLearner``; ``columns`` are old log-probabilities, advantages, targets, values."""
        c, dense = self._settings, self._dense
        old_log_probs, advantages, targets, old_values = columns
        chosen = advantages if decided is None else advantages[decided]
        if chosen.size > 1:
            chosen = (chosen - chosen.mean()) / (chosen.std(ddof=1) + np.float32(1e-8))
        if decided is not None:
            spread = np.zeros_like(advantages)
            spread[decided] = chosen
            chosen = spread
        count = len(x) if decided is None else max(1, int(decided.sum()))
        weight: Floats | np.float32 = np.float32(1.0 / count)
        if decided is not None:
            weight = decided.astype(np.float32) * weight
        hidden = dense.actor.forward(x)
        log_probs, parts = self._policy(hidden[-1], actions, mask)
        log_ratio = log_probs - old_log_probs
        ratio = np.exp(log_ratio)
        clipped = np.clip(ratio, np.float32(1.0 - c.clip_low), np.float32(1.0 + c.clip_high))
        free, bound = ratio * chosen, clipped * chosen
        surrogate = np.minimum(free, bound)
        push = np.where(free <= bound, free, np.float32(0))
        if c.dual_clip > 0.0:
            floor = np.float32(c.dual_clip) * chosen
            cut = (chosen < 0) & (surrogate < floor)
            surrogate, push = np.where(cut, floor, surrogate), np.where(cut, np.float32(0), push)
        slope = -push * weight  # of the policy loss by the log-probabilities
        policy_loss = -float((surrogate * weight).sum())
        entropy, mass, below = self._policy_slope(slope, weight, actions, parts, mask, hidden[-1])
        dense.actor.backward(hidden, below)
        error = self._critic(x, targets, old_values)
        loss = policy_loss + c.value_coef * error - c.entropy_coef * entropy
        refuse(("loss", loss), at=at)
        norm = math.sqrt(float(np.dot(self._gradient, self._gradient)))
        refuse(("gradient", norm), at=at)
        if 0.0 < c.max_grad_norm < norm:
            self._gradient *= np.float32(c.max_grad_norm / (norm + 1e-6))
        self._optimizer.step(learning_rate)
        kl = float((ratio - 1.0 - log_ratio).mean())
        outside = float(((ratio < 1.0 - c.clip_low) | (ratio > 1.0 + c.clip_high)).mean())
        return np.array([policy_loss, error, entropy, kl, outside, norm, mass])

    def _policy(
        self, output: Floats, actions: Array, mask: NDArray[np.bool_] | None
    ) -> tuple[Floats, tuple[Floats, ...]]:
        """Log-probabilities, and what their derivatives are made of."""
        if self._dense.head.kind == "categorical":
            logs = log_softmax(output, mask)
            return logs[np.arange(len(actions)), actions], (logs,)
        log_std = self._dense.log_std
        scaled = (actions - output) * np.exp(-log_std)
        log_probs = (-0.5 * scaled * scaled - log_std - np.float32(0.5 * math.log(2 * math.pi))).sum(axis=1)
        return log_probs, (scaled,)

    def _policy_slope(
        self,
        slope: Floats,
        weight: Floats | np.float32,
        actions: Array,
        parts: tuple[Floats, ...],
        mask: NDArray[np.bool_] | None,
        output: Floats,
    ) -> tuple[float, float, Floats]:
        """Mean entropy, legal mass, and the loss's derivative by the actor's output."""
        c = self._settings
        if self._dense.head.kind == "gaussian":
            (scaled,) = parts
            log_std = self._dense.log_std
            entropy = float((log_std + 0.5 * math.log(2 * math.pi * math.e)).sum())
            by_std = (slope[:, None] * (scaled * scaled - 1.0)).sum(axis=0)
            total = float(np.sum(weight)) if isinstance(weight, np.ndarray) else 1.0
            self._dense.write_log_std((by_std - np.float32(c.entropy_coef * total)).astype(np.float32))
            return entropy * total, 1.0, slope[:, None] * (scaled * np.exp(-log_std))
        (logs,) = parts
        p = np.exp(logs)
        finite = logs if mask is None else np.where(mask, logs, np.float32(0))
        entropies = -(p * finite).sum(axis=1)
        below = -slope[:, None] * p
        below[np.arange(len(actions)), actions] += slope
        each = weight[:, None] if isinstance(weight, np.ndarray) else weight
        if c.entropy_coef > 0.0:
            below += np.float32(c.entropy_coef) * each * (p * (finite + entropies[:, None]))
        mass = 1.0
        if mask is not None:
            q = np.exp(log_softmax(output, None))
            legal = (q * mask).sum(axis=1)
            mass = float(legal.mean())
            if c.legal_coef > 0.0:
                below -= np.float32(c.legal_coef / len(p)) * (p - q)
        return float((entropies * weight).sum()), mass, below.astype(np.float32)

    def _critic(self, x: Floats, targets: Floats, old_values: Floats) -> float:
        c = self._settings
        hidden = self._dense.critic.forward(x)
        values = hidden[-1][:, 0]
        gap = values - targets
        loss, slope = gap * gap, gap
        if c.value_clip > 0.0:
            moved = values - old_values
            near = old_values + np.clip(moved, -c.value_clip, c.value_clip) - targets
            worse = near * near > loss
            inside = np.abs(moved) <= c.value_clip
            loss = np.where(worse, near * near, loss)
            slope = np.where(worse, np.where(inside, near, np.float32(0)), gap)
        below = (np.float32(2.0 * c.value_coef / len(x)) * slope).astype(np.float32)
        self._dense.critic.backward(hidden, below[:, None])
        return float(loss.mean())
