"""The decision transformer: returns to go, observations and actions as one causal sequence.

Chen et al., "Decision Transformer: Reinforcement Learning via Sequence Modeling" (2021, arXiv 2106.01345): three tokens
a step (return to go, observation, action), one embedding each with that of the step added, a causal transformer, and
the action read off the observation's token, which sees this step's return to go and nothing of its action or of what
follows.

Deviations: steps are numbered within the window and not within the episode; blocks normalise before (GPT-2); there is
no dropout; of continuous actions a Gaussian's likelihood is maximised in place of the squared distance.

A row of the window is ``(return to go, observation, action, 1)``, oldest first, zeros before the episode began; that
part is not attended to.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agentc.runtime.learn.architecture import ActionHead, Part

TOKENS = 3
"""Of a step: return to go, observation, action."""


class Block(nn.Module):
    """Causal attention and a feed-forward layer, each behind a norm and beside what it reads."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv, self.mix = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.feed = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(), nn.Linear(4 * size, size))

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """From ``(batch, tokens, size)``; ``seen`` ``(batch, 1, tokens, tokens)`` is what each token may attend to."""
        batch, count, size = x.shape
        width = size // self.heads
        read = self.qkv(self.before(x)).view(batch, count, 3, self.heads, width).permute(2, 0, 3, 1, 4)
        query, key, value = read[0], read[1], read[2]
        scores = (query @ key.transpose(-2, -1)) / math.sqrt(width)
        share = torch.softmax(scores.masked_fill(~seen, -math.inf), dim=-1)
        x = x + self.mix((share @ value).transpose(1, 2).reshape(batch, count, size))
        result: Tensor = x + self.feed(self.between(x))
        return result


class DecisionTransformer(nn.Module):
    """From windows ``(batch, steps, numbers)`` to what the action is read off."""

    def __init__(self, part: Part, head: ActionHead, size: int, layers: int, heads: int = 4) -> None:
        """Raises ``ValueError`` for a window with no room for return, observation, action and flag."""
        super().__init__()
        steps, width = part.shape
        self.action_size = head.size
        self.seen_size = width - self.action_size - 2
        if self.seen_size < 1:
            raise ValueError(f"a window of {width} numbers a step for {self.action_size} of the action")
        self.returns, self.seen = nn.Linear(1, size), nn.Linear(self.seen_size, size)
        self.action = nn.Linear(self.action_size, size)
        self.steps = nn.Parameter(torch.zeros(steps, size))
        self.norm = nn.LayerNorm(size)
        self.blocks = nn.ModuleList([Block(size, heads) for _ in range(layers)])
        self.last = nn.LayerNorm(size)
        self.causal: Tensor
        self.register_buffer("causal", torch.ones(TOKENS * steps, TOKENS * steps).tril().bool(), persistent=False)

    def every(self, x: Tensor) -> Tensor:
        """Of every step: what its action is read off, ``(batch, steps, size)``."""
        batch, count = x.shape[:2]
        split = 1 + self.seen_size
        tokens = torch.stack(
            (self.returns(x[..., :1]), self.seen(x[..., 1:split]), self.action(x[..., split:-1])), dim=2
        )
        tokens = self.norm((tokens + self.steps[:, None]).flatten(1, 2))
        there = (x[..., -1] > 0.5).repeat_interleave(TOKENS, dim=1)
        itself = torch.eye(TOKENS * count, dtype=torch.bool)  # a step that is not there attends to itself alone
        seen = (self.causal & there[:, None, :]) | itself
        for block in self.blocks:
            tokens = block(tokens, seen[:, None])
        made: Tensor = self.last(tokens).view(batch, count, TOKENS, -1)[:, :, 1]
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Of the last step, ``(batch, size)``."""
        return self.every(x)[:, -1]
