"""The rules of a guard: each promise of an agent as a monitor of its own, stepped by finished events.

A rule ``each id : f`` has one state for every value that occurred. A value that did not occur yet stands where one that
was never seen stands, so nothing has to be read again when it first occurs; this asks that the parameter is compared by
``==`` and ``!=`` alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentc.compiler.agent import FormulaIR
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import normal, translate
from agentc.compiler.decoder.events import without_aggregates
from agentc.compiler.judgement import bound
from agentc.compiler.logic.alphabet import free_alphabet
from agentc.compiler.logic.ir import Node, Term, Value, atoms, postorder, signals
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.llm.aggregates import Running, aggregates, bound_term, decided, incremental, running, step

FRESH = "\0a value that no event has"
MAX_VALUES = 10_000
"""The most values of one rule that are told apart; the event that brings one more is refused."""

Values = tuple[Value, ...]


@dataclass(frozen=True)
class Outcome:
    """What an event does to a rule: the verdict after it, and for which values of its parameters it is that."""

    verdict: Verdict
    values: Values = ()


class Rule:
    """One promise and where it stands.

    It reads the last two steps of the trace; aggregates run along (:mod:`.aggregates`), for each value on its own where
    they speak of the parameter. Only aggregates inside of others need the whole trace (``remembers``).

    Raises ``AgentcError``: AS0702 for a formula whose automaton is too large, AS1440 for a parameter that is compared
    otherwise than by ``==`` and ``!=``.
    """

    def __init__(self, item: FormulaIR) -> None:
        self.item, self.name = item, item.name
        (plain,), named = without_aggregates([item.formula])
        core = normal(plain)
        self._atoms = tuple((a, named.get(a, a)) for a in atoms(core))
        if item.each:
            self._check_parameters()
        self.automaton: DFA = translate(core, free_alphabet(tuple(a for a, _ in self._atoms)), span=item.span)
        terms = aggregates([m for a, m in self._atoms if a is not m])
        automata = any(n.op == "automaton" for _, m in self._atoms for n in postorder(m))
        self.remembers = automata or not all(map(incremental, terms))
        """Whether it needs the whole trace and not the last two steps of it."""
        if self.remembers:
            terms = ()
        parameters = set(item.each)
        self._own_terms = tuple(t for t in terms if set(signals(t)) & parameters)
        self._shared_terms = tuple(t for t in terms if t not in self._own_terms)
        self._reading = [self._columns(name) for name in item.each]
        self._forgets = not self._own_terms
        self.reset()

    def reset(self) -> None:
        """Stand before the first step again."""
        self._shared: dict[Term, Running] = {t: running(t) for t in self._shared_terms}
        self._fresh_own: dict[Term, Running] = {t: running(t) for t in self._own_terms}
        self._own: dict[Values, dict[Term, Running]] = {}
        self.states: dict[Values, int] = {} if self.item.each else {(): 0}
        self._fresh = 0

    def _check_parameters(self) -> None:
        for _, meant in self._atoms:
            for node in postorder(meant):
                read = {str(a.value) for a in node.args if a.op in ("signal", "prev")} & set(self.item.each)
                if read and not (node.op == "compare" and node.value in ("==", "!=")):
                    parameter = sorted(read)[0]
                    raise AgentcError([report("AS1440", self.item.span, name=self.name, parameter=parameter)])

    def _columns(self, parameter: str) -> list[tuple[str, bool]]:
        """The signals that a parameter is compared with, and whether as they were one step before."""
        found: dict[tuple[str, bool], None] = {}
        for _, meant in self._atoms:
            for node in postorder(meant):
                if node.op == "compare" and any(a.op == "signal" and a.value == parameter for a in node.args):
                    others = (a for a in node.args if a.op in ("signal", "prev") and a.value != parameter)
                    found.update(((str(a.value), a.op == "prev"), None) for a in others)
        return list(found)

    # ------------------------------------------------------------ one step

    def _letter(self, trace: Trace, recent: Trace, values: Values) -> list[bool]:
        given = dict(zip(self.item.each, values, strict=True))
        own = self._own.get(values, self._fresh_own)
        known: dict[Node, Any] = {t: r.ahead(*step(t, recent)) for t, r in self._shared.items()}
        for t, r in own.items():
            made = bound_term(t, given)
            known[made] = r.ahead(*step(made, recent))
        found = []
        for atom, meant in self._atoms:
            over = trace if self.remembers and atom is not meant else recent
            asked = bound(meant, given) if given else meant
            if atom is not meant and not self.remembers:
                asked = decided(asked, known, recent)
            found.append(evaluate(asked, over, len(over) - 1))
        return found

    def _after(self, trace: Trace) -> tuple[dict[Values, int], int]:
        """The states of all values after an event, and that of a value which did not occur."""
        recent = Trace(trace.valuations[-2:])
        if not self.item.each:
            return {(): self.automaton.step(self.states[()], self._letter(trace, recent, ()))}, 0
        occurred = [self._occurred(columns, recent) for columns in self._reading]
        known = [dict.fromkeys(k[i] for k in self.states) for i in range(len(self.item.each))]
        columns = [list({**a, **b}) for a, b in zip(known, occurred, strict=True)]
        nowhere = self._letter(trace, recent, (FRESH,) * len(self.item.each))
        fresh = self.automaton.step(self._fresh, nowhere)
        found = {}
        for values in itertools.product(*columns):
            before = self.states.get(values, self._fresh)
            apart = values in self._own or any(v in o for v, o in zip(values, occurred, strict=True))
            letter = self._letter(trace, recent, values) if apart else nowhere
            found[values] = self.automaton.step(before, letter)
            if len(found) > MAX_VALUES:
                raise AgentcError([report("AS1441", self.item.span, name=self.name, limit=MAX_VALUES)])
        return found, fresh

    @staticmethod
    def _occurred(columns: Sequence[tuple[str, bool]], recent: Trace) -> dict[Value, None]:
        """The values of the signals that a parameter is compared with, at the last step."""
        at = len(recent) - 1
        steps = [recent[at - before] if at >= before else {} for _, before in columns]
        found = [s.get(name) for (name, _), s in zip(columns, steps, strict=True)]
        return dict.fromkeys(v for v in found if v is not None)

    def _verdict(self, states: Mapping[Values, int]) -> Outcome:
        worst = Outcome(Verdict.TRUE)
        for values, state in states.items():
            verdict = self.automaton.verdicts[state]
            if verdict < worst.verdict:
                worst = Outcome(verdict, values)
        return worst

    def try_event(self, trace: Trace) -> Outcome:
        """The verdict if the last event of the trace happens."""
        return self._verdict(self._after(trace)[0])

    def take(self, trace: Trace, forgiven: bool = False) -> None:
        """The last event of the trace happened; a violation that is forgiven is as if it had not."""
        after, fresh = self._after(trace)
        if forgiven:
            for values, state in after.items():
                before = self.states.get(values, self._fresh)
                if self.automaton.verdicts[state] is Verdict.FALSE:
                    after[values] = before
            if self.automaton.verdicts[fresh] is Verdict.FALSE:
                fresh = self._fresh
        self._run_on(Trace(trace.valuations[-2:]), after)
        if self.item.each and self._forgets and self.automaton.verdicts[fresh].holds:
            after = {v: s for v, s in after.items() if s != fresh}  # they stand where a new one would
        self.states, self._fresh = after, fresh

    def _run_on(self, recent: Trace, after: Mapping[Values, int]) -> None:
        """Aggregates take the last event; those of values that occurred for the first time begin as the others did."""
        if self._own_terms:
            for values in after:
                own = self._own.setdefault(values, {t: r.copy() for t, r in self._fresh_own.items()})
                self._take(own, recent, values)
            self._take(self._fresh_own, recent, (FRESH,) * len(self.item.each))
        for t, r in self._shared.items():
            r.take(*step(t, recent))

    def _take(self, own: Mapping[Term, Running], recent: Trace, values: Values) -> None:
        given = dict(zip(self.item.each, values, strict=True))
        for t, r in own.items():
            r.take(*step(bound_term(t, given), recent))

    @property
    def outcome(self) -> Outcome:
        """The verdict now."""
        return self._verdict(self.states) if self.states else Outcome(Verdict.PRESUMABLY_TRUE)

    def could_follow(self, valuation: Valuation, open_signals: Sequence[str]) -> bool:
        """Whether an event can follow without violating the rule, for some values of what is open in it."""
        free = set(open_signals) | set(self.item.each)
        fixed: dict[int, bool] = {}
        trace = Trace([valuation])
        for i, (atom, meant) in enumerate(self._atoms):
            read = {str(n.value) for n in postorder(meant) if n.op in ("signal", "prev")}
            if not read & free and not any(n.op == "prev" for n in postorder(meant)) and atom is meant:
                fixed[i] = evaluate(meant, trace, 0)
        for state in {*self.states.values(), *([self._fresh] if self.item.each else [])}:
            if not self._some_lead_on(state, fixed):
                return False
        return True

    def _some_lead_on(self, state: int, fixed: Mapping[int, bool]) -> bool:
        stack, seen = [self.automaton.roots[state]], set()
        while stack:
            ref = stack.pop()
            if ref < 0:
                if ~ref < self.automaton.size and self.automaton.verdicts[~ref] is not Verdict.FALSE:
                    return True
            elif ref not in seen:
                seen.add(ref)
                level, low, high = self.automaton.nodes[ref]
                stack += [(high if fixed[level] else low)] if level in fixed else [low, high]
        return False

