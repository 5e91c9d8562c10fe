"""What a network is, as data: parts of the observation, the action, layers.

A checkpoint stores this beside the weights; from it alone the network is built again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
from gymnasium import Space, spaces

from agentc.lang.diagnostics import AgentcError, report

GRID_CODES = (11, 6, 4)
"""How many objects, colours and states MiniGrid's symbolic grids know (``minigrid.core.constants``)."""

_LARGEST_GRID = 32


@dataclass(frozen=True, slots=True)
class Part:
    """One array of the observation and how it is read.

    ``vector``: numbers, flattened. ``onehot``: an integer in ``[start, start + size)``. ``grid``: cells of
    categorical codes, uint8 ``(height, width, channels)``, each channel one-hot with ``codes`` many values.
    ``pixels``: an image, uint8, channels last.
    """

    key: str
    kind: Literal["vector", "onehot", "grid", "pixels"]
    shape: tuple[int, ...]
    size: int
    codes: tuple[int, ...] = ()
    start: int = 0


@dataclass(frozen=True, slots=True)
class ActionHead:
    """``categorical`` over ``size`` actions, the first of which is 0; or ``gaussian`` with ``size`` numbers."""

    kind: Literal["categorical", "gaussian"]
    size: int
    shape: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Architecture:
    """An actor and a critic: ``layers`` hidden layers of ``hidden`` units each, on top of the encoders."""

    parts: tuple[Part, ...]
    action: ActionHead
    hidden: int
    layers: int
    activation: Literal["tanh", "relu"]
    encoder: Literal["dense", "conv"]
    normalize: bool = False

    def to_data(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return asdict(self)

    @staticmethod
    def from_data(data: Any) -> Architecture:
        """Back from data. Raises ``TypeError``, ``KeyError`` or ``ValueError`` if it is none."""
        items = [Part(**{k: _tuple(v) for k, v in p.items()}) for p in data["parts"]]
        head = ActionHead(**{k: _tuple(v) for k, v in data["action"].items()})
        rest = {k: v for k, v in data.items() if k not in ("parts", "action")}
        made = Architecture(tuple(items), head, **rest)
        _check(made)
        return made


def architecture_for(
    observation_space: Space[Any],
    action_space: Space[Any],
    *,
    hidden: int = 64,
    layers: int = 2,
    activation: str = "tanh",
    encoder: str = "auto",
    normalize: bool = False,
) -> Architecture:
    """The network for these spaces. Raises :class:`AgentcError` (AS0940) for spaces no learner can use."""
    if isinstance(observation_space, spaces.Dict):
        read = tuple(_part(key, space) for key, space in observation_space.spaces.items())
    else:
        read = (_part("", observation_space),)
    if encoder == "auto":
        encoder = "conv" if any(p.kind in ("grid", "pixels") for p in read) else "dense"
    return Architecture(read, _head(action_space), hidden, layers, cast(Any, activation), cast(Any, encoder), normalize)


def _part(key: str, space: Space[Any]) -> Part:
    if isinstance(space, spaces.Discrete):
        return Part(key, "onehot", (), int(space.n), start=int(space.start))
    if isinstance(space, spaces.MultiBinary):
        return Part(key, "vector", space.shape, int(np.prod(space.shape)))
    if not isinstance(space, spaces.Box) or space.shape is None:
        name = f"{key}: {space}" if key else str(space)
        mend = "a learner reads Box, Discrete, MultiBinary and a Dict of those"
        raise AgentcError([report("AS0940", None, role="observation", space=name, mend=mend)])
    shape, size = tuple(int(d) for d in space.shape), int(np.prod(space.shape))
    if space.dtype == np.uint8 and len(shape) == 3:
        if shape[2] == len(GRID_CODES) and max(shape[:2]) <= _LARGEST_GRID:
            return Part(key, "grid", shape, shape[0] * shape[1] * sum(GRID_CODES), codes=GRID_CODES)
        return Part(key, "pixels", shape, size)
    return Part(key, "vector", shape, size)


def _head(space: Space[Any]) -> ActionHead:
    if isinstance(space, spaces.Discrete):
        return ActionHead("categorical", int(space.n))
    if isinstance(space, spaces.Box) and np.issubdtype(np.dtype(space.dtype or np.float32), np.floating):
        low, high = (tuple(float(x) for x in np.ravel(b)) for b in (space.low, space.high))
        return ActionHead("gaussian", int(np.prod(space.shape)), tuple(int(d) for d in space.shape), low, high)
    mend = "a learner acts in Discrete and in Box of floats"
    raise AgentcError([report("AS0940", None, role="action", space=str(space), mend=mend)])


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(a: Architecture) -> None:
    counts = [a.hidden, a.layers, a.action.size, *(p.size for p in a.parts)]
    if not all(isinstance(c, int) and not isinstance(c, bool) and 0 <= c <= 100_000_000 for c in counts):
        raise ValueError("a size is no count")
    kinds_ok = all(p.kind in ("vector", "onehot", "grid", "pixels") and isinstance(p.key, str) for p in a.parts)
    if not kinds_ok or a.action.kind not in ("categorical", "gaussian") or not a.parts:
        raise ValueError("a part or the action is of an unknown kind")
    if a.activation not in ("tanh", "relu") or a.encoder not in ("dense", "conv") or not isinstance(a.normalize, bool):
        raise ValueError("an unknown layer")
    for p in a.parts:
        if not all(isinstance(d, int) and 0 < d <= 100_000 for d in (*p.shape, *p.codes)):
            raise ValueError("a shape is no shape")
