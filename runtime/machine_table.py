"""Reward machines as dense tables, so that one experience can be relabelled for every automaton state at once.

Source: Toro Icarte, Klassen, Valenzano, McIlraith, "Reward Machines", JAIR 73, 2022, section 4.2 (counterfactual
experiences). :class:`MachineTable` is the disjoint union of the machines of several tasks: its states are pairs of a
task and a :class:`~agentc.compiler.backends.reward_machine.RewardState`, its columns are classes of letters that no
monitor tells apart. Every entry is computed by :meth:`RewardMachine.step`, the reference; nothing is restated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import AgentIR
from agentc.compiler.backends.monitor import OUTSIDE_CODE, MonitorTable
from agentc.compiler.backends.reward_machine import RewardMachine, RewardState, refuse_missing
from agentc.compiler.logic.ir import Formula
from agentc.compiler.logic.verdict import Verdict
from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.compiled import CompiledAgent

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_ATOMS = 16
"""Letters of more atoms are not enumerated."""
MOST_ENTRIES = 4_000_000
"""States times letter classes."""


@dataclass(frozen=True, eq=False)
class MachineTable:
    """The machines of several tasks, U states and C letter classes in all.

    ``atoms`` are the columns of the letters, ``class_of`` ``(2 ** atoms,)`` the class of a letter read as a binary
    number (atom 0 is the lowest bit), -1 for one that the declared types rule out. ``task_of`` ``(U,)`` is the task of
    a state, ``states`` what it is in its machine. ``start`` ``(tasks, C)`` is the state after step 0.

    Of a step from ``u`` on a letter of class ``c``, arrays ``(U, C)``: ``next``, ``reward``, ``shaping``, ``ends``
    (nothing follows; ``next`` is then ``u``), and ``final_reward``, ``final_shaping`` where the environment ends the
    episode on that step. ``possible`` is False where the types rule the letter out after ``u``. ``holds`` and
    ``violates`` ``(formulas, U, C)`` say of each formula by name whether it is satisfied, and violated, by then.
    ``image`` ``(C, U)``: whether some state leads there on a letter of that class.
    """

    tasks: tuple[str, ...]
    atoms: tuple[Formula, ...]
    class_of: Ints
    task_of: Ints
    states: tuple[RewardState, ...]
    start: Ints
    next: Ints
    reward: NDArray[np.float64]
    shaping: NDArray[np.float64]
    ends: Mask
    final_reward: NDArray[np.float64]
    final_shaping: NDArray[np.float64]
    possible: Mask
    names: tuple[str, ...]
    holds: Mask
    violates: Mask
    image: Mask
    discount: float
    needs_time_left: bool

    @property
    def size(self) -> int:
        """The number of states, U."""
        return len(self.task_of)

    def classes(self, letters: NDArray[np.bool_]) -> Ints:
        """The classes ``(N,)`` of letters ``(N, atoms)``."""
        return self.class_of[letters @ (1 << np.arange(len(self.atoms)))]

    def relabel(
        self, classes: Ints, over: Mask | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], Ints, Mask]:
        """What the letters of N steps would have meant in every state: reward, shaping, next state, end, ``(N, U)``.

        ``over`` ``(N,)`` says where the environment ended the episode on that step.
        """
        every = self._by_class
        reward, shaping, following, ends = every[0][classes], every[1][classes], every[2][classes], every[3][classes]
        if over is not None and over.any():
            reward[over] = self.final_reward.T[classes[over]]
            shaping[over] = self.final_shaping.T[classes[over]]
            ends[over] = True
        return reward, shaping, following, ends

    def could_be(self, earlier: Ints) -> Mask:
        """The states ``(N, U)`` in which the machines could be, of the class of the letter before, -1 for none."""
        return np.where((earlier < 0)[:, None], True, self.image[earlier])

    @cached_property
    def _by_class(self) -> tuple[NDArray[np.float64], NDArray[np.float64], Ints, Mask]:
        """The tables with a row per class, so that relabelling copies rows."""
        reward, shaping = np.ascontiguousarray(self.reward.T), np.ascontiguousarray(self.shaping.T)
        return reward, shaping, np.ascontiguousarray(self.next.T), np.ascontiguousarray(self.ends.T)


def task_agents(agent: AgentIR) -> tuple[tuple[str, AgentIR], ...]:
    """An agent for each of its tasks: with that task alone, and all that is not a task.

    What pays or shapes one of the other tasks is left out. Of an agent without tasks, the agent itself.
    """
    tasks = [item.name for item in agent.of_role("task")]
    found = []
    for name in tasks:
        others = set(tasks) - {name}
        formulas = tuple(item for item in agent.formulas if item.name not in others)
        reward = agent.reward
        if reward is not None:
            elsewhere = {item.formula for item in agent.formulas if item.name in others}
            elsewhere -= {item.formula for item in formulas}
            terms = tuple(
                t for t in reward.terms
                if not (t.kind == "formula" and t.name in others)
                and not (t.kind in ("progress", "robustness") and t.formula in elsewhere)
            )  # fmt: skip
            reward = replace(reward, terms=terms, shape=tuple(n for n in reward.shape if n not in others))
        found.append((name, replace(agent, formulas=formulas, reward=reward)))
    return tuple(found) or ((agent.name, agent),)


def tabulate(agent: AgentIR | CompiledAgent, *, each: bool = False, merge: bool = True) -> MachineTable:
    """The table of an agent's reward machine or, with ``each``, of one machine for each of its tasks.

    With ``merge``, states that nothing in the table tells apart are one.
    Raises ``AgentcError``: AS1500 if there are too many letters or states, AS0714 for terms that are not built yet,
    AS0716 for those by robustness, which no state of a machine tells.
    """
    ir = agent.agent if isinstance(agent, CompiledAgent) else agent
    if each:
        named = [(name, CompiledAgent.from_ir(one).reward_machine) for name, one in task_agents(ir)]
    else:
        machine = agent.reward_machine if isinstance(agent, CompiledAgent) else CompiledAgent.from_ir(ir).reward_machine
        named = [(ir.name, machine)]
    table = table_of([name for name, _ in named], [machine for _, machine in named], ir)
    return merged(table) if merge else table


def table_of(names: Sequence[str], machines: Sequence[RewardMachine], agent: AgentIR) -> MachineTable:
    """The table of machines by the names of their tasks; ``agent`` says which formulas are reported."""
    for machine in machines:
        refuse_missing(machine)
        if machine.robustness:
            algorithm = "q" if agent.train is None else agent.train.algorithm
            raise AgentcError([report("AS0716", None, term=machine.robustness[0].name, algorithm=algorithm)])
    atoms = tuple(dict.fromkeys(a for machine in machines for a in machine.atoms))
    if len(atoms) > MOST_ATOMS:
        raise _too_large(agent, f"{len(atoms)} atoms", f"{MOST_ATOMS}")
    class_of, letters = _letter_classes(machines, atoms)
    rows = [_explored(machine, letters, agent) for machine in machines]
    sizes = [len(row.states) for row in rows]
    judged = tuple(item.name for item in agent.of_role("task", "behavior", "safe"))
    u, c = sum(sizes), len(letters)
    table = MachineTable(
        tuple(names), atoms, class_of,
        np.repeat(np.arange(len(rows)), sizes), tuple(s for row in rows for s in row.states),
        np.zeros((len(rows), c), np.int64), np.zeros((u, c), np.int64), np.zeros((u, c)), np.zeros((u, c)),
        np.zeros((u, c), np.bool_), np.zeros((u, c)), np.zeros((u, c)), np.zeros((u, c), np.bool_),
        judged, np.zeros((len(judged), u, c), np.bool_), np.zeros((len(judged), u, c), np.bool_),
        np.zeros((c, u), np.bool_), machines[0].discount, any(m.needs_time_left for m in machines),
    )  # fmt: skip
    begin = 0
    for at, (machine, row) in enumerate(zip(machines, rows, strict=True)):
        _fill(table, at, begin, machine, row, letters, agent)
        begin += len(row.states)
    for column in range(c):
        stays = table.possible[:, column] & ~table.ends[:, column]
        table.image[column, table.next[stays, column]] = True
    return table


def merged(table: MachineTable) -> MachineTable:
    """The table with one state for each class of states that pay, end, judge and lead on alike.

    Partition refinement from what the rows say; a class goes by its first state. Monitors of propositions remember
    what they read last, which matters to no later step.
    """
    told = [
        table.reward, table.shaping, table.ends, table.final_reward, table.final_shaping, table.possible,
        *table.holds, *table.violates,
    ]  # fmt: skip
    block = _numbered(np.column_stack([table.task_of, *(np.asarray(a, np.float64) for a in told)]))
    while True:
        finer = _numbered(np.column_stack([block, block[table.next]]))
        if finer.max() == block.max():
            break
        block = finer
    _, first = np.unique(block, return_index=True)
    order = np.argsort(first)  # classes in the order of their first states
    keep, rank = first[order], np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    number = rank[block]
    image = np.zeros((table.image.shape[0], len(keep)), np.bool_)
    for u in range(table.size):
        image[:, number[u]] |= table.image[:, u]
    return replace(
        table,
        task_of=table.task_of[keep],
        states=tuple(table.states[u] for u in keep),
        start=number[table.start],
        next=number[table.next[keep]],
        image=image,
        holds=table.holds[:, keep],
        violates=table.violates[:, keep],
        **{name: getattr(table, name)[keep] for name in _ROWS},
    )


_ROWS = ("reward", "shaping", "ends", "final_reward", "final_shaping", "possible")


def _numbered(rows: NDArray[Any]) -> Ints:
    """A number for each row, the same for equal ones."""
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True)
class _Explored:
    """The reachable states of one machine and where letters begin."""

    states: list[RewardState]
    number: dict[RewardState, int]
    starts: list[int]


def _explored(machine: RewardMachine, letters: Sequence[Mapping[Formula, bool]], agent: AgentIR) -> _Explored:
    number: dict[RewardState, int] = {}
    starts = []
    for letter in letters:
        state = machine.start(letter)
        starts.append(number.setdefault(state, len(number)))
    states = list(number)
    for state in states:  # grows while it is read
        for letter in letters:
            try:
                following, outcome = machine.step(state, letter)
            except ValueError:
                continue
            if not outcome.terminated and following not in number:
                number[following] = len(number)
                states.append(following)
        if len(states) * len(letters) > MOST_ENTRIES:
            raise _too_large(agent, f"over {len(states)} states and {len(letters)} letters", f"{MOST_ENTRIES} entries")
    return _Explored(states, number, starts)


def _fill(
    table: MachineTable,
    at: int,
    begin: int,
    machine: RewardMachine,
    row: _Explored,
    letters: Sequence[Mapping[Formula, bool]],
    agent: AgentIR,
) -> None:
    table.start[at] = [begin + s for s in row.starts]
    safes = {item.name for item in agent.of_role("safe")}
    judged = [(k, machine_row) for k, name in enumerate(table.names)
              for machine_row, program in enumerate(machine.programs) if program.name == name]  # fmt: skip
    for i, state in enumerate(row.states):
        u = begin + i
        for c, letter in enumerate(letters):
            table.next[u, c] = u
            try:
                following, outcome = machine.step(state, letter)
                _, last = machine.step(state, letter, terminated=True)
            except ValueError:
                continue
            table.possible[u, c] = True
            table.reward[u, c], table.shaping[u, c] = outcome.reward, outcome.shaping
            table.ends[u, c] = outcome.terminated
            table.final_reward[u, c], table.final_shaping[u, c] = last.reward, last.shaping
            if not outcome.terminated:
                table.next[u, c] = begin + row.number[following]
            for k, program in judged:
                verdict = Verdict(outcome.codes[program])
                safe = table.names[k] in safes
                table.holds[k, u, c] = not safe and verdict.holds
                table.violates[k, u, c] = safe and verdict is Verdict.FALSE


def _letter_classes(
    machines: Iterable[RewardMachine], atoms: Sequence[Formula]
) -> tuple[Ints, list[dict[Formula, bool]]]:
    """The class of every letter, and one letter of each class; letters that the types rule out have none."""
    numbers = np.arange(1 << len(atoms))
    column = {a: i for i, a in enumerate(atoms)}
    parts = dict.fromkeys(part for m in machines for p in m.programs for part in p.parts)
    keys = [np.zeros(len(numbers), np.int64)]
    ruled_out = np.zeros(len(numbers), np.bool_)
    for part in parts:
        key = _read(part, numbers, column)
        keys.append(key)
        ruled_out |= _outside(part, key)
    _, first, inverse = np.unique(np.stack(keys), axis=1, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    kept = ~ruled_out[first]
    renumbered = np.where(kept, np.cumsum(kept) - 1, -1)
    letters = [{a: bool(first[k] >> i & 1) for a, i in column.items()} for k in np.flatnonzero(kept)]
    return renumbered[inverse], letters


def _read(part: MonitorTable, numbers: Ints, column: Mapping[Formula, int]) -> Ints:
    """What a part sees of each letter: the class, or (without a table) the next states from all states."""
    values: list[Any] = []
    for level, low, high in part.nodes:
        bit = (numbers >> column[part.atoms[level]] & 1).astype(np.bool_)
        values.append(np.where(bit, values[high] if high >= 0 else ~high, values[low] if low >= 0 else ~low))

    def at(ref: int) -> Ints:
        return values[ref] if ref >= 0 else np.full(len(numbers), ~ref)

    if part.table is not None:
        return at(part.root)
    rows = np.stack([at(root) for root in part.roots])
    return np.unique(rows, axis=1, return_inverse=True)[1].reshape(-1)


def _outside(part: MonitorTable, key: Ints) -> Mask:
    """Where the first letter already leads out of the declared types; only parts with a table can tell cheaply."""
    if part.table is None or OUTSIDE_CODE not in part.verdicts:
        return np.zeros(len(key), np.bool_)
    return np.array([part.verdicts[s] == OUTSIDE_CODE for s in part.table[0]], np.bool_)[key]


def _too_large(agent: AgentIR, found: str, limit: str) -> AgentcError:
    return AgentcError([report("AS1500", None, agent=agent.name, found=found, limit=limit)])
