"""Uniform replay: a ring of the last transitions, each as likely as another (Lin, 1992; Mnih et al., 2015)."""

from __future__ import annotations

import numpy as np

from agentc.runtime.learn.constraints import Constraint
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array


class UniformReplay:
    """Keeps the last ``capacity`` transitions; its arrays are made when the first batch comes."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._columns: dict[str, Array] = {}
        self._size = 0
        self._next = 0

    def __len__(self) -> int:
        return self._size

    def add(self, transitions: Transitions) -> None:
        """Write a batch over the oldest ones."""
        columns = transitions.columns()
        if not self._columns:
            self._columns = {k: np.zeros((self._capacity, *a.shape[1:]), a.dtype) for k, a in columns.items()}
        count = len(transitions)
        if count > self._capacity:
            columns = {k: a[count - self._capacity :] for k, a in columns.items()}
            count = self._capacity
        first = min(count, self._capacity - self._next)
        for name, array in self._columns.items():
            array[self._next : self._next + first] = columns[name][:first]
            if first < count:
                array[: count - first] = columns[name][first:]
        self._next = (self._next + count) % self._capacity
        self._size = min(self._size + count, self._capacity)

    def sample(self, size: int, randomness: np.random.Generator) -> Transitions:
        """Draw with replacement."""
        rows = randomness.integers(self._size, size=size)
        return Transitions.of({name: array[rows] for name, array in self._columns.items()})

    def state(self) -> dict[str, Array]:
        """What is kept, and where the next one goes."""
        kept = {f"column/{name}": array[: self._size] for name, array in self._columns.items()}
        return {**kept, "next": np.array([self._next])}

    def restore(self, state: State) -> None:
        """Back from :meth:`state`. Raises ``KeyError`` or ``ValueError`` for another's."""
        self._next, self._size, self._columns = int(state["next"][0]), 0, {}
        for key, array in state.items():
            if key.startswith("column/"):
                if len(array) > self._capacity:
                    raise ValueError("more transitions than there is room for")
                column = np.zeros((self._capacity, *array.shape[1:]), array.dtype)
                column[: len(array)] = array
                self._columns[key[7:]] = column
                self._size = len(array)


def with_masks(batch: Transitions, legal: Constraint | None) -> Transitions:
    """The batch with the masks that its constraint's states stand for."""
    from dataclasses import replace

    if legal is None or batch.constraint is None or batch.next_constraint is None:
        return batch
    return replace(batch, masks=legal.masks(batch.constraint), next_masks=legal.masks(batch.next_constraint))
