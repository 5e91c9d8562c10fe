"""Going on inside an episode: environments are asked for their state, or their episode is played again.

An environment that has ``snapshot()`` (arrays by name) and ``restore(arrays)``, which returns the observation and
the info, is asked. Any other is replayed: its random generator, ``env.unwrapped.np_random``, is noted whenever an
episode begins, and so are the actions since; a new copy is reset with that generator and given the same actions.
That is exact for every environment whose episode is a function of its generator and its actions. Whether it is, is
checked: the last observation must be the one that was saved, to the byte. Where it is not, the run begins new
episodes and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import gymnasium
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


Seen = Callable[[Any, float, Any], None]
"""Told ``(action, reward, observation)`` of every step that is played again."""


def packed(data: Any) -> Array:
    """JSON-ready data as an array of bytes, for a checkpoint."""
    return np.frombuffer(json.dumps(data, sort_keys=True).encode(), np.uint8).copy()


def unpacked(array: Array) -> Any:
    """Back from :func:`packed`. Raises ``ValueError`` for what is none."""
    return json.loads(bytes(np.asarray(array, np.uint8)))


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a generator as JSON-ready data; big integers as text."""
    plain: dict[str, Any] = _plain(generator.bit_generator.state)
    return plain


def restore_generator(generator: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Back from :func:`generator_state`."""
    generator.bit_generator.state = _numbers(state)


class EpisodeLog:
    """What one environment needs to be brought back to where it is."""

    def __init__(self, env: gymnasium.Env[Any, Any], *, replay: bool = False) -> None:
        """``replay`` plays episodes again even where the environment could be asked."""
        self._env = env
        self.knows = not replay and hasattr(type(env), "snapshot") and hasattr(type(env), "restore")
        self._seed: int | None = None
        self._generator: dict[str, Any] | None = None
        self._options: Any = None
        self.actions: list[Any] = []

    def reset(self, seed: int | None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset the environment and begin a new log."""
        if seed is not None:
            self._seed = seed
            self._generator = None
        else:
            self._generator = self._random_state()
        self._options = options
        self.actions = []
        if options is None:
            return self._env.reset() if seed is None else self._env.reset(seed=seed)
        return self._env.reset(seed=seed, options=options)

    def state(self) -> dict[str, Array] | None:
        """Arrays by name; None if the environment can neither be asked nor be replayed."""
        if self.knows:
            given: Mapping[str, Array] = self._env.snapshot()  # type: ignore[attr-defined]
            return {f"own/{k}": np.asarray(a) for k, a in given.items()}
        if self._seed is None or (self._generator is None and self._random_state() is None):
            return None
        if self._options is not None and not _is_plain(self._options):
            return None
        begun = packed({"seed": self._seed, "generator": self._generator, "options": self._options})
        return {"begun": begun, "actions": np.array(self.actions)}

    def restore(self, state: Mapping[str, Array], seen: Seen | None = None) -> tuple[Any, dict[str, Any]]:
        """Bring the environment there; the observation and the info it then shows.

        ``seen`` is told what comes on the way: ``(action, reward, observation)``, of the reset with the action None.
        Raises ``ValueError`` if the episode ends on the way.
        """
        if self.knows:
            given = {k[4:]: a for k, a in state.items() if k.startswith("own/")}
            shown: tuple[Any, dict[str, Any]] = self._env.restore(given)  # type: ignore[attr-defined]
            return shown
        begun = unpacked(state["begun"])
        observation, info = self._env.reset(seed=begun["seed"], options=begun["options"])
        self._seed, self._generator, self._options = begun["seed"], begun["generator"], begun["options"]
        if self._generator is not None:
            restore_generator(self._env.unwrapped.np_random, self._generator)
            observation, info = self._env.reset(options=begun["options"])
        if seen is not None:
            seen(None, 0.0, observation)
        discrete = isinstance(self._env.action_space, gymnasium.spaces.Discrete)
        self.actions = []
        for row in state["actions"]:
            action = int(row) if discrete else row
            observation, reward, terminated, truncated, info = self._env.step(action)
            if terminated or truncated:
                raise ValueError(f"the episode ended before its {len(state['actions'])} steps")
            self.actions.append(action)
            if seen is not None:
                seen(action, float(reward), observation)
        return observation, info

    def _random_state(self) -> dict[str, Any] | None:
        generator = getattr(self._env.unwrapped, "np_random", None)
        return generator_state(generator) if isinstance(generator, np.random.Generator) else None


def _is_plain(data: Any) -> bool:
    try:
        json.dumps(data)
    except (TypeError, ValueError):
        return False
    return True


def _plain(state: Any) -> Any:
    if isinstance(state, dict):
        return {k: _plain(v) for k, v in state.items()}
    return str(state) if isinstance(state, int) else state


def _numbers(state: Any) -> Any:
    if isinstance(state, Mapping):
        return {k: v if k == "bit_generator" else _numbers(v) for k, v in state.items()}
    return int(state)
