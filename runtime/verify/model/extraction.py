"""Models extracted from environments: every state that the starts lead to, each action tried in each of them.

A state of the model is one of the world, what the formula reads there, and what it read one step before where it asks
for that; so signals of the step (the action, a reward) and previous values are functions of the model's state.
Exploration is breadth first, through saving and restoring, one state at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR
from agentc.compiler.logic.ir import Formula, Value, atoms, postorder
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.envs.registry import environment_of
from agentc.runtime.spec_signals import SignalSource, needed_signals
from agentc.runtime.verify.model.extracted import BudgetError, ExtractedModel
from agentc.runtime.verify.model.worlds import Parts, World, unexplorable

Ints = NDArray[np.int64]

Progress = Callable[[str], None]


def extract(
    agent: AgentIR,
    world: World,
    formulas: Sequence[Formula],
    *,
    most: int,
    seeds: int,
    until: float = float("inf"),
    progress: Progress = lambda _: None,
) -> ExtractedModel:
    """The model of a world, as far as formulas can tell.

    Raises :class:`BudgetError` for more than ``most`` states or when the clock passes ``until``, and
    :class:`AgentcError` (AS1347) for what cannot be explored.
    """
    return _Extraction(agent, world, formulas, most, until, progress).run(seeds)


class _Extraction:
    def __init__(
        self, agent: AgentIR, world: World, formulas: Sequence[Formula], most: int, until: float, progress: Progress
    ) -> None:
        self._world, self._most, self._until, self._progress = world, most, until, progress
        self._name = agent.environment.name if agent.environment is not None else agent.name
        every = tuple(dict.fromkeys(a for f in formulas for a in atoms(f)))
        self._reads_before = any(n.op == "prev" for a in every for n in postorder(a))
        self._source = SignalSource(world.env, CompiledAgent.from_ir(agent), needed_signals(every))
        if "steps" in self._source.names:
            raise unexplorable(self._name, "the formula reads `steps`, the clock of the environment")
        if any(s.extern for s in agent.declared if s.name in self._source.names):
            raise unexplorable(self._name, "the formula reads a signal that Python code labels")
        steps = {"action", "solved"} & set(self._source.names)
        self._reads_steps = self._reads_before or bool(steps)
        self._index: dict[tuple[Hashable, ...], int] = {}
        self._saved: list[Any] = []
        self._parts: list[tuple[Hashable, ...]] = []
        self._part_names: tuple[str, ...] = ()
        self._over: list[bool] = []
        self._now: list[dict[str, Value]] = []
        self._before: list[dict[str, Value] | None] = []
        self._first: list[bool] = []
        self._codes: list[int] = []

    def run(self, seeds: int) -> ExtractedModel:
        world = self._world
        starts, exhaustive = world.starts(seeds)
        initial = []
        for start in starts:
            world.load(start.saved)
            values = self._read(self._source.reset(None))
            initial.append(self._state(start.saved, world.parts(), values, None, first=True, over=False))
        count: list[int] = []
        action: list[int] = []
        fan: list[int] = []
        successor: list[int] = []
        probability: list[float] = []
        told = monotonic()
        at = 0
        while at < len(self._saved):
            if len(self._saved) > self._most or monotonic() > self._until:
                raise BudgetError(self._grown(at))
            if monotonic() - told > 0.5:
                told = monotonic()
                self._progress(f"{at} states explored, {len(self._saved) - at} known and waiting")
            saved, before = self._saved[at], self._now[at] if self._reads_before else None
            taken = len(action)
            for a in () if self._over[at] else range(len(world.actions)):
                outcomes = world.outcomes(saved, a)
                if not outcomes:
                    continue
                for outcome in outcomes:
                    world.load(outcome.saved)
                    self._source.reset(None)
                    values = self._read(self._source.step(a, outcome.reward, None))
                    parts, over = world.parts(), outcome.terminated
                    successor.append(self._state(outcome.saved, parts, values, before, first=False, over=over))
                    probability.append(outcome.probability)
                action.append(a)
                fan.append(len(outcomes))
            count.append(len(action) - taken)
            at += 1
        return ExtractedModel(
            self._name,
            world.actions,
            tuple(self._now),
            tuple(self._before),
            np.array(self._first, np.bool_),
            np.array(self._codes, np.int64),
            self._reads_steps,
            np.array(initial, np.int64),
            np.array([s.weight for s in starts]),
            tuple(s.seed for s in starts),
            exhaustive,
            seeds,
            _offsets(count),
            np.array(action, np.int32),
            _offsets(fan),
            np.array(successor, np.int32),
            np.array(probability),
        )

    def _read(self, values: list[Value]) -> dict[str, Value]:
        self._source.check(values)
        return {name: v for name, v in zip(self._source.names, values, strict=True) if v is not None}

    def _state(
        self,
        saved: Any,
        parts: Parts,
        now: dict[str, Value],
        before: dict[str, Value] | None,
        *,
        first: bool,
        over: bool,
    ) -> int:
        first = first and self._reads_steps
        key = (*parts.values(), None, *now.items(), None, *(() if before is None else before.items()), first, over)
        at = self._index.get(key)
        if at is None:
            at = self._index[key] = len(self._saved)
            self._part_names = tuple(parts)
            self._saved.append(saved)
            self._parts.append(tuple(parts.values()))
            self._now.append(now)
            self._before.append(before)
            self._first.append(first)
            self._over.append(over)
            self._codes.append(self._world.code())
        return at

    def _grown(self, explored: int) -> str:
        """What there is of everything that a state is made of, the most first."""
        sizes = Counter({name: len({row[i] for row in self._parts}) for i, name in enumerate(self._part_names)})
        for name in self._source.names:
            sizes[f"`{name}`"] = len({row.get(name) for row in self._now})
        grew = ", ".join(f"{name} took {n} values" for name, n in sizes.most_common(3))
        return f"{explored} states were explored and {len(self._saved)} are known: {grew}"


def replays(agent: AgentIR, model: ExtractedModel, seed: int, run: Sequence[tuple[int, int]]) -> bool:
    """Whether a fresh environment, reset with a seed and given the actions of a run, shows what the model says.

    ``run`` are states of a product with the choices that led there, the first one's being of no meaning; pairs are
    told by what is read in them.
    """
    assert agent.environment is not None
    env = environment_of(agent)
    try:
        names = tuple({name: None for row in model.valuations for name in row})
        source = SignalSource(env, CompiledAgent.from_ir(agent), names)
        observation, _ = env.reset(seed=seed)
        seen = [source.reset(observation)]
        for _, choice in run[1:]:
            action = int(model.action[choice])
            observation, reward, *_ = env.step(action)
            seen.append(source.step(action, float(reward), observation))
        read = [{n: v for n, v in zip(source.names, row, strict=True) if v is not None} for row in seen]
        return read == [model.state(state) for state, _ in run]
    finally:
        env.close()


def _offsets(counts: Sequence[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(np.array(counts, np.int64))]).astype(np.int64)
