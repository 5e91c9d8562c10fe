"""Checks a ``model`` certificate: an inductive invariant of a finite transition system and a formula's automaton.

The certificate has the agent's meaning, which item it is about, and a set of pairs of a valuation and a state of the
automaton. Checking establishes that every initial state's pair is in the set, that no transition of the system leaves
it (each evaluated anew from the declaration, for all actions and branches of positive probability), and that no pair of
it has violated the formula. The automaton is the compiler's translation, which the conformance suite compares with the
reference semantics; its verdicts are recomputed here. Arithmetic is on whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.codec import decode_agent
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.transitions import Space, final, reaching, unpacked


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    if claim != {"holds": "no reachable state violates it"} or set(subject) != {"agent", "item"}:
        raise RejectedError("it claims something else")
    try:
        agent = decode_agent(subject["agent"])
        if type(subject["item"]) is not int or not 0 <= subject["item"] < len(agent.verifies):
            raise RejectedError("the agent has no such item")
        item, system = agent.verifies[subject["item"]], agent.system
        if system is None or item.bound is not None:
            raise RejectedError("the item is no formula of a declared system")
        if set(argument) != {"pairs", "count"}:
            raise RejectedError("it has other parts than a set of pairs")
        automaton = translate_typed(item.formula, agent.declared)
        table = unpacked(argument["pairs"], argument["count"], len(system.states) + 1)
        space = Space(system, automaton, table)
        space.rebuild()
        return {"pairs": len(space.memory), "transitions": closed(space)}
    except AgentcError as error:
        raise RejectedError(error.diagnostics[0].message) from error


def closed(space: Space) -> int:
    """How many transitions were looked at. Raises :class:`RejectedError` unless the set is closed and has no violation.

    Where no word leads to a violation any more, what the system does is of no matter.
    """
    violated = final(space.automaton)[0]
    if violated[space.memory].any():
        raise RejectedError("a pair of the set violates the formula")
    open_ = np.zeros(space.automaton.size, np.bool_)
    open_[reaching(space.automaton, set(np.flatnonzero(violated).tolist()))] = True
    pairs = open_[space.memory]
    every = bool(pairs.all())
    state, memory = (space.state, space.memory) if every else (space.state[pairs], space.memory[pairs])
    count = 0
    for block in space.blocks:
        for after in block.after:
            states = after[state]
            space.entered(memory, states)
            count += int((states < len(space.states)).sum())
    return count
