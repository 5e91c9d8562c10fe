"""N environments with a spec as a ``gymnasium.vector.VectorEnv``, for other people's learners."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from agentc.runtime.learn.vector import Observation
from agentc.runtime.spec_vector import SpecVectorEnv


class SpecGymVector(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """A :class:`SpecVectorEnv` as a ``gymnasium.vector.VectorEnv`` with same-step autoreset.

    On steps on which episodes ended, ``infos`` holds ``final_obs`` (objects ``(N,)``) with the mask ``_final_obs``,
    and ``final_info`` with the statistics of :class:`StepBatch` and the mask ``_final_info``.
    """

    def __init__(self, vector: SpecVectorEnv) -> None:
        self.vector = vector
        self.num_envs = vector.num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space, self.single_action_space = vector.observation_space, vector.action_space
        self.observation_space = batch_space(vector.observation_space, self.num_envs)
        self.action_space = batch_space(vector.action_space, self.num_envs)
        space = vector.action_space
        self._start = int(space.start) if isinstance(space, spaces.Discrete) else 0

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; of a list of seeds, the first counts."""
        one = seed[0] if isinstance(seed, list) else seed
        observation = self.vector.reset(one)
        return _kept(observation), self._mask()

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Act in every environment."""
        batch = self.vector.step(np.asarray(actions) - self._start if self._start else np.asarray(actions))
        infos: dict[str, Any] = self._mask()
        ended = batch.terminated | batch.truncated
        if ended.any():
            final = np.empty(self.num_envs, object)
            for i in np.flatnonzero(ended):
                final[i] = _row(batch.final_observation, int(i))
            infos |= {"final_obs": final, "_final_obs": ended, "final_info": dict(batch.info), "_final_info": ended}
        observation = _kept(batch.observation)
        return observation, batch.reward.astype(np.float64), batch.terminated, batch.truncated, infos

    def _mask(self) -> dict[str, Any]:
        mask = self.vector.action_mask
        return {} if mask is None else {"action_mask": mask, "_action_mask": np.ones(self.num_envs, np.bool_)}

    def close_extras(self, **kwargs: Any) -> None:
        """Close every environment."""
        self.vector.close()

    def render(self) -> tuple[Any, ...] | None:
        """What each environment renders."""
        return tuple(self.vector.render())


def _row(observation: Observation, i: int) -> Any:
    return {k: v[i].copy() for k, v in observation.items()} if isinstance(observation, dict) else observation[i].copy()


def _kept(observation: Observation) -> Any:
    return {k: v.copy() for k, v in observation.items()} if isinstance(observation, dict) else observation.copy()
