"""Constants: the value of a function of known values.

The functions mean what ``compiler/logic/semantics.py`` says, and a test holds them to it; this module exists
because constants have to be known before there is anything to evaluate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from agentc.lang.typed import Value

FOLDED: dict[str, Callable[..., Any]] = {
    "neg": lambda x: -x, "abs": abs, "min": min, "max": max, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos,
    "tan": math.tan, "exp": math.exp, "log": math.log, "atan2": math.atan2, "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y, "mul": lambda x, y: x * y, "div": lambda x, y: x / y,
    "pow": lambda x, y: float(x) ** float(y), "norm": lambda x: math.hypot(*x), "dist": math.dist, "length": len,
}  # fmt: skip


class NoValue(ValueError):
    """A function has no finite value for these arguments."""


def fold(op: str, values: list[Value]) -> Value:
    """The value of ``op`` for these values. Raises NoValue with the reason in words."""
    try:
        value = FOLDED[op](*values)
    except ZeroDivisionError:
        raise NoValue("it divides by zero") from None
    except OverflowError:
        raise NoValue("it is too large") from None
    except ValueError:
        raise NoValue(f"`{op}` is not defined there") from None
    if isinstance(value, complex):
        raise NoValue(f"`{op}` is not defined there")
    if isinstance(value, float) and not math.isfinite(value):
        raise NoValue("it is too large")
    result: Value = value
    return result
