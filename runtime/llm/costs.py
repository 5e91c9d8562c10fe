"""What it costs at least to bring a dialogue to its end: the budget's side of the game.

The value of a position is the number of units (bytes or tokens) that the agent needs at most to end the run with its
promises kept, if it plays for that alone: the least over its moves of the move's cost and the greatest value after it.
Source: Knuth, *A generalization of Dijkstra's algorithm*, IPL 1977 (the order of settling), with and-nodes for what the
agent does not decide.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from agentc.compiler.decoder.dialogue import Dialogue, Move, Position


def costs_to_end(game: Dialogue, cost: Callable[[Move], int]) -> dict[Position, int]:
    """The value of each won position; results cost nothing."""
    value: dict[Position, int] = {}
    groups: list[tuple[Position, int, set[Position]]] = []
    for position, moves in game.moves.items():
        if game.won(position):
            for move in moves:
                if all(game.won(t) for t in move.targets):
                    groups.append((position, cost(move), set(move.targets)))
    for position, answers in game.answers.items():
        if game.won(position):
            groups.append((position, 0, {t for _, targets in answers for t in targets}))
    waiting: dict[Position, list[int]] = {}
    for i, (_, _, targets) in enumerate(groups):
        for t in targets:
            waiting.setdefault(t, []).append(i)
    queue = [(0, p) for p in game.moves if game.won(p) and game.accepting(p)]
    heapq.heapify(queue)
    while queue:
        at, position = heapq.heappop(queue)
        if position in value:
            continue
        value[position] = at
        for i in waiting.get(position, ()):
            source, paid, targets = groups[i]
            targets.discard(position)
            if not targets and source not in value:  # the target that was settled last has the greatest value
                heapq.heappush(queue, (at + paid, source))
    return value
