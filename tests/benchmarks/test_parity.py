"""Parity with published runs: what is run, what is recorded, and how it is judged."""

from dataclasses import replace

import numpy as np
import pytest

from agentc.benchmarks import parity, parity_cases
from agentc.benchmarks.parity import Recorded
from agentc.benchmarks.parity_cases import CASES


def run_of(case: str, seed: int, figure: float, steps: int | None = None) -> Recorded:
    whole = CASES[case].config.steps
    return Recorded(case, seed, whole if steps is None else steps, figure, CASES[case].settings, [(1, figure)])


def test_a_record_is_read_back_and_a_run_takes_the_place_of_its_earlier_state(tmp_path) -> None:
    path = tmp_path / "parity.jsonl"
    for run in (run_of("pendulum", 0, -150.0), run_of("cartpole", 1, 480.0, 1000), run_of("cartpole", 1, 490.0)):
        parity.record(run, path)
    assert [(r.case, r.seed, r.figure) for r in parity.read(path)] == [("cartpole", 1, 490.0), ("pendulum", 0, -150.0)]
    parity.record(replace(run_of("doorkey", 0, 0.9), settings="others"), path)
    assert {r.case for r in parity.read(path)} == {"cartpole", "pendulum"}, "other settings do not count"


def test_what_is_missing_is_what_has_not_been_run_to_the_end() -> None:
    done = [run_of("cartpole", 0, 490.0), run_of("pendulum", 1, -150.0, 10)]
    assert list(parity.missing(done, 2, ["cartpole", "pendulum"])) == [
        ("pendulum", 0),
        ("cartpole", 1),
        ("pendulum", 1),
    ]
    assert list(parity.missing([], 5, ["half_cheetah"])) == [("half_cheetah", 0)], "one recorded run"


@pytest.mark.parametrize(
    ("figure", "where", "holds"), [(490.0, "inside", True), (499.0, "above", True), (470.0, "below", False)]
)
def test_a_figure_is_judged_by_the_published_interval(figure, where, holds) -> None:
    (row,) = parity.rows([run_of("cartpole", seed, figure) for seed in range(3)])
    assert row.holds is holds and f"; {where};" in row.note
    assert "3 of 10 runs" in row.note and "490.04 +- 6.12" in row.note


def test_a_run_under_way_is_not_judged() -> None:
    (row,) = parity.rows([run_of("half_cheetah", 0, 500.0, 30_000)])
    assert row.holds is None and row.note.startswith("30,000 of 1,000,000 steps so far")


def test_settings_are_part_of_a_record() -> None:
    case = CASES["cartpole"]
    assert case.settings != replace(case, stated={**case.stated, "learning_rate": 1e-3}).settings
    assert case.settings == replace(case, published=1.0).settings


def test_a_case_is_trained_gone_on_with_and_judged(tmp_path, monkeypatch) -> None:
    case = CASES["cartpole"]
    short = replace(case, stated={**case.stated, "steps": 2048}, seeds=2)
    monkeypatch.setitem(parity_cases.CASES, "cartpole", short)
    path = tmp_path / "parity.jsonl"
    done = parity.carry_out(1, ["cartpole"], path, tmp_path / "runs")
    assert [(r.case, r.seed, r.steps) for r in done] == [("cartpole", 0, 2048)]
    assert done[0].curve[-1] == (2048, round(done[0].figure, 4)) and 9.0 < done[0].figure < 500.0
    again = parity.carry_out(2, ["cartpole"], path, tmp_path / "runs")
    assert again[0] == done[0] and [r.seed for r in again] == [0, 1]


def test_episodes_are_counted_to_their_first_end() -> None:
    """A policy that falls at once, and the return of each environment's first episode alone."""
    from agentc.runtime.envs.vector_classic import vector_env

    class Left:
        def act(self, observation, mask, randomness):
            assert randomness is None
            return np.zeros(len(observation), np.int64)

    returns = parity_cases.play(vector_env("CartPole-v1", 4), Left(), 0, greedy=True)
    assert returns.shape == (4,) and (returns >= 8).all() and (returns <= 11).all()
