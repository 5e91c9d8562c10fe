"""Reward machines: what is paid on which step, when the episode ends, and the potentials that shape.

Source: Toro Icarte, Klassen, Valenzano, McIlraith, *Reward machines*, JAIR 73, 2022, section 3 (Mealy machines over
labels); the payments are those of LANGUAGE, "Payment". The machine's state is the tuple of the monitors' states, the
state of an explicit ``machine`` block if there is one, and what has been paid; nothing is multiplied out. Rewards by
degree (:mod:`agentc.compiler.backends.graded`) stand beside them. :mod:`agentc.compiler.backends.reward_compilation`
makes a machine of an agent.

:meth:`RewardMachine.step` is the reference, one environment in plain Python; the vectorised
:class:`agentc.runtime.reward.RewardMonitor` is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agentc.compiler.backends.graded import Progress, Robust
from agentc.compiler.backends.monitor import OUTSIDE_CODE, MonitorProgram
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, report


@dataclass(frozen=True)
class Payment:
    """One term. ``program`` is the index of its monitor, -1 for ``step``.

    ``task`` pays once when finally true, or at the end if true there; ``safe`` pays once when finally false;
    ``prop`` pays on every step on which its monitor holds; ``step`` on every step. ``ends`` is whether the episode
    ends once its verdict is final; None for a task among those that end it when all of them are.
    """

    kind: Literal["task", "safe", "prop", "step"]
    amount: float
    program: int = -1
    ends: bool | None = None


@dataclass(frozen=True)
class Shaping:
    """The potential of one formula: the mean over the parts of its monitor, ``potentials[part][state]``."""

    program: int
    potentials: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Edge:
    """``on guard -> target : reward``; the guard is the index of a monitor that holds just when the guard does."""

    guard: int
    target: int
    reward: float


@dataclass(frozen=True)
class Machine:
    """An explicit machine: edges are tried in order, no match means stay; entering an accepting state ends."""

    names: tuple[str, ...]
    accepting: tuple[bool, ...]
    edges: tuple[tuple[Edge, ...], ...]
    potentials: tuple[float, ...] = ()


@dataclass(frozen=True)
class RewardState:
    """Where a machine is: the monitors' states, the explicit machine's, which terms have paid, what step 0 owes."""

    states: tuple[tuple[int, ...], ...]
    node: int = 0
    paid: frozenset[int] = frozenset()
    owed: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What one step paid.

    ``reward`` is without the ``shaping``. ``terminated``: nothing follows and nothing is bootstrapped;
    ``truncated``: the episode stops here and the value of what would follow is bootstrapped. ``paid`` is what made the
    reward: of each payment, of each term by degree, and of the explicit machine.
    """

    reward: float
    shaping: float
    terminated: bool
    truncated: bool
    codes: tuple[int, ...]
    paid: tuple[float, ...] = ()


@dataclass(frozen=True)
class RewardMachine:
    """The reward of an agent.

    ``programs`` are the monitors of all its tasks, safes, behaviors and assumptions, in source order and by name,
    then those of propositions and guards. ``needs_time_left``: a time limit is an end, so the time left belongs into
    the observation and nothing is bootstrapped there. ``missing`` are the terms that are not built yet.
    """

    programs: tuple[MonitorProgram, ...]
    payments: tuple[Payment, ...] = ()
    shapings: tuple[Shaping, ...] = ()
    machine: Machine | None = None
    discount: float = 0.99
    needs_time_left: bool = False
    missing: tuple[str, ...] = field(default=())
    progress: tuple[Progress, ...] = ()
    robustness: tuple[Robust, ...] = ()

    # ------------------------------------------------------------ reference

    @property
    def atoms(self) -> tuple[Formula, ...]:
        """The atoms of all monitors, each once: the letters of :meth:`start` and :meth:`step` give their values."""
        return tuple(dict.fromkeys(a for p in self.programs for part in p.parts for a in part.atoms))

    @property
    def graded(self) -> tuple[Progress | Robust, ...]:
        """The terms by degree: by progress, then by robustness."""
        return (*self.progress, *self.robustness)

    def start(self, letter: Mapping[Formula, bool]) -> RewardState:
        """The state after step 0, which pays nothing by itself."""
        states = self._advanced(tuple((0,) * len(p.parts) for p in self.programs), letter)
        node, owed = self._edge(0, self._codes(states))
        return RewardState(states, node, frozenset(), owed)

    def step(
        self,
        state: RewardState,
        letter: Mapping[Formula, bool],
        *,
        terminated: bool = False,
        time_limit: bool = False,
        truncated: bool = False,
        measure: Callable[[Robust], float] | None = None,
    ) -> tuple[RewardState, Outcome]:
        """The next state, and what the step pays.

        ``terminated``: the environment ended. ``time_limit``: it was stopped by its declared limit. ``truncated``: it
        was stopped otherwise. ``measure`` says the robustness that a term is due, of the trace up to this step, as
        :meth:`Robust.value` does. Raises ``ValueError`` for a letter that the declared types rule out, ``TypeError``
        where a robustness is to be paid and nothing measures it.
        """
        states = self._advanced(state.states, letter)
        codes = self._codes(states)
        if OUTSIDE_CODE in codes:
            raise ValueError("the letter has values that the declared types rule out")
        paid = set(state.paid)
        reward = state.owed
        parts = [0.0] * len(self.payments)
        ended = False
        shared: list[bool] = []  # tasks that end the episode when all of them are final
        for at, term in enumerate(self.payments):
            if term.kind == "step":
                parts[at] = term.amount
                reward += term.amount
                continue
            verdict = Verdict(codes[term.program])
            if term.kind == "prop":
                parts[at] = term.amount if verdict.holds else 0.0
                reward += parts[at]
            elif term.kind == "safe":
                if verdict is Verdict.FALSE:
                    parts[at] = term.amount if at not in paid else 0.0
                    reward += parts[at]
                    paid.add(at)
                    ended = ended or term.ends is not False
            else:
                if verdict is Verdict.TRUE and at not in paid:
                    parts[at] = term.amount
                    reward += term.amount
                    paid.add(at)
                if term.ends is None:
                    shared.append(verdict.final)
                elif term.ends and verdict.final:
                    ended = True
        ended = ended or (bool(shared) and all(shared))
        node, earned = self._edge(state.node, codes)
        reward += earned
        if self.machine is not None and self.machine.accepting[node]:
            ended = True
        over = terminated or ended or (time_limit and self.needs_time_left)
        if over:
            for at, term in enumerate(self.payments):
                if term.kind == "task" and at not in paid and Verdict(codes[term.program]).holds:
                    parts[at] = term.amount
                    reward += term.amount
                    paid.add(at)
        made = tuple(
            p.amount * (p.made(states[p.program]) - p.made(state.states[p.program])) for p in self.progress
        )  # fmt: skip
        robust = tuple(self._measured(r, measure) if over or not r.whole else 0.0 for r in self.robustness)
        for gained in (*made, *robust):
            reward += gained
        after = 0.0 if over else self.potential(states, node)
        shaping = self.discount * after - self.potential(state.states, state.node)
        stopped = not over and (time_limit or truncated)
        outcome = Outcome(reward, shaping, over, stopped, codes, (*parts, *made, *robust, state.owed + earned))
        return RewardState(states, node, frozenset(paid), 0.0), outcome

    @staticmethod
    def _measured(term: Robust, measure: Callable[[Robust], float] | None) -> float:
        if measure is None:
            raise TypeError(f"`{term.name}` is paid here, and nothing measures it")
        return term.paid(measure(term))

    def potential(self, states: Sequence[Sequence[int]], node: int) -> float:
        """``Phi`` of a state."""
        total = 0.0
        for s in self.shapings:
            here = states[s.program]
            total += sum(table[u] for table, u in zip(s.potentials, here, strict=True)) / len(here)
        if self.machine is not None and self.machine.potentials:
            total += self.machine.potentials[node]
        return total

    def _advanced(
        self, states: tuple[tuple[int, ...], ...], letter: Mapping[Formula, bool]
    ) -> tuple[tuple[int, ...], ...]:
        return tuple(
            tuple(part.step(s, tuple(letter[a] for a in part.atoms)) for part, s in zip(p.parts, here, strict=True))
            for p, here in zip(self.programs, states, strict=True)
        )

    def _codes(self, states: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
        return tuple(p.verdict(here) for p, here in zip(self.programs, states, strict=True))

    def _edge(self, node: int, codes: tuple[int, ...]) -> tuple[int, float]:
        if self.machine is None or self.machine.accepting[node]:
            return node, 0.0
        for edge in self.machine.edges[node]:
            if codes[edge.guard] >= Verdict.PRESUMABLY_TRUE:
                return edge.target, edge.reward
        return node, 0.0

    # ------------------------------------------------------------ data

    def to_data(self) -> dict[str, Any]:
        """The machine as plain data for JSON."""
        machine = None
        if self.machine is not None:
            m = self.machine
            machine = {
                "names": list(m.names),
                "accepting": list(m.accepting),
                "edges": [[[e.guard, e.target, e.reward] for e in out] for out in m.edges],
                "potentials": list(m.potentials),
            }
        return {
            "programs": [p.to_data() for p in self.programs],
            "payments": [
                {"kind": p.kind, "amount": p.amount, "program": p.program, "ends": p.ends} for p in self.payments
            ],
            "shapings": [
                {"program": s.program, "potentials": [list(row) for row in s.potentials]} for s in self.shapings
            ],
            "machine": machine,
            "discount": self.discount,
            "needs_time_left": self.needs_time_left,
            "missing": list(self.missing),
            "progress": [p.to_data() for p in self.progress],
            "robustness": [r.to_data() for r in self.robustness],
        }

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> RewardMachine:
        """The inverse of :meth:`to_data`. Raises ``ValueError`` if the data is not of that form."""
        try:
            programs = tuple(MonitorProgram.from_data(p) for p in data["programs"])
            m = data["machine"]
            machine = None
            if m is not None:
                edges = tuple(tuple(Edge(int(g), int(t), float(r)) for g, t, r in out) for out in m["edges"])
                machine = Machine(
                    tuple(map(str, m["names"])), tuple(map(bool, m["accepting"])), edges, tuple(m["potentials"])
                )
            payments = tuple(
                Payment(p["kind"], float(p["amount"]), int(p["program"]), p["ends"]) for p in data["payments"]
            )
            shapings = tuple(
                Shaping(int(s["program"]), tuple(tuple(map(float, row)) for row in s["potentials"]))
                for s in data["shapings"]
            )
            made = RewardMachine(
                programs, payments, shapings, machine,
                float(data["discount"]), bool(data["needs_time_left"]), tuple(map(str, data["missing"])),
                tuple(map(Progress.from_data, data["progress"])), tuple(map(Robust.from_data, data["robustness"])),
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a reward machine: {error!r}") from error
        made._check()
        return made

    def _check(self) -> None:
        used = [p.program for p in self.payments if p.kind != "step"]
        used += [s.program for s in self.shapings] + [p.program for p in self.progress]
        used += [r.program for r in self.robustness if r.program != -1]
        size = 0
        if self.machine is not None:
            size = len(self.machine.names)
            used += [e.guard for out in self.machine.edges for e in out]
            targets = [e.target for out in self.machine.edges for e in out]
            if not size or len(self.machine.accepting) != size or len(self.machine.edges) != size:
                raise ValueError("not a reward machine: states are missing")
            if any(not 0 <= t < size for t in targets) or len(self.machine.potentials) not in (0, size):
                raise ValueError("not a reward machine: an edge leads nowhere")
        if any(not 0 <= u < len(self.programs) for u in used):
            raise ValueError("not a reward machine: a term has no monitor")
        if any(p.kind not in ("task", "safe", "prop", "step") for p in self.payments):
            raise ValueError("not a reward machine: a payment of no known kind")
        tables = [(s.program, s.potentials) for s in self.shapings] + [(p.program, p.distances) for p in self.progress]
        for program, rows in tables:
            if [len(row) for row in rows] != [len(p.verdicts) for p in self.programs[program].parts]:
                raise ValueError("not a reward machine: potentials are missing")


def refuse_missing(machine: RewardMachine) -> None:
    """Raise ``AgentcError`` (AS0714) if a term is not built yet: training would optimise another reward."""
    if machine.missing:
        raise AgentcError([report("AS0714", None, term=t) for t in machine.missing])
