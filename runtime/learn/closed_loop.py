"""A network in the loop with the equations of a declared system, in torch: trajectories, with gradients through both.

The network says the inputs of one step, or of several at once: then it is asked again when they are used up.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from agentc.compiler.systems.dynamics import bounds
from agentc.runtime.learn.networks.actor_critic import ActorCritic, Inputs
from agentc.runtime.simulate import TorchSimulator

Read = Callable[[Tensor, int], Inputs]
"""What a network reads of states ``(batch, n)`` at a step."""


class ClosedLoop:
    """Trajectories of a system of one mode, whose inputs a network or a sequence says.

    Args:
        simulator: the system; its numbers are of its type.
        read: what a network reads.
    """

    def __init__(self, simulator: TorchSimulator, read: Read, dtype: torch.dtype = torch.float64) -> None:
        self.simulator, self._read, self._dtype = simulator, read, dtype
        self.lo, self.hi = (torch.tensor(b, dtype=dtype) for b in bounds(simulator.system.inputs))
        self.middle, self.half = (self.lo + self.hi) / 2, (self.hi - self.lo) / 2

    def inputs(self, network: ActorCritic, state: Tensor, t: int) -> Tensor:
        """The inputs of the next steps, ``(batch, ahead, m)``, within their ranges; gradients go through.

        ``ahead`` is how many steps the network's outputs are for.
        """
        said: Tensor = network.policy(self._read(state, t)).mode().to(self._dtype)
        found: Tensor = self.middle + self.half * said.view(len(state), -1, len(self.lo))
        return found

    def run(
        self, policy: ActorCritic | Tensor, start: Tensor, noise: Tensor, first: int = 0, asked: int = 0
    ) -> tuple[Tensor, Tensor]:
        """States ``(batch, steps + 1, n)`` and inputs ``(batch, steps, m)``, from step ``first`` on.

        ``policy`` is a network or inputs ``(batch, steps, m)``, ``noise`` the disturbances ``(batch, steps, k)``, which
        say how many steps. If ``asked`` is not 0, a network is asked for the second time after so many steps, and only
        from then on whenever its inputs are used up.
        """
        state, mode = start, torch.zeros(len(start), dtype=torch.int64)
        states, inputs = [state], []
        said, used = policy if isinstance(policy, Tensor) else None, 0
        for t in range(noise.shape[1]):
            if not isinstance(policy, Tensor) and (said is None or used == said.shape[1] or t == asked):
                said, used = self.inputs(policy, state, first + t), 0
            assert said is not None
            given, used = said[:, used], used + 1
            state, mode = self.simulator.step(state, mode, given, noise[:, t])
            states.append(state)
            inputs.append(given)
        none = torch.zeros((len(start), 0, len(self.lo)), dtype=self._dtype)
        return torch.stack(states, 1), torch.stack(inputs, 1) if inputs else none
