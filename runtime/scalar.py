"""Monitors of one environment, in plain Python.

The joint automaton of all parts is made as it is walked: a node for each tuple of states that occurred, with the
letters that were read there. A letter that was read there before costs one look-up, however many formulas there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from agentc.compiler.backends.monitor import OUTSIDE_CODE, MonitorProgram
from agentc.compiler.logic.ir import Formula, Term, postorder
from agentc.compiler.logic.semantics import _holds as holds
from agentc.compiler.logic.semantics import _signal as read_signal
from agentc.compiler.logic.semantics import apply
from agentc.compiler.logic.trace import Valuation
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, report

REMEMBERED = 1 << 16
"""So many look-ups are remembered; beyond that, what is new is worked out each time."""


class ScalarLabeller:
    """The truth of atoms in one environment, in plain Python, by the reference's own functions at every term."""

    def __init__(self, atoms: Sequence[Formula]) -> None:
        self.atoms = tuple(atoms)
        terms = [n for n in postorder(*atoms) if isinstance(n, Term)]
        aggregate = next((n for n in terms if n.op in ("count", "sum", "in_seen", "occurs_in_seen")), None)
        if aggregate is not None:
            raise AgentcError([report("AS0720", None, term=str(aggregate))])
        self._terms = [(n, [a.id for a in n.args]) for n in terms]
        self._predicates = [a.predicate for a in atoms]

    def label(self, valuation: Valuation, previous: Valuation | None, t: int) -> tuple[bool, ...]:
        """The truth values at step ``t``; ``previous`` is the valuation of the step before.

        Raises ``AgentcError`` (AS0830) if a signal is missing.
        """
        values: dict[int, Any] = {}
        try:
            for node, args in self._terms:
                if node.op == "const":
                    values[node.id] = node.value
                elif node.op == "signal":
                    values[node.id] = read_signal(valuation, str(node.value), t)
                elif node.op == "prev":
                    before = None if previous is None else read_signal(previous, str(node.value), t - 1)
                    values[node.id] = before
                else:
                    values[node.id] = apply(node, [values[i] for i in args])
        except KeyError as error:
            raise AgentcError([report("AS0830", None, signal=str(error.args[0]))]) from None
        return tuple(holds(p, values[p.id]) for p in self._predicates)


class _Node:
    """A joint state: those of all parts, the verdict codes, and where the letters read so far lead."""

    __slots__ = ("codes", "next", "states")

    def __init__(self, states: tuple[tuple[int, ...], ...], codes: tuple[int, ...]) -> None:
        self.states, self.codes = states, codes
        self.next: dict[Any, _Node] = {}


class ScalarMonitor:
    """The verdicts of several formulas in one environment, in plain Python; ``reset`` and ``step`` as in Monitor."""

    def __init__(self, programs: Sequence[MonitorProgram]) -> None:
        self.programs = tuple(programs)
        self.names = tuple(p.name for p in self.programs)
        self.atoms = tuple(dict.fromkeys(a for p in self.programs for part in p.parts for a in part.atoms))
        self._labeller = ScalarLabeller(self.atoms)
        column = {a: i for i, a in enumerate(self.atoms)}
        self._parts = [[(part, [column[a] for a in part.atoms]) for part in p.parts] for p in self.programs]
        self._nodes: dict[tuple[tuple[int, ...], ...], _Node] = {}
        self._remembered = 0
        self._first = self._node(tuple((0,) * len(p.parts) for p in self.programs))
        names = [str(a.predicate.value) for a in self.atoms if a.predicate.op == "signal"]
        plain = len(names) == len(self.atoms) > 0 and not any(n.split(".")[0] == "action" for n in names)
        self._read = itemgetter(*names) if plain else None
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._t = 0
        self._previous: Valuation | None = None
        self._at = self._first

    def step(self, valuation: Valuation) -> tuple[int, ...]:
        """Read one step and return the verdict codes, in the order of :attr:`names`.

        Raises ``AgentcError`` (AS0708) for values that the declared types rule out, (AS0830) if a signal is missing.
        """
        if self._read is not None:
            try:
                self._at = at = self._at.next[self._read(valuation)]
                return at.codes
            except (KeyError, TypeError):  # not read here before, or missing
                return self._step_plain(valuation)
        letter = self._labeller.label(valuation, self._previous, self._t)
        codes = self.step_letter(letter)
        if OUTSIDE_CODE in codes:
            shown = ", ".join(f"{name} = {value}" for name, value in valuation.items())
            raise AgentcError([report("AS0708", None, env=0, values=shown)])
        self._previous, self._t = valuation, self._t + 1
        return codes

    def step_letter(self, letter: Sequence[bool]) -> tuple[int, ...]:
        """Read one step as truth values in the order of :attr:`atoms`; fastest as a tuple."""
        try:
            self._at = at = self._at.next[letter]
        except (KeyError, TypeError):
            self._at = at = self._follow(tuple(map(bool, letter)), letter)
        return at.codes

    def _step_plain(self, valuation: Valuation) -> tuple[int, ...]:
        """A step whose atoms are Boolean signals, where the values were not read before."""
        assert self._read is not None
        letter = self._labeller.label(valuation, None, 1)
        self._at = at = self._follow(letter, self._read(valuation))
        return at.codes

    def _follow(self, letter: tuple[bool, ...], key: Any) -> _Node:
        """Where a letter leads, remembered under the key that it was read as."""
        at = self._at
        states = []
        for old, parts in zip(at.states, self._parts, strict=True):
            moves = zip(old, parts, strict=True)
            states.append(tuple([part.step(s, tuple([letter[c] for c in columns])) for s, (part, columns) in moves]))
        after = self._node(tuple(states))
        if self._remembered < REMEMBERED:
            try:
                at.next[key] = after
                self._remembered += 1
            except TypeError:  # a list, say
                pass
        return after

    def _node(self, states: tuple[tuple[int, ...], ...]) -> _Node:
        made = self._nodes.get(states)
        if made is None:
            made = _Node(states, tuple(p.verdict(s) for p, s in zip(self.programs, states, strict=True)))
            if len(self._nodes) < REMEMBERED:
                self._nodes[states] = made
        return made

    def verdicts(self) -> dict[str, Verdict]:
        """The verdicts by name; before step 0 they mean nothing."""
        return {name: Verdict(code) for name, code in zip(self.names, self._at.codes, strict=True)}
