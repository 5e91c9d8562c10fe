"""Typed formulas and traces for every property test: one library, in two forms.

Everything is drawn from a :class:`Source`. With :class:`Seeded` the generators are fast (a formula takes some
30 microseconds), for samples of 100,000 and more; with :class:`Drawn` the same generators are hypothesis strategies
that shrink: ``formulas()``, ``traces()``, ``pairs()``. The distributions seek corners: intervals with ``a > 0``,
``a = b`` and windows beyond the trace, traces of one step, past inside future and the other way round, values that
lie on the boundaries of atoms, atoms without a value.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import ALWAYS, Formula, Interval, Term, compare, const, formula, signal, term
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace, Valuation

T = TypeVar("T")

SIGNALS = (
    SignalIR("p", "bool"),
    SignalIR("q", "bool"),
    SignalIR("r", "bool"),
    SignalIR("n", "int", lo=0, hi=3),
    SignalIR("k", "int", lo=-2, hi=2),
    SignalIR("x", "real", lo=-2, hi=2),
    SignalIR("y", "real", lo=-2, hi=2),
    SignalIR("z", "real"),
    SignalIR("door", "enum", members=("open", "closed", "locked")),
    SignalIR("tile", "enum", members=("goal", "lava")),
    SignalIR("say", "text", size=(0, 20)),
    SignalIR("note", "text", size=(0, 20)),
    SignalIR("pos", "vector", size=(2, 2)),
    SignalIR("action", "enum", members=("left", "right", "stay")),
)
"""The declared signals. ``action`` has no value at step 0."""

BY_NAME: Mapping[str, SignalIR] = {s.name: s for s in SIGNALS}
NUMBERS = (0, 1, -1, 0.5, -0.5, 2, -2, 3, 1.5)
TEXTS = ("", "a", "ab", "ba", "abba", "b a", "-")
PATTERNS = ("a*", "(ab|ba)+", ".*b.*")


class Source(Protocol):
    """Where the generators take their decisions from; the first option is the simplest."""

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""

    def below(self, n: int) -> int:
        """A whole number from 0 to ``n - 1``."""

    def real(self, lo: float, hi: float) -> float:
        """A number between the bounds."""


class Seeded:
    """Decisions from a seeded generator."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed).random

    def choice(self, options: Sequence[T]) -> T:
        return options[int(self._random() * len(options))]

    def below(self, n: int) -> int:
        return int(self._random() * n)

    def real(self, lo: float, hi: float) -> float:
        return lo + self._random() * (hi - lo)


class Drawn:
    """Decisions drawn by hypothesis, which can shrink them."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        self._draw = draw

    def choice(self, options: Sequence[T]) -> T:
        return options[self._draw(st.integers(0, len(options) - 1))]  # type: ignore[no-any-return]

    def below(self, n: int) -> int:
        return int(self._draw(st.integers(0, n - 1)))

    def real(self, lo: float, hi: float) -> float:
        return float(self._draw(st.floats(lo, hi, allow_nan=False)))


# ---------------------------------------------------------------- profiles


@dataclass(frozen=True)
class Profile:
    """What a formula may be made of. An operator that occurs twice is drawn twice as often."""

    name: str
    operators: tuple[str, ...]
    atoms: Callable[[Source], Formula]
    ends: tuple[Formula, ...] = (ir.TRUE, ir.FALSE)
    how_many_atoms: tuple[int, ...] = (2, 2, 3, 3, 1)
    within: tuple[str, ...] = ("",)  # what the whole is put into: a past formula says little at step 0
    most_nodes: int = 9


_BOOLEAN = ("not", "and", "or", "and", "or", "implies", "xor", "iff")
_FUTURE = ("F", "G", "X", "WX", "U", "R", "W", "M", "U", "R", "U", "X")
_PAST = ("O", "H", "Y", "WY", "S", "T", "S", "T")


# ---------------------------------------------------------------- intervals and formulas

_LOWER = (0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 7)
_WIDTH = (None, None, 0, 0, 1, 1, 2, 3, 5, 40)
_COUNTS = (1, 1, 1, 1, 2, 2, 0, 3, 6)


def interval(source: Source, op: str) -> Interval:
    """An interval that ``op`` takes."""
    if op in ("X", "WX", "Y", "WY"):
        k = source.choice(_COUNTS)
        return (k, k)
    if source.below(5) < 2:
        return ALWAYS
    a, width = source.choice(_LOWER), source.choice(_WIDTH)
    return (a, None if width is None else a + width)


def make_formula(source: Source, profile: Profile) -> Formula:
    """A formula of a profile: its atoms are few, so that its parts speak of the same things."""
    vocabulary = [profile.atoms(source) for _ in range(source.choice(profile.how_many_atoms))]
    if source.below(3) == 2:
        vocabulary.append(_related(source, vocabulary[0]))
    size = 1 + source.below(profile.most_nodes)
    f = _grow(source, profile, vocabulary, size)
    match source.choice(profile.within):
        case "":
            return f
        case "at the end":
            return formula("F", (ir.and_(ir.LAST, f),))
        case op:
            return formula(op, (f,))


def _related(source: Source, f: Formula) -> Formula:
    """An atom that is not independent of another one: the same comparison with another sign."""
    predicate = f.predicate
    if predicate.op != "compare":
        return f
    left, right = predicate.args
    assert isinstance(left, Term)
    assert isinstance(right, Term)
    signs = ("==", "!=") if predicate.value in ("==", "!=") else ir.COMPARISONS
    return compare(source.choice(signs), left, right)


def _grow(source: Source, profile: Profile, vocabulary: Sequence[Formula], size: int) -> Formula:
    if size <= 0:
        return source.choice(profile.ends) if source.below(9) == 8 else source.choice(vocabulary)
    op = source.choice(profile.operators)
    if op in ("not", "F", "G", "X", "WX", "O", "H", "Y", "WY"):
        inner = _grow(source, profile, vocabulary, size - 1)
        return formula(op, (inner,), None if op == "not" else interval(source, op))
    left = source.below(size)
    args = [_grow(source, profile, vocabulary, left), _grow(source, profile, vocabulary, size - 1 - left)]
    if op in ("and", "or") and source.below(6) == 5:
        args.append(_grow(source, profile, vocabulary, 0))
    return formula(op, args, interval(source, op) if op in ir.FUTURE or op in ir.PAST else None)


# ---------------------------------------------------------------- atoms


def proposition(source: Source) -> Formula:
    """A Boolean signal."""
    return ir.prop(source.choice(("p", "q", "r")))


def letter_atom(source: Source) -> Formula:
    """An atom over signals with few values: Booleans, enums, small whole numbers, what they were before."""
    match source.below(10):
        case 0 | 1:
            return proposition(source)
        case 2:
            return compare(source.choice(("==", "!=")), signal("say"), const(source.choice(("-", "ab", "-", "--"))))
        case 3:
            s = BY_NAME[source.choice(("door", "tile", "action"))]
            return compare(source.choice(("==", "!=")), signal(s.name), const(source.choice(s.members)))
        case 4:
            return compare(_comparison(source), signal(source.choice(("n", "k"))), const(source.choice((0, 1, 2, -1))))
        case 5:
            return compare(_comparison(source), signal(source.choice(("x", "y"))), const(source.choice(NUMBERS)))
        case 6:
            name = source.choice(("n", "k", "x"))
            return compare(_comparison(source), term("prev", value=name), const(source.choice((0, 1, -1))))
        case 7:
            s = BY_NAME[source.choice(("door", "action"))]
            then = signal(s.name) if source.below(2) else const(source.choice(s.members))
            return compare(source.choice(("==", "!=")), term("prev", value=s.name), then)
        case 8:
            s = BY_NAME[source.choice(("door", "action"))]
            members = [const(m) for m in s.members[: 1 + source.below(2)]]
            return ir.atom(term("in_set", (signal(s.name), *members), _negated(source)))
        case _:
            left = term(source.choice(("add", "sub", "mul", "div")), (signal("n"), signal("k")))
            return compare(_comparison(source), left, const(source.choice((0, 1, 2))))


def number_term(source: Source, depth: int = 2) -> Term:
    """A numeric term, sometimes without a value (``1 / 0``, the root of a negative number, ``prev`` at step 0)."""
    if depth == 0 or source.below(3) == 0:
        match source.below(5):
            case 0:
                return const(source.choice(NUMBERS))
            case 1:
                return term("prev", value=source.choice(("x", "n", "z")))
            case 2:
                return term("index", (signal("pos"),), source.below(2))
            case _:
                return signal(source.choice(("x", "y", "z", "n", "k")))
    op = source.choice(
        ("add", "sub", "mul", "div", "div", "neg", "abs", "sqrt", "sqrt", "log", "min", "max", "pow", "norm", "dist",
         "sin", "exp", "atan2", "length", "count", "sum")
    )  # fmt: skip
    if op in ("norm", "dist"):
        points = (signal("pos"), _pair(source)) if op == "dist" else (source.choice((signal("pos"), _pair(source))),)
        return term(op, points)
    if op == "length":
        return term(op, (signal(source.choice(("say", "note"))),))
    if op in ("count", "sum"):
        held = source.choice((proposition, comparison_atom))(source)
        window = interval(source, op)
        return term(op, (held,) if op == "count" else (number_term(source, 0), held), None, window)
    arity = {"add": 2, "sub": 2, "mul": 2, "div": 2, "pow": 2, "atan2": 2, "min": 2, "max": 3}.get(op, 1)
    return term(op, [number_term(source, depth - 1) for _ in range(arity)])


def comparison_atom(source: Source) -> Formula:
    """A comparison of a number with a constant on its grid, so that equality happens."""
    return compare(_comparison(source), signal(source.choice(("x", "y", "n", "k"))), const(source.choice(NUMBERS)))


def region(source: Source, depth: int = 2) -> Term:
    """A region of the plane."""
    op = source.choice(("box", "ball", "halfspace", "polytope", "ellipsoid", "union", "intersection", "complement"))
    if depth == 0 and op in ("union", "intersection", "complement"):
        op = "box"
    if op == "box":
        lo = (source.choice((-1, 0, -2)), source.choice((-1, 0, 1)))
        return term("box", (const(lo), const((lo[0] + source.choice((1, 2, 0)), lo[1] + source.choice((1, 2))))))
    if op == "ball":
        return term("ball", (const((source.choice(NUMBERS), 0)), const(source.choice((1, 0.5, 2)))))
    if op == "halfspace":
        normal = source.choice(((1, 0), (0, 1), (3, 4), (-1, 1)))
        return term("halfspace", (const(normal), const(source.choice(NUMBERS))))
    if op == "ellipsoid":
        return term("ellipsoid", (const((0, source.choice(NUMBERS))), const(source.choice(((1, 2), (2, 1), (0.5, 1))))))
    if op == "polytope":
        sides = (((1, 0), 1), ((0, 1), 1), ((-1, -1), source.choice((1, 0, 2))))
        return term("polytope", [term("halfspace", (const(normal), const(offset))) for normal, offset in sides])
    parts = 1 if op == "complement" else 2
    return term(op, [region(source, depth - 1) for _ in range(parts)])


def rich_atom(source: Source) -> Formula:
    """An atom of any kind there is."""
    kind = source.below(16)
    if kind < 3:
        return letter_atom(source)
    if kind < 6:
        return compare(_comparison(source), number_term(source), number_term(source, 1))
    if kind == 6:
        return comparison_atom(source)
    if kind == 7:  # how a number has changed
        now, before = signal(source.choice(("x", "z"))), term("prev", value=source.choice(("x", "z", "n")))
        if source.below(2):
            return compare(_comparison(source), now, before)
        change = term("abs", (term("sub", (now, before)),))
        return compare(_comparison(source), change, const(source.choice((0, 0.5, 1))))
    negated = _negated(source)
    if kind == 8:
        lo = source.choice((-1, 0, 0.5))
        bounds = const(lo), const(lo + source.choice((1, 0, 2)))
        return ir.atom(term("in_range", (number_term(source, 1), *bounds), negated))
    if kind == 9:
        members = [const(source.choice(NUMBERS)) for _ in range(1 + source.below(3))]
        return ir.atom(term("in_set", (number_term(source, 1), *members), negated))
    if kind in (10, 11):
        point = signal("pos") if source.below(2) else term("tuple", (number_term(source, 0), number_term(source, 0)))
        return ir.atom(term("in_region", (point, region(source)), negated))
    if kind == 12:
        name, pool = source.choice((("n", NUMBERS), ("k", NUMBERS), ("door", BY_NAME["door"].members)))
        what = source.choice((signal(name), const(source.choice(pool)), term("prev", value=name)))
        return ir.atom(term("in_seen", (what, signal(name)), negated))
    if kind == 13:
        what = source.choice((const(source.choice(TEXTS[1:])), signal("note"), term("prev", value="say")))
        return ir.atom(term("occurs_in_seen", (what, signal("say")), negated))
    if kind == 14:
        op = source.choice(("contains", "starts_with", "ends_with"))
        what = source.choice((signal("say"), term("prev", value="note")))
        return ir.atom(term(op, (what, const(source.choice(TEXTS))), negated))
    if source.below(2):
        return ir.atom(term("matches", (signal("say"), const(source.choice(PATTERNS))), negated))
    return compare(source.choice(("==", "!=")), signal("say"), source.choice((signal("note"), const("ab"))))


def _comparison(source: Source) -> str:
    return source.choice((">", ">=", "<", "<=", "==", "!="))


def _negated(source: Source) -> bool:
    return source.below(3) == 2


def _pair(source: Source) -> Term:
    if source.below(2):
        return const((source.choice(NUMBERS), source.choice(NUMBERS)))
    return term("tuple", (signal("x"), signal("y")))


_FIRST, _LAST, _BOTH = (ir.FIRST, ir.TRUE), (ir.LAST, ir.FALSE), (ir.FIRST, ir.LAST, ir.TRUE, ir.FALSE)

PROFILES = (
    Profile("propositional future", (*_BOOLEAN[:5], *_FUTURE), proposition),
    Profile("propositional past", (*_BOOLEAN[:5], *_PAST), proposition, _FIRST, within=("at the end", "G", "F")),
    Profile("propositional mixed", (*_BOOLEAN, *_FUTURE, *_PAST), proposition, _BOTH),
    Profile("letters future", (*_BOOLEAN, *_FUTURE), letter_atom, _BOTH, most_nodes=7),
    Profile("letters mixed", (*_BOOLEAN, *_FUTURE, *_PAST), letter_atom, _BOTH, most_nodes=7),
    Profile("rich future", (*_BOOLEAN, *_FUTURE), rich_atom, _LAST, most_nodes=6),
    Profile("rich mixed", (*_BOOLEAN, *_FUTURE, *_PAST), rich_atom, _BOTH, most_nodes=6),
    Profile("state", _BOOLEAN, rich_atom, most_nodes=4),
)
"""The profiles of a sample, drawn equally often."""

BY_PROFILE: Mapping[str, Profile] = {p.name: p for p in PROFILES}


# ---------------------------------------------------------------- traces

_LENGTHS = (1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 9, 12)


def make_trace(source: Source, length: int | None = None, signals: Sequence[SignalIR] = SIGNALS) -> Trace:
    """A trace of all signals. Booleans lean to one side for a whole trace, and some values repeat."""
    if length is None:
        length = source.choice(_LENGTHS)
    columns: dict[str, list[Any]] = {}
    for s in signals:
        lean, sticky = source.choice((5, 2, 8)), source.below(3) == 2
        column = [_value(source, s, lean) for _ in range(length)]
        if sticky:
            for t in range(1, length):
                if source.below(3):
                    column[t] = column[t - 1]
        columns[s.name] = column
    return Trace(
        {name: column[t] for name, column in columns.items() if t or name != "action"} for t in range(length)
    )


def _value(source: Source, s: SignalIR, lean: int) -> Any:
    match s.kind:
        case "bool":
            return source.below(10) >= lean
        case "int":
            assert s.lo is not None and s.hi is not None
            return int(s.lo) + source.below(int(s.hi - s.lo) + 1)
        case "real":
            lo, hi = (-2.0 if s.lo is None else s.lo), (2.0 if s.hi is None else s.hi)
            grid = float(source.choice(NUMBERS)) if source.below(4) else source.real(lo, hi)
            return min(max(grid, lo), hi)
        case "enum":
            return source.choice(s.members)
        case "text":
            return source.choice(TEXTS)
        case "vector":
            return tuple(float(source.choice(NUMBERS)) if source.below(4) else source.real(-2, 2) for _ in range(2))
    raise AssertionError(s.kind)


# ---------------------------------------------------------------- the valuations that are possible

_AGGREGATES = ("in_seen", "occurs_in_seen", "count", "sum")


def letters(f: Formula, most: int = 16, signals: Mapping[str, SignalIR] = BY_NAME) -> tuple[Valuation, ...] | None:
    """The valuations of the formula's signals that its atoms can tell apart; None if too many or not known.

    Where no atom reads the step before, one valuation for each combination of truth values is enough. Not known for
    formulas that aggregate over the past, and for vectors. A real signal is represented by the constants that it is
    compared with, points between and beyond them; a text by those that it is compared with, and by another one.
    """
    if any(n.op in _AGGREGATES for n in ir.postorder(f)):
        return None
    names = ir.signals(f)
    domains: list[Sequence[Any]] = []
    for name in names:
        s = signals[name]
        domain = _domain(s, f)
        if domain is None:
            return None
        domains.append(domain)
    size = 1
    for domain in domains:
        size *= len(domain)
    forgetful = not any(n.op == "prev" for n in ir.postorder(f))
    if size > (64 if forgetful else most):
        return None
    all_of_them = [dict(zip(names, values, strict=True)) for values in itertools.product(*domains)]
    if not forgetful:
        return tuple(all_of_them)
    different: dict[tuple[bool, ...], Valuation] = {}
    for valuation in all_of_them:
        twice = Trace([valuation, valuation])
        different.setdefault(tuple(evaluate(a, twice, 1) for a in ir.atoms(f)), valuation)
    return tuple(different.values()) if len(different) <= most else None


def _domain(s: SignalIR, f: Formula) -> Sequence[Any] | None:
    if s.kind == "bool":
        return (False, True)
    if s.kind == "enum":
        return s.members
    if s.kind == "int" and s.lo is not None and s.hi is not None:
        return range(int(s.lo), int(s.hi) + 1)
    if s.kind == "text":
        return _texts(s, f)
    if s.kind != "real":
        return None
    cuts: set[float] = set()
    for node in ir.postorder(f):
        if not any(a.op in ("signal", "prev") and a.value == s.name for a in node.args):
            continue
        if node.op != "compare":
            return None
        left, right = node.args
        if right.op != "const" or left is right:
            return None
        assert isinstance(right.value, int | float)
        cuts.add(float(right.value))
    lo, hi = (-float("inf") if s.lo is None else s.lo), (float("inf") if s.hi is None else s.hi)
    inside = sorted(c for c in cuts | ({lo} if s.lo is not None else set()) | ({hi} if s.hi is not None else set())
                    if lo <= c <= hi)  # fmt: skip
    between = [(a + b) / 2 for a, b in itertools.pairwise(inside)]
    beyond = [inside[0] - 1] * (s.lo is None) + [inside[-1] + 1] * (s.hi is None)
    return sorted({*inside, *between, *beyond})


def _texts(s: SignalIR, f: Formula) -> Sequence[str] | None:
    found: dict[str, None] = {}
    for node in ir.postorder(f):
        if any(a.op in ("signal", "prev") and a.value == s.name for a in node.args):
            other = node.args[-1]
            if node.op != "compare" or not isinstance(other.value, str) or other.op != "const":
                return None
            found[other.value] = None
    return (*found, "something else")


# ---------------------------------------------------------------- samples


def sample(
    seed: int | str, traces_each: int = 24, profiles: Sequence[Profile] = PROFILES
) -> Iterator[tuple[Formula, list[Trace]]]:
    """Formulas, each with its traces, without end; the traces come from a bank that is renewed now and then."""
    source = Seeded(seed)
    bank: list[Trace] = []
    for count in itertools.count():
        if count % 500 == 0:
            bank = [make_trace(source) for _ in range(600)]
        f = make_formula(source, profiles[count % len(profiles)])
        start = source.below(len(bank) - traces_each)
        yield f, bank[start : start + traces_each]


@st.composite
def formulas(draw: Any, profile: Profile | str = "rich mixed") -> Formula:
    """Hypothesis: formulas of a profile."""
    return make_formula(Drawn(draw), BY_PROFILE[profile] if isinstance(profile, str) else profile)


@st.composite
def traces(draw: Any, length: int | None = None) -> Trace:
    """Hypothesis: traces of :data:`SIGNALS`."""
    return make_trace(Drawn(draw), length)


def pairs(profile: Profile | str = "rich mixed") -> st.SearchStrategy[tuple[Formula, Trace]]:
    """Hypothesis: a formula and a trace."""
    return st.tuples(formulas(profile), traces())
