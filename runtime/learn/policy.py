"""A trained policy, for evaluation and deployment: weights and architecture from a checkpoint, no learner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agentc.runtime.learn import checkpoint as checkpoints
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.checkpoint import Checkpoint
from agentc.runtime.learn.networks import ActorCritic
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Array, Observation


class Policy:
    """Chooses actions for batches of observations."""

    def __init__(self, network: ActorCritic) -> None:
        self._network = network
        head = network.architecture.action
        self._discrete = head.kind == "categorical"
        self._size = head.size
        self._low, self._high = np.array(head.low, np.float32), np.array(head.high, np.float32)

    @property
    def architecture(self) -> Architecture:
        """What the network is."""
        return self._network.architecture

    @staticmethod
    def load(path: Path) -> Policy:
        """From the checkpoint in a folder. Raises AS0840 where there is none, AS0841 where it is damaged."""
        return Policy.of(checkpoints.load(path), path)

    @staticmethod
    def of(saved: Checkpoint, path: Path) -> Policy:
        """From a checkpoint that was read from ``path``."""
        try:
            network = ActorCritic(Architecture.from_data(saved.architecture))
            network.load_state_dict({k: torch.from_numpy(a) for k, a in saved.group("network").items()})
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise checkpoints.damaged(path, f"{type(error).__name__}: {error}") from None
        return Policy(network)

    def act(
        self, observation: Observation, mask: NDArray[np.bool_] | None, randomness: np.random.Generator | None
    ) -> Array:
        """One action per row of a batch: drawn with ``randomness``, or the likeliest where that is None.

        Returns int64 ``(batch,)`` or float32 ``(batch, *shape)`` within the bounds of the space.
        """
        with torch.inference_mode():
            inputs = self._network.inputs(parts(observation))
            policy = self._network.policy(inputs, None if mask is None else torch.from_numpy(mask))
            if randomness is None:
                action: Array = policy.mode().numpy()
            else:
                batch = len(inputs[0])
                if self._discrete:
                    noise = randomness.random(batch, np.float32)
                else:
                    noise = randomness.standard_normal((batch, self._size), np.float32)
                action = policy.sample(torch.from_numpy(noise)).numpy()
        if self._discrete:
            return action
        return action.clip(self._low, self._high).reshape(-1, *self.architecture.action.shape)
