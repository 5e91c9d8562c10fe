"""What a policy is paid on its way: nearer is better, however far off a subgoal is."""

import numpy as np
import pytest

from agentc.runtime.subgoals import telling
from agentc.runtime.subgoals.propositions import FAR
from agentc.runtime.subgoals.requirements import NEVER, Schedule

LAST = 20


def reach(at):
    """A plan with one proposition, required at one step."""
    times = np.full(LAST + 2, at)
    times[at + 1 :] = NEVER
    return Schedule(times[None, None].astype(np.int32), times[None, None].astype(np.int32))


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_a_potential_has_a_slope_at_every_distance(scale):
    off = np.concatenate([np.linspace(0.0, 50.0, 400)[1:] * scale, [1e2 * scale, FAR]])
    values = [
        telling.potential(reach(9), np.array([3], np.int32), np.array([[-d]]), np.array([scale]))[0] for d in off
    ]
    assert (np.diff(values) < 0).all() and np.isfinite(values).all()


def test_nothing_is_gained_beyond_the_margin():
    inside = [telling.MARGIN, 2 * telling.MARGIN, 5.0]
    values = [telling.potential(reach(9), np.array([3], np.int32), np.array([[d]]), np.ones(1))[0] for d in inside]
    assert values == [0.0, 0.0, 0.0]
