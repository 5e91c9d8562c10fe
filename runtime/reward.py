"""Reward machines that step N environments at once.

The rules are those of LANGUAGE, "Payment"; :meth:`agentc.compiler.backends.reward_machine.RewardMachine.step` is the
reference that this is tested against.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.backends.reward_machine import RewardMachine, refuse_missing
from agentc.compiler.logic.verdict import Verdict
from agentc.runtime.monitor import Batch, Monitor
from agentc.runtime.reward_robustness import MeasuredSteps
from agentc.runtime.spec_observation import AutomatonCode

Mask = NDArray[np.bool_]
Letters = NDArray[np.bool_]
TRUE, FALSE, HOLDS = int(Verdict.TRUE), int(Verdict.FALSE), int(Verdict.PRESUMABLY_TRUE)


@dataclass(frozen=True)
class RewardStep:
    """What one step paid in N environments; arrays ``(N,)``.

    ``reward`` float64, without the ``shaping``. ``terminated``: nothing follows and nothing is bootstrapped, whether
    the environment ended, the machine ended the episode, or a time limit is an end. ``truncated``: the episode
    stops and the value of what would follow is bootstrapped. ``codes`` uint8 ``(formulas, N)`` are the monitor's.
    """

    reward: NDArray[np.float64]
    shaping: NDArray[np.float64]
    terminated: Mask
    truncated: Mask
    codes: NDArray[np.uint8]


class RewardMonitor:
    """The reward of N environments, with the monitors of the agent's formulas in :attr:`monitor`.

    ``code`` lays out what is observed of their states. Raises ``AgentcError`` (AS0714) if the machine has terms that
    are not built yet and ``partial`` is not set.
    """

    def __init__(
        self,
        machine: RewardMachine,
        num_envs: int,
        signals: Iterable[SignalIR] = (),
        *,
        partial: bool = False,
        code: AutomatonCode | None = None,
    ) -> None:
        if not partial:
            refuse_missing(machine)
        self.machine, self.num_envs, self._code = machine, num_envs, code
        signals = tuple(signals)
        self.monitor = Monitor(machine.programs, num_envs, signals)
        self._paid = np.zeros((len(machine.payments), num_envs), np.bool_)
        self._owed = np.zeros(num_envs)
        self.earned = np.zeros((len(machine.payments) + len(machine.graded) + 2, num_envs))
        """What each payment, term by progress and by robustness, the explicit machine and the shaping paid in the
        episodes under way, in this order."""
        self._measured = MeasuredSteps(machine.robustness, signals, num_envs) if machine.robustness else None
        self._distances = [[np.array(row) for row in p.distances] for p in machine.progress]
        self._made = np.zeros((len(machine.progress), num_envs))
        self._phi = np.zeros(num_envs)
        self._tables = [[np.array(row) / len(s.potentials) for row in s.potentials] for s in machine.shapings]
        m = machine.machine
        self.node = np.zeros(num_envs, np.intp)
        """The state of the explicit machine, if there is one."""
        self._accepting = np.array(m.accepting if m is not None else (False,), np.bool_)
        self._node_potential = np.array(m.potentials if m is not None and m.potentials else (0.0,) * self._states)

    @property
    def _states(self) -> int:
        return 1 if self.machine.machine is None else len(self.machine.machine.names)

    def reset(self, valuations: Batch | Letters, mask: Mask | None = None) -> NDArray[np.uint8]:
        """Begin an episode in the environments of ``mask`` (None: all): step 0 is read. Returns the verdict codes."""
        where = np.ones(self.num_envs, np.bool_) if mask is None else mask
        self.monitor.reset(mask)
        codes = self._read(valuations, where)
        self._paid[:, where] = False
        self.node[where] = 0
        node, owed = self._edges(codes)
        self.node[where] = node[where]
        self._owed[where] = owed[where]
        self.earned[:, where] = 0.0
        self._phi[where] = self._potential()[where]
        for at in range(len(self._made)):
            self._made[at, where] = self._progress(at)[where]
        if self._measured is not None:
            self._measured.begin(_numbers(valuations), mask)
        return codes

    def step(
        self,
        valuations: Batch | Letters,
        terminated: Mask | None = None,
        time_limit: Mask | None = None,
        truncated: Mask | None = None,
    ) -> RewardStep:
        """Read one step in all environments: signals, truth values ``(N, atoms)`` in the order of the monitor's, or
        packed letters ``(N,)`` (:meth:`~agentc.runtime.monitor.Monitor.step_packed`).

        Robustness takes signals: ``ValueError`` where a reward has it and only truth values come.

        ``terminated``: where the environment ended; ``time_limit``: where its declared limit stopped it;
        ``truncated``: where something else did. Environments that ended are to be :meth:`reset` before the next.
        """
        nowhere = np.zeros(self.num_envs, np.bool_)
        terminated = nowhere if terminated is None else terminated
        time_limit = nowhere if time_limit is None else time_limit
        truncated = nowhere if truncated is None else truncated
        codes = self._read(valuations, None)
        reward, sums = self._owed.copy(), self.earned
        sums[-2] += self._owed
        self._owed[:] = 0.0
        over = terminated.copy()
        shared: Mask | None = None
        for at, term in enumerate(self.machine.payments):
            if term.kind == "step":
                reward += term.amount
                sums[at] += term.amount
                continue
            code = codes[term.program]
            if term.kind == "prop":
                paid = term.amount * (code >= HOLDS)
                reward += paid
                sums[at] += paid
                continue
            decided = code == (FALSE if term.kind == "safe" else TRUE)
            paid = term.amount * (decided & ~self._paid[at])
            reward += paid
            sums[at] += paid
            self._paid[at] |= decided
            if term.kind == "safe":
                if term.ends is not False:
                    over |= decided
                continue
            final = (code == TRUE) | (code == FALSE)
            if term.ends is None:
                shared = final if shared is None else shared & final
            elif term.ends:
                over |= final
        if shared is not None:
            over |= shared
        if self.machine.machine is not None:
            self.node, earned = self._edges(codes)
            reward += earned
            sums[-2] += earned
            over |= self._accepting[self.node]
        if self.machine.needs_time_left:
            over |= time_limit
        for at, term in enumerate(self.machine.payments):
            if term.kind == "task":
                due = over & ~self._paid[at] & (codes[term.program] >= HOLDS)
                reward += term.amount * due
                sums[at] += term.amount * due
                self._paid[at] |= due
        for at, gained in enumerate(self._graded(valuations, over), len(self.machine.payments)):
            reward += gained
            sums[at] += gained
        phi = np.where(over, 0.0, self._potential())
        shaping = self.machine.discount * phi - self._phi
        sums[-1] += shaping
        self._phi = phi
        return RewardStep(reward, shaping, over, (time_limit | truncated) & ~over, codes)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that later rewards depend on, as arrays by name."""
        own = {
            "earned": self.earned, "paid": self._paid, "owed": self._owed, "phi": self._phi, "node": self.node,
            "made": self._made,
        }  # fmt: skip
        state = {name: array.copy() for name, array in own.items()}
        if self._measured is not None:
            state |= {f"measured/{name}": array for name, array in self._measured.state().items()}
        return state | {f"monitor/{name}": array for name, array in self.monitor.state().items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        self.earned[:] = state["earned"]
        self._paid[:] = state["paid"]
        self._owed[:] = state["owed"]
        self._phi[:] = state["phi"]
        self.node[:] = state["node"]
        self._made[:] = state["made"]
        if self._measured is not None:
            self._measured.restore({k[9:]: a for k, a in state.items() if k.startswith("measured/")})
        self.monitor.restore({k[8:]: a for k, a in state.items() if k.startswith("monitor/")})

    def observe(self, out: NDArray[np.float32]) -> None:
        """Write the automata's states, as :class:`AutomatonCode` lays them out, to ``out`` ``(N, size)``."""
        assert self._code is not None
        states = [self.monitor.states(row) for row in range(len(self.monitor.programs))]
        self._code.batch(states, self.node, out)

    def _read(self, valuations: Batch | Letters, active: Mask | None) -> NDArray[np.uint8]:
        if isinstance(valuations, np.ndarray):
            if valuations.ndim == 1:
                return self.monitor.step_packed(valuations, active)
            return self.monitor.step_letters(valuations, active)
        return self.monitor.step(valuations, active)

    def _graded(self, valuations: Batch | Letters, over: Mask) -> Iterator[NDArray[np.float64]]:
        """What the terms by progress and by robustness pay, in this order."""
        for at, progress in enumerate(self.machine.progress):
            made = self._progress(at)
            yield progress.amount * (made - self._made[at])
            self._made[at] = made
        if self._measured is not None:
            self._measured.step(_numbers(valuations))
            for at in range(len(self.machine.robustness)):
                yield self._measured.paid(at, over)

    def _progress(self, at: int) -> NDArray[np.float64]:
        """How far the formula of a term has come, in [0, 1]: :meth:`Progress.made` of every environment."""
        term = self.machine.progress[at]
        states = self.monitor.states(term.program)
        parts = [table[u] for table, u in zip(self._distances[at], states, strict=True)]
        distance = np.sum(parts, axis=0) if term.join == "and" else np.min(parts, axis=0)
        made = 1.0 - distance / term.farthest if term.farthest else np.ones(self.num_envs)
        return np.where(np.isinf(distance), 0.0, made)

    def _potential(self) -> NDArray[np.float64]:
        total = self._node_potential[self.node]
        for s, tables in zip(self.machine.shapings, self._tables, strict=True):
            states = self.monitor.states(s.program)
            for table, u in zip(tables, states, strict=True):
                total = total + table[u]
        return total

    def _edges(self, codes: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The explicit machine's next states and what its edges pay."""
        node, earned = self.node.copy(), np.zeros(self.num_envs)
        if self.machine.machine is None:
            return node, earned
        for u, edges in enumerate(self.machine.machine.edges):
            if self.machine.machine.accepting[u]:
                continue
            waiting = self.node == u
            for edge in edges:
                taken = waiting & (codes[edge.guard] >= HOLDS)
                node[taken] = edge.target
                earned[taken] = edge.reward
                waiting &= ~taken
        return node, earned


def _numbers(valuations: Batch | Letters) -> Batch:
    if isinstance(valuations, np.ndarray):
        raise ValueError("a reward by robustness reads signals, and truth values came")
    return valuations
