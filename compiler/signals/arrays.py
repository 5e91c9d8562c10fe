"""The few array functions that signals need, of numpy or of torch: every kernel is written once.

Arrays are *time-major*, ``(time, batch)`` and contiguous: a window slides over whole rows, which is what both
libraries do at the speed of memory. Where both name a function alike, ``xp`` is the library itself.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

Array = Any
"""A numpy array or a torch tensor."""


class Arrays:
    """numpy, or torch on whatever device the tensors are. ``xp`` is the module; the rest is where they differ."""

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        self.torch = xp.__name__ == "torch"

    def full(self, like: Array, rows: int, value: Any) -> Array:
        """``(rows, batch)`` of one value, with the type and place of ``like``."""
        shape = (rows, *like.shape[1:])
        if self.torch:
            return self.xp.full(shape, value, dtype=like.dtype, device=like.device)
        return np.full(shape, value, like.dtype)

    def flip(self, x: Array) -> Array:
        """Time reversed, contiguous."""
        return self.xp.flip(x, (0,)) if self.torch else np.ascontiguousarray(x[::-1])

    def running(self, greatest: bool, x: Array) -> Array:
        """The greatest (least) of all rows from each row to the last."""
        if self.torch:
            fold = self.xp.cummax if greatest else self.xp.cummin
            return self.xp.flip(fold(self.xp.flip(x, (0,)), 0).values, (0,))
        return (np.maximum if greatest else np.minimum).accumulate(x[::-1], axis=0)[::-1]

    def prefix(self, greatest: bool, x: Array) -> Array:
        """The greatest (least) of all rows up to each row."""
        if self.torch:
            return (self.xp.cummax if greatest else self.xp.cummin)(x, 0).values
        return (np.maximum if greatest else np.minimum).accumulate(x, axis=0)

    def extremum(self, greatest: bool, x: Array) -> Array:
        """The greatest (least) row of each column, ``(1, batch)``."""
        return (self.xp.amax if greatest else self.xp.amin)(x, 0)[None]

    def where_extremum(self, greatest: bool, x: Array) -> Array:
        """The first row of each column that has the greatest (least) value."""
        return (self.xp.argmax if greatest else self.xp.argmin)(x, 0)

    def arange(self, like: Array, start: int, stop: int) -> Array:
        """Whole numbers, where ``like`` is."""
        return self.xp.arange(start, stop, device=like.device) if self.torch else np.arange(start, stop)

    def first(self, mask: Array) -> Array:
        """The first row of each column at which a mask is true; it is at some.

        An extremum along the first axis is a row operation, unlike ``argmax``, and small counts make it a short one.
        """
        rows = len(mask)
        if self.torch:
            left = self.xp.arange(rows, 0, -1, dtype=self.xp.int32, device=mask.device)[:, None]
            return (rows - self.xp.amax(mask * left, 0)).long()
        return rows - np.maximum.reduce(mask.view(np.uint8) * _countdown(rows), axis=0).astype(np.intp)

    def transposed(self, x: Array) -> Array:
        """A copy of ``(batch, time)`` as ``(time, batch)``, its rows one after the other in memory."""
        if self.torch:
            return x.transpose(0, 1).clone(memory_format=self.xp.contiguous_format)
        # components that lie between each other are taken apart first: two passes, each of which reads memory in order
        return (x if len(x) == 1 else np.ascontiguousarray(x)).T.copy()

    def total(self, x: Array) -> float:
        """The sum of all numbers, in whatever order is fast; it is finite only if they are."""
        return float(x.sum()) if self.torch else float(np.einsum("ij->", x))

    def nonzero(self, mask: Array) -> Array:
        """The positions at which a one-dimensional mask is true."""
        return self.xp.nonzero(mask, as_tuple=True)[0] if self.torch else np.flatnonzero(mask)


@functools.lru_cache(64)
def _countdown(rows: int) -> np.ndarray[Any, Any]:
    """``rows, ..., 1`` as a column, of the shortest type."""
    return np.arange(rows, 0, -1).astype(np.min_scalar_type(rows))[:, None]


NUMPY = Arrays(np)


def is_objects(x: Any) -> bool:
    """Whether an array holds Python objects, as those of texts do."""
    return getattr(getattr(x, "dtype", None), "kind", "") == "O"


def arrays_of(x: Array) -> Arrays:
    """The functions for an array; torch is imported by whoever made a tensor."""
    if isinstance(x, np.ndarray):
        return NUMPY
    import torch

    return Arrays(torch)
