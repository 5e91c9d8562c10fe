"""The seventeen slots: what a training method chooses, each as a small protocol over one record.

A method is one value per slot; ``docs/architecture/runtime.md`` says which data each reads and writes. Values
live in a folder per slot and are named in :mod:`agentc.runtime.learn.registry`. A value that remembers
something is :class:`Stateful`: its state is in every checkpoint, so that a resumed run repeats the one that was
never stopped. All randomness is drawn from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.constraints import Constraint
from agentc.runtime.learn.trajectory import Evaluation, Trajectory
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array, VectorEnv

__all__ = [
    "Check", "Collector", "Constraint", "Context", "Credit", "DecisionMask", "Demonstrations", "Hierarchy", "Metric",
    "Model", "Objective", "Relabel", "Replay", "Reset", "RewardSource", "Roles", "Shield", "State", "Stateful",
    "Teacher", "Worth",
]  # fmt: skip

Worth = Callable[[Mapping[str, Array]], Array]
"""A critic, for who chooses by it: from observations by part to values ``(batch,)``."""

State = Mapping[str, Array]
"""What a part remembers, as arrays by name; a checkpoint writes it."""


@runtime_checkable
class Stateful(Protocol):
    """A part with a memory."""

    def state(self) -> dict[str, Array]:
        """Everything that later behaviour depends on."""
        ...

    def restore(self, state: State) -> None:
        """Back from :meth:`state`. Raises ``KeyError``, ``ValueError`` or ``IndexError`` for another's."""
        ...


# ---------------------------------------------------------------- what may be done (M1 and M11: Constraint)


@runtime_checkable
class Shield(Protocol):
    """M11, continuous: moves what the policy wants into the safe set, with the density of what is done."""

    def apply(self, observation: Mapping[str, Array], action: Array) -> Array:
        """The actions ``(batch, d)`` that are taken in place of ``action``."""
        ...


# ---------------------------------------------------------------- reward and credit


@runtime_checkable
class RewardSource(Protocol):
    """M2 monitor: what a trajectory is paid, beside or in place of what its environment pays."""

    def rewards(self, trajectory: Trajectory, rewards: NDArray[np.float32]) -> NDArray[np.float32]:
        """The rewards ``(T, N)`` that learning sees, from those so far."""
        ...


@runtime_checkable
class Credit(Protocol):
    """M3 credit: from rewards and values to the advantage of every step. A pure function."""

    def __call__(
        self, trajectory: Trajectory, rewards: NDArray[np.float32], evaluation: Evaluation
    ) -> NDArray[np.float32]:
        """Advantages ``(T, N)``; with the values added they are the targets of the value function."""
        ...


@runtime_checkable
class DecisionMask(Protocol):
    """M5 mask: which steps or tokens enter the log-probability and the loss."""

    def __call__(self, trajectory: Trajectory) -> NDArray[np.bool_]:
        """True ``(T, N)`` where something was decided; losses and entropies are means over these."""
        ...


# ---------------------------------------------------------------- objective


class Objective(Protocol):
    """M4 objective: networks, loss and optimiser; one gradient step on a batch.

    On-policy objectives read :class:`Trajectory`, off-policy ones :class:`Transitions`.
    """

    def step(self, batch: Transitions, learning_rate: float, randomness: np.random.Generator) -> Mapping[str, float]:
        """Improve on a batch; figures for the log. Raises AS0942 before a bad number reaches the weights."""
        ...


# ---------------------------------------------------------------- experience


@runtime_checkable
class Collector(Protocol):
    """M6 rollout: how experience is made."""

    def collect(self, steps: int, taken: int, randomness: np.random.Generator) -> Trajectory:
        """The next ``steps`` steps of every environment; ``taken`` were taken before."""
        ...


@runtime_checkable
class Reset(Protocol):
    """M7 reset: where an episode begins. The value goes to the environment as ``options["snapshot"]``, or under the
    name that the reset has as its ``option``.
    """

    def choose(self, taken: int, randomness: np.random.Generator) -> Mapping[str, Any] | None:
        """A state to begin in; None is the task's own start."""
        ...


@runtime_checkable
class Teacher(Protocol):
    """M8 teacher: which task comes next. The value goes to the environment as ``options["task"]``."""

    def propose(self, taken: int, randomness: np.random.Generator) -> Array:
        """The parameters ``(d,)`` of the next episode's task."""
        ...

    def learn(self, task: Array, outcome: float) -> None:
        """The episode of ``task`` has ended with ``outcome`` (its return)."""
        ...


@runtime_checkable
class Demonstrations(Protocol):
    """M9 data: recorded experience, weighted or transformed."""

    def batch(self, size: int, randomness: np.random.Generator) -> Transitions:
        """``size`` transitions drawn from the data."""
        ...


@runtime_checkable
class Relabel(Protocol):
    """M9/M10: experience that is made of experience: counterfactual states, hindsight goals, expert patches."""

    def __call__(self, trajectory: Trajectory, transitions: Transitions) -> Transitions:
        """What is stored in place of ``transitions``; it may be more or fewer."""
        ...


@runtime_checkable
class Replay(Protocol):
    """M10 replay: what is kept and what is drawn."""

    def __len__(self) -> int: ...

    def add(self, transitions: Transitions) -> None:
        """Take in a batch; the oldest make room."""
        ...

    def sample(self, size: int, randomness: np.random.Generator) -> Transitions:
        """Draw ``size`` transitions."""
        ...


# ---------------------------------------------------------------- structure


@runtime_checkable
class Hierarchy(Protocol):
    """M12 hierarchy: an environment whose observations carry a subgoal, an option or the time left for one."""

    def wrap(self, env: VectorEnv) -> VectorEnv:
        """The environment that the low level learns in."""
        ...


@runtime_checkable
class Model(Protocol):
    """M13 model: what an action leads to."""

    def predict(self, observations: Array, actions: Array) -> tuple[Array, NDArray[np.float32]]:
        """Next observations ``(batch, ...)`` and rewards ``(batch,)``."""
        ...


@runtime_checkable
class Roles(Protocol):
    """M14 roles: who acts, with which weights, and what each one sees."""

    @property
    def names(self) -> Sequence[str]:
        """The roles, in the order of the numbers in ``Trajectory.roles``."""
        ...

    def view(self, observation: Mapping[str, Array], role: int) -> dict[str, Array]:
        """What this role sees."""
        ...


@runtime_checkable
class Check(Protocol):
    """M15 verify: a static check of a composition or a policy; it refuses with a reason."""

    def __call__(self, subject: Any) -> Sequence[Any]:
        """Diagnostics; none if all is well."""
        ...


@runtime_checkable
class Context(Protocol):
    """M16 context: what the policy sees of the past: a window, a summary, a memory."""

    def wrap(self, env: VectorEnv) -> VectorEnv:
        """The environment whose observations hold the context."""
        ...


@runtime_checkable
class Metric(Protocol):
    """M17 eval: a figure of a run, from its episodes."""

    def __call__(self, episodes: Sequence[Any]) -> float:
        """The figure."""
        ...
