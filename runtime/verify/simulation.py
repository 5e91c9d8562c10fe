"""Runs of a declared system for verification: under a controller, from given starts, with given disturbances.

A violation is believed only when one run, stepped alone in the declared simulator (the network in onnxruntime),
violates the formula under :mod:`agentc.compiler.logic.semantics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SystemIR, VariableIR
from agentc.compiler.logic.ir import Formula, Node, postorder
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.graph import decode
from agentc.compiler.systems.simulate import Simulator
from agentc.compiler.verify_config import TRAINED
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.spelling import nearest
from agentc.runtime.verify.network.onnx_reader import Reading, read_onnx
from agentc.runtime.verify.planned import PlannedController
from agentc.runtime.verify.problem import Problem

Floats = NDArray[np.float64]

LONGEST = 100_000
"""The most steps of a run."""


@dataclass(frozen=True)
class Controller:
    """What sets the inputs: nothing, a law of the system, a network, or a policy that follows a plan."""

    name: str = ""
    reading: Reading | None = None
    path: Path | None = None
    planned: PlannedController | None = None


def controller_of(problem: Problem, name: str, system: SystemIR, planned: str = "") -> Controller:
    """The controller of that name.

    Raises :class:`AgentcError`: AS1317 for an unknown one, AS131x for a network, and AS1366 for a policy that follows a
    plan where ``planned`` names a method that cannot take one.
    """
    path = None if name in [c.name for c in system.controllers] else problem.network_file(name)
    if path is not None:
        follows = PlannedController.of(path, system, problem.item.span)
        if follows is not None and planned:
            what = "it follows a plan and reads the step"
            mend = "`falsify` and `statistical` run it; `train descent` makes a network of the state alone"
            raise AgentcError(
                [report("AS1366", problem.item.span, method=planned, agent=problem.agent.name, what=what, mend=mend)]
            )
        if follows is not None:
            return Controller(path.name if name == TRAINED else name, None, path, follows)
        reading = read_onnx(path)
        found = (reading.network.inputs, reading.network.outputs)
        wanted = (len(system.states), len(system.inputs))
        if found != wanted:
            raise AgentcError(
                [report("AS1316", problem.item.span, path=name, network=f"{found[0]} inputs and {found[1]} outputs",
                        other=f"system `{system.name}`", wanted=f"{wanted[0]} states and {wanted[1]} inputs")]
            )  # fmt: skip
        return Controller(path.name if name == TRAINED else name, reading, path)
    known = [c.name for c in system.controllers]
    if name and name not in known:
        listed = f"the system has {', '.join(f'`{n}`' for n in known)}; a network is named by its `.onnx` file"
        near = nearest(name, known)
        raise AgentcError([report("AS1317", problem.item.span, name=name, known=listed, suggestion=near)])
    return Controller(name)


@dataclass(frozen=True)
class Found:
    """A run that violates: the valuations of its steps, its robustness, and where it begins."""

    valuations: tuple[dict[str, Any], ...]
    robustness: float
    start: tuple[float, ...]

    def evidence(self) -> dict[str, Any]:
        """As plain data for JSON."""
        value = self.robustness if np.isfinite(self.robustness) else str(self.robustness)
        return {"trace": list(self.valuations), "robustness": value, "start": list(self.start)}


class Simulation:
    """A system of equations under a controller; an input that no controller sets is free, as a disturbance is.

    ``noise`` of a run is ``(steps, k)`` of numbers in [0, 1): the disturbances', then the free inputs'.
    """

    def __init__(self, system: SystemIR, controller: Controller, formula: Formula, steps: int) -> None:
        self.system, self.controller, self.formula, self.steps = system, controller, formula, steps
        self.simulator = Simulator(system)
        self._lo, self._hi = bounds(system.inputs)
        free = not controller.name
        self.free = len(system.inputs) if free else 0
        self.width = len(system.disturbances) + self.free
        self._moded = bool(system.modes) and all(v.name != "mode" for v in system.variables)

    def rollouts(self, start: Floats, noise: Floats) -> dict[str, NDArray[Any]]:
        """The signals of runs from ``(batch, n)`` under ``(batch, steps, k)``, each ``(batch, steps + 1)``."""
        states, inputs, modes = self._run(start, noise, exact=False)
        return self._signals(states, inputs) | ({"mode": modes} if self._moded else {})

    def replay(self, start: Floats, noise: Floats) -> Found | None:
        """The run from ``(n,)`` under ``(steps, k)``, stepped alone; None if it satisfies the formula."""
        states, inputs, modes = self._run(start[None], noise[None], exact=True)
        valuations = self._valuations(states[0], inputs[0])
        if self._moded:
            names = [m.name for m in self.system.modes]
            valuations = tuple({**row, "mode": names[m]} for row, m in zip(valuations, modes[0], strict=True))
        trace = Trace(valuations)
        if evaluate(self.formula, trace):
            return None
        return Found(valuations, robustness(self.formula, trace), tuple(float(v) for v in start))

    def _run(self, start: Floats, noise: Floats, *, exact: bool) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """States and modes at the samples, and the inputs of the steps."""
        batch, k = len(start), len(self.system.disturbances)
        state, mode = start.astype(np.float64), np.zeros(len(start), np.int64)
        states = np.empty((batch, self.steps + 1, start.shape[1]))
        inputs = np.empty((batch, self.steps, len(self.system.inputs)))
        states[:, 0] = state
        modes = np.zeros((batch, self.steps + 1), np.int64)
        for t in range(self.steps):
            inputs[:, t] = self._control(state, noise[:, t, k:], exact, t)
            disturbance = self.simulator.noise_of(noise[:, t, :k])
            state, mode = self.simulator.step(state, mode, inputs[:, t], disturbance, np.full(batch, t))
            states[:, t + 1], modes[:, t + 1] = state, mode
        return states, inputs, modes

    def _control(self, state: Floats, free: Floats, exact: bool, step: int) -> Floats:
        if self.controller.planned is not None:
            return np.clip(self.controller.planned.inputs(state, step, alone=exact), self._lo, self._hi)
        if self.controller.reading is not None:
            if exact:
                from agentc.runtime.verify.network.method import run_onnx

                given = np.stack([run_onnx(self.controller.reading, row) for row in state])
            else:
                given = self.controller.reading.network(state)
            return np.clip(given, self._lo, self._hi)
        if self.controller.name:
            return self.simulator.dynamics.control(self.controller.name, state)
        if not self.free:
            return np.zeros((len(state), 0))
        return self._lo + free * (self._hi - self._lo)

    def _signals(self, states: Floats, inputs: Floats) -> dict[str, NDArray[Any]]:
        found = {v.name: states[:, :, i] for i, v in enumerate(self.system.states)}
        for i, v in enumerate(self.system.inputs):
            missing = np.full((len(states), 1), np.nan)
            found[f"action.{v.name}"] = np.concatenate([missing, inputs[:, :, i]], axis=1)
        return found

    def _valuations(self, states: Floats, inputs: Floats) -> tuple[dict[str, Any], ...]:
        rows = []
        for t, state in enumerate(states):
            row: dict[str, Any] = {v.name: decode(float(x), v) for v, x in zip(self.system.states, state, strict=True)}
            if t:
                row |= {
                    f"action.{v.name}": decode(float(x), v)
                    for v, x in zip(self.system.inputs, inputs[t - 1], strict=True)
                }
            rows.append(row)
        return tuple(rows)


def horizon_of(problem: Problem, seconds: float = 0.0) -> tuple[int, bool]:
    """Steps of a run, and whether that is all that the environment allows. Raises ``ValueError`` if none is known."""
    environment, system = problem.agent.environment, problem.agent.system
    whole = environment.horizon if environment is not None else None
    step = system.step if system is not None else None
    asked = round(seconds / step) if seconds and step else None
    ahead = lookahead(problem.item.formula)
    limits = [n for n in (whole, asked) if n is not None]
    if not limits:
        if ahead is None:
            raise ValueError("nothing says how long a run is: give the environment a horizon, or the method")
        return ahead, False
    steps = min(limits)
    if steps > LONGEST:
        raise ValueError(f"a run of {steps} steps is too long; the most is {LONGEST}")
    return steps, whole is not None and steps >= whole


def lookahead(formula: Formula) -> int | None:
    """How many steps ahead a formula looks at most; None if there is no bound."""
    found: dict[Formula, int | None] = {}
    for node in postorder(formula):
        if not isinstance(node, Formula):
            continue
        ahead: int | None = 0
        for arg in node.args:
            below = found.get(arg, 0) if isinstance(arg, Formula) else 0
            ahead = None if ahead is None or below is None else max(ahead, below)
        if node.op in ("F", "G", "U", "R", "W", "M", "X", "WX"):
            last = node.interval[1] if node.interval else None
            ahead = None if ahead is None or last is None else ahead + last
        if node.op == "last":
            ahead = None
        found[node] = ahead
    return found[formula]


SAFETY = frozenset(("true", "false", "first", "atom", "and", "or", "G", "R", "W", "WX"))


def is_safety(formula: Formula, positive: bool = True) -> bool:
    """Whether a violation is always one of some prefix, by the formula's shape: future operators are universal."""
    op, args = formula.op, formula.args
    if op == "not":
        return is_safety(args[0], not positive)
    if op == "implies":
        return is_safety(args[0], not positive) and is_safety(args[1], positive)
    if op in ("xor", "iff"):
        return all(is_safety(a, p) for a in args for p in (True, False))
    if op in ("true", "false", "first", "atom"):
        return True
    universal = ("G", "R", "W", "WX") if positive else ("F", "U", "M", "X")
    return (op in ("and", "or", "O", "H", "S", "T", "Y", "WY") or op in universal) and all(
        is_safety(a, positive) for a in args
    )


def reads_only(formula: Node, variables: tuple[VariableIR, ...]) -> Mapping[str, None]:
    """The signals that a formula or a term reads and that are none of the variables, in order."""
    names = {v.name for v in variables}
    return {
        f"{'prev.' if n.op == 'prev' else ''}{n.value}": None
        for n in postorder(formula)
        if n.op == "prev" or (n.op == "signal" and n.value not in names)
    }
