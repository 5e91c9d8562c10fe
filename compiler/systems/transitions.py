"""Explicit models: the reachable states of a transition system, and what every action leads to, as arrays.

States are explored breadth first, a whole frontier at a time. A state is found again by its number in the box of all
valuations, in a table of that size where it is small enough and by search in sorted numbers else. Where frontiers
stay thin and the box is small, all of its valuations are expanded at once and the search is one over numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agentc.compiler.agent import SystemIR, VariableIR
from agentc.compiler.logic.ir import Formula, Term
from agentc.compiler.systems.arithmetic import evaluate
from agentc.compiler.systems.commands import Branch, Commands, Numbering
from agentc.compiler.systems.graph import decode, encode, graph_of
from agentc.lang.diagnostics import AgentcError, report

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_STATES = 50_000_000
"""The most states that are explored, unless the caller says otherwise."""

TABLE = 1 << 27
"""The largest box whose valuations are looked up in a table (of four bytes each)."""


THIN, PATIENCE, SMALL_BOX, CHUNK = 64, 256, 1 << 22, 1 << 18
"""After how many frontiers of fewer states the whole box is expanded instead, if it is small; how many at once."""


@dataclass(frozen=True)
class ExplicitModel:
    """A finite Markov decision process, reachable states only.

    State ``s`` has the choices ``choices[s] : choices[s + 1]``; choice ``c`` is the action ``action[c]`` and leads to
    ``successor[i]`` with ``probability[i]`` for ``i`` in ``offsets[c] : offsets[c + 1]``. Within a state, choices are
    in the order of actions; one choice may name a successor twice. A state without a choice is a deadlock: runs end
    there.
    """

    variables: tuple[VariableIR, ...]
    values: Ints
    """The encoded values of the states, ``(S, n)``."""
    actions: tuple[str, ...]
    initial: Ints
    """Indices of the initial states."""
    initial_probability: Floats
    choices: Ints
    action: NDArray[np.int32]
    offsets: Ints
    successor: NDArray[np.int32]
    probability: Floats

    def __len__(self) -> int:
        return len(self.values)

    @property
    def deadlocks(self) -> NDArray[np.bool_]:
        """Whether each state has no choice, ``(S,)``."""
        dead: NDArray[np.bool_] = np.diff(self.choices) == 0
        return dead

    @property
    def sources(self) -> Ints:
        """The state of each choice."""
        return np.repeat(np.arange(len(self)), np.diff(self.choices))

    def label(self, proposition: Formula) -> NDArray[np.bool_]:
        """Where a proposition over the states holds, ``(S,)``. Raises ``KeyError`` if it reads anything else."""
        graph = graph_of([proposition], self.variables)
        columns = {v.name: np.ascontiguousarray(c, float) for v, c in zip(self.variables, self.values.T, strict=True)}
        (found,) = evaluate(graph, columns)
        return np.broadcast_to(np.asarray(found, bool), (len(self),)).copy()

    def number(self, term: Term) -> Floats:
        """The values of a term over the states, ``(S,)``; not-a-number where there is none."""
        graph = graph_of([term], self.variables)
        columns = {v.name: np.ascontiguousarray(c, float) for v, c in zip(self.variables, self.values.T, strict=True)}
        (found,) = evaluate(graph, columns)
        return np.broadcast_to(np.asarray(found, float), (len(self),)).copy()

    def state(self, index: int) -> dict[str, bool | int | float | str]:
        """The valuation of a state."""
        return {v.name: decode(float(x), v) for v, x in zip(self.variables, self.values[index], strict=True)}


@dataclass
class _Found:
    """What has been explored, frontier by frontier."""

    values: list[Floats] = field(default_factory=list)
    counts: list[Ints] = field(default_factory=list)
    action: list[NDArray[np.int32]] = field(default_factory=list)
    sizes: list[Ints] = field(default_factory=list)
    successor: list[NDArray[np.int32]] = field(default_factory=list)
    probability: list[Floats] = field(default_factory=list)


def explore(system: SystemIR, *, max_states: int = MAX_STATES) -> ExplicitModel:
    """The explicit model of a transition system.

    Raises :class:`AgentcError`: AS1110 for a state with infinitely many values, AS1111 for an update out of range,
    AS1112 for a system with continuous time or disturbances, AS1114 for more than ``max_states``.
    """
    explorer = _Explorer(Commands(system), max_states)
    return explorer.run()


class _Explorer:
    def __init__(self, commands: Commands, max_states: int) -> None:
        self._commands, self._most = commands, max_states
        self._numbering = numbering = Numbering(commands.states)
        if not numbering.fits:
            name, valuations = commands.system.name, numbering.size
            raise AgentcError([report("AS1114", None, name=name, most=max_states, valuations=valuations)])
        self._strides, self._box = numbering.strides, numbering.size
        self._numbers: Numbers = Table(self._box) if self._box <= TABLE else Search()
        self._found = _Found()

    def run(self) -> ExplicitModel:
        values, probability = self._initial()
        keys = self._numbering.codes(values)
        first = self._numbers.new(keys)
        weights = np.bincount(self._numbers.index(keys), probability, len(first)).astype(np.float64)
        frontier = self._numbering.values(first)
        total, thin = len(first), 0
        while len(frontier):
            if total > self._most:
                raise self._too_many()
            thin = thin + 1 if len(frontier) < THIN else 0
            if thin > PATIENCE and self._box <= SMALL_BOX:
                return self._search_box(first, weights)
            found = self._expand(frontier)
            total += len(found)
            frontier = self._numbering.values(found)
        made = self._found
        return ExplicitModel(
            self._commands.states,
            np.concatenate(made.values).astype(np.int64),
            self._commands.actions,
            np.arange(len(first)),
            weights,
            _offsets(made.counts),
            np.concatenate(made.action),
            _offsets(made.sizes),
            np.concatenate(made.successor),
            np.concatenate(made.probability),
        )

    def _expand(self, state: Floats) -> Ints:
        """Record what the actions of a frontier ``(F, n)`` lead to; the numbers of the new states, in order."""
        key, probability = self._outcomes(state, self._found)
        new = self._numbers.new(key)
        self._found.successor.append(self._numbers.index(key))
        self._found.probability.append(probability)
        return new

    def _search_box(self, first: Ints, weights: Floats) -> ExplicitModel:
        """The model by a search over the numbers of the box, all of which are expanded."""
        found = _Found()
        parts = [self._outcomes(self._numbering.values(np.arange(at, min(at + CHUNK, self._box))), found, strict=False)
                 for at in range(0, self._box, CHUNK)]  # fmt: skip
        key = np.concatenate([k for k, _ in parts])
        probability = np.concatenate([p for _, p in parts])
        choices, offsets = _offsets(found.counts), _offsets(found.sizes)
        begin = offsets[choices]
        successors, bounds = key.tolist(), begin.tolist()
        seen, order = bytearray(self._box), first.tolist()
        for number in order:
            seen[number] = 1
        for number in order:  # which grows
            for other in successors[bounds[number] : bounds[number + 1]]:
                if other < 0:
                    self._outcomes(self._numbering.values(np.array([number])), _Found())  # which says what is wrong
                elif not seen[other]:
                    seen[other] = 1
                    order.append(other)
            if len(order) > self._most:
                raise self._too_many()
        states = np.array(order)
        index = np.full(self._box, -1, np.int32)
        index[states] = np.arange(len(states), dtype=np.int32)
        of_choice = _ranges(choices[states], choices[states + 1])
        of_successor = _ranges(offsets[of_choice], offsets[of_choice + 1])
        return ExplicitModel(
            self._commands.states,
            self._numbering.values(states).astype(np.int64),
            self._commands.actions,
            np.arange(len(first)),
            weights,
            _offsets([np.diff(choices)[states]]),
            np.concatenate(found.action)[of_choice],
            _offsets([np.diff(offsets)[of_choice]]),
            index[key[of_successor]],
            probability[of_successor],
        )

    def _outcomes(self, state: Floats, made: _Found, *, strict: bool = True) -> tuple[Ints, Floats]:
        """The numbers of the successors of states ``(F, n)`` with their probabilities; the rest is recorded.

        Raises :class:`AgentcError` (AS1111) for an update out of range; not ``strict``, its number is -1.
        """
        commands, batch = self._commands, len(state)
        columns = commands.columns(state)
        taken = commands.taken(columns, batch)  # (actions, F)
        fan = np.array([len(c.branches) for c in commands.commands])
        enabled = taken >= 0
        sizes = np.where(enabled, fan[taken], 0)
        # choices of a state in the order of actions, their successors in the order of branches
        per_state = sizes.sum(axis=0)
        base = np.cumsum(per_state) - per_state
        place = base + np.cumsum(sizes, axis=0) - sizes
        key = np.empty(int(per_state.sum()), np.int64)
        probability = np.empty(len(key))
        keys = self._numbering.codes(state)
        for a in range(len(commands.actions)):
            held_by = {} if commands.valuations is None else commands.valuations[a]
            for index in np.unique(taken[a][enabled[a]]):
                rows = np.flatnonzero(taken[a] == index)
                part = {name: c[rows] for name, c in columns.items()} if len(rows) < batch else dict(columns)
                if len(held_by):
                    for variable, x in zip(commands.inputs, held_by, strict=True):
                        part[variable.name] = np.full(len(rows), x)
                command = commands.commands[index]
                for b, branch in enumerate(command.branches):
                    moved = keys[rows]
                    if branch.targets:
                        moved = self._moved(branch, part, state[rows], moved, command.name, strict)
                    key[place[a, rows] + b] = moved
                    probability[place[a, rows] + b] = branch.probability
        made.values.append(state)
        made.counts.append(enabled.sum(axis=0))
        flat = enabled.T.ravel()
        made.action.append(np.tile(np.arange(len(taken), dtype=np.int32), batch)[flat])
        made.sizes.append(sizes.T.ravel()[flat])
        return key, probability

    def _moved(
        self, branch: Branch, columns: dict[str, Floats], state: Floats, keys: Ints, name: str, strict: bool
    ) -> Ints:
        """The numbers of states after a branch."""
        commands = self._commands
        after = commands.updated(branch, columns, state, name) if strict else commands.after(branch, columns, state)
        wrong = np.zeros(len(state), np.bool_)
        for i in branch.targets:
            if not strict:
                lost = ~commands.fits(after, i)
                after[lost, i] = state[lost, i]
                wrong |= lost
            keys = keys + (after[:, i] - state[:, i]).astype(np.int64) * self._strides[i]
        keys[wrong] = -1
        return keys

    def _initial(self) -> tuple[Floats, Floats]:
        """Every initial state with its probability."""
        states = self._commands.states
        rows, weights = [], []
        for component in self._commands.system.initial.components:
            by_name = {s.variable: s for s in component.starts}
            domains = []
            for variable in states:
                start = by_name[variable.name]
                if start.kind == "normal":
                    why = "a normal distribution at the start"
                    raise AgentcError([report("AS1110", None, kind="state", name=f"`{variable.name}`", why=why)])
                values = [encode(v, variable) for v in start.values]
                if start.kind in ("range", "uniform"):
                    values = [float(v) for v in range(int(values[0]), int(values[1]) + 1)]
                domains.append(np.array(values))
            count = int(np.prod([len(d) for d in domains], dtype=object))
            if count > self._most:
                raise self._too_many()
            grid = np.stack([g.ravel() for g in np.meshgrid(*domains, indexing="ij")], axis=1)
            if component.constraint is not None:
                graph = graph_of([component.constraint], states)
                (holds,) = evaluate(graph, self._commands.columns(grid))
                grid = grid[np.broadcast_to(np.asarray(holds, bool), len(grid))]
            if not len(grid):
                constraint = f"`{component.constraint}`"
                name = self._commands.system.name
                raise AgentcError([report("AS1108", None, name=name, tries=count, constraint=constraint)])
            rows.append(grid)
            weights.append(np.full(len(grid), component.weight / len(grid)))
        return np.concatenate(rows), np.concatenate(weights)

    def _too_many(self) -> AgentcError:
        name = self._commands.system.name
        return AgentcError([report("AS1114", None, name=name, most=self._most, valuations=self._box)])


class Table:
    """Indices of states by their numbers, in an array of the size of the box."""

    def __init__(self, size: int) -> None:
        self._index = np.full(size, -1, np.int32)
        self._count = 0

    def new(self, keys: Ints) -> Ints:
        """The numbers among ``keys`` that were not there, sorted; they are now."""
        unseen: Ints = np.unique(keys[self._index[keys] < 0])
        self._give(unseen)
        return unseen

    def index(self, keys: Ints) -> NDArray[np.int32]:
        """The indices of states."""
        found: NDArray[np.int32] = self._index[keys]
        return found

    def _give(self, keys: Ints) -> None:
        self._index[keys] = np.arange(self._count, self._count + len(keys), dtype=np.int32)
        self._count += len(keys)


class Search:
    """Indices of states by their numbers, by search in them; for boxes that are too large for a table."""

    def __init__(self) -> None:
        self._keys = np.zeros(0, np.int64)
        self._index = np.zeros(0, np.int32)

    def new(self, keys: Ints) -> Ints:
        """The numbers among ``keys`` that were not there, sorted; they are now."""
        unseen: Ints = np.unique(keys)
        if len(self._keys):
            at = np.minimum(np.searchsorted(self._keys, unseen), len(self._keys) - 1)
            unseen = unseen[self._keys[at] != unseen]
        self._give(unseen)
        return unseen

    def index(self, keys: Ints) -> NDArray[np.int32]:
        """The indices of states."""
        found: NDArray[np.int32] = self._index[np.searchsorted(self._keys, keys)]
        return found

    def _give(self, keys: Ints) -> None:
        count = len(self._keys)
        at = np.searchsorted(self._keys, keys)
        self._keys = np.insert(self._keys, at, keys)
        self._index = np.insert(self._index, at, np.arange(count, count + len(keys), dtype=np.int32))


Numbers = Table | Search


def _offsets(counts: list[Ints]) -> Ints:
    whole = np.concatenate(counts)
    out = np.zeros(len(whole) + 1, np.int64)
    np.cumsum(whole, out=out[1:])
    return out


def _ranges(begin: Ints, end: Ints) -> Ints:
    """The numbers of all ranges ``begin : end``, one after the other."""
    sizes = end - begin
    before = np.cumsum(sizes) - sizes
    return np.repeat(begin - before, sizes) + np.arange(int(sizes.sum()))
