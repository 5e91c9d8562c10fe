"""The policy gradient: its step is the one written out, and a corridor is learned by it."""

import numpy as np
import pytest
import torch

from agentc.runtime.evaluate import run_episodes
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.reinforce import ReinforceConfig, reinforce
from agentc.runtime.learn.train import train
from agentc.runtime.learn.trajectory import Finals, Trajectory

from .environments import Corridor, vector_of


@pytest.mark.parametrize("baseline", [True, False])
def test_the_gradient_is_that_of_log_probabilities_times_returns(baseline):
    env = vector_of(2)
    config = ReinforceConfig(
        hidden=8, layers=1, discount=0.9, baseline=baseline, entropy_coef=0.0, value_coef=0.0, max_grad_norm=0.0
    )
    learner = reinforce(
        architecture_for(env.observation_space, env.action_space, hidden=8, layers=1),
        config,
        torch.Generator().manual_seed(0),
        env,
    )
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((3, 2, 4)).astype(np.float32)
    rewards = rng.standard_normal((3, 2)).astype(np.float32)
    ended = np.array([[False, False], [True, False], [True, True]])
    none = np.zeros(0, np.int64)
    trajectory = Trajectory(
        {"": seen}, rng.integers(3, size=(3, 2)), rewards, ended, np.zeros_like(ended),
        Finals(none, none, {"": np.zeros((0, 4), np.float32)}), {"": seen[0]},
    )  # fmt: skip
    returns = np.zeros((3, 2))
    later = np.zeros(2)
    for t in (2, 1, 0):
        later = returns[t] = rewards[t] + 0.9 * later * ~ended[t]
    network = learner.network
    flat = torch.from_numpy(seen.reshape(6, 4))
    worth = returns.reshape(6) - (network.value((flat,)).detach().numpy() if baseline else 0.0)
    worth = torch.from_numpy((worth - worth.mean()) / (worth.std(ddof=1) + 1e-8)).float()
    log_probs = network.policy((flat,)).log_prob(torch.from_numpy(trajectory.actions.reshape(6)))
    parameters = list(network.actor.parameters())
    expected = torch.autograd.grad(-(log_probs * worth).mean(), parameters)
    learner.update(trajectory, rewards, 0.0, rng, (6, 1))
    for p, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(p.grad, gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("baseline", [True, False])
def test_a_corridor_is_learned(tmp_path, baseline):
    config = ReinforceConfig(
        steps=6144, envs=4, rollout=32, hidden=16, learning_rate=1e-2, discount=0.9, baseline=baseline
    )
    train(vector_of(4), config, tmp_path)
    episodes = run_episodes(Corridor, Policy.load(tmp_path), 20, seed=1, deterministic=True)
    assert all(e.terminated and e.length <= 3 for e in episodes)
