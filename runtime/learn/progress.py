"""How a run is doing, live: a bar with the time left, speed, return, satisfaction and violation rates.

On a terminal one line that is redrawn at every update; elsewhere (a pipe, a log of CI) a plain line every
few seconds and one at the end. It is a callback of :func:`agentc.runtime.learn.train.train`.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from agentc.runtime.learn.statistics import wilson
from agentc.runtime.learn.train import Finish, Update


class TrainingProgress:
    """Shows updates; use as a context manager around the run, and pass it as a callback."""

    def __init__(
        self,
        title: str,
        console: Console | None = None,
        resume_hint: str = "",
        interval: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``resume_hint`` is the command that goes on with an interrupted run; ``interval`` is in seconds."""
        self._title = title
        self._console = console or Console(stderr=True)
        self._hint = resume_hint
        self._interval = interval
        self._clock = clock
        self._shown: float | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}", markup=False),
                TextColumn("{task.fields[figures]}", markup=False),
                console=self._console,
            )

    def __enter__(self) -> TrainingProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, update: Update) -> None:
        """Show one update, and at once what has gone wrong."""
        for diagnostic in update.found:
            self._say(f"{self._title}: {diagnostic.severity.value}[{diagnostic.code}]: {diagnostic.message}")
        if self._bar is not None:
            self._redraw(self._bar, update)
        else:
            self._write(update)
        if update.finish is not None and update.finish is not Finish.COMPLETE:
            self._say(f"{self._title}: {update.finish.value}" + (f": {self._hint}" if self._hint else ""))

    def note(self, line: str) -> None:
        """Show what else goes on: on a terminal beside the bar, elsewhere as a line."""
        if self._bar is None:
            now = self._clock()
            if self._shown is not None and now - self._shown < self._interval and not line.startswith("round"):
                return
            self._shown = now
        self._say(f"{self._title}: {line}")

    def _redraw(self, bar: Progress, update: Update) -> None:
        if self._task is None:
            begun = update.steps - round(update.seconds * update.steps_per_second)
            total, completed = update.total_steps, max(0, begun)
            self._task = bar.add_task(self._title, total=total, completed=completed, figures="", left="")
        completed = min(update.steps, update.total_steps)
        bar.update(self._task, completed=completed, figures=figures(update), left=time_left(update))

    def _write(self, update: Update) -> None:
        now = self._clock()
        if update.finish is None and self._shown is not None and now - self._shown < self._interval:
            return
        self._shown = now
        share = min(1.0, update.steps / update.total_steps)
        times = f"{update.seconds:.0f} s, {time_left(update)}"
        self._say(f"{self._title}: {share:4.0%} of {update.total_steps:,} steps, {times}, {figures(update)}")

    def _say(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


def time_left(update: Update) -> str:
    """What is left of the run: seconds, minutes and seconds, hours and minutes."""
    if update.seconds_left is None:
        return "time left unknown"
    seconds = round(update.seconds_left)
    if seconds < 120:
        return f"{seconds} s left"
    minutes, hours = seconds // 60, seconds // 3600
    return f"{minutes} min {seconds % 60} s left" if minutes < 120 else f"{hours} h {minutes % 60} min left"


def figures(update: Update) -> str:
    """Speed, what the last episodes were like (rates with Wilson intervals), and the policy, in one line."""
    said = [f"{update.steps_per_second:,.0f} steps/s"]
    episodes = update.episodes
    if episodes.mean_return is not None:
        said.append(f"return {episodes.mean_return:.3g}")
    n = episodes.counted
    said += [f"{name} {_rate(rate, n)}" for name, rate in episodes.satisfied.items()]
    said += [f"{name} violated {_rate(rate, n)}" for name, rate in episodes.violated.items()]
    said += [f"{name} costs {cost:.3g}" for name, cost in episodes.costs.items()]
    if episodes.rewards and len(episodes.rewards) > 1:
        said.append("paid " + ", ".join(f"{name} {value:.3g}" for name, value in episodes.rewards.items() if value))
    said += [f"{name} robust {found['mean']:.2g}" for name, found in update.watched.get("robustness", {}).items()]
    met = update.watched.get("coverage", {})
    if met:
        said.append("states met " + ", ".join(f"{name} {share:.0%}" for name, share in met.items()))
    if update.learning.get("legal_mass", 1.0) < 1.0:
        said.append(f"legal mass {update.learning['legal_mass']:.0%}")
    if "entropy" in update.learning:
        said.append(f"entropy {update.learning['entropy']:.2f}")
    return "  ".join(said)


def _rate(rate: float, n: int) -> str:
    """A rate with its interval."""
    low, high = wilson(rate, max(1, n))
    return f"{rate:.0%} [{low:.0%}, {high:.0%}]"
