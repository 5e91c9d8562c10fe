"""What a run writes of itself: rates with intervals, and events that overlap nowhere, however often it is resumed."""

import json
from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agentc.runtime.learn.logs import Logs, read_metrics
from agentc.runtime.learn.ppo import PPOConfig
from agentc.runtime.learn.statistics import EpisodeStatistics, wilson
from agentc.runtime.learn.train import Update, metrics_of, train

from .environments import vector_of

SMALL = PPOConfig(steps=4096, envs=4, rollout=64, hidden=16)


def scalars(folder):
    """What TensorBoard would draw: by tag, the steps and values."""
    board = EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    return {tag: [(e.step, e.value) for e in board.Scalars(tag)] for tag in board.Tags()["scalars"]}


def write(folder, after, steps, value):
    with Logs(folder, after) as logs:
        for step in steps:
            logs.write({"steps": step, "episodes": {"mean_return": value}}, {"seconds": 0.0}, 1.0e9 + step)


def test_a_resumed_run_overlaps_nowhere(tmp_path):
    """Killed after 50 with a checkpoint at 30, resumed, killed again after 70 with one at 60, resumed."""
    write(tmp_path, None, range(10, 60, 10), 0.0)
    write(tmp_path, 30, range(40, 80, 10), 1.0)
    write(tmp_path, 60, range(70, 100, 10), 2.0)
    expected = [(s, 0.0) for s in (10, 20, 30)] + [(s, 1.0) for s in (40, 50, 60)] + [(s, 2.0) for s in (70, 80, 90)]
    assert scalars(tmp_path)["episodes/mean_return"] == expected
    assert [(m["steps"], m["episodes"]["mean_return"]) for m in read_metrics(tmp_path)] == expected
    write(tmp_path, None, [10], 3.0)
    assert scalars(tmp_path)["episodes/mean_return"] == [(10, 3.0)]


@pytest.mark.parametrize("cut", [1, 9, 20])
def test_events_that_a_kill_has_torn_hide_nothing_that_follows(tmp_path, cut):
    write(tmp_path, None, range(10, 60, 10), 0.0)
    (events,) = (tmp_path / "tensorboard").iterdir()
    events.write_bytes(events.read_bytes()[:-cut])
    write(tmp_path, 30, range(40, 80, 10), 1.0)
    assert [step for step, _ in scalars(tmp_path)["episodes/mean_return"]] == list(range(10, 80, 10))


def test_a_whole_run_that_was_stopped_and_resumed_is_drawn_as_one_line(tmp_path):
    kept = {}

    def stop(update):
        if update.number == 3:  # what a kill leaves: a checkpoint that is older than the log
            saved = [*(tmp_path / "run").glob("weights-*"), tmp_path / "run" / "checkpoint.json"]
            kept.update({path.name: path.read_bytes() for path in saved})
        return update.number == 5

    config = replace(SMALL, steps=2048, checkpoint=0.0)
    train(vector_of(4), config, tmp_path / "run", callbacks=[stop])
    for path in (tmp_path / "run").glob("weights-*"):
        path.unlink()
    for name, data in kept.items():
        (tmp_path / "run" / name).write_bytes(data)
    first = json.loads((tmp_path / "run" / "checkpoint.json").read_text())["content"]["counters"]["steps"]
    assert first < read_metrics(tmp_path / "run")[-1]["steps"]
    train(vector_of(4), config, tmp_path / "run", resume=True)
    train(vector_of(4), config, tmp_path / "whole")
    one, other = scalars(tmp_path / "run"), scalars(tmp_path / "whole")
    assert {k: v for k, v in one.items() if not k.startswith("wall")} == {
        k: v for k, v in other.items() if not k.startswith("wall")
    }


def test_a_line_has_the_intervals_of_its_rates():
    episodes = EpisodeStatistics(250, 1.0, 3.0, {"reach": 0.75}, {"careful": 0.0})
    line = metrics_of(Update(500, 1000, 5, episodes, {"kl": 0.1}, 1.0, 500.0, watched={"coverage": {"reach": 0.5}}))
    assert line["intervals"] == {"satisfied": {"reach": wilson(0.75, 100)}, "violated": {"careful": wilson(0.0, 100)}}
    assert (line["coverage"], line["learning"]) == ({"reach": 0.5}, {"kl": 0.1})
    bare = Update(500, 1000, 5, EpisodeStatistics(0), {}, 1.0, 500.0)
    assert metrics_of(bare) == {"steps": 500, "update": 5, "episodes": {"episodes": 0}, "learning": {}}
