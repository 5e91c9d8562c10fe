"""Teachers and resets: what they propose, what they learn, and that runs with them resume exactly."""

import gymnasium
import numpy as np
import pytest

from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.clustering import k_means
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.resets.snapshots import Replayed, Snapshots
from agentc.runtime.learn.slots import Reset, Stateful, Teacher
from agentc.runtime.learn.starts import Starts
from agentc.runtime.learn.teachers.alp_gmm import ALPGMM, fit
from agentc.runtime.learn.teachers.staged import Staged
from agentc.runtime.learn.teachers.uniform import Uniform
from agentc.runtime.learn.train import train
from agentc.runtime.learn.vector import SyncVector

from .environments import Corridor


class Tasked(Corridor):
    """A corridor that begins where the task says; a task of 0 is hardest."""

    def reset(self, *, seed=None, options=None):
        observation, info = super().reset(seed=seed)
        if options and "task" in options:
            self.at = round(options["task"][0] * (self.length - 2))
            observation = self._look()
        return observation, info


def test_they_are_what_the_slots_ask_for():
    assert isinstance(Uniform([0], [1]), Teacher) and isinstance(Staged([[0.0]], 1.0), Teacher)
    assert isinstance(ALPGMM([0], [1]), Teacher) and isinstance(ALPGMM([0], [1]), Stateful)
    assert isinstance(Snapshots([(0, [1, 2, 2], np.zeros((3, 2)))]), Reset)


def test_stages_follow_success():
    staged, rng = Staged([[1.0], [0.5], [0.0]], threshold=0.8, window=4), np.random.default_rng(0)
    for outcome, stage in ((1.0, 0), (1.0, 0), (1.0, 0), (1.0, 1), (1.0, 1), (0.0, 1), (1.0, 1), (1.0, 1)):
        staged.learn(staged.propose(0, rng), outcome)
        assert staged.stage == stage
    staged.learn(np.array([1.0]), 1.0)  # an episode of the stage before says nothing of this one
    again = Staged([[1.0], [0.5], [0.0]], threshold=0.8, window=4)
    again.restore(staged.state())
    for each in (staged, again):
        each.learn(np.array([0.5]), 1.0)
        assert each.stage == 1
        each.learn(np.array([0.5]), 1.0)
        assert each.stage == 2
    by_steps = Staged([[6.0], [13.0]], every=100)
    assert [by_steps.propose(t, rng)[0] for t in (0, 99, 100, 500)] == [6, 6, 13, 13]
    for wrong in (([], 1.0, 2, 0), ([[0.0]], None, 2, 0), ([[0.0]], 1.0, 2, 5)):
        with pytest.raises(ValueError):
            Staged(*wrong)


def test_a_mixture_finds_two_heaps():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(0, 0.05, (200, 2)), rng.normal(1, 0.05, (100, 2))])
    mixture, _ = fit(rows, 2, rng)
    order = mixture.means[:, 0].argsort()
    np.testing.assert_allclose(mixture.means[order], [[0, 0], [1, 1]], atol=0.03)
    np.testing.assert_allclose(mixture.weights[order], [2 / 3, 1 / 3], atol=0.01)


def test_the_teacher_proposes_where_returns_change():
    """Returns are noise between 0.6 and 0.8 of the first parameter and constant elsewhere."""
    teacher, rng = ALPGMM([0, 0], [1, 10], fit_every=150), np.random.default_rng(0)
    proposed = []
    for k in range(900):
        task = teacher.propose(0, rng)
        assert (task >= 0).all() and (task <= [1, 10]).all()
        teacher.learn(task, float(rng.random()) if 0.6 < task[0] < 0.8 else 0.0)
        if k == 500:
            again = ALPGMM([0, 0], [1, 10], fit_every=150)
            again.restore(teacher.state())
            one, two = np.random.default_rng(9), np.random.default_rng(9)
            np.testing.assert_array_equal(teacher.propose(0, one), again.propose(0, two))
        proposed.append(task[0])
    late = np.array(proposed[-300:])
    assert ((late > 0.55) & (late < 0.85)).mean() > 0.5  # uniform: 0.3


def test_clusters():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(c, 0.1, (30, 2)) for c in (0, 5, 10)])
    nearest = k_means(rows, 3, rng)
    assert all(len(set(nearest[30 * k : 30 * k + 30].tolist())) == 1 for k in range(3))
    assert len(set(nearest.tolist())) == 3


def recorded(seed, steps=40):
    env, rng = gymnasium.make("CartPole-v1"), np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    actions, seen = [], []
    for _ in range(steps):
        seen.append(observation)
        actions.append(int(rng.integers(2)))
        observation, _, ended, _, _ = env.step(actions[-1])
        if ended:
            break
    return seed, actions, np.array(seen)


def test_snapshots_begin_inside_a_teachers_episode():
    episodes = [recorded(s) for s in range(4)]
    reset, rng = Snapshots(episodes, clusters=3, until=1000), np.random.default_rng(0)
    env = gymnasium.wrappers.TimeLimit(Replayed(gymnasium.make("CartPole-v1").unwrapped, limit=5), 500)
    states = np.concatenate([o[1:] for _, _, o in episodes])
    for _ in range(30):
        snapshot = reset.choose(10, rng)
        observation, _ = env.reset(options={"snapshot": snapshot})
        assert np.abs(states - observation).max(axis=1).min() == 0.0
        steps, over = 0, False
        while not over:
            _, _, terminated, truncated, _ = env.step(steps % 2)
            steps, over = steps + 1, terminated or truncated
        assert terminated or steps == 5
    assert reset.choose(1000, rng) is None


@pytest.mark.parametrize("kind", ["alp", "staged"])
def test_runs_with_a_teacher_resume_exactly(tmp_path, kind):
    config = PPOConfig(steps=2048, envs=2, rollout=32, hidden=8)

    def starts():
        return Starts(ALPGMM([0.0], [1.0], fit_every=40) if kind == "alp" else Staged([[1.0], [0.0]], 0.9), seed=3)

    train(SyncVector([Tasked] * 2), config, tmp_path / "whole", starts=starts())
    train(SyncVector([Tasked] * 2), config, tmp_path / "parts", starts=starts(), callbacks=[lambda u: u.number == 20])
    resumed = train(SyncVector([Tasked] * 2), config, tmp_path / "parts", resume=True, starts=starts())
    assert resumed.resumed.startswith("exactly")
    one, two = load(tmp_path / "whole"), load(tmp_path / "parts")
    assert one.tensors.keys() == two.tensors.keys() and any(k.startswith("starts/teacher") for k in one.tensors)
    for key, array in one.tensors.items():
        np.testing.assert_array_equal(array, two.tensors[key], err_msg=key)
