"""The training loop: collect, learn, log, checkpoint; begin, stop and resume. The same for every learner.

What is exact: with the same configuration, environments that are a function of their seed, and one version of
torch on one kind of CPU, two runs have the same weights to the byte. torch is held to one thread while training:
sums in parallel would depend on the number of cores, and the networks are too small to gain.

A resumed run repeats the one that was never stopped, to the byte: weights, optimiser, replay, statistics, logs,
random generators and the episodes under way, wherever the environments give their state or can be played again
(:mod:`agentc.runtime.learn.episodes`). Where they cannot, the episodes begin anew, with seeds derived from the
run's seed and the number of such resumptions, and :attr:`TrainResult.resumed` says so.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentc.lang.diagnostics import AgentcError, Diagnostic, report
from agentc.runtime.learn import checkpoint as checkpoints
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.checkpoint import Checkpoint
from agentc.runtime.learn.collect.rollout import Rollout
from agentc.runtime.learn.configuration import TrainingConfig
from agentc.runtime.learn.episodes import generator_state, restore_generator
from agentc.runtime.learn.learner import Beginning, Moment, Preparing
from agentc.runtime.learn.logs import Logs
from agentc.runtime.learn.normalize import RunningMoments
from agentc.runtime.learn.registry import prepare
from agentc.runtime.learn.remaining import RemainingTime
from agentc.runtime.learn.rewards import LearningReward
from agentc.runtime.learn.seeding import learner_sequence, resumed_seed
from agentc.runtime.learn.starts import Starts, starts_of
from agentc.runtime.learn.statistics import EpisodeStatistics, EpisodeWindow, FiguresByName
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import Budgeted, Mending, VectorEnv, Watching

EXACTLY = "exactly, inside the episodes that were under way"
ANEW = "with new episodes, as the environments do not come back to where they were"


class Finish(Enum):
    """Why a run ended, with its sentence."""

    COMPLETE = "all steps were trained"
    INTERRUPTED = "interrupted; resume to go on from the checkpoint"
    TIME_LIMIT = "the time limit was reached; resume to go on from the checkpoint"
    STOPPED = "stopped early, as its condition was met"
    COLLAPSED = "stopped, as the run has collapsed"


@dataclass(frozen=True, slots=True)
class Update:
    """What callbacks are told after each update.

    ``seconds`` and ``steps_per_second`` are of this process, ``seconds_left`` until the end of the run, None while it
    is not known. ``watched`` is what the environments tell beside their episodes
    (:class:`agentc.runtime.learn.vector.Watching`), ``found`` what has gone wrong since the last update without ending
    the run.
    """

    steps: int
    total_steps: int
    number: int
    episodes: EpisodeStatistics
    learning: Mapping[str, float]
    seconds: float
    steps_per_second: float
    finish: Finish | None = None
    seconds_left: float | None = None
    watched: FiguresByName = field(default_factory=dict)
    found: tuple[Diagnostic, ...] = ()


Callback = Callable[[Update], bool | Finish | None]
"""Called after each update; True stops the run, and so does a :class:`Finish`, which then says why.

The last call has ``finish`` set.
"""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a run ended. ``seconds`` is the time of this process; ``steps`` counts all of the run.

    ``resumed`` says how the run went on from its checkpoint, None if it began here.
    """

    checkpoint: Path
    finish: Finish
    steps: int
    updates: int
    seconds: float
    episodes: EpisodeStatistics
    resumed: str | None = None


def train(
    env: VectorEnv,
    config: TrainingConfig,
    out_dir: Path,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
    starts: Starts | None = None,
) -> TrainResult:
    """Train for ``config.steps`` environment steps, rounded up to whole steps of all environments.

    The algorithm is that of the configuration's class. Of one that learns from recorded data alone, the steps are
    gradient steps. ``starts`` chooses the tasks and the states in which episodes begin; by default as the settings say.

    Writes ``checkpoint.json``, its weights, ``metrics.jsonl`` and ``tensorboard/`` into ``out_dir``. With
    ``resume`` it goes on from the checkpoint there, if there is one. Ctrl-C ends the run after the update
    under way, with a checkpoint. ``env`` stays open.

    Raises :class:`AgentcError`: AS0940 for spaces that no learner can use, AS0941 and AS0942 for numbers
    that are not finite (with AS1530, which names the seed and the last good checkpoint), AS0943 where no action is
    legal, AS0841 and AS0842 for a checkpoint that cannot be gone on from. The last checkpoint is always intact.
    """
    with _one_thread():
        run = _Run(env, config, out_dir, starts)
        saved = None
        if resume and (out_dir / checkpoints.FILE_NAME).exists():
            saved = checkpoints.load(out_dir)
            run.restore(saved)
        with Logs(out_dir, None if saved is None else run.steps) as logs, _interruptible() as interrupted:
            return run.loop(logs, callbacks, interrupted, saved)


class _Run:
    """The state of a run between two updates."""

    def __init__(self, env: VectorEnv, config: TrainingConfig, out_dir: Path, starts: Starts | None) -> None:
        self.config = config
        self.out_dir = out_dir
        weights, actions = learner_sequence(config.seed).spawn(2)
        generator = torch.Generator()
        generator.manual_seed(int(weights.generate_state(1)[0]))
        self.env, self.learner = prepare(env, config, generator)
        self.watching = env if isinstance(env, Watching) else None
        self.mending = env if isinstance(env, Mending) else None
        self.randomness = np.random.Generator(np.random.PCG64(actions))
        budgets = env.budgets if isinstance(env, Budgeted) else {}
        self.rewards = LearningReward(config, self.env.num_envs, budgets)
        self.vectors = [p for p in self.learner.architecture.parts if p.kind == "vector"]
        self.moments = RunningMoments(sum(p.size for p in self.vectors))
        self.window = EpisodeWindow()
        self.rollout: Rollout | None = None
        self.starts = starts = starts_of(config, self.env) if starts is None else starts
        if starts is not None:
            if not hasattr(self.env, "options"):
                raise TypeError(f"{type(self.env).__name__} takes no options of a reset")
            self.env.options = starts.options
            if isinstance(self.learner, Beginning):
                self.learner.begins(starts.reset)
        self.steps = self.updates = self.generation = 0

    def loop(
        self, logs: Logs, callbacks: Sequence[Callback], interrupted: threading.Event, resumed: Checkpoint | None
    ) -> TrainResult:
        """Rounds of collecting and learning until something ends them; ``resumed`` is what was restored."""
        c = self.config
        began = saved = time.monotonic()
        first = self.steps
        path = self.out_dir / checkpoints.FILE_NAME
        finish = Finish.COMPLETE if self.steps >= c.steps else None
        how = None
        remaining = RemainingTime(c.steps, c.minutes * 60.0, first)
        if resumed is None and isinstance(self.learner, Preparing):
            self.learner.prepare(self.randomness)
        if finish is None:
            how = self._begin(resumed)
        if resumed is None:
            path = self.save()
        saved_at = self.steps
        while finish is None:
            try:
                learning = self._round()
            except AgentcError as error:
                raise self._located(error, path, saved_at) from None
            seconds = time.monotonic() - began
            finish = self._finish(interrupted, seconds)
            rate = (self.steps - first) / max(seconds, 1e-9)
            update = Update(
                self.steps, c.steps, self.updates, self.window.statistics(), learning, seconds, rate, finish,
                remaining(self.steps, seconds, bool(learning)),
                {} if self.watching is None else self.watching.figures(),
                () if self.mending is None else self.mending.found(),
            )  # fmt: skip
            logs.write(metrics_of(update), {"seconds": seconds, "steps_per_second": rate}, time.time())
            said = [answer for callback in callbacks if (answer := callback(update))]
            if said and finish is None:
                finish = next((answer for answer in said if isinstance(answer, Finish)), Finish.STOPPED)
                for callback in callbacks:
                    callback(replace(update, finish=finish))
            if finish is not None or time.monotonic() - saved >= c.checkpoint:
                path = self.save()
                saved, saved_at = time.monotonic(), self.steps
        seconds = time.monotonic() - began
        return TrainResult(path, finish, self.steps, self.updates, seconds, self.window.statistics(), how)

    def _begin(self, resumed: Checkpoint | None) -> str | None:
        """Start acting: anew, or where the run was; how it was resumed."""
        c, learner = self.config, self.learner
        if learner.cycle == 0:
            return None if resumed is None else EXACTLY
        longest = min(learner.cycle, c.rollout)
        state = None if resumed is None else resumed.group("rollout")
        if state:
            try:
                self.rollout = Rollout(self.env, learner.actor, longest, self.window, c.seed, state, self.starts)
            except (ValueError, KeyError, IndexError, TypeError):
                state = None  # it does not come back: new episodes, below
            else:
                return EXACTLY
        if resumed is not None and self.steps > 0:
            self.generation += 1
            self.rewards.anew()
        seed = resumed_seed(c.seed, self.generation)
        self.rollout = Rollout(self.env, learner.actor, longest, self.window, seed, None, self.starts)
        return None if resumed is None else ANEW if self.steps > 0 else EXACTLY

    def _round(self) -> dict[str, float]:
        """The steps between two lines of the log: cycles of collecting and learning; the means of their figures."""
        c, n, learner = self.config, self.env.num_envs, self.learner
        self.updates += 1
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        left = c.rollout
        while left > 0 and self.steps < c.steps:
            if self.rollout is None:
                left -= 1
                self.steps += 1
                figures = learner.learn(None, self.randomness, Moment(self.steps, c.steps, self.updates))
            else:
                length = min(learner.cycle, left, -(-(c.steps - self.steps) // n))
                if self.starts is not None:
                    self.starts.taken = self.steps
                trajectory = self.rollout.collect(length, self.steps, self.randomness)
                self.steps += trajectory.steps * n
                left -= length
                figures = self._learn(trajectory)
            for key, value in figures.items():
                sums[key] = sums.get(key, 0.0) + value
                counts[key] = counts.get(key, 0) + 1
        return {key: total / counts[key] for key, total in sums.items()}

    def _learn(self, trajectory: Trajectory) -> Mapping[str, float]:
        rewards = self.rewards.rewards(trajectory, trajectory.rewards)
        seen = trajectory.paying(rewards, self.rewards.budgets(trajectory))
        moment = Moment(self.steps, self.config.steps, self.updates)
        figures = {**self.learner.learn(seen, self.randomness, moment), **self.rewards.figures()}
        if self.config.normalize_observations and self.vectors:
            # After the update: the weights that acted and those that are improved must read the same inputs.
            count = trajectory.steps * trajectory.num_envs
            columns = [trajectory.observations[p.key].reshape(count, p.size) for p in self.vectors]
            self.moments.update(np.concatenate(columns, axis=1))
            network = self.learner.network
            network.input_mean.copy_(torch.from_numpy(self.moments.mean))
            network.input_scale.copy_(torch.from_numpy(1.0 / np.sqrt(self.moments.variance + 1e-8)))
        return figures

    def _located(self, error: AgentcError, path: Path, saved_at: int) -> AgentcError:
        """Numbers that are not finite, with the seed and the last good checkpoint."""
        if not any(d.code in ("AS0941", "AS0942") for d in error.diagnostics):
            return error
        note = report("AS1530", None, seed=self.config.seed, path=str(path), steps=saved_at)
        return AgentcError([*error.diagnostics, note])

    def _finish(self, interrupted: threading.Event, seconds: float) -> Finish | None:
        if self.steps >= self.config.steps:
            return Finish.COMPLETE
        if interrupted.is_set():
            return Finish.INTERRUPTED
        if 0.0 < self.config.minutes * 60.0 <= seconds:
            return Finish.TIME_LIMIT
        return None

    def save(self) -> Path:
        """Write the checkpoint of this moment, between two updates."""
        tensors = dict(self.learner.state())
        tensors |= {f"observations/{k}": a for k, a in self.moments.state().items()}
        tensors |= {f"reward/{k}": a for k, a in self.rewards.state().items()}
        tensors |= {f"window/{k}": a for k, a in self.window.state().items()}
        inside = None if self.rollout is None else self.rollout.state()
        tensors |= {f"rollout/{k}": a for k, a in (inside or {}).items()}
        if self.starts is not None:
            tensors |= {f"starts/{k}": a for k, a in self.starts.state().items()}
        counters = {
            "steps": self.steps,
            "updates": self.updates,
            "episodes": self.window.episodes,
            "generation": self.generation,
        }
        saved = Checkpoint(
            self.config.algorithm,
            self.learner.architecture.to_data(),
            self.config.to_data(),
            counters,
            generator_state(self.randomness),
            tensors,
        )
        return checkpoints.save(self.out_dir, saved)

    def restore(self, saved: Checkpoint) -> None:
        """Go on from ``saved``. Raises AS0841 or AS0842."""
        path = self.out_dir / checkpoints.FILE_NAME
        self._check_same(saved, path)
        try:
            self.learner.restore(saved.tensors)
            self.moments.restore(saved.group("observations"))
            self.rewards.restore(saved.group("reward"))
            self.window.restore(saved.group("window"))
            restore_generator(self.randomness, saved.randomness)
            if self.starts is not None:
                self.starts.restore(saved.group("starts"))
        except (KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
            raise checkpoints.damaged(path, f"{type(error).__name__}: {error}") from None
        self.steps, self.updates = saved.counters["steps"], saved.counters["updates"]
        self.window.episodes = saved.counters["episodes"]
        self.generation = saved.counters["generation"]

    def _check_same(self, saved: Checkpoint, path: Path) -> None:
        ours: dict[str, Any] = {"algorithm": self.config.algorithm, **self.config.to_data()}
        theirs: dict[str, Any] = {"algorithm": saved.algorithm, **saved.config}
        free = ("minutes", "checkpoint", "sentinel", "workers")  # these do not change what is learned
        wrong = [k for k in ours if k not in free and theirs.get(k) != ours[k]]
        try:
            if not wrong and Architecture.from_data(saved.architecture) != self.learner.architecture:
                wrong = ["network"]
                ours["network"], theirs["network"] = self.learner.architecture.to_data(), dict(saved.architecture)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise checkpoints.damaged(path, f"its architecture is none ({error})") from None
        if wrong:
            raise AgentcError(
                report("AS0842", None, path=str(path), name=k, theirs=theirs.get(k), ours=ours[k]) for k in wrong
            )


def metrics_of(update: Update) -> dict[str, Any]:
    """The line of ``metrics.jsonl`` of an update, without what the clock said."""
    episodes = asdict(update.episodes)
    line = {
        "steps": update.steps,
        "update": update.number,
        "episodes": {k: v for k, v in episodes.items() if v is not None and v != {}},
        "learning": dict(update.learning),
        **update.watched,
    }
    intervals = update.episodes.intervals()
    return {**line, "intervals": intervals} if intervals else line


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second one interrupts as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
