"""A temporal formula on a run of sets: surely true, surely false, or open, for the checker.

Every operator is reduced to negation, conjunction, `until` with a window, and `next`, as the language defines it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentc.compiler.logic.ir import Formula, postorder
from agentc.compiler.systems.graph import graph_of
from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.fixed import Form, walk

Pairs = list[tuple[bool, bool]]
"""For each step whether it is surely true, and whether surely false."""


class Truth:
    """A formula over states, sample by sample."""

    def __init__(self, formula: Formula, states: Sequence[Any]) -> None:
        self._formula, self._names = formula, [v.name for v in states]
        self._order = [node for node in postorder(formula) if isinstance(node, Formula)]
        self._graphs = {node: graph_of([node], states) for node in self._order if node.op == "atom"}
        self._atoms: dict[Formula, Pairs] = {node: [] for node in self._graphs}
        self._length = 0

    def sample(self, states: Sequence[Form]) -> None:
        """Note a step."""
        values = dict(zip(self._names, states, strict=True))
        for node, graph in self._graphs.items():
            self._atoms[node].append(walk(graph, values)[0])
        self._length += 1

    def holds(self) -> bool:
        """Whether the formula is surely true at the first step, the last one ending the run."""
        found: dict[Formula, Pairs] = dict(self._atoms)
        for node in self._order:
            if node.op != "atom":
                found[node] = self._made(node, [found[arg] for arg in node.args if isinstance(arg, Formula)])
        return found[self._formula][0][0]

    def _made(self, node: Formula, a: list[Pairs]) -> Pairs:
        yes: Pairs = [(True, False)] * self._length
        match node.op:
            case "true":
                return yes
            case "false":
                return _not(yes)
            case "not":
                return _not(a[0])
            case "and":
                return _and(*a)
            case "or":
                return _or(*a)
            case "implies":
                return _or(_not(a[0]), a[1])
            case "iff":
                return _or(_and(*a), _and(_not(a[0]), _not(a[1])))
            case "xor":
                return _or(_and(a[0], _not(a[1])), _and(_not(a[0]), a[1]))
            case "X":
                return self._next(a[0], node)
            case "WX":
                return _not(self._next(_not(a[0]), node))
            case "F":
                return self._until(yes, a[0], node)
            case "G":
                return _not(self._until(yes, _not(a[0]), node))
            case "U":
                return self._until(a[0], a[1], node)
            case "R":
                return _not(self._until(_not(a[0]), _not(a[1]), node))
            case "W":  # g R (f | g)
                return _not(self._until(_not(a[1]), _not(_or(a[0], a[1])), node))
            case "M":  # g U (f & g)
                return self._until(a[1], _and(a[0], a[1]), node)
        raise RejectedError(f"the formula has `{node.op}`")

    def _next(self, a: Pairs, node: Formula) -> Pairs:
        count = node.interval[0] if node.interval else 1
        return (a[count:] + [(False, True)] * count)[: len(a)]

    def _until(self, f: Pairs, g: Pairs, node: Formula) -> Pairs:
        first, last = node.interval or (0, None)
        made: Pairs = []
        for t in range(self._length):
            end = self._length - 1 if last is None else min(t + last, self._length - 1)
            sure, never, kept, lost = False, True, True, False
            for s in range(t, end + 1):
                if s >= t + first:
                    sure = sure or (kept and g[s][0])
                    never = never and (lost or g[s][1])
                kept, lost = kept and f[s][0], lost or f[s][1]
            made.append((sure, never))
        return made


def _not(a: Pairs) -> Pairs:
    return [(no, yes) for yes, no in a]


def _and(*parts: Pairs) -> Pairs:
    return [(all(yes for yes, _ in row), any(no for _, no in row)) for row in zip(*parts, strict=True)]


def _or(*parts: Pairs) -> Pairs:
    return _not(_and(*(_not(p) for p in parts)))
