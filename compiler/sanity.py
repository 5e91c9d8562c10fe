"""What can be proved of a spec alone: its formulas can hold, can fail, matter, and can hold together.

Everything is decided on automata over the letters that the declared types allow, within a budget; what takes more is
said to be unchecked. The functions return data; :func:`sanity` turns them into diagnostics.

Source: Rozier, Vardi, *LTL satisfiability checking*, STTT 12, 2010 (sanity checks); Kupferman, Vardi, *Vacuity
detection in temporal model checking*, STTT 4, 2003: a subformula is vacuous here if the formula means the same
whatever stands in its place; Bakker et al., *Diagnosing and solving over-determined constraint satisfaction
problems*, IJCAI 1993 (minimal cores by deletion).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agentc.compiler.agent import AgentIR, FormulaIR, SignalIR
from agentc.compiler.automata.bdd import Budget, OverBudgetError
from agentc.compiler.automata.dfa import DFA, Letter, equivalent
from agentc.compiler.automata.ltlf import normal, translate_typed
from agentc.compiler.logic.alphabet import alphabet
from agentc.compiler.logic.fragments import STEPWISE, fragment
from agentc.compiler.logic.ir import TRUE, Formula, Value, atoms, formula, prop
from agentc.compiler.logic.rewrite import formula_nodes, reads_previous, rebuild
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, Annotation, Diagnostic, report

MAX_STATES, MAX_SECONDS = 2_000, 5.0
VACUITY_PARTS, VACUITY_STATES, VACUITY_SECONDS = 40, 300, 0.5
"""Vacuity takes two automata for each subformula: at most so many, of at most so many states and seconds."""


@dataclass(frozen=True)
class Conflict:
    """Items that cannot hold together, none of which can be left out."""

    names: tuple[str, ...]


# ---------------------------------------------------------------- one formula


def automaton(f: Formula, signals: Iterable[SignalIR]) -> DFA:
    """The automaton within the budget of sanity. Raises ``AgentcError`` (AS0702)."""
    return translate_typed(f, signals, max_states=MAX_STATES, max_seconds=MAX_SECONDS)


def satisfiable(f: Formula, signals: Iterable[SignalIR] = ()) -> tuple[Letter, ...] | None:
    """A shortest word that satisfies ``f``; None if there is none. Raises ``AgentcError`` (AS0702)."""
    return automaton(f, signals).shortest_accepted()


def valid(f: Formula, signals: Iterable[SignalIR] = ()) -> bool:
    """Whether every trace satisfies ``f``. Raises ``AgentcError`` (AS0702)."""
    return automaton(f, signals).shortest_rejected() is None


def is_safety_violable(f: Formula, signals: Iterable[SignalIR] = ()) -> tuple[Letter, ...] | None:
    """A shortest prefix after which ``f`` is finally false; None if no prefix violates it. Raises ``AgentcError``."""
    dfa = automaton(f, signals)
    return dfa.shortest(lambda s: dfa.verdicts[s] is Verdict.FALSE)


def vacuous(f: Formula, signals: Iterable[SignalIR] = ()) -> tuple[Formula, ...]:
    """The largest proper subformulas that do not matter: ``f`` means the same with anything in their place.

    Subformulas beyond the first ``VACUITY_PARTS``, and those whose automata are over budget, are passed over.
    """
    declared = tuple(signals)
    found: list[Formula] = []
    inside: set[Formula] = set()
    tried = 0
    for part in reversed(formula_nodes(f)):  # larger ones first
        if part is f or part in inside or part.op in ("true", "false", "first", "last"):
            continue
        tried += 1
        if tried > VACUITY_PARTS:
            break
        try:
            anything, something = (_vacuity(_put(f, part, value), declared) for value in (prop("?"), TRUE))
            same = equivalent(anything, something) is None
        except (AgentcError, OverBudgetError):
            continue
        if same:
            found.append(part)
            inside.update(formula_nodes(part))
    return tuple(found)


def _vacuity(f: Formula, declared: tuple[SignalIR, ...]) -> DFA:
    return translate_typed(f, declared, max_states=VACUITY_STATES, max_seconds=VACUITY_SECONDS)


def _put(f: Formula, part: Formula, value: Formula) -> Formula:
    """``f`` with ``value`` in place of ``part``."""

    def make(node: Formula, x: list[Formula]) -> Formula:
        if node is part:
            return value
        return node if node.op == "atom" else formula(node.op, x, node.interval)

    return rebuild(f, make)


def constant_atoms(fs: Sequence[Formula], signals: Iterable[SignalIR]) -> dict[Formula, bool]:
    """Atoms that have one truth value for all values that their signals can have, with that value."""
    letters = alphabet([a for a in atoms(*fs) if not reads_previous(a)], signals)
    found: dict[Formula, bool] = {}
    for group in letters.groups:
        if group.later is None or group.first is None:
            continue
        for i, a in enumerate(group.atoms):
            values = {letter[i] for letter in group.later}
            if len(values) == 1:
                found[a] = values.pop()
    return found


# ---------------------------------------------------------------- formulas together


def not_violated(dfa: DFA) -> DFA:
    """The automaton of the traces no prefix of which is finally false."""
    return replace(dfa, accepting=tuple(v is not Verdict.FALSE for v in dfa.verdicts)).minimized()


def conflicts(items: Mapping[str, DFA], budget: Budget | None = None) -> Conflict | None:
    """A minimal set of automata that accept no word together; None if there is a word that all accept.

    Raises ``OverBudgetError``.
    """
    budget = budget or Budget(MAX_STATES, MAX_SECONDS)

    def together(names: Sequence[str]) -> bool:
        joint: DFA | None = None
        for name in sorted(names, key=lambda n: items[n].size):
            joint = items[name] if joint is None else joint.product(items[name], lambda a, b: a and b, budget)
            if joint.shortest_accepted() is None:
                return False
        return True

    core = list(items)
    if together(core):
        return None
    for name in list(core):
        rest = [n for n in core if n != name]
        if rest and not together(rest):
            core = rest
    return Conflict(tuple(core))


# ---------------------------------------------------------------- diagnostics


def sanity(agent: AgentIR) -> tuple[Diagnostic, ...]:
    """Everything that is found of an agent's formulas, in source order."""
    found: list[Diagnostic] = []
    able: dict[str, DFA] = {}
    named = {p.formula: p.name for p in agent.propositions}
    said: set[Formula] = set()
    for item in agent.formulas:
        if item.each or not fragment(normal(item.formula)) <= STEPWISE:
            continue
        for a, value in constant_atoms([item.formula], agent.declared).items():
            if a not in said:
                said.add(a)
                found.append(report("AS0526" if value else "AS0525", item.span, atom=_text(a, named)))
        try:
            dfa = automaton(item.formula, agent.declared)
        except AgentcError as error:
            limit = error.diagnostics[0].values.get("limit", "")
            found.append(report("AS0527", item.span, name=item.name, limit=limit))
            continue
        about = _of_one(item, dfa, agent.declared, named)
        found += about
        if not any(d.code in ("AS0520", "AS0522") for d in about):
            able[item.name] = not_violated(dfa) if item.role == "safe" else dfa
    found += _together(agent, able)
    return tuple(found)


def _of_one(
    item: FormulaIR, dfa: DFA, signals: Sequence[SignalIR], named: Mapping[Formula, str]
) -> list[Diagnostic]:
    if dfa.shortest_accepted() is None:
        part = _impossible_part(item.formula, signals)
        return [report("AS0520", item.span, name=item.name, part=_text(part, named))]
    if dfa.shortest_rejected() is None:
        return [report("AS0521", item.span, name=item.name)]
    if item.role == "safe" and dfa.shortest(lambda s: dfa.verdicts[s] is Verdict.FALSE) is None:
        return [report("AS0522", item.span, name=item.name)]
    if "turn" in item.source:  # windows of turns are written out in steps, whose parts nobody wrote
        return []
    return [
        report("AS0523", item.span, name=item.name, part=_text(part, named))
        for part in vacuous(item.formula, signals)
    ]


def _impossible_part(f: Formula, signals: Sequence[SignalIR]) -> Formula:
    """The smallest subformula that can never hold, as far as the budget shows."""
    for part in formula_nodes(f):
        if part.op in ("false", "first", "last"):
            continue
        try:
            if satisfiable(formula("F", (part,)), signals) is None:
                return part
        except AgentcError:
            continue
    return f


def _together(agent: AgentIR, able: Mapping[str, DFA]) -> list[Diagnostic]:
    if not agent.trains_each:
        return _conflict(agent, able)
    # tasks that have an episode each need not hold together: each is held against what holds in every episode
    shared = {name: dfa for name, dfa in able.items() if agent.formula(name).role != "task"}
    tasks = [name for name in able if name not in shared]
    return [d for name in tasks for d in _conflict(agent, {**shared, name: able[name]})]


def _conflict(agent: AgentIR, able: Mapping[str, DFA]) -> list[Diagnostic]:
    if len(able) < 2:
        return []
    try:
        conflict = conflicts(able)
    except OverBudgetError as error:
        names = ", ".join(able)
        return [report("AS0527", None, name=f"the conjunction of {names}", limit=error.limit)]
    if conflict is None:
        return []
    first, *others = (agent.formula(n) for n in conflict.names)
    notes = [Annotation(o.span, f"`{o.name}` is one of them") for o in others if o.span is not None]
    names = ", ".join(f"`{n}`" for n in conflict.names)
    return [report("AS0524", first.span, annotations=notes, names=names)]


def _text(f: Formula, named: Mapping[Formula, str]) -> str:
    text = named.get(f) or str(f)
    return text[1:-1] if text.startswith("(") and text.endswith(")") and f.op == "atom" else text


def witness(dfa: DFA, word: Sequence[Letter]) -> tuple[dict[str, Value], ...]:
    """Valuations that have the letters of a word, as far as the types tell; see ``Alphabet.witness``."""
    return tuple(dfa.alphabet.witness(letter) for letter in word)
