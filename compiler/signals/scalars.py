"""Terms and predicates as one graph of scalar functions, evaluated over whole traces, with exact derivatives.

Vectors become tuples of scalars and regions become functions (:mod:`agentc.compiler.signals.regions`), so that about
two dozen operations are all there is. A value is NaN where a term has none (division by zero, ``prev`` at step 0), and
NaN spreads as it should: a function of something without a value has none. Truth is 1, 0 or NaN.

Reverse-mode derivatives at single points: Griewank and Walther, Evaluating Derivatives (2008), chapter 3. Where a
function has a kink (``min``, ``max``, ``abs``, a corner of a box) the derivative is that of its first active branch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentc.compiler.signals.arrays import NUMPY, Array, Arrays, is_objects

Value = float | str | bool | tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """One operation. ``value``: of a ``const``, its number or text; of an ``input``, the signal and its component."""

    op: str
    args: tuple[int, ...] = ()
    value: Value = None


Slopes = dict[tuple[tuple[str, int], int], Any]
"""Derivatives by an input and by how many steps before it is read."""

_LINEAR = frozenset(("const", "input", "prev", "neg", "add", "sub", "difference"))


class Graph:
    """A hash-consed list of operations, arguments first."""

    def __init__(self) -> None:
        self.nodes: list[Scalar] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._slopes: dict[int, Slopes | None] = {}

    def add(self, op: str, *args: int, value: Value = None) -> int:
        """The number of an operation."""
        key = (op, args, type(value), value)
        if key not in self._known:
            self._known[key] = len(self.nodes)
            self.nodes.append(Scalar(op, args, value))
        return self._known[key]

    def number(self, value: float) -> int:
        """A constant."""
        return self.add("const", value=float(value))

    def fold(self, op: str, args: Sequence[int]) -> int:
        """A chain of a binary operation."""
        found = args[0]
        for other in args[1:]:
            found = self.add(op, found, other)
        return found

    @property
    def inputs(self) -> tuple[tuple[str, int], ...]:
        """The signals and components that are read."""
        found = dict.fromkeys(n.value for n in self.nodes if n.op in ("input", "text"))
        return tuple(v for v in found if isinstance(v, tuple))

    def constant_slopes(self, root: int) -> Slopes | None:
        """The derivatives of an operation that is linear in the inputs, which no values are needed for; else None."""
        if root not in self._slopes:
            below = self.needs({root: (0, 1)})
            linear = all(span is None or self.nodes[k].op in _LINEAR for k, span in enumerate(below))
            self._slopes[root] = derivatives(self, NUMPY, [None] * len(self.nodes), root) if linear else None
        return self._slopes[root]

    def needs(self, spans: Mapping[int, tuple[int, int]]) -> list[tuple[int, int] | None]:
        """The steps ``[start, stop)`` at which each operation is needed, for those at which some of them are."""
        found: list[tuple[int, int] | None] = [None] * len(self.nodes)
        for k, span in spans.items():
            found[k] = _hull(found[k], span)
        for k in range(len(self.nodes) - 1, -1, -1):
            here, node = found[k], self.nodes[k]
            if here is not None:
                back = 1 if node.op == "prev" else 0
                for a in node.args:
                    found[a] = _hull(found[a], (max(here[0] - back, 0), max(here[1] - back, 1)))
        return found


def _hull(a: tuple[int, int] | None, b: tuple[int, int]) -> tuple[int, int]:
    return b if a is None else (min(a[0], b[0]), max(a[1], b[1]))


Read = Callable[[tuple[str, int], int, int], Array]
"""An input at the steps ``[start, stop)``, ``(steps, batch)``."""


def evaluate(
    graph: Graph, arrays: Arrays, read: Read, needs: Sequence[tuple[int, int] | None], *, sound: bool = False
) -> list[Any]:
    """The values of all operations that are needed, each at its own steps; numbers for constants.

    ``sound``: the inputs are known to be finite.
    """
    values: list[Any] = [None] * len(graph.nodes)
    for k, node in enumerate(graph.nodes):
        span = needs[k]
        if span is None:
            continue
        if node.op == "const":
            values[k] = node.value
        elif node.op in ("input", "text"):
            assert isinstance(node.value, tuple)
            values[k] = read(node.value, *span)
        elif node.op == "prev":
            values[k] = _before(arrays, values[node.args[0]], needs[node.args[0]], span)
        else:
            values[k] = apply(node, arrays, [_rows(values[a], needs[a], span) for a in node.args])
    return values


def at_points(
    graph: Graph, arrays: Arrays, read: Callable[[tuple[str, int], int], Array], roots: Sequence[int]
) -> list[Any]:
    """The values at single points; ``read`` gets an input and how many steps before the point it is wanted."""
    back: dict[int, int] = dict.fromkeys(roots, 0)
    values: list[Any] = [None] * len(graph.nodes)
    for k in range(len(graph.nodes) - 1, -1, -1):
        if k in back:
            for a in graph.nodes[k].args:
                back[a] = back[k] + (graph.nodes[k].op == "prev")  # `prev` is of signals alone
    for k in sorted(back):
        node = graph.nodes[k]
        if node.op == "const":
            values[k] = node.value
        elif node.op == "input":
            assert isinstance(node.value, tuple)
            values[k] = read(node.value, 0)
        elif node.op == "prev":
            inner = graph.nodes[node.args[0]].value
            assert isinstance(inner, tuple)
            values[k] = read(inner, 1)
        else:
            values[k] = apply(node, arrays, [values[a] for a in node.args])
    return values


def derivatives(graph: Graph, arrays: Arrays, values: Sequence[Any], root: int) -> Slopes:
    """The derivative of one operation by each input and how many steps before it is read, where ``values`` are."""
    adjoint: dict[int, Any] = {root: 1.0}
    found: Slopes = {}
    for k in range(root, -1, -1):
        if k not in adjoint:
            continue
        node, d = graph.nodes[k], adjoint[k]
        if node.op in ("input", "prev"):
            name = node.value if node.op == "input" else graph.nodes[node.args[0]].value
            assert isinstance(name, tuple)
            key = (name, int(node.op == "prev"))
            found[key] = found[key] + d if key in found else d
            continue
        if node.op not in _DERIVATIVES:
            continue  # constants, and truth values, which are flat
        parts = _DERIVATIVES[node.op](arrays, [values[a] for a in node.args], values[k])
        for a, part in zip(node.args, parts, strict=True):
            if part is not None and graph.nodes[a].op != "const":
                adjoint[a] = adjoint[a] + d * part if a in adjoint else d * part
    return found


def _rows(value: Any, have: tuple[int, int] | None, want: tuple[int, int]) -> Any:
    if have is None or have == want or not hasattr(value, "shape"):
        return value
    return value[want[0] - have[0] : want[1] - have[0]]


def _before(arrays: Arrays, value: Any, have: tuple[int, int] | None, want: tuple[int, int]) -> Any:
    """The value one step earlier; at step 0 there is none."""
    assert have is not None
    if want[0] > 0:
        return value[want[0] - 1 - have[0] : want[1] - 1 - have[0]]
    rest = value[: want[1] - 1]
    if is_objects(value):
        none = arrays.full(value, 1, None)
    else:
        none = arrays.full(value, 1, math.nan)
    return arrays.xp.concatenate((none, rest))


# ---------------------------------------------------------------- operations

_CHECKED = frozenset(("add", "sub", "mul", "div", "pow", "exp", "tan", "log", "sqrt", "norm"))
"""What may leave the finite numbers: infinity is no value."""

_TRUTH: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b,
}  # fmt: skip

_TEXTS: dict[str, Callable[[Any, Any], bool]] = {
    "same": lambda a, b: a == b,
    "contains": lambda a, b: b in a,
    "starts_with": lambda a, b: a.startswith(b),
    "ends_with": lambda a, b: a.endswith(b),
    "matches": lambda a, b: re.fullmatch(b, a) is not None,
    "from": lambda a, b: b in a,
}


def apply(node: Scalar, arrays: Arrays, x: list[Any]) -> Any:
    """An operation of the values of its arguments, arrays or numbers."""
    op, xp = node.op, arrays.xp
    if op == "difference" and isinstance(x[1], float) and x[1] == 0.0:
        return x[0]
    if op in _TRUTH:
        result = _TRUTH[op](x[0], x[1])
        if not hasattr(result, "shape"):
            return float(result)
        missing = _missing(xp, x)
        return result * _one(arrays, x) if missing is None else xp.where(missing, math.nan, result * _one(arrays, x))
    if op in _TEXTS:
        return _texts(_TEXTS[op], x)
    if op == "length":
        return _texts(lambda a, _: float(len(a)), [x[0], ""])
    if not any(hasattr(v, "shape") for v in x):
        return _constant(node, x)
    result = _functions(op, xp, arrays, x)
    if op in _CHECKED:
        result = xp.where(xp.isfinite(result), result, math.nan)
    return result


def _functions(op: str, xp: Any, arrays: Arrays, x: list[Any]) -> Any:
    match op:
        case "neg":
            return -x[0]
        case "add":
            return x[0] + x[1]
        case "sub" | "difference":
            return x[0] - x[1]
        case "mul":
            return x[0] * x[1]
        case "div":
            return _both(arrays, x)[0] / _both(arrays, x)[1]
        case "pow":
            base, exponent = _both(arrays, x)
            lacking = xp.isnan(base + exponent)  # 1 ** nan and nan ** 0 are numbers elsewhere, and no values here
            return xp.where(lacking, math.nan, xp.pow(base, exponent))
        case "atan2":
            return xp.atan2(*_both(arrays, x))
        case "min" | "max":
            return (xp.minimum if op == "min" else xp.maximum)(*_both(arrays, x))
        case "norm":
            x = _both(arrays, x)
            total = abs(x[0])
            for other in x[1:]:
                total = xp.hypot(total, other)
            return total
        case "inside":  # signed: as deep as x[0] inside, as far as x[1] outside
            return xp.where(_both(arrays, x)[0] >= 0, x[0], -x[1])
        case "positive":
            return xp.where(x[0] > 0, x[0], x[0] * 0.0)
        case "flip":
            return 1.0 - x[0]
        case _:
            return getattr(xp, op)(x[0])  # abs sqrt sin cos tan exp log


def _both(arrays: Arrays, x: list[Any]) -> list[Any]:
    """The arguments as arrays of one type, since torch is particular about numbers."""
    if not arrays.torch:
        return x
    like = next(v for v in x if hasattr(v, "shape"))
    return [
        v if hasattr(v, "shape") else arrays.xp.full((), v, dtype=like.dtype, device=like.device) for v in x
    ]


def _one(arrays: Arrays, x: list[Any]) -> Any:
    like = next(v for v in x if hasattr(v, "shape"))
    return like.dtype.type(1) if not arrays.torch else arrays.xp.ones((), dtype=like.dtype, device=like.device)


def _missing(xp: Any, x: list[Any]) -> Any:
    found = None
    for v in x:
        mask = xp.isnan(v) if hasattr(v, "shape") else None
        if mask is not None:
            found = mask if found is None else found | mask
    return found


def _constant(node: Scalar, x: list[Any]) -> float:
    """An operation of numbers alone."""
    import numpy as np

    with np.errstate(all="ignore"):
        return float(apply(node, NUMPY, [np.full((1, 1), v) for v in x])[0, 0])


def _texts(test: Callable[[Any, Any], Any], x: list[Any]) -> Any:
    """A function of two texts, or of a text and a constant, at every step; NaN where one is missing."""
    import numpy as np

    if not any(isinstance(v, np.ndarray) for v in x):
        return float(test(x[0], x[1]))
    left, right = np.broadcast_arrays(*(v if isinstance(v, np.ndarray) else np.array(v, object) for v in x))
    found = np.full(left.shape, math.nan)
    known: dict[tuple[Any, Any], float] = {}
    for at in np.ndindex(left.shape):
        pair = (left[at], right[at])
        if pair[0] is not None and pair[1] is not None:
            if pair not in known:
                known[pair] = float(test(*pair))
            found[at] = known[pair]
    return found


# ---------------------------------------------------------------- derivatives


def _extremum(greatest: bool) -> Callable[[Arrays, list[Any], Any], list[Any]]:
    def parts(arrays: Arrays, x: list[Any], y: Any) -> list[Any]:
        a, b = _both(arrays, x)
        first = (a >= b) if greatest else (a <= b)
        return [first * 1.0, 1.0 - first * 1.0]

    return parts


def _norm(arrays: Arrays, x: list[Any], y: Any) -> list[Any]:
    safe = arrays.xp.where(y > 0, y, 1.0)  # flat at the centre
    return [v / safe for v in x]


def _power(arrays: Arrays, x: list[Any], y: Any) -> list[Any]:
    xp = arrays.xp
    base, exponent = _both(arrays, x)
    # x ** 0 is flat, also at 0; the derivative by the exponent is there for a positive base alone
    slope = xp.where(exponent * xp.ones_like(base) == 0, 0.0, exponent * xp.pow(base, exponent - 1))
    safe = xp.where(base > 0, base, 1.0 + 0.0 * base)
    return [slope, y * xp.log(safe)]


_DERIVATIVES: dict[str, Callable[[Arrays, list[Any], Any], list[Any]]] = {
    "neg": lambda m, x, y: [-1.0],
    "flip": lambda m, x, y: [-1.0],
    "add": lambda m, x, y: [1.0, 1.0],
    "sub": lambda m, x, y: [1.0, -1.0],
    "difference": lambda m, x, y: [1.0, -1.0],
    "mul": lambda m, x, y: [x[1], x[0]],
    "div": lambda m, x, y: [1.0 / x[1], -y / x[1]],
    "pow": _power,
    "abs": lambda m, x, y: [m.xp.sign(x[0])],
    "sqrt": lambda m, x, y: [0.5 / y],
    "sin": lambda m, x, y: [m.xp.cos(x[0])],
    "cos": lambda m, x, y: [-m.xp.sin(x[0])],
    "tan": lambda m, x, y: [1.0 + y * y],
    "exp": lambda m, x, y: [y],
    "log": lambda m, x, y: [1.0 / x[0]],
    "atan2": lambda m, x, y: [x[1] / (x[0] ** 2 + x[1] ** 2), -x[0] / (x[0] ** 2 + x[1] ** 2)],
    "min": _extremum(False),
    "max": _extremum(True),
    "norm": _norm,
    "inside": lambda m, x, y: [(x[0] >= 0) * 1.0, -((x[0] < 0) * 1.0)],
    "positive": lambda m, x, y: [(x[0] > 0) * 1.0],
}
