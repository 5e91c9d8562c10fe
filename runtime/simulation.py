"""Episodes of an agent's declared system under one of its controllers, or under random actions, with their verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.compiler.logic.trace import Valuation
from agentc.compiler.systems.dynamics import Dynamics
from agentc.compiler.systems.graph import decode
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.spelling import nearest
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.envs.declared_batch import DeclaredBatch
from agentc.runtime.learn.seeding import evaluation_seeds
from agentc.runtime.planning.problem import problem_of
from agentc.runtime.spec_env import SpecEnv
from agentc.runtime.subgoals.judging import JudgedEnv

Floats = NDArray[np.float64]
RANDOM = "random"
"""The policy that draws every action uniformly among those that there are."""

Chooser = Callable[[DeclaredBatch, Mapping[str, Any]], Any]


@dataclass(frozen=True)
class SimulatedEpisode:
    """One episode: the states ``(steps + 1, n)``, the signals of every step, and its verdicts by name."""

    seed: int
    states: Floats
    signals: tuple[Valuation, ...]
    satisfied: Mapping[str, bool]
    violated: Mapping[str, bool]
    reward: float


def simulate(
    compiled: CompiledAgent,
    policy: str = RANDOM,
    episodes: int = 1,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> list[SimulatedEpisode]:
    """Episodes with the seeds that an evaluation would use; ``progress`` is told how many are done.

    Raises :class:`AgentcError`: AS1117 for an agent without a declared system, AS0203 for an unknown controller, and
    whatever the system's environment raises.
    """
    agent = compiled.agent
    if agent.system is None or agent.environment is None:
        raise AgentcError([report("AS1117", None, name=agent.name)])
    env: gymnasium.Env[Any, Any] = SpecEnv.make(compiled, observation="none")
    if agent.judged_on_traces:
        env = JudgedEnv(env, problem_of(agent))
    bare = env.unwrapped
    assert isinstance(bare, DeclaredEnv)
    rng = np.random.default_rng([seed, 5])
    choose = _random(rng) if policy == RANDOM else _controlled(bare.batch, policy)
    found = []
    for number, one in enumerate(evaluation_seeds(seed, episodes), start=1):
        _, info = env.reset(seed=one)
        states, signals, done = [bare.batch.state[0].copy()], [_signals(bare.batch)], False
        reward = 0.0
        while not done:
            _, paid, terminated, truncated, info = env.step(choose(bare.batch, info))
            states.append(bare.batch.state[0].copy())
            signals.append(_signals(bare.batch))
            reward += float(paid)
            done = terminated or truncated
        said = info["agentc"]
        found.append(
            SimulatedEpisode(one, np.array(states), tuple(signals), said["satisfied"], said["violated"], reward)
        )
        progress(number)
    return found


def _signals(batch: DeclaredBatch) -> Valuation:
    """The states and inputs of the present step; what led there has no value at step 0."""
    system = batch.system
    row: dict[str, Any] = {
        v.name: decode(float(x), v) for v, x in zip(system.states, batch.state[0], strict=True)
    }
    if batch.modes:
        row["mode"] = batch.modes[batch.mode[0]]
    given = batch.action[0]
    if not np.isnan(given).any():
        row |= {f"action.{v.name}": decode(float(x), v) for v, x in zip(system.inputs, given, strict=False)}
        if system.commands and not system.inputs:
            row["action"] = batch.action_names[int(given[0])]
    return row


def _random(rng: np.random.Generator) -> Chooser:
    def choose(batch: DeclaredBatch, info: Mapping[str, Any]) -> Any:
        space = batch.action_space
        if isinstance(space, spaces.Discrete):
            mask = info.get("action_mask")
            return int(rng.choice(int(space.n) if mask is None else np.flatnonzero(mask)))
        assert isinstance(space, spaces.Box)
        wide = np.where(np.isfinite(space.low), space.low, -1.0), np.where(np.isfinite(space.high), space.high, 1.0)
        return rng.uniform(*wide).astype(np.float32)

    return choose


def _controlled(batch: DeclaredBatch, name: str) -> Chooser:
    known = [c.name for c in batch.system.controllers]
    if name not in known:
        raise AgentcError(
            [report("AS0203", None, kind="controller", name=name, suggestion=nearest(name, [*known, RANDOM]))]
        )
    if batch.system.commands:  # whose choice is a command, or inputs that a law of commands could not set
        raise AgentcError([report("AS1118", None, name=batch.system.name, controller=name)])
    dynamics = Dynamics(batch.system)

    def choose(batch: DeclaredBatch, info: Mapping[str, Any]) -> Any:
        inputs = dynamics.control(name, batch.state)[0]
        if batch.valuations is None:
            return inputs
        return int(np.abs(batch.valuations - inputs).sum(axis=1).argmin())

    return choose
