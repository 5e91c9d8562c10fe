"""What the steps of a spec cost (``cost c = ...``), in N environments at once.

A cost is charged for the step that was led to, as the payment of a ``prop`` is: step 0 costs nothing. A number costs
its value, a proposition 1 where it holds; a step at which a number has no value (division by zero, say) costs nothing.
The meaning is that of :mod:`agentc.compiler.logic.semantics`, with which ``tests/runtime/test_costs.py`` compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import CostIR, SignalIR
from agentc.compiler.logic import semantics
from agentc.compiler.logic.ir import Formula, Term, atoms, postorder, signals
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.runtime.labelling import Batch, Labeller
from agentc.runtime.learn.episodes import packed, unpacked

Array = NDArray[Any]
Floats = NDArray[np.float64]


class Costs:
    """The costs of N environments, and their sums over the episodes under way.

    Raises :class:`AgentcError` (AS0720) for a cost that looks further back than one step.
    """

    def __init__(self, costs: Sequence[CostIR], declared: Sequence[SignalIR], num_envs: int) -> None:
        self.names = tuple(cost.name for cost in costs)
        self.signals = signals(*(cost.value for cost in costs))
        """What is read."""
        self._propositions = {c.name: c.value for c in costs if isinstance(c.value, Formula)}
        terms = {c.name: c.value for c in costs if isinstance(c.value, Term)}
        self._terms = tuple(terms)
        self._atoms = tuple(dict.fromkeys(a for f in self._propositions.values() for a in atoms(f)))
        self._labeller = Labeller(self._atoms, declared, tuple(terms.values()))
        nodes = postorder(*(cost.value for cost in costs))
        self._looked_back = tuple(dict.fromkeys(str(n.value) for n in nodes if n.op == "prev"))
        self._before: dict[str, Array] = {}
        self._sums = {name: np.zeros(num_envs) for name in self.names}
        self._size = num_envs

    def begin(self, now: Batch, where: NDArray[np.bool_] | None = None) -> None:
        """Episodes begin: everywhere, or in the environments of ``where``; ``now`` are the signals of their step 0."""
        rows = np.ones(self._size, np.bool_) if where is None else where
        for total in self._sums.values():
            total[rows] = 0.0
        for name in self._looked_back:
            self._before[name] = np.where(_like(rows, now[name]), now[name], self._before.get(name, now[name]))

    def step(self, now: Batch) -> dict[str, Floats]:
        """What the step to ``now`` costs, ``(N,)`` by name."""
        found = dict(zip(self._terms, self._numbers(now), strict=True))
        if self._atoms or self._propositions:
            letters = self._labeller(now, self._before, out=np.zeros((self._size, len(self._atoms)), np.bool_))
            truth = {atom: letters[:, k] for k, atom in enumerate(self._atoms)}
            for name, formula in self._propositions.items():
                found[name] = np.broadcast_to(holds(formula, truth), self._size).astype(np.float64)
        for name in self._looked_back:
            self._before[name] = now[name].copy()
        for name, total in self._sums.items():
            total += found[name]
        return {name: found[name] for name in self.names}

    def sums(self) -> dict[str, Floats]:
        """What the present episodes have cost so far, ``(N,)`` by ``cost/NAME``."""
        return {f"cost/{name}": total.copy() for name, total in self._sums.items()}

    def state(self) -> dict[str, Array]:
        """The sums and the signals of the last step that the next one looks back at."""
        state: dict[str, Array] = {f"sum/{name}": total.copy() for name, total in self._sums.items()}
        for name, array in self._before.items():
            text = array.dtype == object
            state[f"{'text' if text else 'before'}/{name}"] = packed(array.tolist()) if text else array.copy()
        return state

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`."""
        for name in self.names:
            self._sums[name][:] = state[f"sum/{name}"]
        for name in self._looked_back:
            text = f"text/{name}" in state
            given = np.array(unpacked(state[f"text/{name}"]), object) if text else state[f"before/{name}"].copy()
            self._before[name] = given

    def _numbers(self, now: Batch) -> list[Floats]:
        numbers = self._labeller.numbers(now, self._before or None, self._size)
        return [np.where(np.isfinite(column), column, 0.0) for column in numbers]


def holds(formula: Formula, truth: Mapping[Formula, Array]) -> Any:
    """A Boolean combination of atoms, from their truth."""
    made: dict[Formula, Any] = dict(truth)
    for node in postorder(formula):
        if not isinstance(node, Formula) or node in made:
            continue
        x = [made[a] for a in node.args if isinstance(a, Formula)]
        match node.op:
            case "true" | "false":
                made[node] = np.bool_(node.op == "true")
            case "not":
                made[node] = ~x[0]
            case "and":
                made[node] = np.logical_and.reduce(np.broadcast_arrays(*x))
            case "or":
                made[node] = np.logical_or.reduce(np.broadcast_arrays(*x))
            case "implies":
                made[node] = ~x[0] | x[1]
            case "xor":
                made[node] = x[0] ^ x[1]
            case "iff":
                made[node] = x[0] == x[1]
            case _:
                raise ValueError(f"`{node.op}` is no connective of a proposition")
    return made[formula]


def costs_of_step(costs: Sequence[CostIR], before: Valuation, now: Valuation) -> dict[str, float]:
    """What the step from ``before`` to ``now`` costs, by name, by the reference semantics."""
    trace = Trace([before, now])
    found = {}
    for cost in costs:
        if isinstance(cost.value, Formula):
            found[cost.name] = float(semantics.evaluate(cost.value, trace, 1))
        else:
            value = semantics.values(cost.value, trace)[1]
            found[cost.name] = 0.0 if value is None else float(value)
    return found


def _like(rows: NDArray[np.bool_], array: Array) -> NDArray[np.bool_]:
    return rows.reshape(-1, *(1,) * (array.ndim - 1))
