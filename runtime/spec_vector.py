"""A spec on N environments at once: copies in one loop or rows of arrays; what the spec adds is vectorised.

:class:`SpecVectorEnv` is what the learners here take (:class:`agentc.runtime.learn.vector.VectorEnv`);
:class:`~agentc.runtime.spec_gym_vector.SpecGymVector` is the same as a ``gymnasium.vector.VectorEnv`` for others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR
from agentc.compiler.backends.monitor import OUTSIDE_CODE
from agentc.compiler.logic.ir import signals as read_by
from agentc.compiler.logic.verdict import Verdict
from agentc.compiler.systems.commands import Numbering
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.costs import Costs
from agentc.runtime.envs.declared import DeclaredEnv
from agentc.runtime.envs.registry import environment_of
from agentc.runtime.labelling import Labeller
from agentc.runtime.learn.resets.snapshots import Replayed
from agentc.runtime.learn.seeding import training_seeds
from agentc.runtime.learn.statistics import FiguresByName
from agentc.runtime.learn.trajectory import parts
from agentc.runtime.learn.vector import Array, Observation, Options, StepBatch
from agentc.runtime.observation_buffer import ObservationBuffer
from agentc.runtime.reward import RewardStep
from agentc.runtime.reward_table import RewardTable
from agentc.runtime.shield import ShieldState, ShieldTable
from agentc.runtime.shielded import fitting, joined, numbers_of
from agentc.runtime.spec_columns import Columns, Letters
from agentc.runtime.spec_copies import Copies
from agentc.runtime.spec_declared import DeclaredRows
from agentc.runtime.spec_env import payers, time_limit_of
from agentc.runtime.spec_observation import AutomatonCode, Layout, Mode
from agentc.runtime.spec_rows import Rows, world_rows
from agentc.runtime.spec_signals import SignalFunction, SignalSource, needed_signals
from agentc.runtime.watching import Coverage, Watched, judged_robustness

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
        self.options: Options | None = None
        """Called with an environment's number before its reset; what it returns goes there as ``options``."""
        self._code = AutomatonCode(machine)
        self.rewards = RewardTable(machine, num_envs, self.compiled.agent.declared, self._code)
        """The reward of all environments, with the monitors of the formulas in ``rewards.monitor``."""
        sources = [SignalSource(env, self.compiled, names, signals) for env in self._envs]
        labeller = Labeller(self.rewards.monitor.atoms, agent.declared)
        remembers = sources[0].repeats and not labeller.needs_previous
        remembers = remembers and self._costs is None and not machine.robustness
        self._copies = None if self._rows is not None else Copies(self._envs, sources, labeller if remembers else None)
        self._columns: Letters | Columns | Rows = self._own.columns if self._rows is None else self._rows
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
        self._buffers = (ObservationBuffer(self._layout, num_envs), ObservationBuffer(self._layout, num_envs))
        self._turn = 0
        self._shapes, self._own_reward = shaping, self.compiled.agent.reward is None
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
        last = self.horizon if machine.needs_time_left and self.horizon is not None else 0
        self._left = ((last - np.arange(last + 1)) / max(last, 1)).astype(np.float32)
        """The share of the time that is left, by steps taken; an episode ends where none is."""
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

    @property
    def _own(self) -> Copies:
        """The copies, where environments are stepped one after the other."""
        assert self._copies is not None
        return self._copies

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
            self._own_mask = self._own.reset(seeds, self.options, buffer)
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
            self._own.step(actions, buffer, given, terminated, truncated, self._own_mask)
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
                self._own.restart(np.flatnonzero(ended).tolist(), self.options, buffer, self._own_mask)
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
            own = self._own.state()
            if own is None:
                return None
            state |= own
        return state | {f"seen/{k}": a.copy() for k, a in parts(self._buffers[self._turn].whole).items()}

    def restore(self, state: Mapping[str, Array]) -> Observation:
        """Go on from :meth:`snapshot`. Raises ``ValueError`` where an episode that is played again looks otherwise."""
        buffer = self._next_buffer()
        if self._rows is not None:
            self._rows.restore({k[5:]: a for k, a in state.items() if k.startswith("rows/")})
            self._own_mask = self._rows.mask()
            buffer.put_all(self._rows.observation())
        else:
            self._own_mask = self._own.replay(state, buffer)
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

    def _write_added(self, buffer: ObservationBuffer) -> None:
        """The automata's states and the time left, of the present step."""
        if buffer.code is not None:
            self.rewards.observe(buffer.code)
        if buffer.time_left is not None:
            buffer.time_left[:, 0] = self._left.take(self._lengths)

    def _next_buffer(self) -> ObservationBuffer:
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
