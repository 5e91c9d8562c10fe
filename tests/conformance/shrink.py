"""Makes a disagreement small: greedy, over the formula and the trace, as long as it still disagrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import ALWAYS, Formula, Interval, Node, Term
from agentc.compiler.logic.trace import Trace

Pair = tuple[Formula, Trace]


def shrink(f: Formula, trace: Trace, disagrees: Callable[[Formula, Trace], bool], most: int = 4000) -> Pair:
    """A small pair on which ``disagrees`` still answers true; at most ``most`` pairs are tried."""
    left = most
    found = True
    while found and left > 0:
        found = False
        for candidate in _smaller(f, trace):
            left -= 1
            if left <= 0:
                break
            if disagrees(*candidate):
                (f, trace), found = candidate, True
                break
    return f, _only_needed(f, trace)


def _only_needed(f: Formula, trace: Trace) -> Trace:
    names = ir.signals(f)
    return Trace({name: v[name] for name in names if name in v} for v in trace)


def _smaller(f: Formula, trace: Trace) -> Iterator[Pair]:
    for t in range(len(trace) if len(trace) > 1 else 0):
        steps = [dict(v) for n, v in enumerate(trace) if n != t]
        for name in [n for n in steps[0] if n.split(".")[0] == "action"]:
            del steps[0][name]
        yield f, Trace(steps)
    for g in smaller_formulas(f):
        yield g, trace
    for name in ir.signals(f):
        for t in range(len(trace)):
            if name in trace[t]:
                for value in _simpler_values(trace[t][name]):
                    steps = [dict(v) for v in trace]
                    steps[t][name] = value
                    yield f, Trace(steps)


def _simpler_values(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        if value:
            yield False
    elif isinstance(value, int | float):
        for simple in (0, 1, round(value)):
            if abs(simple) < abs(value):
                yield type(value)(simple)
    elif isinstance(value, tuple):
        for i, part in enumerate(value):
            for simple in _simpler_values(part):
                yield (*value[:i], simple, *value[i + 1 :])
    elif isinstance(value, str) and len(value) > 1 and " " in value:
        yield value.replace(" ", "")


def smaller_formulas(root: Formula) -> Iterator[Formula]:
    """The formulas that are one step simpler than ``root`` at one of its nodes, boldest first."""
    nodes = [n for n in ir.postorder(root) if n is not root]
    for node in (root, *reversed(nodes)):
        for new in _simpler(node):
            yield replace(root, node, new)  # type: ignore[misc]


def replace(root: Node, old: Node, new: Node) -> Node:
    """``root`` with every occurrence of one node replaced by another."""
    made: dict[Node, Node] = {}
    for node in ir.postorder(root):
        if node is old:
            made[node] = new
            continue
        args = tuple(made[a] for a in node.args)
        if args == node.args:
            made[node] = node
        elif isinstance(node, Formula):
            made[node] = ir.formula(node.op, args, node.interval)
        else:
            made[node] = ir.term(node.op, args, node.value, node.interval)
    return made[root]


_OF_OTHER_SORTS = ("norm", "dist", "length", "index", "tuple")
"""Terms whose arguments cannot stand in their place."""


def _simpler(node: Node) -> Iterator[Node]:
    if isinstance(node, Term):
        if node.op not in ("const", "signal", "prev") and node.op not in ir.PREDICATES and node.op not in ir.REGIONS:
            yield from (a for a in node.args if isinstance(a, Term) and node.op not in _OF_OTHER_SORTS)
        if node.op in ("union", "intersection"):
            yield from node.args
        if node.interval not in (None, ALWAYS):
            yield ir.term(node.op, node.args, node.value, ALWAYS)
        if node.op == "in_set" and len(node.args) > 2:
            yield ir.term(node.op, node.args[:-1], node.value)
        return
    assert isinstance(node, Formula)
    if node.op in ("true", "false"):
        return
    if node.op != "atom":
        yield from node.args
    yield from (ir.TRUE, ir.FALSE)
    if node.op == "atom":
        if node.args[0].op != "signal":
            yield ir.prop("p")
        return
    if node.op in ("and", "or") and len(node.args) > 2:
        for i in range(len(node.args)):
            yield ir.formula(node.op, node.args[:i] + node.args[i + 1 :])
    for interval in _simpler_intervals(node.op, node.interval):
        yield ir.formula(node.op, node.args, interval)
    plainer = {"implies": "or", "iff": "and", "xor": "or", "M": "U", "W": "R"}.get(node.op)
    if plainer:
        yield ir.formula(plainer, node.args, node.interval)


def _simpler_intervals(op: str, interval: Interval | None) -> Iterator[Interval]:
    if interval is None or interval == ALWAYS:
        return
    a, b = interval
    if op in ("X", "WX", "Y", "WY"):
        if a != 1:
            yield (1, 1)
        if a > 2:
            yield (a - 1, a - 1)
        return
    yield ALWAYS
    if b is None:
        yield (a - 1, None)
        return
    if b > a:
        yield (a, a)
        yield (a, b - 1)
    if a > 0:
        yield (0, b)
        yield (a - 1, b - 1)
