"""A formula as a plan: negations at the atoms, sugar removed, equal parts once, each with the steps it is needed at.

Every node is a minimum or a maximum: of its arguments, of one argument over a window, or of an ``until`` (whose dual is
``release``). That holds for robustness and for truth alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.fragments import LOGIC, TERMS, Fragment, fragment, outside
from agentc.compiler.logic.ir import Formula, and_, formula, not_, or_
from agentc.compiler.signals.atoms import Atom, Atoms
from agentc.lang.diagnostics import AgentcError

FRAGMENT = Fragment(LOGIC, TERMS)
"""What robustness is computed of: all operators, and terms that look back one step at most."""

Op = Literal["atom", "constant", "end", "fold", "window", "until"]


@dataclass(frozen=True, slots=True)
class PlanNode:
    """One node.

    ============  ==========================================================================================
    ``atom``      ``index`` into the plan's atoms; ``greatest`` false if it is negated
    ``constant``  true with ``greatest``, else false
    ``end``       ``first`` with ``past``, else ``last``; ``greatest`` false if it is negated
    ``fold``      the greatest (least) of ``args`` at the same step
    ``window``    the greatest (least) of the argument over ``[t+lo, t+hi]``, with ``past`` ``[t-hi, t-lo]``
    ``until``     of ``args = (f, g)``: with ``greatest`` ``until`` (``since``), else ``release`` (``trigger``)
    ============  ==========================================================================================

    ``source`` is the subformula that it stands for, apart from a negation that has been pushed inside.
    """

    op: Op
    args: tuple[int, ...]
    greatest: bool
    source: Formula
    past: bool = False
    lo: int = 0
    hi: int | None = 0
    index: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes, arguments first, the root last; the atoms, and the graph of their operations."""

    formula: Formula
    nodes: tuple[PlanNode, ...]
    atoms: tuple[Atom, ...]
    compiler: Atoms

    @property
    def horizon(self) -> int | None:
        """How many steps after a step its value depends on; None if on all."""
        return self._reach(past=False)

    @property
    def history(self) -> int | None:
        """How many steps before a step its value depends on; None if on all (``first`` counts as none)."""
        return self._reach(past=True)

    def _reach(self, *, past: bool) -> int | None:
        found: list[float] = []
        for node in self.nodes:
            inner = max((found[a] for a in node.args), default=0.0)
            reach = float("inf") if node.hi is None else float(node.hi)
            forward = reach if node.past == past else -float(node.lo)
            if node.op not in ("window", "until"):
                forward = 0.0
            if node.op == "until" and node.past != past:
                forward = 0.0  # f is asked for from the present step on
            found.append(max(inner + forward, 0.0))
        prev = any(n.op == "prev" for n in self.compiler.graph.nodes)
        total = found[-1] + (1.0 if past and prev else 0.0)
        return None if total == float("inf") else int(total)

    def needs(self, length: int, step: int | None) -> list[tuple[int, int] | None]:
        """The steps ``[start, stop)`` at which each node is needed, for all steps of the root or for one."""
        found: list[tuple[int, int] | None] = [None] * len(self.nodes)
        found[-1] = (0, length) if step is None else (step, step + 1)
        for k in range(len(self.nodes) - 1, -1, -1):
            here, node = found[k], self.nodes[k]
            if here is None:
                continue
            first, last = here[0], here[1] - 1
            span: tuple[int, int] = here
            if node.op == "window":
                span = window_span(node, first, last, length)
            elif node.op == "until":
                far = window_span(node, first, last, length)
                span = (min(far[0], first), max(far[1], last + 1))
            for a in node.args:
                if span[0] < span[1]:
                    old = found[a]
                    found[a] = span if old is None else (min(old[0], span[0]), max(old[1], span[1]))
        return found


def window_span(node: PlanNode, first: int, last: int, length: int) -> tuple[int, int]:
    """The steps that the windows of the steps ``first .. last`` reach, within the trace; empty if there are none."""
    if node.past:
        start = 0 if node.hi is None else max(0, first - node.hi)
        return (start, max(start, last - node.lo + 1))
    stop = length if node.hi is None else min(length, last + node.hi + 1)
    return (min(first + node.lo, stop), stop)


def make_plan(root: Formula, signals: Iterable[SignalIR] = ()) -> Plan:
    """The plan of a formula.

    Raises ``AgentcError`` (AS0701) for terms that look further back than one step, (AS1002) for a vector without size.
    """
    beyond = outside(fragment(root), "robustness", FRAGMENT, _OTHERS)
    if beyond:
        raise AgentcError(beyond)
    return _Builder(signals).build(root)


_OTHERS: Mapping[str, Fragment] = {
    "the reference semantics, which `agentc test` runs": Fragment(
        LOGIC, TERMS | {"count", "sum", "in_seen", "occurs_in_seen"}
    )
}

FLAT = 64
"""Folds of up to that many arguments become part of the fold around them."""

_DUAL = {"F": "G", "G": "F", "O": "H", "H": "O", "U": "R", "R": "U", "S": "T", "T": "S"}


def _primitive(f: Formula) -> Formula:
    """The formula with its topmost operator among ``true false atom first last not and or F G O H U R S T``."""
    x, i = f.args, f.interval
    match f.op:
        case "X" | "WX" | "Y" | "WY":
            return formula({"X": "F", "WX": "G", "Y": "O", "WY": "H"}[f.op], x, i)
        case "M":
            return formula("U", (x[1], and_(x[0], x[1])), i)
        case "W":
            return formula("R", (x[1], or_(x[0], x[1])), i)
        case "implies":
            return or_(not_(x[0]), x[1])
        case "xor":
            return or_(and_(x[0], not_(x[1])), and_(not_(x[0]), x[1]))
        case "iff":
            return and_(or_(not_(x[0]), x[1]), or_(x[0], not_(x[1])))
    return f


class _Builder:
    def __init__(self, signals: Iterable[SignalIR]) -> None:
        self._compiler = Atoms(signals)
        self._nodes: list[PlanNode] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._atoms: dict[Formula, int] = {}
        self._compiled: list[Atom] = []

    def build(self, root: Formula) -> Plan:
        made: dict[tuple[Formula, bool], int] = {}
        stack = [(root, True)]
        while stack:
            f, sign = stack[-1]
            if (f, sign) in made:
                stack.pop()
                continue
            g = _primitive(f)
            below: list[tuple[Formula, bool]] = []
            if g.op == "not":
                below = [(g.args[0], not sign)]
            elif g.op not in ("atom", "true", "false", "first", "last"):
                below = [(a, sign) for a in g.args]
            open_ = [b for b in below if b not in made]
            if open_:
                stack.extend(reversed(open_))
                continue
            stack.pop()
            made[f, sign] = made[below[0]] if g.op == "not" else self._make(f, g, sign, [made[b] for b in below])
        return self._trimmed(root, made[root, True])

    def _add(self, node: PlanNode) -> int:
        key = (node.op, node.args, node.greatest, node.past, node.lo, node.hi, node.index)
        if key not in self._known:
            self._known[key] = len(self._nodes)
            self._nodes.append(node)
        return self._known[key]

    def _make(self, source: Formula, f: Formula, sign: bool, args: list[int]) -> int:
        op = f.op
        if op == "atom":
            if f not in self._atoms:
                self._atoms[f] = len(self._atoms)
                self._compiled.append(self._compiler.atom(f))
            return self._add(PlanNode("atom", (), sign, source, index=self._atoms[f]))
        if op in ("true", "false"):
            return self._add(PlanNode("constant", (), (op == "true") == sign, source))
        if op in ("first", "last"):
            return self._add(PlanNode("end", (), sign, source, past=op == "first"))
        if op in ("and", "or"):
            return self._fold(source, (op == "or") == sign, args)
        assert f.interval is not None
        lo, hi = f.interval
        past = op in ("O", "H", "S", "T")
        greatest = (op if sign else _DUAL[op]) in ("F", "O", "U", "S")
        if op in ("U", "R", "S", "T"):
            first = self._nodes[args[0]]
            if first.op != "constant" or first.greatest != greatest:
                return self._add(PlanNode("until", tuple(args), greatest, source, past, lo, hi))
            args = args[1:]  # `true U g` is `F g`
        return self._window(source, greatest, past, lo, hi, args[0])

    def _window(self, source: Formula, greatest: bool, past: bool, lo: int, hi: int | None, arg: int) -> int:
        inner = self._nodes[arg]
        if (lo, hi) == (0, 0):
            return arg
        if inner.op == "window" and (inner.greatest, inner.past) == (greatest, past):
            # F[a,b] F[c,d] = F[a+c,b+d], also at the ends of the trace
            hi = None if hi is None or inner.hi is None else hi + inner.hi
            return self._window(source, greatest, past, lo + inner.lo, hi, inner.args[0])
        return self._add(PlanNode("window", (arg,), greatest, source, past, lo, hi))

    def _fold(self, source: Formula, greatest: bool, args: list[int]) -> int:
        flat: dict[int, None] = {}
        for a in args:
            node = self._nodes[a]
            same = node.op == "fold" and node.greatest == greatest and len(node.args) <= FLAT
            flat.update(dict.fromkeys(node.args if same else (a,)))
        neutral = [a for a in flat if self._nodes[a].op == "constant" and self._nodes[a].greatest != greatest]
        for a in neutral:
            if len(flat) > 1:
                del flat[a]
        if len(flat) == 1:
            return next(iter(flat))
        return self._add(PlanNode("fold", tuple(flat), greatest, source))

    def _trimmed(self, root: Formula, at: int) -> Plan:
        """The nodes below one, renumbered, it the last."""
        used, stack = {at}, [at]
        while stack:
            for a in self._nodes[stack.pop()].args:
                if a not in used:
                    used.add(a)
                    stack.append(a)
        number = {old: new for new, old in enumerate(sorted(used))}
        nodes = []
        for old in sorted(used):
            n = self._nodes[old]
            args = tuple(number[a] for a in n.args)
            nodes.append(PlanNode(n.op, args, n.greatest, n.source, n.past, n.lo, n.hi, n.index))
        return Plan(root, tuple(nodes), tuple(self._compiled), self._compiler)
