"""An environment that plays given valuations, and agents written in a line, for tests of specs at run time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from agentc.compiler.pipeline import check
from agentc.lang.source import Source
from agentc.runtime.compiled import CompiledAgent

Steps = Sequence[Mapping[str, Any]]


class Scripted(gymnasium.Env[Any, Any]):
    """Plays one script after the other; the observation is the step. ``ending`` says how a script ends."""

    def __init__(self, scripts: Sequence[Steps], ending: str = "terminated", pays: float = 0.0) -> None:
        self.observation_space = spaces.Box(0.0, 1e6, (1,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.scripts, self.ending, self.pays = scripts, ending, pays
        self.episode, self.t = -1, 0

    @property
    def values(self) -> Mapping[str, Any]:
        return self.scripts[self.episode][self.t]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode = 0 if seed is not None else (self.episode + 1) % len(self.scripts)
        self.t = 0
        return np.array([0.0], np.float32), {}

    def step(self, action):
        self.t += 1
        last = self.t == len(self.scripts[self.episode]) - 1
        ended, cut = last and self.ending == "terminated", last and self.ending == "truncated"
        return np.array([self.t], np.float32), self.pays, ended, cut, {}


def read(env: gymnasium.Env[Any, Any], observation: Any) -> Mapping[str, Any]:
    """The signals of a scripted environment."""
    return env.unwrapped.values


def agent(body: str) -> CompiledAgent:
    """The agent whose items are ``body``, in an environment of an engine that there is not."""
    played = "environment script() {\n  engine script\n}\n"
    result = check(Source("<test>", f"{played}agent A {{\nenv script\n{body}\n}}\n"))
    assert result.ok, [d.message for d in result.diagnostics]
    return CompiledAgent.from_ir(result.agents[0])


def letters(*steps: str, names: str = "pqr") -> list[dict[str, bool]]:
    """Boolean valuations, each written as the names that are true: ``letters("p", "", "pq")``."""
    return [{name: name in step for name in names} for step in steps]
