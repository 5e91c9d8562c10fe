"""Minimisation: the coarsest partition of the states that acceptance and the diagrams respect.

Source: Moore, *Gedanken-experiments on sequential machines*, 1956 (rounds, as long as there are few); Hopcroft, *An
n log n algorithm for minimizing states in a finite automaton*, 1971 (the largest part keeps its name); on shared
diagrams as in Klarlund, *Mona & Fido*, CSL 1997: a node's class is computed once from those of its children, and only
where a leaf below it has changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentc.compiler.automata.bdd import Budget
from agentc.compiler.automata.mtbdd import OUTSIDE, Nodes

ROUNDS = 12
"""So many rounds over everything before only what changed is looked at."""

Classes = list[tuple[int, int, int]]
"""Nodes up to equivalence: a node of the quotient's diagrams for each class of nodes, leaves ``~block``."""


def coarsest(
    nodes: Nodes, roots: Sequence[int], kinds: Sequence[int], budget: Budget
) -> tuple[list[int], list[int], Classes]:
    """The block of each state, the class of each node, and what the classes are.

    ``roots[s]`` is the diagram of state ``s`` (its leaves are ``~s``) and ``kinds[s]`` what must agree from the
    start; nodes come after those that they lead to. States are equivalent just if their blocks are equal. A node's
    class is a function of the blocks that it leads to, equal just if those functions are; the class of a leaf or of a
    node all of whose leaves are in one block is negative, ``~block``.
    """
    names: dict[int, int] = {}
    block = [names.setdefault(k, len(names)) for k in kinds]
    count = len(names)
    known = len(roots)
    for _ in range(ROUNDS):
        of_node, classes = _classified(nodes, block, known)
        keys: dict[tuple[int, int], int] = {}
        finer = [
            keys.setdefault((b, of_node[r] if r >= 0 else ~block[~r] if ~r < known else OUTSIDE), len(keys))
            for b, r in zip(block, roots, strict=True)
        ]
        if len(keys) == count:
            return block, of_node, classes
        block, count = finer, len(keys)
        budget.spend()
    return _refined(nodes, roots, block, count, budget)


def _classified(nodes: Nodes, block: Sequence[int], known: int) -> tuple[list[int], Classes]:
    """The class of each node under a partition."""
    of_node: list[int] = []
    append = of_node.append
    found: dict[tuple[int, int, int], int] = {}
    for level, low, high in nodes:
        low = of_node[low] if low >= 0 else ~block[~low] if ~low < known else OUTSIDE
        high = of_node[high] if high >= 0 else ~block[~high] if ~high < known else OUTSIDE
        append(low if low == high else found.setdefault((level, low, high), len(found)))
    return of_node, list(found)


def _refined(
    nodes: Nodes, roots: Sequence[int], block: list[int], blocks: int, budget: Budget
) -> tuple[list[int], list[int], Classes]:
    """The coarsest partition that is finer than ``block``, by what changes alone."""
    count = len(roots)
    members: list[set[int]] = [set() for _ in range(blocks)]
    for s in range(count):
        members[block[s]].add(s)

    # who stands above a node or a leaf; nodes are in order of creation, children first
    above: list[list[int]] = [[] for _ in nodes]
    above_leaf: list[list[int]] = [[] for _ in range(count)]
    for at, (_, low, high) in enumerate(nodes):
        for child in (low, high):
            if child >= 0:
                above[child].append(at)
            elif ~child < count:  # else it is outside, or belongs to what the diagrams were made from
                above_leaf[~child].append(at)
    with_root: dict[int, list[int]] = {}
    for s, root in enumerate(roots):
        with_root.setdefault(root, []).append(s)

    classes: dict[tuple[int, int, int], int] = {}
    of_node = [0] * len(nodes)

    def of(ref: int) -> int:
        return of_node[ref] if ref >= 0 else ~block[~ref] if ~ref < count else OUTSIDE

    def classify(at: int) -> int:
        level, low, high = nodes[at]
        low, high = of(low), of(high)
        if low == high:
            return low
        key = (level, low, high)
        made = classes.get(key)
        if made is None:
            made = classes[key] = len(classes)
        return made

    for at in range(len(nodes)):
        of_node[at] = classify(at)
    dirty = set(range(count))  # states whose root's class may have changed
    while dirty:
        budget.spend()
        touched: dict[int, dict[int, set[int]]] = {}
        for s in dirty:
            touched.setdefault(block[s], {}).setdefault(of(roots[s]), set()).add(s)
        moved: list[int] = []
        for b, parts in touched.items():
            changed = sum(map(len, parts.values()))
            rest = len(members[b]) - changed
            if rest:  # the others of the block all have one class: the one they had
                other = next(s for s in members[b] if not any(s in part for part in parts.values()))
                same = parts.pop(of(roots[other]), set())
                if not parts:
                    continue
                rest += len(same)
                largest = max(parts.values(), key=len)
                if rest >= len(largest):
                    leaving = list(parts.values())
                else:  # then the rest is no larger than what changed: listing it costs no more
                    leaving = [p for p in parts.values() if p is not largest]
                    leaving.append(members[b].difference(*parts.values()))
            elif len(parts) == 1:
                continue
            else:
                largest = max(parts.values(), key=len)
                leaving = [p for p in parts.values() if p is not largest]
            for group in leaving:
                members[b] -= group
                for s in group:
                    block[s] = len(members)
                members.append(group)
                moved += group
        # the classes above the leaves that moved, children before parents
        dirty = set()
        queue: set[int] = set()
        for s in moved:
            queue.update(above_leaf[s])
            dirty.update(with_root.get(~s, ()))
        while queue:
            layer: set[int] = set()
            # a node is ready once no other node of the queue lies below it: indices grow upwards, so go by index
            for at in sorted(queue):
                made = classify(at)
                if made != of_node[at]:
                    of_node[at] = made
                    layer.update(above[at])
                    dirty.update(with_root.get(at, ()))
            queue = layer
    # the blocks' numbers have changed on the way: name every class by the final ones
    final, kept = _classified(nodes, block, count)
    return block, final, kept
