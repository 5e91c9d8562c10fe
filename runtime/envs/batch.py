"""Worlds that step N environments at once, in numpy.

A :class:`BatchWorld` is N copies of one environment as arrays: what row ``i`` shows after ``reset`` and ``step`` is
what the single environment of the same engine, reset with the same seed and given the same actions, shows. A binding
that has one offers it by a method ``batch(arguments, num_envs)`` (:class:`BatchBinding`). Randomness stays per
environment: row ``i`` has a generator of its own, made from its seed as Gymnasium makes it, so that no row depends on
its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from gymnasium.utils.seeding import np_random
from numpy.typing import NDArray

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish

Array = NDArray[Any]
Mask = NDArray[np.bool_]
Seeds = Sequence[int | None]


class BatchWorld(Protocol):
    """N environments stepped at once; arrays are valid until the next call."""

    num_envs: int
    observation_space: gymnasium.Space[Any]
    """Of one environment."""
    action_space: gymnasium.Space[Any]

    def reset(self, where: Mask, seeds: Seeds | None = None) -> None:
        """Begin episodes in the rows of ``where``, with new generators for the ``seeds`` that are not None."""
        ...

    def step(self, actions: Array) -> tuple[NDArray[np.float64], Mask, Mask]:
        """Act in every row: the rewards that the world itself pays, ``terminated`` and ``truncated``, each ``(N,)``."""
        ...

    def observation(self) -> Any:
        """What every row shows now, ``(N, *shape)``; arrays by part where the space is a ``Dict``."""
        ...

    def signals(self, names: Iterable[str]) -> dict[str, Array]:
        """The values of signals now, as :mod:`agentc.runtime.labelling` takes them."""
        ...


@runtime_checkable
class Deterministic(Protocol):
    """A world whose rows are functions of some arrays of its own: :attr:`remembered` names them."""

    @property
    def remembered(self) -> tuple[str, ...]:
        """The attributes that hold everything later steps depend on; none if chance is among that."""
        ...


@runtime_checkable
class CellWorlds(Protocol):
    """Worlds that observe one of a few cells, which says all that some signals say."""

    of_observation: frozenset[str]
    """These signals."""

    def signals_of(self, cells: NDArray[np.int64], names: Iterable[str]) -> dict[str, Array]:
        """What is read in these cells."""
        ...


@runtime_checkable
class BatchBinding(Protocol):
    """An environment binding whose engine steps many environments at once."""

    def batch(self, arguments: Mapping[str, Literalish], num_envs: int) -> BatchWorld:
        """A world of N environments."""
        ...


class Generators:
    """One generator of random numbers per row, seeded as ``gymnasium.Env.reset`` seeds it."""

    def __init__(self, num_envs: int) -> None:
        self._rows: list[np.random.Generator | None] = [None] * num_envs

    def seed(self, where: Mask, seeds: Seeds | None) -> None:
        """New generators for the rows of ``where`` whose seed is not None."""
        if seeds is not None:
            for i in np.flatnonzero(where).tolist():
                if seeds[i] is not None:
                    self._rows[i] = np_random(seeds[i])[0]

    def __getitem__(self, row: int) -> np.random.Generator:
        found = self._rows[row]
        if found is None:
            found = self._rows[row] = np_random(None)[0]
        return found
