"""The display: a bar on a terminal, plain lines elsewhere."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from agentc.runtime.learn.progress import TrainingProgress, figures
from agentc.runtime.learn.statistics import EpisodeStatistics
from agentc.runtime.learn.train import Finish, Update

LEARNING = {"policy_loss": 0.0}
EPISODES = EpisodeStatistics(12, 0.5, 20.0, {"reach": 0.75}, {"careful": 0.02})
UPDATE = Update(500, 2000, 5, EPISODES, LEARNING, 2.0, 250.0)


def test_figures_in_words():
    said = "250 steps/s  return 0.5  reach 75% [47%, 91%]  careful violated 2% [0%, 27%]"
    assert figures(UPDATE) == said
    masked = replace(UPDATE, learning={"legal_mass": 0.5, "entropy": 0.25})
    assert figures(masked) == said + "  legal mass 50%  entropy 0.25"
    assert figures(replace(UPDATE, episodes=EpisodeStatistics(0))) == "250 steps/s"


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
