"""Recording demonstrations: any policy acts, every step is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from numpy.typing import NDArray

from agentc.runtime.learn.demonstrations.recorded import write
from agentc.runtime.learn.seeding import evaluation_seeds
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Array, Observation


@runtime_checkable
class Remembering(Protocol):
    """An actor that sees more of an environment than it shows."""

    def within(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment as the actor sees it."""
        ...


class Acting(Protocol):
    """Whoever demonstrates."""

    def act(
        self, observation: Observation, mask: NDArray[np.bool_] | None, randomness: np.random.Generator | None
    ) -> Array:
        """One action per row."""
        ...


def record(
    make_env: Callable[[], gymnasium.Env[Any, Any]],
    policy: Acting,
    episodes: int,
    seed: int,
    path: Path,
    *,
    deterministic: bool = False,
) -> int:
    """Write ``episodes`` episodes of ``policy`` to ``path``; the number of steps.

    Each begins with a fresh seed that no training run is given; ``seeds`` has it for every step. Raises AS0843 if the
    file cannot be written.
    """
    env = make_env()
    if isinstance(policy, Remembering):
        env = policy.within(env)
    start = int(env.action_space.start) if isinstance(env.action_space, gymnasium.spaces.Discrete) else None
    rows: dict[str, list[Any]] = {"actions": [], "rewards": [], "terminated": [], "truncated": [], "seeds": []}
    try:
        for each in evaluation_seeds(seed, episodes):
            randomness = None if deterministic else np.random.default_rng([each, 5])
            observation, info = env.reset(seed=each)
            over = False
            while not over:
                mask = info.get("action_mask")
                batch = {k: np.asarray(a)[None] for k, a in _parts(observation).items()}
                legal = None if mask is None else np.asarray(mask, np.bool_)[None]
                action = policy.act(batch[""] if list(batch) == [""] else batch, legal, randomness)[0]
                _keep(rows, "observations", observation)
                given = action if start is None else int(action) + start
                observation, reward, terminated, truncated, info = env.step(given)
                _keep(rows, "next_observations", observation)
                for name, value in zip(
                    ("actions", "rewards", "terminated", "truncated", "seeds"),
                    (np.array(action), np.float32(reward), bool(terminated), bool(truncated), np.int64(each)),
                    strict=True,
                ):
                    rows[name].append(value)
                over = bool(terminated or truncated)
    finally:
        env.close()
    columns = {name: np.array(values) for name, values in rows.items()}
    write(path, columns)
    return len(columns["rewards"])


def _parts(observation: Any) -> Mapping[str, Array]:
    found: Mapping[str, Array] = parts(observation)
    return found


def _keep(rows: dict[str, list[Any]], group: str, observation: Any) -> None:
    for key, array in _parts(observation).items():
        rows.setdefault(f"{group}/{key}", []).append(np.array(array))
