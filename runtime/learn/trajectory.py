"""The record: what was seen, done and paid during ``T`` steps of ``N`` environments.

Every learner reads its experience from a :class:`Trajectory` and from nothing else, whether its policy reads
vectors or writes text. Arrays are time-major, ``(T, N, ...)``. Row ``t`` holds the observation that was acted on,
the action, and what the action led to. For a language model a step is one completed phase; its tokens are in
``tokens``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.constraints import Constraint
from agentc.runtime.learn.vector import Array, Observation


@dataclass(frozen=True, slots=True)
class Finals:
    """The true last observations of truncated episodes: ``observation[k]`` belongs to ``step[k], env[k]``.

    ``constraint`` are the constraint's states there, where there is one.
    """

    step: NDArray[np.int64]
    env: NDArray[np.int64]
    observation: Mapping[str, Array]
    constraint: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a language model's steps, right-padded: ``(T, N, L)``.

    ``ids`` int32; ``written`` bool: True where the policy chose the token, False for prompts, results of tools and
    padding; ``log_probs`` float32 under the (constrained) distribution that it was drawn from; ``constraint`` the
    decoder's state before it, from which its mask is replayed.
    """

    ids: NDArray[np.int32]
    written: NDArray[np.bool_]
    log_probs: NDArray[np.float32]
    constraint: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """How a budget stands: ``multiplier`` weighs the cost against the reward.

    ``excess`` is how far the latest episodes were above the limit on average (below it: negative), None while none
    has ended; ``length`` how many steps they had.
    """

    multiplier: float
    excess: float | None = None
    length: float = 0.0


@dataclass(frozen=True, slots=True)
class Trajectory:
    """``T`` steps of ``N`` environments.

    ``observations``: one array ``(T, N, ...)`` per part of the observation; a plain observation is the part
    ``""``. ``actions`` int64 ``(T, N)`` (``(T, N, k)`` for several choices at once) or float32 ``(T, N, d)``, as
    the policy drew them (not clipped). ``rewards`` float32, ``terminated`` and ``truncated`` bool, ``(T, N)``.
    ``finals``: last observations of the episodes that were truncated and did not terminate.
    ``last_observation`` ``(N, ...)``: where it would have gone on.

    The rest is there where something writes it. ``constraint`` int64 ``(T, N)`` and ``last_constraint`` ``(N,)``:
    the constraint's state when the policy chose; ``legal`` turns it into masks. ``log_probs`` and ``values``
    ``(T, N)``: of the policy that acted, where it has changed since. ``sources``, ``costs``: what each source of
    reward paid and what each budget was charged, ``(T, N)`` by name; ``rewards`` is what counts. ``monitors``:
    what the monitors said of each step, before autoreset: arrays ``(T, N, ...)`` by name, by convention ``state``
    and ``next_state`` (the automata's) and ``letter`` (the truth of the atoms). ``roles`` int64 ``(T, N)``: whose
    step it was. ``decided`` bool ``(T, N)``: which steps enter losses; None is all. ``tokens``: of a language
    model. ``budgets``: how the costs stand that have a limit, by name.
    """

    observations: Mapping[str, Array]
    actions: Array
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    finals: Finals
    last_observation: Mapping[str, Array]
    constraint: NDArray[np.int64] | None = None
    last_constraint: NDArray[np.int64] | None = None
    legal: Constraint | None = None
    log_probs: NDArray[np.float32] | None = None
    values: NDArray[np.float32] | None = None
    sources: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    costs: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    monitors: Mapping[str, Array] = field(default_factory=dict)
    roles: NDArray[np.int64] | None = None
    decided: NDArray[np.bool_] | None = None
    tokens: Tokens | None = None
    budgets: Mapping[str, Budget] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """``T``."""
        return int(self.rewards.shape[0])

    @property
    def num_envs(self) -> int:
        """``N``."""
        return int(self.rewards.shape[1])

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Where an episode ended, ``(T, N)``."""
        return self.terminated | self.truncated

    @property
    def masks(self) -> NDArray[np.bool_] | None:
        """The legal choices ``(T, N, n)``, replayed from the constraint's states; None where all are."""
        if self.constraint is None or self.legal is None:
            return None
        return self.legal.masks(self.constraint)

    def paying(self, rewards: NDArray[np.float32], budgets: Mapping[str, Budget] | None = None) -> Trajectory:
        """The same with other rewards, and budgets as they stand now."""
        return replace(self, rewards=rewards, budgets=budgets or {})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the acting policy and its value function said of a trajectory, ``(T, N)`` but for the last.

    ``bootstrap`` is the value of the true last observation where an episode was truncated, 0 elsewhere;
    ``last_value`` ``(N,)`` that of ``last_observation``.
    """

    log_probs: NDArray[np.float32]
    values: NDArray[np.float32]
    bootstrap: NDArray[np.float32]
    last_value: NDArray[np.float32]


def parts(observation: Observation) -> dict[str, Array]:
    """An observation as named parts; a plain array is the part ``""``."""
    return observation if isinstance(observation, dict) else {"": observation}


class Recorder:
    """Preallocated buffers that a rollout is written into, over and over."""

    def __init__(self, observation: Observation, action: Array, steps: int, legal: Constraint | None = None) -> None:
        """Take shapes and types from one batch of observations and actions; ``legal`` if choices are constrained."""
        n = len(action)
        self._observations = {k: np.zeros((steps, *a.shape), a.dtype) for k, a in parts(observation).items()}
        self._actions = np.zeros((steps, *action.shape), action.dtype)
        self._legal = legal
        self._constraint = None if legal is None else np.zeros((steps, n), np.int64)
        self._rewards = np.zeros((steps, n), np.float32)
        self._terminated = np.zeros((steps, n), np.bool_)
        self._truncated = np.zeros((steps, n), np.bool_)
        self._extra: dict[str, Array] = {}
        self._steps = steps
        self._finals: list[tuple[int, NDArray[np.int64], dict[str, Array], NDArray[np.int64] | None]] = []
        self._decided: NDArray[np.bool_] | None = None
        none = np.zeros(0, np.int64)
        self._none = Finals(none, none, {k: a[0, :0].copy() for k, a in self._observations.items()})

    def before(self, t: int, observation: Mapping[str, Array], constraint: NDArray[np.int64] | None) -> None:
        """Write what is acted on at ``t``; copied, as the environment reuses its arrays."""
        for key, array in self._observations.items():
            array[t] = observation[key]
        if self._constraint is not None and constraint is not None:
            self._constraint[t] = constraint

    def after(
        self,
        t: int,
        action: Array,
        reward: NDArray[np.float32],
        terminated: NDArray[np.bool_],
        truncated: NDArray[np.bool_],
        final_observation: Mapping[str, Array],
        final_constraint: NDArray[np.int64] | None = None,
    ) -> None:
        """Write the action at ``t`` and what it led to."""
        self._actions[t] = action
        self._rewards[t] = reward
        self._terminated[t] = terminated
        self._truncated[t] = truncated
        if truncated.any():
            rows = np.flatnonzero(truncated & ~terminated)
            if len(rows):
                where = None if final_constraint is None else final_constraint[rows]
                self._finals.append((t, rows, {k: a[rows] for k, a in final_observation.items()}, where))

    def extra(self, t: int, group: str, arrays: Mapping[str, Array]) -> None:
        """Write arrays by name, ``(N, ...)`` each, of one ``group``: ``sources``, ``costs`` or ``monitors``."""
        for name, array in arrays.items():
            key = f"{group}/{name}"
            buffer = self._extra.get(key)
            if buffer is None:
                kind = np.dtype(np.float32) if group != "monitors" else array.dtype
                buffer = self._extra[key] = np.zeros((self._steps, *array.shape), kind)
            buffer[t] = array

    def lose(self, t: int, lost: NDArray[np.bool_]) -> None:
        """Leave the step at ``t`` out of losses in the rows of ``lost`` ``(N,)``."""
        if self._decided is None:
            self._decided = np.ones(self._rewards.shape, np.bool_)
        self._decided[t] = ~lost

    def _cut(self) -> Finals:
        """Where episodes were truncated, and what was seen last."""
        constrained = all(c is not None for *_, c in self._finals)
        return Finals(
            np.concatenate([np.full(len(rows), t) for t, rows, _, _ in self._finals]),
            np.concatenate([rows for _, rows, _, _ in self._finals]),
            {k: np.concatenate([o[k] for _, _, o, _ in self._finals]) for k in self._observations},
            np.concatenate([c for *_, c in self._finals if c is not None]) if constrained else None,
        )

    def take(
        self, last_observation: Mapping[str, Array], steps: int, last_constraint: NDArray[np.int64] | None = None
    ) -> Trajectory:
        """The trajectory of the first ``steps`` steps; its arrays are overwritten by the next one."""
        finals, self._finals = self._cut() if self._finals else self._none, []
        decided, self._decided = self._decided, None
        groups: dict[str, dict[str, Array]] = {"sources": {}, "costs": {}, "monitors": {}}
        for key, array in self._extra.items():
            group, _, name = key.partition("/")
            groups[group][name] = array[:steps]
        return Trajectory(
            {k: a[:steps] for k, a in self._observations.items()},
            self._actions[:steps],
            self._rewards[:steps],
            self._terminated[:steps],
            self._truncated[:steps],
            finals,
            last_observation,
            None if self._constraint is None else self._constraint[:steps],
            last_constraint,
            self._legal,
            sources=groups["sources"],
            costs=groups["costs"],
            monitors=groups["monitors"],
            decided=None if decided is None else decided[:steps],
        )
