"""A declared system as a Gymnasium environment.

It pays nothing: tasks come from a spec. An episode is truncated after ``horizon`` steps; a transition system
terminates where no action is enabled. ``info["action_mask"]`` has the enabled actions of a transition system.
``reset(options={"state": {...}, "mode": ...})`` starts where it is told, the rest is drawn; ``{"task": [...]}`` gives
the parameters of ``task_space``, the initial values that ``init`` leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

from agentc.compiler.agent import AgentIR, SystemIR
from agentc.compiler.systems.graph import decode, encode
from agentc.compiler.systems.simulate import domain_of
from agentc.compiler.training_fit import task_parameters
from agentc.lang.diagnostics import AgentcError, report
from agentc.lang.spelling import nearest
from agentc.runtime.envs.declared_batch import DeclaredBatch, Situation, situation_in_words

if TYPE_CHECKING:
    from agentc.compiler.logic.ir import Value
    from agentc.runtime.envs.declared_view import Drawing


@dataclass(frozen=True)
class Snapshot:
    """All that the environment's future depends on: the situation, the generator, and the trail that is drawn."""

    situation: Situation
    generator: Mapping[str, Any]
    trail: tuple[tuple[float, ...], ...]


class DeclaredEnv(gymnasium.Env[Any, Any]):
    """The environment of a declared system; spaces are those of :mod:`agentc.runtime.envs.declared_batch`.

    Args:
        system: the declared system.
        horizon: the number of steps of an episode; None is no limit.
        drawing: what is drawn and where; by default the first two states.
        render_mode: ``rgb_array``, ``svg`` (a text) or ``ansi``.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array", "svg", "ansi"], "render_fps": 20}  # noqa: RUF012

    def __init__(
        self,
        system: SystemIR,
        horizon: int | None = None,
        *,
        drawing: Drawing | None = None,
        render_mode: str | None = None,
    ) -> None:
        self.system = system
        self.batch = DeclaredBatch(system, horizon, 1)
        self.action_space, self.observation_space = self.batch.action_space, self.batch.observation_space
        self.task_space = task_space_of(system)
        self.render_mode = render_mode
        self._drawing = drawing
        self._trail: list[tuple[float, ...]] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Draw an initial state. Raises :class:`AgentcError`: AS1108, AS1116 for a start that is none."""
        super().reset(seed=seed)
        self.batch.reset(0, self.np_random)
        if options and "task" in options:
            self.batch.place(0, with_task(self.system, self.batch.situation(0), options["task"]))
        if options and ("state" in options or "mode" in options):
            self.batch.place(0, self._placed(options))
        self._trail = [self.batch.situation(0).state]
        return self.batch.observed(0), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act for one step; the reward is 0."""
        terminated, truncated = self.batch.step(np.asarray(action)[None])
        self._trail.append(self.batch.situation(0).state)
        return self.batch.observed(0), 0.0, bool(terminated[0]), bool(truncated[0]), self._info()

    def snapshot(self) -> Snapshot:
        """The situation, its generator of random numbers included."""
        return Snapshot(
            self.batch.situation(0), deepcopy(dict(self.np_random.bit_generator.state)), tuple(self._trail)
        )

    def restore(self, snapshot: Snapshot) -> Any:
        """Go back to a snapshot; returns the observation there."""
        self.np_random.bit_generator.state = deepcopy(dict(snapshot.generator))
        self.batch.place(0, snapshot.situation, self.np_random)
        self._trail = list(snapshot.trail)
        return self.batch.observed(0)

    def render(self) -> Any:
        """An RGB array ``(height, width, 3)``, an SVG text, or the state in words."""
        if self.render_mode is None:
            return None
        if self.render_mode == "ansi":
            return situation_in_words(self.batch, 0)
        from agentc.runtime.envs.declared_view import drawing_of_system, image, svg

        drawing = self._drawing or drawing_of_system(self.system)
        trail = np.array(self._trail)[None]
        return svg(drawing, trail) if self.render_mode == "svg" else image(drawing, trail)

    # ------------------------------------------------------------ signals

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals that it has."""
        names = [v.name for v in self.system.states] + [f"action.{v.name}" for v in self.system.inputs]
        if self.batch.modes:
            names.append("mode")
        return (*names, "action") if self.system.commands and not self.system.inputs else tuple(names)

    def reader(self, names: Sequence[str]) -> DeclaredReader:
        """A reader of signals."""
        return DeclaredReader(self, names)

    # ------------------------------------------------------------ parts

    def _info(self) -> dict[str, Any]:
        mask = self.batch.mask()
        return {} if mask is None else {"action_mask": mask[0]}

    def _placed(self, options: Mapping[str, Any]) -> Situation:
        situation = self.batch.situation(0)
        state, mode = list(situation.state), situation.mode
        states = self.system.states
        for name, value in options.get("state", {}).items():
            at = next((i for i, v in enumerate(states) if v.name == name), None)
            if at is None:
                raise _no_start(f"there is no state `{name}`", nearest(name, [v.name for v in states]))
            if not _admits(states[at], value):
                raise _no_start(f"`{name}` is {value!r}, not {domain_of(states[at])}")
            state[at] = encode(value, states[at])
        if "mode" in options:
            if options["mode"] not in self.batch.modes:
                wrong = str(options["mode"])
                raise _no_start(f"there is no mode `{wrong}`", nearest(wrong, self.batch.modes))
            mode = self.batch.modes.index(options["mode"])
        return Situation(tuple(state), mode, 0, None)


def task_space_of(system: SystemIR) -> gymnasium.spaces.Box | None:
    """The box of a task's parameters (:func:`~agentc.compiler.training_fit.task_parameters`); None without any."""
    found = task_parameters(system)
    if not found:
        return None
    low, high = (np.array(bound) for bound in zip(*((lo, hi) for _, lo, hi in found), strict=True))
    return gymnasium.spaces.Box(low, high, dtype=np.float64)


def with_task(system: SystemIR, situation: Situation, task: Sequence[float]) -> Situation:
    """A situation with the parameters of a task in place of what was drawn; whole numbers where states are."""
    state = list(situation.state)
    index = {v.name: (i, v.kind) for i, v in enumerate(system.states)}
    for (name, lo, hi), value in zip(task_parameters(system), task, strict=True):
        at, kind = index[name]
        inside = min(max(float(value), lo), hi)
        state[at] = round(inside) if kind == "int" else inside
    return situation._replace(state=tuple(state))


class DeclaredReader:
    """Reads the signals of a declared system: its states, the inputs that led there, its mode, the command."""

    def __init__(self, env: DeclaredEnv, names: Sequence[str]) -> None:
        self._batch, system = env.batch, env.system
        states = {v.name: (i, v) for i, v in enumerate(system.states)}
        inputs = {f"action.{v.name}": (i, v) for i, v in enumerate(system.inputs)}
        self._states = [(at, *states[name]) for at, name in enumerate(names) if name in states]
        self._inputs = [(at, *inputs[name]) for at, name in enumerate(names) if name in inputs]
        self._mode = names.index("mode") if "mode" in names and "mode" not in states else None
        self._command = names.index("action") if "action" in names and "action" not in states else None
        self._size = len(names)

    def reset(self) -> list[Value]:
        """The signals at step 0; inputs and the command have no value."""
        values: list[Value] = [None] * self._size
        row = self._batch.state[0]
        for at, i, variable in self._states:
            values[at] = decode(float(row[i]), variable)
        if self._mode is not None:
            values[self._mode] = self._batch.modes[self._batch.mode[0]]
        return values

    def step(self, action: Any, reward: float) -> list[Value]:
        """The signals after an action."""
        values = self.reset()
        given = self._batch.action[0]
        for at, i, variable in self._inputs:
            values[at] = decode(float(given[i]), variable)
        if self._command is not None:
            values[self._command] = self._batch.action_names[int(given[0])]
        return values


def declared_environment(agent: AgentIR, render_mode: str | None = None) -> DeclaredEnv:
    """The environment of the system that an agent acts in. Raises :class:`AgentcError` (AS1109) without a horizon."""
    from agentc.runtime.envs.declared_view import drawing_of_agent

    assert agent.system is not None and agent.environment is not None
    if agent.environment.horizon is None:
        raise AgentcError([report("AS1109", None, name=agent.system.name)])
    drawing = drawing_of_agent(agent) if render_mode in ("rgb_array", "svg") else None
    return DeclaredEnv(agent.system, agent.environment.horizon, drawing=drawing, render_mode=render_mode)


def _admits(variable: Any, value: Any) -> bool:
    if variable.kind == "bool":
        return isinstance(value, bool | np.bool_)
    if variable.kind == "enum":
        return value in variable.members
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
        return False
    whole = variable.kind == "real" or value == int(value)
    return whole and (variable.lo is None or value >= variable.lo) and (variable.hi is None or value <= variable.hi)


def _no_start(reason: str, suggestion: str | None = None) -> AgentcError:
    return AgentcError([report("AS1116", None, reason=reason, suggestion=suggestion)])
