"""Actions kept around a controller's: inside the box, learned of as they were taken, free in the end."""

import numpy as np
import torch
from gymnasium import spaces

from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.objectives.td3 import TD3, boxed
from agentc.runtime.learn.off_policy_config import TD3Config
from agentc.runtime.learn.registry import prepare
from agentc.runtime.learn.shields.box import BoxSchedule
from agentc.runtime.learn.train import train
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.training import configuration, environment

SPEC = """
system cart {
  state x : real [m], v : real [m/s]
  input push : real in [-1, 3] [m/s^2]
  x' = v
  v' = push
  step 0.1s by midpoint
  controller brake { push = -2Hz * v }
}
agent Cart {
  env cart(horizon = 30, init = { x in [-1, 1]; v in [-1, 1] })
  prop home = abs(x) <= 0.1m
  task arrive = F home
  reward { arrive : 1 }
  train td3 { steps = 400; rollout = 50; hidden = 8; batch = 8; warmup = 40; box = "brake"; box_width = 0.25 }
}
"""


def cart():
    result = check(Source("a.agentspec", SPEC))
    assert result.ok, result.diagnostics
    return CompiledAgent.from_ir(result.agents[0])


def test_actions_stay_around_those_of_the_controller_until_the_box_is_all():
    compiled = cart()
    config = configuration(compiled.agent)
    env, learner = prepare(environment(compiled, config), config, torch.Generator().manual_seed(0))
    observation = {k: np.repeat(a, 50, axis=0) for k, a in env.reset(0).items()}
    velocity = observation["observation"][:, 1:2]
    wanted = np.clip(-2.0 * velocity, -1.0, 3.0)
    for taken, share in ((0, 0.25), (100, 0.625), (200, 1.0), (399, 1.0)):
        noise = learner.actor.noise(1, 50, taken, np.random.default_rng(1))[0]  # uniform actions while it warms up
        with torch.inference_mode():
            done = learner.actor.act(observation, None, noise)
        push = -1.0 + (done + 1.0) * 2.0
        assert (push >= np.maximum(wanted - 2.0 * share, -1.0) - 1e-5).all() or share == 1.0
        assert (push <= np.minimum(wanted + 2.0 * share, 3.0) + 1e-5).all() or share == 1.0
        assert (np.abs(done) <= 1.0 + 1e-6).all()
        apart = float(np.ptp(push))
        assert apart > (0.7 if taken == 0 else 0.2)


def objective(box=None):
    space, actions = spaces.Box(-1, 1, (2,), np.float32), spaces.Box(-1, 3, (1,), np.float32)
    architecture = architecture_for(space, actions, hidden=8, head="deterministic", critic=False)
    made = TD3(architecture, TD3Config(policy_delay=1), torch.Generator().manual_seed(0))
    if box is not None:
        made.keep_in(box)
    return made


def batch():
    rng = np.random.default_rng(2)
    seen, later = ({"": rng.random((16, 2)).astype(np.float32)} for _ in range(2))
    numbers = rng.random((16, 3)).astype(np.float32)
    return Transitions(seen, numbers[:, :1], numbers[:, 1], numbers[:, 2], later)


def test_a_box_of_all_changes_nothing_and_a_narrow_one_does():
    def law(observation):
        return observation[""][:, :1]

    def learned(taken, box):
        made = objective(box)
        figures = made.step(batch(), 1e-3, np.random.default_rng(0), (taken, 1))
        return figures, made.network.actor[-1].weight.detach().numpy().copy()

    wide = BoxSchedule(law, np.array([-1.0]), np.array([3.0]), 0.1, 100)
    free, weights = learned(100, None)
    same, equal = learned(100, wide)
    other, changed = learned(0, wide)
    assert free == same and np.array_equal(weights, equal)
    assert other["critic_loss"] != free["critic_loss"] and not np.array_equal(weights, changed)


def test_the_targets_are_those_of_actions_in_the_box():
    box = BoxSchedule(lambda observation: observation[""][:, :1], np.array([-1.0]), np.array([3.0]), 0.1, 100)
    made, given = objective(box), batch()
    low, high = box.bounds(given.next_observations, 0)
    inner = torch.linspace(-1, 1, 16)[:, None]
    kept = boxed(box, made.actor.head, inner, given.next_observations, 0).numpy()
    np.testing.assert_allclose(-1 + (kept + 1) * 2, low + (inner.numpy() + 1) * 0.5 * (high - low), atol=1e-5)


def test_a_run_in_a_box_resumes_exactly(tmp_path):
    compiled = cart()
    config = configuration(compiled.agent)
    train(environment(compiled, config), config, tmp_path / "whole")
    train(environment(compiled, config), config, tmp_path / "parts", callbacks=[lambda u: u.number == 3])
    resumed = train(environment(compiled, config), config, tmp_path / "parts", resume=True)
    assert resumed.resumed.startswith("exactly")
    one, two = load(tmp_path / "whole"), load(tmp_path / "parts")
    for key, array in one.tensors.items():
        np.testing.assert_array_equal(array, two.tensors[key], err_msg=key)
