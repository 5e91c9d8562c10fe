"""Why a trace has its robustness: the chain of subformulas from the formula down to the atom that decides.

Each link is a subformula at a step with the value that its parent took over. A window that lies beyond the trace ends
the chain: nothing in it was seen. See :mod:`agentc.compiler.signals.witness` for batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Formula, not_, show
from agentc.compiler.signals.plan import PlanNode, window_span
from agentc.compiler.signals.robustness import Robustness, blank, check_step, leaves, run
from agentc.compiler.signals.traces import Batch
from agentc.compiler.signals.windows import Plain


@dataclass(frozen=True, slots=True)
class Link:
    """A subformula at a step, and its robustness there; ``beyond`` if its window lies outside of the trace."""

    formula: Formula
    step: int
    value: float
    beyond: bool = False

    @property
    def text(self) -> str:
        """The subformula as it is written."""
        return show(self.formula)


def explain(compiled: Robustness, traces: Batch, step: int = 0) -> tuple[Link, ...]:
    """The chain for a batch of one trace, the formula itself first.

    Raises ``AgentcError`` (AS1001, AS1003, AS1004, AS1006) for what cannot be read.
    """
    batch = compiled.batch(traces)
    check_step(step, batch.length)
    spans = compiled.spans(batch.length, step)[0]
    rows = slice(0, 1)
    values = leaves(compiled.plan, batch, rows, compiled.spans(batch.length, step))
    run(compiled.plan, Plain(batch.arrays), values, batch.length, spans, blank(batch, 1, rows, 0.0))

    def at(k: int, first: int, stop: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        span = spans[k]
        assert span is not None
        return np.asarray(values[k])[first - span[0] : stop - span[0], 0].astype(np.float64)

    links: list[Link] = []
    k, t = len(compiled.plan.nodes) - 1, step
    while True:
        node = compiled.plan.nodes[k]
        value = float(at(k, t, t + 1)[0])
        first, stop = window_span(node, t, t, batch.length) if node.op in ("window", "until") else (t, t + 1)
        source = node.source
        if node.op in ("atom", "end") and not node.greatest:
            source = not_(source)
        if not links or links[-1].formula is not source or links[-1].step != t:
            links.append(Link(source, t, value, first >= stop))
        if node.op in ("atom", "constant", "end") or first >= stop:
            return tuple(links)
        if node.op == "fold":
            found = [float(at(a, t, t + 1)[0]) for a in node.args]
            best = max(found) if node.greatest else min(found)
            # of equal ones the last: in `p -> F q` it is `F q` that one wants to see
            k = next(a for a, v in zip(reversed(node.args), reversed(found), strict=True) if v == best)
        elif node.op == "window":
            seen = at(node.args[0], first, stop)
            k, t = node.args[0], first + int(np.argmax(seen) if node.greatest else np.argmin(seen))
        else:
            k, t = _of_until(node, at, t, first, stop)


def _of_until(node: PlanNode, at: Any, t: int, first: int, stop: int) -> tuple[int, int]:
    """Which argument of an ``until`` decides, and at which step."""
    best: tuple[float, int, int] | None = None
    sign = 1.0 if node.greatest else -1.0
    worst = min if node.greatest else max
    steps = range(stop - 1, first - 1, -1) if node.past else range(first, stop)
    held: tuple[float, int] | None = None
    near = t
    for s in steps:
        between = range(s + 1, near + 1) if node.past else range(near, s)
        for u in between:
            value = float(at(node.args[0], u, u + 1)[0])
            if held is None or sign * held[0] > sign * value:
                held = (value, u)
        near = s
        g = float(at(node.args[1], s, s + 1)[0])
        value = g if held is None else worst(g, held[0])
        if best is None or sign * value > sign * best[0]:
            by_g = held is None or value == g
            best = (value, node.args[1] if by_g else node.args[0], s if by_g or held is None else held[1])
    assert best is not None
    return best[1], best[2]
