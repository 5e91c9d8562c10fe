"""A scripted customer who changes his mind: what he says follows from his wishes and from what he is asked.

He wants one thing at a time and goes over to the next wish once, when the script says so: when he is asked to confirm
the first one, or when he is spoken to. A question is answered by the first detail whose keyword it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agentc.compiler.logic.ir import Value


@dataclass(frozen=True)
class Change:
    """A change of the database: the tool that makes it, on which record, with which arguments."""

    tool: str
    record: str
    arguments: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """What a customer wants: in words, and the change that it comes to.

    ``change`` is None for what the desk may not do itself. ``kind`` is what the desk calls it when it asks for a
    confirmation; ``left`` says at what the customer gives it up for the next wish.
    """

    words: str
    kind: str
    record: str
    change: Change | None
    left: Literal["confirm", "say"] = "confirm"


@dataclass
class Customer:
    """A customer with one wish or more, and what he answers to questions."""

    wishes: tuple[Wish, ...]
    details: Mapping[str, str]
    at: int = 0

    @property
    def wish(self) -> Wish:
        """What he wants now."""
        return self.wishes[self.at]

    @property
    def settled(self) -> Wish:
        """What he wants in the end."""
        return self.wishes[-1]

    def hear(self, message: str) -> str:
        """What he answers to a message."""
        if self._changes_his_mind("say"):
            return f"Wait, I changed my mind. {self.wish.words}"
        lowered = message.lower()
        for keyword, answer in self.details.items():
            if keyword in lowered:
                return answer
        return self.wish.words

    def asked(self, kind: str, record: str) -> tuple[bool, str]:
        """Whether he agrees to a change of a record, and what he says."""
        if self.wish.kind != kind or self.wish.record != record:
            return False, f"No. {self.wish.words}"
        if self._changes_his_mind("confirm"):
            return False, f"No, wait, I changed my mind. {self.wish.words}"
        return True, "Yes, please."

    def _changes_his_mind(self, turn: Literal["confirm", "say"]) -> bool:
        if self.at + 1 < len(self.wishes) and self.wish.left == turn:
            self.at += 1
            return True
        return False
