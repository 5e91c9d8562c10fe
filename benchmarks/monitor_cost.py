"""What a spec costs in training: the share of the processor that signals, letters, monitors and reward machines take.

An agent is trained as its spec says for a few thousand steps, twice, which is the same run to the byte. The first run
says what it takes. In the second there is a clock around every call by which its vector environment reads signals,
makes letters of them, steps monitors and reward machines and writes their states into the observation; what the clock
itself takes between its two readings is measured and taken off. What other benchmarks have left in memory is kept
from the garbage collector, which would go through all of it in the midst of a call. Called by ``agentc bench train``.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agentc.benchmarks.methods.training import agent_of
from agentc.runtime.envs.registry import environment_of
from agentc.runtime.learn.train import train
from agentc.runtime.spec_vector import SpecVectorEnv
from agentc.runtime.training import configuration


@dataclass
class Clock:
    """Seconds of this thread inside calls; calls within calls count once."""

    seconds: float = 0.0
    calls: int = 0
    depth: int = 0

    def around(self, owner: Any, name: str) -> None:
        """Time a method of an object from now on."""
        call: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            if self.depth:
                return call(*arguments, **named)
            self.depth = 1
            self.calls += 1
            began = time.thread_time()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds += time.thread_time() - began
                self.depth = 0

        setattr(owner, name, timed)


def reading() -> float:
    """What lies between two readings of the clock with nothing between them, in seconds: the median of many."""
    found = sorted(-(time.thread_time() - time.thread_time()) for _ in range(1001))
    return found[500]


def timed(env: SpecVectorEnv) -> Clock:
    """A clock around all that the spec adds to an environment."""
    clock = Clock()
    sources = () if env._copies is None else env._copies._sources
    calls: list[tuple[Any, tuple[str, ...]]] = [(source, ("reset",)) for source in sources]
    calls += [(env._copies, ("_read",)), (env.rewards, ("step", "reset")), (env._columns, ("read",))]
    calls += [(env, ("_write_added", "_statistics", "_possible", "_mark"))]
    calls += [(env._coverage, ("prune",)), (env._robust, ("step", "begin", "end"))]
    for owner, names in calls:
        for name in names:
            if hasattr(owner, name):
                clock.around(owner, name)
    return clock


def share(spec: str, steps: int, *, copies: bool = False) -> float:
    """The part of a training run's processor time that the spec takes, learning included.

    ``copies`` steps the package's environments one after the other, where they would be stepped at once.
    """
    agent = agent_of(spec)
    config = replace(configuration(agent.agent, steps=steps), checkpoint=1e9)
    make = (lambda: environment_of(agent.agent)) if copies else None
    took: list[float] = []
    clock = Clock()
    gc.collect()
    gc.freeze()
    for clocked in (False, True):
        env = SpecVectorEnv(agent, config.envs, make=make)  # type: ignore[attr-defined]
        try:
            clock = timed(env) if clocked else clock
            with tempfile.TemporaryDirectory() as folder:
                began = time.thread_time()
                train(env, config, Path(folder))
                took.append(time.thread_time() - began)
        finally:
            env.close()
    gc.unfreeze()
    return max(0.0, clock.seconds - clock.calls * reading()) / took[0]
