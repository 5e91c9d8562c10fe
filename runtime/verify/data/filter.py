"""M11: a filter on proposed actions, whoever proposes them: what is not proved safe for all models is not done.

An action is admitted if after it, and then under the backup law for the steps that are left, every model of the set
keeps the invariant (Hafez, Naderi Akhormeh, Hegazy, Alanwar, "Safe LLM-controlled robots with formal guarantees via
reachability analysis", arXiv 2503.03911: each plan of the language model is checked with a failsafe manoeuvre at its
end). A refused action is replaced by the backup law's, which the admission of the action before it has proved. So if
the start is admitted and ``tail`` covers the rest of the run, no run of a system that the models contain leaves the
invariant. Deviation: a refused plan is not moved by its gradient; the planner may propose again.

The same object is a :class:`agentc.runtime.learn.slots.Shield` for learners, :meth:`ReachFilter.objection` a check for
:class:`agentc.runtime.llm.guard.Guard`, and :func:`filtered` a wrapper for Gymnasium environments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import VariableIR
from agentc.compiler.logic.ir import Formula, formula, postorder
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.verify.data.models import ModelSet
from agentc.runtime.verify.data.residual import Residual
from agentc.runtime.verify.data.tube import box, hull, linear, step, with_inputs
from agentc.runtime.verify.reach.forms import Form
from agentc.runtime.verify.reach.intervals import Interval
from agentc.runtime.verify.reach.method import clipped
from agentc.runtime.verify.reach.order import generated
from agentc.runtime.verify.reach.truth import Run, propositions, surely

if TYPE_CHECKING:
    import gymnasium

Floats = NDArray[np.float64]
Vector = Sequence[float] | Floats
"""Numbers in order: a state, an action."""


@dataclass(frozen=True)
class Backup:
    """The law ``gain x + offset``, clipped to the inputs' ranges: ``gain (m, n)``, ``offset (m,)``."""

    gain: Floats
    offset: Floats

    @staticmethod
    def constant(action: Vector, states: int) -> Backup:
        """One action for ever, such as standing still."""
        offset = np.asarray(action, np.float64)
        return Backup(np.zeros((len(offset), states)), offset)


@dataclass(frozen=True)
class Judgement:
    """Of a plan: how many of its first actions are admitted, and the hulls ``(n,)`` of the sets that were followed."""

    admitted: int
    planned: int
    tube: tuple[tuple[Floats, Floats], ...]

    @property
    def whole(self) -> bool:
        """Whether all of it is."""
        return self.admitted == self.planned


class ReachFilter:
    """Admits actions, or replaces them.

    Args:
        models: what is known of the dynamics.
        states: the states, in the models' order.
        invariant: a proposition over the states, or ``G`` of one, such as the formula of a ``safe``.
        low, high: of the inputs ``(m,)``.
        backup: the law that takes over.
        tail: steps that the backup is followed for after the last action in question.
        residual: of Lipschitz models.
        read: from an observation to states ``(batch, n)``; by default the states' names, or the entry ``state`` or
            ``observation``.
        resolution: how far what is read and what the backup law gives are off at most, as a part of their sizes:
            2^-24 for an environment that speaks in float32.

    Raises ``AgentcError`` (AS1356) for a formula that is no invariant of the states.
    """

    def __init__(
        self,
        models: ModelSet,
        states: Sequence[VariableIR],
        invariant: Formula,
        low: Vector,
        high: Vector,
        backup: Backup,
        tail: int,
        residual: Residual | None = None,
        read: Callable[[Mapping[str, Any]], Floats] | None = None,
        resolution: float = 0.0,
    ) -> None:
        self._models, self._residual = models, residual
        self._names = [v.name for v in states]
        body = invariant.args[0] if invariant.op == "G" and invariant.interval in (None, (0, None)) else invariant
        temporal = [n.op for n in postorder(body) if isinstance(n, Formula) and n.op not in _PLAIN]
        if temporal:
            raise AgentcError([report("AS1356", None, operator=temporal[0])])
        self._always = formula("G", (body,))
        try:
            self._atoms = propositions(body, states)
        except (ValueError, KeyError) as error:
            raise AgentcError([report("AS1356", None, operator=str(error).strip("'"))]) from error
        self._low, self._high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        self._backup, self.tail = backup, tail
        self._read = read or self._states
        self._resolution = resolution
        self._rough = resolution * np.maximum(np.abs(self._low), np.abs(self._high))
        self.proposed = self.refused = 0

    # ------------------------------------------------------------ judging

    def judge(self, state: Vector, plan: Sequence[Vector], tail: int | None = None) -> Judgement:
        """How much of a plan is admitted from a state: after each admitted action the backup law keeps it safe."""
        states = self._box(state)
        tube: list[tuple[Floats, Floats]] = []
        admitted = 0
        for action in np.asarray(plan, np.float64):
            if not ((action >= self._low) & (action <= self._high)).all():
                break
            after = self._after(states, action)
            if not self._kept(after, self.tail if tail is None else tail):
                break
            states, admitted = after, admitted + 1
            lo, hi = hull(states)
            tube.append((lo[0], hi[0]))
        return Judgement(admitted, len(plan), tuple(tube))

    def recoverable(self, state: Vector, tail: int | None = None) -> bool:
        """Whether the backup law keeps the invariant from a state on: what a run has to begin with."""
        return self._kept(self._box(state), self.tail if tail is None else tail)

    def choose(
        self, state: Vector, proposals: Sequence[Vector], tail: int | None = None
    ) -> tuple[Floats, int | None]:
        """The first admitted of single proposals with its place, or the backup's action and None."""
        for i, action in enumerate(proposals):
            self.proposed += 1
            if self.judge(state, [action], tail).whole:
                return np.asarray(action, np.float64), i
            self.refused += 1
        return self.fallback(np.asarray(state, np.float64)), None

    def fallback(self, state: Floats) -> Floats:
        """What the backup law does ``(m,)``."""
        found: Floats = np.clip(self._backup.gain @ state + self._backup.offset, self._low, self._high)
        return found

    def apply(self, observation: Mapping[str, Any], action: Any) -> Any:
        """The actions ``(batch, d)`` that are taken in place of ``action``: a :class:`Shield`."""
        states, wanted = self._read(observation), np.asarray(action)
        made = [self.choose(s, [a])[0] for s, a in zip(states, np.asarray(wanted, np.float64), strict=True)]
        return np.stack(made).astype(wanted.dtype)

    def objection(
        self, tool: str, inputs: Sequence[str], state: Callable[[], Vector]
    ) -> Callable[[str, Mapping[str, Any]], str]:
        """A check for a guard: why a call of ``tool``, whose arguments are the inputs, is denied; else empty."""

        def judged(called: str, arguments: Mapping[str, Any]) -> str:
            if called != tool:
                return ""
            action = [float(arguments[name]) for name in inputs]
            self.proposed += 1
            if self.judge(state(), [action]).whole:
                return ""
            self.refused += 1
            return f"`{tool}` is not proved to be safe from here, for every model that explains the recordings"

        return judged

    # ------------------------------------------------------------ sets

    def _box(self, state: Vector) -> list[Form]:
        """Where the robot is if it reads so."""
        start = np.asarray(state, np.float64)[None]
        off = self._resolution * (1 + self._resolution) * np.abs(start)
        return box(start - off, start + off)

    def _after(self, states: list[Form], action: Floats) -> list[Form]:
        return self._step(*with_inputs(states, action[None], action[None]))

    def _step(self, states: list[Form], inputs: list[Form]) -> list[Form]:
        if self._residual is None:
            return step(self._models, states, inputs)
        return self._residual.step(self._models, states, inputs)

    def _kept(self, states: list[Form], steps: int) -> bool:
        """Whether the invariant holds now and, under the backup law, for so many steps."""
        for t in range(steps + 1):
            if not self._sure(states):
                return False
            if t < steps:
                given = linear(self._backup.gain, states, self._backup.offset)
                if self._resolution:
                    size = np.array([np.abs(f.c) + f.radius for f in states])
                    off = (self._resolution * (np.abs(self._backup.gain) @ size) + self._rough[:, None]) * (1 + 1e-12)
                    given = [f.widened(Interval(-o, o)) for f, o in zip(given, off, strict=True)]
                held = [clipped(f, a, b) for f, a, b in zip(given, self._low, self._high, strict=True)]
                states = self._step(*generated(states, held))
                if not all(np.isfinite(f.c).all() and (f.radius < 1e9).all() for f in states):
                    return False
        return True

    def _sure(self, states: list[Form]) -> bool:
        run = Run(self._atoms, self._names, discrete=True)
        run.sample(states)
        return not self._atoms or bool(surely(self._always, run)[0])

    def _states(self, observation: Mapping[str, Any]) -> Floats:
        for name in ("state", "observation"):
            if name in observation:
                return np.atleast_2d(np.asarray(observation[name], np.float64))
        return np.stack([np.atleast_1d(np.asarray(observation[n], np.float64)) for n in self._names], axis=1)


_PLAIN = frozenset(("true", "false", "atom", "not", "and", "or", "implies", "xor", "iff"))


def filtered(env: gymnasium.Env[Any, Any], shield: ReachFilter) -> gymnasium.Env[Any, Any]:
    """A Gymnasium environment (a ``SpecEnv``, say) in which refused actions are replaced; ``info["refused"]`` tells."""
    import gymnasium

    class Filtered(gymnasium.Wrapper[Any, Any, Any, Any]):
        """Sees each observation, so that it can judge the action that follows."""

        def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
            """Begin anew."""
            self._seen, info = self.env.reset(**options)
            return self._seen, info

        def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
            """Take the action, or what takes its place."""
            seen = self._seen if isinstance(self._seen, Mapping) else {"state": self._seen}
            before = shield.refused
            taken = shield.apply(seen, np.asarray(action)[None])[0]
            self._seen, reward, ended, cut, info = self.env.step(taken)
            return self._seen, reward, ended, cut, {**info, "refused": shield.refused > before}

    return Filtered(env)
