"""Learners that replay: their losses on numbers worked out by hand, what they learn, exact resumption."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.evaluate import run_episodes
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.demonstrations.recorded import Recorded, write
from agentc.runtime.learn.demonstrations.recording import record
from agentc.runtime.learn.objectives.bc import BC
from agentc.runtime.learn.objectives.dqn import DQN
from agentc.runtime.learn.objectives.iql import IQL, expectile
from agentc.runtime.learn.objectives.sac import SAC, Temperature
from agentc.runtime.learn.objectives.td3 import TD3
from agentc.runtime.learn.off_policy_config import (
    BCConfig,
    DQNConfig,
    IQLConfig,
    RLPDConfig,
    SACConfig,
    TD3BCConfig,
    TD3Config,
)
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.replay.outcome import OutcomeReplay
from agentc.runtime.learn.train import train
from agentc.runtime.learn.transitions import Transitions

from .environments import Corridor, Target, vector_of

BOX = spaces.Box(-1, 1, (3,), np.float32)
AT = (0, 0)


def batch_of(rng, action, n=16):
    discrete = isinstance(action, spaces.Discrete)
    return Transitions(
        {"": rng.standard_normal((n, 3)).astype(np.float32)},
        rng.integers(action.n, size=n) if discrete else rng.uniform(-1, 1, (n, 2)).astype(np.float32),
        rng.standard_normal(n).astype(np.float32),
        np.where(rng.random(n) < 0.3, 0.0, 0.9).astype(np.float32),
        {"": rng.standard_normal((n, 3)).astype(np.float32)},
    )


def made(kind, config, action, head, critic=False):
    architecture = architecture_for(BOX, action, hidden=8, layers=1, activation="relu", head=head, critic=critic)
    return kind(architecture, config, torch.Generator().manual_seed(1))


ACTIONS = spaces.Box(-1, 1, (2,), np.float32)


def forward(critics, obs, action=None):
    """The critics of one hidden layer, layer by layer, in float64: ``(count, batch)`` or with actions last."""
    state = {k: t.numpy().astype(np.float64) for k, t in critics.state_dict().items()}
    x = obs if action is None else np.concatenate([obs, action], 1)
    hidden = np.maximum(np.einsum("bi,kij->kbj", x, state["layers.0.weight"]) + state["layers.0.bias"], 0)
    out = np.einsum("kbi,kij->kbj", hidden, state["layers.2.weight"]) + state["layers.2.bias"]
    return out if action is None else out[..., 0]


def test_dqn_loss_is_the_huber_error_of_the_double_target():
    objective = made(DQN, DQNConfig(hidden=8, layers=1), spaces.Discrete(3), "values")
    rng = np.random.default_rng(0)
    with torch.no_grad():  # a target that differs from the network
        for p in objective._target.network.parameters():
            p.add_(torch.from_numpy(rng.standard_normal(p.shape).astype(np.float32)))
    batch = batch_of(rng, spaces.Discrete(3))
    masks = np.ones((16, 3), np.bool_)
    masks[:, 0] = False

    def values(network, x):
        w = {k: t.detach().numpy().astype(np.float64) for k, t in network.state_dict().items()}
        return np.maximum(x @ w["actor.0.weight"].T + w["actor.0.bias"], 0) @ w["actor.2.weight"].T + w["actor.2.bias"]

    now, later = (
        values(objective.network, batch.observations[""]),
        values(objective.network, batch.next_observations[""]),
    )
    best = np.where(masks, later, -np.inf).argmax(1)
    target = (
        batch.rewards
        + batch.discounts * values(objective._target.network, batch.next_observations[""])[np.arange(16), best]
    )
    error = np.abs(now[np.arange(16), batch.actions] - target)
    expected = np.where(error < 1, 0.5 * error**2, error - 0.5).mean()
    figures = objective.step(replace(batch, masks=masks, next_masks=masks), 1e-3, rng, AT)
    assert figures["loss"] == pytest.approx(expected, rel=1e-5)


def test_sac_losses_are_those_of_the_paper():
    """Critic and policy loss in float64 with the same noise: Haarnoja et al. (2018), equations 5 and 7."""
    objective = made(SAC, SACConfig(hidden=8, layers=1, initial_temperature=0.3), ACTIONS, "soft")
    batch = batch_of(np.random.default_rng(0), ACTIONS)
    noise = np.random.default_rng(5)
    first, second = (noise.standard_normal((16, 2), np.float32).astype(np.float64) for _ in range(2))

    def sampled(x, e):
        w = {k: t.numpy().astype(np.float64) for k, t in objective.network.state_dict().items()}
        out = np.maximum(x @ w["actor.0.weight"].T + w["actor.0.bias"], 0) @ w["actor.2.weight"].T + w["actor.2.bias"]
        mean, log_std = out[:, :2], -5 + 3.5 * (np.tanh(out[:, 2:]) + 1)
        u = mean + np.exp(log_std) * e
        density = -0.5 * e**2 - log_std - 0.5 * math.log(2 * math.pi) - np.log(1 - np.tanh(u) ** 2)
        return np.tanh(u), density.sum(1)

    obs, following = batch.observations[""].astype(float), batch.next_observations[""].astype(float)
    action, density = sampled(following, first)
    target = batch.rewards + batch.discounts * (
        forward(objective._target.network, following, action).min(0) - 0.3 * density
    )
    critic = 0.5 * ((forward(objective._critics, obs, batch.actions) - target) ** 2).mean(1).sum()
    before = sampled(obs, second)
    figures = objective.step(batch, 1e-9, np.random.default_rng(5), AT)  # so small a step changes no loss
    assert figures["critic_loss"] == pytest.approx(critic, rel=1e-5)
    policy = (0.3 * before[1] - forward(objective._critics, obs, before[0]).min(0)).mean()
    assert figures["actor_loss"] == pytest.approx(policy, rel=1e-4, abs=1e-5)
    assert figures["entropy"] == pytest.approx(-before[1].mean(), rel=1e-4)


def test_discrete_sac_takes_expectations_over_legal_actions():
    objective = made(SAC, SACConfig(hidden=8, layers=1, initial_temperature=0.5), spaces.Discrete(3), "soft")
    rng = np.random.default_rng(0)
    masks = np.ones((16, 3), np.bool_)
    masks[:, 2] = False
    batch = replace(batch_of(rng, spaces.Discrete(2)), masks=masks, next_masks=masks)
    w = {k: t.numpy().astype(np.float64) for k, t in objective.network.state_dict().items()}
    x = batch.next_observations[""].astype(float)
    logits = np.maximum(x @ w["actor.0.weight"].T + w["actor.0.bias"], 0) @ w["actor.2.weight"].T + w["actor.2.bias"]
    p = np.exp(logits[:, :2]) / np.exp(logits[:, :2]).sum(1, keepdims=True)
    least = forward(objective._target.network, x).min(0)[:, :2]
    target = batch.rewards + batch.discounts * (p * (least - 0.5 * np.log(p))).sum(1)
    values = forward(objective._critics, batch.observations[""].astype(float))[:, np.arange(16), batch.actions]
    figures = objective.step(batch, 1e-9, rng, AT)
    assert figures["critic_loss"] == pytest.approx(0.5 * ((values - target) ** 2).mean(1).sum(), rel=1e-5)


def test_td3_bc_loss():
    objective = made(TD3, TD3BCConfig(hidden=8, layers=1, policy_delay=1, target_noise=0.0), ACTIONS, "deterministic")
    batch = batch_of(np.random.default_rng(0), ACTIONS)
    w = {k: t.numpy().astype(np.float64) for k, t in objective.network.state_dict().items()}

    def act(x):
        return np.tanh(
            np.maximum(x @ w["actor.0.weight"].T + w["actor.0.bias"], 0) @ w["actor.2.weight"].T + w["actor.2.bias"]
        )

    obs, following = batch.observations[""].astype(float), batch.next_observations[""].astype(float)
    later = forward(objective._critic_target.network, following, act(following)).min(0)
    target = batch.rewards + batch.discounts * later
    critic = ((forward(objective._critics, obs, batch.actions) - target) ** 2).mean(1).sum()
    worth = forward(objective._critics, obs, act(obs))[0]
    policy = -2.5 * worth.mean() / np.abs(worth).mean() + ((act(obs) - batch.actions) ** 2).mean()
    figures = objective.step(batch, 1e-9, np.random.default_rng(0), AT)
    assert figures["critic_loss"] == pytest.approx(critic, rel=1e-5)
    assert figures["actor_loss"] == pytest.approx(policy, rel=1e-4)


def test_expectile():
    got = expectile(torch.tensor([2.0, -2.0, 0.5]), 0.9)
    torch.testing.assert_close(got, torch.tensor([3.6, 0.4, 0.225]))


def test_iql_losses():
    config = IQLConfig(hidden=8, layers=1, expectile=0.8, beta=2.0)
    objective = made(IQL, config, spaces.Discrete(3), "policy", critic=True)
    batch = batch_of(np.random.default_rng(0), spaces.Discrete(3))
    network, rows = objective.network, np.arange(16)
    w = {k: t.numpy().astype(np.float64) for k, t in network.state_dict().items()}

    def head(name, x):
        return (
            np.maximum(x @ w[f"{name}.0.weight"].T + w[f"{name}.0.bias"], 0) @ w[f"{name}.2.weight"].T
            + w[f"{name}.2.bias"]
        )

    obs, following = batch.observations[""].astype(float), batch.next_observations[""].astype(float)
    value, q = head("critic", obs)[:, 0], forward(objective._critics, obs)[:, rows, batch.actions]
    gap = q.min(0) - value
    logits = head("actor", obs)
    log_p = (logits - np.log(np.exp(logits).sum(1, keepdims=True)))[rows, batch.actions]
    target = batch.rewards + batch.discounts * head("critic", following)[:, 0]
    figures = objective.step(batch, 1e-3, np.random.default_rng(0), AT)
    assert figures["value_loss"] == pytest.approx((np.where(gap < 0, 0.2, 0.8) * gap**2).mean(), rel=1e-5)
    assert figures["actor_loss"] == pytest.approx((-log_p * np.minimum(np.exp(2 * gap), 100)).mean(), rel=1e-5)
    assert figures["critic_loss"] == pytest.approx(((q - target) ** 2).sum(0).mean(), rel=1e-5)


def test_the_temperature_is_adam_on_its_logarithm():
    mine = Temperature(SACConfig(initial_temperature=0.5))
    log = torch.tensor([math.log(0.5)], dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([log], lr=0.01)
    for excess in (0.3, -1.0, 2.0, 0.1):
        mine.step(excess, 0.01)
        adam.zero_grad()
        (log * excess).sum().backward()
        adam.step()
        assert mine.value == pytest.approx(float(log.detach().exp()[0]), rel=1e-9)
    again = Temperature(SACConfig())
    again.restore(mine.state())
    assert again.value == mine.value


def test_failures_are_drawn_again_and_again():
    replay = OutcomeReplay(1000, envs=2, share=0.5, failures=True)
    for episode in range(50):
        reward = np.array([1.0, float(episode % 2 == 0)], np.float32)  # the second environment fails half the time
        one = Transitions(
            {"": np.array([[0], [episode % 2]], np.float32)}, np.zeros(2, np.int64), reward, np.zeros(2, np.float32),
            {"": np.zeros((2, 1), np.float32)}, ended=np.ones(2, np.bool_),
        )  # fmt: skip
        replay.add(one)
    again = OutcomeReplay(1000, envs=2, share=0.5, failures=True)
    again.restore(replay.state())
    drawn = [r.sample(400, np.random.default_rng(0)) for r in (replay, again)]
    np.testing.assert_array_equal(drawn[0].rewards, drawn[1].rewards)
    assert 0.55 < (drawn[0].rewards == 0).mean() < 0.7  # a half, and a quarter of the other half


# ---------------------------------------------------------------- whole runs

SMALL = {"envs": 2, "rollout": 50, "hidden": 16, "layers": 1, "batch": 16, "warmup": 60, "discount": 0.9}
DATA = {"hidden": 16, "layers": 1, "batch": 16, "rollout": 40, "discount": 0.9}


class Expert:
    """Says what is shown, or walks right; badly with probability ``bad``."""

    def __init__(self, bad=0.0):
        self.bad = bad

    def act(self, observation, mask, randomness):
        wrong = randomness is not None and randomness.random() < self.bad
        if observation.shape[-1] == 4:
            return np.full(len(observation), 0 if wrong else 2)
        return randomness.uniform(-1, 1, (1, 1, 1)).astype(np.float32) if wrong else observation.reshape(-1, 1, 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    assert record(Corridor, Expert(0.5), 60, 0, folder / "corridor") > 100
    assert record(Target, Expert(0.5), 200, 0, folder / "target") == 200
    return folder


def configurations(folder):
    corridor, target = str(folder / "corridor"), str(folder / "target")
    return {
        "dqn": (DQNConfig(steps=400, **SMALL, replay="success"), Corridor),
        "sac": (SACConfig(steps=400, **SMALL), Target),
        "sac discrete": (SACConfig(steps=400, **SMALL, replay="failure"), Corridor),
        "td3": (TD3Config(steps=400, **SMALL), Target),
        "rlpd": (RLPDConfig(steps=200, **SMALL, updates=2, critics=3, data=target), Target),
        "bc": (BCConfig(steps=120, **DATA, data=corridor, weighting="return"), Corridor),
        "iql": (IQLConfig(steps=120, **DATA, data=corridor, normalize_observations=True), Corridor),
        "td3_bc": (TD3BCConfig(steps=120, **DATA, data=target, weighting="advantage"), Target),
    }


@pytest.mark.parametrize("name", ["dqn", "sac", "td3", "bc", "iql", "td3_bc"])
def test_it_learns(tmp_path, data, name):
    config, make = configurations(data)[name]
    offline = name in ("bc", "iql", "td3_bc")
    config = replace(
        config,
        steps={"td3_bc": 1000}.get(name, 400) if offline else 1200,
        learning_rate=3e-3,
        normalize_observations=False,
    )
    if name == "bc":
        config = replace(config, weighting="return", weight_alpha=0.05)
    train(vector_of(2, make), config, tmp_path)
    episodes = run_episodes(make, Policy.load(tmp_path), 20, seed=1, deterministic=True)
    if make is Corridor:
        assert all(e.terminated and e.length <= 3 for e in episodes)
    else:
        assert np.mean([e.total_reward for e in episodes]) > -0.3  # a constant has -0.5, a random action -0.67


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: {**c, "actions": c["actions"] + 2}, "AS1534"),
        (lambda c: {**c, "observations/": c["observations/"][:, :2]}, "AS1534"),
        (lambda c: {k: a for k, a in c.items() if k != "rewards"}, "AS1533"),
        (lambda c: {**c, "rewards": c["rewards"][:-1]}, "AS1533"),
        (lambda c: {**c, "rewards": np.full_like(c["rewards"], np.nan)}, "AS1533"),
        (lambda c: {k: a for k, a in c.items() if not k.startswith("next")}, "AS1534"),
    ],
)
def test_data_that_does_not_fit_is_refused(tmp_path, data, change, code):
    import safetensors.numpy

    columns = safetensors.numpy.load((data / "corridor").read_bytes())
    write(tmp_path / "changed", change(columns))
    architecture = architecture_for(Corridor().observation_space, spaces.Discrete(3))
    Recorded.load(data / "corridor", architecture, 0.9)
    with pytest.raises(AgentcError) as caught:
        Recorded.load(tmp_path / "changed", architecture, 0.9)
    assert caught.value.diagnostics[0].code == code


def test_weights_prefer_good_episodes(data):
    architecture = architecture_for(Target.observation_space, Target.action_space, head="deterministic")
    means = {}
    for weighting in ("uniform", "return", "advantage"):
        recorded = Recorded.load(data / "target", architecture, 0.9, weighting)
        means[weighting] = recorded.batch(2000, np.random.default_rng(0)).rewards.mean()
    assert means["return"] > means["uniform"] + 0.1 and means["advantage"] > means["uniform"] + 0.1


def test_spaces_that_do_not_fit_an_algorithm(tmp_path):
    for config, make in ((DQNConfig(), Target), (TD3Config(), Corridor)):
        with pytest.raises(AgentcError) as caught:
            train(vector_of(1, make), config, tmp_path)
        assert caught.value.diagnostics[0].code == "AS0940"


def test_cloning_is_minus_the_log_probability():
    objective = made(BC, BCConfig(hidden=8, layers=1), spaces.Discrete(3), "policy")
    batch = batch_of(np.random.default_rng(0), spaces.Discrete(3))
    network = objective.network
    with torch.no_grad():
        expected = -network.policy(network.inputs(batch.observations)).log_prob(torch.from_numpy(batch.actions)).mean()
    assert objective.step(batch, 1e-3, np.random.default_rng(0), AT)["loss"] == pytest.approx(float(expected), rel=1e-6)
