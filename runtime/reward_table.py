"""The reward of N environments by look-ups: one table of all monitors, payments, shaping and explicit machine together.

A state is a state of the whole reward machine, a column a letter of all atoms, and a cell what the step does: the next
state, the reward by source, the shaping, whether the episode ends. Cells are made by
:meth:`~agentc.compiler.backends.reward_machine.RewardMachine.step`, the reference, when an environment first comes to
them; nothing is restated here. A step of N environments is then a handful of gathers, however many formulas there are.

A reward that no table tells (by robustness), one whose table grows beyond :data:`MOST_CELLS`, and values that the
declared types rule out are left to :class:`~agentc.runtime.reward.RewardMonitor`, which takes over where the table is.
``tests/runtime/test_reward_table.py`` compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.backends.reward_machine import RewardMachine, RewardState
from agentc.runtime.labelling import Batch
from agentc.runtime.letters import LetterReader
from agentc.runtime.reward import Letters, Mask, RewardMonitor, RewardStep
from agentc.runtime.spec_observation import AutomatonCode
from agentc.runtime.stepping import PACKED_ATOMS

Array = NDArray[Any]
MOST_CELLS = 1 << 16
"""States times letters, times two for whether the environment ends the episode."""
STATES, LETTERS = 16, 8
"""How many there is room for at first; the room doubles when it is used up."""


class _Full(Exception):
    """The table would outgrow its budget."""


class RewardTable:
    """The reward of N environments; as :class:`~agentc.runtime.reward.RewardMonitor`, step for step.

    ``code`` lays out what is observed of the states. Raises ``AgentcError`` (AS0714) as that does.
    """

    def __init__(
        self, machine: RewardMachine, num_envs: int, signals: Iterable[SignalIR], code: AutomatonCode | None = None
    ) -> None:
        declared = tuple(signals)
        self.machine, self.num_envs = machine, num_envs
        self._general = RewardMonitor(machine, num_envs, declared, code=code)
        self.atoms = self._general.monitor.atoms
        self._fits = not machine.robustness and len(self.atoms) <= PACKED_ATOMS
        self._code = code
        self._reader = LetterReader(self.atoms, declared, num_envs) if self._fits else None
        self._previous: dict[str, Array] = {}
        self._started = np.zeros(num_envs, np.bool_)
        self._powers = 1 << np.arange(len(self.atoms))[::-1]
        self._sources = len(machine.payments) + len(machine.graded) + 2
        self._forget()
        self.by_table = self._fits
        """Whether steps are looked up; else they are the general monitor's."""

    def _forget(self) -> None:
        """An empty table."""
        n, parts = self.num_envs, sum(len(p.parts) for p in self.machine.programs)
        self._known: list[RewardState | None] = [None]  # state 0 is none: where cells lead that are not known
        self._number: dict[RewardState, int] = {}
        self._column = np.zeros(1 << min(len(self.atoms), PACKED_ATOMS), np.intp)
        self._letters: list[int] = [-1]  # column 0 is that of letters without one, whose cells are never known
        self._next = np.zeros((STATES, LETTERS, 2), np.intp)
        self._over = np.zeros(self._next.shape, np.bool_)
        self._paid = np.zeros((*self._next.shape, 1 + self._sources))  # the reward, and what each source paid
        self._first = np.zeros(LETTERS, np.intp)
        self._codes = np.zeros((STATES, len(self.machine.programs)), np.uint8)
        self._parts = np.zeros((STATES, parts), np.intp)
        self._seen = np.zeros((STATES, 0 if self._code is None else self._code.size), np.float32)
        self._flatten()
        self._at = np.zeros(n, np.intp)
        self._earned = np.zeros((n, 1 + self._sources))
        self._new = True

    def _flatten(self) -> None:
        """The cells in a row, as they are looked up."""
        self._stride = np.array(2 * self._next.shape[1])
        self._flat_next, self._flat_over = self._next.reshape(-1), self._over.reshape(-1)
        self._flat_paid = self._paid.reshape(-1, 1 + self._sources)

    # ------------------------------------------------------------ stepping

    def reset(self, valuations: Batch | Letters | Array, mask: Mask | None = None) -> NDArray[np.uint8]:
        """Begin an episode in the environments of ``mask`` (None: all): step 0 is read. Returns the verdict codes."""
        if not self.by_table:
            return self._general.reset(valuations, mask)
        where = np.ones(self.num_envs, np.bool_) if mask is None else mask
        self._started[where] = False
        packed = self._packed(valuations)
        states = self._first.take(self._column.take(packed) // 2)
        if not states[where].all():
            try:
                states = self._beginning(packed, where)
            except (_Full, ValueError):
                return self._taken_over().reset(valuations, mask)
        self._at[where] = states[where]
        self._earned[where] = 0.0
        self._remember(valuations, where)
        return self.codes

    def step(
        self,
        valuations: Batch | Letters | Array,
        terminated: Mask | None = None,
        time_limit: Mask | None = None,
        truncated: Mask | None = None,
    ) -> RewardStep:
        """Read one step in all environments: signals, truth values ``(N, atoms)``, or packed letters ``(N,)``.

        Arguments and what is returned are those of :meth:`RewardMonitor.step`.
        """
        if not self.by_table:
            return self._general.step(valuations, terminated, time_limit, truncated)
        final = terminated
        if time_limit is not None and self.machine.needs_time_left:
            final = time_limit if final is None else final | time_limit
        packed = self._packed(valuations)
        cells = self._at * self._stride
        cells += self._column.take(packed)
        if final is not None:
            cells += final
        following = self._flat_next.take(cells)
        if np.count_nonzero(following) < self.num_envs:
            try:
                cells = self._filled(packed, np.zeros(self.num_envs, np.bool_) if final is None else final)
            except (_Full, ValueError):
                return self._taken_over().step(valuations, terminated, time_limit, truncated)
            following = self._flat_next.take(cells)
        over, paid = self._flat_over.take(cells), self._flat_paid.take(cells, 0)
        self._earned += paid
        self._at = following
        self._remember(valuations, None)
        stops = time_limit if truncated is None else truncated if time_limit is None else time_limit | truncated
        stops = np.zeros(self.num_envs, np.bool_) if stops is None else np.greater(stops, over)  # and not over
        return RewardStep(paid[:, 0], paid[:, -1], over, stops, self._codes.take(following, 0).T)

    def _packed(self, valuations: Batch | Letters | Array) -> Array:
        """The letters as numbers, the first atom the highest bit."""
        if isinstance(valuations, np.ndarray):
            return valuations if valuations.ndim == 1 else np.asarray(valuations @ self._powers)
        assert self._reader is not None
        return self._reader(valuations, self._previous or None, self._started)

    def _remember(self, valuations: Batch | Letters | Array, where: Mask | None) -> None:
        """What the next step looks back at."""
        if self._reader is None or not self._reader.looks_back or isinstance(valuations, np.ndarray):
            return
        for name in self._reader.looks_back:
            now = valuations[name]
            if where is None or name not in self._previous:
                self._previous[name] = np.array(now)
            else:
                self._previous[name][where] = now[where]
        if where is None:
            self._started[:] = True
        else:
            self._started |= where

    # ------------------------------------------------------------ the table

    def _letter(self, packed: int) -> dict[Any, bool]:
        last = len(self.atoms) - 1
        return {a: bool(packed >> (last - k) & 1) for k, a in enumerate(self.atoms)}

    def _numbered(self, packed: Array) -> None:
        """A column for every letter."""
        for letter in np.unique(packed).tolist():
            if self._column[letter] == 0:
                if len(self._letters) == self._next.shape[1]:
                    self._grow(1)
                self._column[letter] = 2 * len(self._letters)
                self._letters.append(letter)

    def _beginning(self, packed: Array, where: Mask) -> Array:
        self._numbered(packed[where])
        columns = self._column.take(packed) // 2
        for column in np.unique(columns[where]).tolist():
            if self._first[column] == 0:
                started = self._stated(self.machine.start(self._letter(self._letters[column])))
                self._first[column] = started
        return np.asarray(self._first.take(columns))

    def _filled(self, packed: Array, final: Mask) -> Array:
        """The cells that are asked for, after those that were not known have been made."""
        self._numbered(packed)
        columns = self._column.take(packed) // 2
        for i in range(self.num_envs):
            at, column, last = int(self._at[i]), int(columns[i]), int(final[i])
            state = self._known[at]
            if self._next[at, column, last] or state is None:
                continue
            letter = self._letter(self._letters[column])
            after, outcome = self.machine.step(state, letter, terminated=bool(last))
            following = self._stated(after)  # may make room: the arrays are other ones then
            self._over[at, column, last] = outcome.terminated
            self._paid[at, column, last] = (outcome.reward, *outcome.paid, outcome.shaping)
            self._next[at, column, last] = following
        return np.asarray(self._at * self._stride + 2 * columns + final)

    def _stated(self, state: RewardState) -> int:
        """The number of a state. Raises ``ValueError`` for one that only values outside of their types lead to."""
        found = self._number.get(state)
        if found is not None:
            return found
        programs = self.machine.programs
        codes = [p.verdict(parts) for p, parts in zip(programs, state.states, strict=True)]
        if any(code > 3 for code in codes):
            raise ValueError("values that the declared types rule out")
        at = len(self._known)
        if at == self._next.shape[0]:
            self._grow(0)
        self._known.append(state)
        self._number[state] = at
        self._codes[at] = codes
        self._parts[at] = [u for parts in state.states for u in parts]
        if self._code is not None:
            self._seen[at] = self._code.of(state.states, state.node)
        self._new = True
        return at

    def _grow(self, axis: int) -> None:
        """Twice the room for states (0) or letters (1)."""
        if 2 * self._next.size > MOST_CELLS:
            raise _Full
        self._next = _doubled(self._next, axis)
        self._over, self._paid = _doubled(self._over, axis), _doubled(self._paid, axis)
        if axis:
            self._first = _doubled(self._first, 0)
        else:
            self._codes, self._parts = _doubled(self._codes, 0), _doubled(self._parts, 0)
            self._seen = _doubled(self._seen, 0)
        self._flatten()

    def _taken_over(self) -> RewardMonitor:
        """The general monitor, where the table was."""
        if self._at.all():
            self._general.restore(self.state())
        self.by_table = False
        return self._general

    # ------------------------------------------------------------ what is known

    @property
    def monitor(self) -> TableMonitor:
        """The monitors of the formulas."""
        return TableMonitor(self)

    @property
    def codes(self) -> NDArray[np.uint8]:
        """The latest verdict codes ``(formulas, N)``."""
        return self._codes.take(self._at, 0).T if self.by_table else self._general.monitor.codes

    @property
    def node(self) -> NDArray[np.intp]:
        """The state of the explicit machine, if there is one."""
        if not self.by_table:
            return self._general.node
        return np.array([state.node for state in self._present()], np.intp)

    @property
    def earned(self) -> NDArray[np.float64]:
        """What each source paid in the episodes under way, rows as in :attr:`RewardMonitor.earned`."""
        return self._earned.T[1:] if self.by_table else self._general.earned

    def _present(self) -> list[RewardState]:
        """The states of the environments. Raises ``ValueError`` before the first reset."""
        found = [self._known[at] for at in self._at.tolist()]
        if None in found:
            raise ValueError("no episode has begun")
        return [state for state in found if state is not None]

    def states(self, row: int) -> list[NDArray[np.intp]]:
        """The states ``(N,)`` of each part of a formula's monitor."""
        if not self.by_table:
            return self._general.monitor.states(row)
        start = sum(len(p.parts) for p in self.machine.programs[:row])
        return [self._parts[self._at, start + k] for k in range(len(self.machine.programs[row].parts))]

    def observe(self, out: NDArray[np.float32]) -> None:
        """Write the automata's states, as :class:`AutomatonCode` lays them out, to ``out`` ``(N, size)``."""
        if self.by_table:
            out[...] = self._seen.take(self._at, 0)
        else:
            self._general.observe(out)

    def news(self) -> bool:
        """Whether there may be states that had not been met when this was last asked."""
        new, self._new = self._new or not self.by_table, False
        return new

    def state(self) -> dict[str, Array]:
        """Everything that later rewards depend on, as :meth:`RewardMonitor.state` says it."""
        if not self.by_table:
            return self._general.state()
        machine, n = self.machine, self.num_envs
        now = self._present()
        made = [[p.made(s.states[p.program]) for s in now] for p in machine.progress]
        state: dict[str, Array] = {
            "earned": self.earned.copy(),
            "paid": np.array([[at in s.paid for s in now] for at in range(len(machine.payments))], np.bool_),
            "owed": np.array([s.owed for s in now]),
            "phi": np.array([machine.potential(s.states, s.node) for s in now]),
            "node": np.array([s.node for s in now], np.intp),
            "made": np.array(made).reshape(len(machine.progress), n),
            "monitor/started": self._started.copy(),
            "monitor/codes": self.codes.copy(),
        }
        state["paid"] = state["paid"].reshape(len(machine.payments), n)
        state |= {f"monitor/previous/{name}": array.copy() for name, array in self._previous.items()}
        for row in range(len(machine.programs)):
            state |= {f"monitor/part/{row}/{k}": states.copy() for k, states in enumerate(self.states(row))}
        return state

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        if not self._fits:
            self._general.restore(state)
            return
        self._forget()
        self._earned[:, 1:] = state["earned"].T
        self._started[:] = state["monitor/started"]
        self._previous = {k[17:]: a.copy() for k, a in state.items() if k.startswith("monitor/previous/")}
        try:
            for i in range(self.num_envs):
                states = tuple(
                    tuple(int(state[f"monitor/part/{row}/{k}"][i]) for k in range(len(p.parts)))
                    for row, p in enumerate(self.machine.programs)
                )
                if any(not 0 <= u < len(part.verdicts) for p, s in zip(self.machine.programs, states, strict=True)
                       for part, u in zip(p.parts, s, strict=True)):  # fmt: skip
                    raise ValueError("not states of these automata")
                paid = frozenset(np.flatnonzero(state["paid"][:, i]).tolist())
                self._at[i] = self._stated(RewardState(states, int(state["node"][i]), paid, float(state["owed"][i])))
            self.by_table = True
        except _Full:
            self._general.restore(state)
            self.by_table = False


class TableMonitor:
    """What :class:`~agentc.runtime.monitor.Monitor` says of its states, for those of a table."""

    def __init__(self, table: RewardTable) -> None:
        self._table = table
        self.programs = table.machine.programs
        self.names = tuple(p.name for p in self.programs)
        self.atoms = table.atoms

    @property
    def codes(self) -> NDArray[np.uint8]:
        """The latest verdict codes ``(formulas, N)``."""
        return self._table.codes

    def states(self, row: int) -> list[NDArray[np.intp]]:
        """The states ``(N,)`` of each part of a formula's monitor."""
        return self._table.states(row)

    def sizes(self, row: int) -> list[int]:
        """The number of states of each part of a formula's monitor."""
        return [len(part.verdicts) for part in self.programs[row].parts]


def _doubled(array: Array, axis: int) -> Array:
    return np.concatenate([array, np.zeros_like(array)], axis=axis)
