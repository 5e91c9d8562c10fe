"""The objective against numbers worked out by hand, an update against Stable-Baselines3."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.compiler.training_config import TRAINERS
from agentc.lang.diagnostics import AgentcError
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.objectives.clipped import clipped_objective, normalized, value_loss
from agentc.runtime.learn.optimizer import FlatAdam
from agentc.runtime.learn.ppo import PPOConfig, PPOLearner
from agentc.runtime.learn.registry import configuration_class
from agentc.runtime.learn.trajectory import Finals, Trajectory


def log(*ratios):
    return torch.tensor([math.log(r) for r in ratios])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        # ratios 1.5, 0.5, 1.1, 0.9, 1.5, 0.5 with advantages 1, -1, -1, 1, -2, 2
        (0.2, 0.2, [1.2, -0.8, -1.1, 0.9, -3.0, 1.0]),
        (0.2, 0.6, [1.5, -0.8, -1.1, 0.9, -3.0, 1.0]),
        (0.6, 0.05, [1.05, -0.5, -1.1, 0.9, -3.0, 1.0]),
    ],
)
def test_clipped_objective(low, high, expected):
    advantages = torch.tensor([1.0, -1.0, -1.0, 1.0, -2.0, 2.0])
    got = clipped_objective(log(1.5, 0.5, 1.1, 0.9, 1.5, 0.5), advantages, low, high)
    torch.testing.assert_close(got, torch.tensor(expected), atol=1e-6, rtol=0)


def test_clipped_samples_pass_no_gradient():
    log_ratio = log(1.5, 0.5, 1.1, 1.5).requires_grad_()
    clipped_objective(log_ratio, torch.tensor([1.0, -1.0, 2.0, -1.0]), 0.2, 0.2).sum().backward()
    # d(ratio * A) / d(log ratio) = ratio * A where the unclipped term is the smaller
    torch.testing.assert_close(log_ratio.grad, torch.tensor([0.0, 0.0, 2.2, -1.5]), atol=1e-6, rtol=0)


def test_value_loss():
    values, targets, old = torch.tensor([3.0, 1.0, 0.5]), torch.tensor([1.0, 1.0, 2.0]), torch.tensor([2.0, 2.0, 0.0])
    torch.testing.assert_close(value_loss(values, targets, old, 0.0), torch.tensor([4.0, 0.0, 2.25]))
    # clipped values: 2.25, 1.75, 0.25, so clipped losses: 1.5625, 0.5625, 3.0625; the worse of both counts
    torch.testing.assert_close(value_loss(values, targets, old, 0.25), torch.tensor([4.0, 0.5625, 3.0625]))


def test_normalized():
    torch.testing.assert_close(normalized(torch.tensor([1.0, 2.0, 3.0])), torch.tensor([-1.0, 0.0, 1.0]))
    assert torch.equal(normalized(torch.tensor([7.0])), torch.tensor([7.0]))


def test_flat_adam_is_adam():
    torch.manual_seed(0)
    mine, theirs = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    theirs.load_state_dict(mine.state_dict())
    flat, adam = FlatAdam(mine), torch.optim.Adam(theirs.parameters(), lr=0.01, eps=1e-5)
    for k in range(5):
        x = torch.randn(4, 3)
        flat.gradient.zero_()
        adam.zero_grad()
        for network in (mine, theirs):
            (network(x) ** 2).sum().backward()
        flat.step(0.01)
        adam.step()
        for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5, msg=f"step {k}")


def trajectory_of(rng, steps, envs, finals=False):
    observations = rng.standard_normal((steps, envs, 4)).astype(np.float32)
    truncated = np.zeros((steps, envs), np.bool_)
    if finals:
        truncated[3, 1] = True
    where = np.argwhere(truncated)
    return Trajectory(
        {"": observations},
        rng.integers(0, 2, (steps, envs)),
        rng.standard_normal((steps, envs)).astype(np.float32),
        rng.random((steps, envs)) < 0.1,
        truncated,
        Finals(where[:, 0], where[:, 1], {"": np.full((len(where), 4), 0.5, np.float32)}),
        {"": rng.standard_normal((envs, 4)).astype(np.float32)},
    )


def learner(**settings):
    config = PPOConfig(**settings)
    architecture = architecture_for(
        spaces.Box(-9, 9, (4,), np.float32), spaces.Discrete(2), hidden=config.hidden, layers=config.layers
    )
    return PPOLearner(architecture, config, torch.Generator().manual_seed(1))


def test_bootstrap_values_are_those_of_the_true_last_observations():
    ppo = learner()
    trajectory = trajectory_of(np.random.default_rng(0), 6, 3, finals=True)
    evaluation = ppo.evaluate(trajectory)
    value = ppo.network.value((torch.full((1, 4), 0.5),)).item()
    assert evaluation.bootstrap[3, 1] == pytest.approx(value)
    assert np.count_nonzero(evaluation.bootstrap) == 1
    one = ppo.network.value((torch.from_numpy(trajectory.observations[""][2, 1:2]),)).item()
    assert evaluation.values[2, 1] == pytest.approx(one, abs=1e-6)


def test_the_first_minibatch_of_an_update_has_ratio_one():
    ppo = learner(epochs=1, minibatches=1, entropy_coef=0.0)
    trajectory = trajectory_of(np.random.default_rng(0), 8, 2)
    statistics = ppo.update(trajectory, trajectory.rewards, 1e-3, np.random.default_rng(1), (16, 1))
    assert statistics.policy_loss == pytest.approx(0.0, abs=1e-6)
    assert statistics.kl == pytest.approx(0.0, abs=1e-6)
    assert statistics.clip_fraction == 0.0


def test_target_kl_ends_an_update():
    trajectory = trajectory_of(np.random.default_rng(0), 16, 2)
    full = learner(epochs=10).update(trajectory, trajectory.rewards, 0.05, np.random.default_rng(1), (32, 1))
    cut = learner(epochs=10, target_kl=1e-3).update(
        trajectory, trajectory.rewards, 0.05, np.random.default_rng(1), (32, 1)
    )
    assert (full.epochs, cut.epochs < 10) == (10, True)


def test_a_loss_that_is_not_finite_never_reaches_the_weights():
    ppo = learner()
    trajectory = trajectory_of(np.random.default_rng(0), 8, 2)
    before = ppo.optimizer.weights.clone()
    rewards = np.full_like(trajectory.rewards, 3e38)
    with pytest.raises(AgentcError) as caught:
        ppo.update(trajectory, rewards, 1e-3, np.random.default_rng(1), (16, 5))
    assert [d.code for d in caught.value.diagnostics] == ["AS0942"]
    assert caught.value.diagnostics[0].values["update"] == 5
    assert torch.equal(ppo.optimizer.weights, before)


@pytest.mark.parametrize("algorithm", TRAINERS)
def test_the_configuration_is_the_schema(algorithm):
    schema = TRAINERS[algorithm]
    kind = configuration_class(algorithm)
    default = kind()
    assert kind.algorithm == algorithm
    assert {**schema.defaults(), "discount": 0.99} == default.to_data()
    assert kind.of(schema.defaults()) == default
    kinds = {"int": int, "float": float, "duration": float, "bool": bool, "choice": str, "text": str}
    for setting in schema.settings:
        assert type(getattr(default, setting.name)) is kinds[setting.kind], setting.name
        assert setting.doc.endswith(".")


@pytest.mark.filterwarnings("default")
def test_one_update_is_that_of_stable_baselines3():
    """Same weights, same rollout, one epoch over one batch: the same losses and the same new weights."""
    sb3 = pytest.importorskip("stable_baselines3")
    steps, envs = 16, 4
    theirs = sb3.PPO(
        "MlpPolicy",
        sb3.common.env_util.make_vec_env("CartPole-v1", envs),
        n_steps=steps,
        batch_size=steps * envs,
        n_epochs=1,
        learning_rate=1e-3,
        ent_coef=0.02,
        gamma=0.97,
        gae_lambda=0.9,
        clip_range=0.2,
        seed=0,
        policy_kwargs={"net_arch": [64, 64]},
        device="cpu",
    )
    ppo = learner(epochs=1, minibatches=1, learning_rate=1e-3, entropy_coef=0.02, discount=0.97, gae_lambda=0.9)
    names = {
        "actor.0": "mlp_extractor.policy_net.0",
        "actor.2": "mlp_extractor.policy_net.2",
        "actor.4": "action_net",
        "critic.0": "mlp_extractor.value_net.0",
        "critic.2": "mlp_extractor.value_net.2",
        "critic.4": "value_net",
    }
    state = theirs.policy.state_dict()
    copied = {f"{a}.{x}": state[f"{b}.{x}"] for a, b in names.items() for x in ("weight", "bias")}
    ppo.network.load_state_dict(copied)
    trajectory = trajectory_of(np.random.default_rng(4), steps, envs)
    evaluation = ppo.evaluate(trajectory)
    buffer = theirs.rollout_buffer
    buffer.reset()
    ended = np.zeros(envs, np.bool_)
    for t in range(steps):
        buffer.add(
            trajectory.observations[""][t],
            trajectory.actions[t][:, None],
            trajectory.rewards[t],
            ended,
            torch.from_numpy(evaluation.values[t]),
            torch.from_numpy(evaluation.log_probs[t]),
        )
        ended = trajectory.terminated[t]
    buffer.compute_returns_and_advantage(torch.from_numpy(evaluation.last_value), ended)
    theirs._setup_learn(1)
    theirs.train()
    logged = theirs.logger.name_to_value
    statistics = ppo.update(trajectory, trajectory.rewards, 1e-3, np.random.default_rng(0), (64, 1))
    assert statistics.value_loss == pytest.approx(logged["train/value_loss"], rel=1e-5)
    assert -statistics.entropy == pytest.approx(logged["train/entropy_loss"], rel=1e-5)
    assert statistics.policy_loss == pytest.approx(logged["train/policy_gradient_loss"], abs=1e-6)
    state, mine = theirs.policy.state_dict(), ppo.network.state_dict()
    for a, b in names.items():
        for x in ("weight", "bias"):
            torch.testing.assert_close(mine[f"{a}.{x}"], state[f"{b}.{x}"], atol=1e-6, rtol=1e-5, msg=f"{a}.{x}")
