"""The game of a spec as a file: who wins, with a winning strategy or a counter-strategy (``agentc play`` plays it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentc.compiler.agent import AgentIR
from agentc.compiler.automata.games import Solution, letter_to, restricted
from agentc.compiler.automata.guards import label
from agentc.compiler.backends.base import Artifact, Emission, refused
from agentc.compiler.logic.fragments import STEPWISE, Fragment
from agentc.compiler.logic.ir import Value
from agentc.compiler.realizability import controlled, realizability
from agentc.lang.diagnostics import Diagnostic
from agentc.lang.source import Span

MAX_SECONDS = 5.0
"""The budget: a compilation does not wait for a game that nobody asked for."""


class GameBackend:
    """``games/AGENT.json``, where a formula reads what the agent controls and the game is solved within the budget."""

    name = "game"
    does: Fragment = STEPWISE

    def accepts(self, fragment: Fragment, span: Span | None = None) -> tuple[Diagnostic, ...]:
        """One diagnostic per operator that needs more than this step and the one before."""
        return refused(self.name, self.does, fragment, span)

    def emit(self, agent: AgentIR) -> Emission:
        """The file. What is undecided has none: ``agentc check --realizable`` says why."""
        import json

        if not controlled(agent) or any(s.phase for s in agent.signals):
            return Emission()
        found = realizability(agent, seconds=MAX_SECONDS)
        if found.trivial or found.solution is None or found.answer is None:
            return Emission()
        data = {"agent": agent.name, "controls": list(controlled(agent)), "core": list(found.core)}
        text = json.dumps({**data, **solution_data(found.solution)}, indent=1, sort_keys=True) + "\n"
        return Emission((Artifact(f"games/{agent.name}.json", text),))


def solution_data(solution: Solution) -> dict[str, Any]:
    """A solution as plain data: its automaton by atoms, the choices, and the strategy of the side that wins.

    ``strategy[s]`` is the agent's choice in state ``s``; ``answers[s][c]`` the environment's answer to choice ``c``: a
    letter and the state that it leads to. State 0 has read nothing; ``first`` are the states after step 0.
    """
    game = solution.arena
    dfa = game.dfa
    answers = {}
    if not solution.realizable:
        for s, targets in sorted(solution.answer.items()):
            rows = []
            for choice, target in zip(game.choices, targets, strict=True):
                letter = letter_to(dfa, s, target, restricted(dfa.alphabet, choice))
                rows.append({"letter": None if letter is None else [int(b) for b in letter], "state": target})
            answers[str(s)] = rows
    return {
        "ends": solution.ends,
        "realizable": solution.realizable,
        "generous": sorted(game.generous),
        "atoms": [label(a) for a in dfa.atoms],
        "accepting": [s for s in range(dfa.size) if dfa.accepting[s]],
        "first": sorted(game.first),
        "choices": [_values(choice.values) for choice in game.choices],
        "strategy": {str(s): c for s, c in sorted(solution.strategy.items())} if solution.realizable else {},
        "opening": solution.opening(),
        "answers": answers,
    }


def _values(values: Mapping[str, Value]) -> dict[str, Any]:
    return dict(values)
