"""A spec on N environments at once: they are stepped in one loop, everything that the spec adds is vectorised.

:class:`SpecVectorEnv` is what the learners here take (:class:`agentc.runtime.learn.vector.VectorEnv`);
:class:`SpecGymVector` is the same as a ``gymnasium.vector.VectorEnv`` for other people's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR
from agentc.compiler.backends.monitor import OUTSIDE_CODE
from agentc.compiler.logic.ir import Value
from agentc.compiler.logic.ir import signals as read_by
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.systems.commands import Numbering
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.costs import Costs
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.envs.registry import environment_of
from agentc.runtime.labelling import Labeller, encode
from agentc.runtime.learn.episodes import EpisodeLog
from agentc.runtime.learn.resets.snapshots import Replayed
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.learn.statistics import FiguresByName
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Array, Observation, Options, StepBatch
from agentc.runtime.reward import RewardStep
from agentc.runtime.reward_table import RewardTable
from agentc.runtime.shield import ShieldState, ShieldTable
from agentc.runtime.shielded import fitting, joined, numbers_of
from agentc.runtime.spec_declared import DeclaredRows
from agentc.runtime.spec_env import payers, time_limit_of
from agentc.runtime.spec_observation import AUTOMATON, OBSERVATION, TIME_LEFT, AutomatonCode, Layout, Mode
from agentc.runtime.spec_rows import Rows, world_rows
from agentc.runtime.spec_signals import SignalFunction, SignalSource, bounds, needed_signals
from agentc.runtime.stepping import PACKED_ATOMS
from agentc.runtime.watching import Coverage, Watched, judged_robustness

REMEMBERED_LETTERS = 1 << 16

EnvFactory = Callable[[], gymnasium.Env[Any, Any]]


class SpecVectorEnv:
    """N environments that follow a spec, as :class:`agentc.runtime.learn.vector.VectorEnv` says.

    Args:
        spec: the compiled agent (or its ``AgentIR``).
        num_envs: how many environments, N.
        make: makes one environment; by default that which the spec names.
        first: the number of the first environment, where others have those before it: which training seeds are taken.
        snapshots: whether episodes may begin in the snapshots of a reset (:mod:`agentc.runtime.learn.resets`).
        signals, observation, horizon, shaping, shield: as for :class:`agentc.runtime.spec_env.SpecEnv`.

    Observations, rewards and ends are those of N ``SpecEnv``. In ``StepBatch.info``, ``return`` is without shaping.
    """

    def __init__(
        self,
        spec: CompiledAgent | AgentIR,
        num_envs: int,
        *,
        make: EnvFactory | None = None,
        signals: SignalFunction | None = None,
        observation: Mode = "dict",
        horizon: int | None = None,
        shaping: bool = True,
        shield: ShieldTable | None = None,
        snapshots: bool = False,
        first: int = 0,
    ) -> None:
        self.compiled = spec if isinstance(spec, CompiledAgent) else CompiledAgent.from_ir(spec)
        self.num_envs, self._offset = num_envs, first
        made = (make or self._declared)()
        self.task_space: spaces.Box | None = getattr(made.unwrapped, "task_space", None)
        """The box of the parameters that a teacher may choose, None where tasks have none."""
        machine = self.compiled.reward_machine
        agent = self.compiled.agent
        self.budgets: dict[str, float] = agent.budgets
        """What an episode may cost on average, by the name of the cost."""
        self._costs = Costs(agent.costs, agent.declared, num_envs) if agent.costs else None
        measured = read_by(*(term.formula for term in machine.robustness))
        costly = self._costs.signals if self._costs else ()
        names = tuple(dict.fromkeys((*needed_signals(machine.atoms), *costly, *measured)))
        own = make is None and signals is None
        self._rows = self._rows_of(made, names, snapshots or shield is not None) if own else None
        copies = range(1, num_envs if self._rows is None else 1)
        self._envs = [made, *((make or self._declared)() for _ in copies)]
        if snapshots and self._rows is None:
            self._envs = [Replayed(env) for env in self._envs]
        self._logs = [EpisodeLog(env, replay=True) for env in self._envs]
        self.options: Options | None = None
        """Called with an environment's number before its reset; what it returns goes there as ``options``."""
        self._code = AutomatonCode(machine)
        self.rewards = RewardTable(machine, num_envs, self.compiled.agent.declared, self._code)
        """The reward of all environments, with the monitors of the formulas in ``rewards.monitor``."""
        self._sources = [SignalSource(env, self.compiled, names, signals) for env in self._envs]
        labeller = Labeller(self.rewards.monitor.atoms, self.compiled.agent.declared)
        remembers = self._sources[0].repeats and not labeller.needs_previous and self._costs is None
        remembers = remembers and not machine.robustness
        self._columns: _Letters | _Columns | Rows
        self._columns = self._rows or (_Letters(self._sources, labeller) if remembers else _Columns(self._sources))
        self.horizon = time_limit_of(made, self.compiled, horizon)
        self._layout = Layout(made.observation_space, self._code, observation, machine.needs_time_left)
        self.observation_space: gymnasium.Space[Any] = self._layout.space
        self.action_space: gymnasium.Space[Any] = made.action_space
        self.action_mask: NDArray[np.bool_] | None = None
        self._own_mask: NDArray[np.bool_] | None = None
        self._shield = None
        if shield is not None:
            fitting(made.action_space, shield)
            self._shield, self._codes = ShieldState(shield, num_envs), self._numbers()
        self._buffers = (_Buffer(self._layout, num_envs), _Buffer(self._layout, num_envs))
        self._turn = 0
        self._shapes, self._own_reward = shaping, self.compiled.agent.reward is None
        self._first_action = int(made.action_space.start) if isinstance(made.action_space, spaces.Discrete) else None
        self._judged = [
            (f"{'violated' if item.role == 'safe' else 'satisfied'}/{item.name}", row, item.role == "safe")
            for item in self.compiled.agent.of_role("task", "behavior", "safe")
            for row, program in enumerate(machine.programs)
            if program.name == item.name
        ]
        self._sources_paid = _sources(self.compiled)
        judged = [item.name for item in agent.of_role("task", "behavior", "safe")]
        self._coverage = Coverage(self.rewards.monitor, judged)
        self._robust = None if self._rows is None else judged_robustness(agent, num_envs, self.horizon)
        self._returns = np.zeros(num_envs, np.float64)
        self._lengths = np.zeros(num_envs, np.int64)

    def _declared(self) -> gymnasium.Env[Any, Any]:
        agent = self.compiled.agent
        if agent.environment is None:
            raise AgentcError([report("AS0911", None, name=agent.name)])
        return environment_of(agent)

    @property
    def batched(self) -> bool:
        """Whether the environments are stepped at once, as arrays, not N copies in a loop."""
        return self._rows is not None

    @property
    def stepping(self) -> str:
        """How the environments are stepped, as a phrase."""
        one = "environment" if self.num_envs == 1 else "environments"
        return f"{self.num_envs} {one}, stepped {'at once' if self.batched else 'one after the other'}"

    def _rows_of(self, first: gymnasium.Env[Any, Any], names: Sequence[str], more: bool) -> Rows | None:
        """The rows of a declared system that has all of the signals itself, or of an engine that steps many at once.

        ``more``: snapshots or a shield, which of all engines only a declared system has.
        """
        bare = first.unwrapped
        if isinstance(bare, DeclaredEnv):
            return DeclaredRows(bare, names, self.num_envs) if set(names) <= set(bare.signals) else None
        return None if more else world_rows(first, self.compiled.agent, names, self.num_envs)

    def _numbers(self) -> Callable[[], NDArray[np.int64]]:
        """What says the numbers of the states that the rows are in."""
        if self._rows is None:
            return numbers_of(self._envs)
        assert isinstance(self._rows, DeclaredRows)
        rows, numbering = self._rows, Numbering(self._rows.batch.system.states)
        return lambda: numbering.codes(rows.batch.state)

    def _masked(self) -> NDArray[np.bool_] | None:
        """The actions that the environments and the shield allow."""
        return self._own_mask if self._shield is None else joined(self._shield.masks(), self._own_mask)

    # ------------------------------------------------------------ stepping

    def reset(self, seed: int | None) -> Observation:
        """Start new episodes; environment ``i`` gets the ``i``-th training seed of ``seed``."""
        seeds: Sequence[int | None] = [None] * self.num_envs
        if seed is not None:
            seeds = training_seeds(seed, self._offset + self.num_envs)[self._offset :]
        buffer = self._next_buffer()
        if self._rows is not None:
            self._rows.reset(seeds, self.options)
            self._own_mask = self._rows.mask()
            buffer.put_all(self._rows.observation())
        else:
            self._own_mask = self._reset_copies(seeds, buffer)
        if self._shield is not None:
            self._shield.begin(self._codes())
        self.action_mask = self._masked()
        read = self._columns.read()
        self._possible(self.rewards.reset(read))
        self._mark()
        if self._costs is not None:
            self._costs.begin(_numeric(read))
        if self._robust is not None:
            self._robust.begin(_numeric(read))
        self._returns[:] = 0.0
        self._lengths[:] = 0
        self._write_added(buffer)
        return buffer.whole

    def step(self, actions: Array) -> StepBatch:
        """Act in every environment; those that end are reset at once."""
        n = self.num_envs
        buffer = self._next_buffer()
        columns = self._columns
        given = np.zeros(n, np.float64)
        shield, allowed = self._shield, self.action_mask
        if shield is not None and allowed is not None and not allowed[np.arange(n), actions].all():
            shield.refuse(actions.tolist(), allowed)
        self._own_mask = None if self._own_mask is None else self._own_mask.copy()
        if self._rows is not None:
            terminated, truncated = self._rows.step(actions)
            given = self._rows.paid()
            buffer.put_all(self._rows.observation())
            self._own_mask = self._rows.mask()
        else:
            terminated, truncated = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
            self._step_copies(actions, buffer, given, terminated, truncated, self._own_mask)
        if self._shield is not None:
            self._shield.move(self._codes(), ~terminated)
        masks = self._masked()
        self._lengths += 1
        limit = None if self.horizon is None else self._lengths >= self.horizon
        read = columns.read()
        done = self.rewards.step(read, terminated, limit, truncated)
        self._possible(done.codes)
        self._mark()
        if self._robust is not None:
            self._robust.step(_numeric(read))
        costs = {} if self._costs is None else self._costs.step(_numeric(read))
        earned = given if self._own_reward else done.reward
        self._returns += earned
        reward = (earned + done.shaping if self._shapes else earned).astype(np.float32)
        self._write_added(buffer)
        final, info, final_masks = buffer.whole, {}, None
        ended = done.terminated | done.truncated
        if ended.any():
            final = buffer.copy()
            final_masks = None if masks is None else masks.copy()
            info = self._statistics(done)
            self._coverage.prune()
            if self._robust is not None:
                self._robust.end(ended)
            if self._rows is not None:
                self._rows.restart(np.flatnonzero(ended).tolist(), self.options)
                buffer.put_all(self._rows.observation())
                self._own_mask = self._rows.mask()
            else:
                self._restart_copies(np.flatnonzero(ended).tolist(), buffer, self._own_mask)
            if self._shield is not None:
                self._shield.begin(self._codes(), ended)
            masks = self._masked()
            self._returns[ended] = 0.0
            self._lengths[ended] = 0
            read = columns.read()
            self._possible(self.rewards.reset(read, ended))
            self._mark()
            if self._costs is not None:
                self._costs.begin(_numeric(read), ended)
            if self._robust is not None:
                self._robust.begin(_numeric(read), ended)
            self._write_added(buffer)
        self.action_mask = masks
        return StepBatch(
            buffer.whole, final, reward, done.terminated, done.truncated, masks, info, final_masks, costs=costs
        )

    def snapshot(self) -> dict[str, Array] | None:
        """The state of the monitors and of the environments, or how to play their episodes again; None if untold."""
        state: dict[str, Array] = {"returns": self._returns.copy(), "lengths": self._lengths.copy()}
        state |= {f"rewards/{k}": a for k, a in self.rewards.state().items()}
        state |= {f"coverage/{k}": a for k, a in self._coverage.state().items()}
        if self._robust is not None:
            state |= {f"robust/{k}": a for k, a in self._robust.state().items()}
        if self._shield is not None:
            state["shield"] = self._shield.memory.copy()
        if self._costs is not None:
            state |= {f"costs/{k}": a for k, a in self._costs.state().items()}
        if self._rows is not None:
            state |= {f"rows/{k}": a for k, a in self._rows.snapshot().items()}
        else:
            for i, log in enumerate(self._logs):
                own = log.state()
                if own is None:
                    return None
                state |= {f"{i}/{k}": a for k, a in own.items()}
        return state | {f"seen/{k}": a.copy() for k, a in parts(self._buffers[self._turn].whole).items()}

    def restore(self, state: Mapping[str, Array]) -> Observation:
        """Go on from :meth:`snapshot`. Raises ``ValueError`` where an episode that is played again looks otherwise."""
        buffer = self._next_buffer()
        if self._rows is not None:
            self._rows.restore({k[5:]: a for k, a in state.items() if k.startswith("rows/")})
            self._own_mask = self._rows.mask()
            buffer.put_all(self._rows.observation())
        else:
            self._own_mask = self._replay(state, buffer)
        if self._shield is not None:
            self._shield.place(self._codes(), state["shield"])
        self.action_mask = self._masked()
        self.rewards.restore({k[8:]: a for k, a in state.items() if k.startswith("rewards/")})
        self._coverage.restore({k[9:]: a for k, a in state.items() if k.startswith("coverage/")})
        if self._robust is not None:
            self._robust.restore({k[7:]: a for k, a in state.items() if k.startswith("robust/")})
        if self._costs is not None:
            self._costs.restore({k[6:]: a for k, a in state.items() if k.startswith("costs/")})
        self._returns[:], self._lengths[:] = state["returns"], state["lengths"]
        self._write_added(buffer)
        for key, array in parts(buffer.whole).items():
            if array.tobytes() != state[f"seen/{key}"].tobytes():
                raise ValueError("an episode that is played again looks otherwise")
        return buffer.whole

    def _replay(self, state: Mapping[str, Array], buffer: _Buffer) -> NDArray[np.bool_] | None:
        """Play the episodes of the copies again; the legal actions, if they say them."""
        masks = []
        for i, (log, source) in enumerate(zip(self._logs, self._sources, strict=True)):
            own = {k.split("/", 1)[1]: a for k, a in state.items() if k.startswith(f"{i}/")}

            def seen(action: Any, reward: float, row: Any, source: SignalSource = source) -> None:
                _ = source.reset(row) if action is None else source.step(action, reward, row)

            row, info = log.restore(own, seen)
            buffer.put(i, row)
            masks.append(info.get("action_mask"))
        return None if masks[0] is None else np.array(masks, np.bool_)

    def watched(self) -> Watched:
        """Which monitor states were met, and the robustness of the last episodes since this was last asked."""
        return Watched(self._coverage.visited, () if self._robust is None else self._robust.take())

    def figures(self) -> FiguresByName:
        """What :meth:`watched` comes to, for a line of the log."""
        return self.watched().figures()

    def controller(self, name: str) -> Callable[[Mapping[str, Array]], Array] | None:
        """A feedback law of the declared system, read off its observation; None if there is none of that name."""
        return None if self._rows is None else self._rows.controller(name)

    def close(self) -> None:
        """Close every environment."""
        for env in self._envs:
            env.close()

    def render(self) -> list[Any]:
        """What each environment renders."""
        return [env.render() for env in self._envs]

    # ------------------------------------------------------------ copies, one after the other

    def _reset_copies(self, seeds: Sequence[int | None], buffer: _Buffer) -> NDArray[np.bool_] | None:
        """Reset every copy; the legal actions, if they say them."""
        assert isinstance(self._columns, _Letters | _Columns)
        masks = []
        for i, (log, source) in enumerate(zip(self._logs, self._sources, strict=True)):
            row, info = log.reset(seeds[i], None if self.options is None else self.options(i))
            self._columns.put(i, source.reset(row))
            buffer.put(i, row)
            masks.append(info.get("action_mask"))
        return None if masks[0] is None else np.array(masks, np.bool_)

    def _step_copies(
        self, actions: Array, buffer: _Buffer, given: Array, terminated: Array, truncated: Array, masks: Array | None
    ) -> None:
        """Step every copy, writing what came of it into the arrays."""
        assert isinstance(self._columns, _Letters | _Columns)
        chosen: Any = actions if self._first_action is None else (actions + self._first_action).tolist()
        put, columns, sources, logs = buffer.put, self._columns, self._sources, self._logs
        for i, env in enumerate(self._envs):
            row, paid, stop, cut, said = env.step(chosen[i])
            logs[i].actions.append(chosen[i])
            put(i, row)
            columns.put(i, sources[i].step(chosen[i], float(paid), row))
            given[i] = paid
            if stop:
                terminated[i] = True
            if cut:
                truncated[i] = True
            if masks is not None:
                masks[i] = said["action_mask"]

    def _restart_copies(self, rows: Sequence[int], buffer: _Buffer, masks: Array | None) -> None:
        """Reset the copies that have ended."""
        assert isinstance(self._columns, _Letters | _Columns)
        for i in rows:
            row, said = self._logs[i].reset(None, None if self.options is None else self.options(i))
            buffer.put(i, row)
            self._columns.put(i, self._sources[i].reset(row))
            if masks is not None:
                masks[i] = said["action_mask"]

    # ------------------------------------------------------------ parts

    def _possible(self, codes: NDArray[np.uint8]) -> None:
        """Raise :class:`AgentcError` (AS0708) where values have been read that the declared types rule out."""
        if not self.rewards.by_table and codes.size and codes.max() >= OUTSIDE_CODE:
            env = int(np.argwhere(codes == OUTSIDE_CODE)[0, 1])
            raise AgentcError([report("AS0708", None, env=env, values=self._columns.shown(env))])

    def _mark(self) -> None:
        """Note the monitors' states, where there may be new ones."""
        if self.rewards.news():
            self._coverage.mark()

    def _statistics(self, done: RewardStep) -> dict[str, Array]:
        info: dict[str, Array] = {"return": self._returns.copy(), "length": self._lengths.copy()}
        for key, row, is_safe in self._judged:
            codes = done.codes[row]
            info[key] = codes == int(Verdict.FALSE) if is_safe else codes >= int(Verdict.PRESUMABLY_TRUE)
        earned = self.rewards.earned
        for name, sources in self._sources_paid:
            info[f"reward/{name}"] = earned[sources[0]].copy() if len(sources) == 1 else earned[sources].sum(axis=0)
        return info if self._costs is None else info | self._costs.sums()

    def _write_added(self, buffer: _Buffer) -> None:
        """The automata's states and the time left, of the present step."""
        if buffer.code is not None:
            self.rewards.observe(buffer.code)
        if buffer.time_left is not None:
            assert self.horizon is not None
            buffer.time_left[:, 0] = np.maximum(0.0, (self.horizon - self._lengths) / self.horizon)

    def _next_buffer(self) -> _Buffer:
        self._turn ^= 1
        return self._buffers[self._turn]


def _sources(compiled: CompiledAgent) -> tuple[tuple[str, list[int]], ...]:
    """The sources that can pay, by name, with their rows of what a :class:`RewardMonitor` has earned."""
    machine = compiled.reward_machine
    named: dict[str, list[int]] = {}
    for row, name in enumerate(payers(compiled)):
        named.setdefault(name, []).append(row)
    for row, term in enumerate(machine.graded, len(machine.payments)):
        named.setdefault(term.name, []).append(row)
    last = len(machine.payments) + len(machine.graded)
    if machine.machine is not None:
        named["machine"] = [last]
    if machine.shapings or (machine.machine is not None and machine.machine.potentials):
        named["shaping"] = [last + 1]
    return tuple(named.items())


def _numeric(read: Array | dict[str, Array]) -> dict[str, Array]:
    """The signals by name: with costs, no letters are remembered in their place."""
    assert isinstance(read, dict)
    return read


class _Columns:
    """What the monitors read, gathered environment by environment: numbers, as arrays by name."""

    def __init__(self, sources: Sequence[SignalSource]) -> None:
        self._sources = sources
        self._names, self._signals = sources[0].names, sources[0].signals
        self._rows: list[list[Value]] = [[] for _ in sources]

    def put(self, i: int, values: list[Value]) -> None:
        """The values of environment ``i``, which are checked when all are read."""
        self._rows[i] = values

    def shown(self, i: int) -> str:
        """The values of environment ``i`` in words."""
        return ", ".join(f"{name} = {value}" for name, value in zip(self._names, self._rows[i], strict=True))

    def read(self) -> dict[str, Array]:
        """By name, ``(N,)`` or ``(N, d)``. Raises :class:`AgentcError` (AS0908) for a value of another type."""
        columns = zip(self._names, self._signals, zip(*self._rows, strict=True), strict=False)
        found = {}
        checked = False
        for name, signal, column in columns:
            if signal.kind == "real" and set(map(type, column)) == {float}:
                array = np.array(column)
                lo, hi = bounds(signal)
                if lo <= array.min() and array.max() <= hi:
                    found[name] = array
                    continue
            if not checked:
                for source, row in zip(self._sources, self._rows, strict=True):
                    source.check(row)
                checked = True
            found[name] = encode(name, signal, column)
        return found


class _Letters:
    """What the monitors read, gathered environment by environment: truth values, remembered by the values they are of.

    Discrete signals take few values, so nearly every letter has been met before.
    """

    def __init__(self, sources: Sequence[SignalSource], labeller: Labeller) -> None:
        self._sources, self._labeller = sources, labeller
        self._names, self._signals = sources[0].names, sources[0].signals
        self._rows: list[list[Value]] = [[] for _ in sources]
        width = len(labeller.atoms)
        self._packs = width <= PACKED_ATOMS
        kind = np.uint8 if width <= 8 else np.uint16
        self._letters = np.zeros(len(sources), kind) if self._packs else np.zeros((len(sources), width), np.bool_)
        self._known: dict[tuple[Value, ...], Array | int] = {}

    def put(self, i: int, values: list[Value]) -> None:
        """The values of environment ``i``."""
        key = tuple(values)
        letter = self._known.get(key)
        if letter is None:
            letter = self._labelled(i, values)
            if len(self._known) >= REMEMBERED_LETTERS:
                self._known.clear()
            self._known[key] = letter
        self._rows[i] = values
        self._letters[i] = letter

    def shown(self, i: int) -> str:
        """The values of environment ``i`` in words."""
        return ", ".join(f"{name} = {value}" for name, value in zip(self._names, self._rows[i], strict=True))

    def read(self) -> Array:
        """The letters, atoms in the order of the monitor's: packed ``(N,)``, or ``(N, atoms)`` where they are many."""
        return self._letters

    def _labelled(self, i: int, values: list[Value]) -> Array | int:
        self._sources[i].check(values)
        columns = zip(self._names, self._signals, values, strict=True)
        batch = {name: encode(name, signal, [value]) for name, signal, value in columns}
        letter = self._labeller(batch, out=np.zeros((1, len(self._labeller.atoms)), np.bool_))[0]
        return int("".join("01"[bit] for bit in letter.astype(int)) or "0", 2) if self._packs else np.array(letter)


class _Buffer:
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


class SpecGymVector(gymnasium.vector.VectorEnv[Any, Any, Any]):
    """A :class:`SpecVectorEnv` as a ``gymnasium.vector.VectorEnv`` with same-step autoreset.

    On steps on which episodes ended, ``infos`` holds ``final_obs`` (objects ``(N,)``) with the mask ``_final_obs``,
    and ``final_info`` with the statistics of :class:`StepBatch` and the mask ``_final_info``.
    """

    def __init__(self, vector: SpecVectorEnv) -> None:
        self.vector = vector
        self.num_envs = vector.num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.single_observation_space, self.single_action_space = vector.observation_space, vector.action_space
        self.observation_space = batch_space(vector.observation_space, self.num_envs)
        self.action_space = batch_space(vector.action_space, self.num_envs)
        space = vector.action_space
        self._start = int(space.start) if isinstance(space, spaces.Discrete) else 0

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start new episodes; of a list of seeds, the first counts."""
        one = seed[0] if isinstance(seed, list) else seed
        observation = self.vector.reset(one)
        return _kept(observation), self._mask()

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Act in every environment."""
        batch = self.vector.step(np.asarray(actions) - self._start if self._start else np.asarray(actions))
        infos: dict[str, Any] = self._mask()
        ended = batch.terminated | batch.truncated
        if ended.any():
            final = np.empty(self.num_envs, object)
            for i in np.flatnonzero(ended):
                final[i] = _row(batch.final_observation, int(i))
            infos |= {"final_obs": final, "_final_obs": ended, "final_info": dict(batch.info), "_final_info": ended}
        observation = _kept(batch.observation)
        return observation, batch.reward.astype(np.float64), batch.terminated, batch.truncated, infos

    def _mask(self) -> dict[str, Any]:
        mask = self.vector.action_mask
        return {} if mask is None else {"action_mask": mask, "_action_mask": np.ones(self.num_envs, np.bool_)}

    def close_extras(self, **kwargs: Any) -> None:
        """Close every environment."""
        self.vector.close()

    def render(self) -> tuple[Any, ...] | None:
        """What each environment renders."""
        return tuple(self.vector.render())


def _row(observation: Observation, i: int) -> Any:
    return {k: v[i].copy() for k, v in observation.items()} if isinstance(observation, dict) else observation[i].copy()


def _kept(observation: Observation) -> Any:
    return {k: v.copy() for k, v in observation.items()} if isinstance(observation, dict) else observation.copy()
