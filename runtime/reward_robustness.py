"""The robustness that a reward pays, in N environments at once: of every step, or of episodes that end.

The traces of the episodes under way are kept, and the robustness of a whole one is computed where it ends, by
:mod:`agentc.compiler.signals.robustness`: what an episode of ``T`` steps costs is its ``T`` writes and one evaluation.
The meaning is that of :mod:`agentc.compiler.logic.semantics`; ``tests/runtime/test_graded_rewards.py`` compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.backends.graded import Robust
from agentc.compiler.logic.ir import signals as read_by
from agentc.compiler.signals.robustness import compile_robustness
from agentc.runtime.labelling import Batch
from agentc.runtime.learn.episodes import packed, unpacked

Array = NDArray[Any]
Mask = NDArray[np.bool_]
FIRST_STEPS = 64
"""Steps that there is room for at first; the room doubles when it is used up."""


class MeasuredSteps:
    """The traces of N environments, and what the terms by robustness pay of them.

    ``begin`` reads step 0 of some, ``step`` one step of all. Batches are as :mod:`agentc.runtime.labelling` says.
    Raises ``AgentcError`` (AS1002) for a vector without a declared size.
    """

    def __init__(self, terms: Sequence[Robust], signals: Iterable[SignalIR], num_envs: int) -> None:
        declared = tuple(signals)
        self.terms, self._size = tuple(terms), num_envs
        self._reads = [read_by(term.formula) for term in terms]
        self._compiled = [
            compile_robustness(term.formula, [s for s in declared if s.name in names])
            for term, names in zip(terms, self._reads, strict=True)
        ]
        self._texts = {s.name for s in declared if s.kind == "text"}
        self._whole = read_by(*(term.formula for term in terms if term.whole))
        self._present = read_by(*(term.formula for term in terms if not term.whole))
        self._traces: dict[str, Array] = {}
        self._pair: dict[str, Array] = {}
        self._lengths = np.zeros(num_envs, np.int64)
        self._rows = np.arange(num_envs)

    def begin(self, now: Batch, where: Mask | None = None) -> None:
        """Episodes begin, everywhere or in the environments of ``where``; ``now`` is their step 0."""
        rows = self._rows if where is None else np.flatnonzero(where)
        self._lengths[rows] = 0
        self._write(now, rows)
        for name in self._present:
            if name not in self._pair:
                self._pair[name] = _room(now[name], 2)
            self._pair[name][rows, 1] = now[name][rows]

    def step(self, now: Batch) -> None:
        """One step of every environment."""
        self._lengths += 1
        self._write(now, self._rows)
        for name, pair in self._pair.items():
            pair[:, 0] = pair[:, 1]
            pair[:, 1] = now[name]

    def paid(self, at: int, over: Mask) -> NDArray[np.float64]:
        """What term ``at`` pays on the present step, ``(N,)``; ``over`` is where the episode ends on it."""
        term = self.terms[at]
        if not term.whole:
            return self._worth(term, self._of_steps(at))
        found = np.zeros(self._size)
        ends = np.flatnonzero(over)
        for length in np.unique(self._lengths[ends]).tolist():  # episodes of one length are judged together
            rows = ends[self._lengths[ends] == length]
            found[rows] = self._worth(term, self._of_traces(at, rows, length))
        return found

    def robustness(self, at: int, row: int = 0) -> float:
        """The robustness of term ``at`` in one environment: of its present step or its episode up to here."""
        if not self.terms[at].whole:
            return float(self._of_steps(at)[row])
        return float(self._of_traces(at, np.array([row]), int(self._lengths[row]))[0])

    def _worth(self, term: Robust, values: Array) -> Array:
        return term.amount * (values if term.clip is None else np.clip(values, *term.clip))

    def _of_steps(self, at: int) -> Array:
        pairs = {name: self._pair[name] for name in self._reads[at]} or self._nothing(2, self._size)
        return np.asarray(self._compiled[at].robustness_at(pairs, 1), np.float64)

    def _of_traces(self, at: int, rows: Array, length: int) -> Array:
        traces = {name: self._traces[name][rows, : length + 1] for name in self._reads[at]}
        found = self._compiled[at].robustness_at(traces or self._nothing(length + 1, len(rows)), 0)
        return np.asarray(found, np.float64)

    @staticmethod
    def _nothing(length: int, rows: int) -> dict[str, Array]:
        """Traces for a formula that reads no signal."""
        return {"": np.zeros((rows, length))}

    def _write(self, now: Batch, rows: Array) -> None:
        if not self._whole:
            return
        longest = int(self._lengths.max()) + 1
        for name in self._whole:
            held = self._traces.get(name)
            if held is None:
                held = self._traces[name] = _room(now[name], FIRST_STEPS)
            if longest > held.shape[1]:
                held = self._traces[name] = np.concatenate([held, np.zeros_like(held)], axis=1)
            held[rows, self._lengths[rows]] = now[name][rows]

    def state(self) -> dict[str, Array]:
        """The traces under way and the last two steps, as arrays by name."""
        longest = int(self._lengths.max(initial=0)) + 1
        state: dict[str, Array] = {"lengths": self._lengths.copy()}
        for kind, arrays in (("trace", self._traces), ("pair", self._pair)):
            for name, array in arrays.items():
                used = array[:, :longest] if kind == "trace" else array
                state[f"{kind}/{name}"] = packed(used.tolist()) if name in self._texts else used.copy()
        return state

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` for another's."""
        self._lengths[:] = state["lengths"]
        for kind, arrays, names in (("trace", self._traces, self._whole), ("pair", self._pair, self._present)):
            for name in names:
                given = state[f"{kind}/{name}"]
                arrays[name] = np.array(unpacked(given), object) if name in self._texts else given.copy()


def _room(like: Array, steps: int) -> Array:
    return np.zeros((len(like), steps, *like.shape[1:]), like.dtype)
