"""The display: a bar on a terminal, plain lines elsewhere."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from agentc.lang.diagnostics import report
from agentc.runtime.learn.progress import TrainingProgress, figures
from agentc.runtime.learn.remaining import RemainingTime
from agentc.runtime.learn.statistics import EpisodeStatistics
from agentc.runtime.learn.train import Finish, Update

LEARNING = {"policy_loss": 0.0}
EPISODES = EpisodeStatistics(12, 0.5, 20.0, {"reach": 0.75}, {"careful": 0.02})
UPDATE = Update(500, 2000, 5, EPISODES, LEARNING, 2.0, 250.0, seconds_left=8.0)


def test_figures_in_words():
    said = "250 steps/s  return 0.5  reach 75% [47%, 91%]  careful violated 2% [0%, 27%]"
    assert figures(UPDATE) == said
    masked = replace(UPDATE, learning={"legal_mass": 0.5, "entropy": 0.25})
    assert figures(masked) == said + "  legal mass 50%  entropy 0.25"
    assert figures(replace(UPDATE, episodes=EpisodeStatistics(0))) == "250 steps/s"
    watched = {"coverage": {"reach": 0.5}, "robustness": {"reach": {"mean": -0.125, "least": -1.0, "episodes": 3}}}
    paid = replace(EPISODES, rewards={"reach": 0.75, "careful": 0.0, "step": -0.02})
    more = figures(replace(UPDATE, episodes=paid, watched=watched))
    assert more == said + "  paid reach 0.75, step -0.02  reach robust -0.12  states met reach 50%"


def test_what_is_left_is_said_in_words_that_fit():
    from agentc.runtime.learn.progress import time_left

    left = [time_left(replace(UPDATE, seconds_left=s)) for s in (None, 0.0, 119.0, 121.0, 7199.0, 9000.0)]
    assert left == [
        "time left unknown", "0 s left", "119 s left", "2 min 1 s left", "119 min 59 s left", "2 h 30 min left",
    ]  # fmt: skip


def test_what_is_left_is_measured_where_learning_takes_place():
    """A fast beginning without gradient steps promises nothing; an old speed is forgotten; a time limit counts."""
    remaining = RemainingTime(10_000)
    assert remaining(1000, 1.0, False) is None  # 1000 steps a second, but none of them was learned from
    assert remaining(1100, 2.0, True) == pytest.approx(89.0)  # 100 a second since
    assert remaining(1200, 3.0, True) == pytest.approx(88.0)
    for k in range(60):  # from now on half as fast
        left = remaining(1200 + 50 * (k + 1), 4.0 + k, True)
    assert left == pytest.approx((10_000 - 4200) / 50)
    assert RemainingTime(10_000, limit=10.0)(100, 1.0, True) == 9.0
    resumed = RemainingTime(10_000, first=9000)
    assert resumed(9500, 5.0, True) == pytest.approx(5.0)
    assert resumed(10_000, 10.0, True) == 0.0


def test_what_went_wrong_is_said_at_once():
    found = (report("AS1530", None, seed=3, path="there", steps=7),)
    console = Console(file=io.StringIO(), force_terminal=False, width=200)
    with TrainingProgress("DoorKey", console) as progress:
        progress(UPDATE)
        progress(replace(UPDATE, found=found))
    assert console.file.getvalue().splitlines()[1].startswith("DoorKey: note[AS1530]: the run with seed 3")


def test_plain_lines_every_few_seconds_and_at_the_end():
    now = [0.0]
    console = Console(file=io.StringIO(), force_terminal=False, width=40)
    with TrainingProgress("DoorKey", console, "agentc train --resume", 5.0, lambda: now[0]) as progress:
        for second in range(11):
            now[0] = float(second)
            progress(replace(UPDATE, steps=100 * (second + 1), finish=Finish.INTERRUPTED if second == 10 else None))
    lines = console.file.getvalue().splitlines()
    begin = "DoorKey:   5% of 2,000 steps, 2 s, 8 s left, 250 steps/s  return 0.5"
    assert lines[0].startswith(begin)
    assert [line.split("%")[0] for line in lines[:3]] == ["DoorKey:   5", "DoorKey:  30", "DoorKey:  55"]
    assert lines[3] == "DoorKey: interrupted; resume to go on from the checkpoint: agentc train --resume"
    assert len(lines) == 4


def test_a_bar_on_a_terminal():
    console = Console(file=io.StringIO(), force_terminal=True, width=160)
    with TrainingProgress("Door[Key]", console) as progress:
        progress(UPDATE)
        progress(replace(UPDATE, steps=2000, finish=Finish.COMPLETE))
    shown = console.file.getvalue()
    assert "Door[Key]" in shown
    assert "2000/2000" in shown
    assert "reach 75%" in shown
    assert "resume" not in shown


def test_wilson_intervals_against_their_equation():
    """The bounds are the rates at which the score statistic of what was seen is z."""
    from agentc.runtime.learn.statistics import wilson

    for rate, n in ((0.75, 12), (0.0, 5), (1.0, 40), (0.02, 100)):
        for bound in wilson(rate, n):
            if 1e-9 < bound < 1 - 1e-9:
                assert abs(rate - bound) / (bound * (1 - bound) / n) ** 0.5 == pytest.approx(1.959964)
    with pytest.raises(ValueError):
        wilson(0.5, 0)
