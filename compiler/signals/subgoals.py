"""Timed subgoals as data: what has to be reached when, what has to hold for how long, and the choices in between.

A *decomposition* is a tree whose leaves are

- ``Subgoal(prop, at)``: the proposition holds at a time point,
- ``Invariant(prop, since, until)``: it holds at every step of the trace between two time points,
- ``Difference(left, right, bound)``: ``left - right <= bound`` for two time variables,

and whose inner nodes are ``Every`` (all parts) and ``Either`` (one part; of none, there is no way). A time point is a
time variable plus a constant; variable 0 is the start of the trace and has the value 0. An :class:`Alternative` is the
tree with one part chosen at each ``Either``; with a value for each time variable it is a :class:`GroundedPlan`.

After Meng, Chen, Fan, *TGPO: Temporal Grounded Policy Optimization for Signal Temporal Logic Tasks*,
arXiv 2510.00225. How a formula becomes a tree: :mod:`agentc.compiler.signals.decompose`. The contract and its proof:
``docs/architecture/subgoals.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentc.compiler.logic.ir import Formula, from_data, show, to_data
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace

START = 0
"""The variable that is the first step of the trace."""


@dataclass(frozen=True, slots=True)
class TimePoint:
    """``variable + offset``, in steps."""

    variable: int
    offset: int = 0

    def __add__(self, steps: int) -> TimePoint:
        return TimePoint(self.variable, self.offset + steps)

    def value(self, allocation: Mapping[int, int]) -> int:
        """The step, under an allocation of the variables (that of ``START`` is 0)."""
        return self.offset + (0 if self.variable == START else allocation[self.variable])


@dataclass(frozen=True, slots=True)
class TimeVariable:
    """A step that is to be chosen, between ``lo`` and ``hi``; ``source`` is the formula that brought it in."""

    index: int
    lo: int
    hi: int
    source: str


@dataclass(frozen=True, slots=True)
class Difference:
    """``left - right <= bound`` of two time variables."""

    left: int
    right: int
    bound: int


@dataclass(frozen=True, slots=True)
class Subgoal:
    """``prop``, a formula without temporal operators, holds at ``at``."""

    prop: Formula
    at: TimePoint


@dataclass(frozen=True, slots=True)
class Invariant:
    """``prop`` holds at every step of the trace from ``since`` to ``until``, both included; there may be none."""

    prop: Formula
    since: TimePoint
    until: TimePoint


@dataclass(frozen=True, slots=True)
class Every:
    """All parts; of none: nothing is asked."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the parts; of none: there is no way."""

    parts: tuple[Node, ...]


Node = Subgoal | Invariant | Difference | Every | Either


@dataclass(frozen=True, slots=True)
class Decomposition:
    """The timed subgoals of a formula over the traces whose last step is ``last``.

    ``variables[k]`` has the index ``k + 1``.
    """

    formula: Formula
    last: int
    variables: tuple[TimeVariable, ...]
    root: Node

    @property
    def size(self) -> int:
        """The number of nodes of the tree."""
        return sum(1 for _ in walk(self.root))


@dataclass(frozen=True, slots=True)
class Alternative:
    """A decomposition with one part chosen at each ``Either`` that is met.

    ``choices`` are the positions of the chosen parts in the order of the walk: they name the alternative.
    ``variables`` are those that occur, ``differences`` include none of their bounds ``lo`` and ``hi``.
    """

    last: int
    choices: tuple[int, ...]
    variables: tuple[TimeVariable, ...]
    differences: tuple[Difference, ...]
    subgoals: tuple[Subgoal, ...]
    invariants: tuple[Invariant, ...]

    def ground(self, allocation: Mapping[int, int]) -> GroundedPlan:
        """The plan with these values of the variables.

        Raises ``ValueError`` if a bound or a difference constraint does not hold, ``KeyError`` if a value is missing.
        """
        for variable in self.variables:
            if not variable.lo <= allocation[variable.index] <= variable.hi:
                raise ValueError(f"{allocation[variable.index]} is not in [{variable.lo}, {variable.hi}]")
        for d in self.differences:
            left, right = TimePoint(d.left).value(allocation), TimePoint(d.right).value(allocation)
            if left - right > d.bound:
                raise ValueError(f"{left} - {right} <= {d.bound} does not hold")
        return GroundedPlan(
            self.last,
            tuple((s.prop, s.at.value(allocation)) for s in self.subgoals),
            tuple(
                (i.prop, max(0, i.since.value(allocation)), min(self.last, i.until.value(allocation)))
                for i in self.invariants
            ),
            {v.index: allocation[v.index] for v in self.variables},
        )


@dataclass(frozen=True, slots=True)
class GroundedPlan:
    """Propositions with the steps at which they are to be reached, and those that hold over intervals of steps.

    ``reach`` has pairs ``(prop, step)``, ``stay`` triples ``(prop, from, to)``, both ends included, empty where
    ``to < from``.
    """

    last: int
    reach: tuple[tuple[Formula, int], ...]
    stay: tuple[tuple[Formula, int, int], ...]
    allocation: Mapping[int, int]

    def met(self, trace: Trace) -> bool:
        """Whether a trace meets the plan: then it satisfies the formula. False if its last step is another one."""
        return trace.last == self.last and all(
            evaluate(prop, trace, t) for prop, t in (*self.reach, *self._kept())
        )

    def _kept(self) -> Iterator[tuple[Formula, int]]:
        for prop, since, until in self.stay:
            for t in range(since, until + 1):
                yield prop, t

    def lines(self) -> list[str]:
        """The plan as text, by time."""
        rows = [(t, f"reach {show(prop)} at {t}") for prop, t in self.reach]
        rows += [(a, f"keep {show(prop)} from {a} to {b}") for prop, a, b in self.stay if a <= b]
        return [text for _, text in sorted(rows, key=lambda row: row[0])]


def walk(root: Node) -> Iterator[Node]:
    """Every node of a tree, parents first, in order."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, Every | Either):
            stack.extend(reversed(node.parts))


def occurring(node: Node) -> tuple[int, ...]:
    """The variables that a leaf speaks of, ``START`` among them."""
    match node:
        case Subgoal():
            return (node.at.variable,)
        case Invariant():
            return (node.since.variable, node.until.variable)
        case Difference():
            return (node.left, node.right)
        case _:
            return ()


# ---------------------------------------------------------------- data


def to_json(decomposition: Decomposition) -> dict[str, Any]:
    """The decomposition as plain data for JSON; the propositions are indices into a table of nodes."""
    leaves = [n for n in walk(decomposition.root) if isinstance(n, Subgoal | Invariant)]
    props = dict.fromkeys(n.prop for n in leaves)
    table = to_data(decomposition.formula, *props)
    index = {prop: k for k, prop in enumerate(props)}

    def point(p: TimePoint) -> list[int]:
        return [p.variable, p.offset]

    def node(n: Node, parts: list[Any]) -> dict[str, Any]:
        match n:
            case Subgoal():
                return {"kind": "reach", "prop": index[n.prop], "at": point(n.at)}
            case Invariant():
                return {"kind": "stay", "prop": index[n.prop], "since": point(n.since), "until": point(n.until)}
            case Difference():
                return {"kind": "difference", "left": n.left, "right": n.right, "bound": n.bound}
            case Every():
                return {"kind": "every", "parts": parts}
            case Either():
                return {"kind": "either", "parts": parts}

    def encode(n: Node) -> dict[str, Any]:
        return node(n, [encode(p) for p in n.parts] if isinstance(n, Every | Either) else [])

    return {
        "last": decomposition.last,
        "text": show(decomposition.formula),
        "variables": [
            {"index": v.index, "lo": v.lo, "hi": v.hi, "source": v.source} for v in decomposition.variables
        ],
        "nodes": table["nodes"],
        "roots": table["roots"],
        "props": [show(p) for p in props],
        "tree": encode(decomposition.root),
    }


def from_json(data: Mapping[str, Any]) -> Decomposition:
    """The inverse of :func:`to_json`. Raises ``ValueError`` if the data is not of that form."""
    try:
        formula, *props = from_data({"nodes": data["nodes"], "roots": data["roots"]})
        variables = tuple(TimeVariable(v["index"], v["lo"], v["hi"], v["source"]) for v in data["variables"])
        if [v.index for v in variables] != list(range(1, len(variables) + 1)):
            raise ValueError("the variables are not numbered from 1")

        def number(value: Any, least: int, most: int) -> int:
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"{value!r} is no index from {least} to {most}")
            return value

        def point(value: Any) -> TimePoint:
            variable, offset = value
            if type(offset) is not int:
                raise ValueError(f"{offset!r} is no number of steps")
            return TimePoint(number(variable, 0, len(variables)), offset)

        def prop(value: Any) -> Formula:
            found = props[number(value, 0, len(props) - 1)]
            if not isinstance(found, Formula):
                raise ValueError("a proposition is no formula")
            return found

        def node(row: Mapping[str, Any]) -> Node:
            match row["kind"]:
                case "reach":
                    return Subgoal(prop(row["prop"]), point(row["at"]))
                case "stay":
                    return Invariant(prop(row["prop"]), point(row["since"]), point(row["until"]))
                case "difference":
                    left, right = (number(row[k], 0, len(variables)) for k in ("left", "right"))
                    return Difference(left, right, number(row["bound"], -(2**62), 2**62))
                case "every":
                    return Every(tuple(map(node, row["parts"])))
                case "either":
                    return Either(tuple(map(node, row["parts"])))
                case kind:
                    raise ValueError(f"no node is a {kind!r}")

        if not isinstance(formula, Formula):
            raise ValueError("the first root is no formula")
        return Decomposition(formula, number(data["last"], 0, 2**62), variables, node(data["tree"]))
    except (KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"no decomposition: {error}") from error
