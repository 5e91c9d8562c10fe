"""A formula over the steps of a trajectory as a shared and/or graph of linear conditions, with constants folded.

Every temporal operator is expanded over the known length, ``f U[a,b] g`` at ``t`` as one disjunct for each time at
which ``g`` is met. Conditions are evaluated over boxes that contain all reachable states: what always or never holds
there is folded, so that a region that cannot be reached in time costs no variable. ``slack`` is the margin that a
condition is to have; the folding to false needs that no reachable state has it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from agentc.compiler.logic.ir import ALWAYS, Formula
from agentc.compiler.logic.rewrite import formula_nodes
from agentc.runtime.planning.halfspaces import Condition, Linear, condition

Ref = int
"""A node of the graph: its index; ``TRUE`` and ``FALSE`` are the first two."""
TRUE, FALSE = 0, 1

Row = tuple[tuple[tuple[int, float], ...], float, bool]
"""``sum w . column + constant >= 0``, and whether it takes no margin; columns are those of the trajectory."""

Column = Callable[[str, int], int | None]
"""The column of a signal at a step; None where it has no value."""


class GraphTooLargeError(Exception):
    """The expansion has more nodes than its budget."""


@dataclass
class Clauses:
    """The graph: ``kind[k]`` is ``true false row all any``, ``parts[k]`` the arguments, all smaller than ``k``."""

    kind: list[str] = field(default_factory=lambda: ["true", "false"])
    parts: list[tuple[Ref, ...]] = field(default_factory=lambda: [(), ()])
    rows: dict[Ref, Row] = field(default_factory=dict)
    root: Ref = TRUE


class _Expansion:
    def __init__(
        self, last: int, column: Column, bounds: Callable[[Row], tuple[float, float]], slack: float, budget: int
    ) -> None:
        self.last, self.column, self.bounds, self.slack, self.budget = last, column, bounds, slack, budget
        self.graph = Clauses()
        self.index: dict[object, Ref] = {}
        self.conditions: dict[Formula, Condition] = {}
        self.work = 0

    def node(self, kind: str, parts: tuple[Ref, ...]) -> Ref:
        zero, unit = (FALSE, TRUE) if kind == "all" else (TRUE, FALSE)
        flat: dict[Ref, None] = {}
        for part in parts:
            if part == zero:
                return zero
            for inner in self.graph.parts[part] if self.graph.kind[part] == kind else (part,):
                if inner != unit:
                    flat[inner] = None
        self.work += len(parts)
        if self.work > self.budget:
            raise GraphTooLargeError
        kept = tuple(flat)
        if len(kept) <= 1:
            return kept[0] if kept else unit
        return self._made((kind, kept), kind, kept)

    def _made(self, key: object, kind: str, parts: tuple[Ref, ...]) -> Ref:
        if key not in self.index:
            self.index[key] = len(self.graph.kind)
            self.graph.kind.append(kind)
            self.graph.parts.append(parts)
        return self.index[key]

    def literal(self, f: Formula, t: int) -> Ref:
        if f not in self.conditions:
            self.conditions[f] = condition(f)
        return self.at(self.conditions[f], t, f.op == "not")

    def at(self, c: Condition, t: int, missing: bool) -> Ref:
        """The condition at a step; ``missing`` is its value where a signal has none."""
        if not isinstance(c, Linear):
            return self.node("all" if c.every else "any", tuple(self.at(p, t, missing) for p in c.parts))
        weights: dict[int, float] = {}
        for (name, before), weight in c.weights:
            column = self.column(name, t - 1 if before else t) if t or not before else None
            if column is None:
                return TRUE if missing else FALSE
            weights[column] = weights.get(column, 0.0) + weight
        row: Row = (tuple(sorted(weights.items())), c.constant, c.exact)
        least, most = self.bounds(row)
        margin = 0.0 if c.exact else self.slack
        if least >= max(margin, 0.0) and not c.exact:
            return TRUE
        if most < min(margin, -1e-6 if c.exact else margin):
            return FALSE
        ref = self._made(("row", row), "row", ())
        self.graph.rows[ref] = row
        return ref


def expand(
    f: Formula, last: int, column: Column, bounds: Callable[[Row], tuple[float, float]], *, slack: float,
    budget: int = 2_000_000,
) -> Clauses:
    """The graph of ``f`` (in negation normal form, of the future) over the steps ``0 .. last``.

    ``bounds`` gives the least and greatest value of a row over the reachable states. Raises
    :class:`~agentc.runtime.planning.halfspaces.NotLinearError` and :class:`GraphTooLargeError`.
    """
    e = _Expansion(last, column, bounds, slack, budget)
    table: dict[tuple[Formula, int], Ref] = {}
    wanted = _wanted(f, last)
    for node in formula_nodes(f):
        for t in sorted(wanted[node], reverse=True):
            table[node, t] = _expanded(e, node, t, table)
    e.graph.root = table[f, 0]
    return e.graph


def _wanted(f: Formula, last: int) -> dict[Formula, set[int]]:
    """The steps at which each part is asked for."""
    wanted: dict[Formula, set[int]] = {f: {0}}
    for node in reversed(formula_nodes(f)):
        steps = wanted.setdefault(node, set())
        if node.op == "atom" or node.op == "not":
            continue
        for k, arg in enumerate(node.args):
            into = wanted.setdefault(arg, set())
            if node.op in ("U", "R"):
                a, b = node.interval or ALWAYS
                for t in steps:
                    end = last if b is None else min(last, t + b)
                    into.update(range(t if k == 0 else t + a, end + 1))
            elif node.op in ("and", "or"):
                into.update(steps)
    return wanted


def _expanded(e: _Expansion, node: Formula, t: int, table: dict[tuple[Formula, int], Ref]) -> Ref:
    match node.op:
        case "true" | "false":
            return TRUE if node.op == "true" else FALSE
        case "atom" | "not":
            return e.literal(node, t)
        case "and" | "or":
            return e.node("all" if node.op == "and" else "any", tuple(table[a, t] for a in node.args))
        case "S" | "T":  # `first` and its negation, nothing else of the past is in the fragment
            return TRUE if (t == 0) == (node.op == "T") else FALSE
    left, right = node.args
    a, b = node.interval or ALWAYS
    end = e.last if b is None else min(e.last, t + b)
    inner, outer = ("all", "any") if node.op == "U" else ("any", "all")
    return e.node(
        outer,
        tuple(
            e.node(inner, (*(table[left, s] for s in range(t, u)), table[right, u])) for u in range(t + a, end + 1)
        ),
    )
