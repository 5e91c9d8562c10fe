"""The clipped policy objective and the value loss.

Schulman et al., "Proximal Policy Optimization Algorithms" (2017), equation 7; the lower and the upper clip may
differ (Yu et al., "DAPO", 2025, section 3.1); ``dual_clip`` bounds what a sample of negative advantage can push
(Ye et al., "Mastering Complex Control in MOBA Games with Deep Reinforcement Learning", 2020, equation 4).
"""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_objective(
    log_ratio: Tensor, advantages: Tensor, clip_low: float, clip_high: float, dual_clip: float = 0.0
) -> Tensor:
    """The surrogate to be *maximised*, per sample (equation 7).

    ``log_ratio`` is the new log-probability minus the old one; ``dual_clip`` above 1, or 0 for none.
    """
    ratio = log_ratio.exp()
    objective = torch.minimum(ratio * advantages, ratio.clamp(1.0 - clip_low, 1.0 + clip_high) * advantages)
    if dual_clip > 0.0:
        objective = torch.where(advantages < 0, torch.maximum(objective, dual_clip * advantages), objective)
    return objective


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


def decision_mean(values: Tensor, decided: Tensor | None) -> Tensor:
    """The mean over decisions ``(batch,)``: steps that left no choice are no decisions; None is all."""
    if decided is None:
        return values.mean()
    return torch.where(decided, values, torch.zeros(())).sum() / decided.sum().clamp(min=1)
