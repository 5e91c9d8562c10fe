"""Distributions over actions: masked categorical, several at once, diagonal and squashed Gaussian, a single point.

Everything about a masked categorical is about the *masked* distribution: the softmax over the legal
actions. Illegal actions have probability exactly 0 and log-probability ``-inf``; a row with a single legal
action has log-probability and entropy exactly 0 and passes exactly no gradient.

Sampling takes its noise as an argument, so that all randomness of a run comes from one generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


class Distribution(Protocol):
    """A batch of distributions, one per row."""

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-probability (or log-density) of each row's action, ``(batch,)``."""
        ...

    def entropy(self) -> Tensor:
        """Entropy in nats, ``(batch,)``."""
        ...

    def sample(self, noise: Tensor) -> Tensor:
        """One action per row, made from noise as :func:`noise_shape` describes it."""
        ...

    def mode(self) -> Tensor:
        """The likeliest action of each row; the first of equals."""
        ...


@runtime_checkable
class Divergent(Distribution, Protocol):
    """A distribution that knows how far it is from another of its kind."""

    def kl(self, other: Any) -> Tensor:
        """Kullback-Leibler divergence from ``other`` to this, ``(batch,)``."""
        ...


@dataclass(frozen=True, slots=True)
class Categorical:
    """A choice among ``n`` actions; ``log_probs`` ``(batch, n)`` are normalised, ``-inf`` where illegal.

    ``log_mass`` ``(batch,)`` is the logarithm of what the unmasked distribution gives to the legal actions; None
    where nothing is masked.
    """

    log_probs: Tensor
    log_mass: Tensor | None = None

    @staticmethod
    def of(logits: Tensor, mask: Tensor | None = None) -> Categorical:
        """From unnormalised ``logits`` ``(batch, n)`` and the legal actions, bool of that shape.

        Every row of ``mask`` has a legal action.
        """
        if mask is None:
            return Categorical(torch.log_softmax(logits, dim=-1))
        masked = logits.masked_fill(~mask, -math.inf)
        log_mass = torch.logsumexp(masked, dim=-1) - torch.logsumexp(logits, dim=-1)
        return Categorical(torch.log_softmax(masked, dim=-1), log_mass)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Of int64 actions ``(batch,)``."""
        return self.log_probs.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        """Minus the sum of ``p log p`` over the legal actions."""
        return -(self.log_probs.exp() * self._finite()).sum(-1)

    def kl(self, other: Categorical) -> Tensor:
        """Kullback-Leibler divergence from ``other`` to this, ``(batch,)``; both with the same mask."""
        return (self.log_probs.exp() * (self._finite() - other._finite())).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        """Invert the cumulative distribution at ``noise``: float32 in ``[0, 1)``, ``(batch,)``."""
        # In float64 the product stays below the total, as 1 - noise is at least 2**-24.
        cumulative = self.log_probs.double().exp().cumsum(-1)
        threshold = noise.double().unsqueeze(-1) * cumulative[:, -1:]
        return (cumulative <= threshold).sum(-1)

    def mode(self) -> Tensor:
        """The likeliest legal action."""
        return self.log_probs.argmax(-1)

    def _finite(self) -> Tensor:
        # 0 * -inf would be NaN, in the value and in the gradient.
        return self.log_probs.masked_fill(self.log_probs == -math.inf, 0.0)


@dataclass(frozen=True, slots=True)
class DiagonalGaussian:
    """Independent normals; ``mean`` ``(batch, d)`` and ``log_std`` ``(d,)`` or ``(batch, d)``."""

    mean: Tensor
    log_std: Tensor

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-density of float actions ``(batch, d)``."""
        scaled = (actions - self.mean) * torch.exp(-self.log_std)
        return (-0.5 * scaled.square() - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)

    def entropy(self) -> Tensor:
        """The differential entropy; the same in every row where ``log_std`` is."""
        per_action = (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)
        return per_action.expand(self.mean.shape[0])

    def kl(self, other: DiagonalGaussian) -> Tensor:
        """Kullback-Leibler divergence from ``other`` to this, ``(batch,)``."""
        ratio = torch.exp(2 * (self.log_std - other.log_std))
        distance = ((self.mean - other.mean) * torch.exp(-other.log_std)).square()
        return (other.log_std - self.log_std + 0.5 * (ratio + distance - 1)).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        """Shift and scale ``noise``: standard normal, ``(batch, d)``."""
        return self.mean + torch.exp(self.log_std) * noise

    def mode(self) -> Tensor:
        """The mean."""
        return self.mean


@dataclass(frozen=True, slots=True)
class MultiCategorical:
    """Several independent choices at once; a tuple of :class:`Categorical`."""

    parts: tuple[Categorical, ...]

    @staticmethod
    def of(logits: Tensor, choices: tuple[int, ...]) -> MultiCategorical:
        """From the logits of all choices beside each other, ``(batch, sum(choices))``."""
        return MultiCategorical(tuple(Categorical.of(x) for x in torch.split(logits, list(choices), dim=-1)))

    def log_prob(self, actions: Tensor) -> Tensor:
        """Of int64 actions ``(batch, k)``."""
        return torch.stack([p.log_prob(actions[:, i]) for i, p in enumerate(self.parts)]).sum(0)

    def entropy(self) -> Tensor:
        """The sum of the choices' entropies."""
        return torch.stack([p.entropy() for p in self.parts]).sum(0)

    def kl(self, other: MultiCategorical) -> Tensor:
        """The sum of the choices' divergences from ``other`` to this, ``(batch,)``."""
        return torch.stack([p.kl(q) for p, q in zip(self.parts, other.parts, strict=True)]).sum(0)

    def sample(self, noise: Tensor) -> Tensor:
        """From uniform noise ``(batch, k)``."""
        return torch.stack([p.sample(noise[:, i]) for i, p in enumerate(self.parts)], dim=-1)

    def mode(self) -> Tensor:
        """The likeliest of each choice."""
        return torch.stack([p.mode() for p in self.parts], dim=-1)


@dataclass(frozen=True, slots=True)
class SquashedGaussian:
    """``tanh`` of independent normals: actions in ``(-1, 1)``; ``mean`` and ``log_std`` ``(batch, d)``.

    Haarnoja et al., "Soft Actor-Critic" (2018), appendix C: the density of ``tanh(u)`` is that of ``u`` over
    ``1 - tanh(u)^2``, whose logarithm is ``2 (log 2 - u - softplus(-2u))``.
    """

    mean: Tensor
    log_std: Tensor

    def rsample(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions from standard normal ``noise`` ``(batch, d)``, with their log-densities ``(batch,)``."""
        u = self.mean + torch.exp(self.log_std) * noise
        normal = -0.5 * noise.square() - self.log_std - 0.5 * math.log(2 * math.pi)
        correction = 2.0 * (math.log(2.0) - u - torch.nn.functional.softplus(-2.0 * u))
        return torch.tanh(u), (normal - correction).sum(-1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Log-density of actions ``(batch, d)``; those at the bounds are moved inside by 1e-6."""
        inside = actions.clamp(-1.0 + 1e-6, 1.0 - 1e-6)
        u = torch.atanh(inside)
        scaled = (u - self.mean) * torch.exp(-self.log_std)
        normal = -0.5 * scaled.square() - self.log_std - 0.5 * math.log(2 * math.pi)
        return (normal - torch.log1p(-inside.square())).sum(-1)

    def entropy(self) -> Tensor:
        """There is no closed form: that of the normals before squashing, an upper bound up to the scale."""
        return (self.log_std + 0.5 * math.log(2 * math.pi * math.e)).sum(-1)

    def sample(self, noise: Tensor) -> Tensor:
        """From standard normal noise ``(batch, d)``."""
        return torch.tanh(self.mean + torch.exp(self.log_std) * noise)

    def mode(self) -> Tensor:
        """The squashed mean."""
        return torch.tanh(self.mean)


@dataclass(frozen=True, slots=True)
class Point:
    """One certain action a row."""

    action: Tensor

    def greedy(self) -> Point:
        """The number of the greatest entry, where the rows are values ``(batch, n)``."""
        return Point(self.action.argmax(-1))

    def log_prob(self, actions: Tensor) -> Tensor:
        """Zero: there is nothing to choose."""
        return torch.zeros(len(self.action))

    def entropy(self) -> Tensor:
        """Zero."""
        return torch.zeros(len(self.action))

    def sample(self, noise: Tensor) -> Tensor:
        """The action, whatever the noise."""
        return self.action

    def mode(self) -> Tensor:
        """The action."""
        return self.action
