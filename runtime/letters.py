"""The letters of N environments, packed: one number per environment with a bit for each atom, the first the highest.

:class:`~agentc.runtime.labelling.Labeller` tells any atom. Two kinds are told faster here: atoms that read one signal
of few values are looked up in a table, which the labeller itself has filled; order comparisons of signals and constants
under ``abs``, ``min``, ``max`` and negation, which have a value wherever their signals have one, are a few array
operations into buffers that are kept. NaN compares false, as an atom without a value is. Tested against the labeller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula, Node, postorder, signals
from agentc.runtime.labelling import Batch, Labeller

Array = NDArray[Any]
_COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}
_FOLDS = {"abs": np.absolute, "neg": np.negative, "min": np.minimum, "max": np.maximum}
_BIGGEST = 2.0**53
"""Integers up to that are exact as floats."""


class LetterReader:
    """Reads the letters of ``atoms``, at most :data:`~agentc.runtime.stepping.PACKED_ATOMS`, in N environments."""

    def __init__(self, atoms: Sequence[Formula], declared: Sequence[SignalIR], num_envs: int) -> None:
        self._kind = np.uint8 if len(atoms) <= 8 else np.uint16
        known = {s.name: s for s in declared}
        weights = {atom: 1 << (len(atoms) - 1 - k) for k, atom in enumerate(atoms)}
        by_signal: dict[str, list[Formula]] = {}
        plain: list[Formula] = []
        rest: list[Formula] = []
        for atom in atoms:
            names = signals(atom)
            looks_back = any(n.op == "prev" for n in postorder(atom))
            few = len(names) == 1 and not looks_back and (names[0] not in known or known[names[0]].kind in _FEW)
            if few:
                by_signal.setdefault(names[0], []).append(atom)
            else:
                (plain if not looks_back and _is_plain(atom.predicate, known) else rest).append(atom)
        self._tables = [
            (name, self._table(name, members, weights, declared)) for name, members in by_signal.items()
        ]
        self._letters = np.zeros(num_envs, self._kind)
        self._bits = np.zeros((len(plain) + len(rest), num_envs), np.uint8)
        self._weights = np.array([weights[a] for a in (*plain, *rest)], self._kind)
        self._steps, self._values = self._program(plain, num_envs)
        self._labeller = Labeller(rest, declared) if rest else None
        self._truth = self._bits[len(plain) :].view(np.bool_).T
        self.looks_back = tuple(dict.fromkeys(str(n.value) for n in postorder(*atoms) if n.op == "prev"))
        """The signals whose values at the step before are read."""

    def __call__(self, now: Batch, previous: Batch | None, started: NDArray[np.bool_]) -> Array:
        """The packed letters ``(N,)``, which the reader owns; arguments as of :class:`Labeller`."""
        letters = self._letters
        first = True
        for name, table in self._tables:
            codes = now[name]
            found = table.take(codes if codes.dtype.kind == "i" else codes.astype(np.intp), mode="wrap")
            letters = found if first else np.bitwise_or(letters, found)
            first = False
        if not len(self._bits):
            return letters
        values = self._values
        for name, at in self._inputs:
            values[at] = now[name]
        for function, arguments, out in self._steps:
            function(*[values[a] for a in arguments], out=out)
        if self._labeller is not None:
            self._labeller(now, previous, started, out=self._truth)
        found = self._weights.dot(self._bits)
        return np.asarray(found if first else np.bitwise_or(letters, found))

    def _table(
        self, name: str, atoms: Sequence[Formula], weights: dict[Formula, int], declared: Sequence[SignalIR]
    ) -> Array:
        """The bits of the atoms for each value of a signal; the last is that of -1, no value."""
        signal = next((s for s in declared if s.name == name), SignalIR(name, "bool"))
        size = len(signal.members) + 1 if signal.kind == "enum" else 2
        codes: Array = np.arange(size)
        if signal.kind == "enum":
            codes[-1] = -1
        else:
            codes = codes.astype(np.bool_)
        truth = Labeller(atoms, declared)({name: codes})
        return np.asarray(truth @ np.array([weights[a] for a in atoms])).astype(self._kind)

    def _program(
        self, atoms: Sequence[Formula], num_envs: int
    ) -> tuple[list[tuple[Callable[..., Any], tuple[int, ...], Array]], list[Any]]:
        """The operations of plain atoms, in order, and the values that they read and write."""
        place: dict[Node, int] = {}
        values: list[Any] = []
        steps: list[tuple[Callable[..., Any], tuple[int, ...], Array]] = []
        self._inputs: list[tuple[str, int]] = []
        row: dict[Node, int] = {atom.predicate: k for k, atom in enumerate(atoms)}
        for node in postorder(*(atom.predicate for atom in atoms)):
            place[node] = len(values)
            arguments = tuple(place[a] for a in node.args)
            if node.op == "const":
                values.append(np.array(node.value, np.float64))
            elif node.op == "signal":
                self._inputs.append((str(node.value), len(values)))
                values.append(None)
            elif node.op == "compare":
                out = self._bits[row[node]].view(np.bool_)
                steps.append((_COMPARE[str(node.value)], arguments, out))
                values.append(out)
            else:
                out = np.zeros(num_envs)
                steps.append((_FOLDS[node.op], arguments, out))
                values.append(out)
        return steps, values


_FEW = ("bool", "enum")


def _is_plain(predicate: Node, known: dict[str, SignalIR]) -> bool:
    """Whether it is an order comparison of what has a value wherever its signals have one."""
    if predicate.op != "compare" or predicate.value not in _COMPARE:
        return False
    for node in postorder(*predicate.args):
        if node.op == "const":
            value = node.value
            if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _BIGGEST:
                return False
        elif node.op == "signal":
            signal = known.get(str(node.value))
            if signal is None or signal.kind not in ("int", "real"):
                return False
        elif node.op not in _FOLDS or len(node.args) != (1 if node.op in ("abs", "neg") else 2):
            return False
    return any(n.op == "signal" for n in postorder(predicate))
