"""The networks of an actor-critic: encoders of the observation's parts, a policy head, a value head.

Grids of categorical codes (MiniGrid) are one-hot; ``conv`` embeds each cell and convolves, ``dense`` feeds
the one-hot vector to the first layer. Where there is a convolution, actor and critic share it; everything
after it, and everything of purely vectorial observations, is separate. Weights begin orthogonal, the
policy's last layer small (Andrychowicz et al., "What Matters in On-Policy Reinforcement Learning", 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.architecture import Architecture, Part
from agentc.runtime.learn.distributions import Categorical, DiagonalGaussian, Distribution
from agentc.runtime.learn.vector import Array

Inputs = tuple[Tensor, ...]
"""One tensor ``(batch, ...)`` per part, in the order of the architecture: float32, or uint8 for images."""


class ActorCritic(nn.Module):
    """A policy and a value function; both read :data:`Inputs`, made by :meth:`inputs`."""

    def __init__(self, architecture: Architecture, generator: torch.Generator | None = None) -> None:
        """Build with weights drawn from ``generator``."""
        super().__init__()
        self.architecture = architecture
        encoders = []
        width = 0
        for part in architecture.parts:
            encoder, size = _encoder(part, architecture.encoder)
            encoders.append(encoder)
            width += size
        self.encoders = nn.ModuleList(encoders)
        self.actor = _mlp(width, architecture, architecture.action.size)
        self.critic = _mlp(width, architecture, 1)
        if architecture.action.kind == "gaussian":
            self.log_std = nn.Parameter(torch.zeros(architecture.action.size))
        size = sum(p.size for p in architecture.parts if p.kind == "vector")
        self.input_mean: Tensor
        self.input_scale: Tensor
        if architecture.normalize:
            self.register_buffer("input_mean", torch.zeros(size))
            self.register_buffer("input_scale", torch.ones(size))
        self._initialise(generator)

    def inputs(self, observation: Mapping[str, Array]) -> Inputs:
        """Tensors of a batch of observations ``(batch, ...)``; shares memory where the types allow it."""
        made = []
        for part in self.architecture.parts:
            array = observation[part.key]
            if part.kind in ("grid", "pixels"):
                made.append(torch.from_numpy(np.ascontiguousarray(array)))
            elif part.kind == "onehot":
                made.append(torch.from_numpy(array.astype(np.int64) - part.start))
            else:
                flat = np.ascontiguousarray(array, dtype=np.float32).reshape(len(array), part.size)
                made.append(torch.from_numpy(flat))
        return tuple(made)

    def policy(self, inputs: Inputs, mask: Tensor | None = None) -> Distribution:
        """The distributions over actions, one per row."""
        return self._distribution(self.actor(self._encode(inputs)), mask)

    def value(self, inputs: Inputs) -> Tensor:
        """The values ``(batch,)``."""
        value: Tensor = self.critic(self._encode(inputs)).squeeze(-1)
        return value

    def both(self, inputs: Inputs, mask: Tensor | None = None) -> tuple[Distribution, Tensor]:
        """Distributions and values with one pass through the encoders."""
        encoded = self._encode(inputs)
        return self._distribution(self.actor(encoded), mask), self.critic(encoded).squeeze(-1)

    def _distribution(self, output: Tensor, mask: Tensor | None) -> Distribution:
        if self.architecture.action.kind == "categorical":
            return Categorical.of(output, mask)
        return DiagonalGaussian(output, self.log_std)

    def _encode(self, inputs: Inputs) -> Tensor:
        encoded = []
        at = 0
        for part, encoder, tensor in zip(self.architecture.parts, self.encoders, inputs, strict=True):
            if self.architecture.normalize and part.kind == "vector":
                mean, scale = self.input_mean[at : at + part.size], self.input_scale[at : at + part.size]
                tensor = ((tensor - mean) * scale).clamp(-10.0, 10.0)
                at += part.size
            encoded.append(encoder(tensor))
        return encoded[0] if len(encoded) == 1 else torch.cat(encoded, dim=-1)

    def _initialise(self, generator: torch.Generator | None) -> None:
        gain = math.sqrt(2)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.orthogonal_(module.weight, gain, generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for head, scale in ((self.actor, 0.01), (self.critic, 1.0)):
            last = head[-1]
            assert isinstance(last, nn.Linear)
            nn.init.orthogonal_(last.weight, scale, generator)


class OneHot(nn.Module):
    """An integer ``(batch,)`` as a unit vector ``(batch, size)``."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Encode."""
        return functional.one_hot(x, self.size).float()


class GridOneHot(nn.Module):
    """Cells of codes, uint8 ``(batch, h, w, c)``, as zeros and ones: ``(batch, h * w * sum(codes))``."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.width = sum(part.codes)
        offsets = np.cumsum([0, *part.codes[:-1]])
        cells = np.arange(part.shape[0] * part.shape[1]) * self.width
        self.positions: Tensor
        positions = torch.from_numpy((cells[:, None] + offsets).reshape(-1))
        self.register_buffer("positions", positions, persistent=False)
        self.size = part.size

    def forward(self, x: Tensor) -> Tensor:
        """Encode; codes are within their ranges (:func:`check_codes`)."""
        index = x.flatten(1).long() + self.positions
        return torch.zeros(len(x), self.size).scatter_(1, index, 1.0)


class GridConvolution(nn.Module):
    """Embed every cell, then two 3x3 convolutions: the same object means the same wherever it is seen."""

    def __init__(self, part: Part, channels: int = 32) -> None:
        super().__init__()
        self.onehot = GridOneHot(part)
        self.cells = part.shape[:2]
        self.embed = nn.Linear(self.onehot.width, 16, bias=False)
        self.first = nn.Conv2d(16, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        h, w = ((d + 1) // 2 for d in self.cells)
        self.size = channels * h * w

    def forward(self, x: Tensor) -> Tensor:
        """From uint8 ``(batch, h, w, c)`` to float32 ``(batch, size)``."""
        cells = self.embed(self.onehot(x).view(len(x), *self.cells, -1)).permute(0, 3, 1, 2)
        return torch.relu(self.second(torch.relu(self.first(cells)))).flatten(1)


class PixelConvolution(nn.Module):
    """Strided convolutions over an image; the sizes of Mnih et al. (2015) where it has 36 rows or more."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        h, w, c = part.shape
        sizes = [(32, 8, 4), (64, 4, 2), (64, 3, 1)] if min(h, w) >= 36 else [(32, 3, 2), (64, 3, 2)]
        layers: list[nn.Module] = []
        for channels, kernel, stride in sizes:
            padding = 0 if kernel > 3 or stride == 1 else 1
            layers += [nn.Conv2d(c, channels, kernel, stride, padding), nn.ReLU()]
            h, w = ((d + 2 * padding - kernel) // stride + 1 for d in (h, w))
            c = channels
        self.layers = nn.Sequential(*layers)
        self.size = c * h * w

    def forward(self, x: Tensor) -> Tensor:
        """From uint8 ``(batch, h, w, c)`` to float32 ``(batch, size)``."""
        features: Tensor = self.layers(x.permute(0, 3, 1, 2).float() / 255.0)
        return features.flatten(1)


class FlatPixels(nn.Module):
    """An image as numbers in ``[0, 1]``."""

    def forward(self, x: Tensor) -> Tensor:
        """From uint8 ``(batch, h, w, c)`` to float32 ``(batch, h * w * c)``."""
        return x.flatten(1).float() / 255.0


def check_codes(architecture: Architecture, observations: Mapping[str, Array]) -> None:
    """Raise AS0944 where a grid ``(time, envs, h, w, c)`` holds a code that its one-hot has no place for."""
    for part in architecture.parts:
        if part.kind != "grid":
            continue
        array = observations[part.key]
        over = array >= np.asarray(part.codes, np.uint8)
        if over.any():
            where = tuple(int(i[0]) for i in np.nonzero(over))
            name = f"observation `{part.key}`" if part.key else "observation"
            raise AgentcError(
                [
                    report(
                        "AS0944",
                        None,
                        array=name,
                        env=where[1],
                        value=int(array[where]),
                        channel=where[-1],
                        limit=part.codes[where[-1]] - 1,
                    )
                ]
            )


def _encoder(part: Part, encoder: str) -> tuple[nn.Module, int]:
    if part.kind == "grid":
        grid: GridConvolution | GridOneHot = GridConvolution(part) if encoder == "conv" else GridOneHot(part)
        return grid, grid.size
    if part.kind == "pixels":
        if encoder == "conv":
            pixels = PixelConvolution(part)
            return pixels, pixels.size
        return FlatPixels(), part.size
    if part.kind == "onehot":
        return OneHot(part.size), part.size
    return nn.Identity(), part.size


def _mlp(width: int, architecture: Architecture, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(architecture.layers):
        layers += [nn.Linear(width, architecture.hidden), nn.Tanh() if architecture.activation == "tanh" else nn.ReLU()]
        width = architecture.hidden
    layers.append(nn.Linear(width, outputs))
    return nn.Sequential(*layers)
