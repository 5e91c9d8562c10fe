"""N copies of an environment, stepped one after the other, with what their monitors read and their episodes so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.labelling import Labeller
from agentc.runtime.learn.episodes import EpisodeLog
from agentc.runtime.learn.vector import Array, Options
from agentc.runtime.observation_buffer import ObservationBuffer
from agentc.runtime.spec_columns import Columns, Letters
from agentc.runtime.spec_signals import SignalSource


class Copies:
    """The copies ``envs``, each with what reads its signals.

    ``labeller``: what tells the letters, where they are remembered by the values that they are of
    (:class:`~agentc.runtime.spec_columns.Letters`); else columns of values are gathered.
    """

    def __init__(
        self, envs: Sequence[gymnasium.Env[Any, Any]], sources: Sequence[SignalSource], labeller: Labeller | None
    ) -> None:
        self._envs, self._sources = envs, sources
        self._logs = [EpisodeLog(env, replay=True) for env in envs]
        self.columns: Letters | Columns = Columns(sources) if labeller is None else Letters(sources, labeller)
        """What the monitors read."""
        space = envs[0].action_space
        self._first_action = int(space.start) if isinstance(space, spaces.Discrete) else None

    def reset(
        self, seeds: Sequence[int | None], options: Options | None, buffer: ObservationBuffer
    ) -> NDArray[np.bool_] | None:
        """Reset every copy; the legal actions, if they say them."""
        masks = []
        for i, (log, source) in enumerate(zip(self._logs, self._sources, strict=True)):
            row, info = log.reset(seeds[i], None if options is None else options(i))
            self.columns.put(i, source.reset(row))
            buffer.put(i, row)
            masks.append(info.get("action_mask"))
        return None if masks[0] is None else np.array(masks, np.bool_)

    def step(
        self,
        actions: Array,
        buffer: ObservationBuffer,
        given: Array,
        terminated: Array,
        truncated: Array,
        masks: Array | None,
    ) -> None:
        """Step every copy, writing what came of it into the arrays."""
        chosen: Any = actions if self._first_action is None else (actions + self._first_action).tolist()
        put, logs = buffer.put, self._logs
        rows, earned = [], []
        for i, env in enumerate(self._envs):
            row, paid, stop, cut, said = env.step(chosen[i])
            logs[i].actions.append(chosen[i])
            put(i, row)
            rows.append(row)
            earned.append(float(paid))
            if stop:
                terminated[i] = True
            if cut:
                truncated[i] = True
            if masks is not None:
                masks[i] = said["action_mask"]
        given[:] = earned
        self._read(chosen, earned, rows)

    def _read(self, actions: Any, earned: Sequence[float], rows: Sequence[Any]) -> None:
        """Read the signals of every copy after a step."""
        put = self.columns.put
        for i, source in enumerate(self._sources):
            put(i, source.step(actions[i], earned[i], rows[i]))

    def restart(
        self, rows: Sequence[int], options: Options | None, buffer: ObservationBuffer, masks: Array | None
    ) -> None:
        """Reset the copies that have ended."""
        for i in rows:
            row, said = self._logs[i].reset(None, None if options is None else options(i))
            buffer.put(i, row)
            self.columns.put(i, self._sources[i].reset(row))
            if masks is not None:
                masks[i] = said["action_mask"]

    def state(self) -> dict[str, Array] | None:
        """How to play the episodes again, as arrays by name; None if untold."""
        state: dict[str, Array] = {}
        for i, log in enumerate(self._logs):
            own = log.state()
            if own is None:
                return None
            state |= {f"{i}/{k}": a for k, a in own.items()}
        return state

    def replay(self, state: Mapping[str, Array], buffer: ObservationBuffer) -> NDArray[np.bool_] | None:
        """Play the episodes again; the legal actions, if they say them."""
        masks = []
        for i, (log, source) in enumerate(zip(self._logs, self._sources, strict=True)):
            own = {k.split("/", 1)[1]: a for k, a in state.items() if k.startswith(f"{i}/")}

            def seen(action: Any, reward: float, row: Any, source: SignalSource = source) -> None:
                _ = source.reset(row) if action is None else source.step(action, reward, row)

            row, info = log.restore(own, seen)
            buffer.put(i, row)
            masks.append(info.get("action_mask"))
        return None if masks[0] is None else np.array(masks, np.bool_)
