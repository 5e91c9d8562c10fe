"""The decision transformer: its windows by hand, its causality, that it does what it is asked, and exact resumption."""

import numpy as np
import pytest
import torch
from gymnasium import Env, spaces

from agentc.lang.diagnostics import AgentcError
from agentc.runtime.evaluate import run_episodes
from agentc.runtime.learn.architecture import Architecture, architecture_for
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.context.returns import ReturnConditionedEnv, conditioned_space
from agentc.runtime.learn.demonstrations.recording import record
from agentc.runtime.learn.demonstrations.weighting import Episodes
from agentc.runtime.learn.demonstrations.windows import RecordedWindows, to_go
from agentc.runtime.learn.objectives.decision import DecisionObjective
from agentc.runtime.learn.off_policy_config import DTConfig
from agentc.runtime.learn.policy import Policy
from agentc.runtime.learn.train import train
from agentc.runtime.learn.vector import SyncVector

from .environments import Corridor


def architecture(steps=3, seen=2, actions=spaces.Discrete(2), hidden=8, layers=2):
    space = conditioned_space(spaces.Box(-1, 1, (seen,), np.float32), actions, steps)
    made = architecture_for(
        space, actions, hidden=hidden, layers=layers, critic=False, memory="decision", sequences=True
    )
    assert Architecture.from_data(made.to_data()) == made
    return made


SEEN = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float32)
ACTIONS = np.array([0, 1, 1, 0])
REWARDS = np.array([1, 0, 3, 2], np.float32)
ENDED = np.array([False, True, False, True])


def windows():
    return RecordedWindows(SEEN, ACTIONS, REWARDS, ENDED, architecture())


def test_returns_to_go_end_with_their_episode():
    episodes = Episodes.of(REWARDS, ENDED)
    assert to_go(REWARDS, episodes).tolist() == [1, 0, 5, 2]
    assert windows().best == 5.0 and windows().scale == 5.0


def test_a_window_holds_what_came_before_in_its_episode():
    batch = windows().ending_in(np.array([1, 2]))
    # (return to go / 5, observation, action as a unit vector, 1), oldest first
    first = [[0, 0, 0, 0, 0, 0], [0.2, 1, 2, 1, 0, 1], [0.0, 3, 4, 0, 1, 1]]
    second = [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1.0, 5, 6, 0, 1, 1]]
    np.testing.assert_allclose(batch.observations[""], [first, second])
    assert batch.weights.tolist() == [[0, 1, 1], [0, 0, 1]]
    assert batch.actions[0, 1:].tolist() == [0, 1] and batch.actions[1, 2] == 1


def test_what_comes_later_changes_no_earlier_action():
    objective = DecisionObjective(architecture(4, 2), DTConfig(), torch.Generator().manual_seed(0))
    transformer = objective.network.encoders[0]
    x = torch.randn(5, 4, 6, generator=torch.Generator().manual_seed(1))
    x[..., -1] = 1.0
    made = transformer.every(x)
    assert made.shape == (5, 4, 8)
    for step in range(4):
        # Everything behind the observation of the step: its action, and all of the later steps.
        other = x.clone()
        other[:, step, 3:5] = 9.0
        other[:, step + 1 :, :-1] = -9.0
        torch.testing.assert_close(transformer.every(other)[:, : step + 1], made[:, : step + 1])
        for column in (0, 1):  # its own return to go and observation it reads
            other = x.clone()
            other[:, step, column] += 1.0
            changed = (transformer.every(other) - made).abs().amax(dim=(0, 2))
            assert (changed[:step] == 0).all() and (changed[step:] > 0).all()


def test_what_was_before_the_episode_is_not_read():
    transformer = DecisionObjective(architecture(4), DTConfig(), torch.Generator().manual_seed(0)).network.encoders[0]
    x = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(1))
    x[..., -1] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    other = x.clone()
    other[:, :2, :-1] = 7.0
    torch.testing.assert_close(transformer(x), transformer(other))
    assert torch.isfinite(transformer.every(x)).all()


def test_the_loss_is_over_the_steps_that_are_there():
    objective = DecisionObjective(architecture(), DTConfig(), torch.Generator().manual_seed(0))
    batch = windows().ending_in(np.array([0, 1, 2, 3]))
    losses = objective.losses(batch).detach()
    assert len(losses) == batch.weights.sum() == 6
    network = objective.network
    made = network.encoders[0].every(torch.from_numpy(batch.observations[""]))
    logits = network.actor(made).detach()
    expected = -torch.log_softmax(logits, -1)[0, 2, ACTIONS[0]]  # the only step of the first window
    assert float(losses[0]) == pytest.approx(float(expected), rel=1e-5)


class Chosen(Env):
    """Ten steps; each pays what was chosen, 0 or 1: every return from 0 to 10 can be had."""

    def __init__(self):
        self.observation_space = spaces.Box(0, 1, (1,), np.float32)
        self.action_space = spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.at += 1
        return np.array([self.at / 10], np.float32), float(action), self.at == 10, False, {}


class Coin:
    """Chooses 1 with a probability that is drawn anew for every episode."""

    def __init__(self):
        self.randomness = np.random.default_rng(0)

    def act(self, observation, mask, randomness):
        if observation[0, 0] == 0:
            self.share = self.randomness.random()
        return np.array([int(self.randomness.random() < self.share)])


def test_the_return_that_is_left_falls_by_what_is_paid():
    env = ReturnConditionedEnv(Chosen(), architecture(3, 1).action, 3, 8.0, 4.0)
    first, _ = env.reset(seed=0)
    np.testing.assert_allclose(first, [[0] * 5, [0] * 5, [2.0, 0, 0, 0, 1]])
    second = env.step(1)[0]
    np.testing.assert_allclose(second[1:], [[2.0, 0, 0, 1, 1], [1.75, 0.1, 0, 0, 1]], rtol=1e-6)


@pytest.fixture(scope="module")
def coins(tmp_path_factory):
    path = tmp_path_factory.mktemp("coins") / "coins.safetensors"
    record(Chosen, Coin(), 200, 0, path)
    return str(path)


def test_it_does_what_it_is_asked(tmp_path, coins):
    found = {}
    for wanted in (2.0, 8.0):
        config = DTConfig(
            steps=300, rollout=100, hidden=16, layers=1, history=3, data=coins, target="given", target_return=wanted,
            learning_rate=3e-3,
        )  # fmt: skip
        train(SyncVector([Chosen]), config, tmp_path / str(wanted))
        policy = Policy.load(tmp_path / str(wanted))
        assert policy.architecture.target_return == wanted
        found[wanted] = np.mean([e.total_reward for e in run_episodes(Chosen, policy, 40, 0)])
    assert abs(found[2.0] - 2.0) < 1.5 and abs(found[8.0] - 8.0) < 1.5


def test_it_resumes_exactly_and_is_written_with_what_it_is_asked(tmp_path, coins):
    config = DTConfig(steps=30, rollout=5, hidden=8, layers=1, history=4, batch=8, data=coins, weighting="return")
    train(SyncVector([Chosen]), config, tmp_path / "whole")
    train(SyncVector([Chosen]), config, tmp_path / "parts", callbacks=[lambda u: u.number == 3])
    assert train(SyncVector([Chosen]), config, tmp_path / "parts", resume=True).resumed.startswith("exactly")
    one, two = load(tmp_path / "whole"), load(tmp_path / "parts")
    for key, array in one.tensors.items():
        np.testing.assert_array_equal(array, two.tensors[key], err_msg=key)
    policy = Policy.load(tmp_path / "whole")
    read = Policy.read(policy.export(tmp_path / "policy.safetensors"))
    assert read.architecture.target_return == policy.architecture.target_return > 5
    x = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    np.testing.assert_array_equal(read.act(x, None, None), policy.act(x, None, None))


def test_numbers_as_actions_and_other_observations(tmp_path, coins):
    box = spaces.Box(np.array([-2, 0], np.float32), np.array([1, 5], np.float32))
    objective = DecisionObjective(architecture(actions=box), DTConfig(), torch.Generator().manual_seed(0))
    actions = np.array([[0, 1], [1, 2], [-2, 5], [0.5, 0]], np.float32)
    made = RecordedWindows(SEEN, actions, REWARDS, ENDED, objective.network.architecture)
    figures = objective.step(made.ending_in(np.array([1, 3])), 1e-3, np.random.default_rng(0), (0, 0))
    assert np.isfinite(figures["loss"])
    with pytest.raises(AgentcError) as caught:
        conditioned_space(spaces.Box(0, 255, (7, 7, 3), np.uint8), box, 3)
    assert caught.value.diagnostics[0].code == "AS0940"
    with pytest.raises(AgentcError) as caught:
        train(SyncVector([Corridor]), DTConfig(steps=10, data=coins), tmp_path)
    assert caught.value.diagnostics[0].code == "AS1534"
