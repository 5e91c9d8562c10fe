"""Episodes that begin inside a teacher's: states of recorded trajectories, spread over clusters.

After Zhao et al., "SnapshotRL: Efficient Training for Reinforcement Learning with Snapshots" (2024), the variant S3RL:
the teacher's states are clustered by k-means, a cluster is drawn uniformly and a state of it, in the first ``until``
steps of training only.

Deviation: a state is not a copied object but the seed and the actions that lead there, played again by
:class:`Replayed`; that is exact for every environment that is a function of its seed and its actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.clustering import k_means
from agentc.runtime.learn.vector import Array


class Snapshots:
    """The reset: ``episodes`` are ``(seed, actions, observations)`` of a teacher, one observation a step."""

    def __init__(
        self,
        episodes: Sequence[tuple[int, Sequence[Any], Array]],
        clusters: int = 6,
        until: int = 100_000,
        seed: int = 0,
        limit: int = 0,
    ) -> None:
        """``limit`` cuts an episode so many steps after its snapshot; 0 leaves it its own end."""
        self._until, self._limit = until, limit
        self._where = [(e, t) for e, (_, actions, _) in enumerate(episodes) for t in range(1, len(actions))]
        rows = np.concatenate([np.asarray(o, np.float64).reshape(len(o), -1)[1 : len(a)] for _, a, o in episodes])
        self._episodes = [(s, [np.asarray(a).tolist() for a in actions]) for s, actions, _ in episodes]
        nearest = k_means(rows, clusters, np.random.default_rng([seed, 8]))
        self._clusters = [np.flatnonzero(nearest == k) for k in np.unique(nearest)]

    @staticmethod
    def load(path: Path, clusters: int = 6, until: int = 100_000, seed: int = 0, limit: int = 0) -> Snapshots:
        """Of a file of recorded episodes. Raises AS1532, AS1533; AS1511 where it does not say their seeds."""
        # What a learner reads data with comes with torch, which a process that only steps environments does not need.
        from agentc.runtime.learn.demonstrations.recorded import read_columns
        from agentc.runtime.learn.demonstrations.weighting import Episodes

        columns = read_columns(path)
        if "seeds" not in columns:
            raise AgentcError([report("AS1511", None, path=str(path))])
        ended = columns["terminated"].astype(np.bool_) | columns["truncated"].astype(np.bool_)
        episodes = Episodes.of(columns["rewards"], ended)
        seen = [columns[k].reshape(len(ended), -1) for k in sorted(columns) if k.startswith("observations/")]
        rows = np.concatenate(seen, axis=1)
        cut = [slice(int(b), int(b + n)) for b, n in zip(episodes.begin, episodes.length, strict=True)]
        told = [(int(columns["seeds"][s.start]), list(columns["actions"][s]), rows[s]) for s in cut]
        if all(len(actions) < 2 for _, actions, _ in told):
            raise AgentcError([report("AS1533", None, path=str(path), reason="no episode has two steps")])
        return Snapshots(told, clusters, until, seed, limit)

    def choose(self, taken: int, randomness: np.random.Generator) -> Mapping[str, Any] | None:
        """A seed, actions and the limit; None once ``until`` steps were taken."""
        if taken >= self._until:
            return None
        members = self._clusters[int(randomness.integers(len(self._clusters)))]
        episode, steps = self._where[int(members[randomness.integers(len(members))])]
        seed, actions = self._episodes[episode]
        return {"seed": seed, "actions": actions[:steps], "limit": self._limit}


class Replayed(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that begins where ``options["snapshot"]`` says, and is cut as many steps later as that says.

    ``limit`` is for snapshots that say nothing of it. Put it inside a time limit, so that the steps that are played
    again do not count.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], limit: int = 0) -> None:
        super().__init__(env)
        self._limit, self._left = limit, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset, and play the snapshot's actions; if its episode ends on the way, as an ordinary reset."""
        snapshot = (options or {}).get("snapshot")
        if snapshot is None:
            self._left = 0
            return self.env.reset(seed=seed, options=options)
        if seed is not None:
            self.env.reset(seed=seed)
        generator = self.env.unwrapped.np_random
        found = self.env.reset(seed=int(snapshot["seed"]))
        space = self.env.action_space
        start = int(space.start) if isinstance(space, gymnasium.spaces.Discrete) else 0
        for action in snapshot["actions"]:
            given = action + start if isinstance(action, int) else np.asarray(action, np.float32)
            observation, _, terminated, truncated, info = self.env.step(given)
            if terminated or truncated:
                found = self.env.reset()
                break
            found = observation, info
        self.env.unwrapped.np_random = generator  # what comes is the run's own chance, not the teacher's
        self._left = int(snapshot.get("limit", self._limit))
        return found

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act; truncated when the steps after a snapshot are used up."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._left:
            self._left -= 1
            truncated = truncated or self._left == 0
        return observation, reward, terminated, truncated, info
