"""The binding of Gymnasium's classic control problems: their states as signals in SI units.

The signals are read from the environment's state in float64; the agent observes what Gymnasium observes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import TYPE_CHECKING, Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.envs.readings import TableReader
from agentc.runtime.envs.registry import EngineArgument, SignalReader, unknown_id

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish
    from agentc.compiler.logic.ir import Value

Getter = Callable[[Any], "Value"]


@dataclass(frozen=True)
class _Problem:
    """A classic problem: its class in Gymnasium, its signals, the names of its actions (None: a number)."""

    type_name: str
    signals: Mapping[str, Getter]
    actions: tuple[str, ...] | None = None


def _state(index: int) -> Getter:
    return lambda env: float(env.state[index])


_CAR = {"position": _state(0), "velocity": _state(1)}

PROBLEMS: dict[str, _Problem] = {
    "CartPole-v1": _Problem(
        "CartPoleEnv",
        {"x": _state(0), "x_dot": _state(1), "theta": _state(2), "theta_dot": _state(3)},
        ("left", "right"),
    ),
    "Pendulum-v1": _Problem(
        "PendulumEnv",
        {"theta": lambda env: (float(env.state[0]) + pi) % (2 * pi) - pi, "theta_dot": _state(1)},
    ),
    "MountainCar-v0": _Problem("MountainCarEnv", _CAR, ("left", "none", "right")),
    "MountainCarContinuous-v0": _Problem("Continuous_MountainCarEnv", _CAR),
    "Acrobot-v1": _Problem(
        "AcrobotEnv",
        {
            "theta1": _state(0), "theta2": _state(1), "theta1_dot": _state(2), "theta2_dot": _state(3),
            "height": lambda env: -cos(float(env.state[0])) - cos(float(env.state[0]) + float(env.state[1])),
        },
        ("negative", "none", "positive"),
    ),
}  # fmt: skip
"""The problems by their ids."""


class ClassicBinding:
    """``engine classic(id = ..., max_steps = ...)``."""

    engine = "classic"
    arguments = (
        EngineArgument("id", "text"),
        EngineArgument("max_steps", "int", low=1),
    )
    signals = (*dict.fromkeys(name for problem in PROBLEMS.values() for name in problem.signals), "action")

    def ids(self) -> tuple[str, ...]:
        """The five problems."""
        return tuple(PROBLEMS)

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new environment, truncated after ``max_steps`` steps."""
        name, steps = str(arguments["id"]), int(cast(int, arguments["max_steps"]))
        if name not in PROBLEMS:
            raise unknown_id(self.engine, name, PROBLEMS)
        try:
            return gymnasium.make(name, max_episode_steps=steps, render_mode=render_mode, disable_env_checker=True)
        except (gymnasium.error.Error, ImportError) as error:
            raise AgentcError([report("AS0910", None, name=name, reason=error)]) from error

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is one of the five problems."""
        return _problem(env) is not None

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return int(cast(int, arguments["max_steps"]))

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads the state. Raises ``AgentcError`` for a signal of another problem."""
        problem = _problem(env)
        assert problem is not None
        known = (*problem.signals, "action")
        missing = [name for name in names if name not in known]
        if missing:
            shown = ", ".join(f"`{name}`" for name in known)
            raise AgentcError(
                [report("AS0906", None, engine=problem.type_name, name=name, known=shown) for name in missing]
            )
        return TableReader(env.unwrapped, problem.signals, names, _action_value(env, problem))


def _problem(env: gymnasium.Env[Any, Any]) -> _Problem | None:
    bare = env.unwrapped
    if not type(bare).__module__.startswith("gymnasium.envs.classic_control"):
        return None
    return next((p for p in PROBLEMS.values() if p.type_name == type(bare).__name__), None)


def _action_value(env: gymnasium.Env[Any, Any], problem: _Problem) -> Callable[[Any], Value]:
    """Names of discrete actions; of a torque or force, what the environment applies of it."""
    if problem.actions is not None:
        return problem.actions.__getitem__
    space = env.unwrapped.action_space
    assert isinstance(space, spaces.Box)
    low, high = float(space.low[0]), float(space.high[0])
    return lambda action: min(max(float(np.asarray(action).reshape(-1)[0]), low), high)


BINDING = ClassicBinding()
