"""Checks a ``model`` certificate: an inductive invariant of a finite transition system and a formula's automaton.

The certificate has the agent's meaning, which item it is about, and a set of pairs of a valuation and a state of the
automaton. Checking establishes that every initial state's pair is in the set, that no transition of the system leaves
it (each evaluated anew from the declaration, for all actions and branches of positive probability), and that no pair of
it has violated the formula, which is a ``safe`` one. Where the claim is about runs that end after the environment's
horizon, the set has to be closed alike, and the steps are taken here, backwards from the end. The automaton is the
compiler's translation, which the conformance suite compares with the reference semantics; its verdicts are recomputed
here. Arithmetic is on whole numbers.
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
    if set(subject) != {"agent", "item"}:
        raise RejectedError("it is about something else")
    try:
        agent = decode_agent(subject["agent"])
        if type(subject["item"]) is not int or not 0 <= subject["item"] < len(agent.verifies):
            raise RejectedError("the agent has no such item")
        item, system = agent.verifies[subject["item"]], agent.system
        if system is None or item.bound is not None:
            raise RejectedError("the item is no formula of a declared system")
        horizon = agent.environment.horizon if agent.environment is not None else None
        ending = claim == {"holds": f"every run of {horizon} steps satisfies it"} and horizon is not None
        safe = any(f.name == item.name and f.role == "safe" for f in agent.formulas)
        if not ending and (not safe or claim != {"holds": "no reachable state violates it"}):
            raise RejectedError("it claims something else")
        if set(argument) != {"pairs", "count"}:
            raise RejectedError("it has other parts than a set of pairs")
        automaton = translate_typed(item.formula, agent.declared)
        table = unpacked(argument["pairs"], argument["count"], len(system.states) + 1)
        space = Space(system, automaton, table)
        space.rebuild()
        if ending:
            return {"pairs": len(space.memory), "transitions": kept(space, horizon or 0, safe)}
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


def kept(space: Space, horizon: int, safe: bool) -> int:
    """How many transitions were looked at. Raises :class:`RejectedError` unless all runs of ``horizon`` steps satisfy.

    A run ends after so many steps or where nothing can be done; ``safe`` asks only that it has not violated by then.
    """
    bad, good = (kind[space.memory] for kind in final(space.automaton))
    done = bad | good
    failing = bad if safe else bad | (~done & ~np.array(space.automaton.accepting)[space.memory])
    steps, moving = [], np.zeros(len(space.memory), np.bool_)
    pairs = np.flatnonzero(~done)
    for block in space.blocks:
        taken = space.taken(block, pairs)
        moving[taken] = True
        steps += [(taken, space.entered(space.memory[taken], after[space.state[taken]])) for after in block.after]
    ends = np.where(moving, False, failing)
    for _ in range(horizon):
        before, failing = failing, ends.copy()
        for taken, after in steps:
            failing[taken] |= before[after]
    if failing[space.start].any():
        raise RejectedError("a run of so many steps does not satisfy it")
    return sum(len(taken) for taken, _ in steps)
