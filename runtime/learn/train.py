"""The training loop: roll out, update, log, checkpoint; begin, stop and resume.

What is exact: with the same configuration (and number of envs), environments that are a function of their
seed, and one version of torch on one kind of CPU, two runs have the same weights to the byte. torch is held
to one thread while training: sums in parallel would depend on the number of cores, and the networks are too
small to gain.

What is not: a resumed run restores weights, optimiser, statistics, counters and the learner's random
generator exactly, but the episodes under way are lost and begin anew, with seeds derived from the run's
seed and the number of resumptions. It trains correctly from there; it does not repeat the run that was
never stopped.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn import checkpoint as checkpoints
from agentc.runtime.learn.architecture import Architecture, architecture_for
from agentc.runtime.learn.checkpoint import Checkpoint
from agentc.runtime.learn.logs import Logs
from agentc.runtime.learn.normalize import RewardScale, RunningMoments
from agentc.runtime.learn.novelty import Novelty
from agentc.runtime.learn.ppo import PPOConfig, PPOLearner, UpdateStatistics
from agentc.runtime.learn.rollout import Rollout
from agentc.runtime.learn.seeding import learner_sequence, resumed_seed
from agentc.runtime.learn.statistics import EpisodeStatistics, EpisodeWindow
from agentc.runtime.learn.trajectory import Trajectory
from agentc.runtime.learn.vector import VectorEnv

ALGORITHM = "ppo"


class Finish(Enum):
    """Why a run ended, with its sentence."""

    COMPLETE = "all steps were trained"
    INTERRUPTED = "interrupted; resume to go on from the checkpoint"
    TIME_LIMIT = "the time limit was reached; resume to go on from the checkpoint"
    STOPPED = "stopped early, as its condition was met"


@dataclass(frozen=True, slots=True)
class Update:
    """What callbacks are told after each update. ``seconds`` and ``rate`` are of this process."""

    steps: int
    total_steps: int
    number: int
    episodes: EpisodeStatistics
    learning: UpdateStatistics
    seconds: float
    steps_per_second: float
    finish: Finish | None = None


Callback = Callable[[Update], bool | None]
"""Called after each update; True stops the run. The last call has ``finish`` set."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a run ended. ``seconds`` is the time of this process; ``steps`` counts all of the run."""

    checkpoint: Path
    finish: Finish
    steps: int
    updates: int
    seconds: float
    episodes: EpisodeStatistics


def train(
    env: VectorEnv,
    config: PPOConfig,
    out_dir: Path,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
) -> TrainResult:
    """Train with PPO for ``config.steps`` environment steps, rounded up to whole steps of all environments.

    Writes ``checkpoint.json``, its weights, ``metrics.jsonl`` and ``tensorboard/`` into ``out_dir``. With
    ``resume`` it goes on from the checkpoint there, if there is one. Ctrl-C ends the run after the update
    under way, with a checkpoint. ``env`` stays open.

    Raises :class:`AgentcError`: AS0940 for spaces that no learner can use, AS0941 and AS0942 for numbers
    that are not finite, AS0943 where no action is legal, AS0841 and AS0842 for a checkpoint that cannot be
    gone on from. The last checkpoint is always intact.
    """
    with _one_thread():
        run = _Run(env, config, out_dir)
        if resume and (out_dir / checkpoints.FILE_NAME).exists():
            run.restore(checkpoints.load(out_dir))
            logged: int | None = run.steps
        else:
            logged = None
        with Logs(out_dir, logged) as logs, _interruptible() as interrupted:
            return run.loop(logs, callbacks, interrupted)


class _Run:
    """The state of a run between two updates."""

    def __init__(self, env: VectorEnv, config: PPOConfig, out_dir: Path) -> None:
        self.env = env
        self.config = config
        self.out_dir = out_dir
        self.architecture = architecture_for(
            env.observation_space,
            env.action_space,
            hidden=config.hidden,
            layers=config.layers,
            activation=config.activation,
            encoder=config.encoder,
            normalize=config.normalize_observations,
        )
        weights, actions = learner_sequence(config.seed).spawn(2)
        generator = torch.Generator()
        generator.manual_seed(int(weights.generate_state(1)[0]))
        self.randomness = np.random.Generator(np.random.PCG64(actions))
        self.learner = PPOLearner(self.architecture, config, generator)
        self.rewards = RewardScale(env.num_envs, config.discount)
        self.novelty = Novelty(config.novelty)
        self.vectors = [p for p in self.architecture.parts if p.kind == "vector"]
        self.moments = RunningMoments(sum(p.size for p in self.vectors))
        self.window = EpisodeWindow()
        self.steps = self.updates = self.generation = 0

    def loop(self, logs: Logs, callbacks: Sequence[Callback], interrupted: threading.Event) -> TrainResult:
        c, n = self.config, self.env.num_envs
        began = saved = time.monotonic()
        first = self.steps
        path = self.save()
        finish = Finish.COMPLETE if self.steps >= c.steps else None
        if finish is None:
            seed = resumed_seed(c.seed, self.generation)
            rollout = Rollout(self.env, self.learner.network, c.rollout, seed, self.window)
        while finish is None:
            learning_rate = c.learning_rate * (1.0 - self.steps / c.steps if c.anneal else 1.0)
            trajectory = rollout.collect(min(c.rollout, -(-(c.steps - self.steps) // n)), self.steps, self.randomness)
            self.steps += trajectory.steps * n
            self.updates += 1
            learning = self._learn(trajectory, learning_rate)
            seconds = time.monotonic() - began
            finish = self._finish(interrupted, seconds)
            rate = (self.steps - first) / max(seconds, 1e-9)
            update = Update(
                self.steps, c.steps, self.updates, self.window.statistics(), learning, seconds, rate, finish
            )
            logs.write(_metrics(update), {"seconds": seconds, "steps_per_second": rate}, time.time())
            if any([callback(update) for callback in callbacks]) and finish is None:
                finish = Finish.STOPPED
                for callback in callbacks:
                    callback(replace(update, finish=finish))
            if finish is not None or time.monotonic() - saved >= c.checkpoint:
                path = self.save()
                saved = time.monotonic()
        return TrainResult(path, finish, self.steps, self.updates, time.monotonic() - began, self.window.statistics())

    def _learn(self, trajectory: Trajectory, learning_rate: float) -> UpdateStatistics:
        rewards = trajectory.rewards
        if self.config.normalize_rewards:
            rewards = self.rewards.scale(rewards, trajectory.terminated | trajectory.truncated)
        if self.config.novelty > 0.0:
            rewards = rewards + self.novelty.bonus(trajectory)
        learned = self.learner.update(trajectory, rewards, learning_rate, self.randomness, (self.steps, self.updates))
        if self.config.normalize_observations and self.vectors:
            # After the update: the weights that acted and those that are improved must read the same inputs.
            count = trajectory.steps * trajectory.num_envs
            columns = [trajectory.observations[p.key].reshape(count, p.size) for p in self.vectors]
            self.moments.update(np.concatenate(columns, axis=1))
            network = self.learner.network
            network.input_mean.copy_(torch.from_numpy(self.moments.mean))
            network.input_scale.copy_(torch.from_numpy(1.0 / np.sqrt(self.moments.variance + 1e-8)))
        return learned

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
        optimizer = self.learner.optimizer
        tensors = {f"network/{k}": t.numpy() for k, t in self.learner.network.state_dict().items()}
        tensors["optimizer/first"] = optimizer.first.numpy()
        tensors["optimizer/second"] = optimizer.second.numpy()
        tensors |= {f"observations/{k}": a for k, a in self.moments.state().items()}
        tensors |= {f"rewards/{k}": a for k, a in self.rewards.moments.state().items()}
        tensors |= {f"novelty/{k}": a for k, a in self.novelty.state().items()}
        counters = {
            "steps": self.steps,
            "updates": self.updates,
            "episodes": self.window.episodes,
            "generation": self.generation,
            "optimizer_steps": optimizer.count,
        }
        state = self.randomness.bit_generator.state
        return checkpoints.save(
            self.out_dir,
            Checkpoint(ALGORITHM, self.architecture.to_data(), self.config.to_data(), counters, _plain(state), tensors),
        )

    def restore(self, saved: Checkpoint) -> None:
        """Go on from ``saved``. Raises AS0841 or AS0842."""
        path = self.out_dir / checkpoints.FILE_NAME
        self._check_same(saved, path)
        try:
            state = {k: torch.from_numpy(a) for k, a in saved.group("network").items()}
            self.learner.network.load_state_dict(state)  # in place: the optimiser's views stay valid
            optimizer = self.learner.optimizer
            optimizer.first.copy_(torch.from_numpy(saved.tensors["optimizer/first"]))
            optimizer.second.copy_(torch.from_numpy(saved.tensors["optimizer/second"]))
            optimizer.count = saved.counters["optimizer_steps"]
            self.moments.restore(saved.group("observations"))
            self.rewards.moments.restore(saved.group("rewards"))
            self.novelty.restore(saved.group("novelty"))
            self.randomness.bit_generator.state = _numbers(saved.randomness)
        except (KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
            raise checkpoints.damaged(path, f"{type(error).__name__}: {error}") from None
        self.steps, self.updates = saved.counters["steps"], saved.counters["updates"]
        self.window.episodes = saved.counters["episodes"]
        self.generation = saved.counters["generation"] + 1

    def _check_same(self, saved: Checkpoint, path: Path) -> None:
        ours: dict[str, Any] = {"algorithm": ALGORITHM, **self.config.to_data()}
        theirs: dict[str, Any] = {"algorithm": saved.algorithm, **saved.config}
        free = ("minutes", "checkpoint")  # these do not change what is learned
        wrong = [k for k in ours if k not in free and theirs.get(k) != ours[k]]
        try:
            if not wrong and Architecture.from_data(saved.architecture) != self.architecture:
                wrong = ["network"]
                ours["network"], theirs["network"] = self.architecture.to_data(), dict(saved.architecture)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise checkpoints.damaged(path, f"its architecture is none ({error})") from None
        if wrong:
            raise AgentcError(
                report("AS0842", None, path=str(path), name=k, theirs=theirs.get(k), ours=ours[k]) for k in wrong
            )


def _metrics(update: Update) -> dict[str, Any]:
    episodes = asdict(update.episodes)
    return {
        "steps": update.steps,
        "update": update.number,
        "episodes": {k: v for k, v in episodes.items() if v is not None and v != {}},
        "learning": asdict(update.learning),
    }


def _plain(state: Any) -> Any:
    """A bit generator's state with its 128-bit integers as text, which every reader of JSON keeps."""
    if isinstance(state, dict):
        return {k: _plain(v) for k, v in state.items()}
    return str(state) if isinstance(state, int) else state


def _numbers(state: Any) -> Any:
    if isinstance(state, dict):
        return {k: v if k == "bit_generator" else _numbers(v) for k, v in state.items()}
    return int(state)


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
