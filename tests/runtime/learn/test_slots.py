"""The slots: values by name, one record for all, a second composition over the same loop."""

import numpy as np
import pytest

from agentc.compiler.training_config import TRAINERS
from agentc.runtime.learn.checkpoint import load
from agentc.runtime.learn.constraints import AutomatonConstraint, Constraint, MaskTable
from agentc.runtime.learn.off_policy_config import DQNConfig
from agentc.runtime.learn.registry import LEARNERS, VALUES, values
from agentc.runtime.learn.replay.nstep import NStep
from agentc.runtime.learn.replay.uniform import UniformReplay
from agentc.runtime.learn.slots import Replay, Stateful
from agentc.runtime.learn.train import train
from agentc.runtime.learn.trajectory import Finals, Trajectory
from agentc.runtime.learn.transitions import Transitions, joined, transitions_of

from .environments import vector_of


def test_every_algorithm_has_a_schema_and_every_schema_an_algorithm():
    assert set(LEARNERS) == set(TRAINERS)


@pytest.mark.parametrize("slot", VALUES)
def test_the_choices_of_a_setting_are_the_values_of_its_slot(slot):
    offered = [s.choices for schema in TRAINERS.values() if (s := schema.setting(slot)) is not None]
    assert offered and {c for choices in offered for c in choices} == set(values(slot))


def test_masks_are_numbered_as_they_come_and_replayed():
    rng = np.random.default_rng(0)
    table, again = MaskTable(11), MaskTable(11)
    masks = rng.random((200, 11)) < 0.5
    numbers = table.intern(masks)
    np.testing.assert_array_equal(table.masks(numbers), masks)
    again.restore(table.state())
    np.testing.assert_array_equal(again.intern(masks), numbers)
    assert isinstance(table, Constraint) and isinstance(table, Stateful)
    with pytest.raises(ValueError):
        MaskTable(4).restore(table.state())


def test_an_automaton_is_a_constraint():
    constraint = AutomatonConstraint([[1, -1, 0], [-1, 1, 1]])
    np.testing.assert_array_equal(constraint.masks(np.array([[0, 1]])), [[[True, False, True], [False, True, True]]])
    np.testing.assert_array_equal(constraint.step(np.array([0, 1]), np.array([2, 0])), [0, -1])
    for bad in ([[1, -1], [-1, -1]], [[5]]):
        with pytest.raises(ValueError):
            AutomatonConstraint(bad)
    AutomatonConstraint([[0, 0], [-1, -1]])  # what is never reached may be stuck


def small():
    """Two environments, three steps; the first is cut after its second step, the second ends after its first."""
    observations = np.arange(6, dtype=np.float32).reshape(3, 2, 1)
    return Trajectory(
        {"": observations},
        np.array([[0, 1], [1, 0], [0, 0]]),
        np.array([[1, 2], [3, 4], [5, 6]], np.float32),
        np.array([[False, True], [False, False], [False, False]]),
        np.array([[False, False], [True, False], [False, False]]),
        Finals(np.array([1]), np.array([0]), {"": np.array([[99]], np.float32)}),
        {"": np.array([[6], [7]], np.float32)},
    )


def test_transitions_of_a_trajectory():
    got = transitions_of(small(), 0.5)
    assert got.observations[""].ravel().tolist() == [0, 1, 2, 3, 4, 5]
    assert got.rewards.tolist() == [1, 2, 3, 4, 5, 6]
    assert got.discounts.tolist() == [0.5, 0.0, 0.5, 0.5, 0.5, 0.5]
    following = got.next_observations[""].ravel().tolist()
    assert [following[i] for i in (0, 2, 3, 4, 5)] == [2, 99, 5, 6, 7]  # after a termination it is not read
    assert Transitions.of(got.columns()).columns().keys() == got.columns().keys()
    assert len(joined([got, got])) == 12


def test_returns_over_several_steps():
    """Against the sums written out; rows in the order in which they are complete."""
    every = transitions_of(small(), 0.5)
    sums, found = NStep(2, 2), []
    for t in range(3):
        done = sums(every.take(np.arange(2 * t, 2 * t + 2)), small().ended[t])
        if done is not None:
            found += [
                (float(o[0]), r, d, float(n[0]))
                for o, r, d, n in zip(
                    done.observations[""], done.rewards, done.discounts, done.next_observations[""], strict=True
                )
            ]
    # (observation, sum of rewards, discount, next observation)
    assert (0.0, 1 + 0.5 * 3, 0.25, 99.0) in found  # over the truncation of the first environment
    assert (2.0, 3.0, 0.5, 99.0) in found  # the last step before it reaches one step ahead
    assert any(row[:3] == (1.0, 2.0, 0.0) for row in found)  # terminated
    assert (3.0, 4 + 0.5 * 6, 0.25, 7.0) in found
    assert len(found) == 4
    again = NStep(2, 2)
    again.restore(sums.state())
    for key, array in sums.state().items():
        np.testing.assert_array_equal(array, again.state()[key])


def test_a_ring_keeps_the_last():
    replay = UniformReplay(4)
    assert isinstance(replay, Replay) and isinstance(replay, Stateful)
    every = transitions_of(small(), 0.5)
    replay.add(every.take(np.arange(3)))
    again = UniformReplay(4)
    again.restore(replay.state())
    for one in (replay, again):
        one.add(every.take(np.arange(3, 6)))
        drawn = one.sample(200, np.random.default_rng(0))
        assert set(drawn.rewards.tolist()) == {3, 4, 5, 6}
        assert len(one) == 4
    one, two = (r.sample(9, np.random.default_rng(1)) for r in (replay, again))
    np.testing.assert_array_equal(one.rewards, two.rewards)


SMALL = DQNConfig(
    steps=600, envs=2, rollout=50, hidden=16, layers=1, batch=16, warmup=50, learning_rate=5e-3, discount=0.9
)


@pytest.mark.parametrize("settings", [{}, {"n_step": 3, "train_every": 4, "updates": 2, "replay_size": 64}])
def test_a_learner_that_replays_resumes_exactly(tmp_path, settings):
    from dataclasses import replace

    config = replace(SMALL, **settings)
    train(vector_of(2, masked=True), config, tmp_path / "whole")
    train(vector_of(2, masked=True), config, tmp_path / "parts", callbacks=[lambda u: u.number == 2])
    resumed = train(vector_of(2, masked=True), config, tmp_path / "parts", resume=True)
    assert "exactly" in resumed.resumed
    one, two = load(tmp_path / "whole"), load(tmp_path / "parts")
    assert one.counters == two.counters and one.randomness == two.randomness
    assert one.tensors.keys() == two.tensors.keys()
    for name, array in one.tensors.items():
        np.testing.assert_array_equal(array, two.tensors[name], err_msg=name)
