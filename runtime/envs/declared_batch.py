"""A declared system as N environments that are stepped at once: one array operation for all of them.

Row ``i`` is exactly what :class:`~agentc.runtime.envs.declared.DeclaredEnv` alone would be with the same generator
of random numbers; that environment is this one with a single row.

*Actions.* Where every input is a Boolean, an enum or a whole number of a finite range, they are ``Discrete``, one for
each valuation, the last input fastest; of commands one for each command, with a mask. Else they are a ``Box`` of the
inputs in SI units, in which the discrete ones are rounded. *Observations* are the outputs: ``Discrete`` where all are
finite and have at most ``MAX_DISCRETE`` valuations together, else a ``Box`` of float32 numbers: a state in SI units, a
Boolean 0 or 1, of an enum (and of the mode) one number for each member.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.random import Generator
from numpy.typing import NDArray

from agentc.compiler.agent import SystemIR, VariableIR
from agentc.compiler.systems.commands import MAX_ACTIONS, CommandSimulator, action_name, valuations
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.simulate import Simulator, domain_of, shown
from agentc.lang.diagnostics import AgentcError, report

Floats = NDArray[np.float64]
Array = NDArray[Any]

MAX_DISCRETE = 1024
"""The most valuations of finite outputs that are one discrete observation."""

_ROUNDING = 1e-6
"""How far outside its range an action may be, relative to it: float32 rounds bounds."""


class Situation(NamedTuple):
    """All that the future of one row depends on, but for its generator."""

    state: tuple[float, ...]
    mode: int
    steps: int
    action: tuple[float, ...] | None


class DeclaredBatch:
    """N environments of one declared system.

    Raises :class:`AgentcError` where the system cannot be simulated (AS1102, AS1103, AS1104, AS1110, AS1112).
    """

    def __init__(self, system: SystemIR, horizon: int | None, num_envs: int) -> None:
        self.system, self.horizon, self.num_envs = system, horizon, num_envs
        self._transitions = is_transition_system(system)
        self.simulator: Simulator | CommandSimulator
        self.simulator = CommandSimulator(system) if self._transitions else Simulator(system)
        self._outputs = tuple(i for i, v in enumerate(system.states) if v.name in system.outputs)
        self.modes = tuple(m.name for m in system.modes)
        self._observing = tuple(system.states[i] for i in self._outputs)
        self._input_lo, self._input_hi = bounds(system.inputs)
        self._rounded = np.array([v.kind != "real" for v in system.inputs], bool)
        self.valuations: Floats | None = None
        self.action_names: tuple[str, ...] = ()
        self.action_space = self._action_space()
        self._strides: NDArray[np.int64] | None = None
        self.observation_space = self._observation_space()
        width = 1 if self._by_command else len(system.inputs)
        self.state = np.zeros((num_envs, len(system.states)))
        self.mode = np.zeros(num_envs, np.int64)
        self.steps = np.zeros(num_envs, np.int64)
        self.action = np.full((num_envs, width), np.nan)
        """The inputs, or the command, that led to the present state; not-a-number at a reset."""
        self._generators: list[Generator | None] = [None] * num_envs
        self._noise_size = 1 if self._transitions else len(system.disturbances)
        actions = len(self.action_names) if self._transitions else 0
        self._enabled: NDArray[np.bool_] = np.ones((num_envs, actions), np.bool_)

    @property
    def _by_command(self) -> bool:
        return isinstance(self.simulator, CommandSimulator) and self.simulator.commands.valuations is None

    # ------------------------------------------------------------ stepping

    def reset(self, row: int, generator: Generator) -> None:
        """Start an episode of one row; its random numbers come from ``generator`` from now on."""
        self._generators[row] = generator
        state, mode = self.simulator.start(generator, 1)
        self.place(row, Situation(tuple(state[0].tolist()), int(mode[0]), 0, None))

    def place(self, row: int, situation: Situation, generator: Generator | None = None) -> None:
        """Put a row into a situation."""
        if generator is not None:
            self._generators[row] = generator
        self.state[row], self.mode[row], self.steps[row] = situation.state, situation.mode, situation.steps
        self.action[row] = np.nan if situation.action is None else situation.action
        if self._transitions:
            self._enabled[row] = self._masks(self.state[row : row + 1])[0]

    def situation(self, row: int) -> Situation:
        """Where a row is."""
        action = self.action[row]
        given = None if np.isnan(action).any() else tuple(action.tolist())
        return Situation(tuple(self.state[row].tolist()), int(self.mode[row]), int(self.steps[row]), given)

    def step(self, actions: Array) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Act in every row: ``(N,)`` indices or ``(N, m)`` inputs. Returns ``(terminated, truncated)``, each ``(N,)``.

        A run of a transition system terminates in a state in which no action is enabled. Raises :class:`AgentcError`:
        AS1107 for an input outside its range, and what the simulator raises.
        """
        given = self._given(actions)
        uniform = np.empty((self.num_envs, self._noise_size))
        for i, generator in enumerate(self._generators):
            assert generator is not None, "a row has not been reset"
            if self._noise_size:
                uniform[i] = generator.random(self._noise_size)
        noise = self.simulator.noise_of(uniform)
        self.state, self.mode = self.simulator.step(self.state, self.mode, given, noise, self.steps)
        self.steps = self.steps + 1
        self.action = given
        terminated = np.zeros(self.num_envs, np.bool_)
        if self._transitions:
            self._enabled = self._masks(self.state)
            terminated = np.logical_not(self._enabled.any(axis=1))
        truncated = np.zeros(self.num_envs, np.bool_)
        if self.horizon is not None:
            truncated |= self.steps >= self.horizon
        return terminated, truncated

    def mask(self) -> NDArray[np.bool_] | None:
        """The enabled actions ``(N, actions)`` of a transition system; all of them where none is."""
        if not self._transitions:
            return None
        masks = self._enabled.copy()
        masks[~masks.any(axis=1)] = True
        return masks

    def observation(self) -> Array:
        """What the rows observe, ``(N, size)`` float32 or ``(N,)`` int64."""
        return self._observed(self.state, self.mode)

    def observed(self, row: int) -> Any:
        """What one row observes."""
        found = self._observed(self.state[row : row + 1], self.mode[row : row + 1])[0]
        return np.int64(found) if self._strides is not None else found

    # ------------------------------------------------------------ parts

    def _masks(self, state: Floats) -> NDArray[np.bool_]:
        assert isinstance(self.simulator, CommandSimulator)
        return self.simulator.commands.mask(state)

    def _given(self, actions: Array) -> Floats:
        """Inputs ``(N, m)`` in their ranges, or commands ``(N, 1)``."""
        if self._by_command:
            return np.asarray(actions, float).reshape(self.num_envs, 1)
        if self.valuations is not None:
            chosen: Floats = self.valuations[np.asarray(actions, np.int64).reshape(self.num_envs)]
            return chosen
        given = np.asarray(actions, float).reshape(self.num_envs, -1)
        if given.shape[1] != len(self.system.inputs):
            raise AgentcError([self._outside(0, str(actions))])
        lo, hi = self._input_lo, self._input_hi
        slack = _ROUNDING * np.maximum(1.0, np.where(np.isfinite(hi - lo), hi - lo, 1.0))
        wrong = ~((given >= lo - slack) & (given <= hi + slack))
        if wrong.any():
            row, i = (int(k) for k in np.argwhere(wrong)[0])
            raise AgentcError([self._outside(i, f"{given[row, i]:g}")])
        given = np.clip(given, lo, hi)
        inputs: Floats = np.where(self._rounded, np.round(given), given)
        return inputs

    def _outside(self, i: int, value: str) -> Any:
        variable = self.system.inputs[i]
        return report("AS1107", None, name=variable.name, value=value, domain=domain_of(variable))

    def _action_space(self) -> spaces.Space[Any]:
        inputs = self.system.inputs
        if isinstance(self.simulator, CommandSimulator):
            commands = self.simulator.commands
            self.valuations, self.action_names = commands.valuations, commands.actions
            return spaces.Discrete(len(commands.actions))
        if not inputs:
            self.valuations, self.action_names = np.zeros((1, 0)), ("wait",)
            return spaces.Discrete(1)
        if all(_is_finite(v) for v in inputs) and _count(inputs) <= MAX_ACTIONS:
            self.valuations = valuations(inputs)
            self.action_names = tuple(action_name(inputs, row) for row in self.valuations)
            return spaces.Discrete(len(self.valuations))
        return spaces.Box(_single(self._input_lo), _single(self._input_hi), dtype=np.float32)

    def _observation_space(self) -> spaces.Space[Any]:
        sizes = [_count([v]) for v in self._observing] if all(map(_is_finite, self._observing)) else []
        if self.modes and sizes:
            sizes.append(len(self.modes))
        if sizes and int(np.prod(sizes, dtype=object)) <= MAX_DISCRETE:
            strides = [int(np.prod(sizes[i + 1 :])) for i in range(len(sizes))]
            self._strides = np.array(strides, np.int64)
            return spaces.Discrete(int(np.prod(sizes)))
        lo, hi = [], []
        for v, a, b in zip(self._observing, *bounds(self._observing), strict=True):
            size = len(v.members) if v.kind == "enum" else 1
            lo += [0.0 if v.kind == "enum" else a] * size
            hi += [1.0 if v.kind == "enum" else b] * size
        lo += [0.0] * len(self.modes)
        hi += [1.0] * len(self.modes)
        return spaces.Box(_single(np.array(lo)), _single(np.array(hi)), dtype=np.float32)

    def _observed(self, state: Floats, mode: NDArray[np.int64]) -> Array:
        if self._strides is not None:
            first = [0.0 if v.kind != "int" or v.lo is None else float(np.ceil(v.lo)) for v in self._observing]
            codes = (state[:, self._outputs] - first).astype(np.int64)
            if self.modes:
                codes = np.hstack([codes, mode[:, None]])
            numbers: Array = (codes * self._strides).sum(axis=1)
            return numbers
        parts = []
        for i, v in zip(self._outputs, self._observing, strict=True):
            column = state[:, i]
            parts.append(_one_hot(column, len(v.members)) if v.kind == "enum" else column[:, None])
        if self.modes:
            parts.append(_one_hot(mode, len(self.modes)))
        return _single(np.hstack(parts))


def is_transition_system(system: SystemIR) -> bool:
    """Whether a system is stepped by commands; difference equations are simulated as equations."""
    return bool(system.commands)


def _single(values: Floats) -> NDArray[np.float32]:
    """As float32; what is too large for it is infinite."""
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _is_finite(variable: VariableIR) -> bool:
    bounded = variable.lo is not None and variable.hi is not None
    return variable.kind in ("bool", "enum") or (variable.kind == "int" and bounded)


def _count(variables: Sequence[VariableIR]) -> int:
    lo, hi = bounds(variables)
    return int(np.prod(np.floor(hi) - np.ceil(lo) + 1))


def _one_hot(codes: Array, size: int) -> Floats:
    out = np.zeros((len(codes), size))
    out[np.arange(len(codes)), codes.astype(np.int64)] = 1.0
    return out


def situation_in_words(batch: DeclaredBatch, row: int) -> str:
    """The state of a row for a message or a drawing."""
    mode = f", mode = {batch.modes[batch.mode[row]]}" if batch.modes else ""
    return shown(batch.system.states, batch.state[row]) + mode
