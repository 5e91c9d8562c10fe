"""Guarded commands as functions of arrays, and their simulation.

The nondeterminism of a transition system is the agent's, as in a Markov decision process of PRISM's: at each step
it chooses one of the commands whose guards hold. Where the system declares inputs, it chooses their values instead,
and the first command in source order whose guard holds under them is taken. A command then takes one of its branches by
probability; updates happen at once. A state in which nothing is enabled is an end: it stays.

A difference equation over finite variables is such a system too: one command that is always enabled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agentc.compiler.agent import BranchIR, CommandIR, SystemIR, VariableIR
from agentc.compiler.logic.ir import TRUE
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.dynamics import bounds
from agentc.compiler.systems.graph import Graph, decode, graph_of
from agentc.compiler.systems.initial import InitialSampler
from agentc.compiler.systems.simulate import Modes, domain_of, shown
from agentc.lang.diagnostics import AgentcError, report

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]

MAX_ACTIONS = 4096
"""The most valuations of the inputs that are listed as actions."""


@dataclass(frozen=True)
class Branch:
    """What a branch does: the values of ``graph`` become those of the states ``targets``."""

    probability: float
    graph: Graph
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Command:
    """A command with its guard and its branches that have a probability."""

    name: str
    guard: Graph
    branches: tuple[Branch, ...]


class Commands:
    """The commands of a system, and the actions that an agent has in it.

    ``actions`` are the names of the commands, or the valuations of the inputs (``move = up``); ``valuations``
    ``(actions, m)`` are those of the inputs, None where commands are chosen. Raises :class:`AgentcError`: AS1110 for
    a variable with infinitely many values, AS1112 for a system that is no transition system.
    """

    def __init__(self, system: SystemIR) -> None:
        self.system, self.states, self.inputs = system, system.states, system.inputs
        self.lo, self.hi = bounds(system.states)
        self.commands = tuple(self._made(c) for c in _commands(system))
        self.valuations: Floats | None = None
        self.actions: tuple[str, ...] = tuple(c.name for c in self.commands)
        if self.inputs:
            self.valuations = valuations(self.inputs)
            self.actions = tuple(action_name(self.inputs, row) for row in self.valuations)

    def _made(self, command: CommandIR) -> Command:
        variables, place = self.system.variables, {v.name: i for i, v in enumerate(self.states)}
        branches = []
        for branch in command.branches:
            if branch.probability > 0:
                targets = tuple(place[e.target] for e in branch.updates)
                graph = graph_of([e.value for e in branch.updates], variables, [self.states[i] for i in targets])
                branches.append(Branch(branch.probability, graph, targets))
        return Command(command.name, graph_of([command.guard], variables), tuple(branches))

    def columns(self, state: Floats, input: Floats | None = None) -> dict[str, Floats]:
        """The columns of arrays ``(batch, n)`` and ``(batch, m)`` by name."""
        found = dict(zip((v.name for v in self.states), np.ascontiguousarray(state.T), strict=True))
        if input is not None:
            found.update(zip((v.name for v in self.inputs), np.ascontiguousarray(input.T), strict=True))
        return found

    def taken(self, columns: Columns, batch: int) -> NDArray[np.int64]:
        """The command ``(actions, batch)`` that each action takes at each state, -1 where none is enabled."""
        if self.valuations is None:
            return np.stack([np.where(self._enabled(c, columns, batch), i, -1) for i, c in enumerate(self.commands)])
        rows = []
        for row in self.valuations:
            held = {**columns, **{v.name: np.full(batch, x) for v, x in zip(self.inputs, row, strict=True)}}
            rows.append(self.first(held, batch))
        return np.stack(rows)

    def first(self, columns: Columns, batch: int) -> NDArray[np.int64]:
        """The first enabled command at each state under its inputs, -1 where none is."""
        found = np.full(batch, -1, np.int64)
        for i in range(len(self.commands) - 1, -1, -1):
            found[self._enabled(self.commands[i], columns, batch)] = i
        return found

    def mask(self, state: Floats) -> NDArray[np.bool_]:
        """Which actions ``(batch, actions)`` are enabled at states."""
        return np.ascontiguousarray((self.taken(self.columns(state), len(state)) >= 0).T)

    def updated(self, branch: Branch, columns: Columns, state: Floats, name: str) -> Floats:
        """States ``(batch, n)`` after a branch. Raises :class:`AgentcError` (AS1111) for a value out of range."""
        after = self.after(branch, columns, state)
        for i in branch.targets:
            fits = self.fits(after, i)
            if not fits.all():
                row = int(np.flatnonzero(~fits)[0])
                variable, values = self.states[i], shown(self.states, state[row])
                raise AgentcError(
                    [report("AS1111", None, command=name, name=variable.name, value=f"{after[row, i]:.10g}",
                            domain=domain_of(variable), values=values)]
                )  # fmt: skip
        return after

    def after(self, branch: Branch, columns: Columns, state: Floats) -> Floats:
        """States ``(batch, n)`` after a branch, whatever they are."""
        after = state.copy()
        for i, value in zip(branch.targets, evaluate(branch.graph, columns), strict=True):
            after[:, i] = value
        return after

    def fits(self, state: Floats, i: int) -> NDArray[np.bool_]:
        """Whether the values of state ``i`` are values of it, ``(batch,)``."""
        column = state[:, i]
        fits: NDArray[np.bool_] = (column >= self.lo[i]) & (column <= self.hi[i])
        return fits if self.states[i].kind == "real" else fits & (column == np.floor(column))

    def _enabled(self, command: Command, columns: Columns, batch: int) -> NDArray[np.bool_]:
        return np.broadcast_to(np.asarray(evaluate(command.guard, columns)[0], bool), (batch,))


class CommandSimulator:
    """Steps a transition system, many runs at once; made like :class:`~agentc.compiler.systems.simulate.Simulator`.

    An action is the index of a command, or the values of the inputs where the system has them.
    """

    def __init__(self, system: SystemIR) -> None:
        self.system = system
        self.commands = Commands(system)
        self._initial = InitialSampler(system)
        self._sums = [np.cumsum([b.probability for b in c.branches]) for c in self.commands.commands]

    def start(self, rng: Generator, batch: int) -> tuple[Floats, Modes]:
        """Initial states ``(batch, n)``; the mode is always 0. Raises :class:`AgentcError` (AS1108)."""
        return self._initial.sample(rng, batch), np.zeros(batch, np.int64)

    def noise(self, rng: Generator, batch: int) -> Floats:
        """One number in [0, 1) for each run, ``(batch, 1)``."""
        return self.noise_of(rng.random((batch, 1)))

    def noise_of(self, uniform: Floats) -> Floats:
        """The same: branches are chosen by it."""
        return uniform

    def step(
        self, state: Floats, mode: Modes, input: Floats, disturbance: Floats, steps: NDArray[np.int64] | None = None
    ) -> tuple[Floats, Modes]:
        """States one step later; ``input`` is ``(batch, 1)`` of commands or ``(batch, m)`` of values.

        What is not enabled leaves the state as it is only where nothing is. Raises :class:`AgentcError`: AS1113 for
        an action that is not enabled, AS1111 for an update out of range.
        """
        commands, batch = self.commands, len(state)
        columns = commands.columns(state, input if commands.valuations is not None else None)
        taken = self._taken(columns, state, input, batch)
        after = state.copy()
        for index in np.unique(taken[taken >= 0]):
            command, sums = commands.commands[index], self._sums[index]
            rows = np.flatnonzero(taken == index)
            chosen = np.minimum(np.searchsorted(sums, disturbance[rows, 0], side="right"), len(sums) - 1)
            for b, branch in enumerate(command.branches):
                part = rows[chosen == b]
                if len(part):
                    held = {name: c[part] for name, c in columns.items()}
                    after[part] = commands.updated(branch, held, state[part], command.name)
        return after, mode

    def _taken(self, columns: Columns, state: Floats, input: Floats, batch: int) -> NDArray[np.int64]:
        commands = self.commands
        if commands.valuations is not None:
            taken = commands.first(columns, batch)
        else:
            enabled = commands.taken(columns, batch)
            taken = enabled[input[:, 0].astype(np.int64), np.arange(batch)]
        refused = np.flatnonzero(taken < 0)
        if len(refused):
            masks = commands.mask(state[refused])
            for row, mask in zip(refused, masks, strict=True):
                if mask.any():
                    asked = (
                        action_name(commands.inputs, input[row])
                        if commands.valuations is not None
                        else commands.commands[int(input[row, 0])].name
                    )
                    enabled_names = ", ".join(f"`{commands.actions[i]}`" for i in np.flatnonzero(mask))
                    values = shown(commands.states, state[row])
                    raise AgentcError(
                        [report("AS1113", None, action=asked, values=values, enabled=enabled_names)]
                    )
        return taken


def valuations(variables: Sequence[VariableIR]) -> Floats:
    """Every valuation of finite variables, ``(count, m)``, the last variable fastest.

    Raises :class:`AgentcError` (AS1110) if one has infinitely many values or there are more than ``MAX_ACTIONS``.
    """
    domains = [values_of(v) for v in variables]
    count = int(np.prod([len(d) for d in domains]))
    if count > MAX_ACTIONS:
        names = ", ".join(f"`{v.name}`" for v in variables)
        raise AgentcError([report("AS1110", None, kind="inputs", name=names, why=f"{count} valuations together")])
    return np.array(list(product(*domains)), float).reshape(count, len(domains))


def values_of(variable: VariableIR) -> range:
    """The values of a finite variable, encoded. Raises :class:`AgentcError` (AS1110) if there are infinitely many."""
    kind, lo, hi = variable.kind, variable.lo, variable.hi
    if kind in ("bool", "enum"):
        return range(2 if kind == "bool" else len(variable.members))
    if kind == "int" and lo is not None and hi is not None:
        return range(int(np.ceil(lo)), int(np.floor(hi)) + 1)
    why = "real numbers" if kind == "real" else "no least or no greatest value"
    raise AgentcError([report("AS1110", None, kind=variable.role, name=f"`{variable.name}`", why=why)])


class Numbering:
    """The valuations of finite variables by number: of all there are, the last variable fastest.

    Raises :class:`AgentcError` (AS1110) for a variable with infinitely many values.
    """

    def __init__(self, variables: Sequence[VariableIR]) -> None:
        self.domains = [values_of(v) for v in variables]
        self.first = np.array([d.start for d in self.domains], float)
        self.size = 1
        strides = []
        for domain in reversed(self.domains):
            strides.append(self.size)
            self.size *= len(domain)
        self.fits = self.size < 1 << 62
        """Whether numbers fit into 64 bits; if not there are none."""
        self.strides = np.array(strides[::-1] if self.fits else [0] * len(strides), np.int64)

    def codes(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """The numbers ``(batch,)`` of valuations ``(batch, n)``."""
        found: NDArray[np.int64] = ((values - self.first).astype(np.int64) * self.strides).sum(axis=1)
        return found

    def values(self, codes: NDArray[np.int64]) -> Floats:
        """The valuations ``(batch, n)`` of numbers ``(batch,)``."""
        out = np.empty((len(codes), len(self.domains)))
        for i, domain in enumerate(self.domains):
            out[:, i] = codes // self.strides[i] % len(domain) + domain.start
        return out


def action_name(variables: Sequence[VariableIR], row: Floats) -> str:
    """A valuation of inputs in words; of a single enum only its member."""
    if len(variables) == 1 and variables[0].kind == "enum":
        return str(decode(float(row[0]), variables[0]))
    return shown(tuple(variables), row)


def _commands(system: SystemIR) -> tuple[CommandIR, ...]:
    if system.disturbances:
        name = system.disturbances[0].name
        raise AgentcError([report("AS1112", None, name=system.name, why=f"it has the disturbance `{name}`")])
    if system.commands:
        return system.commands
    if system.integrator != "difference":
        raise AgentcError([report("AS1112", None, name=system.name, why="its equations are differential")])
    if system.modes:
        raise AgentcError([report("AS1112", None, name=system.name, why="it has modes")])
    return (CommandIR("step", TRUE, (BranchIR(1.0, system.equations),)),)

