"""A retail service desk: orders are cancelled, repaid, swapped and sent to another address.

The rules of the desk (they stand in the prompt of ``specs/agents/service_desks.agentspec``): a change only right after
the customer has agreed to it, no repayment above 100 without the supervisor's approval. The tools themselves refuse
only what makes no sense: an order that has left cannot be cancelled, swapped or sent elsewhere, one that has not
arrived cannot be repaid, nor more of it than was paid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Value
from agentc.runtime.llm.tools import Function
from agentc.runtime.llm.worlds.customer import Change, Wish
from agentc.runtime.llm.worlds.service_desk import ServiceDesk

LIMIT = 100
"""Repayments above this need the supervisor's approval."""
APPROVABLE = 200
"""The supervisor approves of repayments on orders of at most this worth."""
STATUSES = ("pending", "shipped", "delivered")
ORDERS = 5


@dataclass
class Order:
    """An order: what was bought (variant and price by name), where it is, and what became of it."""

    status: str
    items: dict[str, tuple[str, int]]
    street: str
    repaid: int = 0
    reason: str = ""
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = sum(price for _, price in self.items.values())


class RetailDesk(ServiceDesk):
    """One customer an episode, drawn from ``split`` by the seed."""

    kinds: Mapping[str, str] = {
        "cancel": "cancellation", "repay": "repayment", "swap": "exchange", "readdress": "address",
    }  # fmt: skip

    def __init__(self, split: str = "train") -> None:
        data = json.loads((files("agentc.stdlib.env") / "retail.json").read_text(encoding="utf-8"))
        self.catalogue: Mapping[str, Mapping[str, int]] = data["catalogue"]
        self.streets: list[str] = data["streets"]
        self.reasons: Mapping[str, str] = data["reasons"]
        super().__init__(split)

    # ------------------------------------------------------------ tools

    def _own_tools(self) -> Mapping[str, Function]:
        return {"cancel": self.cancel, "repay": self.repay, "swap": self.swap, "readdress": self.readdress}

    def cancel(self, reason: str) -> str:
        """Cancel the open order."""
        return self._change("cancel", reason=reason)

    def repay(self, amount: int) -> str:
        """Pay money back for the open order."""
        return self._change("repay", amount=amount)

    def swap(self, item: str, variant: str) -> str:
        """Swap an item of the open order for another variant."""
        return self._change("swap", item=item, variant=variant)

    def readdress(self, street: str) -> str:
        """Send the open order to another street."""
        return self._change("readdress", street=street)

    def _allows(self, record: Any, change: Change) -> bool:
        amount = change.arguments.get("amount", 0)
        return self.state.approved or (isinstance(amount, int) and amount <= LIMIT)

    def _carry_out(self, record: Any, change: Change) -> str:
        """Change an order; why that makes no sense, if it does not."""
        order: Order = record
        values: Mapping[str, Any] = change.arguments
        if change.tool == "repay":
            if order.status != "delivered":
                return f"an order that is {order.status} cannot be repaid"
            if int(values["amount"]) > order.total - order.repaid:
                return f"no more than {order.total - order.repaid} was paid"
            order.repaid += int(values["amount"])
            return ""
        if order.status != "pending":
            return f"an order that is {order.status} cannot be changed"
        if change.tool == "cancel":
            order.status, order.reason = "cancelled", values["reason"]
        elif change.tool == "readdress":
            order.street = values["street"]
        elif values["item"] not in order.items:
            return f"there is no {values['item']} in it"
        elif values["variant"] not in self.catalogue[values["item"]]:
            return f"there is no {values['variant']} {values['item']}"
        else:
            order.items[values["item"]] = (values["variant"], self.catalogue[values["item"]][values["variant"]])
            order.total = sum(price for _, price in order.items.values())
        return ""

    # ------------------------------------------------------------ what is seen

    def _shown(self) -> Mapping[str, Value]:
        order = self.state.database.get(self.state.open)
        if order is None:
            return {"status": "none", "total": 0, "repaid": 0}
        return {"status": order.status, "total": order.total, "repaid": order.repaid}

    def _describe(self, record: str) -> str:
        order: Order = self.state.database[record]
        bought = ", ".join(f"{name} ({variant}, {price})" for name, (variant, price) in order.items.items())
        repaid = f", {order.repaid} paid back" if order.repaid else ""
        return f"{record} is {order.status}: {bought}; {order.total} paid{repaid}; to {order.street}"

    def _may_be_approved(self, record: str) -> bool:
        order: Order = self.state.database[record]
        return order.status == "delivered" and order.total <= APPROVABLE

    # ------------------------------------------------------------ episodes

    def _records(self, randomness: np.random.Generator) -> dict[str, Any]:
        numbers = randomness.choice(np.arange(10, 100), ORDERS, replace=False)
        database: dict[str, Any] = {}
        for i, number in enumerate(numbers):
            names = randomness.choice(sorted(self.catalogue), int(randomness.integers(1, 3)), replace=False)
            items = {str(n): self._variant(randomness, str(n)) for n in names}
            status = STATUSES[i] if i < len(STATUSES) else STATUSES[int(randomness.integers(len(STATUSES)))]
            database[f"W{number}"] = Order(status, items, str(randomness.choice(self.streets)))
        return database

    def _variant(self, randomness: np.random.Generator, name: str) -> tuple[str, int]:
        variants = self.catalogue[name]
        chosen = str(randomness.choice(sorted(variants)))
        return chosen, variants[chosen]

    def _wish(self, randomness: np.random.Generator, database: Mapping[str, Any]) -> tuple[Wish, dict[str, str]]:
        record = str(randomness.choice(sorted(database)))
        order: Order = database[record]
        item = str(randomness.choice(sorted(order.items)))
        details = {"order": f"It is order {record}.", "number": f"It is order {record}."}
        change: Change | None
        if order.status == "delivered":
            price = order.items[item][1]
            change = Change("repay", record, {"amount": price})
            if price > LIMIT and order.total > APPROVABLE:
                change = None  # nobody at the desk may do that
            words = f"The {item} of order {record} arrived broken. I want my {price} back."
            return Wish(words, "repayment", record, change), {**details, "amount": f"{price}."}
        kind = ("cancellation", "exchange", "address")[int(randomness.integers(3))]
        if kind == "cancellation":
            reason = str(randomness.choice(sorted(self.reasons)))
            words = f"Please cancel order {record}, {self.reasons[reason]}."
            change = Change("cancel", record, {"reason": reason})
            details = {**details, "why": f"{self.reasons[reason]}.", "reason": f"{self.reasons[reason]}."}
        elif kind == "exchange":
            others = [v for v in sorted(self.catalogue[item]) if v != order.items[item][0]]
            variant = str(randomness.choice(others))
            words = f"I would rather have the {item} of order {record} in {variant}."
            change = Change("swap", record, {"item": item, "variant": variant})
        else:
            street = str(randomness.choice([s for s in self.streets if s != order.street]))
            words = f"Please send order {record} to {street}."
            change = Change("readdress", record, {"street": street})
            details = {**details, "address": f"{street}.", "street": f"{street}."}
        return Wish(words, kind, record, change if order.status == "pending" else None), details
