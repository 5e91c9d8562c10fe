"""Windows of the past, and policies that need them."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.runtime.evaluate import run_episodes
from agentc.runtime.learn.architecture import Part
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.context.window import HistoryEnv, HistoryVector
from agentc.runtime.learn.networks.sequences import sequence_encoder
from agentc.runtime.learn.off_policy_config import SACConfig
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.train import train
from agentc.runtime.learn.vector import Restorable, SyncVector, VectorEnv

from .environments import Corridor, Target, vector_of


class Recall(gymnasium.Env):
    """A number is shown once; after two blank steps the action must repeat it."""

    observation_space = spaces.Box(-1, 1, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.number, self.time = int(self.np_random.integers(2)), 0
        return np.array([2 * self.number - 1, 0], np.float32), {}

    def step(self, action):
        self.time += 1
        done = self.time == 3
        paid = float(action == self.number) if done else 0.0
        return np.array([0, self.time == 2], np.float32), paid, done, False, {}


def test_windows_of_a_vector_and_of_one_environment():
    n, history = 3, 4
    vector, plain = HistoryVector(vector_of(n), history), vector_of(n)
    assert isinstance(vector, VectorEnv) and isinstance(vector, Restorable)
    seen, rows = vector.reset(5), plain.reset(5)
    past = [[r.copy()] for r in rows]
    rng = np.random.default_rng(0)

    def expected(rows):
        window = np.zeros((history, 5), np.float32)
        kept = rows[-history:]
        window[history - len(kept) :, :4], window[history - len(kept) :, 4] = kept, 1
        return window

    for t in range(60):
        for i in range(n):
            np.testing.assert_array_equal(seen[i], expected(past[i]))
        if t == 30:
            other = HistoryVector(vector_of(n), history)
            other.restore(vector.snapshot())
            vector = other
        actions = rng.integers(3, size=n)
        one, two = vector.step(actions), plain.step(actions)
        for i in range(n):
            past[i].append(two.final_observation[i].copy())
            np.testing.assert_array_equal(one.final_observation[i], expected(past[i]))
            if two.terminated[i] or two.truncated[i]:
                past[i] = [two.observation[i].copy()]
        seen = one.observation
    env = HistoryEnv(Corridor(), history)
    first, _ = env.reset(seed=0)
    second = env.step(1)[0]
    assert first.shape == (4, 5) and first[:3].sum() == 0 and first[3, 4] == 1
    np.testing.assert_array_equal(second[2], first[3])


@pytest.mark.parametrize("memory", ["gru", "transformer"])
def test_what_was_before_the_episode_is_not_read(memory):
    torch.manual_seed(0)
    module, size = sequence_encoder(Part("", "sequence", (5, 3), 15), memory, 8)
    x = torch.randn(2, 5, 3)
    x[..., -1] = 1.0
    x[:, :2, -1] = 0.0
    other = x.clone()
    other[:, :2, :2] = 7.0
    torch.testing.assert_close(module(x), module(other))
    other[:, 3, :2] = 7.0
    assert module(x).shape == (2, size) and not torch.allclose(module(x), module(other))


@pytest.mark.parametrize("memory", ["gru", "transformer", "flat"])
def test_a_policy_remembers(tmp_path, memory):
    config = PPOConfig(
        steps=6144, envs=8, rollout=32, hidden=16, layers=1, learning_rate=1e-2, history=4, memory=memory,
        entropy_coef=0.0, discount=0.95,
    )  # fmt: skip
    train(SyncVector([Recall] * 8), config, tmp_path)
    policy = Policy.load(tmp_path)
    episodes = run_episodes(Recall, policy, 30, seed=0, deterministic=True)
    assert np.mean([e.total_reward for e in episodes]) > 0.95  # without a memory: a half


def test_with_memory_runs_resume_exactly(tmp_path):
    for config, make in (
        (PPOConfig(steps=512, envs=2, rollout=32, hidden=8, history=3), Corridor),
        (
            SACConfig(steps=200, envs=2, rollout=40, hidden=8, batch=8, warmup=60, history=3, memory="transformer"),
            Target,
        ),
    ):
        name = config.algorithm
        train(vector_of(2, make), config, tmp_path / name / "whole")
        train(vector_of(2, make), config, tmp_path / name / "parts", callbacks=[lambda u: u.number == 2])
        resumed = train(vector_of(2, make), config, tmp_path / name / "parts", resume=True)
        assert resumed.resumed.startswith("exactly")
        one, two = load(tmp_path / name / "whole"), load(tmp_path / name / "parts")
        for key, array in one.tensors.items():
            np.testing.assert_array_equal(array, two.tensors[key], err_msg=key)
