"""Policies that treat mirrored or turned situations as what they are: averages over a finite group.

Puny et al., "Frame Averaging for Invariant and Equivariant Network Design" (ICLR 2022), section 2.1, with the whole
group as the frame: ``f(x) = mean of g^-1 h(g x)`` over the group is equivariant whatever ``h`` is, and every
equivariant function that ``h`` can approximate stays within reach. Values are averaged without the inverse, so that
they are invariant; deviations of actions have no sign. van der Pol et al., "MDP Homomorphic Networks" (NeurIPS 2020),
make such policies by tied weights; averaging costs as many passes as the group has elements.

The critics of actions under ``sac`` and ``td3`` are not averaged: the policy that is deployed is equivariant whatever
they say.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agentc.compiler.symmetry import ORDERS, Symmetry, parse
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.architecture import Architecture

Motion = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Where each number comes from, and its sign: ``(g x)[i] = sign[i] * x[source[i]]``."""


class Group(nn.Module):
    """A finite group that acts on a vector of observations and on the outputs of an actor."""

    def __init__(self, architecture: Architecture) -> None:
        """Raises AS0940 where the symmetry does not fit the spaces."""
        super().__init__()
        symmetry, head = parse(architecture.symmetry), architecture.action
        width = sum(p.size for p in architecture.parts)
        _check(symmetry, architecture, width)
        seen = _motion(symmetry, symmetry.seen, width, choices=False)
        done = _motion(symmetry, symmetry.done, head.size, choices=head.discrete)
        if head.kind == "squashed":  # means, then deviations, which have no sign
            done = (np.concatenate([done[0], done[0] + head.size]), np.concatenate([done[1], np.ones_like(done[1])]))
        self.elements = [(_power(seen, k), _inverse(_power(done, k))) for k in range(ORDERS[symmetry.kind])]
        for k, (before, after) in enumerate(self.elements):
            for name, (source, sign) in (("seen", before), ("done", after)):
                self.register_buffer(f"{name}_source_{k}", torch.from_numpy(source), persistent=False)
                self.register_buffer(f"{name}_sign_{k}", torch.from_numpy(sign), persistent=False)

    def equivariant(self, layers: nn.Module, x: Tensor) -> Tensor:
        """The outputs ``(batch, n)`` of layers, averaged so that they move with ``x`` ``(batch, width)``."""
        made = [self._moved("done", k, layers(self._moved("seen", k, x))) for k in range(len(self.elements))]
        return torch.stack(made).mean(0)

    def invariant(self, layers: nn.Module, x: Tensor) -> Tensor:
        """The outputs of layers, averaged so that they are the same for all ``g x``."""
        return torch.stack([layers(self._moved("seen", k, x)) for k in range(len(self.elements))]).mean(0)

    def tied(self, log_std: Tensor) -> Tensor:
        """Log-deviations ``(d,)`` that are the same where the group moves one number of the action to another."""
        size = len(log_std)
        sources = [torch.from_numpy(after[0][:size]) for _, after in self.elements]
        return torch.stack([log_std[source] for source in sources]).mean(0)

    def _moved(self, what: str, k: int, x: Tensor) -> Tensor:
        source, sign = getattr(self, f"{what}_source_{k}"), getattr(self, f"{what}_sign_{k}")
        moved: Tensor = x[..., source] * sign
        return moved


def _motion(symmetry: Symmetry, groups: tuple[tuple[int, ...], ...], width: int, choices: bool) -> Motion:
    """The mirror, or one quarter turn."""
    source, sign = np.arange(width), np.ones(width, np.float32)
    for group in groups:
        if choices:
            for one, next_one in zip(group, (*group[1:], group[0]), strict=True):
                source[next_one] = one
        elif symmetry.kind == "mirror":
            sign[group[0]] = -1.0
        else:
            x, y = group
            source[x], source[y], sign[x] = y, x, -1.0
    return source, sign


def _power(motion: Motion, k: int) -> Motion:
    source, sign = np.arange(len(motion[0])), np.ones(len(motion[0]), np.float32)
    for _ in range(k):
        source, sign = source[motion[0]], motion[1] * sign[motion[0]]
    return source, sign


def _inverse(motion: Motion) -> Motion:
    source = np.argsort(motion[0])
    return source, motion[1][source]


def _check(symmetry: Symmetry, architecture: Architecture, width: int) -> None:
    head = architecture.action
    if any(p.kind != "vector" for p in architecture.parts) or architecture.normalize or architecture.privileged:
        _refuse("observation", "no vector", "`symmetry` moves the numbers of vectors, all of them seen and as they are")
    over = [n for group in symmetry.seen for n in group if n >= width]
    if over:
        _refuse("observation", f"of {width} numbers", f"`symmetry` moves number {over[0]}")
    over = [n for group in symmetry.done for n in group if n >= head.size]
    if over or head.kind == "multi":
        _refuse("action", f"of {head.size}", f"`symmetry` moves number {over[0] if over else 0}")
    wanted = {("mirror", True): 2, ("turn", True): 4, ("mirror", False): 1, ("turn", False): 2}
    size = wanted[symmetry.kind, head.discrete]
    if any(len(group) != size for group in symmetry.done):
        _refuse("action", f"of {head.size}", f"a {symmetry.kind} moves {size} of its numbers or choices at a time")
    if not head.discrete:
        source, sign = _motion(symmetry, symmetry.done, head.size, choices=False)
        low, high = np.array(head.low), np.array(head.high)
        moved = np.where(sign > 0, low[source], -high[source]), np.where(sign > 0, high[source], -low[source])
        if not (np.array_equal(moved[0], low) and np.array_equal(moved[1], high)):
            _refuse("action", f"from {low.tolist()} to {high.tolist()}", "`symmetry` moves its bounds")


def _refuse(role: str, space: str, mend: str) -> None:
    raise AgentcError([report("AS0940", None, role=role, space=space, mend=mend)])
