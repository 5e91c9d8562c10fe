"""Stable-Baselines3's PPO on the compiled reward of a spec over MiniGrid, at the settings of the spec.

:class:`Rows` gives it our vectorised environments (:class:`agentc.runtime.spec_vector.SpecVectorEnv`) with what ours
reads: the cells one-hot, the direction, the mission's words and the states of the automata, as one vector. Its
network, batches, passes, step size and entropy bonus are those of ``train ppo``. It has no bonus for what is new, which
is a part of our learner and not of the reward. ``agentc bench minigrid-learning TASK`` runs it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from agentc.runtime.cli.waiting import Waiting
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.architecture import GRID_CODES
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.vector import Array, Observation
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.training import configuration


def vectors(observation: Observation) -> NDArray[np.float32]:
    """Observations of MiniGrid under a spec as vectors ``(N, size)`` of zeros and ones."""
    assert isinstance(observation, dict)
    image = observation["image"]
    n = len(image)
    offsets = np.cumsum([0, *GRID_CODES[:-1]])
    cells = np.arange(image[0, :, :, 0].size) * sum(GRID_CODES)
    index = image.reshape(n, -1, len(GRID_CODES)) + (cells[:, None] + offsets)
    grid = np.zeros((n, len(cells) * sum(GRID_CODES)), np.float32)
    np.put_along_axis(grid, index.reshape(n, -1), 1.0, axis=1)
    direction = np.eye(4, dtype=np.float32)[observation["direction"]]
    rest = [observation[key] for key in sorted(observation) if key not in ("image", "direction")]
    return np.concatenate([grid, direction, *rest], axis=1)


class Rows(VecEnv):
    """A :class:`SpecVectorEnv` over MiniGrid as an environment of Stable-Baselines3."""

    def __init__(self, env: SpecVectorEnv, seed: int) -> None:
        self._env, self._begun = env, env.reset(seed)
        size = vectors(self._begun).shape[1]
        super().__init__(env.num_envs, spaces.Box(0.0, 1.0, (size,), np.float32), env.action_space)
        self._actions: Array = np.zeros(env.num_envs, np.int64)

    def reset(self) -> NDArray[np.float32]:
        """The first observations; Stable-Baselines3 asks once."""
        return vectors(self._begun)

    def step_async(self, actions: Array) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Act; episodes that end begin anew."""
        batch = self._env.step(self._actions)
        ended = batch.terminated | batch.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if ended.any():
            finals = vectors(batch.final_observation)
            for row in np.flatnonzero(ended).tolist():
                infos[row] = {
                    "terminal_observation": finals[row],
                    "TimeLimit.truncated": bool(batch.truncated[row] and not batch.terminated[row]),
                }
        return vectors(batch.observation), batch.reward, ended, infos

    def close(self) -> None:
        """Close the environments."""
        self._env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """What Stable-Baselines3 asks: nothing is rendered."""
        return [None] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not asked for."""
        raise NotImplementedError

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Not asked for."""
        raise NotImplementedError

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """Nothing wraps them."""
        return [False] * self.num_envs


class Acting:
    """A model of Stable-Baselines3 as an actor of :func:`agentc.runtime.evaluate.run_episodes`."""

    def __init__(self, model: PPO) -> None:
        self._model = model

    def act(
        self, observation: Observation, mask: NDArray[np.bool_] | None, randomness: np.random.Generator | None
    ) -> Array:
        """One action per row, drawn by torch's generator where ``randomness`` is given."""
        actions: Array = self._model.predict(vectors(observation), deterministic=randomness is None)[0]
        return actions


class _Told(BaseCallback):
    """Says how far a run is."""

    def __init__(self, title: str, steps: int, waiting: Waiting) -> None:
        super().__init__()
        self._title, self._steps, self._waiting = title, steps, waiting

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.n_calls % 2000 == 0:
            self._waiting(f"{self._title}: {self.num_timesteps:,} of {self._steps:,} steps")


def trained(agent: CompiledAgent, seed: int, steps: int) -> Acting:
    """Stable-Baselines3's PPO after so many steps on the reward of ``agent``, whose ``train`` block is ``ppo``."""
    import torch

    config = configuration(agent.agent, seed)
    assert isinstance(config, PPOConfig)
    rate = config.learning_rate
    layers, batch = [config.hidden] * config.layers, config.envs * config.rollout // config.minibatches
    torch.set_num_threads(1)
    model = PPO(
        "MlpPolicy", Rows(SpecVectorEnv(agent, config.envs), seed), n_steps=config.rollout, batch_size=batch,
        n_epochs=config.epochs, learning_rate=(lambda left: rate * left) if config.anneal else rate,
        gamma=config.discount, gae_lambda=config.gae_lambda, clip_range=config.clip_low,
        ent_coef=config.entropy_coef, vf_coef=config.value_coef, max_grad_norm=config.max_grad_norm, seed=seed,
        policy_kwargs={"net_arch": {"pi": layers, "vf": layers}}, device="cpu",
    )  # fmt: skip
    with Waiting() as waiting:
        model.learn(steps, callback=_Told(f"{agent.agent.name}, Stable-Baselines3, seed {seed}", steps, waiting))
    return Acting(model)
