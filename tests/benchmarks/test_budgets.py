"""The benchmark of budgets: arms that differ in how the limit is kept alone, and what a run of one says."""

import math

import pytest

from agentc.benchmarks import budgets


@pytest.mark.parametrize("name", ["projection", "sac"])
def test_an_arm_says_what_its_episodes_cost(tmp_path, monkeypatch: pytest.MonkeyPatch, name) -> None:
    monkeypatch.setattr(budgets, "EPISODES", 2)
    found = budgets.trained(name, 0, tmp_path, steps=2048 if name == "projection" else 1100)
    assert found.keys() == {"return", "satisfied", "cost"}
    assert all(math.isfinite(x) for x in found.values()) and 0.0 <= found["cost"] <= 80.0


def test_arms_differ_in_the_budget_alone() -> None:
    agents = {name: budgets.arm(name, 0)[0].agent for name in budgets.ARMS}
    free = agents.pop("unconstrained")
    assert all(agent.budgets == {"harm": 2.0} for agent in agents.values()) and free.budgets == {}
    assert [c.value for c in free.costs] == [c.value for c in agents["sac"].costs]
    settings = [budgets.arm(name, 0)[1].to_data() for name in budgets.ARMS[:3]]
    assert [s.pop("budget_method") for s in settings] == ["lagrangian", "lagrangian", "projection"]
    assert settings[0] == settings[1] == settings[2]


def test_runs_of_another_spec_are_not_read(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "RECORDED", tmp_path / "budgets.jsonl")
    now = budgets.digest("sac", 1)
    row = '{{"name": "sac", "seed": {0}, "cost": 1, "return": 2, "satisfied": 1, "of": "{1}"}}\n'
    budgets.RECORDED.write_text(row.format(1, now) + row.format(0, now))
    found = budgets.recorded()
    assert found == {("sac", 1): {"cost": 1, "return": 2, "satisfied": 1}}
    assert len(list(budgets.missing(found))) == 11
