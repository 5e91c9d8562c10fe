"""Initial values: sampled, and as the boxes that contain them.

A component of the mixture is drawn by weight, then its states, independently of each other, then the component is
drawn again from anew as long as its constraint does not hold or a normal variate leaves the state's range: the
constraints condition each component by itself and leave the weights as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agentc.compiler.agent import ComponentIR, StartIR, SystemIR, VariableIR
from agentc.compiler.logic.ir import show
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.graph import encode, graph_of
from agentc.lang.diagnostics import AgentcError, report

Floats = NDArray[np.float64]

TRIES = 10_000
"""How often a start is drawn that violates its constraint before the constraint counts as unsatisfiable."""


@dataclass(frozen=True)
class InitialBox:
    """The least box around a component: ``lo`` and ``hi`` of shape ``(n,)``, infinite for an unbounded normal.

    ``constraint`` is whether the component is a proper part of the box: it has a constraint, a set of values, or a
    distribution's tail is cut.
    """

    weight: float
    lo: Floats
    hi: Floats
    proper: bool


class InitialSampler:
    """Draws initial states of a system."""

    def __init__(self, system: SystemIR) -> None:
        self._system = system
        self._states = system.states
        self._lo, self._hi = bounds(self._states)
        components = system.initial.components
        self._weights = np.array([c.weight for c in components])
        self._starts = [_ordered(c, self._states) for c in components]
        self._constraints = [
            None if c.constraint is None else graph_of([c.constraint], system.variables) for c in components
        ]

    def sample(self, rng: Generator, batch: int) -> Floats:
        """Initial states ``(batch, n)``. Raises :class:`AgentcError` (AS1108) if a constraint is nearly empty."""
        out = np.empty((batch, len(self._states)))
        single = len(self._weights) == 1
        chosen = np.zeros(batch, int) if single else rng.choice(len(self._weights), size=batch, p=self._weights)
        for index in np.unique(chosen):
            rows = np.flatnonzero(chosen == index)
            out[rows] = self._component(rng, int(index), len(rows))
        return out

    def _component(self, rng: Generator, index: int, count: int) -> Floats:
        starts = self._starts[index]
        made = np.empty((count, len(starts)))
        open_ = np.arange(count)
        for _ in range(TRIES):
            drawn = np.empty((len(open_), len(starts)))
            for i, (start, variable) in enumerate(zip(starts, self._states, strict=True)):
                drawn[:, i] = _drawn(rng, start, variable, len(open_))
            good = ((drawn >= self._lo) & (drawn <= self._hi)).all(axis=1)
            graph = self._constraints[index]
            if graph is not None:
                columns = dict(zip((v.name for v in self._states), np.ascontiguousarray(drawn.T), strict=True))
                good &= np.asarray(evaluate(graph, columns)[0], bool)
            made[open_[good]] = drawn[good]
            open_ = open_[~good]
            if not len(open_):
                return made
        constraint = self._system.initial.components[index].constraint
        wanted = "the ranges of the states" if constraint is None else f"`{show(constraint)}`"
        raise AgentcError([report("AS1108", None, name=self._system.name, tries=TRIES, constraint=wanted)])


def initial_boxes(system: SystemIR) -> tuple[InitialBox, ...]:
    """A box around each component of the initial distribution, for verification and for drawings."""
    lo, hi = bounds(system.states)
    found = []
    for component in system.initial.components:
        least, most = lo.copy(), hi.copy()
        proper = component.constraint is not None
        for i, (start, variable) in enumerate(
            zip(_ordered(component, system.states), system.states, strict=True)
        ):
            if start.kind == "normal":
                continue
            values = [encode(v, variable) for v in start.values]
            least[i], most[i] = min(values), max(values)
            proper = proper or (start.kind == "set" and len(values) > 1)
        found.append(InitialBox(component.weight, least, most, proper))
    return tuple(found)


def _ordered(component: ComponentIR, states: tuple[VariableIR, ...]) -> tuple[StartIR, ...]:
    by_name = {start.variable: start for start in component.starts}
    return tuple(by_name[v.name] for v in states)


def _drawn(rng: Generator, start: StartIR, variable: VariableIR, count: int) -> Floats:
    if start.kind == "normal":
        mean, deviation = (float(v) for v in start.values)  # type: ignore[arg-type]  # two numbers
        drawn = rng.normal(mean, deviation, count)
        return np.round(drawn) if variable.kind == "int" else drawn
    values = np.array([encode(v, variable) for v in start.values])
    if start.kind == "point":
        return np.full(count, values[0])
    if start.kind == "set":
        return values[rng.integers(len(values), size=count)]
    if variable.kind == "int":
        return rng.integers(int(values[0]), int(values[1]) + 1, size=count).astype(float)
    return rng.uniform(values[0], values[1], count)
