"""An airline service desk: bookings are cancelled, moved to another flight, given bags and compensated.

The rules of the desk (they stand in the prompt of ``specs/agents/service_desks.agentspec``): a change only right after
the customer has agreed to it; a booking is cancelled within a day of booking, or in business, or if it is insured; no
move in basic economy; compensation only for a delayed flight, and above 100 only with the supervisor's approval.
The tools themselves refuse only what makes no sense: a flight that has left, a flight that does not exist.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Value
from agentc.runtime.llm.tools import Function
from agentc.runtime.llm.worlds.customer import Change, Wish
from agentc.runtime.llm.worlds.service_desk import ServiceDesk

WINDOW = 24
"""Hours after booking in which every booking may be cancelled."""
LIMIT = 100
"""Compensations above this need the supervisor's approval."""
MOST_BAGS = 3
BOOKINGS = 5


@dataclass
class Booking:
    """A booking: the flight, the cabin, hours since it was made, and what became of it."""

    flight: str
    flights: tuple[str, ...]
    route: str
    cabin: str
    hours: int
    insured: bool
    delayed: bool
    flown: bool
    passengers: int
    bags: int = 0
    cancelled: bool = False
    compensated: int = 0

    @property
    def cancellable(self) -> bool:
        """Whether the rules of the desk allow to cancel it."""
        return not self.flown and (self.hours <= WINDOW or self.cabin == "business" or self.insured)


class AirlineDesk(ServiceDesk):
    """One customer an episode, drawn from ``split`` by the seed."""

    kinds: Mapping[str, str] = {
        "cancel": "cancellation", "rebook": "flight", "add_bags": "bags", "compensate": "compensation",
    }  # fmt: skip

    def __init__(self, split: str = "train") -> None:
        data = json.loads((files("agentc.stdlib.env") / "airline.json").read_text(encoding="utf-8"))
        self.cities: list[str] = data["cities"]
        self.times: list[str] = data["times"]
        self.cabins: Mapping[str, int] = data["cabins"]
        self.letters: list[str] = list(data["letters"])
        super().__init__(split)

    # ------------------------------------------------------------ tools

    def _own_tools(self) -> Mapping[str, Function]:
        return {"cancel": self.cancel, "rebook": self.rebook, "add_bags": self.add_bags, "compensate": self.compensate}

    def cancel(self) -> str:
        """Cancel the open booking."""
        return self._change("cancel")

    def rebook(self, time: str) -> str:
        """Move the open booking to the flight of another time."""
        return self._change("rebook", time=time)

    def add_bags(self, count: int) -> str:
        """Add bags to the open booking."""
        return self._change("add_bags", count=count)

    def compensate(self, amount: int) -> str:
        """Pay a compensation for the open booking."""
        return self._change("compensate", amount=amount)

    def _allows(self, record: Any, change: Change) -> bool:
        if change.tool == "cancel":
            return bool(record.cancellable)
        if change.tool == "rebook":
            return bool(record.cabin != "basic")
        if change.tool == "compensate":
            amount = change.arguments["amount"]
            return bool(record.delayed) and (self.state.approved or (isinstance(amount, int) and amount <= LIMIT))
        return True

    def _carry_out(self, record: Any, change: Change) -> str:
        """Change a booking; why that makes no sense, if it does not."""
        booking: Booking = record
        values: Mapping[str, Any] = change.arguments
        if booking.cancelled:
            return "the booking is cancelled"
        if change.tool == "compensate":
            booking.compensated += int(values["amount"])
            return ""
        if booking.flown:
            return "the flight has left"
        if change.tool == "cancel":
            booking.cancelled = True
        elif change.tool == "add_bags":
            if booking.bags + int(values["count"]) > MOST_BAGS:
                return f"no more than {MOST_BAGS} bags"
            booking.bags += int(values["count"])
        elif values["time"] not in booking.flights:
            return f"there is no flight at {values['time']}"
        else:
            booking.flight = values["time"]
        return ""

    # ------------------------------------------------------------ what is seen

    def _shown(self) -> Mapping[str, Value]:
        booking = self.state.database.get(self.state.open)
        if booking is None:
            return {
                "cabin": "none", "hours": 0, "insured": False, "delayed": False, "flown": False, "cancelled": False,
                "cancellable": False,
            }  # fmt: skip
        return {
            "cabin": booking.cabin, "hours": booking.hours, "insured": booking.insured, "delayed": booking.delayed,
            "flown": booking.flown, "cancelled": booking.cancelled, "cancellable": booking.cancellable,
        }  # fmt: skip

    def _describe(self, record: str) -> str:
        booking: Booking = self.state.database[record]
        notes = [
            f"{booking.passengers} in {booking.cabin}", f"{booking.bags} bags", f"booked {booking.hours} hours ago",
            "insured" if booking.insured else "not insured",
        ]  # fmt: skip
        notes += ["delayed"] if booking.delayed else []
        notes += ["flown"] if booking.flown else []
        notes += [f"{booking.compensated} compensated"] if booking.compensated else []
        what = "cancelled" if booking.cancelled else f"flies at {booking.flight}"
        others = ", ".join(f for f in booking.flights if f != booking.flight)
        return f"{record} {what}, {booking.route}; {'; '.join(notes)}; other flights at {others}"

    def _may_be_approved(self, record: str) -> bool:
        booking: Booking = self.state.database[record]
        return booking.delayed and booking.passengers > 1

    # ------------------------------------------------------------ episodes

    def _records(self, randomness: np.random.Generator) -> dict[str, Any]:
        database: dict[str, Any] = {}
        while len(database) < BOOKINGS:
            letters = "".join(str(x) for x in randomness.choice(self.letters, 2))
            database[f"{letters}{int(randomness.integers(10, 100))}"] = self._booking(randomness)
        return database

    def _booking(self, randomness: np.random.Generator) -> Booking:
        start, end = (str(c) for c in randomness.choice(self.cities, 2, replace=False))
        flights = tuple(sorted(str(t) for t in randomness.choice(self.times, 3, replace=False)))
        flown = bool(randomness.random() < 0.3)
        late = flown or randomness.random() < 0.5
        return Booking(
            flight=str(randomness.choice(flights)), flights=flights, route=f"{start} to {end}",
            cabin=str(randomness.choice(sorted(self.cabins))),
            hours=int(randomness.integers(30, 300) if late else randomness.integers(1, WINDOW)),
            insured=bool(randomness.random() < 0.3), delayed=bool(flown and randomness.random() < 0.7), flown=flown,
            passengers=int(randomness.integers(1, 4)),
        )  # fmt: skip

    def _wish(self, randomness: np.random.Generator, database: Mapping[str, Any]) -> tuple[Wish, dict[str, str]]:
        record = str(randomness.choice(sorted(database)))
        booking: Booking = database[record]
        details = {"booking": f"It is booking {record}.", "number": f"It is booking {record}."}
        change: Change | None
        if booking.flown:
            amount = 50 * booking.passengers
            words = f"My flight {record} was late. I want {amount} as a compensation."
            change = Change("compensate", record, {"amount": amount}) if booking.delayed else None
            return Wish(words, "compensation", record, change), {**details, "amount": f"{amount}."}
        kind = ("cancellation", "flight", "bags")[int(randomness.integers(3))]
        if kind == "cancellation":
            words = f"Please cancel booking {record}."
            change = Change("cancel", record) if booking.cancellable else None
        elif kind == "flight":
            time = str(randomness.choice([f for f in booking.flights if f != booking.flight]))
            words = f"Please move booking {record} to the flight at {time}."
            change = Change("rebook", record, {"time": time}) if booking.cabin != "basic" else None
            details = {**details, "time": f"At {time}.", "when": f"At {time}."}
        else:
            count = int(randomness.integers(1, MOST_BAGS + 1))
            words = f"Please add {count} bag{'s' if count > 1 else ''} to booking {record}."
            change = Change("add_bags", record, {"count": count})
            details = {**details, "how many": f"{count}."}
        return Wish(words, kind, record, change), details
