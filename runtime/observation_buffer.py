"""The observations of N environments with a spec, in arrays that are kept and written in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.runtime.learn.vector import Array, Observation
from agentc.runtime.spec_observation import AUTOMATON, OBSERVATION, TIME_LEFT, Layout


class ObservationBuffer:
    """The observations of N environments: ``put`` a row of the environment's own, the rest is written in place."""

    def __init__(self, layout: Layout, num_envs: int) -> None:
        self._layout = layout
        base = layout.base
        self.code: NDArray[np.float32] | None = None
        self.time_left: NDArray[np.float32] | None = None
        self._parts: dict[str, Array] = {}
        self._flat: Array | None = None
        self.whole: Observation
        if layout.mode == "flat":
            assert layout.space.shape is not None
            self._flat = self.whole = np.zeros((num_envs, *layout.space.shape), np.float32)
            added = sum((s.shape or (0,))[0] for s in layout.added.values())
            at = self._flat_size = int(layout.space.shape[0]) - added
            for key, space in layout.added.items():
                size = (space.shape or (0,))[0]
                self._place(key, self._flat[:, at : at + size])
                at += size
            return
        if isinstance(base, spaces.Dict):
            self._parts = {key: _zeros(part, num_envs) for key, part in base.spaces.items()}
        else:
            self._parts = {OBSERVATION: _zeros(base, num_envs)}
        if layout.mode == "none" and not isinstance(base, spaces.Dict):
            self.whole = self._parts[OBSERVATION]
            self.put = self._put_one  # type: ignore[method-assign]
            return
        self.whole = dict(self._parts)
        if not isinstance(base, spaces.Dict):
            self.put = self._put_one  # type: ignore[method-assign]
        if layout.mode == "dict":
            for key, space in layout.added.items():
                array = self.whole[key] = np.zeros((num_envs, *(space.shape or ())), np.float32)
                self._place(key, array)

    def _place(self, key: str, array: NDArray[np.float32]) -> None:
        if key == AUTOMATON:
            self.code = array
        elif key == TIME_LEFT:
            self.time_left = array

    def put(self, i: int, row: Any) -> None:
        """The environment's own observation, as row ``i``."""
        if self._flat is not None:
            self._flat[i, : self._flat_size] = spaces.flatten(self._layout.base, row)
            return
        for key, array in self._parts.items():
            array[i] = row[key]

    def put_all(self, rows: Array | Mapping[str, Array]) -> None:
        """The environments' own observations, all of them."""
        if not isinstance(rows, np.ndarray):
            if self._flat is None:
                for key, array in self._parts.items():
                    array[...] = rows[key]
            else:
                for i in range(len(self._flat)):
                    self.put(i, {key: array[i] for key, array in rows.items()})
        elif self._flat is None:
            self._parts[OBSERVATION][...] = rows
        elif isinstance(self._layout.base, spaces.Box):
            self._flat[:, : self._flat_size] = rows.reshape(len(rows), -1)
        else:
            for i, row in enumerate(rows):
                self.put(i, row)

    def _put_one(self, i: int, row: Any) -> None:
        self._parts[OBSERVATION][i] = row

    def copy(self) -> Observation:
        """The observations as they are now."""
        if isinstance(self.whole, dict):
            return {key: array.copy() for key, array in self.whole.items()}
        return self.whole.copy()


def _zeros(space: gymnasium.Space[Any], num_envs: int) -> Array:
    return np.zeros((num_envs, *(space.shape or ())), space.dtype)
