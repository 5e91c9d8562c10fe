"""From a reward machine to what has to be reached and avoided: the paths along its states to what it pays for.

Source: Jackermeier, Abate, "DeepLTL", ICLR 2025, section 4.1: a policy that is told the next sets of assignments to
reach and to avoid along a path of the automaton to acceptance can follow formulas that it was never trained on. The
assignments here are the members of one enum signal. From a state, a stage reaches the members that lead to the next
state of the path and avoids those that lead anywhere from which nothing can be earned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentc.lang.diagnostics import AgentcError, report
from agentc.runtime.labelling import Labeller
from agentc.runtime.machine_table import MachineTable

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class GoalPaths:
    """The ways from every state of a machine to its goal.

    ``reach`` and ``avoid`` ``(P, K, M)`` say of every path and of its next K stages which of the M members are meant;
    stages behind the end are empty. ``of_state`` ``(U,)`` are the numbers of the paths that begin in a state. ``next``
    ``(U, M)`` is the state after a member, ``goal`` ``(U, M)`` where the machine pays and ends, ``lost`` where nothing
    can be earned any more; ``start`` ``(M,)`` the state after step 0.
    """

    reach: Mask
    avoid: Mask
    of_state: tuple[Ints, ...]
    next: Ints
    goal: Mask
    lost: Mask
    start: Ints


def goal_paths(table: MachineTable, signal: str, members: tuple[str, ...], stages: int, most: int = 16) -> GoalPaths:
    """The paths of the one machine of a table whose atoms read one enum signal; of each state the ``most`` shortest.

    Raises ``AgentcError`` (AS1503) if the atoms read something else.
    """
    classes = _classes(table, signal, members)
    step, ends = table.next[:, classes], table.ends[:, classes]
    goal = ends & (table.reward[:, classes] > 0)
    able: Mask = np.asarray(goal.any(axis=1))
    while True:
        more: Mask = np.asarray(able | (~ends & able[step]).any(axis=1))
        if (more == able).all():
            break
        able = more
    lost = (ends & ~goal) | (~ends & ~able[step])
    reach: list[Mask] = []
    avoid: list[Mask] = []
    of_state = []
    for u in range(table.size):
        found = _paths(u, step, ends, goal, able, most) if able[u] else []
        of_state.append(np.arange(len(reach), len(reach) + len(found)))
        for path in found:
            r, a = np.zeros((2, stages, len(members)), np.bool_)
            for k, (v, w) in enumerate(path[:stages]):
                r[k] = goal[v] if w < 0 else (step[v] == w) & ~ends[v]
                a[k] = lost[v]
            reach.append(r)
            avoid.append(a)
    shape = (len(reach), stages, len(members))
    return GoalPaths(
        np.array(reach, np.bool_).reshape(shape), np.array(avoid, np.bool_).reshape(shape), tuple(of_state),
        step, goal, lost, table.start[0, classes],
    )  # fmt: skip


def _paths(u: int, step: Ints, ends: Mask, goal: Mask, able: Mask, most: int) -> list[list[tuple[int, int]]]:
    """Simple paths to the goal as pairs of states, the shortest first; -1 is the end."""
    found: list[list[tuple[int, int]]] = []
    todo: list[tuple[list[tuple[int, int]], frozenset[int]]] = [([], frozenset((u,)))]
    while todo and len(found) < most:
        path, seen = todo.pop(0)
        v = path[-1][1] if path else u
        if goal[v].any():
            found.append([*path, (v, -1)])
        following = {int(w) for w, over in zip(step[v], ends[v], strict=True) if not over and able[w]} - seen
        todo += [([*path, (v, w)], seen | {w}) for w in sorted(following)]
        if len(todo) > 20_000:
            break
    return found[:most]


def _classes(table: MachineTable, signal: str, members: tuple[str, ...]) -> Ints:
    """The letter class of each member. Raises AS1503."""
    from agentc.compiler.agent import SignalIR
    from agentc.runtime.spec_signals import needed_signals

    read = needed_signals(table.atoms)
    if set(read) - {signal} or len(table.tasks) != 1:
        raise AgentcError([report("AS1503", None, signal=signal, read=", ".join(f"`{n}`" for n in read))])
    labeller = Labeller(table.atoms, (SignalIR(signal, "enum", members),))
    out = np.zeros((len(members), len(table.atoms)), np.bool_)
    return table.classes(labeller({signal: np.arange(len(members))}, out=out))
