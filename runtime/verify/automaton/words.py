"""The words of an agent that writes: its events as letters, and the graph of what may follow what.

A node is where a dialogue is: the position of the decoder's game (or the state of the behaviour's automaton) and the
state of the automaton of the formula in question. What the agent does not decide, nobody is relied on to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from agentc.compiler.automata.dfa import DFA
from agentc.compiler.decoder.dialogue import START, Dialogue, Position
from agentc.compiler.decoder.events import Choice, Event, Letters
from agentc.compiler.logic.ir import Formula, prop

Letter = tuple[bool, ...]
Node = tuple[int, ...]

MAX_LETTERS = 1 << 14


class TooManyError(Exception):
    """There are more letters than are looked at one by one."""


@dataclass(frozen=True)
class Step:
    """One step of a dialogue: the event, what the agent chose in it, and the letter."""

    event: Event
    choice: Choice | None
    letter: Letter


class Words:
    """The letters of an agent's events."""

    def __init__(self, letters: Letters) -> None:
        self.letters = letters
        self._main = letters.alphabet.groups[0].atoms
        self._outer: dict[bool, list[Letter]] = {}
        for first in (True, False):
            parts: list[Sequence[Letter]] = []
            for group in letters.alphabet.groups[1:]:
                known = group.first if first else group.later
                free = product((False, True), repeat=len(group.atoms))
                parts.append(sorted(known) if known is not None else list(free))
            if prod(map(len, parts)) > MAX_LETTERS:
                raise TooManyError
            self._outer[first] = [tuple(v for part in row for v in part) for row in product(*parts)]
        self._made: dict[tuple[int, bool], list[Letter]] = {}

    def of(self, event: Event, truth: Mapping[Formula, bool], first: bool) -> Iterator[Letter]:
        """The letters of an event with what was chosen: all that is open in it, and all that others decide."""
        held = {prop(event.phase): True, **truth}
        if event.tool is not None:
            held[prop(event.tool)] = True
        open_ = [i for i, a in enumerate(self._main) if a in set(event.open)]
        if len(self._outer[first]) << len(open_) > MAX_LETTERS:
            raise TooManyError
        base = [held.get(a, False) for a in self._main]
        for bits in product((False, True), repeat=len(open_)):
            for i, bit in zip(open_, bits, strict=True):
                base[i] = bit
            for rest in self._outer[first]:
                yield (*base, *rest)


class DecoderGraph:
    """What the decoder can write: its moves to won positions, and the answers of the environment."""

    def __init__(self, game: Dialogue, judge: DFA) -> None:
        self._game, self._judge = game, judge
        self._words = Words(game.letters)
        self._index = {p.name: i for i, p in enumerate(game.letters.writer.phases)}
        self._bit = {name: 1 << i for i, name in enumerate(game.letters.quotable)}
        self._events = {(e.phase, e.tool): e for e in game.letters.events}
        self.start: Node = (*START, 0)

    def ends(self, node: Node) -> bool:
        """Whether a dialogue may end there."""
        position: Position = (node[0], node[1], node[2])
        return position in self._game.moves and self._game.accepting(position)

    def steps(self, node: Node) -> Iterator[tuple[Node, Step]]:
        """What may follow."""
        position: Position = (node[0], node[1], node[2])
        if not self._game.won(position):
            return
        if position in self._game.answers:
            for name, _ in self._game.answers[position]:
                for event in self._game.letters.events:
                    if event.phase == name and not event.written:
                        yield from self._after(node, event, None)
            return
        for move in self._game.legal(position):
            yield from self._after(node, self._events[move.choice.phase, move.choice.tool], move.choice)

    def _after(self, node: Node, event: Event, choice: Choice | None) -> Iterator[tuple[Node, Step]]:
        automaton, judge = self._game.automaton, self._judge
        seen = node[2] | self._bit.get(event.phase, 0)
        for letter in self._words.of(event, {} if choice is None else choice.truth, node == self.start):
            s, q = automaton.step(node[0], letter), judge.step(node[3], letter)
            if s < automaton.size and q < judge.size:
                yield (s, self._index[event.phase], seen, q), Step(event, choice, letter)


class BehaviourGraph:
    """All transcripts that a behaviour allows."""

    def __init__(self, letters: Letters, behaviour: DFA, judge: DFA) -> None:
        self._behaviour, self._judge, self._letters = behaviour, judge, letters
        self._words = Words(letters)
        self.start: Node = (0, 0, 0)  # the last number: whether a step has been taken

    def ends(self, node: Node) -> bool:
        """Whether the transcript may end there."""
        return node[2] == 1 and self._behaviour.accepting[node[0]]

    def steps(self, node: Node) -> Iterator[tuple[Node, Step]]:
        """What may follow."""
        first = node == self.start
        for event in self._letters.events:
            if first and not event.written:
                continue
            choices: Iterable[Choice | None] = event.choices or (None,)
            for choice in choices:
                for letter in self._words.of(event, {} if choice is None else choice.truth, first):
                    s, q = self._behaviour.step(node[0], letter), self._judge.step(node[1], letter)
                    if s < self._behaviour.size and q < self._judge.size:
                        yield (s, q, 1), Step(event, choice, letter)
