"""A trained policy in its environment as a world with one action: the likeliest one, of what the policy observes.

What a policy observes is the environment and the states of the spec's machines; both together are the state of the
loop. The actions are those of :meth:`agentc.runtime.learn.policy.Policy.predict`: a policy that draws its actions is
verified as the greedy policy of the same scores, which is what ``agentc run`` lets act.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from agentc.compiler.agent import AgentIR
from agentc.compiler.backends.reward_machine import RewardMachine, RewardState
from agentc.compiler.logic.ir import Formula, Value, postorder
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent
from agentc.runtime.learn.policy import Policy
from agentc.runtime.machine_table import tabulate
from agentc.runtime.runs import Run, stale
from agentc.runtime.scalar import ScalarLabeller
from agentc.runtime.shield import ShieldTable
from agentc.runtime.shielded import shield_of_run
from agentc.runtime.spec_observation import AUTOMATON, OBSERVATION, AutomatonCode, Layout
from agentc.runtime.spec_signals import SignalSource, needed_signals
from agentc.runtime.verify.model.worlds import Outcome, Parts, Start, World, unexplorable


class Memory(Protocol):
    """What a policy observes beside its environment, and what ends its episodes."""

    atoms: tuple[Formula, ...]

    def start(self, letter: tuple[bool, ...]) -> Any:
        """The memory after step 0."""
        ...

    def step(self, memory: Any, letter: tuple[bool, ...], terminated: bool) -> tuple[Any, bool]:
        """The memory after a step, and whether the episode is over."""
        ...

    def key(self, memory: Any) -> Hashable:
        """What of it later steps depend on."""
        ...

    def observation(self, observation: Any, memory: Any) -> Any:
        """What the policy observes."""
        ...


class MachineMemory:
    """The monitors of the reward machine, as :class:`~agentc.runtime.spec_env.SpecEnv` shows them."""

    def __init__(self, machine: RewardMachine, space: Any) -> None:
        self._machine, self.atoms = machine, machine.atoms
        self._code = AutomatonCode(machine)
        self._layout = Layout(space, self._code, "dict", False)

    def start(self, letter: tuple[bool, ...]) -> RewardState:
        """The state after step 0."""
        return self._machine.start(dict(zip(self.atoms, letter, strict=True)))

    def step(self, memory: RewardState, letter: tuple[bool, ...], terminated: bool) -> tuple[RewardState, bool]:
        """The next state."""
        named = dict(zip(self.atoms, letter, strict=True))
        after, outcome = self._machine.step(memory, named, terminated=terminated, measure=lambda _: 0.0)
        return after, outcome.terminated

    def key(self, memory: RewardState) -> Hashable:
        """The monitors' states, the explicit machine's, and what has been paid."""
        return memory.states, memory.node, tuple(sorted(memory.paid))

    def observation(self, observation: Any, memory: RewardState) -> Any:
        """The environment's observation and the automata."""
        return self._layout.observation(observation, self._code.of(memory.states, memory.node), 1.0)


class TableMemory:
    """The table of the machines of an agent with one task, as learners with tables observe it."""

    def __init__(self, compiled: CompiledAgent, product: bool) -> None:
        self._table = tabulate(compiled)
        self.atoms, self._product = self._table.atoms, product

    def _class(self, letter: tuple[bool, ...]) -> int:
        return int(self._table.classes(np.array([letter], np.bool_).reshape(1, -1))[0])

    def start(self, letter: tuple[bool, ...]) -> int:
        """The row after step 0."""
        return int(self._table.start[0, self._class(letter)])

    def step(self, memory: int, letter: tuple[bool, ...], terminated: bool) -> tuple[int, bool]:
        """The next row."""
        c = self._class(letter)
        return int(self._table.next[memory, c]), terminated or bool(self._table.ends[memory, c])

    def key(self, memory: int) -> Hashable:
        """The row."""
        return memory

    def observation(self, observation: Any, memory: int) -> Any:
        """One number, or the environment's observation and the row one-hot."""
        if self._product:
            return np.int64(int(observation) * self._table.size + memory)
        onehot = np.zeros(self._table.size, np.float32)
        onehot[memory] = 1.0
        return {OBSERVATION: observation, AUTOMATON: onehot}


class ClosedLoop:
    """A world in which only what a policy does is an action."""

    def __init__(
        self, world: World, compiled: CompiledAgent, policy: Policy, memory: Memory, shield: ShieldTable | None
    ) -> None:
        self.env, self.actions = world.env, world.actions
        self._world, self._policy, self._memory, self._shield = world, policy, memory, shield
        self._labeller = ScalarLabeller(memory.atoms)
        self._source = SignalSource(world.env, compiled, needed_signals(memory.atoms))
        self._needs_before = any(n.op == "prev" for n in postorder(*memory.atoms))
        self._chosen: dict[Hashable, int] = {}
        self._at: Any = None

    def starts(self, count: int) -> tuple[list[Start], bool]:
        """Those of the world, with the memory after step 0."""
        found, exhaustive = self._world.starts(count)
        made = []
        for start in found:
            self._world.load(start.saved)
            values = self._read(self._source.reset(None))
            memory = self._memory.start(self._labeller.label(values, None, 0))
            watched = None
            if self._shield is not None:
                watched = self._watch(0)
            made.append(Start(start.weight, (start.saved, memory, values, watched), start.seed))
        return made, exhaustive

    def load(self, saved: Any) -> None:
        """Put environment and memory into a state."""
        self._world.load(saved[0])
        self._at = saved

    def parts(self) -> Parts:
        """The world's state and the memory."""
        _, memory, values, watched = self._at
        before = tuple(values.items()) if self._needs_before else ()
        return {**self._world.parts(), "the machines": (self._memory.key(memory), before, watched)}

    def code(self) -> int:
        """The number of the world's state."""
        return self._world.code()

    def observe(self) -> Any:
        """What the policy observes."""
        return self._memory.observation(self._world.observe(), self._at[1])

    def outcomes(self, saved: Any, action: int) -> list[Outcome]:
        """What the action leads to if the policy chooses it, else nothing."""
        self.load(saved)
        key = tuple(self.parts().values())
        if key not in self._chosen:
            mask = None if self._shield is None else self._masked(saved)
            self._chosen[key] = int(self._policy.predict(self.observe(), mask))
        if action != self._chosen[key]:
            return []
        found = []
        for outcome in self._world.outcomes(saved[0], action):
            self._world.load(outcome.saved)
            self._source.reset(None)
            values = self._read(self._source.step(action, outcome.reward, None))
            letter = self._labeller.label(values, saved[2], 1)
            memory, over = self._memory.step(saved[1], letter, outcome.terminated)
            watched = None if self._shield is None or over else self._watch(saved[3])
            found.append(Outcome(outcome.probability, (outcome.saved, memory, values, watched), over, outcome.reward))
        return found

    def _read(self, values: list[Value]) -> Mapping[str, Value]:
        self._source.check(values)
        return {name: v for name, v in zip(self._source.names, values, strict=True) if v is not None}

    def _located(self) -> Any:
        assert self._shield is not None
        return self._shield.located(np.array([self._world.code()]))

    def _watch(self, memory: int) -> int:
        """The shield's automaton after it has read the present state."""
        assert self._shield is not None
        return int(self._shield.after(np.array([memory]), self._located())[0])

    def _masked(self, saved: Any) -> Any:
        assert self._shield is not None
        return self._shield.masks(self._located(), np.array([saved[3]]))[0]


def closed_loop(agent: AgentIR, world: World, folder: Path) -> ClosedLoop:
    """The loop of a world and the policy that was trained in a folder.

    Raises :class:`AgentcError`: AS0840 or AS0841 for no policy, AS1348 for one of another meaning, AS1347 for one that
    reads more than the environment and its machines.
    """
    compiled = CompiledAgent.from_ir(agent)
    run = Run(agent.name, 0, folder)
    policy = Policy.load(folder)
    if stale(run, agent):
        raise AgentcError([report("AS1348", None, agent=agent.name, folder=str(folder))])
    space = world.env.observation_space
    memory: Memory
    if any(part.kind == "sequence" for part in policy.architecture.parts):
        raise unexplorable(agent.name, "its policy reads the last steps")
    if agent.reads_machines:
        if agent.trains_each:
            raise unexplorable(agent.name, "its policy has episodes of its own for every task")
        memory = TableMemory(compiled, agent.train is not None and agent.train.algorithm == "q")
    else:
        if compiled.reward_machine.needs_time_left:
            raise unexplorable(agent.name, "its policy reads the time that is left")
        memory = MachineMemory(compiled.reward_machine, space)
    return ClosedLoop(world, compiled, policy, memory, shield_of_run(run, agent))
