"""What a policy sees of a state: the outputs of the system, and of those that are angles the cosine and the sine.

A heading that has turned round once is another number and the same situation; a network would have to learn that for
every turn anew. What counts as an angle says :func:`agentc.compiler.systems.periodic.periodic`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.systems.periodic import periodic
from agentc.runtime.planning.problem import Problem


class Outputs:
    """The outputs of a problem's system as a policy sees them.

    ``plain`` and ``angles`` are the indices of states; a policy sees the plain ones, then all cosines, then all sines.
    """

    def __init__(self, problem: Problem) -> None:
        system = problem.system
        angles = periodic(system, (problem.formula,))
        shown = [i for i, v in enumerate(system.states) if v.name in system.outputs]
        self.plain = tuple(i for i in shown if system.states[i].name not in angles)
        self.angles = tuple(i for i in shown if system.states[i].name in angles)

    @property
    def size(self) -> int:
        """How many numbers are seen."""
        return len(self.plain) + 2 * len(self.angles)

    def seen(self, state: NDArray[np.float64]) -> NDArray[np.float32]:
        """What is seen of states ``(batch, n)``, ``(batch, size)``."""
        turned = state[:, self.angles]
        return np.concatenate([state[:, self.plain], np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)
