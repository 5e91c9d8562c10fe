"""The configuration of ``train descent``, and what it asks of an environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from gymnasium import Space

from agentc.compiler.agent import AgentIR
from agentc.compiler.systems.dynamics import bounds
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.vector import VectorEnv


@runtime_checkable
class WithAgent(Protocol):
    """An environment that knows the agent it is for."""

    compiled: CompiledAgent


@dataclass(frozen=True, slots=True)
class DescentConfig(TrainingConfig):
    """``train descent``; ``steps`` are gradient steps."""

    algorithm: ClassVar[str] = "descent"

    steps: int = 2000
    rollout: int = 20
    learning_rate: float = 3e-3
    anneal: bool = True
    max_grad_norm: float = 1.0
    hidden: int = 32
    normalize_observations: bool = True
    batch: int = 64
    margin: float = 0.05
    hard: float = 0.5
    tube: float = 0.0
    tubes: int = 4
    cells: int = 4

    def refuse(self, env: VectorEnv) -> None:
        """Raise AS1361 where gradients do not go through the agent's loop."""
        agent = agent_of(env)
        why = refusal(agent, self)
        if why is not None:
            raise AgentcError([report("AS1361", None, agent=agent.name, reason=why)])

    def unseen(self, observed: Space[Any]) -> tuple[str, ...]:
        """All but the state: the policy is one of the state alone."""
        return tuple(key for key in getattr(observed, "spaces", {}) if key != "observation")


def agent_of(env: VectorEnv) -> AgentIR:
    """The agent of an environment. Raises ``TypeError`` where there is none."""
    if not isinstance(env, WithAgent):
        raise TypeError("`descent` learns from declared dynamics: the environment has no agent")
    return env.compiled.agent


def refusal(agent: AgentIR, config: DescentConfig) -> str | None:
    """Why gradients do not go through an agent's loop; None if they do."""
    system = agent.system
    if system is None:
        return "it has no declared system"
    if system.commands or system.modes:
        return "the system is no single set of equations"
    if any(v.kind != "real" for v in system.variables):
        return "a variable of the system is no real number"
    if not system.inputs:
        return "the system has no input"
    lo, hi = bounds(system.inputs)
    if not (np.isfinite(lo).all() and np.isfinite(hi).all()):
        return "an input has no range"
    if tuple(system.outputs) != tuple(v.name for v in system.states):
        return "not all states are observed"
    if agent.environment is None or agent.environment.horizon is None:
        return "the environment has no horizon"
    if config.history:
        return "`history` is set: the policy reads the state alone"
    if not agent.of_role("task", "safe"):
        return "it has no task and no safe formula"
    if config.tube > 0:
        from agentc.runtime.learn.descent import judged
        from agentc.runtime.learn.tube import refusal as untold

        return untold(agent, [f.formula for f in judged(agent)])
    return None
