"""The worlds of language-model agents as Gymnasium environments.

An observation is a text: what the world says first, then the answer to each call. An action is a text: the name of a
tool and its arguments as JSON, ``search {"query": "tea"}`` (nothing behind the name is no arguments). A text that is no
such call is answered with an error, as a call that fails is. The episode terminates when the world says that it is
over, and is truncated after ``max_steps`` calls. It pays 1 at the end of a solved task, and nothing else.

A step of a trace is one call with its answer. That is coarser than the trace of a language-model agent, which has a
step for the call and one for the answer, and steps for what it only thinks.
"""

from __future__ import annotations

import inspect
import json
import string
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import gymnasium
from gymnasium import spaces

from agentc.compiler.logic.ir import Value
from agentc.runtime.envs.registry import EngineArgument, SignalReader
from agentc.runtime.llm.decoder import Step
from agentc.runtime.llm.tools import MAX_RESULT
from agentc.runtime.llm.world import TaskWorld
from agentc.runtime.llm.worlds.table import WORLDS, WorldFamily

if TYPE_CHECKING:
    from agentc.compiler.agent import Literalish

CHARACTERS = "".join(sorted(string.printable[:95] + "\n"))
"""What texts are written with; any other character of an answer is shown as a question mark."""
MAX_CALL = 400
"""The most characters of an action."""
PHASE = "action"


@dataclass(frozen=True)
class Snapshot:
    """All that the environment's future depends on."""

    world: Any
    generator: Mapping[str, Any]
    steps: int
    latest: tuple[Step, ...]
    observation: str


class LanguageEnv(gymnasium.Env[str, str]):
    """The environment of a world; ``world`` is it, and ``info["tools"]`` names what can be called."""

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}  # noqa: RUF012

    def __init__(self, family: WorldFamily, world: TaskWorld, max_steps: int, render_mode: str | None = None) -> None:
        self.family, self.world, self.max_steps, self.render_mode = family, world, max_steps, render_mode
        self.action_space = spaces.Text(MAX_CALL, min_length=0, charset=CHARACTERS)
        self.observation_space = spaces.Text(MAX_RESULT, min_length=0, charset=CHARACTERS)
        self.steps = 0
        self.latest: tuple[Step, ...] = (Step("", ""),)
        self._observation = ""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode: that of ``options["task"]``, or one that is drawn."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**31))
        task = drawn if options is None else int(options.get("task", drawn))
        self.steps, self.latest = 0, (Step("", ""),)
        self._observation = shown(self.world.reset(task))
        return self._observation, {"task": task, "tools": tuple(self.world.tools)}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Make a call."""
        call, answer, outcome = self._call(str(action))
        self.steps += 1
        self.latest = (call, Step("reply", answer))
        self._observation = shown(answer)
        terminated = self.world.ended
        reward = float(terminated and self.world.solved)
        info = {"tool": call.tool, "outcome": outcome, "solved": self.world.solved}
        return self._observation, reward, terminated, not terminated and self.steps >= self.max_steps, info

    def signals(self) -> Mapping[str, Value]:
        """The signals as the latest call left them; what is said of a call itself is true if it is of this one."""
        found: dict[str, Value] = {}
        for step in reversed(self.latest):
            for name, value in self.world.signals(step).items():
                found[name] = bool(found.get(name)) or value if isinstance(value, bool) else value
        return found

    def snapshot(self) -> Snapshot:
        """The world, the generator of random numbers, and how far the episode is."""
        generator = deepcopy(dict(self.np_random.bit_generator.state))
        return Snapshot(self.world.snapshot(), generator, self.steps, self.latest, self._observation)

    def restore(self, snapshot: Snapshot) -> str:
        """Go back to a snapshot; returns the observation there."""
        self.world.restore(snapshot.world)
        self.np_random.bit_generator.state = deepcopy(dict(snapshot.generator))
        self.steps, self.latest, self._observation = snapshot.steps, snapshot.latest, snapshot.observation
        return self._observation

    def render(self) -> str | None:
        """The latest observation."""
        return self._observation if self.render_mode == "ansi" else None

    def _call(self, action: str) -> tuple[Step, str, str]:
        """The call that an action is, its answer, and how it ended (``ok`` or ``error``)."""
        name, _, body = action.strip().partition(" ")
        function = self.world.tools.get(name)
        if function is None:
            return Step(PHASE, action), f"error: no tool is called {name or 'nothing'}", "error"
        try:
            arguments = json.loads(body) if body.strip() else {}
            if not isinstance(arguments, dict):
                raise ValueError("the arguments are no JSON object")
            inspect.signature(function).bind(**arguments)
            _types(function, arguments)
        except (ValueError, TypeError, RecursionError) as error:
            return Step(PHASE, action), f"error: {name}: {error}", "error"
        answer = str(function(**arguments))
        call = Step(PHASE, action, name, arguments)
        return call, answer, "error" if answer.startswith("error:") else "ok"


def _types(function: Any, arguments: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` for an argument that is not of its annotated type."""
    wanted: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
    for name, parameter in inspect.signature(function).parameters.items():
        kind = wanted.get(str(parameter.annotation))
        value = arguments.get(name)
        if kind is not None and (not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind)):
            raise TypeError(f"{name} is {value!r}, no {parameter.annotation}")


def shown(text: str) -> str:
    """A text as an observation: of the characters that there are, and not too long."""
    return "".join(c if c in CHARACTERS else "?" for c in text)[:MAX_RESULT]


class LanguageReader:
    """Reads the signals of a world after each call."""

    def __init__(self, env: LanguageEnv, names: Sequence[str]) -> None:
        self._env, self._names = env, names

    def reset(self) -> list[Value]:
        """The signals at step 0."""
        found = self._env.signals()
        return [found.get(name) for name in self._names]

    def step(self, action: Any, reward: float) -> list[Value]:
        """The signals after a call."""
        return self.reset()


@dataclass(frozen=True)
class LanguageBinding:
    """A family of worlds as a family of environments."""

    family: WorldFamily

    @property
    def engine(self) -> str:
        """The name of the engine."""
        return self.family.engine

    @property
    def arguments(self) -> tuple[EngineArgument, ...]:
        """What the engine takes."""
        return self.family.taken

    @property
    def signals(self) -> tuple[str, ...]:
        """The signals of its worlds."""
        return self.family.signals

    def ids(self) -> tuple[str, ...]:
        """None: the tasks are drawn."""
        return ()

    def make(self, arguments: Mapping[str, Literalish], render_mode: str | None = None) -> LanguageEnv:
        """A new world in its environment."""
        return LanguageEnv(self.family, self.family.make(arguments), _steps(arguments), render_mode)

    def accepts(self, env: gymnasium.Env[Any, Any]) -> bool:
        """Whether it is one of this family."""
        bare = env.unwrapped
        return isinstance(bare, LanguageEnv) and bare.family.engine == self.engine

    def horizon(self, arguments: Mapping[str, Literalish]) -> int | None:
        """``max_steps``."""
        return _steps(arguments)

    def reader(self, env: gymnasium.Env[Any, Any], names: Sequence[str]) -> SignalReader:
        """Reads the signals of the world."""
        return LanguageReader(cast(LanguageEnv, env.unwrapped), names)


def _steps(arguments: Mapping[str, Literalish]) -> int:
    return int(cast(int, arguments["max_steps"]))


BINDINGS = {name: LanguageBinding(family) for name, family in WORLDS.items()}
