"""Kill and resume: the run that goes on is the run that never stopped, to the byte."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.train import train
from agentc.runtime.learn.vector import Restorable, SyncVector
from agentc.runtime.spec_env import compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv

from .environments import Corridor

SPECS = Path(__file__).parents[3] / "specs"


def files(folder):
    """Everything a run leaves but the clock."""
    lines = [{k: v for k, v in line.items() if k != "wall"} for line in read_metrics(folder)]
    held = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "metrics.jsonl"}
    return held, lines


PROGRAM = """
import sys
from pathlib import Path
import gymnasium
from agentc.runtime.learn.off_policy_config import *
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.train import train
from agentc.runtime.learn.vector import SyncVector
from agentc.runtime.spec_env import compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv

kind, folder = sys.argv[1], Path(sys.argv[2])
if kind == "ppo":
    env = SpecVectorEnv(compiled_spec(Path(sys.argv[3]) / "office_coffee.agentspec"), 3)
    config = PPOConfig(steps=2400, envs=3, rollout=20, hidden=8, epochs=1, normalize_observations=True,
                       normalize_rewards=True, novelty=0.1, checkpoint=0.0)
elif kind == "dqn":
    env = SyncVector([lambda: gymnasium.make("CartPole-v1")] * 2)
    config = DQNConfig(steps=2400, envs=2, rollout=40, hidden=8, batch=8, warmup=100, n_step=3, checkpoint=0.0)
else:
    env = SyncVector([lambda: gymnasium.make("Pendulum-v1")])
    config = SACConfig(steps=1200, rollout=40, hidden=8, batch=8, warmup=100, checkpoint=0.0)
result = train(env, config, folder, resume=True)
print(result.resumed, result.steps)
"""


@pytest.mark.parametrize(
    "kind", ["ppo", pytest.param("dqn", marks=pytest.mark.slow), pytest.param("sac", marks=pytest.mark.slow)]
)
def test_killed_anywhere_and_resumed_is_never_stopped(tmp_path, kind):
    script = tmp_path / "run.py"
    script.write_text(textwrap.dedent(PROGRAM))
    command = [sys.executable, str(script), kind]
    whole = subprocess.run([*command, str(tmp_path / "whole"), str(SPECS)], capture_output=True, text=True, check=True)
    folder, killed = tmp_path / "parts", 0
    for aim in (1, 8):  # updates seen before the kill: early, and well inside
        process = subprocess.Popen([*command, str(folder), str(SPECS)], stdout=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 300
        before = len(read_metrics(folder))
        while process.poll() is None and len(read_metrics(folder)) < before + aim:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.communicate()
    assert killed and len(read_metrics(folder)) < len(read_metrics(tmp_path / "whole"))
    last = subprocess.run([*command, str(folder), str(SPECS)], capture_output=True, text=True, check=True)
    assert last.stdout.startswith("exactly") and last.stdout.split()[-1] == whole.stdout.split()[-1]
    assert files(tmp_path / "whole") == files(folder)


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
