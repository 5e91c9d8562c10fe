"""A compiled agent: its meaning, and the reward machine that every runtime steps.

This is what :func:`agentc.load` returns and what :func:`agentc.wrap`, training and evaluation take.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from agentc.compiler.agent import AgentIR
from agentc.compiler.arithmetic import ROUNDING, Arithmetic
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.backends.monitor import MonitorProgram
from agentc.compiler.backends.reward_compilation import compile_reward
from agentc.compiler.backends.reward_machine import Payment, RewardMachine
from agentc.compiler.logic.alphabet import deciding
from agentc.lang.diagnostics import Diagnostic


@dataclass(frozen=True, eq=False)
class CompiledAgent:
    """An agent with its reward machine.

    ``reward_machine`` holds the monitors of all formulas, in source order and by name. ``notes`` say what of the
    agent is not built yet. ``allow_extern`` names the Python modules whose functions may label signals.
    """

    agent: AgentIR
    reward_machine: RewardMachine
    notes: tuple[Diagnostic, ...] = ()
    allow_extern: frozenset[str] = frozenset()

    @staticmethod
    def from_ir(agent: AgentIR, *, allow_extern: Iterable[str] = ()) -> CompiledAgent:
        """Compile an agent.

        Raises :class:`~agentc.lang.diagnostics.AgentcError` (AS0702) if an automaton is over budget.
        """
        # its formulas may be such as no automaton can hold
        stepwise = replace(agent, formulas=(), reward=None) if agent.judged_on_traces else agent
        with deciding(Arithmetic(ROUNDING)):
            machine, notes = compile_reward(stepwise)
        return CompiledAgent(agent, _ending(machine, agent), notes, frozenset(allow_extern))

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.agent.name

    @property
    def monitors(self) -> Mapping[str, MonitorProgram]:
        """The monitors of the agent's formulas by name."""
        names = {item.name for item in self.agent.formulas}
        return {p.name: p for p in self.reward_machine.programs if p.name in names}

    def automaton(self, name: str) -> DFA:
        """The minimal automaton of the formula of that name. Raises ``KeyError``."""
        item = self.agent.formula(name)
        with deciding(Arithmetic(ROUNDING)):
            return translate_typed(item.formula, self.agent.declared, span=item.span)


def _ending(machine: RewardMachine, agent: AgentIR) -> RewardMachine:
    """The machine with what ends an episode by its role: violations of a safe and all tasks, also the unpaid ones."""
    named = {term.program for term in machine.payments}
    unpaid = []
    for at, program in enumerate(machine.programs):
        roles = [item.role for item in agent.formulas if item.name == program.name]
        if at not in named and roles == ["safe"]:
            unpaid.append(Payment("safe", 0.0, at))
        elif at not in named and roles == ["task"]:
            unpaid.append(Payment("task", 0.0, at))
    return replace(machine, payments=(*machine.payments, *unpaid)) if unpaid else machine
