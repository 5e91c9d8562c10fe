"""Budgets: multipliers as computed by hand, the reward that they make, and runs that go on exactly."""

from __future__ import annotations

import numpy as np

from agentc.runtime.learn.budgets import Budgets, Gains, Multiplier
from agentc.runtime.learn.logs import read_metrics
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.rewards import LearningReward
from agentc.runtime.learn.train import Finish, train
from agentc.runtime.learn.trajectory import Finals, Trajectory
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


def test_an_episode_is_summed_over_rollouts_and_charged() -> None:
    budgets = Budgets({"a": 1.0, "b": 100.0}, Gains(0.5, 0.0, 0.0), 2)
    first = trajectory({"a": [[1, 2], [1, 0]], "b": [[0, 0], [0, 0]]}, [[0, 0], [0, 0]])
    budgets.observe(first)
    assert budgets.figures() == {"multiplier/a": 0.0, "multiplier/b": 0.0}  # no episode has ended
    assert budgets.charged(first.rewards, first).tolist() == [[2, 2], [2, 2]]
    second = trajectory({"a": [[3, 1], [4, 4]], "b": [[1, 1], [1, 1]]}, [[1, 0], [0, 1]])
    budgets.observe(second)  # episodes cost 1 + 1 + 3 and 2 + 0 + 1 + 4: 6 on average, 5 above the limit
    assert budgets.figures() == {"multiplier/a": 2.5, "multiplier/b": 0.0, "cost/a": 6.0, "cost/b": 1.5}
    expected = (2.0 - 2.5 * np.array([[3, 1], [4, 4]])) / 3.5
    assert np.array_equal(budgets.charged(second.rewards, second), expected.astype(np.float32))
    other = Budgets({"a": 1.0, "b": 100.0}, Gains(0.5, 0.0, 0.0), 2)
    other.restore(budgets.state())
    third = trajectory({"a": [[0, 0]], "b": [[0, 0]]}, [[1, 1]])
    for each in (budgets, other):
        each.observe(third)  # environment 0 had 4 left from before
    assert budgets.figures() == other.figures() and budgets.figures()["cost/a"] == 2.0


def test_no_gains_no_charge() -> None:
    seen = trajectory({"a": [[9.0]]}, [[1]])
    config = PPOConfig(budget_kp=0.0, budget_ki=0.0, budget_kd=0.0)
    assert LearningReward(config, 1, {"a": 1.0}).rewards(seen, seen.rewards).tolist() == [[2.0]]
    assert LearningReward(PPOConfig(), 1, {}).rewards(seen, seen.rewards).tolist() == [[2.0]]


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


SMALL = PPOConfig(steps=480, envs=2, rollout=24, hidden=8, epochs=2, minibatches=2, checkpoint=0.0)


def test_stopped_and_resumed_is_never_stopped(tmp_path) -> None:
    compiled = driver(tmp_path, "2")
    whole = train(SpecVectorEnv(compiled, 2), SMALL, tmp_path / "whole")
    halted = train(SpecVectorEnv(compiled, 2), SMALL, tmp_path / "parts", callbacks=[lambda u: u.number == 4])
    assert halted.finish is Finish.STOPPED
    rest = train(SpecVectorEnv(compiled, 2), SMALL, tmp_path / "parts", resume=True)
    assert rest.resumed is not None and rest.resumed.startswith("exactly") and rest.steps == whole.steps

    def left(folder):
        lines = [{k: v for k, v in line.items() if k != "wall"} for line in read_metrics(folder)]
        return lines, {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != "metrics.jsonl"}

    assert left(tmp_path / "whole") == left(tmp_path / "parts")
    last = read_metrics(tmp_path / "whole")[-1]
    assert last["learning"]["multiplier/fuel"] > 0.0  # a random policy pushes more than 2 in ten steps
    assert last["learning"]["cost/fuel"] > 2.0 and last["episodes"]["costs"].keys() == {"fuel"}
