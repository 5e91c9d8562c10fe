"""Checks an ``induction`` certificate: no run of a finite transition system violates a formula, by k-induction.

The certificate has the agent's meaning, which item it is about, ``k``, and for the two obligations of k-induction
(Sheeran, Singh, Stålmarck, FMCAD 2000) what closes their paths:

- base: no run of fewer than ``k`` steps from a start violates;
- step: ``k`` states in a row without a violation, from any valuation and any state of the automaton, lead to none.

The checker walks all paths itself (:mod:`agentc.runtime.verify.checker.paths`): the values are linear forms over the
first state and the inputs, and the certificate's tokens say which paths contradict themselves, and by which sum.

The automaton is the compiler's translation; its verdicts are recomputed here. No solver and no floating point is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.codec import decode_agent
from agentc.compiler.systems.commands import Commands
from agentc.compiler.systems.graph import Graph, encode, graph_of
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.paths import ClosedError, Form, Oracle, Way, added, scaled, walked
from agentc.runtime.verify.checker.transitions import finite_values, hopeless

DEEPEST = 10_000
"""The greatest ``k``."""


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    if claim != {"holds": "no run violates it"} or set(subject) != {"agent", "item"}:
        raise RejectedError("it claims something else")
    if set(argument) != {"k", "base", "step"} or type(argument["k"]) is not int or not 0 < argument["k"] <= DEEPEST:
        raise RejectedError("its argument has other parts")
    try:
        obligations = Obligations(decode_agent(subject["agent"]), subject["item"])
    except AgentcError as error:
        raise RejectedError(error.diagnostics[0].message) from error
    paths = 0
    for name, walk in (("base", obligations.base), ("step", obligations.step)):
        tokens = argument[name]
        if not isinstance(tokens, list):
            raise RejectedError(f"its {name} is no list")
        rest: Iterator[Any] = iter(tokens)
        paths += walk(argument["k"], _Read(rest, name))
        if next(rest, None) is not None:
            raise RejectedError(f"its {name} goes on after all paths are closed")
    return {"k": argument["k"], "paths": paths, "tokens": len(argument["base"]) + len(argument["step"])}


@dataclass(frozen=True)
class _Read:
    """The oracle that gives a certificate's tokens in order."""

    tokens: Iterator[Any]
    name: str

    def __call__(self, _: Way) -> Any:
        for token in self.tokens:
            return token
        raise RejectedError(f"its {self.name} ends before all paths are closed")


# ---------------------------------------------------------------- the system


class Obligations:
    """What k-induction asks of an item: the paths of its base and of its step."""

    def __init__(self, agent: Any, item: Any) -> None:
        if type(item) is not int or not 0 <= item < len(agent.verifies):
            raise RejectedError("the agent has no such item")
        self.item, system = agent.verifies[item], agent.system
        if system is None or self.item.bound is not None:
            raise RejectedError("the item is no formula of a declared system")
        self.automaton = translate_typed(self.item.formula, agent.declared)
        self.commands = Commands(system)
        self.system, self.states, self.inputs = system, system.states, system.inputs
        self.violated = set(hopeless(self.automaton))
        self.atoms = [graph_of([a], self.states) for a in self.automaton.atoms]
        self.ranges = {v.name: finite_values(v) for v in (*self.states, *self.inputs)}

    def base(self, k: int, oracle: Oracle) -> int:
        """All runs of fewer than ``k`` steps from a start."""

        def run(path: Way) -> None:
            values, q = self._start(path), 0
            for t in range(k):
                if t:
                    values = self._transition(path, values)
                q = self._read(path, values, q)
                if q in self.violated:
                    path.impossible(f"a run of {t} steps violates it")

        return walked(run, oracle)

    def step(self, k: int, oracle: Oracle) -> int:
        """All paths of ``k`` steps from anywhere whose first ``k`` states do not violate."""
        open_ = [q for q in range(self.automaton.size) if q not in self.violated]

        def run(path: Way) -> None:
            q = open_[path.choose(len(open_))]
            values = {v.name: self._free(path, v.name) for v in self.states}
            for t in range(1, k + 1):
                values = self._transition(path, values)
                q = self._read(path, values, q)
                if q in self.violated:
                    if t == k:
                        path.impossible(f"{k} states without a violation lead to one")
                    return

        return walked(run, oracle)

    def _free(self, path: Way, name: str) -> Form:
        domain = self.ranges[name]
        return path.variable(domain.start, domain.stop - 1)

    def _start(self, path: Way) -> dict[str, Form]:
        components = self.system.initial.components
        component = components[path.choose(len(components))]
        starts, values = {s.variable: s for s in component.starts}, {}
        for v in self.states:
            start = starts[v.name]
            given = [int(encode(value, v)) for value in start.values]
            if start.kind in ("range", "uniform"):
                values[v.name] = path.variable(given[0], given[1])
            elif start.kind in ("point", "set"):
                values[v.name] = {-1: Fraction(given[path.choose(len(given))])}
            else:
                raise RejectedError("the initial set is not finite")
        return values  # a constraint only makes the set smaller

    def _transition(self, path: Way, values: dict[str, Form]) -> dict[str, Form]:
        """The values after one step: of any command without inputs, of the first that is enabled with them."""
        known = {**values, **{v.name: self._free(path, v.name) for v in self.inputs}}
        chosen = path.choose(len(self.commands.commands))
        for i, command in enumerate(self.commands.commands):
            if i == chosen or (self.inputs and i < chosen):
                enabled = _Walk(path, command.guard, known).truth(command.guard.roots[0])
                if enabled != (i == chosen):
                    raise ClosedError
        command = self.commands.commands[chosen]
        branch = command.branches[path.choose(len(command.branches))]
        walk, after = _Walk(path, branch.graph, known), dict(values)
        for target, root in zip(branch.targets, branch.graph.roots, strict=True):
            after[self.states[target].name] = walk.number(root)
        for v in self.states:  # what a variable cannot be is no step: the simulator refuses it
            domain, form = self.ranges[v.name], after[v.name]
            below = path.holds(added(form, {-1: Fraction(domain.stop - 1)}, -1))
            if not below or not path.holds(added({-1: Fraction(domain.start)}, form, -1)):
                raise ClosedError
        return after

    def _read(self, path: Way, values: dict[str, Form], q: int) -> int:
        """The automaton's next state."""
        ref = self.automaton.roots[q]
        while ref >= 0:
            level, low, high = self.automaton.nodes[ref]
            atom = self.atoms[level]
            ref = high if _Walk(path, atom, values).truth(atom.roots[0]) else low
        if ~ref >= self.automaton.size:
            path.impossible("a state has a label that the automaton rules out")
        return ~ref


class _Walk:
    """A graph's nodes under values of its variables, on one path."""

    def __init__(self, path: Way, graph: Graph, values: Mapping[str, Form]) -> None:
        self.path, self.graph, self.values = path, graph, values
        self.known: dict[int, Any] = {}

    def number(self, i: int) -> Form:
        """A node as a form; a truth value is 1 or 0."""
        found = self._node(i)
        if isinstance(found, bool):
            return {-1: Fraction(1)} if found else {}
        return found  # type: ignore[no-any-return]

    def truth(self, i: int) -> bool:
        """A node as a truth value."""
        found = self._node(i)
        if not isinstance(found, bool):
            raise RejectedError("a number stands where a truth value should")
        return found

    def _node(self, i: int) -> Any:
        if i not in self.known:
            self.known[i] = self._evaluated(*self.graph.nodes[i])
        return self.known[i]

    def _evaluated(self, op: str, args: tuple[int, ...], value: Any) -> Any:
        holds = self.path.holds
        match op:
            case "const":
                return {-1: Fraction(value)} if value else {}
            case "var":
                return self.values[str(value)]
            case "true" | "false":
                return op == "true"
            case "not":
                return not self.truth(args[0])
            case "and":
                return all(self.truth(a) for a in args)
            case "or":
                return any(self.truth(a) for a in args)
            case "truth":
                return not self._equal(self.number(args[0]))
        forms = [self.number(a) for a in args]
        match op:
            case "neg":
                return scaled(forms[0], -1)
            case "abs":
                return scaled(forms[0], -1 if holds(forms[0]) else 1)
            case "add" | "sub":
                return added(forms[0], forms[1], 1 if op == "add" else -1)
            case "mul":
                return self.path.product(*forms)
            case "min" | "max":
                found = forms[0]
                for form in forms[1:]:
                    first = holds(added(found, form, -1))
                    found = found if first == (op == "min") else form
                return found
            case "compare":
                less, more = added(forms[0], forms[1], -1), added(forms[1], forms[0], -1)
                if value in ("==", "!="):
                    return self._equal(less) == (value == "==")
                return {"<=": lambda: holds(less), ">=": lambda: holds(more),
                        "<": lambda: not holds(more), ">": lambda: not holds(less)}[value]()  # fmt: skip
        raise RejectedError(f"the operator `{op}` is not one that is checked")

    def _equal(self, form: Form) -> bool:
        return self.path.holds(form) and self.path.holds(scaled(form, -1))


def evaluated(way: Way, graph: Graph, values: Mapping[str, Form]) -> Form:
    """The first root of a graph as a form, on a path."""
    return _Walk(way, graph, values).number(graph.roots[0])
