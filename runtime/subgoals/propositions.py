"""The propositions of a decomposition on batches of states: their truth and their margin, one graph for all of them.

The meaning is that of :mod:`agentc.compiler.logic.semantics`: atoms are those of :mod:`agentc.compiler.signals.atoms`,
which robustness is computed with; connectives are minima and maxima. ``tests/subgoals`` compares with the reference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.rewrite import formula_nodes
from agentc.compiler.signals.arrays import NUMPY, Array
from agentc.compiler.signals.atoms import Atoms
from agentc.compiler.signals.scalars import at_points

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

FAR = 1e6
"""What an infinite margin is cut to."""


class Propositions:
    """Formulas without temporal operators, over the columns of a state: ``columns[k]`` names column ``k``.

    Raises :class:`AgentcError` (AS0701) for terms that look further back than one step.
    """

    def __init__(self, formulas: Sequence[Formula], signals: Sequence[SignalIR], columns: Sequence[str]) -> None:
        self.formulas = tuple(formulas)
        self._place = {name: k for k, name in enumerate(columns)}
        compiler = Atoms(signals)
        self._graph = compiler.graph
        self._atoms = {
            node: compiler.atom(node)
            for f in self.formulas
            for node in formula_nodes(f)
            if node.op == "atom"
        }
        """The operations of every atom."""

    def __len__(self) -> int:
        return len(self.formulas)

    def read(self, now: Floats, before: Floats | None) -> tuple[Floats, Truths]:
        """Margins and truths ``(batch, propositions)`` at states ``(batch, columns)``.

        ``before`` are the states one step earlier, None at step 0. Margins are cut to :data:`FAR`.
        """

        def column(name: tuple[str, int], back: int) -> Array:
            rows = before if back else now
            return np.full(len(now), np.nan) if rows is None else rows[:, self._place[name[0]]]

        roots = [r for a in self._atoms.values() for r in (a.truth, a.margin) if r is not None]
        with np.errstate(all="ignore"):  # what has no value becomes not-a-number, and that false
            values = at_points(self._graph, NUMPY, column, roots)
        table: dict[Formula, tuple[Floats, Truths]] = {}
        for node, atom in self._atoms.items():
            held: Truths = np.broadcast_to(np.nan_to_num(values[atom.truth]) > 0.5, len(now))  # without a value: false
            margin = np.where(held, FAR, -FAR) if atom.margin is None else np.nan_to_num(values[atom.margin], nan=-FAR)
            table[node] = np.clip(np.broadcast_to(margin, len(now)), -FAR, FAR), held
        pairs = [_read(f, table, len(now)) for f in self.formulas]
        shape = (len(now), 0)
        if not pairs:
            return np.empty(shape), np.empty(shape, np.bool_)
        return np.stack([m for m, _ in pairs], axis=1), np.stack([t for _, t in pairs], axis=1)


def _read(f: Formula, table: dict[Formula, tuple[Floats, Truths]], size: int) -> tuple[Floats, Truths]:
    """The margin and the truth of a formula, from those of its atoms."""
    if f.op == "atom":
        return table[f]
    x = [_read(a, table, size) for a in f.args]
    match f.op:
        case "true" | "false":
            held = f.op == "true"
            return np.full(size, FAR if held else -FAR), np.full(size, held)
        case "not":
            return -x[0][0], ~x[0][1]
        case "and":
            return np.minimum.reduce([m for m, _ in x]), np.logical_and.reduce([t for _, t in x])
        case "or":
            return np.maximum.reduce([m for m, _ in x]), np.logical_or.reduce([t for _, t in x])
    raise ValueError(f"`{f.op}` is no connective of a proposition in negation normal form")
