"""The mask is a function of one integer: constraints whose states are stored and replayed.

A masked policy's log-probability, entropy and divergence are those of the distribution over the legal choices
(:class:`agentc.runtime.learn.distributions.Categorical`). To compute them again at training time the mask must be
the very one that was there when it acted. Storing the constraint's state makes that exact, and costs an integer a
step in place of a mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.vector import Array


@runtime_checkable
class Constraint(Protocol):
    """M1 behaviour and M11 shield: which choices are legal, as a function of one integer.

    The integer is the state of an automaton over phases and tokens (a decoder), of a shield, or the number of a
    mask that an environment has shown. It is stored with every choice, and the mask is replayed from it.
    """

    @property
    def choices(self) -> int:
        """How many choices there are (actions, or tokens of the vocabulary)."""
        ...

    def masks(self, states: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The legal choices ``(..., choices)`` in ``states`` ``(...)``."""
        ...


class MaskTable:
    """Numbers the masks that an environment shows, in the order in which it shows them."""

    def __init__(self, choices: int) -> None:
        self.choices = choices
        self._table = np.zeros((0, choices), np.bool_)
        self._numbers: dict[bytes, int] = {}

    def intern(self, masks: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The numbers ``(N,)`` of masks ``(N, choices)``; new ones get the next number."""
        packed = np.packbits(masks, axis=1)
        width, data = packed.shape[1], packed.tobytes()
        found = np.empty(len(masks), np.int64)
        for i in range(len(masks)):
            key = data[i * width : (i + 1) * width]
            number = self._numbers.get(key)
            if number is None:
                number = self._numbers[key] = len(self._numbers)
                self._table = np.concatenate([self._table, masks[i : i + 1]])
            found[i] = number
        return found

    def masks(self, states: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The masks ``(..., choices)`` of numbers ``(...)``."""
        return self._table[states]

    def state(self) -> dict[str, Array]:
        """The masks by number."""
        return {"table": self._table}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        table = state["table"]
        if table.ndim != 2 or table.shape[1] != self.choices or table.dtype != np.bool_:
            raise ValueError("masks of another size")
        self._table, self._numbers = np.zeros((0, self.choices), np.bool_), {}
        if len(table):
            self.intern(table)


class AutomatonConstraint:
    """The legal choices of a deterministic automaton over the choices themselves.

    ``successors[u][a]`` is the state after choice ``a`` in state ``u``, negative where ``a`` is illegal. Raises
    ``ValueError`` for a table that is none, or for a reachable state without a legal choice.
    """

    def __init__(self, successors: Sequence[Sequence[int]] | NDArray[np.int64], initial: int = 0) -> None:
        self.successors = np.asarray(successors, np.int64)
        states = len(self.successors)
        if self.successors.ndim != 2 or self.successors.max(initial=-1) >= states or not 0 <= initial < max(states, 1):
            raise ValueError(f"successors of shape {self.successors.shape} are no automaton from {initial}")
        self.initial = initial
        self._legal = self.successors >= 0
        self.choices = int(self.successors.shape[1])
        reached, waiting = {initial}, [initial]
        while waiting:
            state = waiting.pop()
            following = self.successors[state][self._legal[state]].tolist()
            if not following:
                raise ValueError(f"state {state} leaves no legal choice")
            waiting += [u for u in following if u not in reached]
            reached.update(following)

    def masks(self, states: NDArray[np.int64]) -> NDArray[np.bool_]:
        """The legal choices ``(..., choices)`` in ``states`` ``(...)``."""
        return self._legal[states]

    def step(self, states: NDArray[np.int64], choices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The states after legal ``choices`` ``(...)``; negative for an illegal one."""
        return self.successors[states, choices]
