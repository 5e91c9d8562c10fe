"""What a network is, as data: parts of the observation, the action, layers.

A checkpoint stores this beside the weights; from it alone the network is built again.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
from gymnasium import Space, spaces

from agentc.compiler.symmetry import parse
from agentc.lang.diagnostics import AgentcError, report

GRID_CODES = (11, 6, 4)
"""How many objects, colours and states MiniGrid's symbolic grids know (``minigrid.core.constants``)."""

_LARGEST_GRID = 32


@dataclass(frozen=True, slots=True)
class Part:
    """One array of the observation and how it is read.

    ``vector``: numbers, flattened. ``onehot``: an integer in ``[start, start + size)``. ``grid``: cells of
    categorical codes, uint8 ``(height, width, channels)``, each channel one-hot with ``codes`` many values.
    ``pixels``: an image, uint8, channels last. ``sequence``: the last steps, oldest first, ``(steps, numbers)``.
    """

    key: str
    kind: Literal["vector", "onehot", "grid", "pixels", "sequence"]
    shape: tuple[int, ...]
    size: int
    codes: tuple[int, ...] = ()
    start: int = 0

    @property
    def read(self) -> tuple[int, ...]:
        """The shape of one row as the encoder reads it."""
        return self.shape if self.kind in ("grid", "pixels", "sequence") else (self.size,)


@dataclass(frozen=True, slots=True)
class ActionHead:
    """What the actor's last layer says.

    Of ``size`` discrete actions, the first of which is 0: ``categorical`` (logits) or ``values`` (what each is worth;
    the best is taken). Several at once: ``multi``, with ``choices`` each. Of ``size`` numbers: ``gaussian`` (means;
    clipped to the bounds), ``squashed`` (means and log-deviations, through ``tanh`` into the bounds) or
    ``deterministic`` (through ``tanh`` into the bounds).
    """

    kind: Literal["categorical", "values", "multi", "gaussian", "squashed", "deterministic"]
    size: int
    shape: tuple[int, ...] = ()
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    choices: tuple[int, ...] = ()

    @property
    def discrete(self) -> bool:
        """Whether actions are one integer."""
        return self.kind in ("categorical", "values")


@dataclass(frozen=True, slots=True)
class Architecture:
    """An actor and, unless ``critic`` is false, a value function, on top of the encoders.

    Both have ``layers`` hidden layers of ``hidden`` units. The parts named in ``privileged`` are for the value
    function alone. ``memory`` is how sequences are read. Of a policy that is told the return to go (``decision``),
    ``target_return`` is what it is asked for and ``return_scale`` what returns are divided by. ``symmetry`` is one that
    the policy has exactly (:mod:`agentc.compiler.symmetry`).
    """

    parts: tuple[Part, ...]
    action: ActionHead
    hidden: int
    layers: int
    activation: Literal["tanh", "relu"]
    encoder: Literal["dense", "conv"]
    normalize: bool = False
    critic: bool = True
    privileged: tuple[str, ...] = ()
    memory: Literal["gru", "transformer", "flat", "decision"] = "gru"
    target_return: float = 0.0
    return_scale: float = 1.0
    symmetry: str = ""

    def to_data(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return asdict(self)

    @staticmethod
    def from_data(data: Any) -> Architecture:
        """Back from data. Raises ``TypeError``, ``KeyError`` or ``ValueError`` if it is none."""
        items = [Part(**{k: _tuple(v) for k, v in p.items()}) for p in data["parts"]]
        head = ActionHead(**{k: _tuple(v) for k, v in data["action"].items()})
        rest = {k: _tuple(v) for k, v in data.items() if k not in ("parts", "action")}
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
    head: str = "policy",
    critic: bool = True,
    privileged: tuple[str, ...] = (),
    memory: str = "gru",
    sequences: bool = False,
    symmetry: str = "",
) -> Architecture:
    """The network for these spaces.

    ``head`` is ``policy`` (categorical, multi or gaussian), ``soft`` (categorical or squashed), ``deterministic`` or
    ``values``.
    ``sequences`` reads matrices as the last steps (:mod:`agentc.runtime.learn.context`). Raises
    :class:`AgentcError`: AS0940 for spaces no learner can use, or not with this head; AS1531 for a privileged part
    that is not there or leaves the policy none.
    """
    if isinstance(observation_space, spaces.Dict):
        read = tuple(_part(key, space, sequences) for key, space in observation_space.spaces.items())
    else:
        read = (_part("", observation_space, sequences),)
    keys = [p.key for p in read]
    for key in privileged:
        if key not in keys or set(privileged) >= set(keys):
            known = ", ".join(f"`{k}`" for k in keys if k) or "no parts by name"
            raise AgentcError([report("AS1531", None, name=key, known=known)])
    if encoder == "auto":
        encoder = "conv" if any(p.kind in ("grid", "pixels") for p in read) else "dense"
    return Architecture(
        read,
        _head(action_space, head),
        hidden,
        layers,
        cast(Any, activation),
        cast(Any, encoder),
        normalize,
        critic,
        privileged,
        cast(Any, memory),
        symmetry=symmetry,
    )


def _part(key: str, space: Space[Any], sequences: bool = False) -> Part:
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
    if sequences and len(shape) == 2:
        return Part(key, "sequence", shape, size)
    return Part(key, "vector", shape, size)


def _head(space: Space[Any], head: str = "policy") -> ActionHead:
    mend = "a learner acts in Discrete, MultiDiscrete and in Box of floats"
    if isinstance(space, spaces.Discrete):
        if head != "deterministic":
            return ActionHead("values" if head == "values" else "categorical", int(space.n))
        mend = "this algorithm acts in Box of floats"
    elif isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1 and not np.any(space.start):
        choices = tuple(int(n) for n in space.nvec)
        if head == "policy":
            return ActionHead("multi", len(choices), (len(choices),), choices=choices)
        mend = "this algorithm does not act in MultiDiscrete"
    elif isinstance(space, spaces.Box) and np.issubdtype(np.dtype(space.dtype or np.float32), np.floating):
        low, high = (tuple(float(x) for x in np.ravel(b)) for b in (space.low, space.high))
        size, shape = int(np.prod(space.shape)), tuple(int(d) for d in space.shape)
        if head == "policy":
            return ActionHead("gaussian", size, shape, low, high)
        if head == "values":
            mend = "this algorithm acts in Discrete"
        elif not np.isfinite([*low, *high]).all():
            mend = "this algorithm needs bounds on every action"
        else:
            return ActionHead("squashed" if head == "soft" else "deterministic", size, shape, low, high)
    raise AgentcError([report("AS0940", None, role="action", space=str(space), mend=mend)])


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check(a: Architecture) -> None:
    counts = [a.hidden, a.layers, a.action.size, *(p.size for p in a.parts)]
    if not all(isinstance(c, int) and not isinstance(c, bool) and 0 <= c <= 100_000_000 for c in counts):
        raise ValueError("a size is no count")
    kinds = ("vector", "onehot", "grid", "pixels", "sequence")
    heads = ("categorical", "values", "multi", "gaussian", "squashed", "deterministic")
    kinds_ok = all(p.kind in kinds and isinstance(p.key, str) for p in a.parts)
    if not kinds_ok or a.action.kind not in heads or not a.parts:
        raise ValueError("a part or the action is of an unknown kind")
    flags_ok = isinstance(a.normalize, bool) and isinstance(a.critic, bool)
    layers_ok = a.activation in ("tanh", "relu") and a.encoder in ("dense", "conv")
    if not (flags_ok and layers_ok and a.memory in ("gru", "transformer", "flat", "decision")):
        raise ValueError("an unknown layer")
    if not (math.isfinite(a.target_return) and math.isfinite(a.return_scale) and a.return_scale > 0):
        raise ValueError("a return that is none")
    if a.symmetry:
        parse(a.symmetry)
    if not set(a.privileged) < {p.key for p in a.parts}:
        raise ValueError("a privileged part that is none")
    if a.action.kind == "multi" and len(a.action.choices) != a.action.size:
        raise ValueError("choices of another number")
    for p in a.parts:
        if not all(isinstance(d, int) and 0 < d <= 100_000 for d in (*p.shape, *p.codes)):
            raise ValueError("a shape is no shape")
    if not all(isinstance(n, int) and 0 < n <= 100_000 for n in a.action.choices):
        raise ValueError("a choice is no choice")
