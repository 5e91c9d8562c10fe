"""Online robustness of a formula in N environments at once: amortised constant time a step, whatever the windows.

Source: windows of the last W values by blocks (van Herk 1992; Gil and Werman 1993), for ``until`` on pairs (min,
max-min), which are a monoid as in Tangwongsan, Hirzel and Schneider (PVLDB 2015). What a program is made of says
:mod:`agentc.compiler.signals.online`.

After every step there is an interval that holds the robustness at step 0 of every trace that goes on from here, the
trace that ends here included. What the robustness is if it ends here, :meth:`RobustnessMonitor.value` tells: it runs
the streams on over as many steps as the formula looks ahead, on copies.

Reproduce: ``agentc bench stl``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula
from agentc.compiler.signals.arrays import NUMPY
from agentc.compiler.signals.online import Automaton, Gathered, OnlineProgram, compile_online
from agentc.compiler.signals.scalars import apply
from agentc.lang.diagnostics import AgentcError, report

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
INF = math.inf


class RobustnessMonitor:
    """The robust interval of one formula in N environments.

    Args:
        formula: the formula, or its compiled program.
        num_envs: how many environments, N.
        signals: the declarations of the signals; their ranges make the interval tight.

    After :meth:`reset` nothing has been read: the first :meth:`step` reads step 0.

    Raises ``AgentcError`` (AS0701, AS1019, AS1020) for a formula that cannot be monitored, naming what.
    """

    def __init__(self, formula: Formula | OnlineProgram, num_envs: int, signals: Iterable[SignalIR] = ()) -> None:
        self.program = formula if isinstance(formula, OnlineProgram) else compile_online(formula, signals)
        self.num_envs = num_envs
        self._atoms = _Atoms(self.program, num_envs)
        self._state = _State(self.program, num_envs)
        self.low = np.full(num_envs, -INF)
        self.high = np.full(num_envs, INF)

    def reset(self, mask: Mask | None = None) -> None:
        """Forget everything in the environments of ``mask``, bool ``(N,)``; None is all."""
        where = np.ones(self.num_envs, np.bool_) if mask is None else mask
        self._state.reset(where)
        self._atoms.reset(where)
        self.low[where], self.high[where] = -INF, INF

    def step(self, valuations: Mapping[str, NDArray[Any]]) -> tuple[Array, Array]:
        """Read one step; the robust interval ``(low, high)`` after it, arrays ``(N,)`` that the monitor owns.

        ``valuations`` are arrays ``(N,)`` by signal, as :mod:`agentc.runtime.labelling` describes them. Raises
        ``AgentcError`` (AS0830) if a signal is missing.
        """
        self._state.step(self._atoms.read(valuations))
        self.low, self.high = self._state.interval()
        return self.low, self.high

    @property
    def final(self) -> NDArray[np.int8]:
        """1 where the robustness stays positive and the formula is true, -1 where it stays negative, else 0.

        Sound; the verdict of :class:`agentc.runtime.monitor.Monitor` is exact.
        """
        return (self.low > 0).astype(np.int8) - (self.high < 0).astype(np.int8)

    def value(self) -> Array:
        """The robustness ``(N,)`` if the trace ended here; environments that have read nothing have none (NaN)."""
        state = copy.deepcopy(self._state)
        for _ in range(self.program.delay):
            state.step(None)
        return np.where(self._state.count >= 0, state.at_end(), np.nan)


# ---------------------------------------------------------------- atoms


class _Atoms:
    """The values of the plan's atoms at a step."""

    def __init__(self, program: OnlineProgram, num_envs: int) -> None:
        plan = program.plan
        graph = plan.compiler.graph
        self._size = num_envs
        self._graph, self._plan = graph, plan
        roots = {a.truth if a.margin is None else a.margin for a in plan.atoms}
        needed, stack = set(roots), list(roots)
        while stack:
            for a in graph.nodes[stack.pop()].args:
                if a not in needed:
                    needed.add(a)
                    stack.append(a)
        self._order = sorted(needed)
        self._tables = {
            s.name: np.array([plan.compiler.codes[m] for m in s.members] + [np.nan], np.float64)
            for s in plan.compiler.signals.values()
            if s.members
        }
        remembered = {graph.nodes[k].args[0] for k in self._order if graph.nodes[k].op == "prev"}
        self._previous: dict[int, NDArray[Any]] = {
            k: np.full(num_envs, None, object) if graph.nodes[k].op == "text" else np.full(num_envs, np.nan)
            for k in remembered
        }
        self._nodes = [(k, n) for k, n in enumerate(plan.nodes) if n.op == "atom"]

    def reset(self, where: Mask) -> None:
        for held in self._previous.values():
            if held.dtype == object:
                held[where] = None
            else:
                held[where] = np.nan

    def read(self, valuations: Mapping[str, NDArray[Any]]) -> list[Any]:
        """By node of the plan, None for what is no atom."""
        values: list[Any] = [None] * len(self._graph.nodes)
        sound = True
        try:
            with np.errstate(all="ignore"):
                for k in self._order:
                    node = self._graph.nodes[k]
                    if node.op == "const":
                        values[k] = node.value
                    elif node.op in ("input", "text"):
                        assert isinstance(node.value, tuple)
                        values[k] = self._input(node.value, valuations)
                        sound = sound and node.op == "input" and math.isfinite(values[k].sum())
                    elif node.op == "prev":
                        values[k] = self._previous[node.args[0]]
                        sound = False
                    else:
                        values[k] = apply(node, NUMPY, [values[a] for a in node.args])
                        sound = sound and node.op in _SOUND
        except KeyError as error:
            raise AgentcError([report("AS0830", None, signal=str(error.args[0]))]) from None
        found: list[Any] = [None] * len(self._plan.nodes)
        for k, leaf in self._nodes:
            atom = self._plan.atoms[leaf.index]
            if atom.margin is None:
                x = np.where((values[atom.truth] == 1) == leaf.greatest, INF, -INF)
            else:
                x = values[atom.margin]
                if not sound:
                    x = np.where(np.isnan(x), -INF, x)
                x = x if leaf.greatest else -x
            found[k] = x if np.ndim(x) else np.full(self._size, float(x))
        for k in self._previous:
            self._previous[k] = np.array(values[k])
        return found

    def _input(self, key: tuple[str, int], valuations: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        x = valuations[key[0]]
        if key[0] in self._tables:
            return self._tables[key[0]][x]  # type: ignore[no-any-return]
        if x.ndim == 2:
            x = x[:, key[1]]
        return x if x.dtype.kind in "fO" else x.astype(np.float64)


_SOUND = frozenset(("neg", "abs", "min", "max", "difference", "gt", "ge", "lt", "le", "eq", "ne", "flip"))


# ---------------------------------------------------------------- streams

Step = Callable[[Any], Any]


class _Line:
    """What came ``lag`` steps ago."""

    def __init__(self, lag: int, size: int, empty: float = math.nan) -> None:
        self.lag, self._at, self._empty = lag, 0, empty
        self._held: list[Any] = [np.full(size, empty) for _ in range(lag)]

    def reset(self, where: Mask) -> None:
        self._held = [np.where(where, self._empty, x) for x in self._held]

    def step(self, x: Any) -> Any:
        if self.lag == 0:
            return x
        old = self._held[self._at]
        self._held[self._at] = x
        self._at = (self._at + 1) % self.lag
        return old


class _Window:
    """The greatest (least) of the last ``width`` values, None: of all; absent ones do not count."""

    def __init__(self, greatest: bool, width: int | None, size: int) -> None:
        self._op: np.ufunc = np.maximum if greatest else np.minimum
        self._empty = -INF if greatest else INF
        self._width, self._at = width, 0
        self._running = np.full(size, self._empty)
        if width is not None and width > 1:
            self._rows = np.full((width, size), self._empty)
            self._suffix = np.full((width, size), self._empty)

    def reset(self, where: Mask) -> None:
        self._running[where] = self._empty
        if self._width is not None and self._width > 1:
            self._rows[:, where] = self._empty
            self._suffix[:, where] = self._empty

    def step(self, x: Any) -> Any:
        if self._width == 1:
            return x if x is not None else np.full_like(self._running, self._empty)
        if self._width is None:
            if x is not None:
                self._running = self._op(self._running, x)
            return self._running
        if x is None:
            x = self._empty
        self._rows[self._at] = x
        self._running = np.array(self._rows[0]) if self._at == 0 else self._op(self._running, x)
        self._at += 1
        if self._at == self._width:  # the block is full: all of it is the window
            self._at = 0
            self._op.accumulate(self._rows[::-1], axis=0, out=self._suffix[::-1])
            return self._running
        return self._op(self._running, self._suffix[self._at])


class _Pairs:
    """``until`` (with ``past``, ``since``) over the last ``width`` pairs, None: over all (``since`` alone).

    ``greatest`` false: its dual. An absent pair holds nothing up and gives nothing.
    """

    def __init__(self, greatest: bool, past: bool, width: int | None, size: int) -> None:
        self._high: np.ufunc = np.maximum if greatest else np.minimum
        self._low: np.ufunc = np.minimum if greatest else np.maximum
        self._none, self._all = (-INF, INF) if greatest else (INF, -INF)
        self._past, self._width, self._at = past, width, 0
        self._p, self._q = np.full(size, self._all), np.full(size, self._none)
        if width is not None:
            self._f, self._g = np.full((width, size), self._all), np.full((width, size), self._none)
            self._sp, self._sq = self._f.copy(), self._g.copy()

    def reset(self, where: Mask) -> None:
        self._p[where], self._q[where] = self._all, self._none
        if self._width is not None:
            self._f[:, where] = self._sp[:, where] = self._all
            self._g[:, where] = self._sq[:, where] = self._none

    def _join(self, p0: Any, q0: Any, p1: Any, q1: Any) -> tuple[Any, Any]:
        """Of an older and a newer part."""
        if self._past:
            return self._low(p0, p1), self._high(self._low(q0, p1), q1)
        return self._low(p0, p1), self._high(q0, self._low(p0, q1))

    def step(self, f: Any, g: Any) -> Any:
        f = self._all if f is None else f
        g = self._none if g is None else g
        if self._width is None:
            self._p, self._q = self._join(self._p, self._q, f, g)
            return self._q
        self._f[self._at], self._g[self._at] = f, g
        if self._at == 0:
            self._p, self._q = np.array(self._f[0]), np.array(self._g[0])
        else:
            self._p, self._q = self._join(self._p, self._q, f, g)
        self._at += 1
        if self._at < self._width:
            return self._join(self._sp[self._at], self._sq[self._at], self._p, self._q)[1]
        self._at = 0
        self._sp[-1], self._sq[-1] = self._f[-1], self._g[-1]
        for i in range(self._width - 2, -1, -1):
            self._sp[i], self._sq[i] = self._join(self._f[i], self._g[i], self._sp[i + 1], self._sq[i + 1])
        return self._q


class _Stream:
    """One node of the plan that is a stream: its operator with the lines that bring its arguments into step."""

    def __init__(self, program: OnlineProgram, k: int, size: int) -> None:
        node = self.node = program.plan.nodes[k]
        self._size, self._ended = size, False
        delays = [program.delays[a] or 0 for a in node.args]
        self._lines = [_Line(max(delays) - d, size) for d in delays]
        self._op = np.maximum if node.greatest else np.minimum
        self._parts: list[Any] = []
        lo, hi = node.lo, node.hi
        width = None if hi is None else hi - lo + 1
        back = lo if node.past else 0
        self._none, self._all = (-INF, INF) if node.greatest else (INF, -INF)
        if node.op == "window":
            self._parts = [_Line(back, size, self._none), _Window(node.greatest, width, size)]
        elif node.op == "until":
            lines = [_Line(back, size, self._all), _Line(back, size, self._none)]
            self._parts = [*lines, _Pairs(node.greatest, node.past, width, size)]
            if lo > 0:
                behind = 0 if node.past else (width or 0)
                self._parts += [_Window(not node.greatest, lo, size), _Line(behind, size, self._all)]

    def reset(self, where: Mask) -> None:
        for part in self._parts:
            part.reset(where)

    def step(self, args: list[Any], begun: Mask | None) -> Any:
        """The value, of as many steps ago as the delay says. ``begun``: where the arguments are of the trace."""
        node = self.node
        x = [line.step(a) for line, a in zip(self._lines, args, strict=True)]
        if node.op == "fold":
            found = x[0]
            for other in x[1:]:
                found = self._op(found, other)
            return found
        if begun is not None:  # values from before the trace do not count
            neutral = (self._none,) if node.op == "window" else (self._all, self._none)
            x = [None if v is None else np.where(begun, v, n) for v, n in zip(x, neutral, strict=True)]
        if node.op == "window":
            line, window = self._parts
            return window.step(line.step(x[0]))
        lines, pairs = self._parts[:2], self._parts[2]
        f, g = x
        found = pairs.step(lines[0].step(f), lines[1].step(g))
        if node.lo > 0:
            held = self._parts[4].step(self._parts[3].step(f))
            found = (np.minimum if node.greatest else np.maximum)(found, held)
        return found


class _State:
    """All streams and what is gathered of them, in N environments."""

    def __init__(self, program: OnlineProgram, size: int) -> None:
        self._program, self._size = program, size
        self.count = np.full(size, -1)
        """The last step that was read, -1 before step 0; runs on in :meth:`RobustnessMonitor.value`."""
        self._over = 0
        self._streams = {
            k: _Stream(program, k, size)
            for k, delay in enumerate(program.delays)
            if delay is not None and program.plan.nodes[k].args
        }
        self._root = _gathering(program, program.root, size)

    def reset(self, where: Mask) -> None:
        self.count[where] = -1
        for stream in self._streams.values():
            stream.reset(where)
        self._root.reset(where)

    def step(self, atoms: list[Any] | None) -> None:
        """One step on; None after the end of the trace."""
        program = self._program
        self.count += 1
        if atoms is None:
            self._over += 1
        values: list[Any] = [None] * len(program.delays) if atoms is None else atoms
        least = int(self.count.min())
        for k, node in enumerate(program.plan.nodes):
            delay = program.delays[k]
            if delay is None or self._over > delay:
                continue  # it is no stream, or it has ended
            if node.op == "constant":
                values[k] = np.full(self._size, INF if node.greatest else -INF)
            elif node.op == "end":
                values[k] = self._end(node)
            elif node.args:
                longest = max(program.delays[a] or 0 for a in node.args)
                begun = None if least >= longest else self.count >= longest
                values[k] = self._streams[k].step([values[a] for a in node.args], begun)
        self._root.step(values, self.count, least)

    def _end(self, node: Any) -> Any:
        if node.past:
            return np.where((self.count == 0) == node.greatest, INF, -INF)
        return np.full(self._size, INF if (self._over == 1) == node.greatest else -INF)

    def interval(self) -> tuple[Array, Array]:
        found: tuple[Array, Array] = self._root.interval(self.count)
        return found

    def at_end(self) -> Array:
        found: Array = self._root.at_end()
        return found


# ---------------------------------------------------------------- the root


def _gathering(program: OnlineProgram, gathered: Gathered, size: int) -> Any:
    match gathered.kind:
        case "fold":
            return _Fold(gathered, [_gathering(program, p, size) for p in gathered.parts])
        case "automaton":
            assert gathered.automaton is not None
            return _Weighted(program, gathered.automaton, size)
    return _Anchored(program, gathered, size)


class _Fold:
    """The least or greatest of what others gather."""

    def __init__(self, gathered: Gathered, parts: list[Any]) -> None:
        self._op, self._parts = np.maximum if gathered.greatest else np.minimum, parts

    def reset(self, where: Mask) -> None:
        for part in self._parts:
            part.reset(where)

    def step(self, values: list[Any], count: NDArray[Any], least: int) -> None:
        for part in self._parts:
            part.step(values, count, least)

    def interval(self, count: NDArray[Any]) -> tuple[Array, Array]:
        lows, highs = zip(*(part.interval(count) for part in self._parts), strict=True)
        return self._op.reduce(lows), self._op.reduce(highs)

    def at_end(self) -> Array:
        found: Array = self._op.reduce([part.at_end() for part in self._parts])
        return found


class _Anchored:
    """A window, an ``until`` or a single value of streams, from step 0 on."""

    def __init__(self, program: OnlineProgram, gathered: Gathered, size: int) -> None:
        self._g = gathered
        self._greatest = gathered.greatest
        self._high: np.ufunc = np.maximum if self._greatest else np.minimum
        self._low: np.ufunc = np.minimum if self._greatest else np.maximum
        self._empty, self._all = (-INF, INF) if self._greatest else (INF, -INF)
        self._acc, self._held = np.full(size, self._empty), np.full(size, self._all)
        delays = [program.delays[s] or 0 for s in gathered.streams]
        self._lines = [_Line(gathered.delay - d, size) for d in delays]

    def reset(self, where: Mask) -> None:
        self._acc[where], self._held[where] = self._empty, self._all

    def step(self, values: list[Any], count: NDArray[Any], least: int) -> None:
        g = self._g
        x = [line.step(values[s]) for line, s in zip(self._lines, g.streams, strict=True)]
        if any(v is None for v in x):
            return
        lo, hi = (g.delay + g.lo, None if g.hi is None else g.delay + g.hi)
        if least < lo or hi is not None:
            inside = count >= lo
            if hi is not None:
                inside &= count <= hi
            mine = np.where(inside, x[-1], self._empty)
        else:
            mine = x[-1]
        if g.kind == "until":
            self._acc = self._high(self._acc, self._low(self._held, mine))
            begun = x[0] if least >= g.delay else np.where(count >= g.delay, x[0], self._all)
            self._held = self._low(self._held, begun)
        else:
            self._acc = self._high(self._acc, mine)

    def interval(self, count: NDArray[Any]) -> tuple[Array, Array]:
        g = self._g
        if g.kind == "first":
            settled = count >= g.delay
            return np.where(settled, self._acc, g.range[0]), np.where(settled, self._acc, g.range[1])
        still = g.range[1] if self._greatest else g.range[0]
        rest: Any = still if g.kind == "window" else self._low(self._held, still)
        other = self._high(self._acc, rest)
        if g.hi is not None:
            other = np.where(count >= g.delay + g.hi, self._acc, other)
        return (self._acc, other) if self._greatest else (other, self._acc)

    def at_end(self) -> Array:
        return self._acc


class _Weighted:
    """An automaton with the greatest weight of a run into each of its states."""

    def __init__(self, program: OnlineProgram, automaton: Automaton, size: int) -> None:
        self._automaton = automaton
        self._weights = np.full((len(automaton.ends), size), -INF)
        self._weights[0] = INF
        self._used = sorted({s for e in automaton.edges for s in e.streams})
        self._lines = [_Line(automaton.delay - (program.delays[s] or 0), size) for s in self._used]

    def reset(self, where: Mask) -> None:
        self._weights[:, where] = -INF
        self._weights[0, where] = INF

    def step(self, values: list[Any], count: NDArray[Any], least: int) -> None:
        x = [line.step(values[s]) for line, s in zip(self._lines, self._used, strict=True)]
        if any(v is None for v in x):
            return
        now = dict(zip(self._used, x, strict=True))
        found = np.full_like(self._weights, -INF)
        for edge in self._automaton.edges:
            weight = self._weights[edge.source]
            for s in edge.streams:
                weight = np.minimum(weight, now[s])
            np.maximum(found[edge.target], weight, out=found[edge.target])
        if least < self._automaton.delay:
            found = np.where(count >= self._automaton.delay, found, self._weights)
        self._weights = found

    def interval(self, count: NDArray[Any]) -> tuple[Array, Array]:
        low, high = (np.array([r[i] for r in self._automaton.ranges])[:, None] for i in (0, 1))
        return np.minimum(self._weights, low).max(0), np.minimum(self._weights, high).max(0)

    def at_end(self) -> Array:
        ends = np.array(self._automaton.ends)[:, None]
        found: Array = np.minimum(self._weights, ends).max(0)
        return found
