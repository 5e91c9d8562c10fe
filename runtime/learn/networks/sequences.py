"""Encoders of the last steps: a gated recurrent unit, a small transformer, or all of it as one vector.

Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder" (2014); Vaswani et al., "Attention Is All You
Need" (2017), one layer with the norm before (Parisotto et al., "Stabilizing Transformers for Reinforcement Learning",
2020), positions learned. Rows are steps, oldest first; the last column is 0 for steps before the episode began, which
are neither read by the unit nor attended to.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agentc.runtime.learn.architecture import Part


class Recurrent(nn.Module):
    """From ``(batch, steps, numbers)`` to the unit's last state ``(batch, size)``."""

    def __init__(self, part: Part, size: int) -> None:
        super().__init__()
        self.size = size
        self.unit = nn.GRUCell(part.shape[1] - 1, size)

    def forward(self, x: Tensor) -> Tensor:
        """Read the steps in order; those before the episode leave the state as it is."""
        state = x.new_zeros(len(x), self.size)
        for t in range(x.shape[1]):
            there = x[:, t, -1:]
            state = there * self.unit(x[:, t, :-1], state) + (1.0 - there) * state
        return state


class Attending(nn.Module):
    """From ``(batch, steps, numbers)`` to what the last step gathers, ``(batch, size)``."""

    def __init__(self, part: Part, size: int, heads: int = 4) -> None:
        super().__init__()
        self.size, self.heads = size, heads
        self.embed = nn.Linear(part.shape[1] - 1, size)
        self.positions = nn.Parameter(torch.zeros(part.shape[0], size))
        self.norm, self.after = nn.LayerNorm(size), nn.LayerNorm(size)
        self.query, self.key, self.value = (nn.Linear(size, size, bias=False) for _ in range(3))
        self.mix = nn.Linear(size, size)
        self.feed = nn.Sequential(nn.Linear(size, 2 * size), nn.ReLU(), nn.Linear(2 * size, size))

    def forward(self, x: Tensor) -> Tensor:
        """Attend from the last step to all that are there."""
        there = x[..., -1] > 0.5
        steps = self.embed(x[..., :-1]) + self.positions
        read = self.norm(steps)
        batch, count = read.shape[:2]
        width = self.size // self.heads
        query = self.query(read[:, -1:]).view(batch, 1, self.heads, width).transpose(1, 2)
        key = self.key(read).view(batch, count, self.heads, width).transpose(1, 2)
        value = self.value(read).view(batch, count, self.heads, width).transpose(1, 2)
        scores = (query @ key.transpose(-2, -1)) / math.sqrt(width)
        scores = scores.masked_fill(~there[:, None, None, :], -math.inf)
        gathered = (torch.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(batch, self.size)
        made = steps[:, -1] + self.mix(gathered)
        result: Tensor = made + self.feed(self.after(made))
        return result


def sequence_encoder(part: Part, memory: str, size: int) -> tuple[nn.Module, int]:
    """The module that reads a sequence, and how many numbers it makes of it."""
    if memory == "gru":
        return Recurrent(part, size), size
    if memory == "transformer":
        width = 4 * max(1, size // 4)
        return Attending(part, width), width
    return nn.Flatten(), part.size
