"""From an agent's ``reward`` block to its reward machine: which monitors, payments, potentials and terms by degree."""

from __future__ import annotations

import json
from math import inf
from typing import Any, Literal

from agentc.compiler.agent import AgentIR, MachineIR, RewardIR, RewardTermIR
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.backends.base import Artifact, Emission, refused
from agentc.compiler.backends.graded import Progress, Robust
from agentc.compiler.backends.monitor import MonitorProgram, compile_monitor, split, unmonitored
from agentc.compiler.backends.potentials import efforts, machine_values, potentials
from agentc.compiler.backends.reward_machine import Edge, Machine, Payment, RewardMachine, Shaping
from agentc.compiler.logic.fragments import STEPWISE, Fragment, fragment
from agentc.compiler.logic.ir import FUTURE, LAST, Formula, and_, formula
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.signals.plan import FRAGMENT as ROBUST
from agentc.lang.diagnostics import Diagnostic, report
from agentc.lang.source import Span


def compile_reward(agent: AgentIR) -> tuple[RewardMachine, tuple[Diagnostic, ...]]:
    """The reward machine of an agent (of one without ``reward``: its monitors, no payment), and notes.

    Formulas outside of the fragment, and terms on them, are named in ``missing`` and in notes (AS0709). Raises
    ``AgentcError`` (AS0702) if an automaton is over budget.
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
        progress, robust = self._graded()
        needs_time_left = any(r.whole for r in robust) or any(
            p.kind == "task" and Verdict.PRESUMABLY_TRUE in self._codes(self.programs[p.program]) for p in payments
        )
        return RewardMachine(
            tuple(self.programs), payments, shapings, machine,
            self.reward.discount, needs_time_left, tuple(self.missing), progress, robust,
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
        return tuple(made)

    def _graded(self) -> tuple[tuple[Progress, ...], tuple[Robust, ...]]:
        """The terms by degree."""
        progress, robust = [], []
        for term in self.reward.terms:
            if term.kind not in ("progress", "robustness") or term.formula is None:
                continue
            name = f"{term.kind}({term.name or term.formula})"
            able, terms = (ROBUST, "robustness") if term.kind == "robustness" else (STEPWISE, "reward")
            used = fragment(term.formula if term.kind == "robustness" else normal(term.formula))
            if not used <= able:
                self.notes.append(report("AS0709", term.span, name=name, backend=terms, operator=used.beyond(able)[0]))
                self.missing.append(name)
            elif term.kind == "progress":
                progress.append(self._progress(term, name))
            else:
                named = [item.name for item in self.agent.formulas if item.formula is term.formula]
                known = next((self.number[n] for n in named if n in self.number), -1)
                robust.append(Robust(name, term.amount, term.formula, term.clip, used.temporal, known))
        return tuple(progress), tuple(robust)

    def _progress(self, term: RewardTermIR, name: str) -> Progress:
        assert term.formula is not None
        named = [item.name for item in self.agent.formulas if item.formula is term.formula and item.name in self.number]
        at = self.number[named[0]] if named else self._monitor(name, term.formula, term.span)
        program = self.programs[at]
        tables = []
        for piece, part in zip(_pieces(term.formula, program), program.parts, strict=True):
            known = efforts(translate_typed(piece, self.agent.declared))
            tables.append((*known, *(inf,) * (len(part.verdicts) - len(known))))
        return Progress(name, term.amount, at, tuple(tables), program.join)

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
            tables = []
            for piece, part in zip(_pieces(item.formula, program), program.parts, strict=True):
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


def _pieces(f: Formula, program: MonitorProgram) -> tuple[Formula, ...]:
    """The formulas that the parts of a monitor watch."""
    return (f,) if len(program.parts) == 1 else tuple(split(f)[1])


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
        machine, notes = compile_reward(agent)
        text = json.dumps(machine.to_data(), indent=1, sort_keys=True) + "\n"
        return Emission((Artifact("reward.json", text),), notes)
