"""Smooth robustness: log-sum-exp, and arithmetic-geometric means, with the bounds that are proved of them.

Log-sum-exp (Pant, Abbas and Mangharam, Smooth operator, CCTA 2017): ``max`` of ``n`` values becomes
``log(sum exp(b x)) / b``, which is never smaller and at most ``log(n) / b`` larger; ``min`` is its dual. Over a formula
the errors add up along a path, which is what :func:`error_bounds` does. An ``until`` is smoothed as it is computed, by
doubling, so that its error grows with the logarithm of its window and not with the window.

Arithmetic-geometric mean (Mehdipour, Vasile and Belta, ACC 2019): of margins in ``[-1, 1]``, ``min`` becomes the
geometric mean of ``1 + x`` (less 1) if all are positive, else the mean of the negative parts. Its sign is that of
``min``; with ``n`` values and ``m`` their minimum it lies in ``[m, (1 + m) ** (1/n) * 2 ** (1 - 1/n) - 1]`` if
``m > 0`` and in ``[m, m / n]`` else. It is not associative, so ``until`` and its kin are refused.

Infinities that are neutral are dropped, those that are absorbing kept; the gradient is zero there, and never NaN: it is
taken by the margins, and the margins' own derivatives are multiplied in only where it is not zero.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

from agentc.compiler.logic.ir import show
from agentc.compiler.signals.arrays import Array, Arrays
from agentc.compiler.signals.plan import Plan, PlanNode, window_span
from agentc.compiler.signals.robustness import Robustness, blank, check_step, leaves, run
from agentc.compiler.signals.traces import Batch, Traces
from agentc.compiler.signals.windows import after, combinations
from agentc.lang.diagnostics import AgentcError, report

Kind = Literal["log-sum-exp", "mean"]


class LogSumExp:
    """The algebra of log-sum-exp with sharpness ``beta``; see :class:`agentc.compiler.signals.windows.Algebra`."""

    idempotent = False

    def __init__(self, arrays: Arrays, beta: float) -> None:
        self.arrays, self._beta = arrays, beta

    def combine(self, greatest: bool, x: Array, y: Array) -> Array:
        """See :class:`~agentc.compiler.signals.windows.Algebra`."""
        xp = self.arrays.xp
        both = xp.isfinite(x) & xp.isfinite(y)
        a, b = xp.where(both, x, xp.zeros_like(x)), xp.where(both, y, xp.zeros_like(y))
        more = xp.log1p(xp.exp(-self._beta * xp.abs(a - b))) / self._beta
        soft = xp.maximum(a, b) + more if greatest else xp.minimum(a, b) - more
        hard = xp.where((x >= y) if greatest else (x <= y), x, y)
        return xp.where(both, soft, hard)

    def shifted(self, greatest: bool, x: Array, distance: int) -> Array:
        """See :class:`~agentc.compiler.signals.windows.Algebra`."""
        return after(self, greatest, x, x, distance)

    def to_end(self, greatest: bool, x: Array) -> Array:
        """See :class:`~agentc.compiler.signals.windows.Algebra`."""
        distance = 1
        while distance < len(x):  # parts that do not overlap
            x, distance = self.shifted(greatest, x, distance), 2 * distance
        return x

    def whole(self, greatest: bool, x: Array) -> Array:
        """See :class:`~agentc.compiler.signals.windows.Algebra`."""
        return self.to_end(greatest, x)[:1]

    def fill(self, like: Array, rows: int, top: bool) -> Array:
        """See :class:`~agentc.compiler.signals.windows.Algebra`."""
        return self.arrays.full(like, rows, math.inf if top else -math.inf)

    def join(self, x: Array, y: Array) -> Array:
        """See :class:`~agentc.compiler.signals.windows.Algebra`."""
        return self.arrays.xp.concatenate((x, y))

    def flip(self, x: Array) -> Array:
        """See :class:`~agentc.compiler.signals.windows.Algebra`."""
        return self.arrays.flip(x)


def smooth_robustness(
    compiled: Robustness, data: Batch, step: int = 0, *, kind: Kind = "log-sum-exp", beta: float = 10.0,
    scale: float = 1.0,
) -> Array:  # fmt: skip
    """The smooth robustness at one step, ``(batch,)``.

    ``beta`` is the sharpness of log-sum-exp; ``scale`` divides the margins for the mean, which are cut to ``[-1, 1]``.
    Raises ``AgentcError`` (AS1021) for what the mean does not do, and as :meth:`Robustness.robustness_at`.
    """
    _check(beta, scale)
    traces = compiled.batch(data)
    check_step(step, traces.length)
    spans = compiled.spans(traces.length, step)
    rows = slice(0, traces.batch)
    margins = leaves(compiled.plan, traces, rows, spans)
    return _value(compiled.plan, traces, margins, step, kind, beta, scale)


def smooth_value_and_gradient(
    compiled: Robustness, data: Batch, step: int = 0, *, kind: Kind = "log-sum-exp", beta: float = 10.0,
    scale: float = 1.0,
) -> tuple[Array, Any]:  # fmt: skip
    """The smooth robustness at one step, and its gradient, of the form of the traces; as above.

    The gradient by the margins is torch's, that of the margins is exact; it is zero where a margin is infinite.
    """
    import torch

    from agentc.compiler.signals.gradients import add_entries, margin_entries, zeros_of

    _check(beta, scale)
    traces = compiled.batch(data)
    check_step(step, traces.length)
    plan, spans = compiled.plan, compiled.spans(traces.length, step)
    rows = slice(0, traces.batch)
    margins = leaves(plan, traces, rows, spans)
    held = [None if m is None else torch.as_tensor(m).clone().requires_grad_() for m in margins]
    with torch.enable_grad():
        # blanks are tensors too; nothing else is read
        of = replace(traces, data=torch.zeros((1, 1, 1), dtype=_type(held)), places={}, arrays=Arrays(torch))
        value = _value(plan, of, list(held), step, kind, beta, scale)
        known = [(k, h) for k, h in enumerate(held) if h is not None and plan.nodes[k].op == "atom"]
        total = torch.where(torch.isfinite(value), value, torch.zeros_like(value)).sum()
        parts = (
            torch.autograd.grad(total, [h for _, h in known], allow_unused=True)
            if total.requires_grad and known else [None] * len(known)
        )  # fmt: skip
    gradient = zeros_of(traces)
    arrays = traces.arrays
    for (k, margin), part in zip(known, parts, strict=True):
        if part is None or plan.atoms[plan.nodes[k].index].margin is None:
            continue
        weight = torch.where(torch.isfinite(margin), part, torch.zeros_like(part)).detach()
        plain = weight if arrays.torch else weight.numpy()
        where = arrays.xp.nonzero(plain, as_tuple=True) if arrays.torch else arrays.xp.nonzero(plain)
        if not len(where[0]):
            continue
        span = spans[0][k]
        assert span is not None
        for e in margin_entries(plan, traces, k, where[1], where[0] + span[0], where[0]):
            add_entries(traces, gradient, e, e.derivative * plain[where])
    plain_value = value.detach()
    return (plain_value if arrays.torch else plain_value.numpy()), gradient


def error_bounds(compiled: Robustness, length: int, beta: float = 10.0) -> tuple[float, float]:
    """How far log-sum-exp may lie below and above the robustness, on traces of so many steps (where it is finite).

    Proof: an operator of ``n`` values adds ``log(n) / beta`` on its side; ``until`` combines
    :func:`~agentc.compiler.signals.windows.combinations` times, each with one ``min`` and one ``max`` of two.
    """
    _check(beta, 1.0)
    found: list[tuple[float, float]] = []
    for node in compiled.plan.nodes:
        below = max((found[a][0] for a in node.args), default=0.0)
        above = max((found[a][1] for a in node.args), default=0.0)
        if node.op in ("fold", "window"):
            many = len(node.args) if node.op == "fold" else length
            if node.op == "window" and node.hi is not None:
                many = min(length, node.hi - node.lo + 1)
            more = math.log(many) / beta
            below, above = (below, above + more) if node.greatest else (below + more, above)
        elif node.op == "until":
            width = length if node.hi is None else min(length, node.hi - node.lo + 1)
            more = combinations(width, length) * math.log(2) / beta
            below, above = below + more, above + more
            if node.lo > 0:
                more = (math.log(2) + math.log(min(node.lo, length))) / beta
                below, above = (below + more, above) if node.greatest else (below, above + more)
        found.append((below, above))
    return found[-1]


def _type(held: list[Any]) -> Any:
    return next(h.dtype for h in held if h is not None)


def _check(beta: float, scale: float) -> None:
    for name, value in (("beta", beta), ("scale", scale)):
        if not (math.isfinite(value) and value > 0):
            raise AgentcError([report("AS1022", None, name=name, value=value)])


def _value(
    plan: Plan, traces: Traces, margins: list[Any], step: int, kind: Kind, beta: float, scale: float
) -> Array:
    spans = plan.needs(traces.length, step)
    if kind == "log-sum-exp":
        like = blank(traces, 1, slice(0, traces.batch), 0.0)
        return run(plan, LogSumExp(traces.arrays, beta), margins, traces.length, spans, like)[-1][0]
    return _means(plan, traces, margins, spans, scale)


# ---------------------------------------------------------------- means


def _means(plan: Plan, traces: Traces, margins: list[Any], spans: Any, scale: float) -> Array:
    xp = traces.arrays.xp
    values: list[Any] = list(margins)
    for k, node in enumerate(plan.nodes):
        span = spans[k]
        if span is None:
            continue
        if node.op == "atom":
            x = values[k]
            finite = xp.isfinite(x)
            values[k] = xp.where(finite, xp.clip(xp.where(finite, x, xp.zeros_like(x)) / scale, -1.0, 1.0), x)
        elif node.op == "fold":
            parts = []
            for a in node.args:
                have = spans[a]
                parts.append(values[a][span[0] - have[0] : span[1] - have[0]])
            values[k] = _mean(traces.arrays, node.greatest, xp.stack(parts), 0)
        elif node.op == "window":
            values[k] = _windows(traces, node, values[node.args[0]], spans[node.args[0]], span)
        elif node.op == "until":
            raise AgentcError([report("AS1021", None, formula=show(node.source))])
    return values[-1][0]


def _windows(traces: Traces, node: PlanNode, x: Array, have: Any, span: tuple[int, int]) -> Array:
    arrays, found = traces.arrays, []
    for t in range(*span):
        first, stop = window_span(node, t, t, traces.length)
        if first >= stop:
            found.append(blank(traces, 1, slice(0, traces.batch), -math.inf if node.greatest else math.inf)[0])
        else:
            found.append(_mean(arrays, node.greatest, x[first - have[0] : stop - have[0]], 0))
    return arrays.xp.stack(found)


def _mean(arrays: Arrays, greatest: bool, x: Array, axis: int) -> Array:
    """The mean that stands for the greatest (least) along the first axis."""
    xp = arrays.xp
    x = -x if greatest else x
    finite = xp.isfinite(x)
    y = xp.where(finite, x, xp.zeros_like(x))
    count = finite.sum(axis)
    many = xp.where(count == 0, xp.ones_like(count), count)
    negative = xp.minimum(y, xp.zeros_like(y)).sum(axis) / many
    positive = xp.exp(xp.log1p(xp.maximum(y, xp.zeros_like(y))).sum(axis) / many) - 1.0
    failing = (finite & (x <= 0)).sum(axis) > 0
    found = xp.where(failing, negative, positive)
    absorbing = (x == -math.inf).sum(axis) > 0
    found = xp.where(count == 0, xp.full_like(found, math.inf), found)
    found = xp.where(absorbing, xp.full_like(found, -math.inf), found)
    return -found if greatest else found


