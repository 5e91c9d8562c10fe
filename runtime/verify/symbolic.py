"""The methods ``bmc`` and ``induction``: a finite system and its formula's automaton unrolled for the solver z3.

Armin Biere, Alessandro Cimatti, Edmund Clarke, Yunshan Zhu: "Symbolic Model Checking without BDDs", TACAS 1999; Mary
Sheeran, Satnam Singh, Gunnar Stålmarck: "Checking Safety Properties Using Induction and a SAT-Solver", FMCAD 2000.
Deviation: whole numbers in their declared ranges instead of bit vectors, which leaves their width to the solver.

A violation is replayed: each of its steps is one that the declaration allows, and its trace violates the formula under
the reference semantics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from time import monotonic
from typing import Any

import numpy as np

from agentc.compiler.agent import SystemIR, VariableIR
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.codec import encode_agent
from agentc.compiler.logic.ir import Formula, atoms
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict as Code
from agentc.compiler.systems.commands import Commands, values_of
from agentc.compiler.systems.graph import Graph, decode, encode, graph_of
from agentc.runtime.verify.answer import Answer, Verdict, unknown
from agentc.runtime.verify.certificate import Certificate
from agentc.runtime.verify.checker import check
from agentc.runtime.verify.checker.induction import Obligations
from agentc.runtime.verify.model.method import ModelMethod
from agentc.runtime.verify.problem import Problem
from agentc.runtime.verify.refutations import NoArgumentError, argument_of

LINEAR = frozenset(("const", "var", "neg", "abs", "add", "sub", "mul", "min", "max", "truth", "true", "false", "not",
                    "and", "or", "compare"))  # fmt: skip
"""What the encoding does."""


class _Arithmetic:
    """Terms of the solver: numbers are whole, constants exact."""

    def __init__(self, z3: Any) -> None:
        self._z3 = z3

    def const(self, value: float) -> Any:
        exact = Fraction(value)
        return self._z3.IntVal(exact.numerator) if exact.denominator == 1 else self._z3.Q(
            exact.numerator, exact.denominator
        )  # fmt: skip

    def truth(self, value: bool) -> Any:
        return self._z3.BoolVal(value)

    def apply(self, op: str, args: Sequence[Any], value: float | str | None) -> Any:
        z3 = self._z3
        match op:
            case "neg":
                return -args[0]
            case "abs":
                return z3.If(args[0] >= 0, args[0], -args[0])
            case "add":
                return args[0] + args[1]
            case "sub":
                return args[0] - args[1]
            case "mul":
                return args[0] * args[1]
            case "min" | "max":
                found = args[0]
                for arg in args[1:]:
                    found = z3.If(found <= arg if op == "min" else found >= arg, found, arg)
                return found
            case "truth":
                return args[0] != 0
            case "not":
                return z3.Not(args[0])
            case "and":
                return z3.And(*args)
            case "or":
                return z3.Or(*args)
            case "compare":
                a, b = args
                return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[str(value)]
        raise ValueError(f"`{op}` is not encoded")


class Unrolling:
    """The steps ``0 .. k`` of a system with the automaton, as terms; ``state[t]`` maps names to terms."""

    def __init__(self, system: SystemIR, automaton: DFA, free: bool = False) -> None:
        import z3  # type: ignore[import-untyped]

        self._free = free  # the automaton's first state is any
        self.z3, self.system, self.automaton = z3, system, automaton
        self._arithmetic = _Arithmetic(z3)
        variables = system.variables
        self._updates = [
            (graph_of([c.guard], variables),
             [[(e.target, self._graph(e.value, e.target)) for e in b.updates] for b in c.branches if b.probability > 0])
            for c in system.commands
        ]  # fmt: skip
        self._equations = [(e.target, self._graph(e.value, e.target)) for e in system.equations]
        self._atoms = [graph_of([a], variables) for a in automaton.atoms]
        self.state: list[dict[str, Any]] = []
        self.memory: list[Any] = []

    def _graph(self, value: Any, target: str) -> Graph:
        variable = next(v for v in self.system.variables if v.name == target)
        return graph_of([value], self.system.variables, (variable,))

    def more(self) -> list[Any]:
        """The constraints of one step more: ranges, and from the second on the transition that leads there."""
        z3, t = self.z3, len(self.state)
        self.state.append({v.name: z3.Int(f"{v.name}@{t}") for v in self.system.states})
        made = [self._ranged(v, self.state[t][v.name]) for v in self.system.states]
        if t:
            held = {v.name: z3.Int(f"{v.name}@{t}") for v in self.system.inputs}
            made += [self._ranged(v, held[v.name]) for v in self.system.inputs]
            made.append(self._transition({**self.state[t - 1], **held}, self.state[t]))
        letter = [g.walk(self._arithmetic, self.state[t])[0] for g in self._atoms]
        self.memory.append(z3.Int(f"automaton@{t}"))
        before = self.memory[t - 1] if t else z3.IntVal(0)
        if t == 0 and self._free:
            made.append(z3.And(self.memory[0] >= 0, self.memory[0] < self.automaton.size))
        else:
            made.append(self.memory[t] == self._read(before, letter))
        return made

    def initial(self) -> Any:
        """That step 0 is a start."""
        z3, ways = self.z3, []
        for component in self.system.initial.components:
            by_name = {s.variable: s for s in component.starts}
            parts = []
            for v in self.system.states:
                start, x = by_name[v.name], self.state[0][v.name]
                values = [int(encode(value, v)) for value in start.values]
                if start.kind in ("range", "uniform"):
                    parts.append(z3.And(x >= values[0], x <= values[1]))
                else:
                    parts.append(z3.Or(*(x == value for value in values)))
            if component.constraint is not None:
                graph = graph_of([component.constraint], self.system.states)
                parts.append(graph.walk(self._arithmetic, self.state[0])[0])
            ways.append(z3.And(*parts))
        return z3.Or(*ways)

    def violated(self, t: int) -> Any:
        """That the verdict after step ``t`` is finally false."""
        bad = [q for q, v in enumerate(self.automaton.verdicts) if v == Code.FALSE]
        return self.z3.Or(*(self.memory[t] == q for q in bad)) if bad else self.z3.BoolVal(False)

    def _ranged(self, v: VariableIR, x: Any) -> Any:
        domain = values_of(v)
        return self.z3.And(x >= domain.start, x < domain.stop)

    def _transition(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> Any:
        z3 = self.z3
        if not self.system.commands:
            return z3.And(*(self._becomes(after[name], graph, before) for name, graph in self._equations))
        ways: list[Any] = []
        earlier: list[Any] = []
        for guard, branches in self._updates:
            enabled = guard.walk(self._arithmetic, before)[0]
            first = z3.And(enabled, *(z3.Not(e) for e in earlier)) if self.system.inputs else enabled
            for updates in branches:
                named = {name for name, _ in updates}
                kept = [after[v.name] == before[v.name] for v in self.system.states if v.name not in named]
                moved = [self._becomes(after[name], graph, before) for name, graph in updates]
                ways.append(z3.And(first, *moved, *kept))
            earlier.append(enabled)
        return z3.Or(*ways)

    def _becomes(self, after: Any, graph: Graph, before: Mapping[str, Any]) -> Any:
        value = graph.walk(self._arithmetic, before)[0]
        if self.z3.is_bool(value):
            value = self.z3.If(value, 1, 0)
        return after == value

    def _read(self, before: Any, letter: Sequence[Any]) -> Any:
        """The automaton's next state."""
        z3, made = self.z3, {}

        def at(ref: int) -> Any:
            if ref < 0:
                return z3.IntVal(~ref)
            if ref not in made:
                level, low, high = self.automaton.nodes[ref]
                made[ref] = z3.If(letter[level], at(high), at(low))
            return made[ref]

        found = at(self.automaton.roots[-1])
        for q in range(self.automaton.size - 2, -1, -1):
            found = z3.If(before == q, at(self.automaton.roots[q]), found)
        return found


def symbolic_refusal(problem: Problem) -> str | None:
    """Why an item cannot be unrolled; None if it can."""
    if problem.item.bound is not None:
        return "it asks for a probability"
    if problem.agent.system is None:
        return "the agent has no declared system"
    why = ModelMethod().refusal(problem)
    if why is not None:
        return why
    system = problem.agent.system
    if problem.role != "safe":
        return "it is judged on whole runs: only what a prefix violates is searched, so make it `safe`"
    graphs = [graph_of([c.guard], system.variables) for c in system.commands]
    updates = [e for c in system.commands for b in c.branches for e in b.updates]
    by_name = {v.name: v for v in system.variables}
    graphs += [graph_of([e.value], system.variables, (by_name[e.target],)) for e in (*updates, *system.equations)]
    graphs += [graph_of([a], system.states) for a in atoms(problem.item.formula)]
    odd = [n.op for g in graphs for n in g.nodes if n.op not in LINEAR]
    return f"the system or the formula has `{odd[0]}`" if odd else None


@dataclass(frozen=True)
class BmcMethod:
    """Looks for a violation of at most so many steps; proves nothing."""

    name: str = "bmc"

    def refusal(self, problem: Problem) -> str | None:
        """It needs a finite system and a formula that a prefix violates."""
        return symbolic_refusal(problem)

    def solve(self, problem: Problem) -> Answer:
        """Falsified with a shortest run, or unknown with the depth that was searched."""
        bound = int(problem.settings(self.name)["bound"])
        horizon = problem.agent.environment.horizon if problem.agent.environment else None
        found, depth = _search(problem, bound if horizon is None else min(bound, horizon))
        if found is not None:
            return found
        return unknown(self.name, f"no run of at most {depth} steps violates it", depth=depth)


@dataclass(frozen=True)
class InductionMethod:
    """Proves that no prefix violates a formula by k-induction over states that differ."""

    name: str = "induction"

    def refusal(self, problem: Problem) -> str | None:
        """It needs a finite system and a formula that a prefix violates."""
        return symbolic_refusal(problem)

    def solve(self, problem: Problem) -> Answer:
        """Proved by some k up to the setting, falsified by a run of at most that many steps, else unknown."""
        system = problem.agent.system
        assert system is not None
        most = int(problem.settings(self.name)["k"])
        automaton = translate_typed(problem.item.formula, problem.agent.declared, span=problem.item.span)
        base, depth = _search(problem, most)
        if base is not None:
            return base
        if depth < most:
            return unknown(self.name, f"the time was over at depth {depth}")
        unrolled = Unrolling(system, automaton, free=True)
        z3 = unrolled.z3
        solver = z3.Solver()
        solver.add(*unrolled.more())
        for k in range(1, most + 1):
            solver.add(z3.Not(unrolled.violated(k - 1)))
            solver.add(*unrolled.more())
            now = unrolled.state[k], unrolled.memory[k]
            for t in range(k):  # a path that visits a state twice can be made shorter
                solver.add(z3.Or(unrolled.memory[t] != now[1], *(unrolled.state[t][n] != x for n, x in now[0].items())))
            if problem.left() <= 0:
                return unknown(self.name, f"the time was over at k = {k}")
            solver.set("timeout", max(1, int(1000 * problem.left())))
            problem.progress(f"k = {k}")
            if solver.check(unrolled.violated(k)) == z3.unsat:
                return _proved(problem, system, k)
        return unknown(self.name, f"it is not k-inductive for k up to {most}", k=most)


def _proved(problem: Problem, system: SystemIR, k: int) -> Answer:
    """The proof by some ``k``, with a certificate where one is found: of the paths, else of the reachable states."""
    said = f"it is {k}-inductive: no {k} states in a row without a violation lead to one"
    assumptions = (
        f"`{system.name}` is the transition system that it declares, within its variables' ranges",
        "its arithmetic is that of exact numbers",
    )
    evidence: dict[str, Any] = {"k": k}
    item = problem.agent.verifies.index(problem.item)
    subject = {"agent": encode_agent(problem.agent), "item": item}
    problem.progress("certificate")
    try:
        deadline = monotonic() + 0.7 * problem.left()
        argument = argument_of(Obligations(problem.agent, item), k, deadline)
        certificate = Certificate("induction", subject, {"holds": "no run violates it"}, argument)
    except NoArgumentError as error:
        evidence["no paths"] = str(error)
        explicit = ModelMethod().solve(problem.within(problem.left()))
        if explicit.certificate is None or not explicit.checked:
            return Answer(Verdict.PROVED, "induction", said, assumptions, evidence)
        certificate = explicit.certificate
        said += "; the certificate lists the reachable states"
    finding = check(json.loads(json.dumps(certificate.data())))
    if not finding.accepted:
        return Answer(Verdict.PROVED, "induction", f"{said}; the checker did not follow: {finding.reason}", assumptions,
                      evidence)  # fmt: skip
    return Answer(Verdict.PROVED, "induction", said, assumptions, {**evidence, **finding.facts}, certificate, True)


def _search(problem: Problem, bound: int) -> tuple[Answer | None, int]:
    """A shortest violation of at most ``bound`` steps, and the depth that was searched."""
    system = problem.agent.system
    assert system is not None
    automaton = translate_typed(problem.item.formula, problem.agent.declared, span=problem.item.span)
    unrolled = Unrolling(system, automaton)
    z3 = unrolled.z3
    solver = z3.Solver()
    for depth in range(bound + 1):
        solver.add(*unrolled.more())
        if depth == 0:
            solver.add(unrolled.initial())
        if problem.left() <= 0:
            return None, depth - 1
        solver.set("timeout", max(1, int(1000 * problem.left())))
        problem.progress(f"depth {depth}")
        came = solver.check(unrolled.violated(depth))
        if came == z3.unknown:
            return None, depth - 1
        if came == z3.sat:
            answer = _replayed(problem, system, unrolled, solver.model())
            return answer, depth
        solver.add(z3.Not(unrolled.violated(depth)))
    return None, bound


def _replayed(problem: Problem, system: SystemIR, unrolled: Unrolling, model: Any) -> Answer:
    """The violation of a model of the solver, if each step is one that the declaration allows."""
    rows = np.array([
        [model.eval(state[v.name], model_completion=True).as_long() for v in system.states] for state in unrolled.state
    ], float)  # fmt: skip
    valuations = [{v.name: decode(float(x), v) for v, x in zip(system.states, row, strict=True)} for row in rows]
    method = problem.item.method or "bmc"
    formula: Formula = problem.item.formula
    if not _allowed(system, rows) or evaluate(formula, Trace(valuations)):
        return unknown(method, "the solver's run does not replay")
    return Answer(
        Verdict.FALSIFIED, method, f"a run of {len(rows) - 1} steps violates it", evidence={"trace": valuations}
    )


def _allowed(system: SystemIR, rows: Any) -> bool:
    """Whether each row follows from the one before, by some action and branch, evaluated with numbers."""
    commands = Commands(system)
    for before, after in pairwise(rows):
        state = before[None]
        columns = commands.columns(state)
        taken = commands.taken(columns, 1)[:, 0]
        found = False
        for a, index in enumerate(taken):
            if index < 0:
                continue
            part = dict(columns)
            if commands.valuations is not None:
                for v, x in zip(commands.inputs, commands.valuations[a], strict=True):
                    part[v.name] = np.array([x])
            command = commands.commands[index]
            found |= any((commands.updated(b, part, state, command.name)[0] == after).all() for b in command.branches)
        if not found:
            return False
    return True
