"""Shields: which actions keep a run safe, whatever the chances do; and which keep the probability above a threshold.

Mohammed Alshiekh, Roderick Bloem, Rüdiger Ehlers, Bettina Könighofer, Scott Niekum, Ufuk Topcu: "Safe Reinforcement
Learning via Shielding", AAAI 2018. The set is the greatest one that some action never leaves: the maximally permissive
shield of the product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.systems.graph import encode
from agentc.runtime.verify.model.product import Bits, Floats, Ints, Product


@dataclass(frozen=True)
class Shield:
    """Which actions are allowed in which pair; ``table`` is packed, ``(pairs, ceil(actions / 8))`` of bits.

    ``winning`` are the pairs from which safety can be kept; in others every enabled action is allowed, for none helps.
    """

    product: Product
    table: NDArrayBytes
    winning: Bits
    index: dict[tuple[int, ...], int]

    @property
    def safe(self) -> bool:
        """Whether safety can be kept from every start."""
        return bool(self.winning[self.product.initial].all())

    def mask(self, valuation: dict[str, Any], memory: int) -> Bits:
        """The allowed actions at a state's valuation with the automaton in ``memory``. Raises ``KeyError``."""
        model = self.product.model
        key = (*(int(encode(valuation[v.name], v)) for v in model.variables), memory)
        row = self.table[self.index[key]]
        return np.unpackbits(row, count=len(model.actions)).astype(bool)


NDArrayBytes = np.ndarray[Any, np.dtype[np.uint8]]


def shield_of(p: Product, values: Floats | None = None, threshold: float = 1.0) -> Shield:
    """The shield of a product's safety; with ``values`` (of safety, per pair) of its probability.

    With values an action is allowed if its expected value reaches ``threshold``, or if it is the best there is.
    """
    actions = len(p.model.actions)
    source = np.repeat(np.arange(len(p)), np.diff(p.choices))
    if values is None:
        winning = p.verdict != Verdict.FALSE
        while True:
            keeps = np.zeros(0, bool)
            if len(p.successor):
                keeps = np.logical_and.reduceat(winning[p.successor], p.offsets[:-1])
            good = np.bincount(source, keeps, len(p)) > 0
            ends = np.diff(p.choices) == 0
            after = winning & (good | ends)
            if (after == winning).all():
                break
            winning = after
        allowed = keeps | ~winning[source]
    else:
        expected = np.add.reduceat(p.probability * values[p.successor], p.offsets[:-1])
        best = np.full(len(p), -np.inf)
        np.maximum.at(best, source, expected)
        allowed = (expected >= threshold) | (expected >= best[source] - 1e-12)
        winning = np.where(np.diff(p.choices) > 0, best, values) >= threshold
    table = np.zeros((len(p), actions), bool)
    table[source, p.model.action[p.choice]] = allowed
    rows: Ints = p.model.values[p.state]
    index = {(*map(int, row), int(q)): i for i, (row, q) in enumerate(zip(rows, p.memory, strict=True))}
    return Shield(p, np.packbits(table, axis=1), winning, index)
