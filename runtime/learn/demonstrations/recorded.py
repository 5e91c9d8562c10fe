"""Recorded experience: its file, and batches of it.

A file is a safetensors file with one row a step, episodes one after the other: ``observations/PART``,
``next_observations/PART``, ``actions`` (as the environment took them, discrete ones counted from 0), ``rewards``,
``terminated``, ``truncated`` and, where episodes are to be played again, ``seeds``. The same rows make the same bytes.
:func:`write` writes it,
:func:`agentc.runtime.learn.demonstrations.recording.record` makes one from any policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.acting import recorded
from agentc.runtime.learn.architecture import Architecture
from agentc.runtime.learn.demonstrations.weighting import Episodes, weights_of_rows
from agentc.runtime.learn.transitions import Transitions
from agentc.runtime.learn.vector import Array

_COLUMNS = ("actions", "rewards", "terminated", "truncated")


def write(path: Path, columns: Mapping[str, Array]) -> None:
    """Write the columns of a file. Raises AS0843 if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(safetensors.numpy.save({k: np.ascontiguousarray(a) for k, a in sorted(columns.items())}))
    except OSError as error:
        raise AgentcError([report("AS0843", None, path=str(path), reason=error.strerror or str(error))]) from None


class Recorded:
    """The transitions of a file, drawn with the weights of their episodes."""

    def __init__(self, transitions: Transitions, episodes: Episodes, weighting: str, alpha: float) -> None:
        self.transitions = transitions
        self.episodes = episodes
        probability = weights_of_rows(weighting, episodes, transitions, alpha)
        self._cumulative = None if probability is None else np.cumsum(probability)

    def __len__(self) -> int:
        return len(self.transitions)

    @staticmethod
    def load(
        path: Path, architecture: Architecture, discount: float, weighting: str = "uniform", alpha: float = 0.1
    ) -> Recorded:
        """Read a file for a learner of this architecture.

        Raises :class:`AgentcError`: AS1532 where there is no such file, AS1533 for one that cannot be read, AS1534
        where it holds something else than the learner reads or does.
        """
        columns = read_columns(path)
        count = len(columns["rewards"])
        parts: dict[str, dict[str, Array]] = {"observations": {}, "next_observations": {}}
        for group, found in parts.items():
            for p in architecture.parts:
                array = columns.get(f"{group}/{p.key}")
                if array is None or len(array) != count or array.shape[1:] != p.shape:
                    held = "none" if array is None else f"one of shape {array.shape[1:]}"
                    name = f"`{p.key}`" if p.key else "the observation"
                    raise mismatch(path, name, held, f"one of shape {p.shape}")
                found[p.key] = array
        actions = actions_of(path, columns["actions"], architecture)
        terminated = columns["terminated"].astype(np.bool_)
        ended = terminated | columns["truncated"].astype(np.bool_)
        transitions = Transitions(
            parts["observations"],
            actions,
            columns["rewards"].astype(np.float32),
            np.where(terminated, np.float32(0), np.float32(discount)),
            parts["next_observations"],
        )
        return Recorded(transitions, Episodes.of(columns["rewards"], ended), weighting, alpha)

    def batch(self, size: int, randomness: np.random.Generator) -> Transitions:
        """Draw with replacement."""
        return self.transitions.take(self.rows(size, randomness))

    def rows(self, size: int, randomness: np.random.Generator) -> NDArray[np.int64]:
        """The numbers of drawn rows."""
        if self._cumulative is None:
            return randomness.integers(len(self.transitions), size=size)
        drawn = randomness.random(size) * self._cumulative[-1]
        rows = np.searchsorted(self._cumulative, drawn, side="right")
        within: NDArray[np.int64] = np.minimum(rows, len(self.transitions) - 1).astype(np.int64)
        return within


def read_columns(path: Path) -> dict[str, Array]:
    """The columns of a file. Raises AS1532 where there is none, AS1533 for one that cannot be read."""
    try:
        columns: dict[str, Array] = safetensors.numpy.load(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError):
        raise AgentcError([report("AS1532", None, path=str(path))]) from None
    except (OSError, safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise AgentcError([report("AS1533", None, path=str(path), reason=str(error))]) from None
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise AgentcError([report("AS1533", None, path=str(path), reason=f"it has no `{missing[0]}`")])
    count = len(columns["rewards"]) if columns["rewards"].ndim == 1 else 0
    if count == 0 or any(len(a) != count for a in columns.values()):
        raise AgentcError([report("AS1533", None, path=str(path), reason="its columns are of unequal length or empty")])
    for name, array in columns.items():
        if np.issubdtype(array.dtype, np.floating) and not np.isfinite(array).all():
            raise AgentcError([report("AS1533", None, path=str(path), reason=f"`{name}` holds numbers not finite")])
    return columns


def actions_of(path: Path, actions: Array, architecture: Architecture) -> Array:
    """Recorded actions as the learner keeps them. Raises AS1534 for others than its own."""
    head = architecture.action
    if head.discrete:
        if actions.ndim == 1 and actions.dtype.kind in "iu" and actions.min() >= 0 and actions.max() < head.size:
            return actions.astype(np.int64)
        raise mismatch(path, "the action", f"{actions.dtype} of shape {actions.shape[1:]}", f"{head.size} actions")
    if actions.shape[1:] != head.shape or (head.kind == "multi") != (actions.dtype.kind in "iu"):
        held = f"{actions.dtype} of shape {actions.shape[1:]}"
        raise mismatch(path, "the action", held, f"one of shape {head.shape}")
    return recorded(head, actions)


def mismatch(path: Path, what: str, held: str, needed: str) -> AgentcError:
    """The error for a file that holds something else (AS1534)."""
    return AgentcError([report("AS1534", None, path=str(path), what=what, held=held, needed=needed)])
