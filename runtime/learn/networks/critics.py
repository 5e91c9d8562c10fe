"""Critics of actions: several value functions ``Q(s, a)`` evaluated at once.

The layers of all critics lie in one tensor each and are multiplied as a batch, which costs one call for any number of
critics. ``layer_norm`` after Ball et al., "Efficient Online Reinforcement Learning with Offline Data" (2023),
section 4.2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.networks.actor_critic import ActorCritic, Inputs
from agentc.runtime.learn.networks.encoders import draw_weights, encoder_of


class BatchedLinear(nn.Module):
    """``count`` linear layers side by side: from ``(count or 1, batch, width)`` to ``(count, batch, outputs)``."""

    def __init__(self, count: int, width: int, outputs: int, gain: float, generator: torch.Generator | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(count, width, outputs))
        self.bias = nn.Parameter(torch.zeros(count, 1, outputs))
        with torch.no_grad():
            for k in range(count):
                matrix = torch.empty(outputs, width)
                nn.init.orthogonal_(matrix, gain, generator)
                self.weight[k] = matrix.T

    def forward(self, x: Tensor) -> Tensor:
        """Apply every layer; one input is shared by all."""
        if x.dim() == 2:
            x = x.unsqueeze(0).expand(self.weight.shape[0], -1, -1)
        return torch.baddbmm(self.bias, x, self.weight)


class Critics(nn.Module):
    """``count`` functions of an observation and an action, or of an observation with one value per discrete action."""

    def __init__(
        self, architecture: Architecture, count: int, generator: torch.Generator | None, layer_norm: bool = False
    ) -> None:
        super().__init__()
        head = architecture.action
        self.discrete = head.discrete
        encoders, width = [], 0
        for part in architecture.parts:
            encoder, size = encoder_of(part, architecture)
            encoders.append(encoder)
            width += size
        self.encoders = nn.ModuleList(encoders)
        draw_weights(self.encoders, generator)
        width += 0 if self.discrete else head.size
        layers: list[nn.Module] = []
        for _ in range(architecture.layers):
            layers.append(BatchedLinear(count, width, architecture.hidden, math.sqrt(2), generator))
            if layer_norm:
                layers.append(nn.LayerNorm(architecture.hidden))
            layers.append(nn.Tanh() if architecture.activation == "tanh" else nn.ReLU())
            width = architecture.hidden
        layers.append(BatchedLinear(count, width, head.size if self.discrete else 1, 1.0, generator))
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Inputs, actions: Tensor | None = None) -> Tensor:
        """Values ``(count, batch)`` of ``actions`` ``(batch, d)``, or ``(count, batch, n)`` of all discrete ones.

        ``inputs`` are normalised already (:meth:`ActorCritic.normalized`).
        """
        encoded = [encoder(x) for encoder, x in zip(self.encoders, inputs, strict=True)]
        if not self.discrete:
            assert actions is not None
            encoded.append(actions)
        x = encoded[0] if len(encoded) == 1 else torch.cat(encoded, dim=-1)
        values: Tensor = self.layers(x)
        return values if self.discrete else values.squeeze(-1)


def inputs_of(network: ActorCritic, observations: object) -> Inputs:
    """A batch of observations as normalised inputs."""
    return network.normalized(network.inputs(observations))  # type: ignore[arg-type]
