"""Credit: generalised advantage estimation.

Schulman et al., "High-Dimensional Continuous Control Using Generalized Advantage Estimation" (2016),
equations 11, 12 and 16. An episode that *terminated* is worth nothing afterwards; one that was *truncated*
is worth the value of its true last observation (Pardo et al., "Time Limits in Reinforcement Learning",
2018).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


def generalized_advantages(
    rewards: Floats,
    values: Floats,
    terminated: Bools,
    truncated: Bools,
    bootstrap: Floats,
    last_value: Floats,
    discount: float,
    gae_lambda: float,
) -> Floats:
    """The advantage of every step, ``(time, envs)``; ``advantages + values`` are the value targets.

    ``values`` are those of the observations acted on; ``bootstrap[t, i]`` is the value of the true last
    observation where an episode was truncated at ``t`` (elsewhere it is not read), and ``last_value``
    ``(envs,)`` that of the observation after the last step.
    """
    ended = terminated | truncated
    following = np.empty_like(values)
    following[:-1] = values[1:]
    following[-1] = last_value
    following = np.where(ended, np.where(terminated, np.float32(0), bootstrap), following)
    advantages = rewards + np.float32(discount) * following - values  # eq. 10: the TD residuals
    decay = np.float32(discount * gae_lambda) * ~ended
    running = np.zeros_like(last_value)
    for t in range(len(rewards) - 1, -1, -1):  # eq. 16, backwards
        running = advantages[t] + decay[t] * running
        advantages[t] = running
    return advantages
