"""Monitors: an automaton as a table that steps many environments at once.

A monitor is a conjunction or disjunction of parts, one table each: where the automaton of the whole is too large,
the tuple of the parts' states does its work. The verdict of a conjunction is the least of the parts', of a
disjunction the greatest: right at every step, but what is final only for the parts together is called final late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agentc.compiler.agent import AgentIR, FormulaIR, SignalIR
from agentc.compiler.automata.classes import letter_classes
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.backends.base import Artifact, Emission, refused
from agentc.compiler.logic.fragments import STEPWISE, Fragment, fragment
from agentc.compiler.logic.ir import Formula, formula, from_data, to_data
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.lang.source import Span

OUTSIDE_CODE = 4
"""The verdict code of a state that only values outside of their declared types lead to."""

WHOLE_STATES, WHOLE_SECONDS = 20_000, 10.0
"""The budget of the automaton of the whole where it could be split into parts."""


@dataclass(frozen=True)
class MonitorTable:
    """One automaton as a table.

    ``nodes`` and ``root`` tell the class of a letter (a node ``(i, low, high)`` tests atom ``i``, a negative
    reference ``~c`` is class ``c``), ``table[state][class]`` is the next state, state 0 is the initial one, which
    has read nothing, and ``verdicts[state]`` is the code of the verdict in that state (``Verdict``, or
    ``OUTSIDE_CODE``). Without a ``table`` there were too many classes: then ``roots[state]`` are the diagrams of the
    states in ``nodes``, and a negative reference is the next state.
    """

    atoms: tuple[Formula, ...]
    nodes: tuple[tuple[int, int, int], ...]
    root: int
    table: tuple[tuple[int, ...], ...] | None
    roots: tuple[int, ...]
    verdicts: tuple[int, ...]

    def step(self, state: int, letter: tuple[bool, ...]) -> int:
        """The next state."""
        ref = self.root if self.table is not None else self.roots[state]
        while ref >= 0:
            level, low, high = self.nodes[ref]
            ref = high if letter[level] else low
        return self.table[state][~ref] if self.table is not None else ~ref

    def to_data(self) -> dict[str, Any]:
        """The table as plain data for JSON."""
        return {
            "atoms": to_data(*self.atoms),
            "letters": [str(a) for a in self.atoms],
            "nodes": [list(n) for n in self.nodes],
            "root": self.root,
            "roots": list(self.roots),
            "table": None if self.table is None else [list(row) for row in self.table],
            "verdicts": list(self.verdicts),
        }

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> MonitorTable:
        """The inverse of :meth:`to_data`. Raises ``ValueError`` if the data is not of that form."""
        try:
            atoms = tuple(a for a in from_data(data["atoms"]) if isinstance(a, Formula))
            table = data["table"]
            made = MonitorTable(
                atoms,
                tuple((int(n[0]), int(n[1]), int(n[2])) for n in data["nodes"]),
                int(data["root"]),
                None if table is None else tuple(tuple(map(int, row)) for row in table),
                tuple(map(int, data["roots"])),
                tuple(map(int, data["verdicts"])),
            )
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError(f"not a monitor: {error!r}") from error
        made._check()
        return made

    def _check(self) -> None:
        """Raise ``ValueError`` for a table that could not be stepped."""
        size, nodes = len(self.verdicts), len(self.nodes)
        columns = len(self.table[0]) if self.table else 0
        leaves = columns if self.table is not None else size
        for at, (level, low, high) in enumerate(self.nodes):
            if not 0 <= level < len(self.atoms) or any(c >= at or ~c >= leaves for c in (low, high)):
                raise ValueError(f"not a monitor: node {at} is {(level, low, high)}")
        starts = (self.root,) if self.table is not None else self.roots
        if any(r >= nodes or ~r >= leaves for r in starts) or any(not 0 <= v <= OUTSIDE_CODE for v in self.verdicts):
            raise ValueError("not a monitor: a reference leads nowhere")
        rows = self.table if self.table is not None else [()] * len(self.roots)
        if len(rows) != size or any(len(row) != columns or any(not 0 <= s < size for s in row) for row in rows):
            raise ValueError("not a monitor: the table is not states by classes")


@dataclass(frozen=True)
class MonitorProgram:
    """The monitor of one formula: its parts, and how their verdicts are joined.

    ``exact`` says that finality is exact over the letters that the types allow; else it may be late.
    """

    name: str
    parts: tuple[MonitorTable, ...]
    join: Literal["and", "or"] = "and"
    exact: bool = True

    def verdict(self, states: Iterable[int]) -> int:
        """The joined verdict code of the parts' states; ``OUTSIDE_CODE`` if any is outside."""
        codes = [part.verdicts[s] for part, s in zip(self.parts, states, strict=True)]
        if OUTSIDE_CODE in codes:
            return OUTSIDE_CODE
        return min(codes) if self.join == "and" else max(codes)

    def to_data(self) -> dict[str, Any]:
        """The program as plain data for JSON."""
        parts = [part.to_data() for part in self.parts]
        return {"name": self.name, "join": self.join, "exact": self.exact, "parts": parts}

    @staticmethod
    def from_data(data: Mapping[str, Any]) -> MonitorProgram:
        """The inverse of :meth:`to_data`. Raises ``ValueError`` if the data is not of that form."""
        try:
            join: Literal["and", "or"] = "or" if data["join"] == "or" else "and"
            parts = tuple(MonitorTable.from_data(part) for part in data["parts"])
            return MonitorProgram(str(data["name"]), parts, join, bool(data["exact"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a monitor: {error!r}") from error


def tabulate(dfa: DFA) -> MonitorTable:
    """The table of an automaton."""
    codes = (*map(int, dfa.verdicts), *((OUTSIDE_CODE,) if dfa.partial else ()))
    classes = letter_classes(dfa)
    if classes is not None:
        return MonitorTable(dfa.atoms, classes.nodes, classes.root, classes.table, (), codes)
    roots = (*dfa.roots, *((~dfa.size,) if dfa.partial else ()))
    return MonitorTable(dfa.atoms, dfa.nodes, 0, None, roots, codes)


def split(f: Formula) -> tuple[Literal["and", "or"], tuple[Formula, ...]]:
    """The parts of a formula at its top, with ``G`` distributed over ``and`` and ``F`` over ``or``."""
    op: Literal["and", "or"] = "or" if f.op in ("or", "F") else "and"
    spread = "F" if op == "or" else "G"
    parts: list[Formula] = []
    todo = [f]
    while todo:
        node = todo.pop()
        if node.op == op:
            todo.extend(reversed(node.args))
        elif node.op == spread and node.args[0].op == op:
            todo.extend(formula(spread, (a,), node.interval) for a in reversed(node.args[0].args))
        else:
            parts.append(node)
    return op, tuple(dict.fromkeys(parts))


def compile_monitor(
    name: str, f: Formula, signals: Iterable[SignalIR], span: Span | None = None
) -> tuple[MonitorProgram, tuple[Diagnostic, ...]]:
    """The monitor of a formula, and a note (AS0703) if it had to be split into parts.

    Raises ``AgentcError`` (AS0702) if a part is over budget.
    """
    declared = tuple(signals)
    join, parts = split(f)
    if len(parts) == 1:
        return MonitorProgram(name, (tabulate(translate_typed(f, declared, span=span)),)), ()
    try:
        whole = translate_typed(f, declared, max_states=WHOLE_STATES, max_seconds=WHOLE_SECONDS, span=span)
        return MonitorProgram(name, (tabulate(whole),)), ()
    except AgentcError as error:
        limit = error.diagnostics[0].values.get("limit", "")
    tables = tuple(tabulate(translate_typed(part, declared, span=span)) for part in parts)
    note = report("AS0703", span, formula=name, parts=len(parts), limit=limit)
    return MonitorProgram(name, tables, join, exact=False), (note,)


class MonitorBackend:
    """Monitors of an agent's formulas as ``monitors.json``."""

    name = "monitor"
    does: Fragment = STEPWISE

    def accepts(self, fragment: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
        """One diagnostic per operator that needs more than this step and the one before."""
        return refused(self.name, self.does, fragment, span)

    def emit(self, agent: AgentIR) -> Emission:
        """The monitors of all formulas; those outside of the fragment are left out with a note."""
        import json

        programs: list[dict[str, Any]] = []
        diagnostics: list[Diagnostic] = []
        for item in agent.formulas:
            operator = unmonitored(item)
            if operator is not None:
                diagnostics.append(report("AS0709", item.span, name=item.name, backend=self.name, operator=operator))
                continue
            program, notes = compile_monitor(item.name, item.formula, agent.declared, item.span)
            programs.append(program.to_data())
            diagnostics += notes
        text = json.dumps({"monitors": programs}, indent=1, sort_keys=True) + "\n"
        return Emission((Artifact("monitors.json", text),), tuple(diagnostics))


def unmonitored(item: FormulaIR) -> str | None:
    """The operator that keeps a formula of an agent from being monitored, if there is one."""
    if item.each:
        return "each"
    beyond = fragment(normal(item.formula)).beyond(STEPWISE)
    return beyond[0] if beyond else None


def verdict_of(code: int) -> Verdict | None:
    """The verdict of a code; None for outside."""
    return None if code == OUTSIDE_CODE else Verdict(code)
