"""Environments in processes of their own: the same as in one process, and what becomes of processes that die."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.collect.rollout import Rollout
from agentc.runtime.learn.collect.workers import WorkerVector
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.off_policy_config import DQNConfig
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.registry import prepare
from agentc.runtime.learn.replay.nstep import NStep
from agentc.runtime.learn.starts import Starts
from agentc.runtime.learn.statistics import EpisodeWindow
from agentc.runtime.learn.train import Finish, train
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import StepBatch
from agentc.runtime.spec_env import compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.spec_workers import spec_workers

from .environments import vector_of

SPECS = Path(__file__).parents[3] / "specs"
SMALL = PPOConfig(steps=768, envs=3, rollout=64, hidden=16, layers=1, workers=2, seed=5)
CLERK = """import std.env.office

agent Clerk {
  env office(max_steps = 20)
  task fetch = F tile == coffee
  reward { fetch : 1; step : -0.01 }
  train ppo { steps = 100_000_000; envs = 2; rollout = 16; hidden = 8; workers = 2; checkpoint = 0s }
}
"""


@pytest.fixture(scope="module")
def office():
    return compiled_spec(SPECS / "office_coffee.agentspec")


def same(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return np.array_equal(one, other)


def test_processes_are_one_vector(office):
    """Step by step, through a snapshot that other processes go on from."""
    one, many = SpecVectorEnv(office, 5), spec_workers(office, 5, 2)
    rng, ended = np.random.default_rng(0), 0
    try:
        assert same(one.reset(3), many.reset(3))
        for t in range(360):
            actions = rng.integers(4, size=5)
            here, there = one.step(actions), many.step(actions)
            over = here.terminated | here.truncated
            ended += int(over.sum())
            for name in StepBatch.__slots__:
                mine, theirs = getattr(here, name), getattr(there, name)
                if name == "info":
                    mine, theirs = ({k: np.asarray(a)[over] for k, a in info.items()} for info in (mine, theirs))
                assert same(mine, theirs), (t, name)
            if t == 200:
                state = many.snapshot()
                many.close()
                many = spec_workers(office, 5, 2)
                with pytest.raises(ValueError, match="other processes"):
                    many.restore({**state, "slices": np.array([0, 2, 4])})
                assert same(many.restore(state), here.observation)
        assert ended > 0
        assert one.figures() == many.figures()
        assert many.found() == ()
    finally:
        many.close()
    assert [p._popen.poll() for p in many.processes] == [0, 0]


def test_a_run_is_that_of_one_process_through_a_stop_and_a_resumption(tmp_path, office):
    def run(folder, workers, stop=None, resume=False):
        env = spec_workers(office, 3, workers) if workers else SpecVectorEnv(office, 3)
        try:
            callbacks = [lambda u: u.number == stop]
            return train(env, replace(SMALL, workers=workers), folder, resume=resume, callbacks=callbacks)
        finally:
            env.close()

    run(tmp_path / "one", 0)
    run(tmp_path / "many", 2, stop=2)
    resumed = run(tmp_path / "many", 2, resume=True)
    assert (resumed.finish, resumed.resumed) == (Finish.COMPLETE, "exactly, inside the episodes that were under way")
    one, many = load(tmp_path / "one"), load(tmp_path / "many")
    assert one.counters == many.counters and one.randomness == many.randomness
    assert all(np.array_equal(a, many.tensors[k]) for k, a in one.tensors.items() if not k.startswith("rollout/"))
    lines = [read_metrics(tmp_path / n) for n in ("one", "many")]
    for line in (line for rows in lines for line in rows):
        line.pop("wall")
    assert lines[0] == lines[1] and len(lines[0]) == 4


class Tasks:
    """A teacher that counts: the tasks go to the environments in the order of their numbers."""

    def __init__(self):
        self.proposed = self.learned = 0

    def propose(self, taken, randomness):
        self.proposed += 1
        return np.array([float(self.proposed)])

    def learn(self, task, outcome):
        self.learned += 1


TOLD = """
import gymnasium
import numpy as np
from agentc.runtime.learn.vector import SyncVector


class Told(gymnasium.Wrapper):
    def reset(self, *, seed=None, options=None):
        observation, info = self.env.reset(seed=seed)
        return observation * 0 + np.float32(options["task"][0]), info


def made(first, count):
    return SyncVector([lambda: Told(gymnasium.make("CartPole-v1", max_episode_steps=9))] * count, first)
"""


def test_tasks_are_handed_out_in_the_order_of_the_environments(tmp_path, monkeypatch):
    """Each episode shows its task in place of its first observation."""
    (tmp_path / "told_corridors.py").write_text(TOLD)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = import_module("told_corridors").made
    shown = []
    for workers in (0, 2):
        teacher = Tasks()
        env = WorkerVector(made(0, 1), "told_corridors:made", {}, 3, 2) if workers else made(0, 3)
        env.options = Starts(teacher).options
        seen = [np.array(env.reset(1))]
        for _ in range(20):
            seen.append(np.array(env.step(np.ones(3, np.int64)).observation))
        env.close()
        shown.append((np.stack(seen), teacher.proposed))
    assert np.array_equal(shown[0][0], shown[1][0])
    assert shown[0][1] == shown[1][1] > 6


def test_a_process_that_is_killed_is_started_again_and_training_goes_on(tmp_path, office):
    env = spec_workers(office, 3, 2)
    told = []

    def watch(update):
        told.extend(update.found)
        if update.number == 2:
            os.kill(env.processes[0].pid, signal.SIGKILL)
            env.processes[0]._popen.wait()

    try:
        result = train(env, SMALL, tmp_path, callbacks=[watch])
    finally:
        env.close()
    assert (result.finish, result.steps) == (Finish.COMPLETE, 768)
    assert [(d.code, d.values["worker"], d.values["episodes"]) for d in told] == [("AS1552", 0, 2)]
    assert "SIGKILL" in told[0].message
    lines = read_metrics(tmp_path)
    assert [line.get("workers") for line in lines] == [None, None, *[{"restarted": 1, "episodes_lost": 2}] * 2]
    assert lines[-1]["coverage"]["deliver"] >= lines[1]["coverage"]["deliver"]  # what was met is not forgotten


class Sure:
    """An actor that always does the same."""

    def __init__(self, head):
        self.head = head

    def noise(self, steps, n, taken, randomness):
        return np.zeros((steps, n))

    def act(self, observation, mask, noise):
        return np.zeros(len(noise), np.int64)


POLES = """
import gymnasium
from agentc.runtime.learn.collect.workers import WorkerVector
from agentc.runtime.learn.vector import SyncVector


def made(first, count):
    return SyncVector([lambda: gymnasium.make("CartPole-v1")] * count, first)


def workers(envs, count):
    return WorkerVector(made(0, 1), "bare_poles:made", {}, envs, count)
"""


def test_the_step_that_is_lost_is_no_decision(tmp_path, monkeypatch):
    from agentc.runtime.learn.architecture import ActionHead

    (tmp_path / "bare_poles.py").write_text(POLES)
    monkeypatch.syspath_prepend(str(tmp_path))
    env, window = import_module("bare_poles").workers(3, 2), EpisodeWindow()
    try:
        rollout = Rollout(env, Sure(ActionHead("categorical", 2)), 4, window, 0)
        before = rollout.collect(4, 0, np.random.default_rng(0))
        assert before.decided is None
        last = {k: a.copy() for k, a in before.last_observation.items()}
        os.kill(env.processes[1].pid, signal.SIGKILL)
        env.processes[1]._popen.wait()
        after = rollout.collect(4, 12, np.random.default_rng(0))
        assert after.decided.tolist() == [[True, True, False], *[[True] * 3] * 3]
        assert after.truncated[0, 2] and after.rewards[0, 2] == 0.0
        at = (after.finals.step == 0) & (after.finals.env == 2)
        assert all(np.array_equal(a[at][0], last[k][2]) for k, a in after.finals.observation.items())
        assert window.episodes == 0  # an episode that was lost has not ended
        assert rollout.collect(4, 24, np.random.default_rng(0)).decided is None
    finally:
        env.close()


def test_returns_over_several_steps_leave_out_what_was_lost():
    def one(t):
        observed = {"": np.array([[t], [10 + t]], np.float32)}
        rewards, discounts = np.array([1.0, 1.0], np.float32), np.array([1.0, 1.0], np.float32)
        return Transitions(observed, np.zeros(2, np.int64), rewards, discounts, observed)

    steps, none = NStep(3, 2), np.zeros(2, np.bool_)
    found = [steps(one(t), none | (np.array([False, True]) & (t == 2)), np.array([False, t == 2])) for t in range(6)]
    taken = [(float(o), float(r)) for f in found if f for o, r in zip(f.observations[""][:, 0], f.rewards, strict=True)]
    assert sorted(taken) == [(0.0, 3.0), (1.0, 3.0), (2.0, 3.0), (3.0, 3.0), (13.0, 3.0)]  # none of 10, 11, 12


@pytest.mark.parametrize("n_step", [1, 3])
def test_what_is_lost_is_not_replayed(n_step):
    config = DQNConfig(envs=3, hidden=8, n_step=n_step)
    env, learner = prepare(vector_of(3), config, torch.Generator())
    trajectory = Rollout(env, Sure(learner.actor.head), 8, EpisodeWindow(), 0).collect(8, 0, np.random.default_rng(0))
    known = np.ones((8, 3), np.bool_)
    known[5, 1:] = False
    ended = trajectory.ended.copy()
    ended[5, 1:] = True
    learner._store(replace(trajectory, decided=known, truncated=ended & ~trajectory.terminated))
    whole = 24 - 2 if n_step == 1 else sum(_complete(ended[:, i], known[:, i], n_step) for i in range(3))
    assert len(learner.replay) == whole


def _complete(ended, known, n):
    """How many steps are followed by n - 1 others that are known, or by the end of their episode."""
    count = 0
    for t in range(len(ended)):
        for k in range(t, min(t + n, len(ended))):
            if not known[k]:
                break
            if ended[k] or k == t + n - 1:
                count += 1
                break
    return count


STEPPING = """
import sys

import numpy as np

sys.path.insert(0, ".")
from bare_poles import workers

env = workers(2, 2)
env.reset(0)
print(*(p.pid for p in env.processes), flush=True)
while True:
    env.step(np.zeros(2, np.int64))
"""


def test_no_process_outlives_a_run_that_is_killed(tmp_path):
    (tmp_path / "bare_poles.py").write_text(POLES)
    run = subprocess.Popen([sys.executable, "-c", STEPPING], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        children = [int(word) for word in run.stdout.readline().split()]
        assert len(children) == 2 and all(map(_runs, children))
    finally:
        run.kill()
        run.wait()
        run.stdout.close()
    _wait(lambda: not any(map(_runs, children)))


@pytest.mark.slow
def test_ctrl_c_ends_a_run_with_its_processes(tmp_path):
    """It goes to the run and to all that share its terminal."""
    (tmp_path / "clerk.agentspec").write_text(CLERK)
    command = [sys.executable, "-m", "agentc", "train", "clerk.agentspec"]
    run = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True)
    log = tmp_path / "runs" / "Clerk" / "seed0" / "metrics.jsonl"
    try:
        _wait(lambda: (log.exists() and log.read_text().count("\n") >= 2) or run.poll() is not None)
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
        assert len(children) == 2
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(timeout=180) == 130
        _wait(lambda: not any(_runs(int(pid)) for pid in children))
    finally:
        run.kill()
        run.wait()
    assert load(log.parent).counters["steps"] > 0


def _runs(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


def _wait(condition):
    """Until it is so; what hangs for three minutes is wrong."""
    end = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_more_processes_than_environments_are_refused(office):
    with pytest.raises(ValueError, match="2 environments are not for 3 processes"):
        spec_workers(office, 2, 3)


def test_diagnostics_come_through_with_the_number_that_an_environment_has_in_the_run():
    from agentc.runtime.learn.collect.workers import Failed

    told = Failed({"diagnostics": [("AS0708", {"env": 1, "values": "x = 3"})]}).error(4)
    assert isinstance(told, AgentcError)
    assert told.diagnostics[0].values["env"] == 5
