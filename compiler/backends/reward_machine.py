"""Reward machines: what is paid on which step, when the episode ends, and the potentials that shape.

Source: Toro Icarte, Klassen, Valenzano, McIlraith, *Reward machines*, JAIR 73, 2022, section 3 (Mealy machines over
labels); the payments are those of LANGUAGE, "Payment". The machine's state is the tuple of the monitors' states, the
state of an explicit ``machine`` block if there is one, and what has been paid; nothing is multiplied out.

:meth:`RewardMachine.step` is the reference, one environment in plain Python; the vectorised
:class:`agentc.runtime.reward.RewardMonitor` is tested against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agentc.compiler.agent import AgentIR, MachineIR, RewardIR
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.backends.base import Artifact, Emission, refused
from agentc.compiler.backends.monitor import OUTSIDE_CODE, MonitorProgram, compile_monitor, split, unmonitored
from agentc.compiler.backends.potentials import machine_values, potentials
from agentc.compiler.logic.fragments import STEPWISE, Fragment, fragment
from agentc.compiler.logic.ir import FUTURE, LAST, Formula, and_, formula
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.source import Span


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
    ``truncated``: the episode stops here and the value of what would follow is bootstrapped.
    """

    reward: float
    shaping: float
    terminated: bool
    truncated: bool
    codes: tuple[int, ...]


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

    # ------------------------------------------------------------ reference

    @property
    def atoms(self) -> tuple[Formula, ...]:
        """The atoms of all monitors, each once: the letters of :meth:`start` and :meth:`step` give their values."""
        return tuple(dict.fromkeys(a for p in self.programs for part in p.parts for a in part.atoms))

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
    ) -> tuple[RewardState, Outcome]:
        """The next state, and what the step pays.

        ``terminated``: the environment ended. ``time_limit``: it was stopped by its declared limit. ``truncated``: it
        was stopped otherwise. Raises ``ValueError`` for a letter that the declared types rule out.
        """
        states = self._advanced(state.states, letter)
        codes = self._codes(states)
        if OUTSIDE_CODE in codes:
            raise ValueError("the letter has values that the declared types rule out")
        paid = set(state.paid)
        reward = state.owed
        ended = False
        shared: list[bool] = []  # tasks that end the episode when all of them are final
        for at, term in enumerate(self.payments):
            if term.kind == "step":
                reward += term.amount
                continue
            verdict = Verdict(codes[term.program])
            if term.kind == "prop":
                reward += term.amount if verdict.holds else 0.0
            elif term.kind == "safe":
                if verdict is Verdict.FALSE:
                    reward += term.amount if at not in paid else 0.0
                    paid.add(at)
                    ended = ended or term.ends is not False
            else:
                if verdict is Verdict.TRUE and at not in paid:
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
                    reward += term.amount
                    paid.add(at)
        after = 0.0 if over else self.potential(states, node)
        shaping = self.discount * after - self.potential(state.states, state.node)
        stopped = not over and (time_limit or truncated)
        return RewardState(states, node, frozenset(paid), 0.0), Outcome(reward, shaping, over, stopped, codes)

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
            )  # fmt: skip
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a reward machine: {error!r}") from error
        made._check()
        return made

    def _check(self) -> None:
        used = [p.program for p in self.payments if p.kind != "step"] + [s.program for s in self.shapings]
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
        for s in self.shapings:
            parts = self.programs[s.program].parts
            if [len(row) for row in s.potentials] != [len(p.verdicts) for p in parts]:
                raise ValueError("not a reward machine: potentials are missing")


# ---------------------------------------------------------------- compilation


def compile_reward(agent: AgentIR) -> tuple[RewardMachine, tuple[Diagnostic, ...]]:
    """The reward machine of an agent (of one without ``reward``: its monitors, no payment), and notes.

    Formulas outside of the fragment, and terms that are not built yet, are named in ``missing`` and in notes (AS0707,
    AS0709). Raises ``AgentcError`` (AS0702) if an automaton is over budget.
    """
    return _Compilation(agent).run()


def at_present(f: Formula) -> Formula:
    """The formula whose monitor holds just when ``f``, which does not look ahead, holds at the last step read."""
    return formula("F", (and_(LAST, f),))


class _Compilation:
    """The monitors and terms of one agent while they are gathered."""

    def __init__(self, agent: AgentIR) -> None:
        self.agent = agent
        self.reward = agent.reward or RewardIR()
        self.programs: list[MonitorProgram] = []
        self.number: dict[str, int] = {}
        self.notes: list[Diagnostic] = []
        self.missing: list[str] = []

    def run(self) -> tuple[RewardMachine, tuple[Diagnostic, ...]]:
        for item in self.agent.formulas:
            operator = unmonitored(item)
            if operator is not None:
                self.notes.append(report("AS0709", item.span, name=item.name, backend="monitor", operator=operator))
                self.missing.append(item.name)
            else:
                self._monitor(item.name, item.formula, item.span)
        payments = self._payments()
        shapings = self._shapings()
        machine = self._machine(self.reward.machine) if self.reward.machine is not None else None
        needs_time_left = any(
            p.kind == "task" and Verdict.PRESUMABLY_TRUE in self._codes(self.programs[p.program]) for p in payments
        )
        return RewardMachine(
            tuple(self.programs), payments, shapings, machine,
            self.reward.discount, needs_time_left, tuple(self.missing),
        ), tuple(self.notes)  # fmt: skip

    def _monitor(self, name: str, f: Formula, span: Span | None) -> int:
        if name not in self.number:
            program, notes = compile_monitor(name, f, self.agent.declared, span)
            self.notes += notes
            self.number[name] = len(self.programs)
            self.programs.append(program)
        return self.number[name]

    def _present(self, f: Formula) -> int | None:
        """The monitor of a formula at the present step, None if it is not built yet."""
        used = fragment(normal(f))
        if not used <= STEPWISE or fragment(f).looks_ahead:
            ahead = fragment(f).operators & {"last", *FUTURE}
            beyond = (*used.beyond(STEPWISE), *sorted(ahead))
            self.notes.append(report("AS0709", None, name=str(f), backend="reward", operator=beyond[0]))
            self.missing.append(str(f))
            return None
        return self._monitor(f"now: {f}", at_present(f), None)

    @staticmethod
    def _codes(program: MonitorProgram) -> set[int]:
        """The verdicts that may be seen after a step. Of parts each for itself: a superset."""
        found: set[int] = set()
        for part in program.parts:
            reached, todo = set(), [0]
            while todo:
                for s in _successors(part, todo.pop()):
                    if s not in reached:
                        reached.add(s)
                        todo.append(s)
            found |= {part.verdicts[s] for s in reached}
        return found

    def _payments(self) -> tuple[Payment, ...]:
        made: list[Payment] = []
        for term in self.reward.terms:
            if term.kind == "step":
                made.append(Payment("step", term.amount))
            elif term.kind == "formula":
                if term.name in self.number:
                    role = self.agent.formula(term.name).role
                    kind: Literal["task", "safe"] = "safe" if role == "safe" else "task"
                    # a behavior is paid like a task, but only tasks are among those that end it together
                    ends = False if role == "behavior" and term.ends is None else term.ends
                    made.append(Payment(kind, term.amount, self.number[term.name], ends))
            elif term.kind == "prop" and term.formula is not None:
                at = self._present(term.formula)
                if at is not None:
                    made.append(Payment("prop", term.amount, at))
            else:
                text = f"{term.kind}({term.name or term.formula})"
                self.notes.append(
                    report("AS0707", None, term=text, mend="pay the task itself, and `shape` it for denser reward")
                )
                self.missing.append(text)
        return tuple(made)

    def _shapings(self) -> tuple[Shaping, ...]:
        amounts = {t.name: t.amount for t in self.reward.terms if t.kind == "formula"}
        made = []
        for name in self.reward.shape:
            if name not in self.number:
                continue
            item = self.agent.formula(name)
            program = self.programs[self.number[name]]
            amount = amounts.get(name, 1.0)
            if item.role == "safe":
                amount = abs(amount)
            pieces = (item.formula,) if len(program.parts) == 1 else split(item.formula)[1]
            tables = []
            for piece, part in zip(pieces, program.parts, strict=True):
                values = potentials(translate_typed(piece, self.agent.declared), amount)
                tables.append((*values, *(0.0,) * (len(part.verdicts) - len(values))))
            made.append(Shaping(self.number[name], tuple(tables)))
        return tuple(made)

    def _machine(self, machine: MachineIR) -> Machine:
        number = {s.name: i for i, s in enumerate(machine.states)}
        edges = []
        for state in machine.states:
            out = []
            for e in state.edges:
                guard = self._present(e.guard)
                if guard is not None:
                    out.append(Edge(guard, number[e.target], e.reward))
            edges.append(tuple(out))
        accepting = tuple(s.accepting for s in machine.states)
        values: tuple[float, ...] = ()
        if machine.name is not None and machine.name in self.reward.shape:
            ways = [[(e.target, e.reward) for e in out] for out in edges]
            values = tuple(machine_values(ways, accepting, self.reward.discount))
        return Machine(tuple(number), accepting, tuple(edges), values)


def _successors(part: Any, state: int) -> set[int]:
    if part.table is not None:
        return set(part.table[state])
    found, seen, todo = set(), set(), [part.roots[state]]
    while todo:
        ref = todo.pop()
        if ref < 0:
            found.add(~ref)
        elif ref not in seen:
            seen.add(ref)
            todo += part.nodes[ref][1:]
    return found


class RewardBackend:
    """The reward machine of an agent as ``reward.json``."""

    name = "reward"
    does: Fragment = STEPWISE

    def accepts(self, fragment: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
        """One diagnostic per operator that needs more than this step and the one before."""
        return refused(self.name, self.does, fragment, span)

    def emit(self, agent: AgentIR) -> Emission:
        """The machine; an agent without a reward has its monitors there."""
        import json

        machine, notes = compile_reward(agent)
        text = json.dumps(machine.to_data(), indent=1, sort_keys=True) + "\n"
        return Emission((Artifact("reward.json", text),), notes)


def refuse_missing(machine: RewardMachine) -> None:
    """Raise ``AgentcError`` (AS0714) if a term is not built yet: training would optimise another reward."""
    if machine.missing:
        raise AgentcError([report("AS0714", None, term=t) for t in machine.missing])
