"""Actions kept around a controller's: inside the box, learned of as they were taken, free in the end."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from scipy import stats

from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.acting import enacted, recorded
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.collect.rollout import Rollout
from agentc.runtime.learn.learner import Moment
from agentc.runtime.learn.objectives.sac import SAC
from agentc.runtime.learn.objectives.td3 import TD3
from agentc.runtime.learn.off_policy_config import SACConfig, TD3Config
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.registry import prepare
from agentc.runtime.learn.shields.box import BoxSchedule, ProjectedGaussian, boxed
from agentc.runtime.learn.shields.projected import boxes_of
from agentc.runtime.learn.statistics import EpisodeWindow
from agentc.runtime.learn.train import train
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import SyncVector
from agentc.runtime.training import configuration, environment

from .environments import Target

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
  train TRAIN
}
"""
TRAIN = {
    "td3": 'td3 { steps = 400; rollout = 50; hidden = 8; batch = 8; warmup = 40; box = "brake"; box_width = 0.25 }',
    "sac": 'sac { steps = 400; rollout = 50; hidden = 8; batch = 8; warmup = 40; box = "brake"; box_width = 0.25 }',
    "ppo": 'ppo { steps = 400; rollout = 25; envs = 2; hidden = 8; minibatches = 2; box = "brake"; box_width = 0.25 }',
}


def cart(algorithm="td3"):
    result = check(Source("a.agentspec", SPEC.replace("TRAIN", TRAIN[algorithm])))
    assert result.ok, result.diagnostics
    return CompiledAgent.from_ir(result.agents[0])


@pytest.mark.parametrize("algorithm", TRAIN)
def test_actions_stay_around_those_of_the_controller_until_the_box_is_all(algorithm):
    compiled = cart(algorithm)
    config = configuration(compiled.agent)
    env, learner = prepare(environment(compiled, config), config, torch.Generator().manual_seed(0))
    observation = {k: np.repeat(a, 50 // len(a), axis=0) for k, a in env.reset(0).items()}
    velocity = observation["observation"][:, 1:2]
    wanted = np.clip(-2.0 * velocity, -1.0, 3.0)
    for taken, share in ((0, 0.25), (100, 0.625), (200, 1.0), (399, 1.0)):
        noise = learner.actor.noise(1, 50, taken, np.random.default_rng(1))[0]  # uniform actions while it warms up
        with torch.inference_mode():
            done = learner.actor.act(observation, None, noise)
        push = enacted(learner.architecture.action, done)
        assert (push >= np.maximum(wanted - 2.0 * share, -1.0) - 1e-5).all() or share == 1.0
        assert (push <= np.minimum(wanted + 2.0 * share, 3.0) + 1e-5).all() or share == 1.0
        assert ((push >= -1.0 - 1e-6) & (push <= 3.0 + 1e-6)).all()
        apart = float(np.ptp(push))
        assert apart > (0.7 if taken == 0 and algorithm != "ppo" else 0.2)


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


def test_a_soft_policy_has_the_density_of_what_it_does_in_the_box():
    """Its targets, against the densities written out: those of ``tanh`` of a normal, over the half-width."""
    box = BoxSchedule(lambda observation: observation[""][:, :1], np.array([-1.0]), np.array([3.0]), 0.1, 100)
    space, actions = spaces.Box(-1, 1, (2,), np.float32), spaces.Box(-1, 3, (1,), np.float32)
    architecture = architecture_for(space, actions, hidden=8, head="soft", critic=False)
    made = SAC(architecture, SACConfig(entropy_weight=0.5), torch.Generator().manual_seed(0), box=box)
    given, network = batch(), made.network
    following = network.normalized(network.inputs(given.next_observations))
    with torch.no_grad():
        later = made._next_value(following, given, np.random.default_rng(3), 0).numpy()
        plain = network.policy_of(following)
    noise = np.random.default_rng(3).standard_normal((16, 1), np.float32)
    u = plain.mean.numpy() + np.exp(plain.log_std.numpy()) * noise
    low, high = (recorded(architecture.action, bound) for bound in box.bounds(given.next_observations, 0))
    action = low + (np.tanh(u) + 1.0) * 0.5 * (high - low)
    normal = -0.5 * noise**2 - plain.log_std.numpy() - 0.5 * np.log(2 * np.pi)
    log_prob = normal - np.log(1.0 - np.tanh(u) ** 2) - np.log(0.5 * (high - low))
    with torch.no_grad():
        values = made._target.network(following, torch.from_numpy(action.astype(np.float32))).min(0).values.numpy()
    np.testing.assert_allclose(later, values - 0.5 * log_prob[:, 0], atol=1e-4)


def test_ppo_acts_and_learns_with_the_same_probabilities():
    """Log-probabilities of a rollout are those of the projected policy, with mass at the bounds."""
    compiled = cart("ppo")
    config = configuration(compiled.agent)
    env, learner = prepare(environment(compiled, config), config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        learner.network.log_std.fill_(-0.5)
    rng = np.random.default_rng(0)
    window = EpisodeWindow()
    rollout = Rollout(env, learner.actor, 25, window, 0, None, None)
    trajectory = rollout.collect(25, 0, rng)
    flat = {k: a.reshape(50, *a.shape[2:]) for k, a in trajectory.observations.items()}
    low, high = learner._box.bounds(flat, 0)
    actions = trajectory.actions.reshape(50, 1)
    assert ((actions >= low) & (actions <= high)).all()
    at_bounds = (actions == low) | (actions == high)
    assert at_bounds.any() and not at_bounds.all()
    boxes = boxes_of(learner._box, trajectory, 0)
    found = learner.evaluate(trajectory, boxes).log_probs.reshape(50)
    with torch.no_grad():
        mean = learner.network.policy(learner.network.inputs(flat)).mean.numpy()
    law = stats.norm(mean, np.exp(-0.5))
    expected = np.where(
        actions <= low, law.logcdf(low), np.where(actions >= high, law.logsf(high), law.logpdf(actions))
    )
    np.testing.assert_allclose(found, expected[:, 0], atol=1e-4)
    figures = learner.learn(trajectory, rng, Moment(50, 400, 1))
    assert figures["kl"] < 0.2 and np.isfinite(figures["policy_loss"])


class Fenced(Target):
    """Takes only actions that are within 0.2 of nought, and says so."""

    low, high = np.full((1, 1), -0.2, np.float32), np.full((1, 1), 0.2, np.float32)

    def step(self, action):
        assert (action >= self.low - 1e-6).all() and (action <= self.high + 1e-6).all()
        return super().step(action)


class FencedVector(SyncVector):
    """N of them."""

    class _Fence:
        def bounds(self, observation, taken):
            rows = len(observation[""])
            return Fenced.low.repeat(rows, 0), Fenced.high.repeat(rows, 0)

    action_box = _Fence()


@pytest.mark.parametrize(
    "config",
    [
        PPOConfig(steps=200, envs=2, rollout=50, hidden=8, minibatches=2),
        SACConfig(steps=200, envs=2, rollout=50, hidden=8, batch=8, warmup=40),
        TD3Config(steps=200, envs=2, rollout=50, hidden=8, batch=8, warmup=40),
    ],
    ids=["ppo", "sac", "td3"],
)
def test_the_box_of_a_shield_is_kept_to(tmp_path, config):
    assert train(FencedVector([Fenced] * 2), config, tmp_path).steps == 200


def test_divergence_of_projected_policies_bounds_theirs():
    """By quadrature over a point: masses at the bounds and densities between them."""
    rest = (torch.tensor([[-0.5]]), torch.tensor([[-0.3]]), torch.tensor([[0.6]]))
    one, two = (ProjectedGaussian(torch.tensor([[m]]), *rest) for m in (0.1, 0.5))
    points = torch.linspace(-0.3, 0.6, 2001)[1:-1, None]
    p, q = (d.log_prob(points) for d in (one, two))
    ends = torch.tensor([[-0.3], [0.6]])
    a, b = (d.log_prob(ends) for d in (one, two))
    true = float((p.exp() * (p - q)).sum() * 0.9 / 2000 + (a.exp() * (a - b)).sum())
    assert 0.0 < true <= float(one.kl(two)) + 1e-4


@pytest.mark.parametrize("algorithm", TRAIN)
def test_a_run_in_a_box_resumes_exactly(tmp_path, algorithm):
    compiled = cart(algorithm)
    config = configuration(compiled.agent)
    train(environment(compiled, config), config, tmp_path / "whole")
    train(environment(compiled, config), config, tmp_path / "parts", callbacks=[lambda u: u.number == 3])
    resumed = train(environment(compiled, config), config, tmp_path / "parts", resume=True)
    assert resumed.resumed.startswith("exactly")
    one, two = load(tmp_path / "whole"), load(tmp_path / "parts")
    for key, array in one.tensors.items():
        np.testing.assert_array_equal(array, two.tensors[key], err_msg=key)
