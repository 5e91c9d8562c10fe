"""The benchmark of budgets: two arms that differ in the limits alone, and what a run of one says."""

import math

import pytest

from agentc.benchmarks import budgets
from agentc.runtime.spec_env import compiled_spec


def test_an_arm_says_what_its_episodes_cost(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "EPISODES", 2)
    budgeted = compiled_spec(budgets.SPEC)
    free = budgets.without_budgets(budgeted)
    assert budgeted.agent.budgets == {"harm": 2.0} and free.agent.budgets == {}
    assert [c.value for c in free.agent.costs] == [c.value for c in budgeted.agent.costs]
    found = budgets.trained(budgeted, 0, tmp_path, steps=4096)
    assert found.keys() == {"return", "satisfied", "cost"}
    assert all(math.isfinite(x) for x in found.values()) and 0.0 <= found["cost"] <= 80.0
