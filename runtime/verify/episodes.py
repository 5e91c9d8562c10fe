"""Episodes of an environment for `falsify` and `statistical`: a black box that is reset by a seed and takes actions.

The environment is the one that the spec names; its arguments may vary in ranges. Actions come from a trained policy
(``controller`` names its run's folder), or are free. A violation is believed only when a new environment, given the
same seed and the same actions, shows the same signals, and these violate the formula under
:mod:`agentc.compiler.logic.semantics`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import FormulaIR
from agentc.compiler.logic.semantics import evaluate, robustness
from agentc.compiler.logic.trace import Trace, Valuation
from agentc.compiler.verify_config import TRAINED
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.acceptance import actions_of
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.evaluate import Actor, Fitted, Remembering
from agentc.runtime.spec_env import SpecEnv
from agentc.runtime.verify.problem import Problem

Floats = NDArray[np.float64]

class Actions(Protocol):
    """Actions in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


ITEM = "verified"
"""The name of the one formula that the environment follows where actions are free."""
LONGEST = 10_000


@dataclass(frozen=True)
class Setting:
    """An argument of the environment that may vary: from ``low`` to ``high``, whole if ``whole``."""

    name: str
    low: float
    high: float
    whole: bool

    def value(self, u: float) -> float | int:
        """The value at a number in [0, 1)."""
        if self.whole:
            return int(self.low + np.floor(u * (self.high - self.low + 1)))
        return self.low + u * (self.high - self.low)


@dataclass(frozen=True)
class Episode:
    """One episode: its seed, the arguments that varied, the actions, and the signals of every step."""

    seed: int
    arguments: Mapping[str, float | int]
    actions: tuple[Any, ...]
    signals: tuple[Valuation, ...]
    violated: bool
    robustness: float

    def evidence(self) -> dict[str, Any]:
        """As plain data for JSON."""
        value = self.robustness if np.isfinite(self.robustness) else str(self.robustness)
        return {
            "seed": self.seed, "arguments": dict(self.arguments), "actions": [_plain(a) for a in self.actions],
            "trace": [{k: _plain(v) for k, v in row.items()} for row in self.signals], "robustness": value,
        }  # fmt: skip


def has_equations(problem: Problem) -> bool:
    """Whether the agent has a declared system of equations, whose runs are simulated many at a time."""
    system = problem.agent.system
    return system is not None and not system.commands


def episodes_refusal(problem: Problem) -> str | None:
    """Why the agent's environment cannot be run; None if it can."""
    if problem.agent.environment is None:
        return "the agent has no environment"
    if problem.agent.writer is not None:
        return "the agent writes"
    if problem.settings("falsify").get("controller") and not _named(problem):
        return "a policy is judged on a formula that the agent names"
    return None


def _named(problem: Problem) -> bool:
    return any(f.name == problem.item.name for f in problem.agent.formulas)


class Episodes:
    """Runs episodes of a problem's environment.

    ``varied`` are the arguments that vary, ``free`` whether actions are. Raises :class:`AgentcError`: AS1357 for an
    argument that cannot vary, and whatever the environment and the policy raise.
    """

    def __init__(self, problem: Problem, controller: str, vary: str = "") -> None:
        self._problem = problem
        self.varied = settings_of(problem, vary)
        self._policy: Actor | None = None
        if controller:
            from agentc.runtime.runs import Run
            from agentc.runtime.training import actor_of

            trained = problem.network_file(controller) if controller == TRAINED else None
            folder = problem.folder / controller if trained is None else trained.parent
            self._policy = actor_of(CompiledAgent.from_ir(problem.agent), Run(problem.agent.name, 0, folder))
        self.free = self._policy is None
        self._name = problem.item.name if self._policy is not None and problem.item.name else ITEM
        self._env: gymnasium.Env[Any, Any] | None = None
        self._made: Mapping[str, float | int] | None = None
        self.space = self._environment({}).action_space
        if self.free and not isinstance(self.space, gymnasium.spaces.Discrete | gymnasium.spaces.Box):
            kind = type(self.space).__name__
            raise AgentcError([report("AS1357", problem.item.span, name="actions", reason=f"their space is {kind}")])

    @property
    def width(self) -> int:
        """Numbers that a free action takes."""
        if not self.free:
            return 0
        return 1 if isinstance(self.space, gymnasium.spaces.Discrete) else int(np.prod(self.space.shape or (1,)))

    def action(self, numbers: Floats) -> Any:
        """The action of ``width`` numbers in [0, 1)."""
        if isinstance(self.space, gymnasium.spaces.Discrete):
            return int(self.space.start) + min(int(numbers[0] * self.space.n), int(self.space.n) - 1)
        assert isinstance(self.space, gymnasium.spaces.Box)
        low = np.maximum(self.space.low.reshape(-1).astype(np.float64), -1e3)
        high = np.minimum(self.space.high.reshape(-1).astype(np.float64), 1e3)
        return (low + numbers * (high - low)).reshape(self.space.shape).astype(self.space.dtype)

    def run(
        self, seed: int, arguments: Mapping[str, float | int], actions: Actions | None, fresh: bool = False
    ) -> Episode:
        """An episode; the last action is held.

        Without ``actions`` they are the policy's, as evaluations take them (``acceptance.actions_of``): the likeliest,
        or drawn by a generator of the seed.
        """
        env = self._environment(arguments, fresh)
        spec = _spec_env(env)
        first = int(self.space.start) if isinstance(self.space, gymnasium.spaces.Discrete) else 0
        drawn = self._policy is None or actions_of(self._problem.agent, self._policy) == "drawn"
        rng = np.random.default_rng([seed, 5]) if drawn else None
        observation, info = env.reset(seed=seed)
        signals = [dict(spec.valuation)]
        taken: list[Any] = []
        ended = False
        while not ended and len(taken) < LONGEST:
            mask = info.get("action_mask")
            if actions is not None:
                action = actions[min(len(taken), len(actions) - 1)]
                if mask is not None and not np.asarray(mask)[int(action) - first]:
                    action = first + int(np.flatnonzero(mask)[0])
            else:
                assert self._policy is not None
                rows = None if mask is None else np.asarray(mask, np.bool_)[None]
                chosen = self._policy.act(_row(observation), rows, rng)[0]
                action = int(chosen) + first if isinstance(self.space, gymnasium.spaces.Discrete) else chosen
            observation, _, terminated, truncated, info = env.step(action)
            taken.append(action)
            signals.append(dict(spec.valuation))
            ended = terminated or truncated
        said = info["agentc"]
        lost = said["violated"].get(self._name, False) or not said["satisfied"].get(self._name, True)
        value = robustness(self._problem.item.formula, Trace(signals)) if len(signals) <= 500 else float(-lost)
        return Episode(seed, dict(arguments), tuple(taken), tuple(signals), bool(lost), value)

    def replay(self, episode: Episode) -> Episode | None:
        """The episode in a new environment; None unless it is the same and violates under the reference semantics."""
        again = self.run(episode.seed, episode.arguments, episode.actions, fresh=True)
        if again.signals != episode.signals or not again.violated:
            return None
        return None if evaluate(self._problem.item.formula, Trace(again.signals)) else again

    def close(self) -> None:
        """Close the environment."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def _environment(self, arguments: Mapping[str, float | int], fresh: bool = False) -> gymnasium.Env[Any, Any]:
        if self._env is None or fresh or arguments != self._made:
            self.close()
            self._env, self._made = self._fresh(arguments), dict(arguments)
        return self._env

    def _fresh(self, arguments: Mapping[str, float | int]) -> gymnasium.Env[Any, Any]:
        agent, item = self._problem.agent, self._problem.item
        assert agent.environment is not None
        changed: dict[str, Any] = {**agent.environment.arguments}
        changed.update(arguments)
        agent = replace(agent, environment=replace(agent.environment, arguments=changed))
        if self.free:
            role = "safe" if self._problem.role == "safe" else "task"
            formula = FormulaIR(ITEM, role, item.formula, item.source)  # type: ignore[arg-type]
            agent = replace(
                agent, formulas=(formula,), reward=None, train=None, expects=(), verifies=(), examples=(), machines=(),
                outlines=(),
            )  # fmt: skip
        env: gymnasium.Env[Any, Any] = SpecEnv.make(agent, shaping=False)
        if isinstance(self._policy, Remembering):
            env = self._policy.within(env)
        if isinstance(self._policy, Fitted):
            self._policy.check_spaces(env.observation_space, env.action_space)
        return env


def settings_of(problem: Problem, text: str) -> tuple[Setting, ...]:
    """The arguments that ``"name low high, ..."`` varies. Raises :class:`AgentcError` (AS1357)."""
    environment = problem.agent.environment
    found = []
    for part in text.split(","):
        words = part.split()
        if not words:
            continue
        reason = ""
        given = environment.arguments.get(words[0]) if environment is not None else None
        try:
            low, high = float(words[1]), float(words[2])
            if len(words) != 3 or not low <= high:
                raise ValueError
        except (IndexError, ValueError):
            low = high = 0.0
            reason = "what varies is a name with its least and greatest value"
        if not reason and (isinstance(given, bool) or not isinstance(given, int | float)):
            reason = "the environment has no such argument that is a number"
        if not reason and environment is not None and environment.engine == "system":
            reason = "the parameters of a declared system are set with `-p`"
        if reason:
            raise AgentcError([report("AS1357", problem.item.span, name=words[0], reason=reason)])
        found.append(Setting(words[0], low, high, isinstance(given, int)))
    return tuple(found)


def _spec_env(env: gymnasium.Env[Any, Any]) -> SpecEnv:
    while not isinstance(env, SpecEnv):
        assert isinstance(env, gymnasium.Wrapper)
        env = env.env
    return env


def _row(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {key: np.asarray(value)[None] for key, value in observation.items()}
    return np.asarray(observation)[None]


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple):
        return list(value)
    return value
