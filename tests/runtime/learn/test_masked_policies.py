"""Constrained policies are trained as what they are: against enumeration in exact arithmetic."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentc.benchmarks.masked_gradient import Problem, flat, problem
from agentc.runtime.learn.acting import StochasticActor
from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.collect.rollout import Rollout
from agentc.runtime.learn.constraints import AutomatonConstraint
from agentc.runtime.learn.distributions import Categorical
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.objectives.clipped import clipped_objective, decision_mean
from agentc.runtime.learn.ppo import PPOConfig, PPOLearner, decisions
from agentc.runtime.learn.statistics import EpisodeWindow
from agentc.runtime.learn.trajectory import Finals, Trajectory

from .environments import vector_of


@st.composite
def problems(draw):
    states, actions = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    target = st.integers(-1, states - 1)
    rows = [
        draw(st.lists(target, min_size=actions, max_size=actions).filter(lambda r: max(r) >= 0)) for _ in range(states)
    ]
    fraction = st.fractions(Fraction(1, 8), 8, max_denominator=8)
    weights = [draw(st.lists(fraction, min_size=actions, max_size=actions)) for _ in range(states)]
    pays = [draw(st.lists(st.integers(0, 3).map(Fraction), min_size=actions, max_size=actions)) for _ in range(3)]
    return Problem(*(tuple(map(tuple, x)) for x in (rows, weights, pays)))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(problems())
def test_replayed_masks_give_the_exact_gradient(one):
    """The objective at ratio one, over all trajectories weighted by their probabilities, through our own parts."""
    constraint = AutomatonConstraint(one.successors) if _reachable(one) else None
    if constraint is None:
        return
    logits = torch.tensor([[float(w) for w in row] for row in one.weights], dtype=torch.float64).log().requires_grad_()
    loss = torch.zeros((), dtype=torch.float64)
    for chance, paid, path in one.trajectories():
        states, actions = (np.array(x, np.int64) for x in zip(*path, strict=True))
        policy = Categorical.of(logits[states], torch.from_numpy(constraint.masks(states)))
        log_prob = policy.log_prob(torch.from_numpy(actions))
        returns = torch.full((len(path),), float(paid), dtype=torch.float64)
        surrogate = clipped_objective(log_prob - log_prob.detach(), returns, 0.2, 0.2)
        loss = loss + float(chance) * surrogate.sum()
        # what a trajectory's probability is, is what the policy says of it
        assert float(log_prob.sum().detach().exp()) == pytest.approx(float(chance), rel=1e-9)
    loss.backward()
    np.testing.assert_allclose(logits.grad.numpy().ravel(), flat(one.gradient(masked=True)), rtol=1e-9, atol=1e-9)
    mask = constraint.masks(np.arange(len(one.weights)))
    assert not logits.grad.numpy()[~mask].any(), "an illegal action got a gradient"
    forced = mask.sum(1) == 1
    assert not logits.grad.numpy()[forced].any(), "a forced action got a gradient"


def _reachable(one):
    try:
        AutomatonConstraint(one.successors)
    except ValueError:
        return False
    return True


def test_ignoring_the_mask_is_biased():
    one = problem(0)
    true, naive = (np.array(flat(one.gradient(masked=m))) for m in (True, False))
    assert np.linalg.norm(naive - true) > 0.5 * np.linalg.norm(true)
    assert one.variance(masked=False) > one.variance(masked=True)


class Telling(StochasticActor):
    """Notes the log-probability of what it does, when it does it."""

    def __init__(self, network):
        super().__init__(network)
        self.said = []

    def act(self, observation, mask, noise):
        action = super().act(observation, mask, noise)
        policy = self._network.policy(self._network.inputs(observation), torch.from_numpy(mask))
        self.said.append(policy.log_prob(torch.from_numpy(action)).numpy())
        return action


def masked_rollout(steps=200):
    env = vector_of(3, masked=True, length=5)
    architecture = architecture_for(env.observation_space, env.action_space, hidden=16)
    learner = PPOLearner(architecture, PPOConfig(minibatches=1, epochs=1), torch.Generator().manual_seed(0))
    with torch.no_grad():
        learner.network.actor[-1].weight.mul_(100)  # far from uniform
    actor = Telling(learner.network)
    rollout = Rollout(env, actor, steps, EpisodeWindow(), 0)
    return learner, rollout.collect(steps, 0, np.random.default_rng(0)), np.array(actor.said)


def test_log_probabilities_of_rollout_and_of_training_agree():
    learner, trajectory, said = masked_rollout()
    np.testing.assert_allclose(learner.evaluate(trajectory).log_probs, said, atol=1e-5)
    assert (trajectory.masks.sum(-1) == 1).any() and (said[trajectory.masks.sum(-1) == 1] == 0.0).all()
    masked = trajectory.masks
    assert masked[np.arange(200)[:, None], np.arange(3)[None], trajectory.actions].all()


def forced(trajectory):
    """The same with masks that leave what was done only."""
    only = AutomatonConstraint([[0, -1, -1], [-1, 0, -1], [-1, -1, 0]])
    return replace(trajectory, constraint=trajectory.actions.copy(), legal=only)


def test_a_forced_action_passes_exactly_no_gradient():
    learner, trajectory, _ = masked_rollout()
    learner = PPOLearner(
        learner.architecture, PPOConfig(value_coef=0.0, entropy_coef=0.5), torch.Generator().manual_seed(1)
    )
    before = learner.optimizer.weights.clone()
    statistics = learner.update(forced(trajectory), trajectory.rewards, 0.1, np.random.default_rng(0), (0, 0))
    assert torch.equal(before, learner.optimizer.weights)
    assert (statistics.decisions, statistics.entropy, statistics.policy_loss) == (0.0, 0.0, 0.0)


def test_losses_are_means_over_decisions():
    """Rows without a choice change nothing: neither the loss nor the normalisation of advantages."""
    learner, trajectory, _ = masked_rollout()
    chosen, share = decisions(trajectory, trajectory.masks)
    assert share == pytest.approx((trajectory.masks.sum(-1) > 1).mean()) and 0 < share < 1
    free = np.argwhere(trajectory.masks.sum(-1) > 1)[:, 0]

    def loss(rows):
        inputs = learner.network.inputs({"": trajectory.observations[""].reshape(-1, 5)[rows]})
        masks = torch.from_numpy(trajectory.masks.reshape(-1, 3)[rows])
        policy = learner.network.policy(inputs, masks)
        return float(decision_mean(policy.entropy(), torch.from_numpy(chosen[rows])).detach())

    every = np.arange(600)
    assert len(free) == share * 600
    assert loss(every) == pytest.approx(loss(np.flatnonzero(chosen)), rel=1e-6)


def test_legal_mass_is_that_of_the_unmasked_policy():
    logits = torch.tensor([[0.0, 1.0, 2.0], [0.5, 0.5, 0.5]], dtype=torch.float64)
    mask = torch.tensor([[True, False, True], [True, True, True]])
    plain = torch.softmax(logits, -1)
    got = Categorical.of(logits, mask).log_mass.exp()
    torch.testing.assert_close(got, (plain * mask).sum(-1))


def test_with_the_feasibility_term_the_policy_learns_to_do_without_its_mask(tmp_path):
    from agentc.runtime.learn.logs import read_metrics
    from agentc.runtime.learn.train import train

    config = PPOConfig(steps=3072, envs=4, rollout=64, hidden=16, learning_rate=3e-3, discount=0.9)
    mass = {}
    for coef in (0.0, 1.0):
        train(vector_of(4, masked=True), replace(config, legal_coef=coef), tmp_path / str(coef))
        mass[coef] = read_metrics(tmp_path / str(coef))[-1]["learning"]["legal_mass"]
    assert mass[1.0] > 0.95 > mass[0.0]


def test_steps_left_out_are_no_decisions():
    left_out = np.zeros((4, 2), np.bool_)
    left_out[0] = True
    t = Trajectory(
        {"": np.zeros((4, 2, 1), np.float32)}, np.zeros((4, 2), np.int64), np.zeros((4, 2), np.float32),
        np.zeros((4, 2), np.bool_), np.zeros((4, 2), np.bool_),
        Finals(np.zeros(0, np.int64), np.zeros(0, np.int64), {}),
        {"": np.zeros((2, 1), np.float32)}, decided=left_out,
    )  # fmt: skip
    chosen, share = decisions(t, None)
    assert share == 0.25 and chosen.tolist() == [True, True] + [False] * 6


def test_masks_of_corridor_states_are_few():
    env = vector_of(2, masked=True)
    network = ActorCritic(architecture_for(env.observation_space, env.action_space, hidden=4))
    rollout = Rollout(env, StochasticActor(network), 50, EpisodeWindow(), 0)
    trajectory = rollout.collect(50, 0, np.random.default_rng(0))
    assert trajectory.constraint.max() == 1 and trajectory.constraint.dtype == np.int64
    assert trajectory.legal.masks(np.array([0, 1])).shape == (2, 3)
