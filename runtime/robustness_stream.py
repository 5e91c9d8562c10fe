"""Online robustness of one stream, in plain Python: what numpy would spend on calls is spent on arithmetic.

The same program as :class:`agentc.runtime.robustness_monitor.RobustnessMonitor`, to which the conformance suite
compares it. Windows are monotonic queues (Lemire, Streaming maximum-minimum filter, Nordic J. Computing 2006),
``until`` is a queue of two stacks of pairs; what lies before the first step or after the last one is None.

Reproduce: ``agentc bench stl``.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula, Term, postorder
from agentc.compiler.logic.semantics import _margin as margin
from agentc.compiler.logic.semantics import _signal as read_signal
from agentc.compiler.logic.semantics import apply
from agentc.compiler.logic.trace import Valuation
from agentc.compiler.signals.online import Gathered, OnlineProgram, compile_online
from agentc.lang.diagnostics import AgentcError, report

INF = math.inf
Number = float | None


class RobustnessStream:
    """The robust interval of one formula on one trace; ``step`` and ``value`` as in ``RobustnessMonitor``.

    Raises ``AgentcError`` (AS0701, AS1019, AS1020) for a formula that cannot be monitored, naming what.
    """

    def __init__(self, formula: Formula | OnlineProgram, signals: Iterable[SignalIR] = ()) -> None:
        self.program = formula if isinstance(formula, OnlineProgram) else compile_online(formula, signals)
        plan = self.program.plan
        kinds: dict[str, str] = {s.name: s.kind for s in plan.compiler.signals.values()}
        self._atoms = [
            (k, _fast(plan.atoms[n.index].formula.predicate, kinds), plan.atoms[n.index].formula.predicate, n.greatest)
            for k, n in enumerate(plan.nodes)
            if n.op == "atom"
        ]
        general = [predicate for _, fast, predicate, _ in self._atoms if fast is None]
        self._slow = [n for n in postorder(*general) if isinstance(n, Term)]
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._state = _State(self.program)
        self._previous: Valuation | None = None

    def step(self, valuation: Valuation) -> tuple[float, float]:
        """Read one step; the robust interval after it. Raises ``AgentcError`` (AS0830) if a signal is missing."""
        values: list[Number] = [None] * len(self.program.delays)
        state = self._state
        try:
            terms = self._terms(valuation, state.t + 1) if self._slow else {}
            for k, fast, predicate, greatest in self._atoms:
                x = fast(valuation) if fast is not None else margin(predicate, terms[predicate.id])
                values[k] = x if greatest else -x
        except KeyError as error:
            raise AgentcError([report("AS0830", None, signal=str(error.args[0]))]) from None
        self._previous = valuation
        state.step(values)
        found: tuple[float, float] = state.root.interval(state.t)
        return found

    def value(self) -> float:
        """The robustness if the trace ended here; NaN before step 0."""
        if self._state.t < 0:
            return math.nan
        state = copy.deepcopy(self._state)
        for _ in range(self.program.delay):
            state.over += 1
            state.step([None] * len(self.program.delays))
        return float(state.root.at_end())

    def _terms(self, valuation: Valuation, t: int) -> dict[int, Any]:
        values: dict[int, Any] = {}
        for node in self._slow:
            if node.op == "const":
                values[node.id] = node.value
            elif node.op == "signal":
                values[node.id] = read_signal(valuation, str(node.value), t)
            elif node.op == "prev":
                before = self._previous
                values[node.id] = None if before is None else read_signal(before, str(node.value), t - 1)
            else:
                values[node.id] = apply(node, [values[a.id] for a in node.args])
        return values


def _fast(predicate: Term, kinds: Mapping[str, str]) -> Callable[[Any], float] | None:
    """The margin of a plain comparison of a number with a constant, or of a Boolean signal; None for all others."""
    if predicate.op != "compare" or predicate.value not in ("<", "<=", ">", ">="):
        return None
    x, c = predicate.args
    if x.op != "signal" or c.op != "const" or kinds.get(str(x.value)) not in ("int", "real"):
        return None
    name, bound = str(x.value), c.value
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        return None
    number = float(bound)

    def above(v: Any) -> float:
        value = v[name]
        return value - number if value is not None and value == value else -INF

    def below(v: Any) -> float:
        value = v[name]
        return number - value if value is not None and value == value else -INF

    return above if predicate.value in (">", ">=") else below


# ---------------------------------------------------------------- streams


class _Line:
    """What came ``lag`` steps ago."""

    def __init__(self, lag: int) -> None:
        self._held: deque[Number] = deque([None] * lag)
        self.lag = lag

    def step(self, x: Number) -> Number:
        if not self.lag:
            return x
        self._held.append(x)
        return self._held.popleft()


class _Window:
    """The greatest of the last ``width`` values times ``sign``, None: of all; absent ones do not count."""

    def __init__(self, greatest: bool, width: int | None) -> None:
        self._sign, self._width, self._at = 1.0 if greatest else -1.0, width, 0
        self._queue: deque[tuple[int, float]] = deque()
        self._best = -INF

    def step(self, x: Number) -> float:
        sign, queue, width = self._sign, self._queue, self._width
        if width is None:
            if x is not None and x * sign > self._best:
                self._best = x * sign
            return self._best * sign
        self._at = at = self._at + 1
        if x is not None:
            x *= sign
            while queue and queue[-1][1] <= x:
                queue.pop()
            queue.append((at, x))
        if queue and queue[0][0] <= at - width:
            queue.popleft()
        return queue[0][1] * sign if queue else -INF * sign


class _Pairs:
    """``until`` (with ``past``, ``since``) over the last ``width`` pairs, None: over all; times ``sign``."""

    def __init__(self, greatest: bool, past: bool, width: int | None) -> None:
        self._sign, self._past, self._width = 1.0 if greatest else -1.0, past, width
        self._front: list[tuple[float, float]] = []
        self._back: list[tuple[float, float]] = []
        self._sum = (INF, -INF)

    def _join(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[float, float]:
        """Of an older and a newer part."""
        p = min(x[0], y[0])
        return (p, max(min(x[1], y[0]), y[1])) if self._past else (p, max(x[1], min(x[0], y[1])))

    def step(self, f: Number, g: Number) -> float:
        pair = (INF if f is None else f * self._sign, -INF if g is None else g * self._sign)
        if self._width is not None:
            if len(self._front) + len(self._back) == self._width:
                if not self._front:
                    total = (INF, -INF)
                    for old in reversed(self._back):
                        total = self._join(old, total)
                        self._front.append(total)
                    self._back, self._sum = [], (INF, -INF)
                self._front.pop()
            self._back.append(pair)
        self._sum = self._join(self._sum, pair)
        whole = self._join(self._front[-1], self._sum) if self._front else self._sum
        return whole[1] * self._sign


class _Stream:
    """One node of the plan that is a stream, with the lines that bring its arguments into step."""

    def __init__(self, program: OnlineProgram, k: int) -> None:
        node = program.plan.nodes[k]
        delays = [program.delays[a] or 0 for a in node.args]
        self.args = [(a, _Line(max(delays) - d)) for a, d in zip(node.args, delays, strict=True)]
        self._pick = max if node.greatest else min
        self._other = min if node.greatest else max
        self.op, lo, hi = node.op, node.lo, node.hi
        width = None if hi is None else hi - lo + 1
        back = lo if node.past else 0
        self._lines = [_Line(back), _Line(back)]
        self._first = node.args[0]
        if node.op == "window":
            self._window = _Window(node.greatest, width)
            self._back = self._lines[0] if back else None
        elif node.op == "until":
            self._pairs = _Pairs(node.greatest, node.past, width)
            self._held = (_Window(not node.greatest, lo), _Line(0 if node.past else width or 0)) if lo else None

    def step(self, values: list[Number]) -> Number:
        if self.op == "window":
            x = values[self._first]
            return self._window.step(x if self._back is None else self._back.step(x))
        if self.op == "fold":
            best: Number = None
            pick, absent = self._pick, False
            for a, line in self.args:
                x = line.step(values[a]) if line.lag else values[a]
                if x is None:
                    absent = True
                else:
                    best = x if best is None else pick(best, x)
            return None if absent else best
        f, g = (line.step(values[a]) for a, line in self.args)
        found = self._pairs.step(self._lines[0].step(f), self._lines[1].step(g))
        if self._held is not None:
            held = self._held[1].step(self._held[0].step(f))
            found = found if held is None else self._other(found, held)
        return found


class _State:
    def __init__(self, program: OnlineProgram) -> None:
        self.t, self.over = -1, 0
        self._nodes = []
        for k, (node, delay) in enumerate(zip(program.plan.nodes, program.delays, strict=True)):
            if delay is not None and node.op != "atom":
                sign = 1.0 if node.greatest else -1.0
                self._nodes.append((k, delay, node.op, node.past, sign, _Stream(program, k) if node.args else None))
        self.root = _gathering(program, program.root)

    def step(self, values: list[Number]) -> None:
        """One step on, with the atoms' values; after the end they have none."""
        self.t = t = self.t + 1
        over = self.over
        for k, delay, op, past, sign, stream in self._nodes:
            if over > delay:
                continue
            if stream is not None:
                found = stream.step(values)
                values[k] = found if t >= delay else None
            elif op == "constant":
                values[k] = INF * sign
            elif past:
                values[k] = INF * sign if t == 0 else -INF * sign
            elif t >= delay:
                values[k] = INF * sign if over == 1 else -INF * sign
        self.root.step(values, t)


# ---------------------------------------------------------------- the root


def _gathering(program: OnlineProgram, gathered: Gathered) -> Any:
    if gathered.kind == "fold":
        return _Fold(gathered, [_gathering(program, p) for p in gathered.parts])
    return _Weighted(program, gathered) if gathered.kind == "automaton" else _Anchored(program, gathered)


class _Fold:
    def __init__(self, gathered: Gathered, parts: list[Any]) -> None:
        self._pick, self._parts = max if gathered.greatest else min, parts

    def step(self, values: list[Number], t: int) -> None:
        for part in self._parts:
            part.step(values, t)

    def interval(self, t: int) -> tuple[float, float]:
        both = [part.interval(t) for part in self._parts]
        return self._pick(x for x, _ in both), self._pick(x for _, x in both)

    def at_end(self) -> float:
        return float(self._pick(part.at_end() for part in self._parts))


class _Anchored:
    """A window, an ``until`` or a single value of streams, from step 0 on."""

    def __init__(self, program: OnlineProgram, g: Gathered) -> None:
        self._kind, self._greatest, self._range = g.kind, g.greatest, g.range
        self._pick, self._other = (max, min) if g.greatest else (min, max)
        self._acc, self._held = (-INF, INF) if g.greatest else (INF, -INF)
        self._lo = g.delay + g.lo
        self._hi = INF if g.hi is None else g.delay + g.hi
        self._streams = [(s, _Line(g.delay - (program.delays[s] or 0))) for s in g.streams]

    def step(self, values: list[Number], t: int) -> None:
        if self._kind == "until":
            f, g = (line.step(values[s]) for s, line in self._streams)
            if f is None or g is None:
                return
            if self._lo <= t <= self._hi:
                self._acc = self._pick(self._acc, self._other(self._held, g))
            self._held = self._other(self._held, f)
            return
        s, line = self._streams[0]
        x = line.step(values[s]) if line.lag else values[s]
        if x is not None and self._lo <= t <= self._hi:
            self._acc = self._pick(self._acc, x)

    def interval(self, t: int) -> tuple[float, float]:
        if t >= self._hi:
            return self._acc, self._acc
        if self._kind == "first":
            return self._range
        still = self._range[1] if self._greatest else self._range[0]
        other = self._pick(self._acc, self._other(self._held, still) if self._kind == "until" else still)
        return (self._acc, other) if self._greatest else (other, self._acc)

    def at_end(self) -> float:
        return self._acc


class _Weighted:
    """An automaton with the greatest weight of a run into each of its states."""

    def __init__(self, program: OnlineProgram, gathered: Gathered) -> None:
        assert gathered.automaton is not None
        self._a = gathered.automaton
        self._weights = [INF] + [-INF] * (len(self._a.ends) - 1)
        used = sorted({s for e in self._a.edges for s in e.streams})
        self._lines = [(s, _Line(self._a.delay - (program.delays[s] or 0))) for s in used]
        self._edges = [(e.source, e.streams, e.target) for e in self._a.edges]

    def step(self, values: list[Number], t: int) -> None:
        now: Any = values
        if self._a.delay:
            now = {s: line.step(values[s]) if line.lag else values[s] for s, line in self._lines}
            if t < self._a.delay or None in now.values():
                return
        elif any(values[s] is None for s, _ in self._lines[:1]):
            return
        weights = self._weights
        found = [-INF] * len(weights)
        for source, streams, target in self._edges:
            weight = weights[source]
            if weight > found[target]:
                for s in streams:
                    if now[s] < weight:
                        weight = now[s]
                if weight > found[target]:
                    found[target] = weight
        self._weights = found

    def interval(self, t: int) -> tuple[float, float]:
        low = high = -INF
        for weight, (a, b) in zip(self._weights, self._a.ranges, strict=True):
            if (a if a < weight else weight) > low:
                low = a if a < weight else weight
            if (b if b < weight else weight) > high:
                high = b if b < weight else weight
        return low, high

    def at_end(self) -> float:
        return max(min(w, e) for w, e in zip(self._weights, self._a.ends, strict=True))
