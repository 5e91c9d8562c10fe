"""Budgets: multipliers as computed by hand, the reward that they make, and runs that go on exactly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agentc.runtime.learn.architecture import architecture_for
from agentc.runtime.learn.budgets import Budgets, Gains, Multiplier
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.networks.actor_critic import ActorCritic
from agentc.runtime.learn.objectives.costs import charged
from agentc.runtime.learn.objectives.projection import Projection, Rollout, conjugate_gradients
from agentc.runtime.learn.objectives.soft_costs import SoftCosts
from agentc.runtime.learn.off_policy_config import DQNConfig, SACConfig
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.replay.nstep import NStep
from agentc.runtime.learn.rewards import LearningReward
from agentc.runtime.learn.train import train
from agentc.runtime.learn.trajectory import Budget, Finals, Trajectory
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.spec_env import compiled_spec
from agentc.runtime.spec_vector import SpecVectorEnv


def test_multipliers_by_hand() -> None:
    m = Multiplier(10.0, Gains(0.5, 0.25, 2.0))
    seen = []
    for cost in (14.0, 15.0, 8.0, 0.0, 12.0):
        m.observe(cost)
        seen.append(m.value)
    # excess 4, 5, -2, -10, 2; its sum 4, 9, 7, 0 (and not -3), 2; rises 0 (nothing before), 1, 0, 0, 12
    assert seen == [0.5 * 4 + 0.25 * 4, 0.5 * 5 + 0.25 * 9 + 2 * 1, -0.5 * 2 + 0.25 * 7, 0.0, 0.5 * 2 + 0.25 * 2 + 24]


def trajectory(costs: dict[str, list[list[float]]], ended: list[list[int]]) -> Trajectory:
    over = np.array(ended, bool)
    none = np.zeros(0, np.int64)
    return Trajectory(
        {}, np.zeros(over.shape, np.int64), np.full(over.shape, 2.0, np.float32), over, np.zeros_like(over),
        Finals(none, none, {}), {}, costs={k: np.array(a, np.float32) for k, a in costs.items()},
    )  # fmt: skip


def test_an_episode_is_summed_over_rollouts() -> None:
    budgets = Budgets({"a": 1.0, "b": 100.0}, Gains(0.5, 0.0, 0.0), 2)
    budgets.observe(trajectory({"a": [[1, 2], [1, 0]], "b": [[0, 0], [0, 0]]}, [[0, 0], [0, 0]]))
    assert budgets.figures() == {"multiplier/a": 0.0, "multiplier/b": 0.0}  # no episode has ended
    assert budgets.standing() == {"a": Budget(0.0), "b": Budget(0.0)}
    budgets.observe(trajectory({"a": [[3, 1], [4, 4]], "b": [[1, 1], [1, 1]]}, [[1, 0], [0, 1]]))
    # Episodes of 3 and 4 steps cost 1 + 1 + 3 and 2 + 0 + 1 + 4: 6 on average, 5 above the limit.
    assert budgets.figures() == {"multiplier/a": 2.5, "multiplier/b": 0.0, "cost/a": 6.0, "cost/b": 1.5}
    assert budgets.standing() == {"a": Budget(2.5, 5.0, 3.5), "b": Budget(0.0, -98.5, 3.5)}
    other = Budgets({"a": 1.0, "b": 100.0}, Gains(0.5, 0.0, 0.0), 2)
    other.restore(budgets.state())
    for each in (budgets, other):
        each.observe(trajectory({"a": [[0, 0]], "b": [[0, 0]]}, [[1, 1]]))  # environment 0 had 4 left from before
    assert budgets.figures() == other.figures() and budgets.figures()["cost/a"] == 2.0
    assert budgets.standing() == other.standing()


def test_multipliers_move_once_a_rollout() -> None:
    budgets = Budgets({"a": 1.0}, Gains(1.0, 0.0, 0.0), 1, every=3)
    other = Budgets({"a": 1.0}, Gains(1.0, 0.0, 0.0), 1, every=3)
    seen = []
    for cost in (3, 5, 7, 9):  # an episode of one step each
        budgets.observe(trajectory({"a": [[cost]]}, [[1]]))
        other.restore(budgets.state())
        assert other.standing() == budgets.standing()
        seen.append(budgets.standing()["a"].multiplier)
    assert seen == [0.0, 0.0, 4.0, 4.0]


def test_advantages_are_weighed() -> None:
    costs = {"a": np.array([[3, 1], [4, 4]], np.float32), "b": np.ones((2, 2), np.float32)}
    found = charged(np.full((2, 2), 2.0, np.float32), costs, {"a": Budget(2.5), "b": Budget(0.0)})
    assert np.array_equal(found, ((2.0 - 2.5 * costs["a"]) / 3.5).astype(np.float32))


def test_no_gains_no_budgets() -> None:
    seen = trajectory({"a": [[9.0]]}, [[1]])
    none = {"budget_kp": 0.0, "budget_ki": 0.0, "budget_kd": 0.0}
    assert LearningReward(PPOConfig(rollout=1, **none), 1, {"a": 1.0}).budgets(seen)["a"] == Budget(0.0, 8.0, 1.0)
    assert LearningReward(PPOConfig(), 1, {}).budgets(seen) == {}
    assert LearningReward(DQNConfig(), 1, {"a": 1.0}).budgets(seen) == {}


# ---------------------------------------------------------------- projection


def test_conjugate_gradients() -> None:
    matrix = torch.tensor([[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 2.0]])
    right = torch.tensor([1.0, -2.0, 0.5])
    found = conjugate_gradients(lambda v: matrix @ v, right, 3)
    torch.testing.assert_close(matrix @ found, right)


def choice(excess: float):
    """A policy over four actions of one state, all of its actions equally often, and an update that raised the cost."""
    network = ActorCritic(
        architecture_for(spaces.Box(0, 1, (1,), np.float32), spaces.Discrete(4), layers=0),
        torch.Generator().manual_seed(0),
    )
    prices = torch.tensor([0.0, 1.0, 2.0, 5.0])
    inputs, actions = (torch.ones(400, 1),), torch.arange(4).repeat(100)
    with torch.no_grad():
        network.actor[-1].weight.zero_()
        network.actor[-1].bias.zero_()
    projection = Projection(network, 0.02)
    before = projection.weights()
    rows = Rollout(inputs, None, actions, torch.full((400,), -math.log(4)), None)
    with torch.no_grad():
        network.actor[-1].bias += 0.05 * prices
    costs, budgets = {"c": prices[actions] - prices.mean()}, {"c": Budget(0.0, excess, 10.0)}

    def chances():
        with torch.no_grad():
            return network.policy(inputs).log_probs[0].exp()

    def cost():
        return excess + 10.0 * float(chances() @ prices - prices.mean())

    return projection, (before, rows, costs, budgets), chances, cost, prices


def test_a_projection_is_the_least_change_that_keeps_the_budget() -> None:
    projection, given, chances, cost, prices = choice(-0.5)
    updated = chances()
    assert cost() > 1.0
    figures = projection(*given)
    assert figures["recovered"] == 0.0 and 0.0 < figures["projected"] <= 0.02
    assert abs(cost()) < 0.35  # of more than 1; what is left is curvature
    # Of all policies with that cost the nearest to the updated one is it times exp(-v * price); v by bisection.
    wanted, low, high = float(chances() @ prices), 0.0, 1.0
    for _ in range(50):
        v = 0.5 * (low + high)
        tilted = updated * torch.exp(-v * prices)
        tilted /= tilted.sum()
        low, high = (v, high) if float(tilted @ prices) > wanted else (low, v)
    least = float((tilted * (tilted / updated).log()).sum())
    assert figures["projected"] <= 1.1 * least


def test_what_is_far_above_the_budget_is_recovered_from_where_it_was() -> None:
    projection, given, chances, cost, _ = choice(8.0)
    figures = projection(*given)
    assert figures["recovered"] == 1.0 and 0.01 < figures["projected"] <= 0.03
    assert cost() < 8.0  # below the cost before the update
    projection, given, chances, cost, _ = choice(-5.0)
    before = chances()
    assert projection(*given) == {"projected": 0.0, "recovered": 0.0} and torch.equal(chances(), before)


def test_forced_steps_and_none_that_ended() -> None:
    projection, (before, rows, costs, _), chances, _, _ = choice(0.0)
    was = chances()
    assert projection(before, rows, costs, {"c": Budget(0.0)}) == {"projected": 0.0, "recovered": 0.0}
    forced = Rollout(rows.inputs, None, rows.actions, rows.log_probs, torch.zeros(400, dtype=torch.bool))
    projection(before, forced, costs, {"c": Budget(0.0, 1.0, 10.0)})
    assert torch.equal(chances(), was)


# ---------------------------------------------------------------- soft actor-critic


@pytest.mark.parametrize("discrete", [False, True])
def test_critics_of_costs_and_what_they_weigh(discrete) -> None:
    actions = spaces.Discrete(3) if discrete else spaces.Box(-1, 1, (2,), np.float32)
    shape = architecture_for(spaces.Box(-1, 1, (3,), np.float32), actions, hidden=8, layers=1, head="soft")
    costs = SoftCosts(("a", "b"), shape, torch.Generator().manual_seed(0))
    network = ActorCritic(shape, torch.Generator().manual_seed(1))
    rng = np.random.default_rng(0)
    seen, later = ({"": rng.standard_normal((64, 3)).astype(np.float32)} for _ in range(2))
    taken = rng.integers(3, size=64) if discrete else rng.uniform(-1, 1, (64, 2)).astype(np.float32)
    charges = rng.random((64, 2)).astype(np.float32)
    batch = Transitions(seen, taken, np.zeros(64, np.float32), np.zeros(64, np.float32), later, costs=charges)
    inputs, following = network.inputs(seen), network.inputs(later)
    losses = [
        costs.step(inputs, following, network.policy(following), batch, (0.02, 0.0, 0.1), rng, (0, 0))
        for _ in range(400)
    ]
    given = None if discrete else torch.from_numpy(taken)
    assert float(costs.weighed(inputs, given).abs().max()) == 0.0  # no multiplier is known yet
    assert losses[-1] < 0.2 * losses[0]
    found = []
    for name in ("a", "b"):  # nothing is worth anything afterwards, so that each critic has become its charges
        costs.budgets = {name: Budget(2.0)}
        weighed = costs.weighed(inputs, given).detach()
        if discrete:
            weighed = weighed.gather(-1, torch.from_numpy(taken)[:, None])[:, 0]
        found.append(0.5 * weighed.numpy())
    assert np.abs(np.stack(found, 1) - charges).mean() < 0.15
    again = SoftCosts(("a", "b"), shape, torch.Generator().manual_seed(5))
    again.restore(costs.state())
    again.budgets = costs.budgets
    assert torch.equal(again.weighed(inputs, given), costs.weighed(inputs, given))


def test_costs_are_summed_over_several_steps() -> None:
    one = Transitions(
        {"": np.zeros((2, 1), np.float32)}, np.zeros(2, np.int64), np.ones(2, np.float32),
        np.full(2, 0.5, np.float32), {"": np.zeros((2, 1), np.float32)}, costs=np.array([[1.0], [2.0]], np.float32),
    )  # fmt: skip
    sums = NStep(2, 2)
    assert sums(one, np.zeros(2, bool)) is None
    done = sums(one, np.zeros(2, bool))
    assert done is not None and done.costs.tolist() == [[1.5], [3.0]] and done.rewards.tolist() == [1.5, 1.5]


# ---------------------------------------------------------------- whole runs

DRIVER = """
system cart {
  state v : real
  input push : real in [0, 1]
  v' = push / 1s
  step 1s
}
agent Driver {
  env cart(horizon = 10, init = { v = 0 })
  prop pushing = action.push > 0.5
  cost fuel = action.push
  budget fuel <= BUDGET
  reward { pushing : 1 }
  train ppo { steps = 64; envs = 2; rollout = 8; hidden = 8 }
}
"""


def driver(tmp_path, budget: str):
    path = tmp_path / f"driver{budget}.agentspec"
    path.write_text(DRIVER.replace("BUDGET", budget))
    return compiled_spec(path)


def driven(config, tmp_path, name: str):
    """Lines of a run whose reward is for pushing, ten times an episode, and whose budget allows for four."""
    train(SpecVectorEnv(driver(tmp_path, "2"), config.envs), config, tmp_path / name)
    return read_metrics(tmp_path / name)


QUICK = {"hidden": 16, "layers": 1, "checkpoint": 1e9}


@pytest.mark.parametrize("method", ["lagrangian", "projection"])
def test_what_is_paid_for_is_done_as_far_as_the_budget_goes(tmp_path, method) -> None:
    config = PPOConfig(
        steps=8000, envs=8, rollout=20, minibatches=2, learning_rate=1e-2, budget_method=method, budget_kp=0.5,
        budget_ki=0.1, budget_radius=0.03, **QUICK
    )
    lines = driven(config, tmp_path, method)
    none = {"budget_kp": 0.0, "budget_ki": 0.0, "budget_kd": 0.0, "budget_method": "lagrangian"}
    free = driven(replace(config, **none), tmp_path, "free")
    costs, unbound = ([line["episodes"]["costs"]["fuel"] for line in run[-3:]] for run in (lines, free))
    assert 0.5 < np.mean(costs) < 2.6 and np.mean(unbound) > 5.0


@pytest.mark.slow
def test_soft_actor_critic_keeps_to_a_budget(tmp_path) -> None:
    config = SACConfig(
        steps=1500, envs=1, rollout=50, batch=32, warmup=100, learning_rate=3e-3, budget_kp=0.3, budget_ki=0.05, **QUICK
    )
    lines = driven(config, tmp_path, "sac")
    assert 0.5 < np.mean([line["learning"]["cost/fuel"] for line in lines[-10:]]) < 3.0
    assert lines[-1]["learning"]["cost_value_loss"] > 0.0
