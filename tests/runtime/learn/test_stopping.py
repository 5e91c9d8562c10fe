"""``until`` conditions: met by the last episodes when there are enough of them, and by nothing less."""

import pytest

from agentc.runtime.learn.statistics import EpisodeStatistics
from agentc.runtime.learn.stopping import stopping
from agentc.runtime.learn.train import Update


def update(episodes, **figures):
    return Update(0, 1, 1, EpisodeStatistics(episodes, **figures), {}, 0.0, 0.0)


@pytest.mark.parametrize(
    ("condition", "figures", "met"),
    [
        ("satisfaction(f) >= 0.9", {"satisfied": {"f": 0.9}}, True),
        ("satisfaction(f) >= 0.9", {"satisfied": {"f": 0.89}}, False),
        ("0.9 <= satisfaction(f)", {"satisfied": {"f": 0.95}}, True),
        ("violations(f) <= 2", {"violated": {"f": 0.02}}, True),
        ("violations(f) <= 2", {"violated": {"f": 0.03}}, False),
        ("violations(f) <= 7", {"violated": {"f": 0.07}}, True),
        ("return >= -1e1", {"mean_return": -9.0}, True),
        ("return >= 200", {"mean_return": 199.0}, False),
        ("satisfaction(f) >= 0.9", {}, False),
    ],
)
def test_a_condition_ends_a_run_when_it_is_met(condition, figures, met):
    stop = stopping(condition)
    assert stop(update(100, **figures)) is met
    assert not stop(update(99, **figures))


@pytest.mark.parametrize("condition", [None, "", "proved(f)", "proved(f) & proved(g)"])
def test_other_conditions_are_none_of_its(condition):
    assert stopping(condition) is None
