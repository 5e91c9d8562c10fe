"""What is too much for a backend: limits that are set for a while, automata of many states, aggregates."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from agentc.compiler.logic import ir
from agentc.compiler.logic.ir import Formula
from agentc.lang.diagnostics import AgentcError
from conformance.registry import RefusedError

MOST_STATES = 300
"""Formulas with a larger automaton are refused, as the budget of ``translate`` would have it."""


@contextlib.contextmanager
def with_limits(module: Any, **values: Any) -> Iterator[None]:
    """A module with other limits for a while."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def translated(translate: Callable[..., Any], *what: Any) -> Any:
    try:
        return translate(*what, max_states=MOST_STATES)
    except AgentcError as error:
        if all(d.code == "AS0702" for d in error.diagnostics):
            raise RefusedError from error
        raise


def aggregates(f: Formula) -> bool:
    return any(n.op in ("count", "sum", "in_seen", "occurs_in_seen") for n in ir.postorder(f))
