"""What is planned: an agent's formulas over its declared system, from one start, at nominal disturbances.

The objective is the conjunction of the tasks, behaviours and safes of the agent (or of those named), over the trace
whose last step is the horizon, and that every state stays within its declared range: the simulator refuses a
trajectory that leaves it. Disturbances are held in the middle of their ranges; a plan says nothing about others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR, FormulaIR, SignalIR, StartIR, SystemIR
from agentc.compiler.logic.fragments import EVERYTHING, STEPWISE, TIMED_SUBGOALS, fragment, outside
from agentc.compiler.logic.ir import TRUE, Formula, and_, formula
from agentc.compiler.logic.rewrite import formula_nodes, horizon, nnf, rebuild, simplify
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.compiler.signals.decompose import decompose
from agentc.compiler.signals.subgoals import Decomposition
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.simulate import Simulator
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.spelling import nearest

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """A planning problem. ``start`` is ``(n,)``, ``disturbance`` ``(k,)``; ``last`` is the last step."""

    agent: AgentIR
    system: SystemIR
    items: tuple[FormulaIR, ...]
    last: int
    start: Floats
    disturbance: Floats

    @property
    def formula(self) -> Formula:
        """The conjunction of what is asked for."""
        return and_(*(item.formula for item in self.items))

    @cached_property
    def core(self) -> Formula:
        """The same in negation normal form."""
        return simplify(nnf(self.formula))

    @cached_property
    def subgoals(self) -> Decomposition:
        """Its timed subgoals. Raises :class:`AgentcError` (AS1201)."""
        return decompose(self.formula, self.last)

    @cached_property
    def simulator(self) -> Simulator:
        """The numpy simulator. Raises :class:`AgentcError` for a system that does not run."""
        return Simulator(self.system)

    @property
    def signals(self) -> tuple[SignalIR, ...]:
        """The states and inputs as signals, in the order of :meth:`columns`."""
        assert self.agent.environment is not None
        named = {s.name: s for s in self.agent.environment.signals}
        return tuple(named[n] for n in (*self.names[0], *self.names[1]) if n in named)

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The signals of the states and of the inputs, in order."""
        return tuple(v.name for v in self.system.states), tuple(f"action.{v.name}" for v in self.system.inputs)

    @property
    def input_range(self) -> tuple[Floats, Floats]:
        """The declared ranges of the inputs."""
        return bounds(self.system.inputs)

    @property
    def state_range(self) -> tuple[Floats, Floats]:
        """The declared ranges of the states."""
        return bounds(self.system.states)

    @property
    def weakly_safe(self) -> bool:
        """Whether no ``safe`` can be left open at the end without being violated: then to satisfy is to keep it."""
        return all(
            all(n.op != "U" for n in formula_nodes(nnf(i.formula))) for i in self.items if i.role == "safe"
        )

    def judge(self, inputs: Floats, start: Floats | None = None) -> Judgement:
        """Simulate inputs ``(last, m)`` and judge the trace by the reference semantics.

        A trajectory that the simulator refuses is judged as not satisfying, with the simulator's words.
        """
        state = (self.start if start is None else start)[None, :]
        mode, noise = np.zeros(1, np.int64), self.disturbance[None, :]
        states = np.full((self.last + 1, state.shape[1]), np.nan)
        states[0] = state[0]
        for t in range(self.last):
            try:
                state, mode = self.simulator.step(state, mode, inputs[t : t + 1], noise, np.array([t]))
            except AgentcError as error:
                return Judgement(states, inputs, False, -np.inf, (), error.diagnostics[0].message)
            states[t + 1] = state[0]
        trace = self.trace(states, inputs)
        verdicts = tuple((i.name, evaluate(i.formula, trace), robustness(i.formula, trace)) for i in self.items)
        return Judgement(
            states, inputs, all(v for _, v, _ in verdicts), min(r for _, _, r in verdicts), verdicts, ""
        )

    def trace(self, states: Floats, inputs: Floats) -> Trace:
        """The trace of a trajectory; an input has the value that led to a step."""
        names, controls = self.names
        rows: list[dict[str, Any]] = []
        for t in range(len(states)):
            row: dict[str, Any] = dict(zip(names, map(float, states[t]), strict=True))
            if t:
                row.update(zip(controls, map(float, inputs[t - 1]), strict=True))
            rows.append(row)
        return Trace(rows)


@dataclass(frozen=True)
class Judgement:
    """A simulated trajectory: states ``(last + 1, n)``, inputs ``(last, m)``, and the reference's verdict.

    ``verdicts`` are ``(name, truth, robustness)`` of each formula; ``refused`` is what the simulator said.
    """

    states: Floats
    inputs: Floats
    satisfied: bool
    robustness: float
    verdicts: tuple[tuple[str, bool, float], ...]
    refused: str


def problem_of(
    agent: AgentIR,
    *,
    formulas: Sequence[str] = (),
    last: int | None = None,
    start: Mapping[str, float] | None = None,
) -> Problem:
    """The planning problem of an agent.

    Args:
        agent: an agent whose environment is a declared system.
        formulas: what to plan for; all tasks, behaviours and safes by default.
        last: the last step, instead of the environment's horizon.
        start: values of some states, instead of the middle of where they may begin.

    Raises :class:`AgentcError`: AS1203 without a declared system, AS1204 without a length, AS1205 for a length that the
    formulas exceed, AS1206 without a formula, AS1207 for a system that is not of equations over reals in one mode,
    AS1208 for a start that is none, AS0203 for an unknown formula, AS0701 for an operator outside of timed subgoals.
    """
    system = agent.system
    if system is None:
        what = f"environment `{agent.environment.name}`" if agent.environment else "agent has no environment and"
        raise AgentcError([report("AS1203", None, agent=agent.name, environment=what)])
    items = _items(agent, formulas)
    _supported(system)
    if last is None and agent.environment is not None:
        last = agent.environment.horizon
    needed = [(i, horizon(rebuild(i.formula, _without_last))) for i in items]
    if last is None:
        for item, steps in needed:
            if steps is None:
                raise AgentcError([report("AS1204", item.span, name=item.name)])
        last = max(steps or 0 for _, steps in needed)
    for item, steps in needed:
        if steps is not None and steps > last:
            raise AgentcError([report("AS1205", item.span, name=item.name, needed=steps, last=last)])
    return Problem(agent, system, items, last, _start(agent, system, start or {}), _nominal(system))


def _without_last(node: Formula, x: list[Formula]) -> Formula:
    """``last`` is true or false of the last step as well, and asks for no step behind it."""
    return node if node.op == "atom" else TRUE if node.op == "last" else formula(node.op, x, node.interval)


def _items(agent: AgentIR, names: Sequence[str]) -> tuple[FormulaIR, ...]:
    known = agent.of_role("task", "safe", "behavior")
    for name in names:
        if name not in {i.name for i in known}:
            near = nearest(name, [i.name for i in known])
            raise AgentcError([report("AS0203", None, kind="formula", name=name, suggestion=near)])
    items = tuple(i for i in known if not names or i.name in names)
    if not items:
        raise AgentcError([report("AS1206", None, agent=agent.name)])
    others = {"automaton": STEPWISE, "monitor": EVERYTHING}
    found: list[Diagnostic] = []
    for item in items:
        found += outside(fragment(item.formula), "planner", TIMED_SUBGOALS, others, item.span)
        if item.each:
            found.append(report("AS0701", item.span, operator="each", backend="planner", able="monitor does it"))
    if found:
        raise AgentcError(found)
    return items


def _supported(system: SystemIR) -> None:
    what = None
    if system.commands:
        what = "is a transition system of guarded commands"
    elif len(system.modes) > 1:
        what = f"has {len(system.modes)} modes"
    else:
        for v in system.variables:
            if v.kind != "real":
                what = f"has the {v.role} `{v.name}` of type {v.kind}"
                break
    if what is not None:
        raise AgentcError([report("AS1207", None, name=system.name, what=what)])


def _nominal(system: SystemIR) -> Floats:
    """The middle of the disturbances' ranges; 0, or the nearest to it, where a range is open."""
    lo, hi = bounds(system.disturbances)
    with np.errstate(invalid="ignore"):
        middle = (lo + hi) / 2
    nominal: Floats = np.where(np.isfinite(middle), middle, np.clip(0.0, lo, hi))
    return nominal


def _start(agent: AgentIR, system: SystemIR, given: Mapping[str, float]) -> Floats:
    states = {v.name: v for v in system.states}
    for name, value in given.items():
        if name not in states:
            known = ", ".join(f"`{s}`" for s in states)
            near = nearest(name, states)
            raise AgentcError([report("AS1208", None, name=name, value=value, why=f"the states are {known}",
                                      suggestion=near)])  # fmt: skip
        v = states[name]
        if not np.isfinite(value) or (v.lo is not None and value < v.lo) or (v.hi is not None and value > v.hi):
            why = "it is outside of its declared range" if np.isfinite(value) else "it is not finite"
            raise AgentcError([report("AS1208", None, name=name, value=value, why=why)])
    component = max(system.initial.components, key=lambda c: c.weight) if system.initial.components else None
    begins = {s.variable: _middle(s) for s in component.starts} if component else {}
    missing = [n for n in states if n not in given and n not in begins]
    if missing:
        why = "nothing says where it begins"
        raise AgentcError([report("AS1208", None, name=missing[0], value="nothing", why=why)])
    return np.array([given.get(n, begins.get(n, 0.0)) for n in states], float)


def _middle(start: StartIR) -> float:
    """The middle of a range, the mean of a distribution, the first of several points."""
    values = [float(v) for v in start.values if isinstance(v, int | float)]
    return sum(values) / 2 if start.kind in ("range", "uniform") else values[0]


def restricted(problem: Problem, names: Sequence[str]) -> Problem:
    """The problem with some of its formulas."""
    return replace(problem, items=tuple(i for i in problem.items if i.name in names))
