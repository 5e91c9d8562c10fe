"""A desk that serves one customer: a database, tools that read and write it, and a customer who changes his mind.

In the manner of tau-bench (Yao et al., 2024, arXiv 2406.12045): an episode is solved if the database is in its goal
state when the agent finishes, and the rules of the desk stand in the agent's prompt, not in its tools. Deviations: the
customer is a script (:mod:`.customer`), so that an episode follows from its seed; he is spoken to through the tools
``say`` and ``confirm``; the tools work on the record that is open at the desk; what is no matter for the desk is handed
over to a colleague, which is part of the goal, so that doing nothing solves no task.

``breaches`` counts the writes that broke a rule of the desk, decided here and not by any automaton.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Value
from agentc.runtime.llm.decoder import Step
from agentc.runtime.llm.tools import Function
from agentc.runtime.llm.worlds.customer import Change, Customer, Wish

SPLITS = ("train", "test")
NO_RECORD = "error: nothing is open at the desk"
CHANGES_OF_MIND = 0.5
"""How often a customer wants something else first."""


@dataclass
class DeskState:
    """All of an episode: the database by the names of its records, its goal, the customer, and what happened.

    ``open`` is the record at the desk; ``agreed`` the kind of change that the customer has just agreed to;
    ``approved`` whether the supervisor approved of a payment on the open record; ``breaches`` the writes that broke
    a rule of the desk.
    """

    database: dict[str, Any]
    goal: dict[str, Any]
    customer: Customer
    open: str = ""
    agreed: str = ""
    approved: bool = False
    handed_over: bool = False
    ended: bool = False
    breaches: int = 0
    writes: list[Change] = field(default_factory=list)


class ServiceDesk(ABC):
    """The part that all desks share; a desk adds its database, its tools and its rules."""

    kinds: Mapping[str, str]
    """The tools that change a record, with what the customer is asked before."""

    def __init__(self, split: str = "train") -> None:
        self._split = SPLITS.index(split)
        self.state = self._draw(np.random.default_rng((self._split, 0)))

    # ------------------------------------------------------------ what a desk adds

    @abstractmethod
    def _records(self, randomness: np.random.Generator) -> dict[str, Any]:
        """A database."""

    @abstractmethod
    def _wish(self, randomness: np.random.Generator, database: Mapping[str, Any]) -> tuple[Wish, dict[str, str]]:
        """A wish, and what the customer answers to questions about it (by keyword)."""

    @abstractmethod
    def _carry_out(self, record: Any, change: Change) -> str:
        """Change a record; why that makes no sense, if it does not."""

    @abstractmethod
    def _allows(self, record: Any, change: Change) -> bool:
        """Whether the rules of the desk allow a change that the customer has agreed to."""

    @abstractmethod
    def _own_tools(self) -> Mapping[str, Function]:
        """The tools that read and write the database."""

    @abstractmethod
    def _shown(self) -> Mapping[str, Value]:
        """The signals of the record that is open."""

    @abstractmethod
    def _describe(self, record: str) -> str:
        """A record in words."""

    @abstractmethod
    def _may_be_approved(self, record: str) -> bool:
        """Whether the supervisor approves of a payment on a record."""

    # ------------------------------------------------------------ an episode

    def reset(self, seed: int) -> str:
        """What the customer says first."""
        self.state = self._draw(np.random.default_rng((self._split, seed)))
        return self.state.customer.wish.words

    @property
    def tools(self) -> Mapping[str, Function]:
        """The tools of every desk, and its own."""
        return {
            "say": self.say, "confirm": self.confirm, "look_up": self.look_up, "ask_approval": self.ask_approval,
            "hand_over": self.hand_over, "finish": self.finish, **self._own_tools(),
        }  # fmt: skip

    def signals(self, step: Step) -> Mapping[str, Value]:
        """The signals that every desk has, and those of the open record."""
        state = self.state
        return {
            "agreed": bool(state.agreed), "approved": state.approved, "handed_over": state.handed_over,
            "solved": self.solved, "breaches": state.breaches, "changes": len(state.writes), **self._shown(),
        }  # fmt: skip

    @property
    def ended(self) -> bool:
        """Whether the agent has finished."""
        return self.state.ended

    @property
    def solved(self) -> bool:
        """Whether the database is as the customer wants it in the end, and handed over if and only if it must be."""
        state = self.state
        wanted = state.customer.settled.change is None
        return state.database == state.goal and state.handed_over == wanted

    def snapshot(self) -> DeskState:
        """A copy of the state."""
        return deepcopy(self.state)

    def restore(self, snapshot: DeskState) -> None:
        """Go back to a snapshot."""
        self.state = deepcopy(snapshot)

    # ------------------------------------------------------------ tools of every desk

    def say(self, message: str) -> str:
        """Say something to the customer; his answer."""
        self.state.agreed = ""
        return self.state.customer.hear(message)

    def confirm(self, change: str) -> str:
        """Ask the customer whether a change of the open record is what he wants; his answer."""
        state = self.state
        agreed, answer = state.customer.asked(change, state.open)
        state.agreed = change if agreed else ""
        return answer

    def look_up(self, record: str) -> str:
        """Open a record at the desk; what it says."""
        state = self.state
        state.agreed, state.approved = "", False
        if record not in state.database:
            state.open = ""
            return f"error: there is no record {record}"
        state.open = record
        return self._describe(record)

    def ask_approval(self) -> str:
        """Ask the supervisor to approve of a payment on the open record."""
        state = self.state
        state.agreed = ""
        if not state.open:
            return NO_RECORD
        state.approved = self._may_be_approved(state.open)
        return "approved" if state.approved else "declined"

    def hand_over(self) -> str:
        """Hand the customer over to a colleague."""
        self.state.agreed, self.state.handed_over = "", True
        return "a colleague takes over"

    def finish(self) -> str:
        """End the conversation."""
        self.state.agreed, self.state.ended = "", True
        return "goodbye"

    # ------------------------------------------------------------ for the tools that write

    def allows(self, tool: str, **arguments: Value) -> bool:
        """Whether the rules of the desk allow a call now: what changes a record needs the customer's word on it."""
        kind, state = self.kinds.get(tool), self.state
        if kind is None:
            return True
        agreed = bool(state.open) and state.agreed == kind and not state.handed_over
        return agreed and self._allows(state.database[state.open], Change(tool, state.open, arguments))

    def _change(self, tool: str, **arguments: Value) -> str:
        """Change the open record, and note the change."""
        state = self.state
        change = Change(tool, state.open, arguments)
        allowed = self.allows(tool, **arguments)
        state.agreed = ""
        if not state.open:
            return NO_RECORD
        record = state.database[state.open]
        refusal = self._carry_out(record, change)
        if refusal:
            return f"error: {refusal}"
        state.breaches += not allowed
        state.writes.append(change)
        return f"done: {self._describe(state.open)}"

    # ------------------------------------------------------------ how an episode is drawn

    def _draw(self, randomness: np.random.Generator) -> DeskState:
        """A database, and a customer who has one wish, or another one first."""
        database = self._records(randomness)
        last, details = self._wish(randomness, database)
        wishes: tuple[Wish, ...] = (last,)
        if randomness.random() < CHANGES_OF_MIND:
            first, more = self._wish(randomness, database)
            if (first.kind, first.record) != (last.kind, last.record):
                wishes = (replace(first, left="say" if randomness.random() < 0.5 else "confirm"), last)
                details = {**more, **details}
        goal = deepcopy(database)
        if last.change is not None:
            self._carry_out(goal[last.record], last.change)
        return DeskState(database, goal, Customer(wishes, details))
