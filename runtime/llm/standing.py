"""Where a run stands: the automaton's state, what may follow, and which promise forbids what else.

What may follow is what the decoder leaves. An event that it does not leave is forbidden by each single promise that
every such event would violate for good. Where no single promise forbids it, they do so together, or what is left of the
limits: the rest of the run could not be kept to them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from agentc.compiler.decoder.events import promises
from agentc.compiler.logic.trace import Trace
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.llm.decoder import Decoder, Session
from agentc.runtime.llm.origins import SUFFIX
from agentc.runtime.llm.rules import Rule
from agentc.runtime.llm.valuation import unsaid, unwritten

TOGETHER = "together"
"""What stands for the promises as a whole, and for limits."""
END = "end"


class Standing:
    """Follows a session of a decoder step by step, each promise by an automaton of its own."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._rules: list[Rule] = []
        for promise in promises(decoder.agent):
            with contextlib.suppress(AgentcError):  # one that is too large by itself is told as part of the whole
                self._rules.append(Rule(promise))
        self._blank = {**unwritten(decoder.agent), **unsaid(decoder.agent)}
        self._environment = tuple(unsaid(decoder.agent))
        self._taken = 0

    def now(self, session: Session) -> Mapping[str, Any]:
        """``state``, ``accepting``, ``may`` (names of tools, phases, ``end``) and ``forbidden`` (names to rules)."""
        while self._taken < len(session.valuations):
            self._taken += 1
            trace = Trace(session.valuations[: self._taken])
            for rule in self._rules:
                rule.take(trace)
        left = None if session.max_steps is None else session.max_steps - len(session.steps)
        game = self._decoder.game
        moves = () if session.answering else game.legal(session.position, left)
        may = list(dict.fromkeys(session.answering or (m.choice.tool or m.choice.phase for m in moves)))
        ending = not session.answering and game.accepting(session.position)
        forbidden: dict[str, list[str]] = {}
        if not session.answering:
            for event in game.letters.events:
                name = event.tool or event.phase
                if event.written and name not in may:
                    forbidden[name] = self._why(event.phase, event.tool)
            if not ending:
                forbidden[END] = [r.name for r in self._rules if _open(r)] or [TOGETHER]
        state = {"state": session.position[0], "accepting": ending}
        return {**state, "may": [*may, *([END] if ending else [])], "forbidden": forbidden}

    def _why(self, phase: str, tool: str | None) -> list[str]:
        """The promises that such an event would violate for good, whatever its values are."""
        valuation = {**self._blank, phase: True, **({} if tool is None else {tool: True})}
        fields = [f"{phase}.text"]
        if tool is not None:
            fields += [f"{tool}.{a.name}" for a in self._decoder.writer.tool(tool).arguments]
        free = [*fields, *(f"{f}{SUFFIX}" for f in fields), *self._environment]
        return [r.name for r in self._rules if not r.could_follow(valuation, free)] or [TOGETHER]


def _open(rule: Rule) -> bool:
    """Whether a run that ended now would break the promise; what a ``safe`` still asks for may stay open."""
    return not rule.outcome.verdict.holds and rule.item.role != "safe"
