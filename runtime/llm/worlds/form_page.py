"""A form to fill in, as text: fields of several kinds, what is wrong with them, and boxes that nobody asked to tick.

What is to be filled in is said at the start. A page is solved if it was sent in with exactly that: a field that was
touched without need (the newsletter, a gift code) is as wrong as one that is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import numpy as np

from agentc.compiler.logic.ir import Value
from agentc.runtime.llm.decoder import Step
from agentc.runtime.llm.tools import Function
from agentc.runtime.llm.worlds.service_desk import SPLITS


@dataclass(frozen=True)
class Field:
    """A field: ``text`` with the regex of what it takes, ``choice`` of options, or ``box`` to tick."""

    name: str
    kind: str
    required: bool
    pattern: str = ""
    options: tuple[str, ...] = ()
    hint: str = ""

    def error(self, value: str) -> str:
        """What is wrong with a value; empty if nothing is."""
        if not value:
            return "is missing" if self.required else ""
        if self.kind == "text" and not re.fullmatch(self.pattern, value):
            return f"should be {self.hint}"
        if self.kind == "choice" and value not in self.options:
            return f"is none of {', '.join(self.options)}"
        return ""


@dataclass
class PageState:
    """The fields of the page, what stands in them, what should, and whether it was sent in."""

    fields: tuple[Field, ...]
    wanted: dict[str, str]
    values: dict[str, str] = field(default_factory=dict)
    sent: int = 0
    accepted: bool = False
    ended: bool = False


class FormPage:
    """One form an episode, drawn from ``split`` by the seed."""

    def __init__(self, split: str = "train") -> None:
        data = json.loads((files("agentc.stdlib.env") / "form.json").read_text(encoding="utf-8"))
        self._forms: list[Mapping[str, Any]] = data["forms"]
        self._values: Mapping[str, list[str]] = data["values"]
        self._split = SPLITS.index(split)
        self.state = self._draw(np.random.default_rng((self._split, 0)))

    def reset(self, seed: int) -> str:
        """What is to be filled in, and the page."""
        self.state = self._draw(np.random.default_rng((self._split, seed)))
        wanted = "; ".join(f"{name}: {value}" for name, value in self.state.wanted.items())
        return f"Fill in the form and send it. {wanted}.\n{self.page()}"

    @property
    def tools(self) -> Mapping[str, Function]:
        """``fill``, ``clear``, ``look``, ``send`` and ``finish``."""
        return {"fill": self.fill, "clear": self.clear, "look": self.look, "send": self.send, "finish": self.finish}

    def signals(self, step: Step) -> Mapping[str, Value]:
        """How the page stands."""
        state = self.state
        stray = sum(1 for name in state.values if name not in state.wanted)
        wrong = sum(bool(f.error(state.values.get(f.name, ""))) for f in state.fields)
        missing = sum(f.required and not state.values.get(f.name) for f in state.fields)
        return {
            "missing": missing, "wrong": wrong, "stray": stray, "attempts": state.sent, "accepted": state.accepted,
            "solved": self.solved,
        }  # fmt: skip

    @property
    def ended(self) -> bool:
        """Whether the agent has finished."""
        return self.state.ended

    @property
    def solved(self) -> bool:
        """Whether the page was accepted with exactly what was wanted."""
        return self.state.accepted and self.state.values == self.state.wanted

    def snapshot(self) -> PageState:
        """A copy of the state."""
        return deepcopy(self.state)

    def restore(self, snapshot: PageState) -> None:
        """Go back to a snapshot."""
        self.state = deepcopy(snapshot)

    # ------------------------------------------------------------ tools

    def look(self) -> str:
        """The page as it stands."""
        return self.page()

    def fill(self, field: str, value: str) -> str:
        """Write a value into a field; ``yes`` ticks a box."""
        state = self.state
        found = next((f for f in state.fields if f.name == field), None)
        if found is None:
            return f"error: there is no field {field}"
        if state.accepted:
            return "error: the form was sent already"
        if found.kind == "box" and value not in ("yes", "no"):
            return f"error: {field} is ticked by yes, or left at no"
        if found.kind == "box" and value == "no":
            state.values.pop(field, None)
        else:
            state.values[field] = value
        error = found.error(value)
        return f"{field} {error}" if error else f"{field} is {value}"

    def clear(self, field: str) -> str:
        """Empty a field."""
        if self.state.accepted:
            return "error: the form was sent already"
        return f"{field} is empty" if self.state.values.pop(field, None) is not None else f"{field} was empty"

    def send(self) -> str:
        """Send the form in; it is accepted if nothing is wrong with it."""
        state = self.state
        if state.accepted:
            return "error: the form was sent already"
        state.sent += 1
        errors = [f"{f.name} {e}" for f in state.fields if (e := f.error(state.values.get(f.name, "")))]
        if errors:
            return f"not accepted: {'; '.join(errors)}"
        state.accepted = True
        return "accepted"

    def finish(self) -> str:
        """Leave the page."""
        self.state.ended = True
        return "goodbye"

    # ------------------------------------------------------------ the page

    def page(self) -> str:
        """The page as text, one field a line."""
        lines = []
        for item in self.state.fields:
            value = self.state.values.get(item.name, "")
            star = "*" if item.required else ""
            if item.kind == "box":
                shown = f"[{'x' if value == 'yes' else ' '}]"
            elif item.kind == "choice":
                shown = f"({value or 'choose'}: {' | '.join(item.options)})"
            else:
                shown = f"[{value}]"
            lines.append(f"{item.name}{star} {shown}")
        return "\n".join(lines)

    def _draw(self, randomness: np.random.Generator) -> PageState:
        form = self._forms[int(randomness.integers(len(self._forms)))]
        fields = []
        wanted: dict[str, str] = {}
        for given in form["fields"]:
            made = Field(
                given["name"], given["kind"], given["required"], given.get("pattern", ""),
                tuple(given.get("options", ())), given.get("hint", ""),
            )  # fmt: skip
            if not made.required and made.kind != "box" and randomness.random() < 0.3:
                continue  # this form goes without it
            fields.append(made)
            if made.kind == "box":
                if made.required or randomness.random() < 0.3:
                    wanted[made.name] = "yes"
            elif given.get("asked", True) and (made.required or randomness.random() < 0.5):
                options = made.options or self._values[made.name]
                wanted[made.name] = str(randomness.choice(options))
        return PageState(tuple(fields), wanted)
