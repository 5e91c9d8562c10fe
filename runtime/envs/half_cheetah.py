"""The binding of Gymnasium's half-cheetah (MuJoCo), with its position as a signal and as a part of what it observes.

The tasks of Toro Icarte et al. (JAIR 73, 2022, section 6.4) are about positions, so the agent has to see its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import gymnasium
import mujoco  # type: ignore[import-untyped]  # noqa: F401 (so that what is missing is told by name)
import numpy as np

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.envs.registry import EngineArgument, SignalReader

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish
    from agentc.compiler.logic.ir import Value

ID = "HalfCheetah-v5"


class _Reader:
    """Position and speed of the trunk, and what the last action cost."""

    def __init__(self, bare: Any, names: Sequence[str]) -> None:
        self._bare, self._names = bare, tuple(names)

    def reset(self) -> list[Value]:
        """At step 0 no effort has been made."""
        return self._read(0.0)

    def step(self, action: Any, reward: float) -> list[Value]:
        """The effort is the sum of the squares of what the motors were told."""
        told = np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        return self._read(float((told * told).sum()))

    def _read(self, effort: float) -> list[Value]:
        data = self._bare.data
        read: dict[str, Callable[[], float]] = {
            "x": lambda: float(data.qpos[0]),
            "speed": lambda: float(data.qvel[0]),
            "effort": lambda: effort,
        }
        return [read[name]() for name in self._names]


class HalfCheetahBinding:
    """``engine half_cheetah(max_steps = ...)``."""

    engine = "half_cheetah"
    arguments = (EngineArgument("max_steps", "int", 1000, low=1),)
    signals = ("x", "speed", "effort")

    def ids(self) -> tuple[str, ...]:
        """The one."""
        return (ID,)

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> gymnasium.Env[Any, Any]:
        """A new half-cheetah. Raises ``AgentcError`` (AS0910) if MuJoCo cannot make it."""
        steps = int(cast(int, arguments["max_steps"]))
        try:
            return gymnasium.make(
                ID, max_episode_steps=steps, render_mode=render_mode, disable_env_checker=True,
                exclude_current_positions_from_observation=False,
            )  # fmt: skip
        except (gymnasium.error.Error, ImportError) as error:
            raise AgentcError([report("AS0910", None, name=ID, reason=error)]) from error

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is a half-cheetah."""
        return type(env.unwrapped).__name__ == "HalfCheetahEnv"

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return int(cast(int, arguments["max_steps"]))

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads the simulation's state."""
        return _Reader(env.unwrapped, names)


BINDING = HalfCheetahBinding()
