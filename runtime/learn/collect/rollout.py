"""Acting: a policy steps a :class:`VectorEnv` and the record is written."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.learn.acting import Actor, enacted
from agentc.runtime.learn.constraints import MaskTable
from agentc.runtime.learn.slots import State
from agentc.runtime.learn.starts import Starts
from agentc.runtime.learn.statistics import EpisodeWindow
from agentc.runtime.learn.trajectory import Recorder, Trajectory, parts
from agentc.runtime.learn.vector import Array, Restorable, VectorEnv


class Rollout:
    """Collects trajectories one after the other; episodes go on from one to the next."""

    def __init__(
        self,
        env: VectorEnv,
        actor: Actor,
        steps: int,
        window: EpisodeWindow,
        seed: int,
        saved: State | None = None,
        starts: Starts | None = None,
    ) -> None:
        """Begin anew with ``seed``, or, with what :meth:`state` returned, where that was.

        Trajectories have at most ``steps`` steps. Raises ``ValueError`` where the environment cannot go on from
        ``saved``.
        """
        self._env, self._actor, self._window, self._starts = env, actor, window, starts
        if saved is None:
            self._observation = dict(parts(env.reset(seed)))
        else:
            if not isinstance(env, Restorable):
                raise ValueError("the environment has no `restore`")
            self._observation = dict(parts(env.restore({k[4:]: a for k, a in saved.items() if k.startswith("env/")})))
        self._mask = env.action_mask
        self._masks = None if self._mask is None else MaskTable(self._mask.shape[1])
        if saved is not None and self._masks is not None:
            self._masks.restore({"table": saved["masks/table"]})
        head, n = actor.head, env.num_envs
        self._discrete = head.discrete
        shape: tuple[int, ...] = (n,) if head.discrete else (n, head.size)
        kind = np.int64 if head.discrete or head.kind == "multi" else np.float32
        self._recorder = Recorder(self._observation, np.zeros(shape, kind), steps, self._masks)
        self._floats = [k for k, a in self._observation.items() if np.issubdtype(a.dtype, np.floating)]

    def state(self) -> dict[str, Array] | None:
        """The environments' state and the masks met so far; None if the environments do not give theirs."""
        given = self._env.snapshot() if isinstance(self._env, Restorable) else None
        if given is None:
            return None
        state = {f"env/{k}": a for k, a in given.items()}
        if self._masks is not None:
            state |= {f"masks/{k}": a for k, a in self._masks.state().items()}
        return state

    def collect(self, steps: int, taken: int, randomness: np.random.Generator) -> Trajectory:
        """Act for ``steps`` steps; ``taken`` environment steps were taken before.

        Raises AS0941 where an observation or a reward is not finite, AS0943 where no action is legal.
        """
        env, actor, recorder, masks = self._env, self._actor, self._recorder, self._masks
        head, n = actor.head, env.num_envs
        observation, mask = self._observation, self._mask
        constraint = final_constraint = None
        self._check_observation(observation, taken)
        noise = actor.noise(steps, n, taken, randomness)
        with torch.inference_mode():
            for t in range(steps):
                if mask is not None and masks is not None:
                    self._check_mask(mask, taken + t * n)
                    constraint = masks.intern(mask)
                recorder.before(t, observation, constraint)
                action = actor.act(observation, mask, noise[t])
                batch = env.step(action if self._discrete else enacted(head, action))
                now = taken + (t + 1) * n
                if not np.isfinite(batch.reward).all():
                    raise self._not_finite("reward", batch.reward, now)
                final = parts(batch.final_observation)
                ended = batch.terminated | batch.truncated
                if masks is not None and batch.final_action_mask is not None and ended.any():
                    final_constraint = masks.intern(batch.final_action_mask)
                recorder.after(t, action, batch.reward, batch.terminated, batch.truncated, final, final_constraint)
                for group, arrays in (
                    ("sources", batch.sources), ("costs", batch.costs), ("monitors", batch.monitors)
                ):  # fmt: skip
                    if arrays:
                        recorder.extra(t, group, arrays)
                if batch.lost is not None:
                    recorder.lose(t, batch.lost)
                    ended &= ~batch.lost
                if ended.any():
                    self._check_observation(final, now)
                    self._window.add(ended, batch.info)
                    if self._starts is not None:
                        self._starts.ended(ended, batch.info)
                observation, mask = parts(batch.observation), batch.action_mask
                self._check_observation(observation, now)
            if mask is not None and masks is not None:
                constraint = masks.intern(mask)
        self._observation, self._mask = observation, mask
        return recorder.take(observation, steps, constraint)

    def _check_observation(self, observation: dict[str, Array], step: int) -> None:
        for key in self._floats:
            if not np.isfinite(observation[key]).all():
                raise self._not_finite(f"observation `{key}`" if key else "observation", observation[key], step)

    @staticmethod
    def _check_mask(mask: NDArray[np.bool_], step: int) -> None:
        legal = mask.any(axis=1)
        if not legal.all():
            raise AgentcError([report("AS0943", None, env=int(np.argmin(legal)), step=step)])

    @staticmethod
    def _not_finite(name: str, array: Array, step: int) -> AgentcError:
        where = tuple(int(i[0]) for i in np.nonzero(~np.isfinite(array)))
        return AgentcError([report("AS0941", None, array=name, env=where[0], value=float(array[where]), step=step)])
