"""What it costs at least to bring a dialogue to its end: the budget's side of the game.

The value of a position is the number of units (bytes or tokens) that the agent needs at most to end the run with its
promises kept, if it plays for that alone: the least over its moves of the move's cost and the greatest value after it.
Without a limit on steps the values are settled in the order of Knuth, *A generalization of Dijkstra's algorithm*, IPL
1977, with and-nodes for what the agent does not decide; with one, by value iteration, a round for each step.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping

from agentc.compiler.decoder.dialogue import Dialogue, Move, Position


class CostsToEnd:
    """The values of the won positions of a dialogue, where ``cost`` says what a move costs; results cost nothing."""

    def __init__(self, game: Dialogue, cost: Callable[[Move], int]) -> None:
        self._groups: list[tuple[Position, int, frozenset[Position]]] = []
        for position, moves in game.moves.items():
            if game.won(position):
                for move in moves:
                    if move.choice.sure and all(game.won(t) for t in move.targets):
                        self._groups.append((position, cost(move), frozenset(move.targets)))
        for position, answers in game.answers.items():
            if game.won(position):
                self._groups.append((position, 0, frozenset(t for _, targets in answers for t in targets)))
        self._ends = [p for p in game.moves if game.won(p) and game.accepting(p)]
        self._rounds: list[dict[Position, int]] = [dict.fromkeys(self._ends, 0)]

    def within(self, steps: int | None) -> Mapping[Position, int]:
        """The values if the run has to end within ``steps`` more steps; positions that cannot are left out."""
        if steps is None:
            return self._settled()
        while len(self._rounds) <= steps:
            before = self._rounds[-1]
            after = dict.fromkeys(self._ends, 0)
            for position, paid, targets in self._groups:
                if all(t in before for t in targets):
                    value = paid + max((before[t] for t in targets), default=0)
                    if value < after.get(position, value + 1):
                        after[position] = value
            self._rounds.append(after)
            if after == before:  # more steps change nothing
                return after
        return self._rounds[max(steps, 0)]

    def _settled(self) -> dict[Position, int]:
        value: dict[Position, int] = {}
        open_ = [set(targets) for _, _, targets in self._groups]
        waiting: dict[Position, list[int]] = {}
        for i, (_, _, targets) in enumerate(self._groups):
            for t in targets:
                waiting.setdefault(t, []).append(i)
        queue = [(0, p) for p in self._ends]
        heapq.heapify(queue)
        while queue:
            at, position = heapq.heappop(queue)
            if position in value:
                continue
            value[position] = at
            for i in waiting.get(position, ()):
                source, paid, _ = self._groups[i]
                open_[i].discard(position)
                if not open_[i] and source not in value:  # the target that was settled last has the greatest value
                    heapq.heappush(queue, (at + paid, source))
        return value
