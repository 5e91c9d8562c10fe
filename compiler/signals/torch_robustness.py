"""Robustness of torch tensors, differentiable: the backward pass is a gather (or, of whole signals, a scatter).

Tensors on the processor are read as numpy arrays, without a copy; those on an accelerator stay there, and the same
kernels run on them. No autograd graph is built. Nothing here is differentiable twice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from agentc.compiler.signals.gradients import Sensitivity, WholeSignal, sensitivity, whole_signal
from agentc.compiler.signals.robustness import Robustness

__all__ = ["robustness", "robustness_at"]


def robustness_at(compiled: Robustness, traces: torch.Tensor, step: int = 0) -> torch.Tensor:
    """The robustness at one step, ``(batch,)``, of traces ``(batch, time, signal)``; differentiable.

    The gradient is that of the witness, zero where the robustness is infinite. Raises ``AgentcError`` (AS1003, AS1004,
    AS1006) for what cannot be read.
    """
    if not (torch.is_grad_enabled() and traces.requires_grad):
        return _tensor(compiled.robustness_at(_plain(traces), step))
    result: torch.Tensor = _AtStep.apply(traces, compiled, step)  # type: ignore[no-untyped-call]
    return result


def robustness(compiled: Robustness, traces: torch.Tensor) -> torch.Tensor:
    """The robustness at every step, ``(batch, time)``; else as :func:`robustness_at`."""
    if not (torch.is_grad_enabled() and traces.requires_grad):
        return _tensor(compiled.robustness(_plain(traces)))
    result: torch.Tensor = _Whole.apply(traces, compiled)  # type: ignore[no-untyped-call]
    return result


def _plain(x: torch.Tensor) -> Any:
    return x.detach().numpy() if x.device.type == "cpu" else x.detach()


def _tensor(x: Any) -> torch.Tensor:
    return x if isinstance(x, torch.Tensor) else torch.from_numpy(x)


class _AtStep(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, traces: torch.Tensor, compiled: Robustness, step: int) -> torch.Tensor:
        found: Sensitivity = sensitivity(compiled, _plain(traces), step)
        assert found.places is not None
        _, length, width = ctx.shape = traces.shape
        ctx.dtype = traces.dtype
        ctx.parts = [
            (e.rows * (length * width) + e.steps * width + found.places[e.key], e.derivative, e.outputs)
            for e in found.entries
        ]
        return _tensor(found.value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        gradient = torch.zeros(ctx.shape, dtype=ctx.dtype, device=weights.device)
        plain, by = _plain(gradient).reshape(-1), _plain(weights)
        for where, derivative, outputs in ctx.parts:
            plain[where] += derivative * by[outputs]
        return gradient, None, None


class _Whole(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, traces: torch.Tensor, compiled: Robustness) -> torch.Tensor:
        found: WholeSignal = whole_signal(compiled, _plain(traces))
        ctx.found = found
        return _tensor(found.value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _tensor(ctx.found.pull_back(_plain(weights))), None
