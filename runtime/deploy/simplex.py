"""The simplex architecture for declared dynamics: the fallback takes over before the set is left in which it suffices.

Lui Sha: "Using Simplicity to Control Complexity", IEEE Software 18(4), 2001; with the set given by looking ahead, as
Osbert Bastani: "Safe Reinforcement Learning with Nonlinear Dynamics via Model Predictive Shielding", ACC 2021. What the
policy wants is done only if, after it, the fallback alone keeps the formulas to the end of the episode, in the
simulator that the system declares. Where that holds at the start it holds for ever: the fallback's own next step always
keeps it. Deviation: the declared system without disturbances is the plant, so that looking ahead is exact at the
samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.compiler.automata.dfa import DFA
from agentc.compiler.automata.ltlf import translate_typed
from agentc.compiler.logic.trace import Valuation
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.systems.dynamics import Dynamics
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.envs.declared import DeclaredEnv, DeclaredReader
from agentc.runtime.envs.declared_batch import DeclaredBatch
from agentc.runtime.scalar import ScalarLabeller
from agentc.runtime.spec_signals import needed_signals


class Fallback:
    """A controller of a declared system as a policy. Raises :class:`AgentcError` (AS1382) where it cannot act."""

    def __init__(self, env: DeclaredEnv, name: str) -> None:
        if env.system.commands:
            raise AgentcError([report("AS1382", None, name=name, why=f"`{env.system.name}` is a system of commands")])
        self.name, self._dynamics = name, Dynamics(env.system)

    def act(self, batch: DeclaredBatch) -> Any:
        """The action in the present state."""
        inputs = self._dynamics.control(self.name, batch.state)[0]
        if batch.valuations is None:
            return inputs
        return int(np.abs(batch.valuations - inputs).sum(axis=1).argmin())


class Watch:
    """Whether formulas are violated, followed step by step; it can be copied."""

    def __init__(self, formulas: Sequence[DFA]) -> None:
        self.automata = tuple(formulas)
        self.atoms = tuple(dict.fromkeys(a for f in formulas for a in f.atoms))
        self._labeller = ScalarLabeller(self.atoms)
        self._letters = [[self.atoms.index(a) for a in f.atoms] for f in formulas]
        self._states = [0] * len(formulas)
        self._before: Valuation | None = None

    def copy(self) -> Watch:
        """One that goes on from here."""
        other = object.__new__(Watch)
        other.__dict__.update(self.__dict__)
        other._states = list(self._states)
        return other

    def step(self, valuation: Valuation) -> bool:
        """Read a step; whether something is finally violated."""
        letter = self._labeller.label(valuation, self._before, 0 if self._before is None else 1)
        for i, automaton in enumerate(self.automata):
            self._states[i] = automaton.step(self._states[i], [letter[k] for k in self._letters[i]])
        self._before = valuation
        return any(a.verdicts[s] is Verdict.FALSE for a, s in zip(self.automata, self._states, strict=True))


class Simplex:
    """Looks ahead in a copy of the system. Raises :class:`AgentcError` (AS1383) for a system with disturbances."""

    def __init__(self, agent: AgentIR, env: DeclaredEnv, names: Sequence[str], fallback: Fallback) -> None:
        if env.system.disturbances:
            why = f"`{env.system.name}` has the disturbance `{env.system.disturbances[0].name}`"
            raise AgentcError([report("AS1383", None, formulas=" & ".join(names), why=why)])
        self._env, self._fallback = env, fallback
        self._copy = DeclaredEnv(env.system, env.batch.horizon)
        self._copy.reset(seed=0)
        automata = [translate_typed(agent.formula(n).formula, agent.declared) for n in names]
        self._watch = Watch(automata)
        self._names = needed_signals(self._watch.atoms)
        self._reader, self._other = DeclaredReader(env, self._names), DeclaredReader(self._copy, self._names)

    def begin(self) -> None:
        """The episode begins in the environment's present state."""
        self._watch = Watch(self._watch.automata)
        self._watch.step(self._named(self._reader.reset()))

    def moved(self, action: Any) -> None:
        """The environment has done an action."""
        self._watch.step(self._named(self._reader.step(action, 0.0)))

    def keeps(self, action: Any) -> bool:
        """Whether after an action the fallback keeps the formulas to the end of the episode."""
        self._copy.restore(self._env.snapshot())
        watch, other = self._watch.copy(), self._copy
        done = False
        while not done:
            _, _, terminated, truncated, _ = other.step(action)
            if watch.step(self._named(self._other.step(action, 0.0))):
                return False
            done = terminated or truncated
            action = self._fallback.act(other.batch)
        return True

    def _named(self, values: Sequence[Any]) -> Valuation:
        return {name: v for name, v in zip(self._names, values, strict=True) if v is not None}
