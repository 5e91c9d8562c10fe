"""Adam over all parameters of a network as one flat vector, and target networks that follow one.

The parameters and their gradients become views of two vectors, so that a step, the norm of the gradient and the
averaging into a target cost a few operations, however many layers there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Generic, TypeVar

import numpy as np
import torch

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.vector import Array


class FlatAdam:
    """Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015)."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.weights, self.gradient = _flattened(network, gradient=True)
        self._parameters = list(network.parameters())
        self.first = torch.zeros_like(self.weights)
        self.second = torch.zeros_like(self.weights)
        self.count = 0
        self._steps = torch.zeros(())

    def step(self, learning_rate: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-5) -> None:
        """One step down ``gradient``, which is left as it is."""
        self.count += 1
        self._steps.fill_(self.count)
        # One pass over the weights, the kernel of torch.optim.Adam(fused=True).
        torch._fused_adam_(
            [self.weights], [self.gradient], [self.first], [self.second], [], [self._steps],
            lr=learning_rate, beta1=beta1, beta2=beta2, weight_decay=0.0, eps=epsilon, amsgrad=False, maximize=False,
        )  # fmt: skip

    def descend(
        self,
        loss: torch.Tensor,
        learning_rate: float,
        max_norm: float,
        at: tuple[int, int],
        epsilon: float = 1e-5,
    ) -> float:
        """One step down the gradient of ``loss``, clipped to ``max_norm`` (0 for no limit); the norm before that.

        Raises AS0942, with ``at`` as ``(steps, update)``, before a number that is not finite reaches the weights.
        """
        self.gradient.zero_()
        torch.autograd.backward(loss, inputs=self._parameters)  # nothing else gets, or costs, a gradient
        if not math.isfinite(float(self.gradient.norm())):
            refuse(("loss", float(loss.detach())), at=at)
        return self.apply(learning_rate, max_norm, at, epsilon)

    def apply(self, learning_rate: float, max_norm: float, at: tuple[int, int], epsilon: float = 1e-5) -> float:
        """One step down the gradient that has been written; as :meth:`descend`."""
        norm = math.sqrt(float(torch.dot(self.gradient, self.gradient)))  # cheaper than `norm`
        if not math.isfinite(norm):  # it may be the square alone
            norm = float(self.gradient.norm())
        refuse(("gradient", norm), at=at)
        if 0.0 < max_norm < norm:
            self.gradient.mul_(max_norm / (norm + 1e-6))
        self.step(learning_rate, epsilon=epsilon)
        return norm

    def forget(self) -> None:
        """Begin anew: no moments, no steps."""
        self.first.zero_()
        self.second.zero_()
        self.count = 0

    def state(self) -> dict[str, Array]:
        """The moments and the number of steps."""
        return {"first": self.first.numpy(), "second": self.second.numpy(), "count": np.array([self.count])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`."""
        self.first.copy_(torch.from_numpy(state["first"]))
        self.second.copy_(torch.from_numpy(state["second"]))
        self.count = int(state["count"][0])


Network = TypeVar("Network", bound=torch.nn.Module)


class Target(Generic[Network]):
    """A copy of a network that follows it slowly (Polyak averaging) and is never trained itself."""

    def __init__(self, network: Network, source: torch.Tensor) -> None:
        """``network`` has the shape of the one whose flat weights are ``source``."""
        self.network = network
        self.weights, _ = _flattened(network, gradient=False)
        self._source = source
        self.weights.copy_(source)

    def follow(self, share: float) -> None:
        """Move this share of the way; 1 copies."""
        self.weights.lerp_(self._source, share)


def _flattened(network: torch.nn.Module, *, gradient: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights of a network as one vector that they are views of, and its gradient likewise."""
    parameters = list(network.parameters())
    total = sum(p.numel() for p in parameters)
    weights, grad = torch.empty(total), torch.zeros(total if gradient else 0)
    at = 0
    for p in parameters:
        stop = at + p.numel()
        weights[at:stop] = p.detach().reshape(-1)
        p.data = weights[at:stop].view_as(p)
        if gradient:
            p.grad = grad[at:stop].view_as(p)
        else:
            p.requires_grad_(False)
        at = stop
    return weights, grad


def refuse(*named: tuple[str, float], at: tuple[int, int]) -> None:
    """Raise AS0942 for the first of these that is not finite."""
    for name, value in named:
        if not math.isfinite(value):
            raise AgentcError([report("AS0942", None, array=name, value=value, step=at[0], update=at[1])])


def weights_of(network: torch.nn.Module) -> dict[str, Array]:
    """Parameters and buffers by name, as arrays."""
    return {k: t.numpy() for k, t in network.state_dict().items()}


def restore_weights(network: torch.nn.Module, arrays: Mapping[str, Array]) -> None:
    """Back from :func:`weights_of`, in place: an optimiser's views stay valid. Raises ``RuntimeError``."""
    network.load_state_dict({k: torch.from_numpy(a) for k, a in arrays.items()})


def learned(network: torch.nn.Module, optimizer: FlatAdam) -> dict[str, Array]:
    """A network and its optimiser, as a learner's checkpoint has them: ``network/...`` and ``optimizer/...``."""
    tensors = {f"network/{k}": a for k, a in weights_of(network).items()}
    return tensors | {f"optimizer/{k}": a for k, a in optimizer.state().items()}


def restore_learned(network: torch.nn.Module, optimizer: FlatAdam, state: Mapping[str, Array]) -> None:
    """Back from :func:`learned`. Raises ``RuntimeError`` or ``KeyError`` for another's."""
    restore_weights(network, {k[8:]: a for k, a in state.items() if k.startswith("network/")})
    optimizer.restore({k[10:]: a for k, a in state.items() if k.startswith("optimizer/")})
