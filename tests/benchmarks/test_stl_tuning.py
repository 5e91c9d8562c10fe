"""Trials of settings: as many for every arm, what is best is used, and runs of other settings do not count."""

import json
from dataclasses import asdict

import pytest

from agentc.benchmarks import stl_learning, stl_tuning
from agentc.benchmarks.stl_learning import BASELINES, OURS, Recorded, digest
from agentc.benchmarks.stl_tuning import GRID, TASK, Trial, best, missing, tried


def trial(arm, settings, satisfied=0.0, robustness=-1.0, spec=None):
    return Trial(arm, dict(settings), satisfied, robustness, 1.0, spec or digest(TASK))


@pytest.fixture
def record(tmp_path, monkeypatch):
    path = tmp_path / "trials.jsonl"
    stl_tuning._best.cache_clear()
    yield path
    stl_tuning._best.cache_clear()


def put(path, *trials):
    path.write_text("".join(json.dumps(asdict(t)) + "\n" for t in trials))
    stl_tuning._best.cache_clear()


def test_every_arm_has_as_many_trials_and_its_own_settings_first():
    assert set(GRID) == {OURS, *BASELINES}
    assert {len(grid) for grid in GRID.values()} == {4} and all(grid[0] == {} for grid in GRID.values())


def test_the_best_is_by_satisfaction_then_robustness_and_a_tie_changes_nothing(record):
    grid = GRID["terminal"]
    put(record, *(trial("terminal", s) for s in grid))
    assert best("terminal", record) == {}
    put(record, *(trial("terminal", s, 0.0, -1.0 + 0.1 * k) for k, s in enumerate(grid)))
    assert best("terminal", record) == grid[3]
    put(record, *(trial("terminal", s, 0.5 * (k == 1), -1.0 + 0.1 * k) for k, s in enumerate(grid)))
    assert best("terminal", record) == grid[1]


def test_an_arm_whose_grid_is_not_tried_whole_keeps_its_own(record):
    put(record, *(trial("terminal", s, 0.1, float(k)) for k, s in enumerate(GRID["terminal"][:3])))
    assert best("terminal", record) == {}
    assert ("terminal", GRID["terminal"][3]) in missing(tried(record))


def test_trials_of_another_text_of_the_task_do_not_count(record):
    put(record, trial("terminal", {}, spec="another"), trial("terminal", {"learning_rate": 7.0}), trial(OURS, {}))
    assert [t.arm for t in tried(record)] == [OURS]


def test_runs_of_other_settings_than_the_best_do_not_count(record, tmp_path, monkeypatch):
    chosen = GRID["terminal"][1]
    monkeypatch.setattr(stl_tuning, "RECORDED", record)
    monkeypatch.setattr(stl_tuning, "best", lambda arm: dict(chosen) if arm == "terminal" else {})
    said = stl_learning._tuned("terminal")[1]
    rows = [
        Recorded(TASK, arm, 0, 1, 2, 3, 1.0, 1.0, digest(TASK), words)
        for arm, words in (("terminal", said), ("terminal", ""), ("tau-MDP", ""), ("tau-MDP", said))
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(asdict(r)) + "\n" for r in rows))
    assert stl_learning.read(path) == [rows[0], rows[2]]


def test_a_trial_is_trained_and_judged(tmp_path):
    made = stl_tuning.attempt("terminal", GRID["terminal"][1], tmp_path, starts=8, share=0.02)
    assert made.arm == "terminal" and made.settings == GRID["terminal"][1] and 0.0 <= made.satisfied <= 1.0
