"""Which truth values of the atoms can occur together: the letters that the types and the arithmetic allow.

Atoms that share a signal form a group; the groups are independent of each other. A group is decided exactly

- if its signals have finitely many values (Booleans, enums, bounded whole numbers): all combinations are tried;
- if it reads one number that is compared with constants: between two neighbouring constants nothing changes, so
  the constants, one value between each two, and one beyond each end, within the declared range, stand for all;
- if it reads one text that is compared with constants: those texts, and one that is none of them.

Any other group is *free*: every combination counts as possible. That is more than can occur, so a verdict that
is final over these letters is final, and one that is not may be called final late. Plain Python; where a solver may be
used, :func:`deciding` brings one in for the groups that would be free.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula, Node, Term, Value, postorder
from agentc.compiler.logic.rewrite import is_aggregate, reads_previous
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace, Valuation

PRODUCT_LIMIT = 4096
"""The most combinations of values that are tried for one group."""

Letter = tuple[bool, ...]
"""Truth values of a group's atoms, in the order of ``Group.atoms``."""


@dataclass(frozen=True)
class Group:
    """Atoms that share signals, and the truth values that they can have together.

    ``later`` are the letters after step 0 and ``first`` those at step 0, where the action has no value; both None
    if the group is free. ``examples`` gives for each letter a valuation of ``signals`` that has it.
    """

    atoms: tuple[Formula, ...]
    signals: tuple[str, ...]
    later: frozenset[Letter] | None = None
    first: frozenset[Letter] | None = None
    examples: Mapping[Letter, Valuation] | None = None

    @property
    def free(self) -> bool:
        """Whether nothing is known of which letters can occur."""
        return self.later is None


@dataclass(frozen=True)
class Alphabet:
    """The atoms of an automaton in order, grouped: ``groups`` cover ``atoms`` contiguously.

    ``signals`` are the declarations that the groups were decided by.
    """

    atoms: tuple[Formula, ...]
    groups: tuple[Group, ...]
    signals: tuple[SignalIR, ...] | None = None

    def extended(self, atoms: Iterable[Formula]) -> Alphabet:
        """The alphabet with further atoms; the same object if it has them all."""
        more = [a for a in atoms if a not in set(self.atoms)]
        if not more:
            return self
        together = (*self.atoms, *dict.fromkeys(more))
        return free_alphabet(together) if self.signals is None else alphabet(together, self.signals)

    def witness(self, letter: Sequence[bool]) -> dict[str, Value]:
        """A valuation that has the letter, as far as its groups are decided; free atoms appear by their text."""
        found: dict[str, Value] = {}
        at = 0
        for group in self.groups:
            part = tuple(bool(v) for v in letter[at : at + len(group.atoms)])
            at += len(group.atoms)
            if group.examples is not None and part in group.examples:
                found.update(group.examples[part])
            else:
                for atom, value in zip(group.atoms, part, strict=True):
                    name = atom.predicate.value if atom.predicate.op == "signal" else str(atom)
                    found[str(name)] = value
        return found


def is_action(name: str) -> bool:
    """Whether a signal has no value at the reset because it is what the last action set."""
    return name.split(".")[0] == "action"


Decider = Callable[[tuple[Formula, ...], Mapping[str, SignalIR]], "Group | None"]
"""Decides a group of atoms that share signals, given the declarations; None if it cannot."""

_decider: ContextVar[Decider | None] = ContextVar("decider", default=None)


@contextmanager
def deciding(decider: Decider | None) -> Iterator[None]:
    """Let a decider decide the groups that would be free, in all alphabets that are made meanwhile."""
    token = _decider.set(decider)
    try:
        yield
    finally:
        _decider.reset(token)


def present_decider() -> Decider | None:
    """The decider in use: what was made with one is not what is made with another."""
    return _decider.get()


def alphabet(atoms: Sequence[Formula], signals: Iterable[SignalIR] = ()) -> Alphabet:
    """The alphabet of the atoms, reordered so that groups are contiguous (else in the order given)."""
    signals = tuple(signals)
    declared = {s.name: s for s in signals}
    groups = tuple(_group(members, declared) for members in _connected(atoms))
    return Alphabet(tuple(a for g in groups for a in g.atoms), groups, signals)


def free_alphabet(atoms: Sequence[Formula]) -> Alphabet:
    """The alphabet in which every combination of truth values is a letter."""
    return Alphabet(tuple(atoms), tuple(Group((a,), ()) for a in atoms))


def domains(signals: Iterable[SignalIR]) -> dict[str, tuple[Value, ...]]:
    """All values of the signals that have few: what :func:`~agentc.compiler.logic.rewrite.localize` expands over."""
    found = {}
    for s in signals:
        values = _finite_domain(s)
        if values is not None:
            found[s.name] = values
    return found


def admissible_valuations(
    atoms: Sequence[Formula], signals: Iterable[SignalIR], limit: int = PRODUCT_LIMIT
) -> list[dict[str, Value]]:
    """Valuations that stand for all that the types and the arithmetic allow at a step after step 0.

    One for each combination of admissible letters of the groups: what ``finality.verdict`` wants. Raises
    ``ValueError`` if a group is free, since then no finite set is known to stand for all, or if there are more
    than ``limit``.
    """
    made = alphabet(atoms, signals)
    choices = []
    size = 1
    for group in made.groups:
        if group.examples is None or group.later is None:
            raise ValueError(f"the values of {', '.join(map(str, group.atoms))} are not enumerated")
        choices.append([group.examples[letter] for letter in sorted(group.later)])
        size *= len(group.later)
    if size > limit:
        raise ValueError(f"{size} valuations are more than {limit}")
    return [{k: v for part in parts for k, v in part.items()} for parts in itertools.product(*choices)]


# ---------------------------------------------------------------- groups


def _variables(atom: Formula) -> tuple[str, ...]:
    """What an atom reads: signal names, with ``prev.`` before those of the step before."""
    read = (n for n in postorder(atom) if n.op in ("signal", "prev"))
    return tuple(dict.fromkeys(str(n.value) if n.op == "signal" else f"prev.{n.value}" for n in read))


def _connected(atoms: Sequence[Formula]) -> list[list[Formula]]:
    """The atoms in groups that share a signal, in order of first occurrence."""
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    for atom in atoms:
        names = [n.removeprefix("prev.") for n in _variables(atom)]
        for other in names[1:]:
            leader[find(other)] = find(names[0])
    groups: dict[object, list[Formula]] = {}
    for atom in atoms:
        read = _variables(atom)
        groups.setdefault(find(read[0].removeprefix("prev.")) if read else atom, []).append(atom)
    return list(groups.values())


def _group(atoms: list[Formula], declared: Mapping[str, SignalIR]) -> Group:
    made = _by_values(atoms, declared)
    decider = _decider.get()
    if made.free and decider is not None and not any(is_aggregate(a) for a in atoms):
        return decider(made.atoms, declared) or made
    return made


def _by_values(atoms: list[Formula], declared: Mapping[str, SignalIR]) -> Group:
    """The group as far as trying values decides it."""
    names = tuple(dict.fromkeys(n for a in atoms for n in _variables(a)))
    free = Group(tuple(atoms), names)
    if any(is_aggregate(a) or reads_previous(a) for a in atoms):
        return free
    columns = []
    for name in names:
        values = _representatives(name, atoms, declared.get(name)) if len(names) == 1 else None
        if name in declared and (values is None or declared[name].kind in ("bool", "enum")):
            values = _finite_domain(declared[name])
        if values is None:
            return free
        columns.append(values)
    if math.prod(map(len, columns)) > PRODUCT_LIMIT:
        return free
    later: dict[Letter, Valuation] = {}
    first: dict[Letter, Valuation] = {}
    for combination in itertools.product(*columns):
        valuation = dict(zip(names, combination, strict=True))
        later.setdefault(_letter(atoms, valuation, 1), valuation)
        at_reset = {n: v for n, v in valuation.items() if not is_action(n) or (n in declared and declared[n].phase)}
        first.setdefault(_letter(atoms, at_reset, 0), at_reset)
    return Group(tuple(atoms), names, frozenset(later), frozenset(first), {**first, **later})


def _letter(atoms: Sequence[Formula], valuation: Valuation, t: int) -> Letter:
    trace = Trace([valuation] * (t + 1))
    return tuple(evaluate(a, trace, t) for a in atoms)


# ---------------------------------------------------------------- values that stand for all


def _finite_domain(s: SignalIR) -> tuple[Value, ...] | None:
    """All values of a signal, None if there are too many to list."""
    if s.kind == "bool":
        return (False, True)
    if s.kind == "enum" and s.members:
        return s.members
    if s.kind == "int" and s.lo is not None and s.hi is not None:
        lo, hi = math.ceil(s.lo), math.floor(s.hi)
        if hi - lo < PRODUCT_LIMIT:
            return tuple(range(lo, hi + 1))
    return None


def _representatives(name: str, atoms: Sequence[Formula], s: SignalIR | None) -> tuple[Value, ...] | None:
    """Values of the one signal that the atoms read that stand for all its values, None if unknown."""
    constants: list[Value] = []
    bare = False
    for atom in atoms:
        found = _constants(atom.predicate, name)
        if found is None:
            return None
        bare = bare or atom.predicate.op == "signal"
        constants.extend(found)
    if bare:
        return (False, True) if all(isinstance(c, bool) for c in constants) else None
    if all(isinstance(c, int | float) and not isinstance(c, bool) for c in constants):
        return _numbers([c for c in constants if isinstance(c, int | float)], s)
    if all(isinstance(c, str) for c in constants) and (s is None or s.kind == "text"):
        return _texts([c for c in constants if isinstance(c, str)], s)
    return None


def _constants(predicate: Term, name: str) -> list[Value] | None:
    """The constants that the signal is compared with in an atom of a form for which they tell all; else None."""

    def constant(node: Node) -> bool:
        return node.op == "const" or (node.op == "neg" and node.args[0].op == "const")

    def value(node: Node) -> Value:
        if node.op == "const":
            return node.value
        inner = node.args[0].value
        return -inner if isinstance(inner, int | float) else None

    if predicate.op == "signal":
        return []
    if predicate.op not in ("compare", "in_range", "in_set"):
        return None
    read = [a for a in predicate.args if not constant(a)]
    if len(read) != 1 or read[0].op != "signal" or read[0].value != name:
        return None
    if predicate.op != "compare" and read[0] is not predicate.args[0]:
        return None
    found = [value(a) for a in predicate.args if constant(a)]
    if predicate.op == "compare" and predicate.value not in ("==", "!=") and any(isinstance(c, str) for c in found):
        return None
    return found


def _numbers(constants: Sequence[float], s: SignalIR | None) -> tuple[Value, ...] | None:
    whole = s is not None and s.kind == "int"
    if s is not None and s.kind not in ("int", "real"):
        return None
    lo = -math.inf if s is None or s.lo is None else s.lo
    hi = math.inf if s is None or s.hi is None else s.hi
    points = sorted(set(constants))
    if not points or not all(map(math.isfinite, points)):
        return None
    if whole:
        near = {n for c in points for n in (math.floor(c) - 1, math.floor(c), math.ceil(c), math.ceil(c) + 1)}
        ends = {math.ceil(lo) if math.isfinite(lo) else None, math.floor(hi) if math.isfinite(hi) else None} - {None}
        return tuple(n for n in sorted(near | {e for e in ends if e is not None}) if lo <= n <= hi)
    values = [points[0] - 1.0 - abs(points[0]), points[-1] + 1.0 + abs(points[-1])]
    values += [v for v in (lo, hi) if math.isfinite(v)]
    values += points
    values += [math.nextafter(c, way) for c in points for way in (-math.inf, math.inf)]
    values += [(a + b) / 2 for a, b in itertools.pairwise(sorted({lo, *points, hi})) if math.isfinite(a + b)]
    allowed = {float(v) for v in values if lo <= v <= hi and math.isfinite(v)}
    return tuple(sorted(allowed, key=lambda v: (len(repr(v)), v)))  # the first that has a letter is its example


def _texts(constants: Sequence[str], s: SignalIR | None) -> tuple[Value, ...] | None:
    lo, hi = s.size if s is not None and s.size is not None else (0, None)
    known = [c for c in dict.fromkeys(constants) if lo <= len(c) and (hi is None or len(c) <= hi)]
    other = next(
        (t for n in range(max(lo, 1), max(lo, 1) + len(known) + 1) for t in ("-" * n,)
         if t not in known and (hi is None or n <= hi)), None,
    )  # fmt: skip
    if other is None:
        return None
    return (*known, other)
