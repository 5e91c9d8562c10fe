"""Branch and bound over the inputs: a batch of boxes at a time, cut where the error comes from.

Shiqi Wang, Kexin Pei, Justin Whitehouse, Junfeng Yang, Suman Jana: "Formal Security Analysis of Neural Networks using
Symbolic Intervals", USENIX Security 2018 (bisection of inputs). The tree is the certificate: at each leaf one row of
the violation is above its bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import monotonic

import numpy as np

from agentc.runtime.verify.network.mlp import Floats, Network
from agentc.runtime.verify.network.vnnlib import Case
from agentc.runtime.verify.network.zonotope import bound

BATCH = 512
PATIENCE = 12
"""How often a part is halved further where it is closed in exact arithmetic and not in float32."""

MARGIN = 1e-9
"""A leaf is closed when its row is above its bound by this much of its size, so that a checker's arithmetic agrees."""


@dataclass(frozen=True)
class Branching:
    """What came of the cases that share a box.

    Attributes:
        outcome: ``closed`` (no violation), ``open`` (time or splits are used up) or ``found``.
        tree: the tree in preorder: ``i >= 0`` bisects input ``i`` (the lower half first), ``-1 - n`` is a leaf; ``n``
            has the row that refutes each case as its digits: of the first case the lowest, to the base of its rows.
            Only of a closed box.
        boxes: how many boxes were bounded.
        closed: the share of the box's volume that is proved.
        point: an input that seems to violate, if one was found.
        left: a part that is open, with the row that is nearest to refuting what keeps it so: ``(lo, hi, row)``.
    """

    outcome: str
    tree: tuple[int, ...] = ()
    boxes: int = 0
    closed: float = 0.0
    point: Floats | None = None
    left: tuple[Floats, Floats, Floats] | None = None


def boxes_of(cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
    """The cases in groups that share a box, which are branched on together."""
    groups: dict[tuple[object, ...], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.lo, case.hi), []).append(case)
    return tuple(map(tuple, groups.values()))


def branch(
    network: Network,
    cases: Sequence[Case],
    deadline: float,
    most: int,
    found: Callable[[Floats], bool],
    progress: Callable[[int, float], None],
) -> Branching:
    """Bisect a box until each part is closed against all cases.

    Args:
        network: the network.
        cases: what must not happen; all have the same box.
        deadline: when to give up, by the monotonic clock.
        most: the most boxes to bound.
        found: whether an input that violates a case in float64 does so in truth.
        progress: is told the boxes bounded and the share closed.
    """
    lo0, hi0 = cases[0].box()
    if any(not case.rows for case in cases):
        return Branching("open", point=(lo0 + hi0) / 2)
    parts = [case.linear() for case in cases]
    rows, bounds = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    starts = np.cumsum([0, *(len(p[1]) for p in parts)])
    ranges = [slice(a, b) for a, b in pairwise(starts)]
    radix = np.cumprod([1, *(len(p[1]) for p in parts)])[:-1]
    scale = (1.0 + np.abs(bounds))[:, None]
    lo, hi, node, depth, late_ = lo0[None], hi0[None], np.array([0]), np.array([0]), np.array([0])
    made = [0]  # per node, what it is: -1 - digits for a leaf, an input for a split
    children: dict[int, int] = {}  # of a split: the node of its lower half; the upper half's is the next
    boxes, closed, nearest = 0, 0.0, 0
    while len(lo):
        if monotonic() > deadline or boxes >= most:
            return Branching("open", boxes=boxes, closed=closed, left=(lo[-1], hi[-1], rows[nearest]))
        a, b, at, deep = lo[-BATCH:], hi[-BATCH:], node[-BATCH:], depth[-BATCH:]
        lo, hi, node, depth = lo[:-BATCH], hi[:-BATCH], node[:-BATCH], depth[:-BATCH]
        boxes += len(a)
        known = bound(network, a, b, rows, bounds)
        late = late_[-BATCH:]
        late_ = late_[:-BATCH]
        middle = (a + b) / 2
        excess = network(middle) @ rows.T - bounds
        bad = np.any([(excess[:, r] <= 0).all(axis=1) for r in ranges], axis=0)
        for point in middle[bad][:4]:
            if found(point):
                return Branching("found", boxes=boxes, closed=closed, point=point)
        lead = known.least / scale
        best = np.array([lead[r].argmax(axis=0) for r in ranges])  # (cases, batch): the row that refutes it best
        margin = np.array([lead[r].max(axis=0) for r in ranges])
        done = margin.min(axis=0) > MARGIN
        sure = np.flatnonzero(done & (late < PATIENCE))
        if len(sure):  # a second look that covers float32; what it does not close is halved for a while
            wide = bound(network, a[sure], b[sure], rows, bounds, single=True)
            lead[:, sure], known.blame[:, sure] = wide.least / scale, wide.blame
            best[:, sure] = np.array([lead[r][:, sure].argmax(axis=0) for r in ranges])
            margin[:, sure] = np.array([lead[r][:, sure].max(axis=0) for r in ranges])
            lost = sure[margin[:, sure].min(axis=0) <= MARGIN]
            done[lost] = False
            late = late.copy()
            late[lost] += 1
        closed += float(np.exp2(-deep[done].astype(np.float64)).sum())
        digits = (best * radix[:, None]).sum(axis=0)
        for k in np.flatnonzero(done).tolist():
            made[at[k]] = -1 - int(digits[k])
        left = np.flatnonzero(~done)
        if len(left):
            a, b, at, deep = a[left], b[left], at[left], deep[left] + 1
            hard = margin[:, left].argmin(axis=0)
            row = starts[hard] + best[hard, left]
            nearest = int(row[-1])
            score = np.where(b > a, known.blame[row, left], -1.0)
            cut, each = score.argmax(axis=1), np.arange(len(left))
            half = (a[each, cut] + b[each, cut]) / 2
            if ((half <= a[each, cut]) | (half >= b[each, cut])).any():
                thin = a[0], b[0], rows[int(row[0])]
                return Branching("open", boxes=boxes, closed=closed, left=thin)  # a box has become a point
            below, above = b.copy(), a.copy()
            below[each, cut], above[each, cut] = half, half
            first = len(made) + 2 * each
            made.extend([0] * (2 * len(left)))
            for k in range(len(left)):
                made[at[k]] = int(cut[k])
                children[int(at[k])] = int(first[k])
            lo, hi = np.concatenate([lo, a, above]), np.concatenate([hi, below, b])
            node = np.concatenate([node, first, first + 1])
            depth, late_ = np.concatenate([depth, deep, deep]), np.concatenate([late_, late[left], late[left]])
        progress(boxes, closed)
    return Branching("closed", _preorder(made, children), boxes, 1.0)


def _preorder(made: list[int], children: dict[int, int]) -> tuple[int, ...]:
    tree, stack = [], [0]
    while stack:
        node = stack.pop()
        tree.append(made[node])
        if node in children:
            stack.extend((children[node] + 1, children[node]))
    return tuple(tree)
