"""Simulation of declared systems in numpy: batches of trajectories, one row each.

A step holds inputs and disturbances, integrates the equations of each row's mode by the declared method, and then
takes the first transition of the mode whose guard holds at the new sample: events happen at sample times and nowhere
between, at most one a step. What a declaration promises is checked on every step: values are finite, states in
their ranges, the invariant of the mode holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agentc.compiler.agent import SystemIR, VariableIR
from agentc.compiler.systems.arithmetic import reason_of_loss
from agentc.compiler.systems.dynamics import Dynamics, bounds
from agentc.compiler.systems.graph import decode
from agentc.compiler.systems.initial import InitialSampler
from agentc.compiler.systems.integrators import exact_step, runge_kutta
from agentc.lang.diagnostics import AgentcError, report

Floats = NDArray[np.float64]
Modes = NDArray[np.int64]

Policy = Callable[[Floats, int], Floats]
"""Inputs ``(batch, m)`` of states ``(batch, n)`` at a step."""


@dataclass(frozen=True)
class Trajectories:
    """What came of a simulation: states ``(batch, steps + 1, n)``, modes ``(batch, steps + 1)``, inputs
    ``(batch, steps, m)`` and disturbances ``(batch, steps, k)``."""

    states: Floats
    modes: Modes
    inputs: Floats
    disturbances: Floats


class Simulator:
    """Steps a system of equations, many trajectories at once.

    Raises :class:`AgentcError`: AS1103 for equations without a ``step``, AS1104 for a disturbance without a range,
    AS1102 for ``exact`` where a mode is not linear.
    """

    def __init__(self, system: SystemIR) -> None:
        self.system = system
        self.dynamics = Dynamics(system)
        self.step_size = checked_step(system)
        self._initial = InitialSampler(system)
        self._lo, self._hi = bounds(system.states)
        self._whole = np.array([v.kind != "real" for v in system.states])
        self._ranged = bool(np.isfinite(self._lo).any() or np.isfinite(self._hi).any() or self._whole.any())
        self._noise_lo, self._noise_hi = noise_bounds(system)
        self._noise_whole = np.array([v.kind != "real" for v in system.disturbances], bool)
        self.exact = self._exact_steps() if system.integrator == "exact" else ()
        """The matrices of a step of each mode, for states and for inputs, disturbances and 1; empty if not exact."""

    # ------------------------------------------------------------ random parts

    def start(self, rng: Generator, batch: int) -> tuple[Floats, Modes]:
        """Initial states ``(batch, n)`` and modes ``(batch,)``. Raises :class:`AgentcError` (AS1108)."""
        return self._initial.sample(rng, batch), np.zeros(batch, np.int64)

    def noise(self, rng: Generator, batch: int) -> Floats:
        """Disturbances ``(batch, k)``, uniform in their ranges."""
        return self.noise_of(rng.random((batch, len(self._noise_lo))))

    def noise_of(self, uniform: Floats) -> Floats:
        """Disturbances ``(batch, k)`` of numbers ``(batch, k)`` in [0, 1)."""
        drawn: Floats = self._noise_lo + uniform * (self._noise_hi - self._noise_lo + self._noise_whole)
        if self._noise_whole.any():
            drawn = np.where(self._noise_whole, np.minimum(np.floor(drawn), self._noise_hi), drawn)
        return drawn

    # ------------------------------------------------------------ stepping

    def step(
        self, state: Floats, mode: Modes, input: Floats, disturbance: Floats, steps: NDArray[np.int64] | None = None
    ) -> tuple[Floats, Modes]:
        """States and modes one step later; ``steps`` are the steps that have been made, for messages only.

        Raises :class:`AgentcError`: AS1105 for a value that is not finite, AS1106 for a state outside its range,
        AS1115 for an invariant that does not hold.
        """
        dynamics = self.dynamics
        held = dynamics.columns(np.empty((len(state), len(dynamics.states))), input, disturbance)
        after = np.empty_like(state)
        for index, rows in dynamics.groups(len(state), mode):
            part = {name: held[name][rows] for name in held}
            after[rows] = self._advanced(index, np.ascontiguousarray(state[rows].T), part).T
        if not np.isfinite(after).all():
            raise self._not_finite(state, mode, input, disturbance, after, steps)
        after, mode = dynamics.jump(after, input, disturbance, mode)
        if not np.isfinite(after).all():
            raise self._not_finite(state, mode, input, disturbance, after, steps)
        self._check_promises(after, mode, input, disturbance, steps)
        return after, mode

    def run(
        self, rng: Generator, batch: int, steps: int, policy: Policy | str, start: tuple[Floats, Modes] | None = None
    ) -> Trajectories:
        """Trajectories under a policy, or under the controller of that name, from sampled initial states.

        Raises ``KeyError`` for an unknown controller, and what :meth:`step` raises.
        """
        state, mode = self.start(rng, batch) if start is None else start
        batch = len(state)
        states = np.empty((batch, steps + 1, state.shape[1]))
        modes = np.empty((batch, steps + 1), np.int64)
        inputs = np.empty((batch, steps, len(self.dynamics.inputs)))
        disturbances = np.empty((batch, steps, len(self.dynamics.disturbances)))
        states[:, 0], modes[:, 0] = state, mode
        made = np.zeros(batch, np.int64)
        for t in range(steps):
            now = self.dynamics.control(policy, state) if isinstance(policy, str) else policy(state, t)
            noise = self.noise(rng, batch)
            state, mode = self.step(state, mode, now, noise, made + t)
            inputs[:, t], disturbances[:, t] = now, noise
            states[:, t + 1], modes[:, t + 1] = state, mode
        return Trajectories(states, modes, inputs, disturbances)

    # ------------------------------------------------------------ parts

    def _advanced(self, index: int, x: Floats, held: dict[str, Floats]) -> Floats:
        """States ``(n, batch)`` a step later, in one mode."""
        if self.exact:
            transition, forcing = self.exact[index]
            parts = [*x, *(held[v.name] for v in (*self.dynamics.inputs, *self.dynamics.disturbances))]
            return linear_step(transition, forcing, parts, x.shape[1])
        rate = self.dynamics.rate(index, held)
        if self.dynamics.discrete:
            return rate(x)
        with np.errstate(all="ignore"):  # what overflows is seen in the result
            return runge_kutta(self.system.integrator, rate, x, self.step_size)

    def _exact_steps(self) -> tuple[tuple[Floats, Floats], ...]:
        found = []
        for index in range(len(self.dynamics.rates)):
            affine = self.dynamics.affine(index)
            if affine is None:
                raise AgentcError([report("AS1102", None, name=self.system.name)])
            forcing = np.hstack([affine.input, affine.disturbance, affine.constant[:, None]])
            found.append(exact_step(affine.state, forcing, self.step_size))
        return tuple(found)

    def _check_promises(
        self, state: Floats, mode: Modes, input: Floats, disturbance: Floats, steps: NDArray[np.int64] | None
    ) -> None:
        if self._ranged:
            outside = (state < self._lo) | (state > self._hi) | (self._whole & (state != np.floor(state)))
            if outside.any():
                row, i = (int(k) for k in np.argwhere(outside)[0])
                variable = self.dynamics.states[i]
                value, domain = f"{state[row, i]:.10g}", domain_of(variable)
                where = self._where(steps, row)
                raise AgentcError([report("AS1106", None, name=variable.name, value=value, domain=domain, where=where)])
        holds = self.dynamics.invariant_holds(state, input, disturbance, mode)
        if not holds.all():
            row = int(np.flatnonzero(~holds)[0])
            name = self.dynamics.modes[mode[row]]
            values = shown(self.dynamics.states, state[row])
            raise AgentcError([report("AS1115", None, name=name, values=values, where=self._where(steps, row))])

    def _where(self, steps: NDArray[np.int64] | None, row: int) -> str:
        if steps is None:
            return "a step"
        made = int(steps[row]) + 1
        return f"step {made} ({made * self.step_size:g} s)"

    def _not_finite(
        self, state: Floats, mode: Modes, input: Floats, disturbance: Floats, after: Floats,
        steps: NDArray[np.int64] | None,
    ) -> AgentcError:
        row, i = (int(k) for k in np.argwhere(~np.isfinite(after))[0])
        columns = self.dynamics.columns(state[row : row + 1], input[row : row + 1], disturbance[row : row + 1])
        at = min(int(mode[row]), len(self.dynamics.rates) - 1)
        why = reason_of_loss(self.dynamics.rates[at], columns) or "the step overflows"
        values, where = shown(self.dynamics.states, state[row]), self._where(steps, row)
        name, value = self.dynamics.states[i].name, after[row, i]
        return AgentcError([report("AS1105", None, name=name, value=value, where=where, why=why, values=values)])


def linear_step(transition: Floats, forcing: Floats, parts: list[Floats], batch: int) -> Floats:
    """``P x + Q u`` row by row in one order, so that a batch is stepped as each of its rows alone.

    ``parts`` are the states, inputs and disturbances, each ``(batch,)``; the last column of ``forcing`` is constant.
    """
    matrix = np.hstack([transition, forcing])
    out = np.empty((len(transition), batch))
    for i, row in enumerate(matrix):
        total = np.full(batch, row[-1])
        for weight, part in zip(row[:-1], parts, strict=True):
            if weight:
                total = total + weight * part
        out[i] = total
    return out


def checked_step(system: SystemIR) -> float:
    """The duration of a step. Raises :class:`AgentcError` (AS1103) for equations without one."""
    if system.step is None:
        raise AgentcError([report("AS1103", None, name=system.name)])
    return system.step


def noise_bounds(system: SystemIR) -> tuple[Floats, Floats]:
    """Where disturbances are sampled. Raises :class:`AgentcError` (AS1104) for one without a range."""
    lo, hi = bounds(system.disturbances)
    for variable, a, b in zip(system.disturbances, lo, hi, strict=True):
        if not (np.isfinite(a) and np.isfinite(b)):
            unit = f" [{variable.unit}]" if variable.unit else ""
            raise AgentcError([report("AS1104", None, name=variable.name, unit=unit)])
    return lo, hi


def domain_of(variable: VariableIR) -> str:
    """What a variable's values may be, as a phrase."""
    if variable.kind == "enum":
        return f"one of {', '.join(variable.members)}"
    if variable.lo is None and variable.hi is None:
        return variable.kind
    lo = "(-inf" if variable.lo is None else f"[{variable.lo:g}"
    hi = "inf)" if variable.hi is None else f"{variable.hi:g}]"
    return f"{variable.kind} in {lo}, {hi}"


def shown(variables: tuple[VariableIR, ...], row: Floats) -> str:
    """The values of variables as a list for a message."""
    values = [decode(float(x), v) for x, v in zip(row, variables, strict=True)]
    texts = [f"{v:.6g}" if isinstance(v, float) else str(v) for v in values]
    return ", ".join(f"{v.name} = {text}" for v, text in zip(variables, texts, strict=True))
