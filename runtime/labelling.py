"""Labelling: from the signals of N environments to the truth of atoms, vectorised.

A batch of valuations is a mapping from signal names to arrays over the environments:

========  =======================================================  ====================
type      array                                                    no value
========  =======================================================  ====================
bool      bool ``(N,)``                                            (always has one)
int real  float64 ``(N,)`` (integers below 2**53 are exact)        NaN
enum      integer codes ``(N,)``, indices into the members         -1
text      object ``(N,)`` of ``str``                               None
vector    float64 ``(N, d)``                                       NaN in a row
========  =======================================================  ====================

The meaning of every function and predicate is that of :mod:`agentc.compiler.logic.semantics`, to which the
conformance suite holds it: an atom without a value is false, negated or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SignalIR
from agentc.compiler.logic.ir import Formula, Node, Term, Value, postorder
from agentc.lang.diagnostics import AgentcError, report

Array = NDArray[Any]
Batch = Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class _Column:
    """The values of a term over the environments, and where it has one (None: everywhere)."""

    values: Any
    defined: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class _Moment:
    """What a labeller reads: the present signals, those of the step before, and where there was one."""

    present: Batch
    previous: Batch | None
    started: NDArray[np.bool_]
    size: int


_Reader = Callable[[_Moment], _Column]


class Labeller:
    """Tells which of ``atoms`` hold in each of N environments, and the values of ``terms``.

    Raises :class:`AgentcError` (AS0720) for an atom that looks further back than one step (``seen``, ``count``,
    ``sum``), which takes a monitor with memory.
    """

    def __init__(self, atoms: Sequence[Formula], signals: Sequence[SignalIR], terms: Sequence[Term] = ()) -> None:
        self.atoms = tuple(atoms)
        self._signals = {s.name: s for s in signals}
        self._codes: dict[str, int] = {}
        readers: dict[Node, _Reader] = {}
        for node in postorder(*self.atoms, *terms):
            if isinstance(node, Term):
                readers[node] = self._reader(node, readers)
        self._readers = [readers[a.predicate] for a in self.atoms]
        self._terms = [readers[t] for t in terms]
        self.needs_previous = any(n.op == "prev" for n in postorder(*self.atoms))

    def __call__(
        self,
        present: Batch,
        previous: Batch | None = None,
        started: NDArray[np.bool_] | None = None,
        out: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.bool_]:
        """The truth of the atoms, bool ``(N, atoms)``.

        Args:
            present: the signals at this step.
            previous: those at the step before; needed if an atom reads ``prev``.
            started: bool ``(N,)``, which environments had a step before; None is all (none without ``previous``).
            out: where to write.
        """
        size = len(next(iter(present.values()))) if present else (0 if out is None else len(out))
        if started is None:
            started = np.full(size, previous is not None)
        result = np.empty((size, len(self.atoms)), np.bool_) if out is None else out
        moment = _Moment(present, previous, started, size)
        with np.errstate(all="ignore"):
            for k, reader in enumerate(self._readers):
                column = reader(moment)
                result[:, k] = column.values if column.defined is None else column.values & column.defined
        return result

    def numbers(self, present: Batch, previous: Batch | None, size: int) -> list[NDArray[np.float64]]:
        """The values ``(size,)`` of ``terms``, which are numbers; NaN where one has none."""
        moment = _Moment(present, previous, np.full(size, previous is not None), size)
        found = []
        with np.errstate(all="ignore"):
            for reader in self._terms:
                column = reader(moment)
                values = np.broadcast_to(np.asarray(column.values, np.float64), (size,))
                found.append(np.where(True if column.defined is None else column.defined, values, np.nan))
        return found

    # ------------------------------------------------------------ terms

    def _code(self, member: str) -> int:
        """The number of an enum member, shared by all enums, so that members of two signals can be compared."""
        return self._codes.setdefault(member, len(self._codes))

    def _kind(self, node: Node) -> str:
        """``text``, ``enum``, ``bool``, ``vector`` or ``number``."""
        if node.op in ("signal", "prev"):
            signal = self._signals.get(str(node.value))
            if signal is None:
                return "bool"  # an undeclared name is a Boolean signal, as everywhere
            return "number" if signal.kind in ("int", "real") else signal.kind
        if node.op == "const":
            value = node.value
            if isinstance(value, bool):
                return "bool"
            return "vector" if isinstance(value, tuple) else "word" if isinstance(value, str) else "number"
        return "vector" if node.op == "tuple" else "number"

    def _reader(self, node: Term, readers: Mapping[Node, _Reader]) -> _Reader:
        arguments = [readers[a] for a in node.args]
        if node.op in ("signal", "prev"):
            return self._signal(str(node.value), previous=node.op == "prev")
        if node.op == "const":
            value = node.value
            return lambda m: _Column(value)
        if node.op in ("count", "sum", "in_seen", "occurs_in_seen"):
            raise AgentcError([report("AS0720", None, term=str(node))])
        if node.op in _REGIONS:
            return lambda m: _together(arguments, m, lambda x: (node.op, *x))
        if node.op in ("compare", "in_range", "in_set", "in_region", "from", *_TEXT):
            return self._predicate(node, arguments)
        if node.op == "tuple":
            return lambda m: _together(arguments, m, lambda x: _stack(x, m.size))
        if node.op == "index":
            position = node.value
            assert isinstance(position, int)
            return lambda m: _together(arguments, m, lambda x: np.asarray(x[0], np.float64)[..., position])
        if node.op == "length":
            return lambda m: _together(arguments, m, lambda x: _each(len, x[0], m, 0, arguments))
        function = _FUNCTIONS[node.op]
        return lambda m: _finite(_together(arguments, m, lambda x: function(*x)))

    def _signal(self, name: str, *, previous: bool) -> _Reader:
        declared = self._signals.get(name)
        kind = declared.kind if declared is not None else "bool"
        table = np.array([self._code(member) for member in declared.members]) if declared and kind == "enum" else None

        def read(m: _Moment) -> _Column:
            batch = m.previous if previous else m.present
            if batch is None:
                return _Column(np.zeros(m.size), np.zeros(m.size, np.bool_))
            values = batch[name]
            defined: NDArray[np.bool_] | None = None
            if table is not None:
                defined = values >= 0
                values = table[values]  # -1 reads the last member, which `defined` hides
            elif kind == "text":
                defined = np.array([v is not None for v in values], np.bool_)
            elif kind == "vector":
                defined = np.asarray(np.isfinite(values).all(axis=-1))
            elif values.dtype.kind == "f":
                defined = np.isfinite(values)
            if previous:
                defined = m.started if defined is None else defined & m.started
            return _Column(values, defined)

        return read

    # ------------------------------------------------------------ predicates

    def _predicate(self, node: Term, arguments: list[_Reader]) -> _Reader:
        negated = node.value is True
        if node.op == "compare":
            arguments = self._encoded(node.args, arguments)
            operation = _COMPARE[str(node.value)]
            return lambda m: _together(arguments, m, lambda x: _truth(operation(x[0], x[1]), m))
        if node.op == "in_range":
            return lambda m: _together(
                arguments, m, lambda x: _truth(((x[1] <= x[0]) & (x[0] <= x[2])) != negated, m)
            )
        if node.op == "in_set":
            arguments = self._encoded(node.args, arguments)

            def among(x: list[Any], m: _Moment) -> Any:
                found = np.zeros(m.size, np.bool_)
                for member in x[1:]:
                    found |= _truth(x[0] == member, m)
                return found != negated

            return lambda m: _together(arguments, m, lambda x: among(x, m))
        if node.op == "in_region":
            return lambda m: _together(
                arguments, m, lambda x: _truth(contains(x[1], _points(x[0], m.size)) != negated, m)
            )
        if node.op == "from":
            return lambda m: _together(
                arguments, m, lambda x: _pairs(lambda origins, label: label in origins, x, m, arguments) != negated
            )
        test = _TEXT[node.op]
        return lambda m: _together(arguments, m, lambda x: _pairs(test, x, m, arguments) != negated)

    def _encoded(self, nodes: Sequence[Node], arguments: list[_Reader]) -> list[_Reader]:
        """Words that are compared with an enum become its codes."""
        if not any(self._kind(a) == "enum" for a in nodes):
            return arguments

        def coded(word: Value) -> _Reader:
            code = self._code(str(word))
            return lambda m: _Column(code)

        return [coded(a.value) if self._kind(a) == "word" else r for a, r in zip(nodes, arguments, strict=True)]


# ---------------------------------------------------------------- combination


def _together(arguments: Sequence[_Reader], m: _Moment, function: Callable[[list[Any]], Any]) -> _Column:
    """A function of columns; it has a value where all of them have one."""
    columns = [argument(m) for argument in arguments]
    defined: NDArray[np.bool_] | None = None
    for column in columns:
        if column.defined is not None:
            defined = column.defined if defined is None else defined & column.defined
    return _Column(function([column.values for column in columns]), defined)


def _finite(column: _Column) -> _Column:
    """NaN and infinity are no values."""
    finite = np.asarray(np.isfinite(column.values))
    if finite.ndim == 0:
        return column if finite else _Column(0.0, np.zeros(1, np.bool_))
    return _Column(column.values, finite if column.defined is None else finite & column.defined)


def _truth(value: Any, m: _Moment) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.char == "?" and value.shape == (m.size,):
        return value
    return np.broadcast_to(np.asarray(value, np.bool_), (m.size,))


def _stack(x: Sequence[Any], size: int) -> Array:
    return np.stack([np.broadcast_to(np.asarray(v, np.float64), (size,)) for v in x], axis=-1)


def _points(value: Any, size: int) -> Array:
    points = np.asarray(value, np.float64)
    return np.broadcast_to(points, (size, points.shape[-1]))


def _defined(m: _Moment, arguments: Sequence[_Reader]) -> NDArray[np.bool_]:
    found = np.ones(m.size, np.bool_)
    for argument in arguments:
        column = argument(m)
        if column.defined is not None:
            found = found & column.defined
    return found


def _each(function: Callable[[Any], Any], values: Any, m: _Moment, missing: Any, arguments: Sequence[_Reader]) -> Array:
    if isinstance(values, str):
        return np.full(m.size, function(values))
    defined = _defined(m, arguments)
    return np.array([function(v) if ok else missing for v, ok in zip(values, defined, strict=True)])


def _pairs(
    test: Callable[[Any, Any], bool], x: Sequence[Any], m: _Moment, arguments: Sequence[_Reader]
) -> NDArray[np.bool_]:
    """A test of two texts in every environment where both have a value."""
    defined = _defined(m, arguments)
    left, right = (v if isinstance(v, np.ndarray) else [v] * m.size for v in x)
    return np.array([bool(ok and test(a, b)) for a, b, ok in zip(left, right, defined, strict=True)], np.bool_)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip

_TEXT: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda a, b: b in a,
    "starts_with": lambda a, b: a.startswith(b),
    "ends_with": lambda a, b: a.endswith(b),
    "matches": lambda a, b: re.fullmatch(b, a) is not None,
}


def _fold(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def fold(*xs: Any) -> Any:
        # of a single vector, the extremum of its coordinates
        result = xs[0] if len(xs) > 1 else np.asarray(xs[0])[..., 0]
        rest = xs[1:] if len(xs) > 1 else np.moveaxis(np.asarray(xs[0])[..., 1:], -1, 0)
        for x in rest:
            result = function(result, x)
        return result

    return fold


def _norm(x: Any) -> Any:
    return np.linalg.norm(np.asarray(x, np.float64), axis=-1)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "neg": np.negative, "abs": np.abs, "min": _fold(np.minimum), "max": _fold(np.maximum), "sqrt": np.sqrt,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "exp": np.exp, "log": np.log, "atan2": np.arctan2, "add": np.add,
    "sub": np.subtract, "mul": np.multiply, "div": np.divide,
    "pow": lambda x, y: np.power(np.asarray(x, np.float64), np.asarray(y, np.float64)),
    "norm": _norm, "dist": lambda x, y: _norm(np.subtract(x, y)),
}  # fmt: skip

_REGIONS = ("box", "ball", "halfspace", "polytope", "ellipsoid", "union", "intersection", "complement")


# ---------------------------------------------------------------- regions


def contains(region: Sequence[Any], x: Array) -> NDArray[np.bool_]:
    """Which of the points ``x``, float64 ``(N, d)``, are in a region; closed, a complement excludes its boundary."""
    match region:
        case ["union", *parts]:
            return np.asarray(np.logical_or.reduce([contains(p, x) for p in parts]))
        case ["intersection" | "polytope", *parts]:
            return np.asarray(np.logical_and.reduce([contains(p, x) for p in parts]))
        case ["complement", inner]:
            return ~contains(inner, x)
        case ["box", lo, hi]:
            return np.asarray(((np.asarray(lo) <= x) & (x <= np.asarray(hi))).all(axis=-1))
        case ["ball", center, radius]:
            return np.asarray(np.asarray(radius, np.float64) - _norm(x - np.asarray(center)) >= 0)
        case ["halfspace", normal, offset]:
            return np.asarray(np.asarray(offset, np.float64) - (np.asarray(normal) * x).sum(axis=-1) >= 0)
        case ["ellipsoid", center, axes]:
            return np.asarray(1 - _norm((x - np.asarray(center)) / np.asarray(axes)) >= 0)
    raise ValueError(f"no region is named {region[0]!r}")


# ---------------------------------------------------------------- encoding


def encode(name: str, signal: SignalIR | None, values: Sequence[Value]) -> Array:
    """Values of one signal in N environments as the array that a batch holds; None where it has no value.

    Raises :class:`AgentcError` (AS0920) for a value that is not of the signal's type.
    """
    kind = signal.kind if signal is not None else "bool"
    try:
        if kind == "enum":
            assert signal is not None
            index = {member: k for k, member in enumerate(signal.members)}
            return np.array([-1 if v is None else index[str(v)] for v in values], np.int64)
        if kind == "text":
            found = np.empty(len(values), object)
            found[:] = values
            return found
        if kind == "vector":
            width = next((len(v) for v in values if isinstance(v, tuple)), 1)
            return np.array([(np.nan,) * width if v is None else v for v in values], np.float64)
        if kind == "bool":
            return np.array([bool(v) for v in values], np.bool_)
        return np.array([np.nan if v is None else v for v in values], np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise AgentcError([report("AS0920", None, name=name, kind=kind, value=repr(values)[:80])]) from error
