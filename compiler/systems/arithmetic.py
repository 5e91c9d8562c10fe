"""The expression graph in numpy: arrays of any shape, one value of the graph for each element.

An operation without a finite value has none, as the reference semantics says: not-a-number, which spreads. First
everything is computed as if that never happened; numpy says at no cost whether it did, and then it is computed
again with care.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.systems.graph import Graph

Array = NDArray[Any]

_NUMBERS: dict[str, Callable[..., Any]] = {
    "neg": np.negative, "abs": np.abs, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan, "exp": np.exp,
    "log": np.log, "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.true_divide,
    "atan2": np.arctan2, "pow": lambda x, y: np.power(np.asarray(x, float), np.asarray(y, float)),
}  # fmt: skip
_FOLDS: dict[str, Callable[..., Any]] = {
    "min": np.minimum, "max": np.maximum, "norm": np.hypot, "and": np.logical_and, "or": np.logical_or,
}  # fmt: skip
_COMPARISONS: dict[str, Callable[..., Any]] = {
    "==": np.equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip


class NumpyArithmetic:
    """Numbers are arrays or scalars, truth values arrays or scalars of Booleans; ``careful`` looks at every result."""

    def __init__(self, careful: bool = False) -> None:
        self._careful = careful

    def const(self, value: float) -> Any:
        """A constant."""
        return value

    def truth(self, value: bool) -> Any:
        """A constant truth value."""
        return np.bool_(value)

    def apply(self, op: str, args: Sequence[Any], value: float | str | None) -> Any:
        """An operator of the graph, element by element."""
        if op == "compare":
            if value == "!=":  # false without a value, which not-a-number is not in numpy
                return np.less(*args) | np.greater(*args)
            return _COMPARISONS[str(value)](*args)
        if op in _FOLDS:
            found = np.abs(args[0]) if op == "norm" and len(args) == 1 else args[0]
            for arg in args[1:]:
                found = _FOLDS[op](found, arg)
        elif op == "truth":
            return np.not_equal(args[0], 0)
        elif op == "not":
            return np.logical_not(args[0])
        else:
            found = _NUMBERS[op](*args)
        return self._checked(op, found, args) if self._careful and op not in ("and", "or") else found

    def _checked(self, op: str, found: Any, args: Sequence[Any]) -> Any:
        lost = ~np.isfinite(found)
        if op == "pow":  # 1 ** nan is 1, and nan ** 0
            lost = lost | np.isnan(args[0]) | np.isnan(args[1])
        return np.where(lost, np.nan, found)


_PLAIN, _CAREFUL = NumpyArithmetic(), NumpyArithmetic(careful=True)


def evaluate(graph: Graph, values: Mapping[str, Any]) -> list[Any]:
    """The values of the graph's roots, arrays or scalars that broadcast; not-a-number where there is none.

    Each variable is an array of numbers (or a number); the arrays broadcast against each other.
    """
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
            return graph.walk(_PLAIN, values)
    except FloatingPointError:
        with np.errstate(all="ignore"):
            return graph.walk(_CAREFUL, values)

_REASONS = {
    "div": "a division by zero", "sqrt": "the square root of a negative number", "log": "the logarithm of a number "
    "that is not positive", "pow": "a power that has no value",
}  # fmt: skip


def reason_of_loss(graph: Graph, values: Mapping[str, Any]) -> str | None:
    """Why a root of the graph has no finite value at a point, as a phrase; None if all have one."""
    found: list[str] = []

    class Watching(NumpyArithmetic):
        """Notes the first operation without a value."""

        def _checked(self, op: str, found_: Any, args: Sequence[Any]) -> Any:
            if not found and not np.isfinite(found_).all():
                found.append(_REASONS.get(op, "an overflow"))
            return super()._checked(op, found_, args)

    with np.errstate(all="ignore"):
        graph.walk(Watching(careful=True), values)
    return found[0] if found else None
