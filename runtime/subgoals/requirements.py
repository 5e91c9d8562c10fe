"""When what a plan requires is next required, as a table.

The table of requirements is :func:`agentc.runtime.planning.requirements.required`. A *run* is a longest sequence of
steps at which one proposition is required: a subgoal is a run of one step, an invariant a longer one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Truths = NDArray[np.bool_]
Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Of every step, when each proposition is next required, and until when from there on.

    ``start`` and ``end`` ``(..., propositions, last + 2)``: the first step from this one on at which it is required,
    and the last step of that run. ``NEVER`` where it is not required any more; behind the last step nothing is.
    """

    start: Ints
    end: Ints


NEVER = 1 << 24


def schedule(table: Truths) -> Schedule:
    """The schedule of a table of requirements ``(..., propositions, last + 1)``."""
    steps = table.shape[-1]
    padded = np.zeros((*table.shape[:-1], steps + 1), np.bool_)
    padded[..., :steps] = table
    here = np.arange(steps + 1, dtype=np.int32)
    start = _next(np.where(padded, here, NEVER))
    closes = padded.copy()
    closes[..., :-1] &= ~padded[..., 1:]
    end = _next(np.where(closes, here, NEVER))
    # of the run that begins at `start`: the first close from there on, which is the first from here on too
    return Schedule(start, end)


def _next(marks: NDArray[np.int64] | Ints) -> Ints:
    """Of each step the least mark from it on, along the last axis."""
    return np.minimum.accumulate(marks[..., ::-1], axis=-1)[..., ::-1].astype(np.int32)
