"""Random formulas and traces, for benchmarks and for comparing implementations on demand.

Everything is drawn from a ``random.Random`` that the caller seeds: the same seed gives the same sample.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from agentc.compiler.logic.ir import FALSE, FIRST, LAST, TRUE, Formula, Interval, formula, prop
from agentc.compiler.logic.trace import Trace

FUTURE_ONLY = ("not", "and", "or", "implies", "xor", "iff", "F", "G", "X", "WX", "U", "R", "W", "M")
PAST_ONLY = ("not", "and", "or", "implies", "xor", "iff", "O", "H", "Y", "WY", "S", "T")
BOTH = (*FUTURE_ONLY, *PAST_ONLY[6:])


def random_formula(
    rng: random.Random,
    leaves: Sequence[Formula],
    size: int,
    operators: Sequence[str] = BOTH,
    *,
    intervals: float = 0.3,
    reach: int = 3,
) -> Formula:
    """A formula of ``size`` operators over ``leaves``; a share of them get an interval <= ``reach``."""
    if size <= 0:
        return rng.choice((TRUE, FALSE, FIRST, LAST) if rng.random() < 0.1 else leaves)
    op = rng.choice(operators)
    interval: Interval | None = None
    if op in ("X", "WX", "Y", "WY"):
        k = rng.randint(0, reach) if rng.random() < intervals else 1
        interval = (k, k)
    elif op in "FGOHURWMST" and rng.random() < intervals:
        a = rng.randint(0, reach)
        interval = (a, rng.choice((None, a + rng.randint(0, reach))))

    def below(n: int) -> Formula:
        return random_formula(rng, leaves, n, operators, intervals=intervals, reach=reach)

    if op in ("not", "X", "WX", "Y", "WY", "F", "G", "O", "H"):
        return formula(op, (below(size - 1),), interval)
    left = rng.randint(0, size - 1)
    return formula(op, (below(left), below(size - 1 - left)), interval)


def propositions(count: int) -> tuple[Formula, ...]:
    """The Boolean signals ``p0 p1 ...`` as atoms."""
    return tuple(prop(f"p{i}") for i in range(count))


def random_trace(rng: random.Random, names: Sequence[str], longest: int = 6) -> Trace:
    """A trace of one to ``longest`` steps over Boolean signals."""
    return Trace({n: rng.random() < 0.5 for n in names} for _ in range(rng.randint(1, longest)))
