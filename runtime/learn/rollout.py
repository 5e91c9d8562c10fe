"""Acting: a policy steps a :class:`VectorEnv` and the record is written."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.networks import ActorCritic
from agentc.runtime.learn.statistics import EpisodeWindow
from agentc.runtime.learn.trajectory import Recorder, Trajectory, parts
from agentc.runtime.learn.vector import Array, VectorEnv


class Rollout:
    """Collects trajectories one after the other; episodes go on from one to the next."""

    def __init__(self, env: VectorEnv, network: ActorCritic, steps: int, seed: int, window: EpisodeWindow) -> None:
        """Reset ``env`` with ``seed``; trajectories have at most ``steps`` steps."""
        self._env = env
        self._network = network
        self._window = window
        self._observation = parts(env.reset(seed))
        self._mask = env.action_mask
        head = network.architecture.action
        n = env.num_envs
        self._discrete = head.kind == "categorical"
        self._size = head.size
        self._low = np.array(head.low, np.float32)
        self._high = np.array(head.high, np.float32)
        action = np.zeros(n, np.int64) if self._discrete else np.zeros((n, head.size), np.float32)
        self._recorder = Recorder(self._observation, action, self._mask, steps)
        self._floats = [k for k, a in self._observation.items() if np.issubdtype(a.dtype, np.floating)]

    def collect(self, steps: int, taken: int, randomness: np.random.Generator) -> Trajectory:
        """Act for ``steps`` steps; ``taken`` environment steps were taken before (it is for diagnostics).

        Raises AS0941 where an observation or a reward is not finite, AS0943 where no action is legal.
        """
        env, network, recorder = self._env, self._network, self._recorder
        n = env.num_envs
        observation, mask = self._observation, self._mask
        self._check_observation(observation, taken)
        if self._discrete:
            noise = torch.from_numpy(randomness.random((steps, n), np.float32))
        else:
            noise = torch.from_numpy(randomness.standard_normal((steps, n, self._size), np.float32))
        shape = (n, *network.architecture.action.shape)
        with torch.inference_mode():
            for t in range(steps):
                if mask is not None:
                    self._check_mask(mask, taken + t * n)
                recorder.before(t, observation, mask)
                policy = network.policy(network.inputs(observation), None if mask is None else torch.from_numpy(mask))
                action: Array = policy.sample(noise[t]).numpy()
                if self._discrete:
                    batch = env.step(action)
                else:
                    batch = env.step(action.clip(self._low, self._high).reshape(shape))
                now = taken + (t + 1) * n
                if not np.isfinite(batch.reward).all():
                    raise self._not_finite("reward", batch.reward, now)
                final = parts(batch.final_observation)
                recorder.after(t, action, batch.reward, batch.terminated, batch.truncated, final)
                ended = batch.terminated | batch.truncated
                if ended.any():
                    self._check_observation(final, now)
                    self._window.add(ended, batch.info)
                observation, mask = parts(batch.observation), batch.action_mask
                self._check_observation(observation, now)
        self._observation, self._mask = observation, mask
        return recorder.take(observation, steps)

    def _check_observation(self, observation: dict[str, Array], step: int) -> None:
        for key in self._floats:
            if not np.isfinite(observation[key]).all():
                raise self._not_finite(f"observation `{key}`" if key else "observation", observation[key], step)

    @staticmethod
    def _check_mask(mask: NDArray[np.bool_], step: int) -> None:
        legal = mask.any(axis=1)
        if not legal.all():
            raise AgentcError([report("AS0943", None, env=int(np.argmin(legal)), step=step)])

    @staticmethod
    def _not_finite(name: str, array: Array, step: int) -> AgentcError:
        where = tuple(int(i[0]) for i in np.nonzero(~np.isfinite(array)))
        return AgentcError([report("AS0941", None, array=name, env=where[0], value=float(array[where]), step=step)])
