"""Whole runs: they learn, repeat to the byte, resume, survive being killed, and stop at bad numbers."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.evaluate import run_episodes
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.train import Finish, train
from agentc.runtime.learn.vector import SyncVector

from .environments import Corridor, Faulty, Target, vector_of

SMALL = PPOConfig(steps=4096, envs=4, rollout=64, hidden=16, learning_rate=3e-3, entropy_coef=0.0, discount=0.9)


@pytest.mark.parametrize("kind", ["vector", "grid", "discrete", "dict"])
def test_a_corridor_is_learned_from_every_kind_of_observation(tmp_path, kind):
    result = train(vector_of(4, observation=kind), SMALL, tmp_path)
    assert result.finish is Finish.COMPLETE
    assert (result.steps, result.updates) == (4096, 16)
    policy = Policy.load(tmp_path)
    episodes = run_episodes(lambda: Corridor(observation=kind), policy, 20, seed=1, deterministic=True)
    assert all(e.terminated and e.total_reward == 1.0 and e.length <= 3 for e in episodes)


def test_masked_actions_are_never_taken(tmp_path):
    train(vector_of(4, masked=True), SMALL, tmp_path)  # the environment asserts it
    policy = Policy.load(tmp_path)
    episodes = run_episodes(lambda: Corridor(masked=True), policy, 20, seed=1)
    assert all(e.terminated for e in episodes)


def test_continuous_actions_are_learned_within_their_bounds(tmp_path):
    config = replace(SMALL, steps=8192, learning_rate=1e-2, hidden=32)
    result = train(vector_of(4, Target), config, tmp_path)
    metrics = read_metrics(tmp_path)
    first, last = metrics[0]["episodes"]["mean_return"], result.episodes.mean_return
    assert last > first / 2  # both negative: the distance has at least halved
    action = Policy.load(tmp_path).act(np.array([[0.5], [-0.5]], np.float32), None, None)
    assert action.shape == (2, 1, 1)
    assert action[0, 0, 0] > action[1, 0, 0]


@pytest.mark.parametrize("settings", [{}, {"normalize_observations": True, "normalize_rewards": True, "novelty": 0.1}])
def test_two_runs_are_the_same_to_the_byte(tmp_path, settings):
    config = replace(SMALL, steps=1024, **settings)
    for name in ("one", "two"):
        train(vector_of(4, observation="dict"), config, tmp_path / name)
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / n).iterdir() if p.is_file() and p.name != "metrics.jsonl"}
        for n in ("one", "two")
    )
    assert one == two
    lines = []
    for name in ("one", "two"):
        metrics = read_metrics(tmp_path / name)
        assert all(line.pop("wall")["seconds"] > 0 for line in metrics)
        lines.append(metrics)
    assert lines[0] == lines[1]
    train(vector_of(4, observation="dict"), replace(config, seed=1), tmp_path / "other")
    assert (
        load(tmp_path / "other").tensors["optimizer/first"].tolist()
        != load(tmp_path / "one").tensors["optimizer/first"].tolist()
    )


def test_threads_of_torch_are_as_they_were(tmp_path):
    before = torch.get_num_threads()
    seen = []
    train(vector_of(2), replace(SMALL, steps=256), tmp_path, callbacks=[lambda u: seen.append(torch.get_num_threads())])
    assert set(seen) == {1}
    assert torch.get_num_threads() == before


def test_steps_that_are_no_multiple_of_a_rollout(tmp_path):
    result = train(vector_of(4), replace(SMALL, steps=601), tmp_path)
    assert result.steps == 604
    assert result.updates == 3


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    stopped = train(vector_of(4), SMALL, tmp_path, callbacks=[lambda u: u.number == 5])
    assert stopped.finish is Finish.STOPPED
    assert stopped.steps == 5 * 256
    before = load(tmp_path)
    resumed = train(vector_of(4), SMALL, tmp_path, resume=True)
    assert resumed.finish is Finish.COMPLETE
    assert (resumed.steps, resumed.updates) == (4096, 16)
    assert [m["update"] for m in read_metrics(tmp_path)] == list(range(1, 17))
    after = load(tmp_path)
    assert after.counters["generation"] == 0  # it went on inside its episodes
    assert before.tensors["optimizer/count"] == 5 * SMALL.epochs * SMALL.minibatches
    assert after.tensors["optimizer/count"] == 16 * SMALL.epochs * SMALL.minibatches
    assert after.counters["episodes"] > before.counters["episodes"]
    again = train(vector_of(4), SMALL, tmp_path, resume=True)
    assert (again.finish, again.steps) == (Finish.COMPLETE, 4096)


def test_what_is_restored_is_the_state_itself(tmp_path):
    """Resuming and stopping at once changes nothing."""
    config = replace(SMALL, normalize_observations=True, normalize_rewards=True, novelty=0.1, steps=512)
    train(vector_of(4), config, tmp_path)
    before = load(tmp_path)
    train(vector_of(4), config, tmp_path, resume=True)
    after = load(tmp_path)
    assert before.counters == after.counters
    assert before.randomness == after.randomness
    for name, tensor in before.tensors.items():
        np.testing.assert_array_equal(tensor, after.tensors[name], err_msg=name)


def test_resuming_is_itself_repeatable(tmp_path):
    for name in ("one", "two"):
        train(vector_of(4), SMALL, tmp_path / name, callbacks=[lambda u: u.number == 3])
        train(vector_of(4), SMALL, tmp_path / name, resume=True, callbacks=[lambda u: u.number == 6])
    one, two = (load(tmp_path / n) for n in ("one", "two"))
    assert one.counters == two.counters
    assert all(np.array_equal(one.tensors[k], two.tensors[k]) for k in one.tensors)


def test_other_settings_are_refused_and_named(tmp_path):
    train(vector_of(4), replace(SMALL, steps=256), tmp_path)
    with pytest.raises(AgentcError) as caught:
        train(vector_of(4), replace(SMALL, steps=256, seed=3, hidden=8), tmp_path, resume=True)
    assert [(d.code, d.values["name"]) for d in caught.value.diagnostics] == [("AS0842", "seed"), ("AS0842", "hidden")]
    with pytest.raises(AgentcError) as caught:
        train(vector_of(4, observation="dict"), replace(SMALL, steps=256), tmp_path, resume=True)
    assert [d.values["name"] for d in caught.value.diagnostics] == ["network"]
    train(vector_of(4), replace(SMALL, steps=256, minutes=3.0), tmp_path, resume=True)  # decides nothing learned


def test_resuming_where_nothing_is_begins(tmp_path):
    assert train(vector_of(4), replace(SMALL, steps=256), tmp_path / "new", resume=True).steps == 256


@pytest.mark.parametrize(("what", "name"), [("reward", "reward"), ("observation", "observation")])
def test_numbers_that_are_not_finite_stop_the_run(tmp_path, what, name):
    env = SyncVector([Corridor, lambda: Faulty(what, after=200), Corridor])
    with pytest.raises(AgentcError) as caught:
        train(env, replace(SMALL, checkpoint=0.0), tmp_path)
    found, note = caught.value.diagnostics
    assert (found.code, note.code) == ("AS0941", "AS1530")
    assert (note.values["seed"], note.values["steps"]) == (0, 3 * 64 * 3)
    assert (found.values["array"], found.values["env"], found.values["step"]) == (name, 1, 201 * 3)
    assert load(tmp_path).counters["steps"] == 3 * 64 * 3  # three whole updates
    Policy.load(tmp_path)


def test_no_legal_action_is_a_diagnostic(tmp_path):
    class Stuck(Corridor):
        def _info(self):
            return {"action_mask": np.zeros(3, np.bool_) if self.time > 4 else np.ones(3, np.bool_)}

    with pytest.raises(AgentcError) as caught:
        train(SyncVector([lambda: Corridor(masked=True), lambda: Stuck(limit=50)]), SMALL, tmp_path)
    assert caught.value.diagnostics[0].code == "AS0943"
    assert caught.value.diagnostics[0].values["env"] == 1


def test_the_time_limit(tmp_path):
    result = train(vector_of(4), replace(SMALL, minutes=1e-9), tmp_path)
    assert (result.finish, result.updates) == (Finish.TIME_LIMIT, 1)


def test_callbacks_are_told_the_end(tmp_path):
    seen = []
    train(vector_of(4), replace(SMALL, steps=512), tmp_path, callbacks=[seen.append])
    assert [(u.number, u.finish) for u in seen] == [(1, None), (2, Finish.COMPLETE)]
    assert seen[-1].steps == seen[-1].total_steps == 512


def test_interrupting_writes_a_checkpoint(tmp_path):
    def interrupt(update):
        if update.number == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    handler = signal.getsignal(signal.SIGINT)
    result = train(vector_of(4), SMALL, tmp_path, callbacks=[interrupt])
    assert (result.finish, result.updates) == (Finish.INTERRUPTED, 3)
    assert load(tmp_path).counters["updates"] == 3
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_killed_run_leaves_its_last_checkpoint_and_resumes(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import sys
            from pathlib import Path
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from environments import vector_of
            from agentc.runtime.learn.ppo import PPOConfig
            from agentc.runtime.learn.train import train
            config = PPOConfig(steps=10_000_000, envs=2, rollout=16, hidden=8, checkpoint=0.0)
            train(vector_of(2), config, Path(sys.argv[1]))
            """
        )
    )
    config = PPOConfig(steps=10_000_000, envs=2, rollout=16, hidden=8, checkpoint=0.0)
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, str(script), str(out)])
    try:
        deadline = time.monotonic() + 300
        while not (out / "metrics.jsonl").exists() or len(read_metrics(out)) < 20:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    saved = load(out)
    assert saved.counters["steps"] >= 19 * 32
    Policy.load(out)
    with open(out / "metrics.jsonl", "a") as file:
        file.write('{"steps": 99, "torn')
    last = saved.counters["updates"] + 2
    resumed = train(vector_of(2), config, out, resume=True, callbacks=[lambda u: u.number == last])
    assert resumed.updates == last
    assert [m["update"] for m in read_metrics(out)] == list(range(1, last + 1))


def test_metrics_have_what_happened(tmp_path):
    train(vector_of(4), replace(SMALL, steps=512), tmp_path)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    assert [m["steps"] for m in metrics] == [256, 512]
    assert set(metrics[0]) == {"steps", "update", "episodes", "learning", "wall"}
    assert lines[0] == json.dumps(metrics[0], sort_keys=True)
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    (events,) = (tmp_path / "tensorboard").iterdir()
    scalars = {
        (v.tag, e.step): v.tensor.float_val[0] for e in EventFileLoader(str(events)).Load() for v in e.summary.value
    }
    assert scalars["learning/entropy", 512] == pytest.approx(metrics[1]["learning"]["entropy"])
    assert scalars["episodes/mean_return", 256] == pytest.approx(metrics[0]["episodes"]["mean_return"])


def solved(env_id, config, folder, goal):
    env = SyncVector([lambda: gymnasium.make(env_id, disable_env_checker=True)] * config.envs)
    train(env, config, folder)
    episodes = run_episodes(lambda: gymnasium.make(env_id), Policy.load(folder), 50, seed=0, deterministic=True)
    assert np.mean([e.total_reward for e in episodes]) >= goal


def test_the_novelty_bonus_is_not_reported(tmp_path):
    result = train(vector_of(4, limit=3), replace(SMALL, steps=256, novelty=50.0), tmp_path)
    assert result.episodes.mean_return <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cart_pole_is_solved(tmp_path, seed):
    config = PPOConfig(
        steps=100_000, envs=8, seed=seed, epochs=8, learning_rate=2e-3, entropy_coef=0.0, gae_lambda=0.9, discount=0.98
    )
    solved("CartPole-v1", config, tmp_path, 475.0)  # the task's own threshold


@pytest.mark.slow
def test_pendulum_swings_up(tmp_path):
    config = PPOConfig(
        steps=200_000,
        envs=8,
        rollout=256,
        epochs=10,
        minibatches=16,
        learning_rate=1e-3,
        entropy_coef=0.0,
        discount=0.9,
        normalize_observations=True,
        normalize_rewards=True,
    )
    solved("Pendulum-v1", config, tmp_path, -300.0)  # a random policy has about -1200
