"""States of an agent whose dynamics nobody has declared, and where its runs begin by what is assumed."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR, VariableIR
from agentc.compiler.logic.ir import Formula, Node
from agentc.compiler.systems.dynamics import bounds

Floats = NDArray[np.float64]


def states_of(agent: AgentIR) -> tuple[VariableIR, ...]:
    """The states of the agent's system, or its real signals."""
    if agent.system is not None:
        return agent.system.states
    return tuple(
        VariableIR(s.name, "state", "real", (), s.lo, s.hi, s.unit)
        for s in agent.declared
        if s.kind == "real" and s.definition is None and not s.phase and not s.name.startswith("action")
    )


def assumed_box(agent: AgentIR, states: tuple[VariableIR, ...]) -> tuple[Floats, Floats]:
    """The box of the states' ranges and of what is assumed of the first step."""
    lo, hi = bounds(states)
    lo, hi = lo.copy(), hi.copy()
    at = {v.name: i for i, v in enumerate(states)}
    for formula in agent.formulas:
        if formula.role == "assume":
            for name, op, value in _comparisons(formula.formula):
                if name in at and op in (">=", ">", "=="):
                    lo[at[name]] = max(lo[at[name]], value)
                if name in at and op in ("<=", "<", "=="):
                    hi[at[name]] = min(hi[at[name]], value)
    return lo, hi


def _comparisons(formula: Formula) -> Iterator[tuple[str, str, float]]:
    """The comparisons of a signal with a constant that a conjunction demands; all else only makes the set smaller."""
    if formula.op == "and":
        for part in formula.args:
            yield from _comparisons(part)
        return
    if formula.op != "atom":
        return
    predicate = formula.predicate
    if predicate.op == "in_range" and predicate.value is not True:
        subject, low, high = predicate.args
        pairs = [(subject, ">=", low), (subject, "<=", high)]
    elif predicate.op == "compare":
        left, right = predicate.args
        pairs = [(left, str(predicate.value), right), (right, _TURNED.get(str(predicate.value), ""), left)]
    else:
        return
    for subject, op, other in pairs:
        value = _number(other)
        if subject.op == "signal" and value is not None and isfinite(value):
            yield str(subject.value), op, value


_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


def _number(node: Node) -> float | None:
    if node.op == "neg":
        inner = _number(node.args[0])
        return None if inner is None else -inner
    if node.op == "const" and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value)
    return None
