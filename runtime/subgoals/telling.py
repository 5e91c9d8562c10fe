"""What a low level is told of its plan, and what it is paid: the observation and the dense, stage-wise reward.

Source: Meng, Chen, Fan, *TGPO*, arXiv 2510.00225, section 4 (a time-conditioned policy on an augmented state, a dense
reward for the subgoal that is due next, a bonus when it is met, penalties for invariants). Deviations: subgoals and
invariants are one table of requirements (:mod:`agentc.runtime.subgoals.requirements`), so that an invariant that
begins later is approached like a subgoal; an episode ends where a requirement is missed, so that the critic's value of
a plan grows with how far it can be kept (with a sum over all stages the chain gives up hard ones).

*Told* at step ``t``, before acting: the share of the time that has passed; of each proposition its margin here,
squashed; how soon it is required next (twice: as ``exp(-steps / SOON)`` and as a share of the whole), how long from
then on, and whether it is among those that are required next and not now.

*Paid* at step ``t``: ``BONUS`` for each run that ends here, ``-MISS`` where something required does not hold; and, in
each stage, the difference of a potential, which says how far off the stage is that lies before a row, in units of how
far its propositions typically are. Summed over all stages such differences would be potential-based shaping (Ng,
Harada, Russell, ICML 1999), which changes no policy's worth; but then who keeps a subgoal is charged the whole way to
the next one, and who misses it is refunded, so that with a strong potential near misses were preferred.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.subgoals.requirements import NEVER, Ints, Schedule

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

SOON = 6.0
BONUS, MISS, NEARER = 2.0, 1.0, 3.0
MARGIN = 0.05
"""How deep inside a proposition is wanted, as a share of how far it typically is: nothing is gained beyond."""
FARTHEST = 8.0
"""Up to where a distance counts in full, likewise; beyond, its logarithm does. A potential without a slope would tell a
policy that has just kept one subgoal nothing of the next one, which may be far from there."""


def width(propositions: int) -> int:
    """How many numbers are told."""
    return 1 + 5 * propositions


def told(schedule: Schedule, t: Ints, margins: Floats, scale: Floats, last: int) -> NDArray[np.float32]:
    """What is told ``(batch, width)`` at steps ``t`` ``(batch,)``, with margins ``(batch, propositions)``.

    ``schedule`` is of the rows, ``(batch, propositions, last + 2)``; ``scale`` ``(propositions,)``.
    """
    rows = np.arange(len(t))
    following = np.minimum(t + 1, last + 1)
    start, end = schedule.start[rows, :, following], schedule.end[rows, :, following]
    return encoded(start - t[:, None], end - start, t, margins, scale, last)


def encoded(
    wait: Ints, lasts: Ints, t: Ints, margins: Floats, scale: Floats, last: int
) -> NDArray[np.float32]:
    """The same, from how many steps each proposition is off and for how many further steps it is then required."""
    never = wait >= NEVER - last - 1
    soon = np.where(never, 0.0, np.exp(-(wait - 1) / SOON))
    share = np.where(never, 1.0, wait / max(last, 1))
    length = np.where(never, 0.0, np.minimum(lasts, last) / max(last, 1))
    later = np.where(never | (wait <= 1), NEVER, wait)
    due = ~never & (later == later.min(axis=1, keepdims=True))
    squashed = np.tanh(margins / (2.0 * scale))
    passed = (t / max(last, 1))[:, None]
    return np.concatenate([passed, squashed, soon, share, length, due], axis=1).astype(np.float32)


def judged(schedule: Schedule, t: Ints, holds: Truths) -> tuple[Floats, Truths]:
    """What rows are paid ``(batch,)`` for their runs at steps ``t``, where ``holds``; and which have missed one."""
    rows, here = np.arange(len(t)), t[:, None]
    asked = schedule.start[rows, :, t] == here
    missed: Truths = (asked & ~holds).any(axis=1)
    closes = asked & (schedule.end[rows, :, t] == here)
    paid: Floats = np.where(missed, -MISS, BONUS * closes.sum(axis=1))
    return paid, missed


def potential(schedule: Schedule, t: Ints, margins: Floats, scale: Floats) -> Floats:
    """How far off the stage is that lies before a row at step ``t``, as a negative number ``(batch,)``.

    The stage are the propositions that are required now, and of those that are not the ones required next.
    """
    rows, last = np.arange(len(t)), schedule.start.shape[-1] - 2
    wait = schedule.start[rows, :, np.minimum(t + 1, last + 1)] - t[:, None]
    later = np.where(wait > 1, wait, NEVER)
    stage = (wait <= 1) | ((later < NEVER - last - 1) & (later == later.min(axis=1, keepdims=True)))
    short = np.maximum(MARGIN * scale - margins, 0.0) / scale
    short = np.minimum(short, FARTHEST) + np.log1p(np.maximum(short - FARTHEST, 0.0))
    total: Floats = -NEARER * np.where(stage, short, 0.0).sum(axis=1)
    return total
