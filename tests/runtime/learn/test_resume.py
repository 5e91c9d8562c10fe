"""Kill and resume: the run that goes on is the run that never stopped, to the byte."""

import json
import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.demonstrations.recording import record
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.registry import LEARNERS
from agentc.runtime.learn.train import train
from agentc.runtime.learn.vector import Restorable, SyncVector
from agentc.runtime.spec_env import compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv

from . import killable as killed
from .environments import Corridor

SPECS = Path(__file__).parents[3] / "specs"


def files(folder):
    """Everything a run leaves but the clock."""
    lines = [{k: v for k, v in line.items() if k != "wall"} for line in read_metrics(folder)]
    held = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "metrics.jsonl"}
    return held, lines


class Random:
    """Pushes a cart, or a pendulum."""

    def __init__(self, discrete):
        self.discrete = discrete

    def act(self, observation, mask, randomness):
        if self.discrete:
            return randomness.integers(2, size=1)
        return randomness.uniform(-2, 2, (1, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def killable(tmp_path_factory):
    """Train a kind in a folder, and be killed at a place; what the process says."""
    folder = tmp_path_factory.mktemp("killed")
    record(lambda: gymnasium.make("CartPole-v1"), Random(True), 4, 0, folder / "cart")
    record(lambda: gymnasium.make("Pendulum-v1", max_episode_steps=50), Random(False), 2, 0, folder / "pendulum")
    script = Path(__file__).parent / "killable.py"
    with subprocess.Popen(
        [sys.executable, str(script), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def run(kind, out, at=None):
            process.stdin.write(json.dumps({"kind": kind, "out": str(out), "at": at}) + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield run
        process.stdin.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed that were forked")
@pytest.mark.parametrize("kind", [*killed.SPECS, *killed.recorded(Path())])
def test_killed_and_resumed_is_never_stopped(tmp_path, killable, kind):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    steps = killable(kind, whole).split()[-1]
    updates = []
    # One update further each time: before its checkpoint, inside the next, and between the files of a checkpoint.
    for at in (("logged", 2), ("learning", 2), ("saving", 3), ("saving", 4)):
        assert killable(kind, parts, at) == "killed"
        updates.append(load(parts).counters["updates"])
    assert updates == [1, 2, 3, 4]
    assert killable(kind, parts).startswith("exactly")
    assert files(whole) == files(parts)
    assert len(read_metrics(whole)) > 5 and str(load(whole).counters["steps"]) == steps


def test_every_learner_is_killed():
    assert {kind.split()[0] for kind in (*killed.SPECS, *killed.recorded(Path()))} == set(LEARNERS)


def walked(env, steps, rng):
    for _ in range(steps):
        env.step(rng.integers(env.action_space.n, size=env.num_envs))


@pytest.mark.parametrize("spec", ["doorkey", "cartpole", "office_coffee"])
def test_a_spec_goes_on_inside_its_episodes(spec):
    compiled: CompiledAgent = compiled_spec(SPECS / f"{spec}.agentspec")
    first, second = SpecVectorEnv(compiled, 3), SpecVectorEnv(compiled, 3)
    assert isinstance(first, Restorable)
    rng = np.random.default_rng(0)
    first.reset(7)
    walked(first, 333, rng)
    second.reset(8)
    second.restore(first.snapshot())
    for _ in range(200):
        actions = rng.integers(first.action_space.n, size=3)
        one, two = first.step(actions), second.step(actions)
        assert one.reward.tobytes() == two.reward.tobytes()
        assert (one.terminated == two.terminated).all() and (one.truncated == two.truncated).all()
        for key in one.observation:
            np.testing.assert_array_equal(one.observation[key], two.observation[key])
        for key in one.info:
            np.testing.assert_array_equal(one.info[key], two.info[key])
    first.close(), second.close()


class Asked(Corridor):
    """Gives its state, and would not come back by being played again."""

    def __init__(self):
        super().__init__()
        self.drift = 0

    def reset(self, *, seed=None, options=None):
        self.drift += 1
        observation, info = super().reset(seed=seed)
        return observation, info

    def snapshot(self):
        generator = json.dumps(self.np_random.bit_generator.state).encode()
        return {
            "state": np.array([self.at, self.time, self.drift]),
            "generator": np.frombuffer(generator, np.uint8),
        }

    def restore(self, state):
        super().reset(seed=0)
        self.at, self.time, self.drift = state["state"].tolist()
        self.np_random.bit_generator.state = json.loads(bytes(state["generator"]))
        return self._look(), {}


class Forgetful(Corridor):
    """Shows a number that is counted up outside of its generator: not a function of seed and actions."""

    count = 0

    def reset(self, *, seed=None, options=None):
        Forgetful.count += 1
        self.dim = 1.0 / Forgetful.count
        return super().reset(seed=seed)

    def _look(self):
        return super()._look() * np.float32(self.dim)


CONFIG = PPOConfig(steps=1024, envs=2, rollout=32, hidden=8)


@pytest.mark.parametrize(("make", "exact"), [(Asked, True), (Forgetful, False)])
def test_environments_that_are_asked_and_those_that_do_not_come_back(tmp_path, make, exact):
    train(SyncVector([make] * 2), CONFIG, tmp_path / "whole")
    train(SyncVector([make] * 2), CONFIG, tmp_path / "parts", callbacks=[lambda u: u.number == 3])
    resumed = train(SyncVector([make] * 2), CONFIG, tmp_path / "parts", resume=True)
    assert resumed.resumed.startswith("exactly" if exact else "with new episodes")
    assert load(tmp_path / "parts").counters["generation"] == (0 if exact else 1)
    if exact:
        assert files(tmp_path / "whole") == files(tmp_path / "parts")


def test_gymnasium_environments_come_back():
    for name in ("CartPole-v1", "Pendulum-v1", "Acrobot-v1", "MountainCarContinuous-v0"):
        first, second = (SyncVector([lambda name=name: gymnasium.make(name)] * 2) for _ in range(2))
        first.reset(3)
        rng = np.random.default_rng(0)
        discrete = isinstance(first.action_space, gymnasium.spaces.Discrete)

        def act(rng=rng, space=first.action_space, discrete=discrete):
            return rng.integers(space.n, size=2) if discrete else rng.uniform(-1, 1, (2, 1)).astype(np.float32)

        for _ in range(250):
            first.step(act())
        second.restore(first.snapshot())
        for _ in range(50):
            action = act()
            one, two = first.step(action), second.step(action)
            np.testing.assert_array_equal(one.observation, two.observation)
            np.testing.assert_array_equal(one.reward, two.reward)
