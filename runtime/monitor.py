"""Monitors that step N environments at once: labelling, then a table gather for each part.

One step reads the valuations of all environments (or of the ``active`` ones), packs the atoms of each automaton into
a letter, and takes the next state from its table (``np.take`` into preallocated arrays). :class:`ScalarMonitor` does
the same for one environment in plain Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.backends.monitor import OUTSIDE_CODE, MonitorProgram, MonitorTable
from agentc.compiler.logic.ir import Formula, Term, postorder
from agentc.compiler.logic.semantics import _holds as holds
from agentc.compiler.logic.semantics import _signal as read_signal
from agentc.compiler.logic.semantics import apply
from agentc.compiler.logic.trace import Valuation
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.labelling import Labeller

Array = NDArray[Any]
Batch = Mapping[str, Array]
"""Signals by name, arrays over the environments as :mod:`agentc.runtime.labelling` describes them."""

PACKED_ATOMS = 16
"""Letters of up to that many atoms are looked up in a table; those of more walk the diagram."""


class Monitor:
    """The verdicts of several formulas in N environments.

    Args:
        programs: the compiled monitors, see :func:`agentc.compiler.backends.monitor.compile_monitor`.
        num_envs: how many environments, N.
        signals: the declarations of the signals that the valuations hold.

    After :meth:`reset` nothing has been read: the first :meth:`step` reads step 0, the reset observation.
    """

    def __init__(self, programs: Sequence[MonitorProgram], num_envs: int, signals: Iterable[SignalIR] = ()) -> None:
        self.programs = tuple(programs)
        self.names = tuple(p.name for p in self.programs)
        self.num_envs = num_envs
        self.atoms: tuple[Formula, ...] = tuple(
            dict.fromkeys(a for p in self.programs for part in p.parts for a in part.atoms)
        )
        self._labeller = Labeller(self.atoms, tuple(signals))
        self._remembered = tuple(
            dict.fromkeys(str(n.value) for n in postorder(*self.atoms) if isinstance(n, Term) and n.op == "prev")
        )
        self._previous: dict[str, Array] = {}
        self._started = np.zeros(num_envs, np.bool_)
        self._letters = np.zeros((num_envs, len(self.atoms)), np.bool_)
        column = {a: i for i, a in enumerate(self.atoms)}
        self._parts = [[_Part(part, column, num_envs) for part in p.parts] for p in self.programs]
        self._codes = np.zeros((len(self.programs), num_envs), np.uint8)
        self.reset()

    # ------------------------------------------------------------ stepping

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        """Forget everything in the environments of ``mask``, bool ``(N,)``; None is all."""
        where = np.ones(self.num_envs, np.bool_) if mask is None else mask
        self._started[where] = False
        for parts in self._parts:
            for part in parts:
                part.states[where] = 0
        for row, program in zip(self._codes, self.programs, strict=True):
            row[where] = program.verdict([0] * len(program.parts))

    def step(self, valuations: Batch, active: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Read one step and return the verdict codes, uint8 ``(formulas, N)``, rows as in :attr:`names`.

        Codes are those of :class:`~agentc.compiler.logic.verdict.Verdict`. Environments that are not ``active`` keep
        their state. The array belongs to the monitor and is valid until the next call. Raises ``AgentcError``
        (AS0708) where an environment shows values that the declared types rule out, (AS0830) if a signal is missing.
        """
        try:
            letters = self._labeller(valuations, self._previous or None, self._started, out=self._letters)
        except KeyError as error:
            raise AgentcError([report("AS0830", None, signal=str(error.args[0]))]) from None
        codes = self.step_letters(letters, active)
        if (codes == OUTSIDE_CODE).any():
            self._complain(valuations, codes)
        for name in self._remembered:
            now = valuations[name]
            if active is None or name not in self._previous:
                self._previous[name] = np.array(now)
            else:
                self._previous[name][active] = now[active]
        if active is None:
            self._started[:] = True
        else:
            self._started |= active
        return codes

    def step_letters(
        self, letters: NDArray[np.bool_], active: NDArray[np.bool_] | None = None
    ) -> NDArray[np.uint8]:
        """Read one step as truth values, bool ``(N, atoms)`` in the order of :attr:`atoms`; else as :meth:`step`."""
        for row, program, parts in zip(self._codes, self.programs, self._parts, strict=True):
            first, *others = parts
            first.step(letters, active)
            if not others:
                np.take(first.verdicts, first.states, out=row)
                continue
            joined = first.verdicts[first.states]
            outside = joined == OUTSIDE_CODE
            for part in others:
                part.step(letters, active)
                code = part.verdicts[part.states]
                outside |= code == OUTSIDE_CODE
                (np.minimum if program.join == "and" else np.maximum)(joined, code, out=joined)
            joined[outside] = OUTSIDE_CODE
            row[:] = joined
        return self._codes

    def _complain(self, valuations: Batch, codes: NDArray[np.uint8]) -> None:
        row, env = (int(i) for i in np.argwhere(codes == OUTSIDE_CODE)[0])
        atoms = [a for part in self.programs[row].parts for a in part.atoms]
        read = dict.fromkeys(str(n.value) for n in postorder(*atoms) if n.op in ("signal", "prev"))
        shown = ", ".join(f"{name} = {valuations[name][env]}" for name in read if name in valuations)
        raise AgentcError([report("AS0708", None, env=env, values=shown)])

    # ------------------------------------------------------------ what is known

    @property
    def codes(self) -> NDArray[np.uint8]:
        """The latest verdict codes ``(formulas, N)``; before step 0 those of the empty trace, which mean nothing."""
        return self._codes

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Whether each formula would hold if the trace ended here, ``(formulas, N)``."""
        return self._codes >= int(Verdict.PRESUMABLY_TRUE)

    @property
    def final(self) -> NDArray[np.bool_]:
        """Whether each verdict is final, ``(formulas, N)``."""
        return np.asarray((self._codes == int(Verdict.TRUE)) | (self._codes == int(Verdict.FALSE)))

    def verdicts(self, env: int = 0) -> dict[str, Verdict]:
        """The verdicts in one environment, by name."""
        return {name: Verdict(int(self._codes[row, env])) for row, name in enumerate(self.names)}

    def states(self, row: int) -> list[NDArray[np.intp]]:
        """The states ``(N,)`` of each part of a formula's monitor; they belong to the monitor."""
        return [part.states for part in self._parts[row]]

    def state(self) -> dict[str, Array]:
        """Everything that later verdicts depend on, as arrays by name."""
        state: dict[str, Array] = {"started": self._started.copy(), "codes": self._codes.copy()}
        state |= {f"previous/{name}": array.copy() for name, array in self._previous.items()}
        for row, parts in enumerate(self._parts):
            state |= {f"part/{row}/{i}": part.states.copy() for i, part in enumerate(parts)}
        return state

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        self._started[:] = state["started"]
        self._codes[:] = state["codes"]
        self._previous = {k[9:]: a.copy() for k, a in state.items() if k.startswith("previous/")}
        for row, parts in enumerate(self._parts):
            for i, part in enumerate(parts):
                part.states[:] = state[f"part/{row}/{i}"]

    def sizes(self, row: int) -> list[int]:
        """The number of states of each part of a formula's monitor."""
        return [part.size for part in self._parts[row]]


class _Part:
    """One automaton: the states of N environments and the arrays that step them."""

    def __init__(self, table: MonitorTable, column: Mapping[Formula, int], num_envs: int) -> None:
        self.size = len(table.verdicts)
        self.states = np.zeros(num_envs, np.intp)
        self.verdicts = np.array(table.verdicts, np.uint8)
        columns = [column[a] for a in table.atoms]
        self._columns: Array | None = None if columns == list(range(len(column))) else np.array(columns, np.intp)
        self._width = len(columns)
        self._index = np.zeros(num_envs, np.intp)
        self._next = np.zeros(num_envs, np.intp)
        nodes = np.array(table.nodes, np.intp).reshape(-1, 3)
        self._level, self._low, self._high = (np.ascontiguousarray(nodes[:, i]) for i in range(3))
        self._root, self._roots = table.root, np.array(table.roots, np.intp)
        self._flat: Array | None = None
        self._classes: Array | None = None
        self._count = 1
        if table.table is not None:
            self._count = len(table.table[0])
            self._flat = np.array(table.table, np.intp).ravel()
            if self._width <= PACKED_ATOMS:
                every = np.arange(1 << self._width)[:, None] >> np.arange(self._width - 1, -1, -1) & 1
                self._classes = self._walk(np.full(len(every), self._root, np.intp), every.astype(np.bool_))

    def step(self, letters: NDArray[np.bool_], active: NDArray[np.bool_] | None) -> None:
        """The next states."""
        mine = letters if self._columns is None else letters[:, self._columns]
        if self._flat is None:
            np.copyto(self._next, self._walk(self._roots[self.states], mine))
        else:
            if self._classes is not None:
                chosen = self._classes[_packed(mine, self._width)]
            else:
                chosen = self._walk(np.full(len(mine), self._root, np.intp), mine)
            np.multiply(self.states, self._count, out=self._index)
            np.add(self._index, chosen, out=self._index)
            np.take(self._flat, self._index, out=self._next)
        if active is None:
            self.states, self._next = self._next, self.states
        else:
            np.copyto(self.states, self._next, where=active)

    def _walk(self, at: Array, letters: NDArray[np.bool_]) -> Array:
        """The leaves that the letters lead to, starting from the diagrams ``at``."""
        rows = np.flatnonzero(at >= 0)
        while len(rows):
            nodes = at[rows]
            true = letters[rows, self._level[nodes]]
            at[rows] = np.where(true, self._high[nodes], self._low[nodes])
            rows = rows[at[rows] >= 0]
        return ~at


def _packed(letters: NDArray[np.bool_], width: int) -> Array:
    """Letters as numbers, the first atom the highest bit."""
    if width == 0:
        return np.zeros(len(letters), np.intp)
    packed = np.packbits(letters, axis=1)
    if width <= 8:
        return packed[:, 0] >> (8 - width)
    return ((packed[:, 0].astype(np.uint16) << 8) | packed[:, 1]) >> (16 - width)


# ---------------------------------------------------------------- one environment


class ScalarLabeller:
    """The truth of atoms in one environment, in plain Python, by the reference's own functions at every term."""

    def __init__(self, atoms: Sequence[Formula]) -> None:
        self.atoms = tuple(atoms)
        terms = [n for n in postorder(*atoms) if isinstance(n, Term)]
        aggregate = next((n for n in terms if n.op in ("count", "sum", "in_seen", "occurs_in_seen")), None)
        if aggregate is not None:
            raise AgentcError([report("AS0720", None, term=str(aggregate))])
        self._terms = [(n, [a.id for a in n.args]) for n in terms]
        self._predicates = [a.predicate for a in atoms]

    def label(self, valuation: Valuation, previous: Valuation | None, t: int) -> tuple[bool, ...]:
        """The truth values at step ``t``; ``previous`` is the valuation of the step before.

        Raises ``AgentcError`` (AS0830) if a signal is missing.
        """
        values: dict[int, Any] = {}
        try:
            for node, args in self._terms:
                if node.op == "const":
                    values[node.id] = node.value
                elif node.op == "signal":
                    values[node.id] = read_signal(valuation, str(node.value), t)
                elif node.op == "prev":
                    before = None if previous is None else read_signal(previous, str(node.value), t - 1)
                    values[node.id] = before
                else:
                    values[node.id] = apply(node, [values[i] for i in args])
        except KeyError as error:
            raise AgentcError([report("AS0830", None, signal=str(error.args[0]))]) from None
        return tuple(holds(p, values[p.id]) for p in self._predicates)


class ScalarMonitor:
    """The verdicts of several formulas in one environment, in plain Python; ``reset`` and ``step`` as in Monitor."""

    def __init__(self, programs: Sequence[MonitorProgram]) -> None:
        self.programs = tuple(programs)
        self.names = tuple(p.name for p in self.programs)
        self.atoms = tuple(dict.fromkeys(a for p in self.programs for part in p.parts for a in part.atoms))
        self._labeller = ScalarLabeller(self.atoms)
        column = {a: i for i, a in enumerate(self.atoms)}
        self._parts = [[(part, [column[a] for a in part.atoms]) for part in p.parts] for p in self.programs]
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._t = 0
        self._previous: Valuation | None = None
        self._states = [[0] * len(p.parts) for p in self.programs]

    def step(self, valuation: Valuation) -> tuple[int, ...]:
        """Read one step and return the verdict codes, in the order of :attr:`names`.

        Raises ``AgentcError`` (AS0708) for values that the declared types rule out, (AS0830) if a signal is missing.
        """
        letter = self._labeller.label(valuation, self._previous, self._t)
        codes = self.step_letter(letter)
        if OUTSIDE_CODE in codes:
            shown = ", ".join(f"{name} = {value}" for name, value in valuation.items())
            raise AgentcError([report("AS0708", None, env=0, values=shown)])
        self._previous, self._t = valuation, self._t + 1
        return codes

    def step_letter(self, letter: Sequence[bool]) -> tuple[int, ...]:
        """Read one step as truth values in the order of :attr:`atoms`."""
        for states, parts in zip(self._states, self._parts, strict=True):
            for i, (part, columns) in enumerate(parts):
                states[i] = part.step(states[i], tuple(letter[c] for c in columns))
        return tuple(p.verdict(s) for p, s in zip(self.programs, self._states, strict=True))

    def verdicts(self) -> dict[str, Verdict]:
        """The verdicts by name; before step 0 they mean nothing."""
        return {p.name: Verdict(p.verdict(s)) for p, s in zip(self.programs, self._states, strict=True)}
