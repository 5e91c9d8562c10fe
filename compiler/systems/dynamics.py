"""Declared dynamics as functions of arrays: rates or next values, jumps between modes, feedback laws.

A system is autonomous: what depends on time declares a state with rate 1. States, inputs and disturbances are the
columns of float64 arrays ``(batch, n)`` in the order of their declaration, Booleans 0 and 1, enums the indices of
their members (:func:`agentc.compiler.systems.graph.encode`), everything in SI units. A mode is an index into
``SystemIR.modes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import EquationIR, SystemIR, VariableIR
from agentc.compiler.logic.ir import Node, signal
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.derivatives import NotSmoothError, jacobian
from agentc.compiler.systems.graph import Graph, graph_of
from agentc.lang.diagnostics import AgentcError, report

Floats = NDArray[np.float64]
Modes = NDArray[np.int64]


@dataclass(frozen=True)
class Jump:
    """A transition out of a mode: ``graph`` has the guard as its first root, then the next value of every state."""

    graph: Graph
    target: int


@dataclass(frozen=True)
class Affine:
    """``A x + B u + E w + c``: matrices of shapes ``(n, n)``, ``(n, m)``, ``(n, k)`` and a vector ``(n,)``."""

    state: Floats
    input: Floats
    disturbance: Floats
    constant: Floats


class Dynamics:
    """The graphs of a system of equations, and what they give on arrays.

    ``rates[mode]`` is the graph of the equations of a mode (of the only one where none is declared), its roots in
    the order of the states; of a difference equation they are next values. Raises :class:`AgentcError` (AS1119) for
    a system of guarded commands.
    """

    def __init__(self, system: SystemIR) -> None:
        if system.commands:
            raise AgentcError([report("AS1119", None, name=system.name)])
        self.system = system
        self.states, self.inputs, self.disturbances = system.states, system.inputs, system.disturbances
        self.modes = tuple(m.name for m in system.modes)
        bodies = [m.equations for m in system.modes] or [system.equations]
        self._terms = tuple(self._ordered(body) for body in bodies)
        self.rates = tuple(graph_of(terms, system.variables, self.states) for terms in self._terms)
        order = {name: i for i, name in enumerate(self.modes)}
        self.jumps = tuple(
            tuple(
                Jump(
                    graph_of([t.guard, *self._updated(t.resets)], system.variables, (None, *self.states)),
                    order[t.target],
                )
                for t in mode.transitions
            )
            for mode in system.modes
        )
        self.invariants = tuple(
            None if m.invariant is None else graph_of([m.invariant], system.variables) for m in system.modes
        )
        self._laws = {
            c.name: graph_of([e.value for e in self._in_order(c.laws, self.inputs)], system.variables, self.inputs)
            for c in system.controllers
        }

    @property
    def discrete(self) -> bool:
        """Whether the equations give next values."""
        return self.system.integrator == "difference"

    def terms(self, mode: int = 0) -> tuple[Node, ...]:
        """The right-hand sides of a mode, in the order of the states."""
        return self._terms[mode]

    # ------------------------------------------------------------ evaluation

    def derivative(
        self, state: Floats, input: Floats | None = None, disturbance: Floats | None = None, mode: Modes | None = None
    ) -> Floats:
        """The rates, or next values, at states ``(batch, n)`` under inputs ``(batch, m)`` and disturbances
        ``(batch, k)``, in modes ``(batch,)`` (by default the first); not-a-number where there is no value.
        """
        columns = self.columns(state, input, disturbance)
        out = np.empty((len(state), len(self.states)))
        for index, rows in self.groups(len(state), mode):
            values = evaluate(self.rates[index], {name: c[rows] for name, c in columns.items()})
            for i, value in enumerate(values):
                out[rows, i] = value
        return out

    def groups(self, batch: int, mode: Modes | None) -> Iterator[tuple[int, slice | NDArray[np.intp]]]:
        """Each mode that occurs, with its rows."""
        if len(self.rates) == 1 or mode is None:
            yield 0, slice(None)
            return
        for index in np.unique(mode):
            yield int(index), np.flatnonzero(mode == index)

    def rate(self, index: int, held: Mapping[str, Floats]) -> Callable[[Floats], Floats]:
        """The rates of a mode as a function of states ``(n, batch)``; ``held`` are inputs and disturbances."""
        graph, names = self.rates[index], [v.name for v in self.states]

        def rates(x: Floats) -> Floats:
            out = np.empty_like(x)
            for i, value in enumerate(evaluate(graph, {**held, **dict(zip(names, x, strict=True))})):
                out[i] = value
            return out

        return rates

    def columns(
        self, state: Floats, input: Floats | None = None, disturbance: Floats | None = None
    ) -> dict[str, Floats]:
        """The columns of the arrays by the names of the variables, each contiguous."""
        found: dict[str, Floats] = {}
        groups: Iterable[tuple[Sequence[VariableIR], Floats | None]] = (
            (self.states, state), (self.inputs, input), (self.disturbances, disturbance),
        )  # fmt: skip
        for variables, array in groups:
            if array is not None:
                rows = np.ascontiguousarray(array.T)
                found.update(zip((v.name for v in variables), rows, strict=True))
        return found

    def jump(
        self, state: Floats, input: Floats, disturbance: Floats, mode: Modes
    ) -> tuple[Floats, Modes]:
        """States and modes after the first transition of each mode whose guard holds; at most one is taken."""
        if not any(self.jumps):
            return state, mode
        columns = self.columns(state, input, disturbance)
        state, after = state.copy(), mode.copy()
        open_ = np.ones(len(mode), bool)
        for index, jumps in enumerate(self.jumps):
            for jump in jumps:
                rows = np.flatnonzero(open_ & (mode == index))
                if not len(rows):
                    break
                guard, *values = evaluate(jump.graph, {name: c[rows] for name, c in columns.items()})
                taken = np.broadcast_to(np.asarray(guard, bool), rows.shape)
                part = np.empty((len(rows), len(self.states)))
                _fill(part, values)
                state[rows[taken]] = part[taken]
                after[rows[taken]] = jump.target
                open_[rows[taken]] = False
        return state, after

    def invariant_holds(self, state: Floats, input: Floats, disturbance: Floats, mode: Modes) -> NDArray[np.bool_]:
        """Whether the invariant of each row's mode holds there."""
        holds = np.ones(len(state), bool)
        if not any(graph is not None for graph in self.invariants):
            return holds
        columns = self.columns(state, input, disturbance)
        for index, graph in enumerate(self.invariants):
            rows = np.flatnonzero(mode == index)
            if graph is not None and len(rows):
                (value,) = evaluate(graph, {name: c[rows] for name, c in columns.items()})
                holds[rows] = value
        return holds

    def control(self, name: str, state: Floats) -> Floats:
        """The inputs ``(batch, m)`` of a controller at states, clipped to their ranges. Raises ``KeyError``."""
        out = np.empty((len(state), len(self.inputs)))
        _fill(out, evaluate(self._laws[name], self.columns(state)))
        lo, hi = bounds(self.inputs)
        return np.clip(out, lo, hi)

    def law(self, name: str) -> Graph:
        """The graph of a controller, its roots in the order of the inputs. Raises ``KeyError``."""
        return self._laws[name]

    # ------------------------------------------------------------ symbolic

    def jacobian(self, mode: int = 0) -> tuple[Graph, Graph, Graph]:
        """Graphs of the Jacobians by states, inputs and disturbances, row by row.

        Raises :class:`~agentc.compiler.systems.derivatives.NotSmoothError`.
        """
        terms = [e.term for e in self._in_order(self._body(mode), self.states)]
        made = []
        for variables in (self.states, self.inputs, self.disturbances):
            rows = jacobian(terms, [v.name for v in variables])
            made.append(graph_of((d for row in rows for d in row), self.system.variables))
        return made[0], made[1], made[2]

    def affine(self, mode: int = 0) -> Affine | None:
        """The equations as an affine function, or None if they are not one."""
        if any(v.kind in ("bool", "enum") for v in self.system.variables):
            return None
        try:
            graphs = self.jacobian(mode)
        except NotSmoothError:
            return None
        n = len(self.states)
        matrices = []
        for graph, variables in zip(graphs, (self.states, self.inputs, self.disturbances), strict=True):
            if graph.variables:
                return None
            values = [float(v) for v in evaluate(graph, {})]
            matrices.append(np.array(values, float).reshape(n, len(variables)))
        zero = np.zeros((1, n)), np.zeros((1, len(self.inputs))), np.zeros((1, len(self.disturbances)))
        constant = self.derivative(*zero, np.array([mode]))[0]
        if not (np.isfinite(constant).all() and all(np.isfinite(m).all() for m in matrices)):
            return None
        return Affine(matrices[0], matrices[1], matrices[2], constant)

    # ------------------------------------------------------------ parts

    def _body(self, mode: int) -> tuple[EquationIR, ...]:
        return self.system.modes[mode].equations if self.system.modes else self.system.equations

    def _in_order(
        self, equations: Iterable[EquationIR], variables: Sequence[VariableIR]
    ) -> list[EquationIR]:
        by_name = {e.target: e for e in equations}
        return [by_name[v.name] for v in variables]

    def _ordered(self, equations: Iterable[EquationIR]) -> tuple[Node, ...]:
        return tuple(e.value for e in self._in_order(equations, self.states))

    def _updated(self, equations: Iterable[EquationIR]) -> tuple[Node, ...]:
        """The next value of every state; what no equation names keeps its value."""
        by_name: dict[str, Node] = {e.target: e.value for e in equations}
        return tuple(by_name.get(v.name, signal(v.name)) for v in self.states)


def bounds(variables: Sequence[VariableIR]) -> tuple[Floats, Floats]:
    """The least and greatest values of variables, infinite where none is declared."""
    lo, hi = [], []
    for v in variables:
        if v.kind in ("bool", "enum"):
            lo.append(0.0)
            hi.append(1.0 if v.kind == "bool" else len(v.members) - 1.0)
        else:
            lo.append(-np.inf if v.lo is None else float(v.lo))
            hi.append(np.inf if v.hi is None else float(v.hi))
    return np.array(lo, float), np.array(hi, float)


def _fill(out: Floats, values: Sequence[Any]) -> None:
    """Put values, arrays ``(batch,)`` or scalars, into the columns of ``out``."""
    for i, value in enumerate(values):
        out[:, i] = value
