"""Playing the game of a spec step by step: one side by its strategy, the other by moves from outside.

Where the spec is realizable, the agent's strategy plays and the moves are the environment's; else the environment's
counter-strategy plays and the moves are the agent's.
"""

from __future__ import annotations

from collections.abc import Mapping

from agentc.compiler.agent import AgentIR
from agentc.compiler.automata.games import (
    Solution,
    choice_of,
    environment_values,
    letter_to,
    restricted,
)
from agentc.compiler.judgement import judge
from agentc.compiler.logic.alphabet import is_action
from agentc.compiler.logic.ir import Value, signals
from agentc.compiler.logic.trace import Trace
from agentc.compiler.realizability import controlled
from agentc.compiler.witness import any_value, step_text
from agentc.lang.diagnostics import AgentcError, report


class Play:
    """One play. Call :meth:`offer` for what the strategy shows before a move, then :meth:`move`.

    ``valuations`` is the trace so far. Raises ``AgentcError`` (AS1632) if values of a signal that a side plays with are
    not known.
    """

    def __init__(self, agent: AgentIR, solution: Solution) -> None:
        self.agent, self.solution, self.game = agent, solution, solution.arena
        self.dfa = self.game.dfa
        self.own = frozenset(controlled(agent))
        read = dict.fromkeys(n for f in agent.formulas for n in signals(f.formula))
        self.declared = {s.name: s for s in agent.declared if s.name in read}
        self.valuations: list[dict[str, Value]] = []
        self.state = 0
        self.you_are_agent = not solution.realizable
        self._offered: dict[str, Value] = {}

    @property
    def over(self) -> bool:
        """Whether the agent's strategy ends the trace here."""
        done = self.solution.ends == "agent" and self.solution.realizable and bool(self.valuations)
        return done and self.dfa.accepting[self.state]

    def offer(self) -> str:
        """What the strategy does before the move from outside, as a step; empty where it moves second."""
        self._offered = {}
        if self.you_are_agent and not self.valuations:  # step 0 is the environment's alone
            opening = self.solution.opening()
            assert opening is not None
            self._answer(opening, {}, at_reset=True)
            return step_text(self.valuations[-1], self.declared.values())
        if not self.you_are_agent and self.valuations:
            self._offered = dict(self.game.choices[self.solution.strategy[self.state]].values)
            if any(n not in self.declared for n in self._offered):
                raise self._unknown()
            return step_text(self._offered, self.declared.values())
        return ""

    def move(self, values: Mapping[str, Value]) -> str:
        """Make a move, and what the strategy answers. Raises ``AgentcError`` (AS1634) if it cannot be made."""
        for name in values:
            mine = name in self.own
            if name not in {s.name for s in self.agent.declared}:
                raise _impossible(f"`{name}` is no signal of the agent", "set signals, not propositions")
            if mine != self.you_are_agent:
                whose = "the agent's" if mine else "the environment's"
                raise _impossible(f"`{name}` is {whose} to set", "set the other side's signals only")
        step = self._completed(values)  # what no formula reads makes no difference
        if not self.you_are_agent:
            self._accept({**step, **self._offered})
            return ""
        chosen = {n: v for n, v in step.items() if n in self.own}
        try:
            choice = choice_of(self.game, chosen, self.agent.declared)
        except KeyError:
            raise _impossible("the declared types rule them out", "keep to the ranges of the signals") from None
        self._answer(self.solution.answer[self.state][choice], chosen, choice=choice)
        theirs = {n: v for n, v in self.valuations[-1].items() if n not in self.own}
        return step_text(theirs, self.declared.values())

    def shown(self, at: int) -> str:
        """What the moves from outside made of a step."""
        mine = {n: v for n, v in self.valuations[at].items() if (n in self.own) == self.you_are_agent}
        return step_text(mine, self.declared.values())

    def _completed(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """The values of one side, with those that it keeps: Booleans that are not set are false, others stay."""
        before = self.valuations[-1] if self.valuations else {}
        step: dict[str, Value] = {}
        for name, signal in self.declared.items():
            theirs = (name in self.own) != self.you_are_agent
            if theirs and (self.valuations or name not in self.own or is_action(name)):
                continue  # of what the agent controls, the environment sets what has a value at the reset
            if name in values:
                step[name] = values[name]
            elif signal.kind == "bool":
                step[name] = False
            else:
                step[name] = before[name] if name in before else any_value(signal)
        return step

    def _answer(self, target: int, chosen: Mapping[str, Value], *, choice: int = 0, at_reset: bool = False) -> None:
        """Let the environment answer a choice so that the game goes to ``target``."""
        letters = self.dfa.alphabet if at_reset else restricted(self.dfa.alphabet, self.game.choices[choice])
        letter = letter_to(self.dfa, self.state, target, letters, at_reset=at_reset)
        assert letter is not None
        theirs = environment_values(self.game, letter, chosen, self.agent.declared)
        if theirs is None:
            raise self._unknown()
        if at_reset:
            theirs = {n: v for n, v in theirs.items() if not is_action(n)}
        before = self.valuations[-1] if self.valuations else {}
        step = dict(chosen)
        for name, signal in self.declared.items():
            if name in step or name in theirs or not (at_reset and is_action(name)):
                kept = before[name] if name in before and signal.kind != "bool" else any_value(signal)
                step[name] = chosen[name] if name in chosen else theirs.get(name, kept)
        self._accept(step)

    def _accept(self, step: Mapping[str, Value]) -> None:
        trace = Trace([*self.valuations, step])
        try:
            following = self.dfa.step(self.state, self.dfa.letters(trace)[-1])
        except (KeyError, TypeError):
            raise self._unknown() from None
        if following == self.dfa.size:
            raise _impossible("the declared types rule them out", "keep to the ranges of the signals")
        self.valuations.append(dict(step))
        self.state = following

    def verdicts(self) -> list[tuple[str, str]]:
        """For each formula, what holds of it if the trace ends here."""
        trace = Trace(self.valuations)
        words = {"safe": ("not violated", "violated"), "assume": ("holds", "does not hold")}
        found = []
        for item in self.agent.formulas:
            holds = judge(item.formula, trace, item.role, self.agent.declared).holds
            yes, no = words.get(item.role, ("holds", "does not hold"))
            found.append((item.name, yes if holds else no))
        return found

    def _unknown(self) -> AgentcError:
        reason = "no values are known for some truth values of its atoms"
        return AgentcError([report("AS1632", None, name=self.agent.name, reason=reason)])


def _impossible(reason: str, mend: str) -> AgentcError:
    return AgentcError([report("AS1634", None, reason=reason, mend=mend)])
