"""Checks a ``value`` certificate: a bound of a probability or an expected sum, on a system times a formula's automaton.

Krishnendu Chatterjee, Tim Quatmann, Maximilian Schäffeler, Maximilian Weininger, Tobias Winkler, Daniel Zilken: "Fixed
Point Certificates for Reachability and Expected Rewards in MDPs", TACAS 2025. What is proved is meant of every way to
act, so that two kinds are enough:

- *from above*, of the greatest value: a vector ``u`` with ``u >= c + P u`` for every action (one step more does not
  raise it), on targets at least 1. It bounds the least fixed point (Park).
- *from below*, of the least value: a vector ``l`` with ``l <= c + P l`` for every action, on targets at most 1, where
  nothing is left to gain at most 0; and ranks by which, wherever ``l > 0``, every action may come nearer to where that
  is not so: whatever is done, it gets there almost surely, and the value is what it was when it got there. Of a sum,
  ranks are only of pairs in which nothing is paid: who does not come away from the others pays without bound.

Where runs end after a horizon the certificate is the set of pairs alone: as many steps are computed here. Sums are
computed in float64; a sum of ``k`` products of numbers that are not negative is off by less than ``(2 k + 6) 2**-53``
of itself, by which it is raised or lowered; a mean of probabilities is never more than the greatest of them. What
happens for sure is copied. The sum over the starts is of fractions.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from agentc.compiler.agent import AgentIR, VerifyIR
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.codec import decode_agent
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.graph import graph_of
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.verify.checker import RejectedError
from agentc.runtime.verify.checker.transitions import Block, Space, final, numbers, unpacked

U = 2.0**-53
TINY = 1e-200
"""Numbers between zero and this are not taken: products of them could be lost."""

MOST_STEPS = 1_000_000


def verify(subject: Any, claim: Any, argument: Any, folder: Path) -> Mapping[str, Any]:
    """Facts of an accepted certificate; raises :class:`RejectedError`."""
    if set(subject) != {"agent", "item"}:
        raise RejectedError("it is about something else")
    try:
        agent = decode_agent(subject["agent"])
        if type(subject["item"]) is not int or not 0 <= subject["item"] < len(agent.verifies):
            raise RejectedError("the agent has no such item")
        item, system = agent.verifies[subject["item"]], agent.system
        if system is None or item.bound is None:
            raise RejectedError("the item bounds nothing on a declared system")
        measure = "P" if item.total is None else "E"
        if claim != {"holds": f"{measure} {item.bound[0]} {item.bound[1]!r}"}:
            raise RejectedError("it claims something else")
        automaton = translate_typed(item.formula, agent.declared)
        table = unpacked(argument["pairs"], argument["count"], len(system.states) + 1)
        space = Space(system, automaton, table)
        space.rebuild()
        return _Check(space, agent, item, argument).run()
    except AgentcError as error:
        raise RejectedError(error.diagnostics[0].message) from error


class _Check:
    """The question, with what the certificate says of it."""

    def __init__(self, space: Space, agent: AgentIR, item: VerifyIR, argument: Any) -> None:
        self.space, self.argument = space, argument
        self.horizon = agent.environment.horizon if agent.environment is not None else None
        op, bound = item.bound or (">=", 0.0)
        bad, good = (kind[space.memory] for kind in final(space.automaton))
        holds = np.array(space.automaton.accepting)[space.memory]
        open_ = ~bad & ~good
        role = next((f.role for f in agent.formulas if f.name == item.name), None)
        self.done = bad | good
        """Pairs at which the verdict is final: what follows is of no matter."""
        self.ended = holds.astype(float)
        """What a run is worth that ends in a pair."""
        self.cost: Any = None
        """What a step that begins in a pair pays; None where the value is a probability."""
        if item.total is not None:
            self.cost, self.done = self._costs(item), good  # a run goes on where the goal is out of reach
            self.ended = np.zeros(len(space.memory))
            self.above, self.bound = op == "<=", Fraction(bound)
        elif role == "safe" or (self.horizon is None and holds[open_].all()):
            # that no prefix violates it: one minus that one does
            self.ended = bad.astype(float)
            self.above, self.bound = op == ">=", 1 - Fraction(bound)
        elif self.horizon is not None or not holds[open_].any():
            self.above, self.bound = op == "<=", Fraction(bound)
        else:
            raise RejectedError("nothing says when a run ends")
        moving = np.zeros(len(space.memory), np.bool_)
        pairs = np.flatnonzero(~self.done)
        self.blocks: list[tuple[Any, tuple[float, ...], list[Any]]] = []
        for block in space.blocks:
            taken = space.taken(block, pairs)
            after = [space.entered(space.memory[taken], rows[space.state[taken]]) for rows in block.after]
            moving[taken] = True
            self.blocks.append((taken, _chances(block), after))
        self.still = ~moving
        self.most = 1.0 if self.cost is None else np.inf
        """No value is greater."""

    def _costs(self, item: VerifyIR) -> Any:
        assert item.total is not None
        states = self.space.commands.states
        columns = self.space.commands.columns(self.space.states.astype(float))
        (found,) = evaluate(graph_of([item.total], states), columns)
        cost = np.broadcast_to(np.asarray(found, float), (len(self.space.states),))
        if not np.isfinite(cost).all() or (cost < 0).any() or ((cost > 0) & (cost < TINY)).any():
            raise RejectedError("what is summed is not a number of at least 0 everywhere")
        return cost[self.space.state]

    def run(self) -> Mapping[str, Any]:
        """What was looked at. Raises :class:`RejectedError` unless the claim follows."""
        if self.horizon is not None:
            if set(self.argument) != {"pairs", "count"} or self.horizon > MOST_STEPS:
                raise RejectedError("it has other parts than a set of pairs, or too many steps")
            value = self.ended
            for _ in range(self.horizon):
                value = self._stepped(value)
        elif self.above:
            value = self._upper()
        else:
            value = self._lower()
        total = sum(
            (w * Fraction(float(v)) for w, v in zip(self.space.weight, value[self.space.start], strict=True)),
            Fraction(),
        )
        if (total > self.bound) if self.above else (total < self.bound):
            raise RejectedError("its values do not reach the bound")
        return {"pairs": len(value), "transitions": sum(len(t) * len(a) for t, _, a in self.blocks)}

    def _sums(self, value: Any, taken: Any, chances: tuple[float, ...], after: list[Any]) -> Any:
        """What an action pays and leads to in the pairs ``taken``, rounded outward."""
        if chances == (1.0,) and self.cost is None:
            return value[after[0]]
        total = np.zeros(len(after[0])) if self.cost is None else self.cost[taken]
        for p, rows in zip(chances, after, strict=True):
            total = total + p * value[rows]
        slack = (2 * len(chances) + 6) * U
        if self.above and self.cost is None and sum(map(Fraction, chances)) <= 1:
            return np.minimum(total * (1 + slack), np.max([value[rows] for rows in after], axis=0))
        return total * (1 + slack) if self.above else total * (1 - slack)

    def _stepped(self, value: Any) -> Any:
        """The greatest (from above) or least (from below) value with one step more."""
        best = np.where(self.still, self.ended, -1.0 if self.above else np.inf)
        for taken, chances, after in self.blocks:
            sums = np.minimum(self._sums(value, taken, chances, after), self.most)
            best[taken] = np.maximum(best[taken], sums) if self.above else np.minimum(best[taken], sums)
        return best

    def _vector(self) -> Any:
        value = numbers(self.argument["values"], len(self.space.memory))
        if not np.isfinite(value).all() or (value < 0).any() or ((value > 0) & (value < TINY)).any():
            raise RejectedError("its values are no bounds")
        return value

    def _upper(self) -> Any:
        if set(self.argument) != {"pairs", "count", "values"}:
            raise RejectedError("it has other parts than pairs with values")
        value = self._vector()
        if (value[self.still] < self.ended[self.still]).any():
            raise RejectedError("a value lies below what a run is worth that ends there")
        for taken, chances, after in self.blocks:
            if ((value[taken] < self._sums(value, taken, chances, after)) & (value[taken] < self.most)).any():
                raise RejectedError("a value lies below what an action leads to")
        return value

    def _lower(self) -> Any:
        if set(self.argument) != {"pairs", "count", "values", "ranks"}:
            raise RejectedError("it has other parts than pairs with values and ranks")
        value = self._vector()
        rank = unpacked(self.argument["ranks"], len(value), 1)[:, 0]
        if (value[self.still] > self.ended[self.still]).any():
            raise RejectedError("a value lies above what a run is worth that ends there")
        stopped = self.still | (value == 0)
        if self.cost is not None:  # who pays for ever pays more than any bound
            stopped |= self.cost > 0
        rank = np.where(stopped, -1, np.maximum(rank, 0))
        for taken, chances, after in self.blocks:
            if (value[taken] > self._sums(value, taken, chances, after)).any():
                raise RejectedError("a value lies above what an action leads to")
            nearest = np.min([rank[rows] for rows in after], axis=0) if len(taken) else rank[taken]
            if ((nearest >= rank[taken]) & (rank[taken] >= 0)).any():
                raise RejectedError("an action comes nowhere nearer to the end")
        return value


def _chances(block: Block) -> tuple[float, ...]:
    if any(not 1e-100 <= p <= 1 for p in block.probabilities):
        raise RejectedError("a branch has a probability that is none")
    return block.probabilities
