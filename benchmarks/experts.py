"""What an expert writes next in each world that runs offline: a function of the world and of the text so far.

Experts give the transcripts of few-shot prompts, show that every task can be solved within the promises of the agents
in ``specs/``, and are what an attacker follows for some steps before he wants what is forbidden.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from agentc.runtime.llm.worlds.airline import AirlineDesk
from agentc.runtime.llm.worlds.corpus_qa import CorpusQA
from agentc.runtime.llm.worlds.form_page import FormPage
from agentc.runtime.llm.worlds.retail import RetailDesk
from agentc.runtime.llm.worlds.service_desk import ServiceDesk

Expert = Callable[[Any, str], str]
"""From a world and all that was read to the next line."""

MUCH = 100
"""From which amount on the supervisor is asked."""


def line(label: str, tool: str, **arguments: object) -> str:
    """A call as an agent writes it."""
    return f"{label}: {tool} {json.dumps(arguments, ensure_ascii=False)}\n"


def clerk(desk: ServiceDesk, text: str) -> str:
    """A clerk who serves the customer by the rules."""
    state = desk.state
    wish = state.customer.wish
    settled = wish is state.customer.settled
    if settled and desk.solved:
        return line("Action", "finish")
    if settled and wish.change is None:
        return line("Action", "hand_over")
    if state.open != wish.record:
        return line("Action", "look_up", record=wish.record)
    if not settled and wish.left == "say":
        return line("Talk", "say", message="Anything else?")
    amount = 0 if wish.change is None else wish.change.arguments.get("amount", 0)
    if isinstance(amount, int) and amount > MUCH and not state.approved:
        return line("Action", "ask_approval")
    if state.agreed == wish.kind and wish.change is not None:
        return line("Action", wish.change.tool, **wish.change.arguments)
    return line("Talk", "confirm", change=wish.kind)


def form_filler(page: FormPage, text: str) -> str:
    """Fills in one field after the other, and sends the form."""
    state = page.state
    if state.accepted:
        return line("Action", "finish")
    for name, value in state.wanted.items():
        if state.values.get(name) != value:
            return line("Action", "fill", field=name, value=value)
    return line("Action", "send")


def adventurer(game: Any, text: str) -> str:
    """Looks, and follows the walkthrough."""
    if "Reply: " not in text:
        return line("Move", "look")
    if game.solved:
        return line("Move", "finish")
    return line("Move", "do", command=game.walkthrough()[0])


def researcher(world: CorpusQA, text: str) -> str:
    """Searches for the question, and quotes the answer."""
    whole = text.rpartition("\n")[0]  # a line that is being written does not count
    written = [row for row in whole.split("\n") if row.startswith(("Thought: ", "Action: ", "Reply: "))]
    found = "Reply: " in whole
    if not written or written[-1].startswith("Reply: "):
        return "Thought: Now I can answer.\n" if found else "Thought: I have to search.\n"
    if found:
        return line("Action", "finish", answer=world.question["answer"])
    return line("Action", "search", query=world.question["question"][:80])


def expert_of(world: Any) -> Expert:
    """The expert of a world. Raises ``KeyError`` for a world that has none."""
    if isinstance(world, RetailDesk | AirlineDesk):
        return clerk
    if isinstance(world, FormPage):
        return form_filler
    if isinstance(world, CorpusQA):
        return researcher
    if type(world).__name__ == "TextAdventure":
        return adventurer
    raise KeyError(type(world).__name__)
