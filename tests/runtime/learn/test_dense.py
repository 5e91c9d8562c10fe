"""Gradients by hand are those of autograd, for every term of the loss."""

import itertools

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.constraints import MaskTable
from agentc.runtime.learn.ppo import PPOConfig, PPOLearner
from agentc.runtime.learn.trajectory import Finals, Trajectory

SPACE = spaces.Dict({"a": spaces.Box(-9, 9, (3,), np.float32), "b": spaces.Box(-9, 9, (2, 2), np.float32)})


def trajectory_of(rng, action, masked):
    steps, envs = 12, 5
    discrete = isinstance(action, spaces.Discrete)
    constraint = legal = None
    actions = (
        rng.integers(4, size=(steps, envs)) if discrete else rng.standard_normal((steps, envs, 2)).astype(np.float32)
    )
    if masked:
        masks = rng.random((steps, envs, 4)) < 0.5
        np.put_along_axis(masks, actions[..., None], True, axis=2)
        legal = MaskTable(4)
        constraint = legal.intern(masks.reshape(-1, 4)).reshape(steps, envs)

    def seen(*shape):
        return {
            "a": rng.standard_normal((*shape, 3)).astype(np.float32),
            "b": rng.standard_normal((*shape, 2, 2)).astype(np.float32),
        }

    truncated = np.zeros((steps, envs), np.bool_)
    truncated[3, 1] = truncated[7, 4] = True
    return Trajectory(
        seen(steps, envs), actions, rng.standard_normal((steps, envs)).astype(np.float32),
        rng.random((steps, envs)) < 0.1, truncated, Finals(np.array([3, 7]), np.array([1, 4]), seen(2)), seen(envs),
        constraint, legal=legal,
    )  # fmt: skip


OPTIONS = [
    {},
    {"activation": "relu", "layers": 1},
    {"layers": 0},
    {"dual_clip": 1.1, "clip_low": 0.01, "clip_high": 0.02, "entropy_coef": 0.3},
    {"value_clip": 0.01, "value_coef": 2.0, "entropy_coef": 0.0},
    {"legal_coef": 0.7, "normalize_observations": True, "max_grad_norm": 100.0},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["categorical", "masked", "gaussian"])
def test_updates_by_hand_are_those_of_torch(kind, options):
    action = spaces.Box(-1, 1, (2,), np.float32) if kind == "gaussian" else spaces.Discrete(4)
    config = PPOConfig(epochs=3, minibatches=4, hidden=7, **options)
    architecture = architecture_for(
        SPACE, action, hidden=7, layers=config.layers, activation=config.activation,
        normalize=config.normalize_observations,
    )  # fmt: skip
    trajectory = trajectory_of(np.random.default_rng(0), action, kind == "masked")
    made = []
    for by_hand in (True, False):
        learner = PPOLearner(architecture, config, torch.Generator().manual_seed(3), by_hand=by_hand)
        if config.normalize_observations:
            learner.network.input_mean.fill_(0.2)
            learner.network.input_scale.fill_(1.3)
        evaluation = learner.evaluate(trajectory)
        statistics = learner.update(trajectory, trajectory.rewards, 1e-2, np.random.default_rng(1), (0, 0))
        made.append((evaluation, statistics, learner.optimizer.weights.numpy().copy()))
    (one, said, weights), (other, told, expected) = made
    for name in ("log_probs", "values", "bootstrap", "last_value"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-5)
    np.testing.assert_allclose(weights, expected, atol=2e-5)
    for name in ("policy_loss", "value_loss", "entropy", "kl", "clip_fraction", "grad_norm", "legal_mass", "decisions"):
        assert getattr(said, name) == pytest.approx(getattr(told, name), rel=1e-3, abs=1e-5), name


@pytest.mark.parametrize("options", [{}, {"activation": "tanh", "critics": 1}, {"critics": 4, "layers": 1}])
def test_soft_steps_by_hand_are_those_of_torch(options):
    """Several steps, weighted rows among them: the same figures, weights and temperature."""
    from agentc.runtime.learn.objectives.sac import SAC
    from agentc.runtime.learn.off_policy_config import SACConfig
    from agentc.runtime.learn.transitions import Transitions

    config = SACConfig(hidden=9, **{"layers": 2, **options})
    space, action = spaces.Box(-9, 9, (3,), np.float32), spaces.Box(-2, 2, (2,), np.float32)
    architecture = architecture_for(
        space, action, hidden=9, layers=config.layers, activation=config.activation, head="soft", critic=False
    )
    rng = np.random.default_rng(0)
    batches = [
        Transitions(
            {"": rng.standard_normal((11, 3)).astype(np.float32)}, rng.uniform(-1, 1, (11, 2)).astype(np.float32),
            rng.standard_normal(11).astype(np.float32), np.full(11, 0.9, np.float32),
            {"": rng.standard_normal((11, 3)).astype(np.float32)},
            weights=None if k % 2 else rng.random(11).astype(np.float32),
        )
        for k in range(6)
    ]  # fmt: skip
    one, two = (SAC(architecture, config, torch.Generator().manual_seed(2), by_hand=h) for h in (True, False))
    assert one._by_hand is not None and two._by_hand is None
    draws = [np.random.default_rng(1) for _ in range(2)]
    for batch in batches:
        told, said = (o.step(batch, 3e-3, r, (0, 0)) for o, r in zip((one, two), draws, strict=True))
        assert told == pytest.approx(said, rel=1e-4, abs=1e-5)
    for name, array in one.state().items():
        np.testing.assert_allclose(array, two.state()[name], atol=2e-5, err_msg=name)


@pytest.mark.parametrize("kind", ["categorical", "masked", "gaussian"])
def test_acting_by_hand_is_acting(kind):
    action = spaces.Box(-1, 1, (2,), np.float32) if kind == "gaussian" else spaces.Discrete(4)
    learner = PPOLearner(architecture_for(SPACE, action), PPOConfig(), torch.Generator().manual_seed(0))
    rng = np.random.default_rng(0)
    trajectory = trajectory_of(rng, action, kind == "masked")
    observation = {k: a[0] for k, a in trajectory.observations.items()}
    masks = None if trajectory.masks is None else trajectory.masks[0]
    noise = learner.actor.noise(1, 5, 0, rng)[0]
    with torch.inference_mode():
        expected = StochasticActor(learner.network).act(observation, masks, noise)
    got = learner.actor.act(observation, masks, noise)
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("activation", [torch.nn.ReLU, torch.nn.Tanh])
@pytest.mark.parametrize("layers", [0, 1, 2])
def test_derivatives_of_stacks_are_those_of_autograd(layers, activation):
    """By some columns of the input, of all perceptrons or of one a row; by the weights, from the last rows alone."""
    from agentc.runtime.learn.networks.critics import BatchedLinear
    from agentc.runtime.learn.networks.stack import Stack

    generator = torch.Generator().manual_seed(0)
    widths = [5, *[6] * layers, 1]
    made: list[torch.nn.Module] = []
    for below, above in itertools.pairwise(widths):
        made += [BatchedLinear(2, below, above, 1.0, generator), activation()]
    net = torch.nn.Sequential(*made[:-1])
    for p in net.parameters():
        p.grad = torch.full_like(p, 7.0)  # written over
    stack, x = Stack(net), torch.randn(9, 5, generator=generator, requires_grad=True)
    torch.testing.assert_close(stack.forward(x.detach()), net(x))
    second = torch.arange(9) % 3 == 0
    rows = [torch.nonzero(second == k).squeeze(-1) for k in range(2)]
    values = net(x)[..., 0]
    for chosen, value in ((None, values.sum(0)), (rows, torch.where(second, values[1], values[0]))):
        (expected,) = torch.autograd.grad(0.3 * value.sum(), x, retain_graph=True)
        torch.testing.assert_close(stack.by_inputs(slice(-2, None), 0.3, chosen), expected[:, -2:])
    slope = torch.randn(2, 4, 1, generator=generator)
    for k in range(2):
        stack.backward_of(k, slope[k])
    expected_all = torch.autograd.grad((net(x)[:, 5:] * slope).sum(), list(net.parameters()))
    for p, expected in zip(net.parameters(), expected_all, strict=True):
        torch.testing.assert_close(p.grad, expected)


def test_sampling_by_hand_is_sampling():
    """The squashed Gaussian of observations in two parts, scaled."""
    from agentc.runtime.learn.networks.actor_critic import ActorCritic
    from agentc.runtime.learn.objectives.sac_dense import DenseSampler

    space = spaces.Dict({"a": spaces.Box(-9, 9, (3,), np.float32), "b": spaces.Box(-9, 9, (2,), np.float64)})
    architecture = architecture_for(
        space, spaces.Box(-2, 2, (2,), np.float32), activation="relu", normalize=True, head="soft", critic=False
    )
    network = ActorCritic(architecture, torch.Generator().manual_seed(1))
    network.input_mean.fill_(0.3)
    network.input_scale.fill_(1.7)
    rng = np.random.default_rng(0)
    observation = {"a": rng.standard_normal((4, 3)).astype(np.float32), "b": rng.standard_normal((4, 2))}
    noise = rng.standard_normal((4, 2)).astype(np.float32)
    with torch.no_grad():
        expected = StochasticActor(network).act(observation, None, noise)
    got = DenseSampler(network)(observation, noise)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, atol=1e-6)
