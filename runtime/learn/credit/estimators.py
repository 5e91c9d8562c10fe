"""The values of the credit slot: from rewards and values to the advantage of every step.

Each is a pure function of a trajectory, its rewards and what the acting policy said of it.

``gae``: generalised advantages (:mod:`agentc.runtime.learn.credit.advantages`). ``return_to_go``: the discounted
return from the step on, minus the value; bootstrapped where an episode was cut. ``broadcast``: the undiscounted
return of the whole episode for each of its steps, minus the value (of an episode that the trajectory does not hold
from its start, what is there). ``redistribution``: the return of an episode spread over its steps in proportion to
how much the value function says each of them changed what is to come: Arjona-Medina et al., "RUDDER: Return
Decomposition for Delayed Rewards" (2019), section 2, with the value function in place of an LSTM; every step gets
its difference and the rest is spread evenly, so that the sum is the return exactly. ``progress``: the same with the
automaton's potential in place of the value function, from the monitors' ``progress`` array; it is for environments
that say it, and no setting.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.credit.advantages import generalized_advantages
from agentc.runtime.learn.slots import Credit
from agentc.runtime.learn.trajectory import Evaluation, Trajectory

Floats = NDArray[np.float32]


def gae(discount: float, gae_lambda: float) -> Credit:
    """Generalised advantages."""

    def credit(trajectory: Trajectory, rewards: Floats, evaluation: Evaluation) -> Floats:
        return generalized_advantages(
            rewards,
            evaluation.values,
            trajectory.terminated,
            trajectory.truncated,
            evaluation.bootstrap,
            evaluation.last_value,
            discount,
            gae_lambda,
        )

    return credit


def return_to_go(discount: float, gae_lambda: float) -> Credit:
    """The return from each step on, minus its value: generalised advantages with lambda 1."""
    return gae(discount, 1.0)


def broadcast(discount: float, gae_lambda: float) -> Credit:
    """The return of the whole episode, for each of its steps."""

    def credit(trajectory: Trajectory, rewards: Floats, evaluation: Evaluation) -> Floats:
        returns = _episode_sums(rewards, trajectory.ended)
        advantages: Floats = (returns - evaluation.values).astype(np.float32)
        return advantages

    return credit


def redistribution(discount: float, gae_lambda: float) -> Credit:
    """Returns spread over steps by the change of the value; then generalised advantages of that."""

    def credit(trajectory: Trajectory, rewards: Floats, evaluation: Evaluation) -> Floats:
        spread = redistributed(rewards, evaluation.values, trajectory.ended)
        return gae(discount, gae_lambda)(trajectory, spread, evaluation)

    return credit


def progress(discount: float, gae_lambda: float) -> Credit:
    """Returns spread over steps by the automaton's progress; then generalised advantages of that.

    The credit raises ``KeyError`` for a trajectory whose monitors say no ``progress``.
    """

    def credit(trajectory: Trajectory, rewards: Floats, evaluation: Evaluation) -> Floats:
        said = trajectory.monitors["progress"].astype(np.float32)  # after each step
        before = np.zeros_like(said)
        before[1:] = np.where(trajectory.ended[:-1], 0.0, said[:-1])
        spread = redistributed(rewards, before, trajectory.ended, said)
        return gae(discount, gae_lambda)(trajectory, spread, evaluation)

    return credit


CREDITS: dict[str, Callable[[float, float], Credit]] = {
    "gae": gae,
    "return_to_go": return_to_go,
    "broadcast": broadcast,
    "redistribution": redistribution,
}
"""By name: makers of a credit from the discount and lambda."""


def redistributed(rewards: Floats, before: Floats, ended: NDArray[np.bool_], after: Floats | None = None) -> Floats:
    """Rewards ``(T, N)`` whose sum over every episode (or part of one) is the same, moved to where it was decided.

    Step ``t`` gets ``after[t] - before[t]``, plus the same share of what is then missing. Without ``after`` the
    estimate after a step is that before the next one, and at an end the return itself.
    """
    spread = np.empty_like(rewards)
    for i in range(rewards.shape[1]):
        begin = 0
        for stop in [*(np.flatnonzero(ended[:, i]) + 1).tolist(), len(rewards)]:
            if stop == begin:
                continue
            total = float(rewards[begin:stop, i].sum(dtype=np.float64))
            estimate = before[begin:stop, i].astype(np.float64)
            if after is not None:
                change = after[begin:stop, i].astype(np.float64) - estimate
            else:
                change = np.diff(np.append(estimate, estimate[-1]))
            change += (total - change.sum()) / (stop - begin)
            spread[begin:stop, i] = change
            begin = stop
    return spread


def _episode_sums(rewards: Floats, ended: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For every step the sum of its episode's rewards, as far as the trajectory holds it."""
    sums = np.zeros(rewards.shape)
    for i in range(rewards.shape[1]):
        begin = 0
        for stop in [*(np.flatnonzero(ended[:, i]) + 1).tolist(), len(rewards)]:
            sums[begin:stop, i] = rewards[begin:stop, i].sum(dtype=np.float64)
            begin = stop
    return sums
