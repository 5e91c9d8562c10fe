"""Potentials of automaton states for shaping, by value iteration over the automaton.

Source: Ng, Harada, Russell, *Policy invariance under reward transformations*, ICML 1999 (what may be added without
changing the optimal policy); Camacho et al., *LTL and beyond*, IJCAI 2019, section 5 (value iteration over the reward
machine). Deviation: a letter costs the number of atoms that it makes true, at least one, and not simply one step. An
automaton may jump over all stages of ``F(a & F(b & F c))`` by the one letter that makes them all true, so plain step
counts would call every stage equally far; with this cost the stages are 3, 2, 1 away.

With ``d(u)`` the least cost from state ``u`` to one in which the formula holds, and ``D`` the greatest of them,

    Phi(u) = amount * (D + 1 - d(u)) / (D + 1),  and 0 in states with a final verdict.

So every stage of progress is worth the same ``1 / (D + 1)`` of the amount, the payment itself included (it brings
``amount`` and takes the potential back), and falling into a state in which the formula is finally false costs all
that had been gathered: it has the lowest potential there is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agentc.compiler.automata.dfa import DFA


def efforts(dfa: DFA) -> list[float]:
    """The least cost from each state to an accepting one, ``inf`` where there is no way."""
    distance = [0.0 if a else math.inf for a in dfa.accepting]
    distance.append(math.inf)  # outside
    while True:
        # per node, the cost below it before and after a first true atom: the step itself pays for one
        below: list[tuple[float, float]] = []

        def at(ref: int, paid: int, below: list[tuple[float, float]] = below) -> float:
            return below[ref][paid] if ref >= 0 else distance[~ref]

        for _, low, high in dfa.nodes:
            below.append((min(at(low, 0), at(high, 1)), min(at(low, 1), at(high, 1) + 1)))
        changed = False
        for s, root in enumerate(dfa.roots):
            through = 1 + at(root, 0)
            if through < distance[s]:
                distance[s], changed = through, True
        if not changed:
            return distance[: dfa.size]


def potentials(dfa: DFA, amount: float) -> tuple[float, ...]:
    """``Phi`` of every state."""
    distance = efforts(dfa)
    farthest = max((d for d in distance if math.isfinite(d)), default=0.0)
    return tuple(
        amount * (farthest + 1 - d) / (farthest + 1) if math.isfinite(d) and not v.final else 0.0
        for d, v in zip(distance, dfa.verdicts, strict=True)
    )


def machine_values(edges: Sequence[Sequence[tuple[int, float]]], ends: Sequence[bool], discount: float) -> list[float]:
    """The optimal value of each state of an explicit machine whose guards can all be brought about.

    ``edges[u]`` are ``(target, reward)``; staying pays nothing. Value iteration to a fixed point within 1e-9.
    """
    value = [0.0] * len(edges)
    for _ in range(100_000):
        following = [
            0.0 if ends[u] else max([0.0 + discount * value[u], *(r + discount * value[v] for v, r in out)])
            for u, out in enumerate(edges)
        ]
        if max((abs(a - b) for a, b in zip(value, following, strict=True)), default=0.0) < 1e-9:
            return following
        value = following
    return value
