"""The guard under attack: the benchmark, on fewer episodes, and with one rule taken away at a time."""

import pytest

from agentc.benchmarks.guard import guarded_desk, measure
from agentc.lang.diagnostics import AgentcError


def test_five_hundred_forbidden_calls_and_none_executed():
    count = measure(10)
    assert count.attempts >= 500 and count.executed == 0, count
    assert count.passed >= 0.95 * count.work and count.work == 150, count.refused
    assert set(count.kinds) == {"pay", "approve", "mail", "erase", "no tool", "in parallel"}


@pytest.mark.parametrize("rule", ["single", "known", "budget", "addressed", "quiet", "inside"])
def test_every_rule_is_needed(rule):
    assert measure(6, guarded_desk(rule)).executed > 0


def test_the_rule_before_what_is_irreversible_cannot_be_left_out():
    with pytest.raises(AgentcError) as caught:
        measure(1, guarded_desk("approved"))
    assert caught.value.diagnostics[0].code == "AS1480"
