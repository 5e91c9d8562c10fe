"""A declared environment whose episodes are judged when they are over: every formula on the whole trace, exactly."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agentc.compiler.signals.robustness import compile_robustness
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.planning.problem import Problem

Floats = NDArray[np.float64]


class JudgedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Records the trace of an episode and puts verdicts into ``info["agentc"]`` at its end.

    ``trace`` has a row of states and inputs for each step so far; there is no input at step 0. ``begun`` returns the
    info of a reset, ``seen`` the observation.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], problem: Problem) -> None:
        super().__init__(env)
        if not isinstance(env.unwrapped, DeclaredEnv):
            raise TypeError(f"{env.unwrapped} is no declared system")
        self.inner: DeclaredEnv = env.unwrapped
        self.trace: list[Floats] = []
        items = problem.agent.of_role("task", "behavior", "safe", "assume")
        self._judged = [(item, compile_robustness(item.formula, problem.signals)) for item in items]

    def begun(self, info: dict[str, Any]) -> dict[str, Any]:
        """An episode begins."""
        return info

    def seen(self) -> Any:
        """What is observed now; here what the system shows."""
        return self.inner.batch.observed(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        _, info = self.env.reset(seed=seed, options=options)
        self.trace = []
        self._record()
        info = self.begun(info)
        return self.seen(), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act."""
        _, reward, terminated, truncated, info = self.env.step(action)
        self._record()
        if terminated or truncated:
            info = {**info, "agentc": {**info.get("agentc", {}), **self._verdicts()}}
        return self.seen(), reward, terminated, truncated, info

    def _record(self) -> None:
        batch = self.inner.batch
        self.trace.append(np.concatenate([batch.state[0], batch.action[0]]))

    def _verdicts(self) -> dict[str, Any]:
        trace = np.nan_to_num(np.array(self.trace))[None]
        truth = {item.name: (item.role, bool(f.satisfaction_at(trace)[0])) for item, f in self._judged}
        return {
            "satisfied": {n: held for n, (role, held) in truth.items() if role in ("task", "behavior")},
            "violated": {n: not held for n, (role, held) in truth.items() if role == "safe"},
            "assumptions_broken": tuple(n for n, (role, held) in truth.items() if role == "assume" and not held),
        }
