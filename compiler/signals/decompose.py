"""From a formula to timed subgoals: nested operators, disjunctions, ``until``, ``G F``, over traces of a known length.

Source: Meng, Chen, Fan, *TGPO: Temporal Grounded Policy Optimization for Signal Temporal Logic Tasks*,
arXiv 2510.00225, section 4 (subgoals with time variables, invariants). Deviations: the paper treats conjunctions of
templates of depth three with one disjunction at most; here every formula of the future over propositions is decomposed,
disjunctions are alternatives, and nothing is lost: a trace satisfies the formula if and only if it meets one grounded
plan (``docs/architecture/subgoals.md`` has the proof, ``tests/signals/test_decompose.py`` tries it).

Two functions do it, on the negation normal form, where ``P`` is a time point and ``N`` the last step:

- ``at(f, P)``: ``f`` holds at ``P``. A proposition becomes a subgoal, ``&`` and ``|`` become ``Every`` and ``Either``,
  ``f U[a,b] g`` a time variable ``tau`` in ``[P+a, P+b]`` with ``g`` at ``tau`` and ``f`` during ``[P, tau-1]``;
  ``f R[a,b] g`` is ``g`` during ``[P+a, P+b]``, or ``f`` at a ``tau`` in ``[P, P+b-1]`` and ``g`` during
  ``[P+a, tau]``.
- ``during(f, A, B)``: ``f`` holds at every step from ``A`` to ``min(B, N)``. A proposition becomes an invariant,
  ``G[c,d] g`` widens the interval to ``[A+c, B+d]``, ``F[c,d] g`` becomes a chain of visits (below), and all else one
  copy for each step that may be in the interval.

**Visits.** Every window ``[s, s+w-1]``, ``w = d-c+1``, with ``s`` in ``[A+c, B+c]`` contains a visit of ``g`` if and
only if there are ``tau_1 <= ... <= tau_m`` with ``tau_1 <= A+d``, ``tau_m >= B+c`` and gaps of at most ``w``. ``m`` is
about twice the length over ``w``: of the latest visits in such windows, the next but one lies more than ``w`` ahead.
"""

from __future__ import annotations

from collections.abc import Callable

from agentc.compiler.logic.fragments import EVERYTHING, STEPWISE, TIMED_SUBGOALS, fragment, outside
from agentc.compiler.logic.ir import ALWAYS, FALSE, TRUE, Formula, and_, show
from agentc.compiler.logic.rewrite import formula_nodes, nnf, simplify
from agentc.compiler.signals.subgoals import (
    START,
    Decomposition,
    Difference,
    Either,
    Every,
    Invariant,
    Node,
    Subgoal,
    TimePoint,
    TimeVariable,
    occurring,
    walk,
)
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.source import Span

MAX_NODES = 50_000
"""The budget of a decomposition: nodes of its tree."""
MAX_DEPTH = 60
"""The deepest nesting of temporal operators and connectives."""

NO_WAY, NOTHING = Either(()), Every(())
_FIRST = ("T", (1, 1), FALSE)
_NOT_FIRST = ("S", (1, 1), TRUE)


def decompose(f: Formula, last: int, *, max_nodes: int = MAX_NODES, span: Span | None = None) -> Decomposition:
    """The timed subgoals of ``f`` over the traces whose last step is ``last``.

    Raises ``AgentcError``: AS0701 for each operator outside of ``TIMED_SUBGOALS``, AS1201 if the tree would have more
    than ``max_nodes`` nodes or the formula nests too deeply; ``ValueError`` if ``last`` is negative.
    """
    if last < 0:
        raise ValueError(f"the last step of a trace is not {last}")
    beyond = outside(fragment(f), "subgoals", TIMED_SUBGOALS, {"automaton": STEPWISE, "monitor": EVERYTHING}, span)
    if beyond:
        raise AgentcError(beyond)
    core = simplify(nnf(f))
    builder = _Builder(last, max_nodes, show(f), span)
    builder.check_depth(core)
    root = builder.at(core, TimePoint(START))
    return _numbered(f, last, builder.variables, root)


class _Builder:
    """The variables so far, and what is known of their bounds."""

    def __init__(self, last: int, max_nodes: int, text: str, span: Span | None) -> None:
        self.last, self.max_nodes, self.text, self.span = last, max_nodes, text, span
        self.variables: list[TimeVariable] = []
        self.count = 0
        self.temporal: dict[Formula, bool] = {}
        self.ahead: dict[tuple[int, int], int] = {}  # (v, u): v - u is at most this, where that is known

    def check_depth(self, core: Formula) -> None:
        """Refuse a formula that nests too deeply to walk; find which parts are temporal."""
        depth: dict[Formula, int] = {}
        for node in formula_nodes(core):
            args = () if node.op == "atom" else node.args
            depth[node] = 1 + max((depth[a] for a in args), default=0)
            self.temporal[node] = node.op in ("U", "R", "S", "T") or any(self.temporal[a] for a in args)
        if depth[core] > MAX_DEPTH:
            raise self._too_large(f"{MAX_DEPTH} levels of nesting")

    def _too_large(self, limit: str) -> AgentcError:
        return AgentcError([report("AS1201", self.span, formula=self.text, limit=limit)])

    # ---------------------------------------------------------------- points and bounds

    def bounds(self, p: TimePoint) -> tuple[int, int]:
        """The least and the greatest step that a point can be, as far as its variable's bounds say."""
        if p.variable == START:
            return p.offset, p.offset
        v = self.variables[p.variable - 1]
        return v.lo + p.offset, v.hi + p.offset

    def span_of(self, a: TimePoint, b: TimePoint) -> tuple[int, int]:
        """Bounds of ``b - a``."""
        apart = b.offset - a.offset
        if a.variable == b.variable:
            return apart, apart
        (a_lo, a_hi), (b_lo, b_hi) = self.bounds(a), self.bounds(b)
        least, most = b_lo - a_hi, b_hi - a_lo
        if (a.variable, b.variable) in self.ahead:
            least = max(least, apart - self.ahead[a.variable, b.variable])
        if (b.variable, a.variable) in self.ahead:
            most = min(most, apart + self.ahead[b.variable, a.variable])
        return least, most

    def variable(self, f: Formula, lo: int, hi: int) -> TimePoint:
        """A new variable within ``[max(lo, 0), min(hi, N)]``."""
        index = len(self.variables) + 1
        self.variables.append(TimeVariable(index, max(lo, 0), min(hi, self.last), show(f)))
        return TimePoint(index)

    def at_most(self, left: TimePoint, right: TimePoint) -> Node:
        """``left <= right`` as a constraint, decided where the bounds decide it."""
        least, most = self.span_of(left, right)
        if least >= 0:
            return NOTHING
        if most < 0:
            return NO_WAY
        return Difference(left.variable, right.variable, right.offset - left.offset)

    @property
    def end(self) -> TimePoint:
        return TimePoint(START, self.last)

    # ---------------------------------------------------------------- trees

    def every(self, *parts: Node) -> Node:
        """All parts, flattened; no way if one of them has none."""
        flat: list[Node] = []
        for part in parts:
            if part == NO_WAY:
                return NO_WAY
            flat.extend(part.parts if isinstance(part, Every) else (part,))
        flat = list(dict.fromkeys(flat))
        return flat[0] if len(flat) == 1 else self._counted(Every(tuple(flat)))

    def either(self, *parts: Node) -> Node:
        """One of the parts, flattened; nothing is asked if one of them asks nothing."""
        flat: list[Node] = []
        for part in parts:
            if part == NOTHING:
                return NOTHING
            flat.extend(part.parts if isinstance(part, Either) else (part,))
        flat = list(dict.fromkeys(flat))
        return flat[0] if len(flat) == 1 else self._counted(Either(tuple(flat)))

    def _counted(self, node: Every | Either) -> Node:
        self.count += 1 + len(node.parts)
        if self.count > self.max_nodes:
            raise self._too_large(f"{self.max_nodes} nodes")
        return node

    # ---------------------------------------------------------------- at a point

    def at(self, f: Formula, p: TimePoint) -> Node:
        """``f`` holds at ``p``, a step of the trace."""
        match f.op:
            case "true":
                return NOTHING
            case "false":
                return NO_WAY
            case "and" if self.temporal[f] or any(a.op == "or" for a in f.args):
                together = [a for a in f.args if not self.temporal[a] and a.op != "or"]
                apart = [a for a in f.args if self.temporal[a] or a.op == "or"]
                states = [Subgoal(_conjunction(f, together), p)] if together else []
                return self.every(*states, *(self.at(a, p) for a in apart))
            case "or":
                return self.either(*(self.at(a, p) for a in f.args))
            case _ if not self.temporal[f]:
                return Subgoal(f, p)
            case "U":
                return self.until(f, p)
            case "R":
                return self.release(f, p)
            case _:
                return self.edge(f, p, p)

    def until(self, f: Formula, p: TimePoint) -> Node:
        left, right = f.args
        a, b = f.interval or ALWAYS
        if b == a:
            tau, constraint = p + a, self.at_most(p + a, self.end)
        else:
            lo, hi = self.bounds(p)
            if lo + a > self.last:
                return NO_WAY
            tau = self.variable(f, lo + a, self.last if b is None else hi + b)
            self.ahead[p.variable, tau.variable] = -p.offset - a  # p - tau <= -a
            if b is not None:
                self.ahead[tau.variable, p.variable] = b + p.offset
            constraint = self.window(p, tau, a, b)
        if constraint == NO_WAY:
            return NO_WAY
        before = NOTHING if left is TRUE else self.during(left, p, tau + -1)
        return self.every(constraint, self.at(right, tau), before)

    def window(self, p: TimePoint, tau: TimePoint, a: int, b: int | None) -> Node:
        """``p + a <= tau <= p + b``; what the bounds of ``tau`` say already is left out."""
        lo, hi = self.bounds(tau)
        p_lo, p_hi = self.bounds(p)
        parts: list[Node] = []
        if p_hi + a > lo:
            parts.append(Difference(p.variable, tau.variable, tau.offset - p.offset - a))
        if b is not None and hi > p_lo + b:
            parts.append(Difference(tau.variable, p.variable, p.offset + b - tau.offset))
        return self.every(*parts)

    def release(self, f: Formula, p: TimePoint) -> Node:
        left, right = f.args
        a, b = f.interval or ALWAYS
        until = self.end if b is None else p + b
        never = self.during(right, p + a, until)
        if left is FALSE or b == 0 or never == NOTHING:
            return never
        lo, hi = self.bounds(p)
        # released at tau, which is before the last step of the window
        tau = self.variable(f, lo, self.last if b is None else hi + b - 1)
        self.ahead[p.variable, tau.variable] = -p.offset
        if b is not None:
            self.ahead[tau.variable, p.variable] = b - 1 + p.offset
        constraint = self.window(p, tau, 0, None if b is None else b - 1)
        return self.either(never, self.every(constraint, self.at(left, tau), self.during(right, p + a, tau)))

    def edge(self, f: Formula, since: TimePoint, until: TimePoint) -> Node:
        """``first`` and its negation, which are of the past, at all steps of an interval that is not empty."""
        shape = (f.op, f.interval, f.args[1])
        zero = TimePoint(START)
        if shape == _FIRST and f.args[0] is FALSE:
            return self.at_most(until, zero)
        assert shape == _NOT_FIRST and f.args[0] is TRUE, show(f)
        return self.at_most(zero + 1, since)

    # ---------------------------------------------------------------- during an interval

    def during(self, f: Formula, since: TimePoint, until: TimePoint) -> Node:
        """``f`` holds at every step from ``since`` to ``min(until, N)``; that may be none."""
        empty = self.either(self.at_most(until + 1, since), self.at_most(self.end + 1, since))
        if f is TRUE or empty == NOTHING:
            return NOTHING
        if f is FALSE:
            return empty
        if not self.temporal[f]:
            return Invariant(f, since, until)
        if f.op == "and":
            return self.every(*(self.during(a, since, until) for a in f.args))
        some = self.every(self.at_most(since, until), self.at_most(since, self.end))
        if some == NO_WAY:
            return empty
        return self.either(empty, self.every(some, self.throughout(f, since, until)))

    def throughout(self, f: Formula, since: TimePoint, until: TimePoint) -> Node:
        """The same of an interval that has a step of the trace."""
        if f.op == "R" and f.args[0] is FALSE:
            c, d = f.interval or ALWAYS
            return self.during(f.args[1], since + c, self.end if d is None else until + d)
        if f.op == "U" and f.args[0] is TRUE:
            return self.by_end(until, lambda end: self.visits(f, since, end))
        if f.op in ("S", "T"):
            return self.by_end(until, lambda end: self.edge(f, since, end))
        _, most = self.span_of(since, until)
        steps = []
        for k in range(min(most, self.last - self.bounds(since)[0]) + 1):
            here = since + k
            beyond = (self.at_most(until + 1, here), self.at_most(self.end + 1, here))
            if NOTHING in beyond:
                break
            inside = self.at_most(here, self.end)
            steps.append(self.either(*beyond, self.every(inside, self.at(f, here))))
        return self.every(*steps)

    def by_end(self, until: TimePoint, make: Callable[[TimePoint], Node]) -> Node:
        """``make`` of ``min(until, N)``: of either where it is not known which is less."""
        lo, hi = self.bounds(until)
        if hi <= self.last:
            return make(until)
        if lo >= self.last:
            return make(self.end)
        return self.either(
            self.every(self.at_most(until, self.end), make(until)),
            self.every(self.at_most(self.end + 1, until), make(self.end)),
        )

    def visits(self, f: Formula, since: TimePoint, until: TimePoint) -> Node:
        """``F[c,d] g`` at every step from ``since`` to ``until``, which is at most N."""
        goal = f.args[1]
        c, d = f.interval or ALWAYS
        if d == c:
            return self.every(self.at_most(until + c, self.end), self.during(goal, since + c, until + c))
        lo, hi = self.bounds(since)
        if lo + c > self.last:
            return NO_WAY
        _, longest = self.span_of(since, until)
        width = None if d is None else d - c + 1
        parts: list[Node] = []
        before: TimePoint | None = None
        number = chain_length(longest, width)
        for k in range(number):
            greatest = self.last if d is None else (hi if k == 0 else self.bounds(until)[1]) + d
            tau = self.variable(f, lo + c, greatest)
            if self.variables[-1].lo > self.variables[-1].hi:
                return NO_WAY
            if before is None:
                parts.append(self.window(since, tau, c, d))
                self.ahead[since.variable, tau.variable] = -since.offset - c
            else:
                parts.append(self.at_most(before, tau))
                if width is not None:
                    parts.append(Difference(tau.variable, before.variable, width))
            if k == number - 1:
                parts.append(self.window(until, tau, c, d))
            parts.append(self.at(goal, tau))
            before = tau
        return self.every(*parts)


def chain_length(longest: int, width: int | None) -> int:
    """How many visits are enough for windows of ``width`` steps that begin at ``longest + 1`` steps in a row.

    The least ``i`` whose greedily latest visit lies at least ``longest`` after the first window's begin: the bounds are
    ``0, w, w+1, 2w+1, 2(w+1), ...``.
    """
    if width is None or longest <= 0:
        return 1
    rounds, rest = divmod(longest, width + 1)
    return 2 * rounds + (1 if rest == 0 else 2)


def _conjunction(f: Formula, parts: list[Formula]) -> Formula:
    return f if len(parts) == len(f.args) else and_(*parts)


def _numbered(f: Formula, last: int, variables: list[TimeVariable], root: Node) -> Decomposition:
    """The decomposition with the variables that occur, numbered from 1."""
    used = sorted({v for node in walk(root) for v in occurring(node)} - {START})
    index = {START: START} | {v: k for k, v in enumerate(used, 1)}

    def point(p: TimePoint) -> TimePoint:
        return TimePoint(index[p.variable], p.offset)

    def renamed(node: Node) -> Node:
        match node:
            case Subgoal():
                return Subgoal(node.prop, point(node.at))
            case Invariant():
                return Invariant(node.prop, point(node.since), point(node.until))
            case Difference():
                return Difference(index[node.left], index[node.right], node.bound)
            case Every() | Either():
                return type(node)(tuple(renamed(p) for p in node.parts))

    kept = tuple(TimeVariable(index[v.index], v.lo, v.hi, v.source) for v in variables if v.index in index)
    return Decomposition(f, last, kept, renamed(root))
