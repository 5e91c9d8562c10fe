"""Monitors that step N environments at once: labelling, then a table gather for each part.

One step reads the valuations of all environments (or of the ``active`` ones), packs the atoms of each automaton into
a letter, and takes the next state from its table, see :mod:`agentc.runtime.stepping`. For one environment in plain
Python there is :mod:`agentc.runtime.scalar`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.backends.monitor import OUTSIDE_CODE, MonitorProgram, MonitorTable
from agentc.compiler.logic.ir import Formula, Term, postorder
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.labelling import Labeller
from agentc.runtime.stepping import PACKED_ATOMS, ManyPacker, Packer, Rows, Stepper

Array = NDArray[Any]
Batch = Mapping[str, Array]
"""Signals by name, arrays over the environments as :mod:`agentc.runtime.labelling` describes them."""


@dataclass(frozen=True)
class _Alike:
    """Parts of a program that are stepped together: which letters they read, and where their codes go."""

    stepper: Stepper
    packer: int
    """Which of the monitor's packers; -1 where the diagrams are walked."""
    codes: Array
    """uint8 ``(K, N)``, for one part ``(N,)``; of a program that is one part, its row of the monitor's codes."""
    parts: tuple[int, ...]


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
        declared = tuple(signals)
        self._labeller = Labeller(self.atoms, declared)
        self._plain = _plain(self.atoms, declared)
        self._remembered = tuple(
            dict.fromkeys(str(n.value) for n in postorder(*self.atoms) if isinstance(n, Term) and n.op == "prev")
        )
        self._previous: dict[str, Array] = {}
        self._started = np.zeros(num_envs, np.bool_)
        self._rows = np.zeros((len(self.atoms), num_envs), np.uint8)
        self._row = [*self._rows]
        self._letters = self._rows.view(np.bool_).T
        self._codes = np.zeros((len(self.programs), num_envs), np.uint8)
        self._packers: list[Packer | ManyPacker] = []
        self._matrix = False  # whether a packer needs all rows in one array
        self._alike = [self._grouped(row, p) for row, p in enumerate(self.programs)]
        self._partial = any(OUTSIDE_CODE in part.verdicts for p in self.programs for part in p.parts)
        only = self._alike[0][0] if len(self.programs) == 1 and len(self.programs[0].parts) == 1 else None
        whole = list(range(len(self.atoms)))
        self._only = only if only is not None and only.packer >= 0 and [*only.stepper.columns[0]] == whole else None
        self._initial = np.array([p.verdict([0] * len(p.parts)) for p in self.programs], np.uint8)[:, None]
        self.reset()

    def _grouped(self, row: int, program: MonitorProgram) -> list[_Alike]:
        """The parts of a program by their tables."""
        column = {a: i for i, a in enumerate(self.atoms)}
        alike: dict[tuple[int, MonitorTable], list[int]] = {}
        for k, part in enumerate(program.parts):
            bare = MonitorTable((), part.nodes, part.root, part.table, part.roots, part.verdicts)
            alike.setdefault((len(part.atoms), bare), []).append(k)
        found = []
        for members in alike.values():
            columns = [[column[a] for a in program.parts[k].atoms] for k in members]
            stepper = Stepper(program.parts[members[0]], columns, self.num_envs)
            codes = self._codes[row] if len(program.parts) == 1 else np.zeros(stepper.shape, np.uint8)
            packer = -1
            if stepper.walks or len(members) > 1:
                self._matrix = True
            if not stepper.walks:
                packer = self._packer(stepper)
            found.append(_Alike(stepper, packer, codes, tuple(members)))
        return found

    def _packer(self, stepper: Stepper) -> int:
        if len(stepper.columns) > 1:
            self._packers.append(ManyPacker(stepper.columns, self.num_envs))
            return len(self._packers) - 1
        columns = [*map(int, stepper.columns[0])]
        for k, known in enumerate(self._packers):
            if isinstance(known, Packer) and known.columns == columns:
                return k
        self._packers.append(Packer(columns, self.num_envs))
        return len(self._packers) - 1

    # ------------------------------------------------------------ stepping

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        """Forget everything in the environments of ``mask``, bool ``(N,)``; None is all."""
        where = np.ones(self.num_envs, np.bool_) if mask is None else mask
        self._started[where] = False
        for parts in self._alike:
            for alike in parts:
                alike.stepper.reset(where)
        self._codes[:, where] = self._initial

    def step(self, valuations: Batch, active: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Read one step and return the verdict codes, uint8 ``(formulas, N)``, rows as in :attr:`names`.

        Codes are those of :class:`~agentc.compiler.logic.verdict.Verdict`. Environments that are not ``active`` keep
        their state. The array belongs to the monitor and is valid until the next call. Raises ``AgentcError``
        (AS0708) where an environment shows values that the declared types rule out, (AS0830) if a signal is missing.
        """
        if self._plain is not None:
            try:
                columns = [valuations[name] for name in self._plain]
            except KeyError as error:
                raise AgentcError([report("AS0830", None, signal=str(error.args[0]))]) from None
            if all([isinstance(c, np.ndarray) and c.dtype.char == "?" for c in columns]):
                return self._advance([c.view(np.uint8) for c in columns], active)
        try:
            self._labeller(valuations, self._previous or None, self._started, out=self._letters)
        except KeyError as error:
            raise AgentcError([report("AS0830", None, signal=str(error.args[0]))]) from None
        codes = self._advance(self._row, active)
        if self._partial and (codes == OUTSIDE_CODE).any():
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
        """Read one step as truth values, bool ``(N, atoms)`` in the order of :attr:`atoms`; else as :meth:`step`.

        Fastest where each atom's values lie together (the transpose of an array ``(atoms, N)``).
        """
        if letters.dtype.char != "?":
            letters = letters.astype(np.bool_)
        if letters.flags.f_contiguous:
            return self._advance([*letters.T.view(np.uint8)], active)
        np.copyto(self._letters, letters)
        return self._advance(self._row, active)

    def step_packed(self, letters: Array, active: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
        """Read one step as packed letters ``(N,)``, the first of :attr:`atoms` the highest bit; else as :meth:`step`.

        Fastest as uint8 where there are up to 8 atoms, else uint16. Raises ``ValueError`` for more than 16 atoms.
        """
        width = len(self.atoms)
        if width > PACKED_ATOMS:
            raise ValueError(f"letters of {width} atoms are not packed: {PACKED_ATOMS} is the most")
        if self._only is not None:
            if letters.dtype.char != "B" and width <= 8:
                letters = letters.astype(np.uint8)
            self._only.stepper.step(letters, active, self._only.codes)
            return self._codes
        for k in range(width):
            np.copyto(self._rows[k], letters >> (width - 1 - k) & 1, casting="unsafe")
        return self._advance(self._row, active)

    def _advance(self, rows: Rows, active: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        """Read one step as rows of truth values, uint8 ``(N,)`` each."""
        if self._matrix and rows is not self._row:
            for row, values in zip(self._row, rows, strict=True):
                np.copyto(row, values)
        letters = [packer(rows) if isinstance(packer, Packer) else packer(self._rows) for packer in self._packers]
        for at, parts in enumerate(self._alike):
            for alike in parts:
                if alike.packer < 0:
                    alike.stepper.walk(rows, active, alike.codes)
                else:
                    alike.stepper.step(letters[alike.packer], active, alike.codes)
            if len(parts) > 1 or len(parts[0].parts) > 1:
                self._join(at, [alike.codes for alike in parts])
        return self._codes

    def _join(self, at: int, codes: list[Array]) -> None:
        """The verdict of a program from those of its parts."""
        meet = np.minimum if self.programs[at].join == "and" else np.maximum
        row = self._codes[at]
        for k, other in enumerate(codes):
            least = other if other.ndim == 1 else meet.reduce(other, axis=0)
            if k:
                meet(row, least, out=row)
            else:
                np.copyto(row, least)
        if self._partial:
            for other in codes:
                outside = other == OUTSIDE_CODE
                row[outside if outside.ndim == 1 else outside.any(axis=0)] = OUTSIDE_CODE

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
        """The states ``(N,)`` of each part of a formula's monitor, valid until the next call."""
        found: dict[int, Array] = {}
        for alike in self._alike[row]:
            for k, part in enumerate(alike.parts):
                found[part] = alike.stepper.states(k)
        return [found[k] for k in range(len(found))]

    def state(self) -> dict[str, Array]:
        """Everything that later verdicts depend on, as arrays by name."""
        state: dict[str, Array] = {"started": self._started.copy(), "codes": self._codes.copy()}
        state |= {f"previous/{name}": array.copy() for name, array in self._previous.items()}
        for row in range(len(self.programs)):
            state |= {f"part/{row}/{i}": states.copy() for i, states in enumerate(self.states(row))}
        return state

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        self._started[:] = state["started"]
        self._codes[:] = state["codes"]
        self._previous = {k[9:]: a.copy() for k, a in state.items() if k.startswith("previous/")}
        for row, parts in enumerate(self._alike):
            for alike in parts:
                for k, part in enumerate(alike.parts):
                    alike.stepper.set_states(k, state[f"part/{row}/{part}"])

    def sizes(self, row: int) -> list[int]:
        """The number of states of each part of a formula's monitor."""
        return [len(part.verdicts) for part in self.programs[row].parts]


def _plain(atoms: Sequence[Formula], signals: Iterable[SignalIR]) -> tuple[str, ...] | None:
    """The names of the signals that the atoms are, if they are all Boolean signals at the present step."""
    others = {s.name for s in signals if s.kind != "bool"}
    terms = [a.predicate for a in atoms]
    if any(t.op != "signal" or t.value in others for t in terms):
        return None
    return tuple(str(t.value) for t in terms)
