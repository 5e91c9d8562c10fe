"""A shield on an environment: which state of the model the environment is in, and which actions are allowed there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from agentc.compiler.agent import AgentIR
from agentc.compiler.systems.commands import Numbering
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.runs import Run, meaning_digest
from agentc.runtime.shield import FILE, Bits, Ints, ShieldState, ShieldTable
from agentc.runtime.verify.model.worlds import world_around


class Shielded:
    """A shield on one environment. Raises :class:`AgentcError` (AS1344) for other actions than the shield's."""

    def __init__(self, env: gymnasium.Env[Any, Any], table: ShieldTable) -> None:
        fitting(env.action_space, table)
        self._codes = numbers_of([env])
        self._state = ShieldState(table, 1)
        self._masks: Bits = np.ones((1, len(table.actions)), np.bool_)
        self._first = int(env.action_space.start) if isinstance(env.action_space, spaces.Discrete) else 0

    def reset(self, own: Bits | None) -> Bits:
        """The mask after a reset; ``own`` is the environment's."""
        self._state.begin(self._codes())
        return self._masked(own)

    def step(self, own: Bits | None, terminated: bool) -> Bits:
        """The mask after a step; where the episode is over everything is allowed, for nothing follows."""
        if terminated:
            self._masks = np.ones_like(self._masks)
            mask: Bits = self._masks[0]
            return mask
        self._state.move(self._codes())
        return self._masked(own)

    def check(self, action: Any) -> None:
        """Raise :class:`AgentcError` (AS1341) if the shield does not allow an action."""
        self._state.refuse([int(action) - self._first], self._masks)

    def _masked(self, own: Bits | None) -> Bits:
        self._masks = joined(self._state.masks(), None if own is None else np.asarray(own, np.bool_)[None])
        mask: Bits = self._masks[0]
        return mask


def joined(shield: Bits, own: Bits | None) -> Bits:
    """The shield's masks ``(N, actions)`` and the environment's own; the latter alone where the two leave nothing."""
    if own is None:
        return shield
    both = shield & own
    lost = ~both.any(axis=1)
    both[lost] = own[lost]
    return both


def fitting(space: gymnasium.Space[Any], table: ShieldTable) -> None:
    """Raise :class:`AgentcError` (AS1344) unless the actions are as many choices as the shield has."""
    if not isinstance(space, spaces.Discrete) or int(space.n) != len(table.actions):
        why = f"its actions are {space}, and the shield masks {len(table.actions)} choices"
        raise AgentcError([report("AS1344", None, agent=table.about.get("agent", "the agent"), why=why)])


def shield_of_run(run: Run, agent: AgentIR) -> ShieldTable | None:
    """The shield that a policy was trained under, None if there was none.

    Raises :class:`AgentcError`: AS1343 for a file that is damaged, AS1346 for a shield of another meaning of the agent.
    """
    path = run.folder / FILE
    if agent.train is None or agent.train.settings.get("shield") is not True:
        return None
    table = ShieldTable.read(path)
    shields = agent.deploy.shields if agent.deploy is not None else ()
    names = list(dict.fromkeys(s.formula for s in shields))
    threshold = max((float(s.settings["threshold"]) for s in shields), default=None)  # type: ignore[arg-type]
    kept = [list(table.about.get("formulas", ())), table.about.get("threshold")]
    if table.about.get("meaning") != meaning_digest(agent) or kept != [names, threshold]:
        raise AgentcError([report("AS1346", None, path=str(path), agent=agent.name)])
    return table


def numbers_of(envs: Sequence[gymnasium.Env[Any, Any]]) -> Callable[[], Ints]:
    """Says the numbers ``(N,)`` of the states that environments are in, as the model of their shield calls them.

    Raises :class:`AgentcError` (AS1344) for environments whose states cannot be told apart.
    """
    declared = [env.unwrapped for env in envs if isinstance(env.unwrapped, DeclaredEnv)]
    if len(declared) < len(envs):
        found = [world_around(env) for env in envs]
        worlds = [world for world in found if world is not None]
        if len(worlds) < len(envs):
            name = type(envs[0].unwrapped).__name__
            raise AgentcError([report("AS1344", None, agent=name, why="its states cannot be told apart")])
        return lambda: np.array([world.code() for world in worlds], np.int64)
    numbering = Numbering(declared[0].system.states)
    return lambda: numbering.codes(np.concatenate([env.batch.state for env in declared]))
