"""Shields as they are applied: a packed table of which actions are allowed, and where each run is in it.

A shield watches the states of an environment and the automaton of what it keeps; both together give a row of the table,
the row gives the mask. The table is made by :mod:`agentc.runtime.verify.model.shield` and lies beside the policy that
was trained under it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report

FILE = "shield.safetensors"
"""Its name in the folder of a run."""

VERSION = "1"

Ints = NDArray[np.int64]
Bits = NDArray[np.bool_]

_ARRAYS = ("codes", "letters", "next", "final", "pairs", "packed")


@dataclass(frozen=True, eq=False)
class ShieldTable:
    """Which actions are allowed where.

    Attributes:
        codes: the numbers of the model's states, sorted, ``(S,)``.
        letters: what the automaton reads in each state, ``(S,)``.
        next: its next state, ``(Q, letters)``.
        final: in which of its states nothing is left to keep, ``(Q,)``.
        pairs: ``state * Q + q`` of the rows of ``packed``, sorted, ``(P,)``.
        packed: the allowed actions as bits, ``(P, ceil(actions / 8))`` uint8.
        actions: the names of the actions, in the environment's order.
        about: what the shield is about: formulas, threshold, states, the digest of the agent's meaning.
    """

    codes: Ints
    letters: Ints
    next: Ints
    final: Bits
    pairs: Ints
    packed: NDArray[np.uint8]
    actions: tuple[str, ...]
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def formulas(self) -> str:
        """What it keeps, in words."""
        return " & ".join(self.about.get("formulas", ())) or "the formula"

    def located(self, codes: Ints) -> Ints:
        """Where states are among :attr:`codes`. Raises :class:`AgentcError` (AS1342) for a state that is not there."""
        at: Ints = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        lost = self.codes[at] != codes
        if lost.any():
            raise AgentcError([report("AS1342", None, formulas=self.formulas, states=len(self.codes))])
        return at

    def after(self, memory: Ints, states: Ints) -> Ints:
        """The automaton's states after it has read ``states``."""
        found: Ints = self.next[memory, self.letters[states]]
        return found

    def masks(self, states: Ints, memory: Ints) -> Bits:
        """The allowed actions ``(N, actions)``; all of them where nothing is left to keep, or nothing can be done."""
        key = states * len(self.next) + memory
        at = np.minimum(np.searchsorted(self.pairs, key), len(self.pairs) - 1)
        masks: Bits = np.unpackbits(self.packed[at], axis=1, count=len(self.actions)).astype(np.bool_)
        masks[self.final[memory] | (self.pairs[at] != key)] = True
        masks[~masks.any(axis=1)] = True
        return masks

    def write(self, path: Path) -> None:
        """Write the table. Raises :class:`AgentcError` (AS0808)."""
        from safetensors.numpy import save

        header = {"agentc shield": VERSION, "actions": json.dumps(self.actions), "about": json.dumps(dict(self.about))}
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in _ARRAYS}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(save(arrays, metadata=header))
        except OSError as error:
            raise AgentcError([report("AS0808", None, path=str(path), reason=error.strerror or str(error))]) from error

    @staticmethod
    def read(path: Path) -> ShieldTable:
        """The table in a file. Raises :class:`AgentcError` (AS1343) where there is none or it is damaged."""
        import safetensors
        from safetensors.numpy import load

        try:
            data = path.read_bytes()
            size = int.from_bytes(data[:8], "little")
            header = json.loads(data[8 : 8 + size])["__metadata__"]
            if header["agentc shield"] != VERSION:
                raise ValueError(f"version {header['agentc shield']}")
            arrays = load(data)
            named: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
            actions, about = json.loads(header["actions"]), json.loads(header["about"])
            table = ShieldTable(**named, actions=tuple(actions), about=about)
            _whole(table)
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        except (KeyError, TypeError, ValueError, RecursionError, safetensors.SafetensorError) as error:
            raise _unreadable(path, f"{type(error).__name__}: {error}") from error
        return table


def _unreadable(path: Path, reason: str) -> AgentcError:
    return AgentcError([report("AS1343", None, path=str(path), reason=reason)])


def _whole(t: ShieldTable) -> None:
    """Raise ``ValueError`` for arrays that are no table."""
    states, memories = len(t.codes), len(t.next)
    whole = all(getattr(t, name).dtype == np.int64 for name in ("codes", "letters", "next", "pairs"))
    whole = whole and t.final.dtype == np.bool_ and t.packed.dtype == np.uint8 and t.next.ndim == 2 and states > 0
    whole = whole and t.letters.shape == (states,) and t.final.shape == (memories,) and len(t.pairs) > 0
    whole = whole and t.packed.shape == (len(t.pairs), -(-len(t.actions) // 8))
    if not whole or not (
        (np.diff(t.codes) > 0).all() and (np.diff(t.pairs) > 0).all()
        and t.letters.min() >= 0 and t.letters.max() < t.next.shape[1] and t.next.min() >= 0
        and t.pairs.min() >= 0 and t.pairs.max() < states * memories
    ):  # fmt: skip
        raise ValueError("its arrays do not fit together")


class ShieldState:
    """Where N runs are in a shield's table."""

    def __init__(self, table: ShieldTable, runs: int) -> None:
        self.table = table
        self._states = np.zeros(runs, np.int64)
        self.memory = np.zeros(runs, np.int64)

    def begin(self, codes: Ints, where: Bits | None = None) -> None:
        """Runs begin in states with these numbers ``(N,)``, those of ``where`` or all."""
        rows = np.arange(len(codes)) if where is None else np.flatnonzero(where)
        self._states[rows] = self.table.located(codes[rows])
        self.memory[rows] = self.table.after(np.zeros(len(rows), np.int64), self._states[rows])

    def move(self, codes: Ints, where: Bits | None = None) -> None:
        """The runs of ``where``, or all, have come to states with these numbers ``(N,)``."""
        rows = np.arange(len(codes)) if where is None else np.flatnonzero(where)
        self._states[rows] = self.table.located(codes[rows])
        self.memory[rows] = self.table.after(self.memory[rows], self._states[rows])

    def place(self, codes: Ints, memory: Ints) -> None:
        """The runs are in states with these numbers, the automaton in ``memory``."""
        self._states, self.memory = self.table.located(codes), memory.astype(np.int64)

    def masks(self) -> Bits:
        """The allowed actions ``(N, actions)``."""
        return self.table.masks(self._states, self.memory)

    def refuse(self, actions: Sequence[int], masks: Bits) -> None:
        """Raise :class:`AgentcError` (AS1341) for an action that is not allowed."""
        for row, action in enumerate(actions):
            if not masks[row, action]:
                allowed = ", ".join(f"`{self.table.actions[a]}`" for a in np.flatnonzero(masks[row]))
                name, formulas = self.table.actions[action], self.table.formulas
                raise AgentcError([report("AS1341", None, action=name, formulas=formulas, allowed=allowed)])
