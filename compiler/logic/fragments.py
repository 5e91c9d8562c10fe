"""Fragments: which operators and terms a formula uses, and which of them a backend does.

A backend declares the fragment that it does; what lies outside is reported by name, never approximated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agentc.compiler.logic.ir import (
    AUTOMATON,
    CONNECTIVES,
    FUNCTIONS,
    FUTURE,
    PAST,
    PREDICATES,
    REGIONS,
    Formula,
    Term,
    postorder,
)
from agentc.lang.diagnostics import Diagnostic, report
from agentc.lang.source import Span

AUTOMATA = frozenset((AUTOMATON,))
"""Automata of other tools, and explicit machines, as formulas."""

AGGREGATES = ("count", "sum", "in_seen", "occurs_in_seen")
"""Terms and predicates that look further back than one step."""

LOGIC = frozenset(("true", "false", "first", "last", "atom", *CONNECTIVES, *FUTURE, *PAST))
"""All operators of formulas."""

TERMS = frozenset(("const", "signal", "prev", "tuple", "index", *FUNCTIONS, *REGIONS, *PREDICATES))
"""All functions and predicates of the values at one step and the step before."""


@dataclass(frozen=True)
class Fragment:
    """A set of operators of formulas and of terms: those that a formula uses, or those that a backend does."""

    operators: frozenset[str]
    terms: frozenset[str]

    def __le__(self, other: Fragment) -> bool:
        return self.operators <= other.operators and self.terms <= other.terms

    def beyond(self, other: Fragment) -> tuple[str, ...]:
        """What this fragment has and the other lacks, by name, sorted."""
        return tuple(sorted((self.operators - other.operators) | (self.terms - other.terms)))

    @property
    def temporal(self) -> bool:
        """Whether it has a temporal operator."""
        return bool(self.operators & {"first", "last", *FUTURE, *PAST}) or AUTOMATON in self.terms

    @property
    def looks_ahead(self) -> bool:
        """Whether it has an operator of the future."""
        return bool(self.operators & {"last", *FUTURE}) or AUTOMATON in self.terms

    @property
    def looks_back(self) -> bool:
        """Whether it has an operator of the past."""
        return bool(self.operators & {"first", *PAST})


STEPWISE = Fragment(LOGIC, TERMS | AUTOMATA)
"""Every formula whose atoms read this step and the one before, and automata that do: what automata are made of."""

TIMED_SUBGOALS = Fragment(frozenset(("true", "false", "first", "last", "atom", *CONNECTIVES, *FUTURE)), TERMS)
"""What becomes timed subgoals: every formula of the future whose atoms read this step and the one before."""

PROPOSITIONAL = Fragment(frozenset(("true", "false", "atom", *CONNECTIVES)), TERMS)
"""Formulas without temporal operators."""

EVERYTHING = Fragment(LOGIC, TERMS | AUTOMATA | frozenset(AGGREGATES))
"""The whole language; what the reference semantics does."""


def fragment(*formulas: Formula) -> Fragment:
    """The smallest fragment that holds the formulas, those inside aggregates included."""
    operators: set[str] = set()
    terms: set[str] = set()
    for node in postorder(*formulas):
        (terms if isinstance(node, Term) else operators).add(node.op)
    return Fragment(frozenset(operators), frozenset(terms))


def outside(
    used: Fragment, backend: str, does: Fragment, others: Mapping[str, Fragment], span: Span | None = None
) -> tuple[Diagnostic, ...]:
    """One diagnostic for each operator of ``used`` that ``backend`` lacks, naming the ``others`` that have it."""
    found = []
    for name in used.beyond(does):
        able = [other for other, theirs in others.items() if other != backend and _has(theirs, name)]
        found.append(report("AS0701", span, operator=name, backend=backend, able=_listed(able)))
    return tuple(found)


def _has(fragment: Fragment, name: str) -> bool:
    return name in fragment.operators or name in fragment.terms


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    if not names:
        return "no backend does it yet"
    return f"it is done by {', '.join(names)}"
