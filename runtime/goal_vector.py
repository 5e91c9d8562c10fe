"""Environments in which a policy is told what to reach and what to avoid next, and learns to do it.

After Jackermeier, Abate, "DeepLTL", ICLR 2025: trained on sampled reach-avoid sequences, a policy follows the
automata of other, longer formulas. What it observes of a goal is not which members are meant but where they are: for
each of the next stages, marks of what is to be reached and of what is to be avoided (the observation reduction of
Guo, Isik, Ahmad, Li, "One Subgoal at a Time", 2025), so that it need not learn the members one by one. +1 is paid at
the end of a sequence, -1 where something is reached that was to be avoided; both end the episode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.envs.batch import Array, BatchWorld
from agentc.runtime.formulas import ReachAvoid
from agentc.runtime.goals import GoalPaths
from agentc.runtime.learn.seeding import evaluation_seeds, training_seeds
from agentc.runtime.learn.vector import Observation, StepBatch

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
STAGES = 2
"""How many stages ahead a policy is told."""


class MarkedWorld(BatchWorld, Protocol):
    """A world of N rows with things of a few kinds in it, one of which the agent is at (member 0 is none of them)."""

    members: tuple[str, ...]

    def member(self) -> Ints:
        """What the agent is at, ``(N,)``."""
        ...

    def marks(self, meant: Mask) -> NDArray[np.float32]:
        """Where the members in ``meant`` ``(N, M)`` are, as the agent sees them, ``(N, m)``."""
        ...

    def own(self) -> NDArray[np.float32]:
        """What the agent knows of itself, ``(N, d)``."""
        ...


def told(world: MarkedWorld, reach: Mask, avoid: Mask) -> NDArray[np.float32]:
    """What is observed of goals ``(N, STAGES, M)``: the agent itself, then per stage the marks of both."""
    parts = [world.own()]
    for k in range(reach.shape[1]):
        parts += [world.marks(reach[:, k]), world.marks(avoid[:, k])]
    return np.concatenate(parts, axis=1).astype(np.float32)


class _MarkedRows(ABC):
    """N rows of a marked world that pay 1 where they are won and -1 where they are lost, and begin anew then."""

    judged: ClassVar[str]
    """What is won or lost, as the statistics of episodes call it."""

    world: MarkedWorld
    _returns: NDArray[np.float64]
    _steps: Ints

    @abstractmethod
    def _judged(self, member: Ints) -> tuple[Mask, Mask]:
        """Which rows are won and which are lost where they stand now; the others go on from there."""

    @abstractmethod
    def _begin(self, where: Mask) -> None:
        """Begin anew in some rows, whose worlds have been reset."""

    @abstractmethod
    def _observed(self) -> NDArray[np.float32]:
        """What every row sees and is told."""

    def step(self, actions: Array) -> StepBatch:
        """Act in every row."""
        _, _, cut = self.world.step(actions)
        self._steps += 1
        won, lost = self._judged(self.world.member())
        reward = (won.astype(np.float32) - lost).astype(np.float32)
        self._returns += reward
        terminated = won | lost
        truncated = cut & ~terminated
        observation = final = self._observed()
        ended = terminated | truncated
        info: dict[str, Array] = {}
        if ended.any():
            info = {
                "return": self._returns.copy(), "length": self._steps.copy(),
                f"satisfied/{self.judged}": won, f"violated/{self.judged}": lost,
            }  # fmt: skip
            self.world.reset(ended)
            self._begin(ended)
            observation = self._observed()
        return StepBatch(observation, final, reward, terminated, truncated, None, info)


class GoalVectorEnv(_MarkedRows):
    """N rows of a marked world, each with a sampled sequence of its own in every episode.

    A :class:`~agentc.runtime.learn.vector.VectorEnv`. ``sampler`` may be replaced between steps (a curriculum).
    """

    judged: ClassVar[str] = "sequence"

    def __init__(self, world: MarkedWorld, sampler: ReachAvoid, longest: int = 4) -> None:
        self.world, self.sampler, self.num_envs = world, sampler, world.num_envs
        self.action_space: gymnasium.Space[Any] = world.action_space
        self.action_mask: Mask | None = None
        n, m = self.num_envs, len(world.members)
        self._reach = np.zeros((n, longest + STAGES, m), np.bool_)
        self._avoid = np.zeros((n, longest + STAGES, m), np.bool_)
        self._length, self._at = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._returns, self._steps = np.zeros(n), np.zeros(n, np.int64)
        self._rows = np.arange(n)
        self._randomness = np.random.default_rng(0)
        world.reset(np.ones(n, np.bool_), [0] * n)
        self.observation_space: gymnasium.Space[Any] = spaces.Box(-10.0, 10.0, self._observed().shape[1:], np.float32)

    def reset(self, seed: int | None) -> Observation:
        """New episodes everywhere."""
        everywhere = np.ones(self.num_envs, np.bool_)
        seeds = [None] * self.num_envs if seed is None else training_seeds(seed, self.num_envs)
        self._randomness = np.random.default_rng(None if seed is None else [seed, 7])
        self.world.reset(everywhere, seeds)
        self._begin(everywhere)
        return self._observed()

    def close(self) -> None:
        """Nothing is held."""

    def _judged(self, member: Ints) -> tuple[Mask, Mask]:
        hit = self._reach[self._rows, self._at, member]
        lost = self._avoid[self._rows, self._at, member] & ~hit
        self._at = self._at + hit
        return self._at >= self._length, lost

    def _begin(self, where: Mask) -> None:
        for i in np.flatnonzero(where).tolist():
            stages = self.sampler.sequence(len(self.world.members) - 1, self._randomness)
            self._reach[i], self._avoid[i] = False, False
            for k, (reach, avoid) in enumerate(stages):
                self._reach[i, k, [m + 1 for m in reach]] = True  # member 0 is none
                self._avoid[i, k, [m + 1 for m in avoid]] = True
            self._length[i] = len(stages)
        self._at = np.where(where, 0, self._at)
        self._returns[where], self._steps[where] = 0.0, 0

    def _observed(self) -> NDArray[np.float32]:
        window = self._at[:, None] + np.arange(STAGES)
        return told(self.world, self._reach[self._rows[:, None], window], self._avoid[self._rows[:, None], window])


class FormulaVectorEnv(_MarkedRows):
    """N rows of a marked world under one formula: what a policy that is trained for it alone learns in.

    Told is the shortest path from the machine's state. A :class:`~agentc.runtime.learn.vector.VectorEnv`.
    """

    judged: ClassVar[str] = "goal"

    def __init__(self, world: MarkedWorld, paths: GoalPaths) -> None:
        self.world, self.paths, self.num_envs = world, paths, world.num_envs
        self.action_space: gymnasium.Space[Any] = world.action_space
        self.action_mask: Mask | None = None
        self._first = np.array([rows[0] if len(rows) else 0 for rows in paths.of_state])
        self._state = np.zeros(self.num_envs, np.int64)
        self._returns, self._steps = np.zeros(self.num_envs), np.zeros(self.num_envs, np.int64)
        world.reset(np.ones(self.num_envs, np.bool_), [0] * self.num_envs)
        self.observation_space: gymnasium.Space[Any] = spaces.Box(-10.0, 10.0, self._observed().shape[1:], np.float32)

    def reset(self, seed: int | None) -> Observation:
        """New episodes everywhere."""
        everywhere = np.ones(self.num_envs, np.bool_)
        self.world.reset(everywhere, [None] * self.num_envs if seed is None else training_seeds(seed, self.num_envs))
        self._begin(everywhere)
        return self._observed()

    def close(self) -> None:
        """Nothing is held."""

    def _judged(self, member: Ints) -> tuple[Mask, Mask]:
        won, lost = self.paths.goal[self._state, member], self.paths.lost[self._state, member]
        self._state = np.where(won | lost, self._state, self.paths.next[self._state, member])
        return won, lost

    def _begin(self, where: Mask) -> None:
        self._state = np.where(where, self.paths.start[self.world.member()], self._state)
        self._returns[where], self._steps[where] = 0.0, 0

    def _observed(self) -> NDArray[np.float32]:
        number = self._first[self._state]
        return told(self.world, self.paths.reach[number], self.paths.avoid[number])


@dataclass(frozen=True, slots=True)
class Followed:
    """How episodes of one formula went: rates, and the mean number of steps of those that succeeded."""

    satisfied: float
    violated: float
    steps: float
    episodes: int


Act = Callable[[NDArray[np.float32]], Array]
Value = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def follow(world: MarkedWorld, paths: GoalPaths, act: Act, value: Value, horizon: int, seed: int = 0) -> Followed:
    """One episode in every row of a world: along the path of the machine that the policy itself values most."""
    n = world.num_envs
    world.reset(np.ones(n, np.bool_), evaluation_seeds(seed, n))
    state = paths.start[world.member()]
    won, lost = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    steps = np.zeros(n, np.int64)
    for _ in range(horizon):
        going = ~(won | lost)
        if not going.any():
            break
        actions = act(_best(world, paths, state, value))
        world.step(actions)
        member = world.member()
        steps += going
        won |= going & paths.goal[state, member]
        lost |= going & paths.lost[state, member] & ~won
        state = np.where(won | lost, state, paths.next[state, member])
    mean = float(steps[won].mean()) if won.any() else float("nan")
    return Followed(float(won.mean()), float(lost.mean()), mean, n)


def _best(world: MarkedWorld, paths: GoalPaths, state: Ints, value: Value) -> NDArray[np.float32]:
    """What is observed of the path from each row's state that has the highest value."""
    choices = [paths.of_state[u] if len(paths.of_state[u]) else np.zeros(1, np.int64) for u in state]
    most = max(map(len, choices))
    best: NDArray[np.float32] | None = None
    highest = np.full(len(state), -np.inf, np.float32)
    for k in range(most):
        number = np.array([c[min(k, len(c) - 1)] for c in choices])
        seen = told(world, paths.reach[number], paths.avoid[number])
        worth = value(seen) if most > 1 else np.zeros(len(state), np.float32)
        better = worth > highest
        best = seen if best is None else np.where(better[:, None], seen, best)
        highest = np.maximum(highest, worth)
    assert best is not None
    return best
