"""Encoders: from the parts of an observation to numbers.

Grids of categorical codes (MiniGrid) are one-hot; ``conv`` embeds each cell and convolves, ``dense`` feeds the
one-hot vector to the first layer.
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
from agentc.runtime.learn.networks.decision import DecisionTransformer
from agentc.runtime.learn.networks.sequences import sequence_encoder
from agentc.runtime.learn.vector import Array


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


def draw_weights(modules: nn.Module, generator: torch.Generator | None) -> None:
    """Orthogonal linear and convolutional layers, recurrent units as torch draws them, all from ``generator``."""
    for module in modules.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.orthogonal_(module.weight, math.sqrt(2), generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.GRUCell):
            bound = 1.0 / math.sqrt(module.hidden_size)
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator)


def encoder_of(part: Part, architecture: Architecture) -> tuple[nn.Module, int]:
    """The module that reads a part, and how many numbers it makes of it."""
    encoder = architecture.encoder
    if part.kind == "sequence" and architecture.memory == "decision":
        size = 4 * max(1, architecture.hidden // 4)
        return DecisionTransformer(part, architecture.action, size, architecture.layers), size
    if part.kind == "sequence":
        return sequence_encoder(part, architecture.memory, architecture.hidden)
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
