"""What an online robustness monitor is made of: streams with their delays, what is gathered at the root, ranges.

A subformula that looks ``h`` steps ahead is *settled* at a step once ``h`` more steps have been read; its values form a
stream that lags ``h`` behind. What stands at the root looks at step 0 alone, and gathers the streams: a window from
step 0 on is a running extremum, an ``until`` a running pair. What nests operators without end (``F (a & F b)``)
becomes a weighted automaton: its states are sets of obligations, found by progression (Bacchus and Kabanza, AIJ 2000),
each with the greatest value of a run into it, as in the max-min weighted automata of Jaksic et al. (FMSD 2018).

Deviation: what is not settled yet counts with the range that the declared types allow, so that an interval is sound and
not always the tightest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula, show
from agentc.compiler.signals.plan import Plan, PlanNode, make_plan
from agentc.compiler.signals.scalars import Scalar
from agentc.lang.diagnostics import AgentcError, report

MOST_STATES, MOST_EDGES = 64, 1024
"""The budget of an automaton."""

Range = tuple[float, float]
EVERYTHING: Range = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Edge:
    """From a state to the next with the least of some streams as its weight."""

    source: int
    streams: tuple[int, ...]
    target: int


@dataclass(frozen=True, slots=True)
class Automaton:
    """``ranges``: what a state may still come to, the end of the trace included; ``ends``: if it ends there."""

    edges: tuple[Edge, ...]
    ranges: tuple[Range, ...]
    ends: tuple[float, ...]
    delay: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """What is gathered at the root.

    ``kind``: ``fold`` of ``parts`` with ``greatest``; ``first``, the value of a stream at step 0; ``window`` and
    ``until``, of streams over the steps ``[lo, hi]``; ``automaton``. ``range`` is what it may be before it is settled.
    """

    kind: str
    greatest: bool
    parts: tuple[Gathered, ...] = ()
    streams: tuple[int, ...] = ()
    lo: int = 0
    hi: int | None = 0
    delay: int = 0
    range: Range = EVERYTHING
    automaton: Automaton | None = None


@dataclass(frozen=True, slots=True)
class OnlineProgram:
    """A compiled online monitor: the plan, the delay of each node that is a stream (else None), the root."""

    plan: Plan
    delays: tuple[int | None, ...]
    ranges: tuple[Range, ...]
    root: Gathered

    @property
    def delay(self) -> int:
        """The longest delay: how many steps after the last one everything is settled."""
        return max((d for d in self.delays if d is not None), default=0)


def compile_online(formula: Formula, signals: Iterable[SignalIR] = ()) -> OnlineProgram:
    """Compile a formula for online monitoring.

    Raises ``AgentcError`` (AS0701) for terms that look further back than one step, (AS1019) for a past operator over
    one that looks ahead without end, (AS1020) for nesting whose automaton is over budget.
    """
    plan = make_plan(formula, signals)
    delays: list[int | None] = []
    for node in plan.nodes:
        delays.append(_delay(node, [delays[a] for a in node.args]))
    terms = _term_ranges(plan)
    ranges: list[Range] = []
    for node in plan.nodes:
        ranges.append(_range(plan, node, [ranges[a] for a in node.args], terms))
    builder = _Gathering(plan, delays, ranges)
    return OnlineProgram(plan, tuple(delays), tuple(ranges), builder.gather(len(plan.nodes) - 1))


def _delay(node: PlanNode, args: list[int | None]) -> int | None:
    if node.op in ("atom", "constant"):
        return 0
    if node.op == "end":
        return 0 if node.past else 1  # whether a step is the last, the next one tells
    known = [a for a in args if a is not None]
    if len(known) < len(args):
        if node.past and node.op in ("window", "until"):
            raise AgentcError([report("AS1019", None, formula=show(node.source))])
        return None
    longest = max(known, default=0)
    if node.op == "fold" or node.past:
        return longest
    return None if node.hi is None else longest + node.hi


# ---------------------------------------------------------------- ranges


def _term_ranges(plan: Plan) -> list[Range]:
    """What the operations of the atoms may be, by the declared ranges; nothing is known where a value may lack."""
    found: list[Range] = []
    signals = plan.compiler.signals
    for node in plan.compiler.graph.nodes:
        found.append(_term_range(node, [found[a] for a in node.args], signals))
    return found


def _term_range(node: Scalar, x: list[Range], signals: Mapping[str, SignalIR]) -> Range:
    match node.op:
        case "const" if isinstance(node.value, float):
            return (node.value, node.value)
        case "input":
            assert isinstance(node.value, tuple)
            signal = signals.get(node.value[0])
            if signal is None or signal.kind not in ("int", "real"):
                return EVERYTHING
            lo, hi = signal.lo, signal.hi
            return (-math.inf if lo is None else lo, math.inf if hi is None else hi)
        case "neg":
            return (-x[0][1], -x[0][0])
        case "add":
            return (x[0][0] + x[1][0], x[0][1] + x[1][1])
        case "sub" | "difference":
            return (x[0][0] - x[1][1], x[0][1] - x[1][0])
        case "abs":
            lo, hi = x[0]
            return (max(lo, -hi, 0.0), max(hi, -lo))
        case "min":
            return (min(x[0][0], x[1][0]), min(x[0][1], x[1][1]))
        case "max":
            return (max(x[0][0], x[1][0]), max(x[0][1], x[1][1]))
        case "mul":
            corners = [a * b for a in x[0] for b in x[1]]
            return EVERYTHING if any(map(math.isnan, corners)) else (min(corners), max(corners))
    return EVERYTHING


_ALWAYS_THERE = ("const", "input", "neg", "add", "sub", "difference", "abs", "min", "max", "mul")


def _range(plan: Plan, node: PlanNode, args: list[Range], terms: list[Range]) -> Range:
    """What a node may be at a step that there is."""
    if node.op == "atom":
        margin = plan.atoms[node.index].margin
        if margin is None or not _there(plan, margin):
            return EVERYTHING
        lo, hi = terms[margin]
        return (lo, hi) if node.greatest else (-hi, -lo)
    if node.op == "constant":
        return (math.inf, math.inf) if node.greatest else (-math.inf, -math.inf)
    if node.op == "end":
        return EVERYTHING
    pick = max if node.greatest else min
    if node.op == "fold":
        return (pick(r[0] for r in args), pick(r[1] for r in args))
    lo, hi = args[-1]
    if node.lo > 0:  # the window may be empty, or what is asked before it fail
        lo, hi = (-math.inf, hi) if node.greatest else (lo, math.inf)
    return (lo, hi)


def _there(plan: Plan, root: int) -> bool:
    """Whether an operation has a value whenever the signals have one."""
    stack = [root]
    while stack:
        node = plan.compiler.graph.nodes[stack.pop()]
        if node.op not in _ALWAYS_THERE:
            return False
        stack.extend(node.args)
    return True


# ---------------------------------------------------------------- the root

Obligation = tuple[int, int, int | None, bool]
"""A node, what is left of its interval, and whether it fails where there is no next step."""

Clause = frozenset[Obligation]
Term = tuple[frozenset[int], Clause]
"""Streams that have their value now, and obligations of the next step: the least of all."""


class _Gathering:
    def __init__(self, plan: Plan, delays: list[int | None], ranges: list[Range]) -> None:
        self._plan, self._delays, self._ranges = plan, delays, ranges

    def gather(self, k: int) -> Gathered:
        """What is gathered of a node at step 0."""
        node, range_ = self._plan.nodes[k], self._ranges[k]
        below = [self._delays[a] for a in node.args]
        longest = max((d for d in below if d is not None), default=0)
        settled = None not in below
        if node.op == "fold":
            return Gathered("fold", node.greatest, tuple(self.gather(a) for a in node.args))
        if settled and not node.past and node.op in ("window", "until"):
            still = self._ranges[node.args[-1]]
            return Gathered(node.op, node.greatest, (), node.args, node.lo, node.hi, longest, still)
        delay = self._delays[k]
        if delay is not None:
            return Gathered("first", True, (), (k,), delay=delay, range=range_)
        return Gathered("automaton", True, automaton=self._automaton(k))

    def _automaton(self, root: int) -> Automaton:
        start: Clause = frozenset([self._whole(root)])
        number: dict[Clause, int] = {start: 0}
        found: list[tuple[int, frozenset[int], Clause]] = []
        todo = [start]
        while todo:
            clause = todo.pop()
            terms: set[Term] = {(frozenset(), frozenset())}
            for obligation in clause:
                terms = self._both(terms, self._progress(obligation))
            for streams, target in terms:
                if target not in number:
                    number[target] = len(number)
                    todo.append(target)
                found.append((number[clause], streams, target))
            if len(number) > MOST_STATES or len(found) > MOST_EDGES:
                text = show(self._plan.formula)
                raise AgentcError([report("AS1020", None, formula=text, most=MOST_STATES)])
        used = sorted({s for _, streams, _ in found for s in streams})
        delay = max((self._delays[s] or 0 for s in used), default=0)
        edges = tuple(Edge(a, tuple(sorted(streams)), number[b]) for a, streams, b in sorted(
            found, key=lambda e: (e[0], number[e[2]], sorted(e[1]))))  # fmt: skip
        ends = tuple(-math.inf if any(o[3] for o in c) else math.inf for c in number)
        return Automaton(edges, tuple(map(self._of_clause, number)), ends, delay)

    def _whole(self, k: int) -> Obligation:
        node = self._plan.nodes[k]
        return (k, node.lo, node.hi, True)

    def _of_clause(self, clause: Clause) -> Range:
        low = high = math.inf
        for k, lo, _, strong in clause:
            a, b = self._ranges[k]
            node = self._plan.nodes[k]
            if node.op in ("window", "until") and lo == 0:
                a, b = self._ranges[node.args[-1]]
            low, high = min(low, -math.inf if strong else a), min(high, b if strong else math.inf)
        return (low, high)

    def _progress(self, obligation: Obligation) -> set[Term]:
        k, lo, hi, _ = obligation
        node = self._plan.nodes[k]
        if self._delays[k] is not None:
            return {(frozenset([k]), frozenset())}
        if node.op == "fold":
            parts = [self._progress(self._whole(a)) for a in node.args]
            terms = parts[0]
            for other in parts[1:]:
                terms = _minimal(terms | other) if node.greatest else self._both(terms, other)
            return terms
        more = hi is None or hi > 0
        later: set[Term] = {
            (frozenset(), frozenset([(k, max(lo - 1, 0), None if hi is None else hi - 1, node.greatest)]))
        }
        if node.op == "window":
            if lo > 0:
                return later
            now = self._progress(self._whole(node.args[0]))
            if not more:
                return now
            return _minimal(now | later) if node.greatest else self._both(now, later)
        f, g = (self._progress(self._whole(a)) for a in node.args)
        onward = self._both(f, later) if node.greatest else _minimal(f | later)
        if lo > 0:
            return onward
        if not more:
            return g
        return _minimal(g | onward) if node.greatest else self._both(g, onward)

    def _both(self, x: set[Term], y: set[Term]) -> set[Term]:
        if len(x) * len(y) > MOST_EDGES:
            raise AgentcError([report("AS1020", None, formula=show(self._plan.formula), most=MOST_STATES)])
        return _minimal({(a | c, b | d) for a, b in x for c, d in y})


def _minimal(terms: set[Term]) -> set[Term]:
    return {t for t in terms if not any(u != t and u[0] <= t[0] and u[1] <= t[1] for u in terms)}
