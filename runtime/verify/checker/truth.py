"""A temporal formula on a run of sets, for the checker of ``data``: its propositions, sample by sample.

Between samples there is nothing here; the temporal operators are those of :mod:`.future`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Formula, postorder
from agentc.compiler.systems.graph import graph_of
from agentc.runtime.verify.checker.fixed import Form, walk
from agentc.runtime.verify.checker.future import holds


class Truth:
    """A formula over states, sample by sample."""

    def __init__(self, formula: Formula, states: Sequence[Any]) -> None:
        self._formula, self._names = formula, [v.name for v in states]
        found = [node for node in postorder(formula) if isinstance(node, Formula) and node.op == "atom"]
        self._graphs = {node: graph_of([node], states) for node in found}
        self._atoms: dict[Formula, list[tuple[bool, bool]]] = {node: [] for node in self._graphs}
        self._length = 0

    def sample(self, states: Sequence[Form]) -> None:
        """Note a step."""
        values = dict(zip(self._names, states, strict=True))
        for node, graph in self._graphs.items():
            self._atoms[node].append(walk(graph, values)[0])
        self._length += 1

    def holds(self) -> bool:
        """Whether the formula is surely true at the first step, the last one ending the run."""
        truths = {node: np.ones((2, 2 * self._length - 1, 1), bool) for node in self._atoms}
        for node, pairs in self._atoms.items():
            truths[node][:, ::2, 0] = np.array(pairs, bool).T
        return bool(holds(self._formula, truths, self._length - 1, True, 1)[0])
