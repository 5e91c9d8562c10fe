"""The certificates of the method ``model``: an invariant, and bounds of a value; the checker follows them anew."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agentc.compiler.codec import encode_agent
from agentc.compiler.systems.transitions import ExplicitModel
from agentc.runtime.verify.answer import Answer
from agentc.runtime.verify.certificate import Certificate
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.model.product import Bits, Floats, Ints, Product
from agentc.runtime.verify.problem import Problem

INVARIANT, VALUE = "model", "value"


def checked(answer: Answer, problem: Problem, certificate: Certificate | None) -> Answer:
    """The answer with a certificate, and whether the checker accepts it."""
    if certificate is None:
        return answer
    finding = check(json.loads(json.dumps(certificate.data())), problem.folder)
    return replace(answer, certificate=certificate, checked=finding.accepted)


def invariant_certificate(problem: Problem, p: Product) -> Certificate:
    """The reachable pairs as an inductive invariant of the item's system."""
    return Certificate(INVARIANT, _subject(problem), {"holds": "no reachable state violates it"}, _pairs(p)[0])


MOST_WORK = 2_000_000_000
"""Transitions times steps that the checker is asked to take at most."""


def ending_certificate(problem: Problem, p: Product, horizon: int | None) -> Certificate | None:
    """The pairs, for a claim about runs that end after the horizon; None if there is none."""
    if horizon is None or not isinstance(p.model, ExplicitModel) or horizon * len(p.successor) > MOST_WORK:
        return None
    claim = {"holds": f"every run of {horizon} steps satisfies it"}
    return Certificate(INVARIANT, _subject(problem), claim, _pairs(p)[0])


@dataclass(frozen=True)
class Vectors:
    """What bounds a value from one side: ``values`` of each pair, or as many steps as runs have (None).

    ``costs`` of each pair where the value is an expected sum.
    """

    values: Floats | None
    above: bool
    costs: Floats | None = None


def value_certificate(problem: Problem, p: Product, vectors: Vectors) -> Certificate | None:
    """The certificate of a bound that is proved; None if there is none.

    From below that is where ranks are missing: some action may go round for ever where something is left to gain.
    """
    if not isinstance(p.model, ExplicitModel):
        return None
    item = problem.item
    assert item.bound is not None
    argument, order = _pairs(p)
    if vectors.values is not None:
        values = vectors.values
        argument["values"] = _packed(values[order].astype("<f8").tobytes())
        if not vectors.above:
            # who pays for ever pays more than any bound: ranks are for where nothing is paid
            ranks = ranked(p, values > 0 if vectors.costs is None else (values > 0) & (vectors.costs == 0))
            if ranks is None:
                return None
            argument["ranks"] = pack(ranks[order][:, None])
    measure = "P" if item.total is None else "E"
    return Certificate(VALUE, _subject(problem), {"holds": f"{measure} {item.bound[0]} {item.bound[1]!r}"}, argument)


def ranked(p: Product, gaining: Bits) -> Ints | None:
    """Ranks by which every action may come nearer to a pair that is not ``gaining``; None if there are none."""
    moving = np.flatnonzero(np.diff(p.choices) > 0)
    stopped = ~gaining
    stopped[np.diff(p.choices) == 0] = True
    rank = np.zeros(len(p), np.int64)
    for height in range(len(p) + 1):
        if stopped.all():
            return rank
        near = np.logical_or.reduceat(stopped[p.successor], p.offsets[:-1])
        after = stopped.copy()
        after[moving] |= np.logical_and.reduceat(near, p.choices[:-1][moving])
        if (after == stopped).all():
            return None
        rank[after & ~stopped] = height
        stopped = after
    return None


def _subject(problem: Problem) -> dict[str, Any]:
    return {"agent": encode_agent(problem.agent), "item": problem.agent.verifies.index(problem.item)}


def _pairs(p: Product) -> tuple[dict[str, Any], Ints]:
    """The pairs as an argument, and the order in which they are there: by value after value, then automaton state."""
    assert isinstance(p.model, ExplicitModel)
    rows = p.model.values[p.state]
    order = np.lexsort((p.memory, *rows.T[::-1]))
    table = np.concatenate([rows, p.memory[:, None]], axis=1)[order]
    return {"pairs": pack(table), "count": len(table)}, order


def pack(table: Ints) -> str:
    """Rows of whole numbers as text: differences down the rows, compressed."""
    flat = np.diff(table, axis=0, prepend=np.zeros((1, table.shape[1]), table.dtype)).astype("<i4")
    return _packed(np.ascontiguousarray(flat.T).tobytes())


def _packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode("ascii")
