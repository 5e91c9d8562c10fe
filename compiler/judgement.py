"""Judging a whole trace as a role wants it: tasks at the end, safes by whether they were violated.

A ``safe`` is violated exactly when some prefix has the final verdict false. That, and the step at which any verdict
became final, is read off the automaton over the letters that the declared types allow.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from agentc.compiler.agent import SignalIR
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.logic.ir import Formula, Node, Term, Value, const, formula, postorder, signals, term
from agentc.compiler.logic.semantics import evaluate
from agentc.compiler.logic.trace import Trace
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError
from agentc.lang.records import dataclass

MAX_STATES, MAX_SECONDS = 20_000, 5.0
"""The budget of an example: it is run at every check."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a formula holds for its role, and the first step at which that was final (None: only at the end)."""

    holds: bool
    decided: int | None


def judge(
    f: Formula, trace: Trace, role: str, declared: Iterable[SignalIR], each: Sequence[str] = ()
) -> Judgement:
    """Judge ``f`` on a trace.

    A formula for ``each`` value of some parameters is judged for all values that occur. Raises ``ValueError`` if
    the trace has values that the declared types rule out, ``AgentcError`` if the automaton is too large.
    """
    declared = tuple(declared)
    instances = tuple(_instances(f, trace, each)) if each else (f,)
    found = [_judge(g, trace, role, declared) for g in instances]
    failed = [j for j in found if not j.holds]
    if failed:
        steps = [j.decided for j in failed if j.decided is not None]
        return Judgement(False, min(steps, default=None))
    undecided = any(j.decided is None for j in found)
    return Judgement(True, None if undecided else max((j.decided or 0 for j in found), default=0))


def _judge(f: Formula, trace: Trace, role: str, declared: tuple[SignalIR, ...]) -> Judgement:
    try:
        verdicts = translate_typed(f, declared, max_states=MAX_STATES, max_seconds=MAX_SECONDS).judge(trace)
    except AgentcError:
        if role == "safe":
            raise  # which prefixes violate it, only the automaton tells
        return Judgement(evaluate(f, trace), None)
    final = next((t for t, v in enumerate(verdicts) if v.final), None)
    if role == "safe":
        violated = Verdict.FALSE in verdicts
        return Judgement(not violated, final if violated or (final is not None and verdicts[final].holds) else None)
    return Judgement(evaluate(f, trace), final)


def _instances(f: Formula, trace: Trace, each: Sequence[str]) -> Iterator[Formula]:
    """The formula for all values of its parameters that occur in the signals that they are compared with."""
    columns = [_values(f, trace, name, each) for name in each]
    for values in itertools.product(*columns):
        yield bound(f, dict(zip(each, values, strict=True)))


def _values(f: Formula, trace: Trace, name: str, each: Sequence[str]) -> list[Value]:
    found: dict[Value, None] = {}
    for node in postorder(f):
        # as an argument itself: the comparison around an aggregate over one speaks of other values
        if node.op == "compare" and any(a.op == "signal" and a.value == name for a in node.args):
            for other in signals(node):
                if other not in each:
                    found.update((v[other], None) for v in trace if v.get(other) is not None)
    return list(found)


def bound(root: Formula, values: dict[str, Value]) -> Formula:
    """The formula with the signals of its parameters replaced by constants."""
    made: dict[Node, Node] = {}
    for node in postorder(root):
        if node.op in ("signal", "prev") and node.value in values:
            made[node] = const(values[str(node.value)])
            continue
        args = [made[a] for a in node.args]
        if isinstance(node, Term):
            made[node] = term(node.op, args, node.value, node.interval)
        else:
            made[node] = formula(node.op, args, node.interval)
    result = made[root]
    assert isinstance(result, Formula)
    return result
