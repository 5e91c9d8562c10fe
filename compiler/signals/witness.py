"""The witness of a value: the atom and the step that decide it, found by going down from the root.

Robustness is a minimum or maximum of margins, so its value *is* the margin of one atom at one step. At a node of which
the value at ``t`` is asked for, one argument (at one step of the window) has that value; it is asked for in turn. That
takes one comparison with it over the windows on the way, and no index has to travel along with the forward pass. Of
equal ones the first is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agentc.compiler.signals.arrays import Array, Arrays
from agentc.compiler.signals.plan import Plan, PlanNode
from agentc.compiler.signals.robustness import (
    Robustness,
    Spans,
    blank,
    check_step,
    chunks,
    joined,
    leaves,
    run,
)
from agentc.compiler.signals.traces import Batch
from agentc.compiler.signals.windows import Plain

MOST = 1 << 22
"""How many values are gathered at once."""

Visit = Callable[[int, Array, Array], None]


@dataclass(frozen=True, slots=True)
class Witness:
    """What decides the values of a batch, arrays ``(batch,)``.

    ``value``: the robustness. ``node``: the node of the plan, an atom; -1 where the value is infinite, which no margin
    decides. ``step``: the step of that atom; -1 likewise.
    """

    value: Array
    node: Array
    step: Array


def find_witness(compiled: Robustness, traces: Batch, step: int = 0) -> Witness:
    """The witnesses of the robustness at one step.

    Raises ``AgentcError`` (AS1001, AS1003, AS1004, AS1006) for what cannot be read.
    """
    batch = compiled.batch(traces)
    check_step(step, batch.length)
    spans = compiled.spans(batch.length, step)
    parts = []
    for rows in chunks(batch, spans[0]):
        values = leaves(compiled.plan, batch, rows, spans)
        run(compiled.plan, Plain(batch.arrays), values, batch.length, spans[0], blank(batch, 1, rows, 0.0))
        node, at = descend(compiled.plan, batch.arrays, values, spans[0], batch.length, step)
        parts.append((values[-1][0], node, at))
    return Witness(*(joined(batch.arrays, list(part)) for part in zip(*parts, strict=True)))


def descend(
    plan: Plan, arrays: Arrays, values: Sequence[Any], spans: Spans, length: int, step: int, visit: Visit | None = None
) -> tuple[Array, Array]:
    """The atoms' nodes and their steps, for the values of all nodes; ``visit`` sees every node on the way."""
    leaf = arrays.arange(values[-1], 0, values[-1].shape[1]) * 0 - 1
    at = leaf + 0
    for k, rows, times in deciding(plan, arrays, values, spans, length, step, visit):
        leaf[rows], at[rows] = k, times
    return leaf, at


def deciding(
    plan: Plan, arrays: Arrays, values: Sequence[Any], spans: Spans, length: int, step: int, visit: Visit | None = None
) -> list[tuple[int, Array, Array]]:
    """The same by atom: its node, the rows that it decides (every row with a finite value once), and its steps."""
    root = values[-1][0]
    found: list[tuple[int, Array, Array]] = []
    finite = arrays.nonzero(arrays.xp.isfinite(root))
    pending: list[list[tuple[Array, Array]]] = [[] for _ in plan.nodes]
    if len(finite):
        pending[-1].append((finite, finite * 0 + step))
    for k in range(len(plan.nodes) - 1, -1, -1):
        if not pending[k]:
            continue
        node = plan.nodes[k]
        if len(pending[k]) == 1:
            rows, times = pending[k][0]
        else:
            rows, times = (joined(arrays, list(part)) for part in zip(*pending[k], strict=True))
        if visit is not None:
            visit(k, rows, times)
        if node.op == "atom":
            found.append((k, rows, times))
            continue
        reach = 1 if node.op == "fold" else length if node.hi is None else min(node.hi + 1, length)
        size = max(1, MOST // reach)
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            for a, chosen, when in _choose(arrays, k, node, values, spans, length, rows[part], times[part], root):
                if len(chosen):
                    pending[a].append((chosen, when))
    return found


def _choose(
    arrays: Arrays, k: int, node: PlanNode, values: Sequence[Any], spans: Spans, length: int, rows: Array,
    times: Array, root: Array,
) -> list[tuple[int, Array, Array]]:  # fmt: skip
    """Which argument, in which rows and at which steps, has the value of the node, which is that of the root."""
    xp, here, batch = arrays.xp, spans[k], len(root)
    assert here is not None
    earliest, latest = here[0], here[1] - 1
    # all ask for the same steps: slices, and no gathering
    together = earliest == latest and len(rows) == batch and not node.past

    def at(argument: int, when: Array) -> Array:
        span = spans[argument]
        assert span is not None
        if together:
            low = int(when[0, 0]) - span[0]
            if int(when[-1, 0]) - span[0] - low == len(when) - 1:
                return values[argument][low : low + len(when)]
        return values[argument].reshape(-1)[(when - span[0]) * batch + rows]

    if node.op == "fold":
        parts: list[tuple[int, Array, Array]] = []
        value = root[rows]
        for a in node.args[:-1]:
            span = spans[a]
            assert span is not None
            has = values[a].reshape(-1)[(times - span[0]) * batch + rows] == value
            yes, no = arrays.nonzero(has), arrays.nonzero(~has)
            parts.append((a, rows[yes], times[yes]))
            rows, times, value = rows[no], times[no], value[no]
        return [*parts, (node.args[-1], rows, times)]
    most = latest if node.past else length - 1 - earliest
    far = most if node.hi is None else min(node.hi, most)
    if node.op == "window":
        a, sign = node.args[0], -1 if node.past else 1
        span = spans[a]
        assert span is not None
        if together:
            found = values[a][earliest + node.lo - span[0] : earliest + far + 1 - span[0]]
        else:
            offsets = arrays.arange(times, node.lo, far + 1)[:, None]
            if (earliest - far < 0) if node.past else (latest + far >= length):
                # beyond the end its last step again: the first that has the value is a step of the trace
                index = (xp.clip(times[None] + sign * offsets, 0, length - 1) - span[0]) * batch + rows
            else:
                index = ((times - span[0]) * batch + rows)[None] + offsets * (sign * batch)
            found = values[a].reshape(-1)[index] if arrays.torch else values[a].reshape(-1).take(index)
        return [(a, rows, times + sign * (arrays.first(found == root[rows]) + node.lo))]
    offsets = arrays.arange(times, 0, far + 1)[:, None]
    steps = times[None] - offsets if node.past else times[None] + offsets
    outside = None
    if (earliest - far < 0) if node.past else (latest + far >= length):
        outside = steps < 0 if node.past else steps >= length
        steps = xp.clip(steps, 0, length - 1)
    columns = arrays.arange(rows, 0, len(rows))
    worst = float("-inf") if node.greatest else float("inf")
    f, g = at(node.args[0], steps), at(node.args[1], steps)
    before = xp.concatenate((xp.full_like(f[:1], -worst), arrays.prefix(not node.greatest, f)[:-1]))
    inner = (xp.minimum if node.greatest else xp.maximum)(g, before)
    early = offsets < node.lo
    inner = xp.where(early if outside is None else outside | early, xp.full_like(inner, worst), inner)
    chosen = arrays.where_extremum(node.greatest, inner)
    mine, theirs = g[chosen, columns], before[chosen, columns]
    by_g = mine <= theirs if node.greatest else mine >= theirs
    f = xp.where(offsets >= chosen[None], xp.full_like(f, -worst), f)
    held = arrays.where_extremum(not node.greatest, f)
    yes, no = arrays.nonzero(by_g), arrays.nonzero(~by_g)
    return [
        (node.args[1], rows[yes], steps[chosen, columns][yes]),
        (node.args[0], rows[no], steps[held, columns][no]),
    ]

