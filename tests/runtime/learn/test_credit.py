"""The values of the credit slot on trajectories written by hand."""

import numpy as np
import pytest

from agentc.runtime.learn.credit.estimators import CREDITS, progress, redistributed
from agentc.runtime.learn.slots import Credit
from agentc.runtime.learn.trajectory import Evaluation, Finals, Trajectory

REWARDS = np.array([[0], [0], [6], [1], [2]], np.float32)
VALUES = np.array([[1], [2], [5], [1], [3]], np.float32)


def written(**more):
    """One environment: an episode of three steps that terminates, and two steps of the next, cut off."""
    ended = np.zeros((5, 1), np.bool_)
    ended[2] = True
    none = np.zeros(0, np.int64)
    return Trajectory(
        {"": np.zeros((5, 1, 1), np.float32)}, np.zeros((5, 1), np.int64), REWARDS, ended, np.zeros((5, 1), np.bool_),
        Finals(none, none, {}), {"": np.zeros((1, 1), np.float32)}, **more,
    )  # fmt: skip


EVALUATION = Evaluation(np.zeros((5, 1), np.float32), VALUES, np.zeros((5, 1), np.float32), np.array([4], np.float32))


def advantages(name, gae_lambda=0.5):
    made = CREDITS[name](0.5, gae_lambda)
    assert isinstance(made, Credit)
    return made(written(), REWARDS, EVALUATION)[:, 0].tolist()


def test_return_to_go():
    # 0 + 0.5 (0 + 0.5 * 6) = 1.5, then 3, 6; the last two bootstrap from 4: 1 + 0.5 (2 + 0.5 * 4) = 3 and 4
    assert advantages("return_to_go") == pytest.approx([1.5 - 1, 3 - 2, 6 - 5, 3 - 1, 4 - 3])


def test_generalised_advantages():
    # TD errors: 0 + 1 - 1, 0 + 2.5 - 2, 6 - 5, 1 + 1.5 - 1, 2 + 2 - 3; each carries a quarter of the next
    assert advantages("gae") == pytest.approx([0 + 0.25 * (0.5 + 0.25), 0.5 + 0.25, 1, 1.5 + 0.25, 1])


def test_broadcast():
    assert advantages("broadcast") == pytest.approx([6 - 1, 6 - 2, 6 - 5, 3 - 1, 3 - 3])


def test_redistribution_keeps_the_return_of_every_episode():
    spread = redistributed(REWARDS, VALUES, written().ended)[:, 0]
    # changes of the value 1, 3, 0 sum to 4, 2 are missing: 2/3 each; then 2, 0 with 1 missing
    assert spread.tolist() == pytest.approx([1 + 2 / 3, 3 + 2 / 3, 2 / 3, 2.5, 0.5])
    assert spread[:3].sum() == pytest.approx(6) and spread[3:].sum() == pytest.approx(3)


def test_progress_pays_where_the_automaton_moves():
    said = np.array([[0.5], [0.5], [1.0], [0.0], [0.25]], np.float32)
    trajectory = written(monitors={"progress": said})
    before = np.array([[0], [0.5], [0.5], [0], [0]], np.float32)
    expected = redistributed(REWARDS, before, trajectory.ended, said)
    # moves 0.5, 0, 0.5 and 5 missing: 5/3 each
    assert expected[:3, 0].tolist() == pytest.approx([0.5 + 5 / 3, 5 / 3, 0.5 + 5 / 3])
    got = progress(0.5, 0.0)(trajectory, REWARDS, EVALUATION)[:, 0]
    following = np.array([2, 5, 0, 3, 4]) * 0.5
    np.testing.assert_allclose(got, expected[:, 0] + following - VALUES[:, 0], rtol=1e-6)
