"""What is watched while an agent trains, beside its reward: which monitor states were met, how robust episodes were.

A monitor's coverage is the share of its automaton's states that some environment of the run has been in. What is
never met was never learned about. Robustness is that of whole episodes, by
:mod:`agentc.compiler.signals.robustness`: of the last few that ended since it was last asked for, so that a line of the
log costs the same however short the episodes are. It is known for declared systems with a horizon, and for
formulas that read states alone, all of them numbers: an input has no value at step 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR
from agentc.compiler.backends.monitor import MonitorProgram
from agentc.compiler.logic.ir import signals as read_by
from agentc.compiler.signals.robustness import Robustness, compile_robustness
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.statistics import FiguresByName

Array = NDArray[Any]
Mask = NDArray[np.bool_]
JUDGED = 16
"""Episodes whose robustness is computed for a line of the log, at most."""
LONGEST = 5000
"""Steps of an episode beyond which its trace is not kept."""


@dataclass(frozen=True)
class Watched:
    """What was watched: per formula the states met, by part; the last episodes as ``(step, row, robustness)``."""

    visited: Mapping[str, tuple[Mask, ...]] = field(default_factory=dict)
    episodes: tuple[tuple[int, int, Mapping[str, float]], ...] = ()

    @staticmethod
    def joined(parts: Sequence[tuple[int, Watched]]) -> Watched:
        """Of environments side by side, each with the number of its first row: what one that had all would say."""
        first = parts[0][1]
        visited = {
            name: tuple(np.logical_or.reduce([w.visited[name][k] for _, w in parts]) for k in range(len(rows)))
            for name, rows in first.visited.items()
        }
        episodes = sorted(
            ((step, row + offset, values) for offset, w in parts for step, row, values in w.episodes),
            key=lambda e: (e[0], e[1]),
        )
        return Watched(visited, tuple(episodes[-JUDGED:]))

    def figures(self) -> FiguresByName:
        """``coverage``: shares in [0, 1]; ``robustness``: ``mean``, ``least`` and ``episodes``; by formula."""
        found: dict[str, Any] = {}
        if self.visited:
            found["coverage"] = {
                name: sum(int(v.sum()) for v in rows) / sum(map(len, rows)) for name, rows in self.visited.items()
            }
        robust: dict[str, Any] = {}
        for name in dict.fromkeys(name for *_, values in self.episodes for name in values):
            values = np.array([v[name] for *_, v in self.episodes if name in v])
            values = values[np.isfinite(values)]
            if len(values):
                robust[name] = {
                    "mean": float(values.mean()), "least": float(values.min()), "episodes": len(values)
                }  # fmt: skip
        if robust:
            found["robustness"] = robust
        return found


class Watching(Protocol):
    """Monitors whose states can be looked at."""

    @property
    def programs(self) -> Sequence[MonitorProgram]:
        """The programs of the formulas."""
        ...

    def states(self, row: int) -> list[NDArray[np.intp]]:
        """The states ``(N,)`` of each part of a formula's monitor."""
        ...

    def sizes(self, row: int) -> list[int]:
        """The number of states of each part."""
        ...


class Coverage:
    """The states of a monitor's automata that were met, for the formulas of ``names``."""

    def __init__(self, monitor: Watching, names: Iterable[str]) -> None:
        wanted = set(names)
        self._rows = [row for row, program in enumerate(monitor.programs) if program.name in wanted]
        self._monitor = monitor
        self.visited = {
            monitor.programs[row].name: tuple(np.zeros(n, np.bool_) for n in monitor.sizes(row)) for row in self._rows
        }
        for parts in self.visited.values():
            for met in parts:
                met[0] = True  # where every episode begins, before step 0 is read
        self._open = list(self._rows)

    def mark(self) -> None:
        """Take in the states as they are now."""
        for row in self._open:
            found = self._monitor.states(row)
            for met, states in zip(self.visited[self._monitor.programs[row].name], found, strict=True):
                met[states] = True

    def prune(self) -> None:
        """Look no longer at formulas of which all states were met."""
        names = self._monitor.programs
        self._open = [row for row in self._open if not all(met.all() for met in self.visited[names[row].name])]

    def state(self) -> dict[str, Array]:
        """What was met, by formula and part."""
        return {f"{name}/{k}": met.copy() for name, parts in self.visited.items() for k, met in enumerate(parts)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`."""
        for name, parts in self.visited.items():
            for k, met in enumerate(parts):
                met[:] = state[f"{name}/{k}"]
        self._open = list(self._rows)


class EpisodeRobustness:
    """Keeps the traces of ``num_envs`` rows and judges the last ones that ended when it is asked."""

    def __init__(self, formulas: Mapping[str, Robustness], num_envs: int, horizon: int) -> None:
        """Every formula reads its signals by name; traces have ``horizon + 1`` steps at most."""
        self._formulas = dict(formulas)
        self.names = tuple(dict.fromkeys(s.name for f in formulas.values() for s in f.signals))
        self._traces = np.zeros((num_envs, horizon + 1, len(self.names)))
        self._lengths = np.zeros(num_envs, np.int64)
        self._rows = np.arange(num_envs)
        self._ended: deque[tuple[int, int, Array]] = deque(maxlen=JUDGED)
        self._steps = 0

    def begin(self, read: Mapping[str, Array], where: Mask | None = None) -> None:
        """Episodes begin, everywhere or in some rows; ``read`` is their step 0."""
        rows = self._rows if where is None else self._rows[where]
        self._lengths[rows] = 0
        self._write(read, rows)

    def step(self, read: Mapping[str, Array]) -> None:
        """One step of every row."""
        self._steps += 1
        self._lengths += 1
        self._write(read, self._rows)

    def end(self, ended: Mask) -> None:
        """Episodes have ended with the step just read."""
        for row in np.flatnonzero(ended).tolist():
            self._ended.append((self._steps, row, self._traces[row, : self._lengths[row] + 1].copy()))

    def take(self) -> tuple[tuple[int, int, dict[str, float]], ...]:
        """The robustness of the last episodes that ended since the last time, and forget them."""
        found = []
        for step, row, trace in self._ended:
            columns = {name: trace[None, :, k] for k, name in enumerate(self.names)}
            values = {
                name: float(f.robustness_at({s.name: columns[s.name] for s in f.signals})[0])
                for name, f in self._formulas.items()
            }
            found.append((step, row, values))
        self._ended.clear()
        return tuple(found)

    def state(self) -> dict[str, Array]:
        """The traces under way. Those that ended and wait are asked for before a checkpoint is written."""
        longest = int(self._lengths.max(initial=0)) + 1
        return {
            "traces": self._traces[:, :longest].copy(), "lengths": self._lengths.copy(),
            "steps": np.array([self._steps]),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`."""
        self._traces[:, : state["traces"].shape[1]] = state["traces"]
        self._lengths[:] = state["lengths"]
        self._steps = int(state["steps"][0])
        self._ended.clear()

    def _write(self, read: Mapping[str, Array], rows: Array) -> None:
        for k, name in enumerate(self.names):
            self._traces[rows, self._lengths[rows], k] = read[name][rows]


def judged_robustness(agent: AgentIR, num_envs: int, horizon: int | None) -> EpisodeRobustness | None:
    """What keeps the robustness of an agent's tasks, behaviors and safes; None where there is none to know."""
    if agent.system is None or horizon is None or horizon > LONGEST:
        return None
    numbers = {v.name for v in agent.system.states if v.kind in ("real", "int")}
    declared = {s.name: s for s in agent.declared}
    formulas: dict[str, Robustness] = {}
    for item in agent.of_role("task", "behavior", "safe"):
        names = read_by(item.formula)
        if not names or not set(names) <= numbers or not set(names) <= set(declared):
            continue
        try:
            formulas[item.name] = compile_robustness(item.formula, [declared[name] for name in names])
        except AgentcError:  # it looks further back than robustness does
            continue
    return EpisodeRobustness(formulas, num_envs, horizon) if formulas else None
