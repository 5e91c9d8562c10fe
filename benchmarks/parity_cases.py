"""What parity is measured on: the tasks, the settings of the published runs, what was published.

The settings are those with which the figures were got, as far as our learners have them; what they have not is said in
``differs``. Figures and settings: the documentation of CleanRL (Huang et al., JMLR 23, 2022: ``ppo.py``,
``sac_continuous_action.py``), and the benchmark and hyperparameters of rl-baselines3-zoo (Raffin, 2020).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agentc.compiler.settings import Scalar
from agentc.runtime.envs.vector_classic import vector_env
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.off_policy_config import SACConfig
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.vector import SyncVector, VectorEnv

UNSEEN = 1_000_000
"""Added to a run's seed for the episodes in which its policy is judged."""

Vector = Callable[[int], VectorEnv]


@dataclass(frozen=True)
class Case:
    """A task with its settings and the published figure: ``published`` plus or minus ``half``.

    ``stated`` are the settings of the ``learner``; what is not among them is as it is by default.
    ``half`` is as published (deviation over runs), or 1.96 standard errors of the published episodes. ``episodes`` are
    those in which a trained policy is judged, ``greedy`` whether by its likeliest action; 0 takes the mean of the last
    100 episodes of training, which is what CleanRL publishes.
    """

    title: str
    vector: Vector
    learner: type[TrainingConfig]
    stated: Mapping[str, Scalar]
    published: float
    half: float
    source: str
    seeds: int = 10
    episodes: int = 0
    greedy: bool = False
    differs: str = ""

    @property
    def config(self) -> TrainingConfig:
        """The learner's configuration."""
        stated: dict[str, Any] = dict(self.stated)
        return self.learner(**stated)

    @property
    def lower(self) -> float:
        """Where the published interval begins."""
        return self.published - self.half

    @property
    def upper(self) -> float:
        """Where the published interval ends."""
        return self.published + self.half

    @property
    def settings(self) -> str:
        """12 hexadecimal digits of the settings and of how a run is judged: a record of others does not count."""
        said = [self.learner.algorithm, dict(self.stated), self.title, self.episodes, self.greedy]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:12]


def flat_doorkey(copies: int) -> VectorEnv:
    """``MiniGrid-DoorKey-5x5-v0`` as the zoo sees it: image and mission as one vector."""
    import minigrid  # noqa: F401 - registers the environments
    from minigrid.wrappers import FlatObsWrapper

    return SyncVector(
        [lambda: FlatObsWrapper(gymnasium.make("MiniGrid-DoorKey-5x5-v0", disable_env_checker=True))] * copies
    )


CASES: dict[str, Case] = {
    "cartpole": Case(
        "PPO on CartPole-v1, 500,000 steps",
        lambda copies: vector_env("CartPole-v1", copies),
        PPOConfig,
        dict(
            steps=500_000, envs=4, rollout=128, learning_rate=2.5e-4, anneal=True, epochs=4, minibatches=4,
            gae_lambda=0.95, clip_low=0.2, clip_high=0.2, value_clip=0.2, entropy_coef=0.01, value_coef=0.5,
            max_grad_norm=0.5, hidden=64, layers=2, activation="tanh", discount=0.99,
        ),
        490.04,
        6.12,
        "CleanRL, ppo.py: mean and deviation of three runs",
        differs="episodes that are cut off are bootstrapped, as in none of CleanRL's runs",
    ),
    "pendulum": Case(
        "SAC on Pendulum-v1, 20,000 steps",
        lambda copies: vector_env("Pendulum-v1", copies),
        SACConfig,
        dict(
            steps=20_000, learning_rate=1e-3, warmup=100, batch=256, tau=0.005, replay_size=1_000_000, hidden=256,
            layers=2, activation="relu", discount=0.99,
        ),
        -156.995,
        1.96 * 88.714 / 750**0.5,
        "rl-baselines3-zoo: one run, 750 episodes with deviation 88.7",
        episodes=750,
        greedy=True,
    ),
    "doorkey": Case(
        "PPO on MiniGrid-DoorKey-5x5-v0, 100,000 steps",
        flat_doorkey,
        PPOConfig,
        dict(
            steps=100_000, envs=8, rollout=128, learning_rate=2.5e-4, anneal=False, epochs=10, minibatches=16,
            gae_lambda=0.95, clip_low=0.2, clip_high=0.2, entropy_coef=0.0, value_coef=0.5, max_grad_norm=0.5,
            hidden=64, layers=2, activation="tanh", discount=0.99, normalize_observations=True, normalize_rewards=True,
        ),
        0.96,
        0.01,
        "rl-baselines3-zoo: one run; 0.01 is the deviation of its episodes",
        episodes=100,
    ),
    "half_cheetah": Case(
        "SAC on HalfCheetah, 1,000,000 steps",
        lambda copies: SyncVector([lambda: gymnasium.make("HalfCheetah-v5", disable_env_checker=True)] * copies),
        SACConfig,
        dict(
            steps=1_000_000, learning_rate=3e-4, warmup=10_000, batch=256, tau=0.005, replay_size=1_000_000,
            hidden=256, layers=2, activation="relu", discount=0.99, checkpoint=300.0,
        ),
        9634.89,
        1423.73,
        "CleanRL, sac_continuous_action.py: mean and deviation of three runs",
        seeds=1,
        differs="one step size for critics and policy, 3e-4 (the zoo's); CleanRL's critics have 1e-3",
    ),
}  # fmt: skip
"""The cases by name. ``half_cheetah`` takes hours and is run only where it is named."""


def play(env: VectorEnv, policy: Policy, seed: int, *, greedy: bool) -> NDArray[np.float64]:
    """The returns ``(num_envs,)`` of the first episode of every environment."""
    observation, mask = env.reset(seed), env.action_mask
    returns, open_ = np.zeros(env.num_envs), np.ones(env.num_envs, np.bool_)
    randomness = None if greedy else np.random.default_rng([seed, 1])
    while open_.any():
        batch = env.step(policy.act(observation, mask, randomness))
        returns += np.where(open_, batch.reward, 0.0)
        open_ &= ~(batch.terminated | batch.truncated)
        observation, mask = batch.observation, batch.action_mask
    return returns


def judged(case: Case, folder: Path, seed: int) -> float:
    """The figure of a run that has ended, or of as much of it as there is."""
    if case.episodes == 0:
        return float(read_metrics(folder)[-1]["episodes"]["mean_return"])
    env = case.vector(case.episodes)
    try:
        return float(play(env, Policy.load(folder), UNSEEN + seed, greedy=case.greedy).mean())
    finally:
        env.close()


def curve(folder: Path, points: int) -> list[tuple[int, float]]:
    """At most ``points`` pairs of steps and the mean return of the last 100 episodes, evenly spread over a run."""
    found = []
    for line in read_metrics(folder):
        value = line.get("episodes", {}).get("mean_return")
        if value is not None:
            found.append((int(line["steps"]), round(float(value), 4)))
    if len(found) <= points:
        return found
    chosen = np.linspace(0, len(found) - 1, points).round().astype(int)
    return [found[k] for k in chosen.tolist()]
