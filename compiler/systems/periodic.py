"""Which states of a system matter only up to a whole turn: those that ``sin``, ``cos`` and ``tan`` alone read.

A heading that has turned round once is another number and the same situation. Whoever learns from numbers is better
told its cosine and sine; nothing is lost, because nothing else of it is ever read.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentc.compiler.agent import SystemIR
from agentc.compiler.logic.ir import Node

TURNING = ("sin", "cos", "tan")


def periodic(system: SystemIR, read: Iterable[Node] = ()) -> tuple[str, ...]:
    """The states that every equation, and every formula of ``read``, reads as an angle alone, in source order.

    In a difference equation a state may be added to its own next value. What else an angle is added to is not looked
    through: ``sin(a + b)`` makes neither of them one. A state that nothing reads as an angle is none.
    """
    discrete = system.integrator == "difference"
    roots: list[Node] = []
    for body in (system.equations, *(mode.equations for mode in system.modes)):
        for equation in body:
            roots += _besides(equation.target, equation.value) if discrete else [equation.value]
    for mode in system.modes:
        roots += [] if mode.invariant is None else [mode.invariant]
        for transition in mode.transitions:
            roots.append(transition.guard)
            for reset in transition.resets:
                roots += _besides(reset.target, reset.value)
    turned: set[str] = set()
    plain: set[str] = set()
    seen: set[Node] = set()
    todo: list[Node] = [*roots, *read]
    while todo:
        node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op in ("signal", "prev"):
            plain.add(str(node.value))
        elif node.op in TURNING and node.args[0].op == "signal":
            turned.add(str(node.args[0].value))
        else:
            todo += node.args
    return tuple(v.name for v in system.states if v.kind == "real" and v.name in turned - plain)


def _besides(name: str, value: Node) -> list[Node]:
    """What a next value reads besides the state itself, where that is a term of a sum."""
    todo, added, taken = [value], [], []
    while todo:
        term = todo.pop()
        if term.op == "add":
            todo += term.args
        elif term.op == "sub":
            todo.append(term.args[0])
            taken.append(term.args[1])
        else:
            added.append(term)
    own = next((k for k, t in enumerate(added) if t.op == "signal" and t.value == name), None)
    return [*taken, *(t for k, t in enumerate(added) if k != own)]
