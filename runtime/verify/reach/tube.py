"""The certificate of a proof by reachable sets: for each part of the starts and each period a zonotope.

What it holds and what checking it establishes: :mod:`agentc.runtime.verify.checker.reach`. Arrays are float32, and
nothing is lost by that: the sets are rounded when they are made.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from agentc.compiler.codec import encode_agent
from agentc.runtime.verify.certificate import Certificate
from agentc.runtime.verify.checker import Finding, check
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.intervals import Floats
from agentc.runtime.verify.simulation import Controller

if TYPE_CHECKING:
    from agentc.runtime.verify.reach.prove import Proof

CLAIM = "the formula holds, of every sample and of every moment, from every start"
MOST = 200_000_000
"""Bytes of a tube beyond which no certificate is made."""


@dataclass(frozen=True)
class Tube:
    """The sets of one part after each period: ``(periods, states)``, ``(periods, states, kept)``, and so on.

    Attributes:
        lo, hi: the part of the starts.
        centre: of each set.
        columns: its generators, zeros where there are fewer.
        own: the generator of each state alone.
        kept: which generator of the period's end each column is; -1 where there is none.
    """

    lo: Floats
    hi: Floats
    centre: Any
    columns: Any
    own: Any
    kept: Any

    @property
    def bytes(self) -> int:
        """Its size."""
        return int(self.columns.nbytes + self.kept.nbytes + 2 * self.centre.nbytes)


class Recorder:
    """Notes the sets of a batch as it is followed."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._sets: list[tuple[Any, Any, Any]] = []
        self._alive: list[Any] = []

    def note(self, alive: Any, states: Sequence[Form], kept: Any) -> None:
        """The sets after a period of those rows that are still ``alive``."""
        forms = np.stack([f.c for f in states], axis=1), np.stack([f.g for f in states], axis=1)
        self._sets.append((*(a.astype(np.float32) for a in forms), kept.astype(np.int16)))
        self._alive.append(alive)

    def tube(self, row: int, lo: Floats, hi: Floats) -> Tube:
        """The tube of a row that is alive at the end."""
        n = len(lo)
        room = self._width - n
        centre = np.zeros((len(self._sets), n), np.float32)
        columns = np.zeros((len(self._sets), n, room), np.float32)
        own = np.zeros_like(centre)
        places = np.full((len(self._sets), room), -1, np.int16)
        before = n
        for t, ((c, g, kept), alive) in enumerate(zip(self._sets, self._alive, strict=True)):
            at = int(np.searchsorted(alive, row))
            count = kept.shape[1]
            centre[t], columns[t, :, :count] = c[at], g[at, :, :count]
            own[t] = np.diagonal(g[at, :, count:])
            places[t, :count] = self._place(kept[at].astype(int), before, n if t else 0)
            before = count
        return Tube(lo, hi, centre, columns, own, places)

    def _place(self, kept: Any, before: int, own: int) -> Any:
        """Where generators are once each set has all its room: those of states alone at its end."""
        at_end = (kept >= before) & (kept < before + own)
        new = kept >= before + own
        placed = np.where(at_end, kept + self._width - own - before, kept)
        return np.where(new, kept + self._width - own - before, placed)


def tree_of(lo: Floats, hi: Floats, parts: Sequence[tuple[Floats, Floats]]) -> tuple[list[Any], list[int]]:
    """The tree of cuts whose leaves are the parts of a box, in preorder, and the part of each leaf."""
    los, his = np.array([p[0] for p in parts]), np.array([p[1] for p in parts])
    tree: list[Any] = []
    leaves: list[int] = []
    stack = [(lo, hi, np.arange(len(parts)))]
    while stack:
        a, b, inside = stack.pop()
        if len(inside) == 1:
            tree.append(0)
            leaves.append(int(inside[0]))
            continue
        side, value = _cut(los[inside], his[inside], a)
        tree.append([side, value])
        below, above = b.copy(), a.copy()
        below[side] = above[side] = value
        upper = los[inside, side] >= value
        stack += [(above, b, inside[upper]), (a, below, inside[~upper])]
    return tree, leaves


def _cut(los: Any, his: Any, lo: Floats) -> tuple[int, float]:
    """A side and a place that no part crosses."""
    for side in range(los.shape[1]):
        for value in np.unique(los[:, side]):
            if value > lo[side] and not ((los[:, side] < value) & (his[:, side] > value)).any():
                return side, float(value)
    raise ValueError("the parts are not made by cuts")


def certificate(problem: Problem, controller: Controller, proofs: Sequence[Proof], steps: int) -> Certificate | None:
    """The certificate of closed proofs, one for each box of starts; None if it would be too large."""
    if sum(tube.bytes for proof in proofs for tube in proof.tubes) > MOST or any(not p.tubes for p in proofs):
        return None
    reading = controller.reading
    subject = {
        "agent": encode_agent(problem.agent),
        "item": problem.agent.verifies.index(problem.item),
        "network": controller.name if reading is not None else None,
        "digest": reading.network.digest if reading is not None else None,
    }
    starts = [_start(proof) for proof in proofs]
    return Certificate("reach", subject, {"holds": CLAIM, "periods": steps}, {"starts": starts})


def _start(proof: Proof) -> dict[str, Any]:
    tree, leaves = tree_of(proof.lo, proof.hi, [(t.lo, t.hi) for t in proof.tubes])
    tubes = [proof.tubes[leaf] for leaf in leaves]
    return {
        "tree": tree,
        "substeps": proof.substeps,
        "order": proof.order,
        "generators": tubes[0].columns.shape[2] + len(proof.lo),
        "centres": _text([t.centre for t in tubes], "<f4"),
        "columns": _text([t.columns for t in tubes], "<f4"),
        "own": _text([t.own for t in tubes], "<f4"),
        "kept": _text([t.kept for t in tubes], "<i2"),
    }


def _text(arrays: Sequence[Any], kind: str) -> str:
    raw = np.ascontiguousarray(np.stack(arrays)).astype(kind).tobytes()
    return base64.b64encode(zlib.compress(raw, 6)).decode("ascii")


def checked(made: Certificate, problem: Problem, controller: Controller) -> Finding:
    """What the independent checker says of it, as it would be read from a file."""
    trained = controller.path is not None and controller.path != problem.folder / controller.name
    folder = controller.path.parent if controller.path is not None and trained else problem.folder
    return check(json.loads(json.dumps(made.data())), folder)
