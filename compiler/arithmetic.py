"""Which truth values the atoms can have together by their arithmetic: the letters of a group, decided by a solver.

What :mod:`agentc.compiler.logic.alphabet` cannot tell by trying values (several real numbers in one atom, the present
step beside the one before) goes to an SMT solver: all models over the atoms of a group, one per letter, are enumerated.
Polynomials, ``abs``, ``min``, ``max``, ``sqrt``, ``norm``, ``dist``, regions, enums and Booleans are exact; what lies
beyond (``sin``, texts) leaves the group free, which is sound, and is said.

The solver reasons over real numbers and a monitor computes with doubles. ``slack`` is the relative error that is
granted to a comparison of computed terms: with 0 the letters are those of real arithmetic, which is what sanity asks;
with more than rounding can do, no letter is ruled out that a computation could yield, which is what monitors need.

Source: Lahiri, Nieuwenhuis, Oliveras, *SMT techniques for fast predicate abstraction*, CAV 2006 (all models over a set
of atoms); Jovanovic, de Moura, *Solving non-linear arithmetic*, IJCAR 2012 (the solver's decision for polynomials).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentc.compiler.agent import AgentIR, SignalIR
from agentc.compiler.automata.embedded import has_automaton
from agentc.compiler.automata.guards import label
from agentc.compiler.automata.ltlf import normal
from agentc.compiler.equality import check_equalities
from agentc.compiler.logic.alphabet import Group, Letter, alphabet, deciding, is_action
from agentc.compiler.logic.ir import Formula, Value, postorder
from agentc.compiler.logic.rewrite import is_aggregate, reads_previous
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.sanity import sanity
from agentc.compiler.smt import BeyondError, Encoding
from agentc.compiler.smt_process import solver
from agentc.lang.diagnostics import Diagnostic, report

ROUNDING = 1e-6
"""More than single precision loses in a few operations, relative to the sizes of the terms."""
MAX_LETTERS, MAX_ATOMS, MAX_WORK, MAX_SECONDS = 4096, 24, 20_000_000, 5.0
"""The budget of one group. The seconds, of processor time, are for problems in which the solver does not look at its
own count; whatever it decides within that count takes less."""


@dataclass(frozen=True)
class Arithmetic:
    """A decider for :func:`agentc.compiler.logic.alphabet.deciding`.

    ``undecided`` collects the atoms of groups that stay free, with the reason; it is no part of its identity.
    """

    slack: float = 0.0
    seconds: float = MAX_SECONDS
    undecided: dict[tuple[Formula, ...], str] = field(default_factory=dict, compare=False, hash=False, repr=False)

    def __call__(self, atoms: tuple[Formula, ...], declared: Mapping[str, SignalIR]) -> Group | None:
        """The group with its letters; None if the solver is not there or the group is beyond it."""
        key = (atoms, tuple(declared.get(n) for n in _names(atoms)), self.slack, self.seconds)
        if key not in _decided:
            try:
                _decided[key] = _enumerate(atoms, declared, self.slack, self.seconds)
            except BeyondError as error:
                _decided[key] = str(error)
            while len(_decided) > KEPT:
                del _decided[next(iter(_decided))]
        made = _decided[key]
        if isinstance(made, str):
            self.undecided[atoms] = made
            return None
        return made


KEPT = 256
_decided: dict[Any, Group | str] = {}


def arithmetic_sanity(agent: AgentIR, said: Sequence[Diagnostic]) -> list[Diagnostic]:
    """What the arithmetic of an agent's propositions adds to what was ``said``, and what of it was not decided."""
    decider = Arithmetic()
    with deciding(decider):
        found = (*sanity(agent), *check_equalities(agent))
    before = {(d.code, d.span) for d in said}
    new = [d for d in found if (d.code, d.span) not in before]
    notes = []
    said_of: set[Formula] = set()
    for atoms, reason in sorted(decider.undecided.items(), key=lambda item: -len(item[0])):
        if len(_names(atoms)) > 1 and not said_of.issuperset(atoms) and not any(_of_texts(a, agent) for a in atoms):
            said_of.update(atoms)
            shown = ", ".join(f"`{label(a)}`" for a in atoms)
            notes.append(report("AS1640", agent.formulas[0].span, atoms=shown, reason=reason))
    return [*new, *notes]


def with_arithmetic(agent: AgentIR, said: Sequence[Diagnostic]) -> list[Diagnostic]:
    """What was said of an agent in plain Python, with what its arithmetic adds, and decides of what was left open."""
    if not _open(agent):
        return list(said)
    equalities = {e.span for e in agent.equalities}
    kept = [d for d in said if d.code != "AS1627" or d.span not in equalities]
    return [*kept, *arithmetic_sanity(agent, kept)]


def _open(agent: AgentIR) -> bool:
    """Whether trying values leaves a group of an agent's atoms open that a solver might decide."""
    guards = (e.guard for machine in agent.machines for state in machine.states for e in state.edges)
    found: dict[Formula, None] = {}
    for f in (*(item.formula for item in agent.formulas), *guards):
        whole = f if has_automaton(f) else normal(f, agent.declared)
        found.update((n, None) for n in postorder(whole) if isinstance(n, Formula) and n.op == "atom")
    plain = [a for a in found if not is_aggregate(a)]
    return any(group.free for group in alphabet(plain, agent.declared).groups)


def _names(atoms: Sequence[Formula]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(n.value) for n in postorder(*atoms) if n.op in ("signal", "prev")))


def _of_texts(atom: Formula, agent: AgentIR) -> bool:
    kinds = {s.name: s.kind for s in agent.declared}
    return any(kinds.get(str(n.value)) == "text" for n in postorder(atom) if n.op in ("signal", "prev"))


# ---------------------------------------------------------------- enumeration


def _enumerate(
    atoms: tuple[Formula, ...], declared: Mapping[str, SignalIR], slack: float, seconds: float
) -> Group:
    try:
        import z3  # type: ignore[import-untyped]
    except ImportError:
        raise BeyondError("the solver z3 is not installed: `pip install 'agentspec-compiler[verify]'`") from None
    if len(atoms) > MAX_ATOMS:
        raise BeyondError(f"{len(atoms)} atoms are more than {MAX_ATOMS}")
    encoding = Encoding(z3, declared, slack)
    literals = [(encoding.atom(a.predicate, True), encoding.atom(a.predicate, False)) for a in atoms]
    absent = [_absent_at_reset(a, declared) for a in atoms]
    later = _models(z3, encoding, literals, [False] * len(atoms), seconds)
    first = later if not any(absent) else _models(z3, encoding, literals, absent, seconds)
    examples = {}
    for at_reset, models in ((True, first), (False, later)):
        for letter, values in models.items():
            valuation = _valuation(atoms, letter, values, declared, at_reset=at_reset)
            if valuation is not None:
                examples[letter] = valuation
    names = tuple(dict.fromkeys(
        str(n.value) if n.op == "signal" else f"prev.{n.value}"
        for n in postorder(*atoms) if n.op in ("signal", "prev")
    ))  # fmt: skip
    return Group(atoms, names, frozenset(later), frozenset(first), examples)


def _absent_at_reset(atom: Formula, declared: Mapping[str, SignalIR]) -> bool:
    """Whether an atom has no value at step 0."""
    if reads_previous(atom.predicate):
        return True
    read = [str(n.value) for n in postorder(atom) if n.op == "signal"]
    return any(is_action(n) and not (n in declared and declared[n].phase) for n in read)


def _models(
    z3: Any, encoding: Encoding, literals: Sequence[tuple[Any, Any]], absent: Sequence[bool], seconds: float
) -> dict[Letter, dict[str, Value]]:
    """For each letter that is possible, values of the variables that have it. Raises :class:`BeyondError`."""
    problem = z3.Solver()
    problem.add(*encoding.constraints)
    marks = [z3.Bool(f"?{i}") for i in range(len(literals))]
    for mark, (true, false), gone in zip(marks, literals, absent, strict=True):
        problem.add(z3.Not(mark) if gone else z3.And(z3.Implies(mark, true), z3.Implies(z3.Not(mark), false)))
    found = solver.models(
        problem.to_smt2(), [str(m) for m in marks], encoding.sorts(),
        work=MAX_WORK, letters=MAX_LETTERS, seconds=seconds,
    )  # fmt: skip
    return {letter: encoding.values(values) for letter, values in found}


def _valuation(
    atoms: Sequence[Formula], letter: Letter, values: Mapping[str, Value], declared: Mapping[str, SignalIR], *,
    at_reset: bool,
) -> dict[str, Value] | None:  # fmt: skip
    """The values of the present step if, as doubles, they have the letter; None if they do not."""
    phase = {n for n, s in declared.items() if s.phase}
    now = {n: v for n, v in values.items() if not n.startswith("prev.")}
    if at_reset:
        now = {n: v for n, v in now.items() if not is_action(n) or n in phase}
    before = {**now, **{n.removeprefix("prev."): v for n, v in values.items() if n.startswith("prev.")}}
    trace = Trace([now] if at_reset else [before, now])
    try:
        held = tuple(evaluate(a, trace, trace.last) for a in atoms)
    except KeyError:
        return None
    return now if held == letter else None
