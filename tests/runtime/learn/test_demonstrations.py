"""Demonstrations beside PPO, and starts that a spec names: what they do, and that runs with them resume exactly."""

import numpy as np
import pytest
import torch

from agentc.compiler.pipeline import check
from agentc.lang.diagnostics import AgentcError
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.demonstrations.cloning import Cloning
from agentc.runtime.learn.demonstrations.recording import record
from agentc.runtime.learn.ppo import PPOConfig, PPOLearner
from agentc.runtime.learn.resets.snapshots import Snapshots
from agentc.runtime.learn.train import train
from agentc.runtime.learn.vector import SyncVector
from agentc.runtime.runs import Run
from agentc.runtime.spec_env import SpecEnv
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.training import configuration, environment, train_agent

from .environments import Corridor


class Right:
    """Walks right, always."""

    def act(self, observation, mask, randomness):
        return np.array([2])


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "right.safetensors"
    record(Corridor, Right(), 5, 0, path)
    return str(path)


def test_cloning_before_the_first_rollout_teaches_what_was_shown(tmp_path, data):
    shown = []
    config = PPOConfig(steps=64, envs=2, rollout=32, hidden=16, data=data, pretrain=200, learning_rate=0.01)
    train(
        SyncVector([Corridor] * 2), config, tmp_path / "run", callbacks=[lambda u: shown.append(u.episodes.mean_return)]
    )
    assert shown[0] == 1.0  # every episode of the first rollout reached the end


def test_the_weight_of_imitation_follows_its_schedule(data):
    space = Corridor()
    architecture = architecture_for(space.observation_space, space.action_space, hidden=8)
    config = PPOConfig(steps=1000, data=data, imitation=1.0, imitation_end=0.2, imitation_share=0.5)
    cloning = Cloning(architecture, config)
    assert [cloning.weight_at(t) for t in (0, 250, 500, 1000)] == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_the_loss_beside_the_objective_is_the_cross_entropy(data):
    space = Corridor()
    architecture = architecture_for(space.observation_space, space.action_space, hidden=8)
    config = PPOConfig(steps=1000, data=data, imitation=1.0)
    learner = PPOLearner(architecture, config, torch.Generator().manual_seed(0))
    cloning = Cloning(architecture, config)
    cloning.begin(0, np.random.default_rng(3))
    loss = cloning.loss(learner.network).detach()
    rows = cloning._data.rows(config.imitation_batch, np.random.default_rng(3))
    seen = torch.from_numpy(cloning._data.transitions.observations[""][rows])
    logits = learner.network.actor(seen)
    expected = torch.nn.functional.cross_entropy(logits, torch.full((len(rows),), 2)).detach()
    assert float(loss) == pytest.approx(float(expected), rel=1e-6) and cloning.mean_loss == pytest.approx(float(loss))


def same(one, two):
    assert one.tensors.keys() == two.tensors.keys()
    for key, array in one.tensors.items():
        np.testing.assert_array_equal(array, two.tensors[key], err_msg=key)


def test_runs_with_demonstrations_resume_exactly(tmp_path, data):
    config = PPOConfig(steps=640, envs=2, rollout=32, hidden=8, data=data, pretrain=5, imitation=0.5)
    train(SyncVector([Corridor] * 2), config, tmp_path / "whole")
    train(SyncVector([Corridor] * 2), config, tmp_path / "parts", callbacks=[lambda u: u.number == 4])
    train(SyncVector([Corridor] * 2), config, tmp_path / "parts", resume=True)
    same(load(tmp_path / "whole"), load(tmp_path / "parts"))


# ---------------------------------------------------------------- starts of a spec

DRIVER = """
import std.systems.unicycle: unicycle
agent Driver {
  env unicycle(horizon = 30, init = { x in [0, 2]; y in [-1, 1]; theta = 0 })
  region goal = circle(center = (3, 0), radius = 0.5)
  task arrive = F (x, y) in goal
  reward { arrive : 1 }
  train ppo { steps = 640; envs = 2; rollout = 32; hidden = 8; %s }
}
"""


def driver(settings=""):
    result = check(Source("a.agentspec", DRIVER % settings))
    assert result.ok, result.diagnostics
    return CompiledAgent.from_ir(result.agents[0])


def test_the_teacher_of_a_spec_chooses_initial_values(tmp_path):
    compiled = driver('teacher = staged; stages = "0.5 -0.25; 2 1"; stage_every = 320')
    env = environment(compiled, configuration(compiled.agent))
    np.testing.assert_array_equal(env.task_space.low, [0, -1])
    env.options = lambda row: {"task": [0.5 + row, -0.25]}
    np.testing.assert_allclose(env.reset(0)["observation"][:, :3], [[0.5, -0.25, 0], [1.5, -0.25, 0]])
    one = train_agent(compiled, configuration(compiled.agent), Run("Driver", 0, tmp_path / "run"))
    taught = load(one.checkpoint.parent).tensors
    assert taught["starts/teacher/stage"][0] == 1


class Straight:
    """Full speed ahead."""

    def act(self, observation, mask, randomness):
        return np.array([[1.0, 0.0]], np.float32)


@pytest.fixture
def teacher(tmp_path):
    path = tmp_path / "teacher.safetensors"
    record(lambda: SpecEnv.make(driver()), Straight(), 3, 5, path)
    return path


def test_episodes_begin_in_the_states_of_a_teacher_and_are_cut(teacher):
    compiled = driver(f'reset = snapshots; reset_data = "{teacher}"; reset_steps = 3; reset_until = 1000')
    config = configuration(compiled.agent)
    env = environment(compiled, config)
    reset = Snapshots.load(teacher, clusters=2, limit=3)
    rng = np.random.default_rng(0)
    env.options = lambda row: {"snapshot": reset.choose(0, rng)}
    states = np.concatenate([rows for _, _, rows in _episodes(teacher)])
    seen = env.reset(0)["observation"]
    for row in seen:
        assert np.abs(states[:, : len(row)] - row).max(axis=1).min() == 0.0
    for step in range(3):
        batch = env.step(np.zeros((2, 2), np.float32))
        assert batch.truncated.all() == (step == 2)


def _episodes(path):
    from agentc.runtime.learn.demonstrations.recorded import read_columns
    from agentc.runtime.learn.demonstrations.weighting import Episodes

    columns = read_columns(path)
    episodes = Episodes.of(columns["rewards"], columns["terminated"] | columns["truncated"])
    seen = columns["observations/observation"]
    return [(0, 0, seen[b : b + n]) for b, n in zip(episodes.begin, episodes.length, strict=True)]


@pytest.mark.parametrize("what", ["snapshots", "alp_gmm"])
def test_runs_with_the_starts_of_a_spec_resume_exactly(tmp_path, teacher, what):
    settings = {
        "snapshots": f'reset = snapshots; reset_data = "{teacher}"; reset_steps = 9; reset_until = 400',
        "alp_gmm": "teacher = alp_gmm; fit_every = 10",
    }[what]
    compiled = driver(settings)
    config = configuration(compiled.agent)

    def env():
        return environment(compiled, config)

    train(env(), config, tmp_path / "whole")
    train(env(), config, tmp_path / "parts", callbacks=[lambda u: u.number == 4])
    resumed = train(env(), config, tmp_path / "parts", resume=True)
    assert resumed.resumed.startswith("exactly")
    same(load(tmp_path / "whole"), load(tmp_path / "parts"))


def test_copies_of_an_engine_begin_in_snapshots_too(tmp_path):
    spec = check(
        Source(
            "a.agentspec",
            "import std.env.classic: mountain_car\nagent Car { env mountain_car()\n  task up = F position >= 0.4\n"
            "  reward { up : 1 }\n  train ppo { steps = 100 } }",
        )
    )
    compiled = CompiledAgent.from_ir(spec.agents[0])

    class Pump:
        def act(self, observation, mask, randomness):
            return np.array([2 if observation["observation"][0, 1] >= 0 else 0])

    path = tmp_path / "pump.safetensors"
    record(lambda: SpecEnv.make(compiled), Pump(), 2, 0, path)
    env = SpecVectorEnv(compiled, 2, snapshots=True)
    reset, rng = Snapshots.load(path, clusters=1), np.random.default_rng(1)
    env.options = lambda row: {"snapshot": reset.choose(0, rng)}
    seen = env.reset(0)["observation"]
    states = np.concatenate([rows for _, _, rows in _episodes(path)])
    for row in seen:
        assert np.abs(states - row).max(axis=1).min() == 0.0
    saved = env.snapshot()
    again = SpecVectorEnv(compiled, 2, snapshots=True)
    np.testing.assert_array_equal(again.restore(saved)["observation"], seen)


def test_a_teacher_without_parameters_is_refused_at_run_time_too(tmp_path):
    config = PPOConfig(steps=64, envs=2, rollout=32, hidden=8, teacher="uniform")
    with pytest.raises(AgentcError) as caught:
        train(SyncVector([Corridor] * 2), config, tmp_path)
    assert caught.value.diagnostics[0].code == "AS1508"
