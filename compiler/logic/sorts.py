"""Sorts of terms: what kind of value each has, and that every operator gets the kinds that it takes.

What the front end lowers is well sorted, because it was type-checked; what is read from a file need not be. A term
whose sort is found here can be evaluated on every trace of the declared signals without an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agentc.compiler.logic.ir import AUTOMATON, COMPARISONS, FUNCTIONS, REGIONS, Formula, Node, Term, Value


class Sort(NamedTuple):
    """A kind of value: ``any bool number text vector set predicate region``; ``size`` of vectors and regions."""

    kind: str
    size: int | None = None

    def __str__(self) -> str:
        return self.kind if self.size is None else f"{self.kind} of {self.size}"


ANY, BOOL, NUMBER, TEXT, PREDICATE = Sort("any"), Sort("bool"), Sort("number"), Sort("text"), Sort("predicate")
SET = Sort("set")

_OF_KIND = {"bool": BOOL, "int": NUMBER, "real": NUMBER, "enum": TEXT, "text": TEXT}
_TEXT_PREDICATES = ("contains", "starts_with", "ends_with", "matches", "occurs_in_seen")


def sort_of_signal(kind: str, size: tuple[int, int] | None = None) -> Sort:
    """The sort of a signal of a declared kind."""
    return Sort("vector", size[0] if size is not None else None) if kind == "vector" else _OF_KIND[kind]


def sort_of_value(value: Value) -> Sort:
    """The sort of a constant. Raises ``ValueError`` if it is none: nothing, not finite, a vector of anything else."""
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int | float):
        if not _is_double(value):
            raise ValueError("a number is not finite")
        return NUMBER
    if isinstance(value, str):
        return TEXT
    if isinstance(value, tuple) and value and all(sort_of_value(v) == NUMBER for v in value):
        return Sort("vector", len(value))
    raise ValueError("a constant is neither Boolean, number, text nor vector")


def check_sorts(nodes: Iterable[Node], signals: Mapping[str, Sort] | None = None) -> None:
    """Check nodes, of which arguments come before what they are arguments of.

    ``signals`` are the sorts of all signals that there are; without it nothing is known of them. Raises
    ``ValueError`` that names the operator and what is wrong with its arguments.
    """
    sorts: dict[Node, Sort] = {}
    for node in nodes:
        if isinstance(node, Formula):
            _check_formula(node, sorts)
        else:
            assert isinstance(node, Term)
            try:
                sorts[node] = _sort(node, sorts, signals)
            except ValueError as error:
                raise ValueError(f"{node.op!r}: {error}") from None


def _check_formula(node: Formula, sorts: Mapping[Node, Sort]) -> None:
    if node.op != "atom":
        if not all(isinstance(a, Formula) for a in node.args):
            raise ValueError(f"an argument of {node.op!r} is no formula")
        return
    term = node.args[0]
    if not isinstance(term, Term):
        raise ValueError("an atom is of a predicate, not of a formula")
    if sorts[term] != PREDICATE and not (term.op == "signal" and _fits(sorts[term], BOOL)):
        raise ValueError(f"an atom is of a predicate or a Boolean signal, not of {term.op!r}")


def _sort(node: Term, sorts: Mapping[Node, Sort], signals: Mapping[str, Sort] | None) -> Sort:
    op, args, value = node.op, node.args, node.value
    if node.interval is not None and op not in ("count", "sum"):
        raise ValueError("it takes no interval")
    if op in ("count", "sum"):
        return _aggregate(node, sorts)
    if op == AUTOMATON:
        check_automaton(node)
        return PREDICATE
    if any(isinstance(a, Formula) for a in args):
        raise ValueError("an argument is a formula")
    given = [sorts[a] for a in args]
    if op in ("const", "signal", "prev"):
        _arity(given, 0)
        return sort_of_value(value) if op == "const" else _signal(value, signals)
    if any(s == PREDICATE for s in given):
        raise ValueError("an argument is a predicate")
    if op == "compare" or op.startswith("in_") or op in _TEXT_PREDICATES or op == "from":
        _predicate(node, given)
        return PREDICATE
    if op == "index":
        _take(given, Sort("vector"))
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise ValueError("its index is no whole number from 0")
        return NUMBER
    if value is not None:
        raise ValueError("it takes no value")
    if op == "tuple":
        _arity(given, 1, None)
        _take(given, *(NUMBER,) * len(given))
        return Sort("vector", len(given))
    if op in FUNCTIONS:
        return _function(op, given)
    if op in REGIONS:
        return _region(op, args, given)
    raise ValueError("no such operator")


def check_automaton(node: Term) -> None:
    """Raise ``ValueError`` if the automaton of a term cannot be run on the formulas that it reads."""
    if not all(isinstance(a, Formula) for a in node.args):
        raise ValueError("an automaton reads formulas")
    if not isinstance(node.value, tuple) or len(node.value) != 5:
        raise ValueError("its value is no automaton")
    title, names, nodes, roots, accepting = node.value
    if not isinstance(title, str) or not isinstance(names, tuple) or not all(isinstance(n, str) for n in names):
        raise ValueError("its title and its propositions are no texts")
    if len(names) != len(node.args):
        raise ValueError("it reads another number of propositions")
    if not isinstance(nodes, tuple) or not isinstance(roots, tuple) or not isinstance(accepting, tuple):
        raise ValueError("it has no table")
    size = len(roots)
    if not size or len(accepting) != size or not all(isinstance(a, bool) for a in accepting):
        raise ValueError("it has no states, or not each says whether it accepts")

    def leads(ref: object, below: int) -> bool:
        return type(ref) is int and -size <= ref < below

    for at, row in enumerate(nodes):
        if not isinstance(row, tuple) or len(row) != 3 or not all(leads(ref, at) for ref in row[1:]):
            raise ValueError("a row of its table leads nowhere")
        if type(row[0]) is not int or not 0 <= row[0] < len(names):
            raise ValueError("a row of its table tests no proposition")
    if not all(leads(root, len(nodes)) for root in roots):
        raise ValueError("a row of its table leads nowhere")


def _aggregate(node: Term, sorts: Mapping[Node, Sort]) -> Sort:
    condition = node.args[-1] if node.args else None
    if not isinstance(condition, Formula) or len(node.args) != (1 if node.op == "count" else 2):
        raise ValueError("it takes a condition" if node.op == "count" else "it takes a number and a condition")
    if node.op == "sum" and (isinstance(node.args[0], Formula) or not _fits(sorts[node.args[0]], NUMBER)):
        raise ValueError("it does not sum a number")
    if node.interval is not None:
        lo, hi = node.interval
        if type(lo) is not int or lo < 0 or (hi is not None and (type(hi) is not int or hi < lo)):
            raise ValueError("its interval is not 0 <= a <= b")
    return NUMBER


def _signal(name: Value, signals: Mapping[str, Sort] | None) -> Sort:
    if not isinstance(name, str) or not name:
        raise ValueError("the name of a signal is no text")
    if signals is None:
        return ANY
    if name.endswith("@from"):
        return SET
    if name not in signals:
        raise ValueError(f"there is no signal {name!r}")
    return signals[name]


def _predicate(node: Term, given: Sequence[Sort]) -> None:
    op, value = node.op, node.value
    if op == "compare":
        _arity(given, 2)
        if not isinstance(value, str) or value not in COMPARISONS:
            raise ValueError("it is no comparison that there is")
        if any(s.kind == "region" for s in given) or not _fits(*given):
            raise ValueError(f"{given[0]} and {given[1]} are not compared")
        if value not in ("==", "!=") and any(s.kind in ("bool", "set") for s in given):
            raise ValueError(f"{given[0]} has no order")
        return
    if value is not None and not isinstance(value, bool):
        raise ValueError("it is negated or not: its value is true or false")
    if op == "in_range":
        _take(given, NUMBER, NUMBER, NUMBER)
    elif op in ("in_set", "in_seen"):
        _arity(given, 2, None if op == "in_set" else 2)
        if any(s.kind in ("region", "set") or not _fits(given[0], s) for s in given):
            raise ValueError("its members are of other sorts")
    elif op == "in_region":
        _arity(given, 2)
        point, region = given
        if region.kind != "region" or not _fits(point, Sort("vector")) or not _same_size(point, region):
            raise ValueError(f"{point} is in no {region}")
    elif op == "from":
        _arity(given, 2)
        if given[0] not in (SET, ANY) or not _fits(given[1], TEXT):
            raise ValueError("it takes origins and a text")
    elif op in _TEXT_PREDICATES:
        _take(given, TEXT, TEXT)
        if op == "matches":
            _pattern(node.args[1])
    else:
        raise ValueError("no such predicate")


def _pattern(node: Node) -> None:
    if node.op != "const":
        raise ValueError("its pattern is no constant")
    try:
        re.compile(str(node.value))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"its pattern is none: {error}") from None


def _function(op: str, given: Sequence[Sort]) -> Sort:
    if op == "norm":
        _take(given, Sort("vector"))
    elif op == "dist":
        _take(given, Sort("vector"), Sort("vector"))
        if not _same_size(*given):
            raise ValueError("its vectors are of different sizes")
    elif op == "length":
        _arity(given, 1)
        if given[0].kind not in ("text", "vector", "any"):
            raise ValueError(f"{given[0]} has no length")
    else:
        arity = FUNCTIONS[op]
        _arity(given, 2 if arity is None else arity, arity)
        _take(given, *(NUMBER,) * len(given))
    return NUMBER


def _region(op: str, args: Sequence[Node], given: Sequence[Sort]) -> Sort:
    if op in ("union", "intersection", "polytope", "complement"):
        _arity(given, 1, 1 if op == "complement" else None)
        size = given[0].size
        if any(s.kind != "region" or not _same_size(s, given[0]) for s in given):
            raise ValueError("its parts are no regions of one size")
        if op == "polytope" and any(a.op != "halfspace" for a in args):
            raise ValueError("its parts are no halfspaces")
        return Sort("region", size)
    vector = Sort("vector")
    _take(given, vector, vector if op in ("box", "ellipsoid") else NUMBER)
    if op in ("box", "ellipsoid") and not _same_size(*given):
        raise ValueError("its vectors are of different sizes")
    if op == "ellipsoid" and any(v <= 0 for v in _numbers(args[1])):
        raise ValueError("a semi-axis is not positive")
    if op == "halfspace" and args[0].op in ("const", "tuple") and not any(_numbers(args[0])):
        raise ValueError("its normal is zero")
    return Sort("region", given[0].size)


def _numbers(node: Node) -> list[float]:
    """The constant numbers of a vector; for one that is not constant a number that is no zero."""
    if node.op == "const" and isinstance(node.value, tuple):
        return [v if isinstance(v, int | float) else 1.0 for v in node.value]
    return [a.value if a.op == "const" and isinstance(a.value, int | float) else 1.0 for a in node.args]


def _fits(a: Sort, b: Sort) -> bool:
    return ANY in (a, b) or (a.kind == b.kind and _same_size(a, b))


def _same_size(a: Sort, b: Sort) -> bool:
    return a.size is None or b.size is None or a.size == b.size


def _arity(given: Sequence[Sort], least: int, most: int | None = 0) -> None:
    """``most`` None is any number, 0 as many as ``least``."""
    if len(given) < least or (most is not None and len(given) > (most or least)):
        raise ValueError(f"it does not take {len(given)} arguments")


def _take(given: Sequence[Sort], *wanted: Sort) -> None:
    _arity(given, len(wanted), len(wanted))
    for have, want in zip(given, wanted, strict=True):
        if not _fits(have, want):
            raise ValueError(f"an argument is {have}, not {want}")


def _is_double(value: int | float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
